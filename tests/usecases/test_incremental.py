"""Incremental backups: what they continue, when a full one is made, and what remains when something fails."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve

from bakthat.adapters.memory.metadata_repo import MemoryRepo
from bakthat.adapters.memory.object_store import MemoryObjectStore
from bakthat.adapters.packing.tar_packer import TarPacker
from bakthat.domain.archive_format import Compression
from bakthat.domain.backup import Backup
from bakthat.domain.increment_policy import IncrementPolicy
from bakthat.domain.object_lock import ObjectLock
from bakthat.domain.payload import Keys, NamedBase
from bakthat.domain.query import Query
from bakthat.errors import (
    AccessDenied,
    BackupNotFound,
    BakthatError,
    ChainBroken,
    DatabaseError,
    NotEncrypted,
    ObjectNotFound,
    PasswordNeeded,
    RetrievalPending,
    StoreError,
    StoreUnavailable,
)
from bakthat.ports.file_states import Changes, FileStates, KnownFiles, NoStates, StateDraft, TooManyNames
from bakthat.testing.faulty import Fault, FaultyArchiveStore, FaultyObjectStore
from bakthat.testing.toolbox import Toolbox
from bakthat.usecases.backup import BackupRequest, backup
from bakthat.usecases.find import FindRequest, find
from bakthat.usecases.restore import RestoreRequest, restore_stored
from bakthat.usecases.sync import sync
from bakthat.usecases.verify import verify
from tests.fixtures.nights import bring_back, change, make_site, night
from tests.fixtures.tree_histories import snapshot, tick

POLICY = IncrementPolicy()
KEY_PAIRS = (
    (
        "AGE-SECRET-KEY-1QYQSZQGPQYQSZQGPQYQSZQGPQYQSZQGPQYQSZQGPQYQSZQGPQYQSZ9K4CN",
        "age15nsf9y4k28p83wth93tf7hafhvfajp45d2mge80ems45gz0c5gys3me64l",
    ),
    (
        "AGE-SECRET-KEY-1QGPQYQSZQGPQYQSZQGPQYQSZQGPQYQSZQGPQYQSZQGPQYQSZQGPQ0N3JDM",
        "age1e6xn45wvkce7c7msc9upffw8dmxs9959q5xng369hgzcwrjc04vszex59m",
    ),
)
"""An identity and its recipient, each of a secret of 32 equal bytes."""


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    return make_site(tmp_path)


# What is recorded


def test_an_incremental_backup_says_what_it_continues(box: Toolbox, tree: Path) -> None:
    full = night(box, tree)
    first = night(box, tree)
    second = night(box, tree, compression=Compression.ZSTD)
    assert [made.stored_filename for made in (full, first, second)] == [
        "site.20260103030405.tgz",
        "site.20260104030405.inc.tgz",
        "site.20260105030405.inc.tar.zst",
    ]
    assert full.metadata.get("incremental") is None
    assert second.metadata["incremental"] == {
        "base": "site.20260104030405.inc.tgz",
        "full": "site.20260103030405.tgz",
        "depth": 2,
        "base_sha256": first.sha256,
    }
    assert second.metadata["counts"] == {"files": 3, "directories": 2, "others": 0, "bytes": 20_010}
    assert first.size < full.size / 10


def test_the_entry_in_the_store_says_it_too(box: Toolbox, tree: Path) -> None:
    full, first = night(box, tree), night(box, tree)
    other = Toolbox(stores=box.stores, clock=box.clock)
    sync("s3", other.tools)
    assert list(other.repo.find(Query())) == [
        evolve(row, metadata=other_row.metadata)
        for row, other_row in zip((first, full), other.repo.find(Query()), strict=True)
    ]
    assert [row.metadata.incremental for row in other.repo.find(Query())] == [first.metadata.incremental, None]


def test_only_the_first_full_backup_and_those_with_a_reason_have_a_notice(box: Toolbox, tree: Path) -> None:
    night(box, tree)
    night(box, tree)
    assert box.notices == ["site: a full backup is made: there is no earlier one of this source and host"]


def test_a_file_is_stored_whole(box: Toolbox, tree: Path) -> None:
    for _ in range(2):
        assert not night(box, tree / "large").is_incremental
    assert box.notices == []


def test_a_full_backup_can_be_asked_for_and_is_continued(box: Toolbox, tree: Path) -> None:
    night(box, tree)
    full = night(box, tree, full=True)
    assert not full.is_incremental
    after = night(box, tree).metadata.incremental
    assert after is not None
    assert (after.base, after.depth) == (full.stored_filename, 1)
    assert len(box.notices) == 1


# When a full one is made


def reason(box: Toolbox) -> str:
    """Why the last backup is a full one, by its notice."""
    start = "site: a full backup is made: "
    return [notice.removeprefix(start) for notice in box.notices if notice.startswith(start)][-1]


def test_a_full_one_is_made_when_the_chain_is_old(box: Toolbox, tree: Path) -> None:
    night(box, tree)
    assert night(box, tree, incremental=IncrementPolicy(full_every=timedelta(days=2))).is_incremental
    assert not night(box, tree, incremental=IncrementPolicy(full_every=timedelta(days=2))).is_incremental
    assert reason(box) == "the last full one is of 2026-01-03, and `full_every` is 2 days"


def test_a_full_one_is_made_when_the_chain_is_long(box: Toolbox, tree: Path) -> None:
    policy = IncrementPolicy(most=2)
    made = [night(box, tree, incremental=policy).is_incremental for _ in range(5)]
    assert made == [False, True, True, False, True]
    assert reason(box) == "site.20260103030405.tgz is continued by 2 incremental ones, and `most` is 2"


def test_a_full_one_is_made_when_the_changes_are_large(box: Toolbox, tree: Path) -> None:
    night(box, tree)
    (tree / "more").write_bytes(os.urandom(1_100_000))
    assert night(box, tree).is_incremental
    assert not night(box, tree).is_incremental
    assert reason(box) == "what changed since site.20260103030405.tgz has grown to more than half of it"


def test_a_full_one_is_made_after_a_plain_one_in_between(box: Toolbox, tree: Path) -> None:
    night(box, tree)
    plain = night(box, tree, incremental=None)
    assert not night(box, tree).is_incremental
    assert reason(box) == f"this machine has no list of what {plain.stored_filename} contained, to compare with"


def test_a_full_one_is_made_when_the_state_is_lost(box: Toolbox, tree: Path) -> None:
    made = night(box, tree)
    box.states = Toolbox().states
    assert not night(box, tree).is_incremental
    assert reason(box) == f"this machine has no list of what {made.stored_filename} contained, to compare with"


def test_a_full_one_is_made_when_attributes_are_kept_that_were_not(box: Toolbox, tree: Path) -> None:
    night(box, tree, xattrs=False)
    assert night(box, tree, xattrs=False).is_incremental
    assert not night(box, tree).is_incremental


def test_a_full_one_is_made_when_the_source_has_moved(box: Toolbox, tree: Path, tmp_path: Path) -> None:
    night(box, tree)
    (tmp_path / "elsewhere").mkdir()
    moved = tree.rename(tmp_path / "elsewhere" / "site")
    assert not night(box, moved).is_incremental


def test_a_full_one_is_made_when_the_record_has_no_source(box: Toolbox, tree: Path) -> None:
    for _ in range(2):
        assert not night(box, tree, recorded_source="").is_incremental
    assert reason(box) == "its record has no source"


def test_a_full_one_is_made_when_the_clock_went_back(box: Toolbox, tree: Path) -> None:
    made = night(box, tree)
    box.clock.forward(days=-3)
    assert not night(box, tree).is_incremental
    assert reason(box) == f"{made.stored_filename} is dated after now"


def test_a_full_one_is_made_when_a_directory_has_too_many_names(box: Toolbox, tree: Path) -> None:
    class Strict(TarPacker):
        def pack_changes(self, source: Path, into: Any, changes: Changes, **options: Any) -> Any:
            if changes.base is not None:
                raise TooManyNames("/srv/site has too many entries")
            return super().pack_changes(source, into, changes, **options)

    night(box, tree)
    box.clock.forward(days=1)
    request = BackupRequest(source=tree, destination="s3", incremental=POLICY)
    made = backup(request, evolve(box.tools, tar=Strict()))
    assert not made.is_incremental
    assert reason(box) == "/srv/site has too many entries"
    assert len([key for key in box.keys_in("s3") if "inc" in key]) == 0


def test_backups_within_one_second_have_dates_in_their_order(box: Toolbox, tree: Path, tmp_path: Path) -> None:
    made = [backup(BackupRequest(source=tree, destination="s3", incremental=POLICY), box.tools) for _ in range(3)]
    assert [one.stored_filename for one in made] == [
        "site.20260102030405.tgz",
        "site.20260102030406.inc.tgz",
        "site.20260102030407.inc.tgz",
    ]
    assert snapshot(bring_back(box, made[1], tmp_path / "out")) == snapshot(tree)


# Other origins, other settings


def test_another_origins_backup_in_between_is_not_continued(box: Toolbox, tree: Path, tmp_path: Path) -> None:
    full = night(box, tree)
    box.host = "other"
    other = night(box, tree)
    box.host = "host"
    change(tree)
    made = night(box, tree)
    assert not other.is_incremental
    assert made.metadata.incremental is not None
    assert made.metadata.incremental.base == full.stored_filename
    assert snapshot(bring_back(box, made, tmp_path / "out", host="host")) == snapshot(tree)


def test_another_destination_has_chains_of_its_own(box: Toolbox, tree: Path) -> None:
    night(box, tree)
    assert not night(box, tree, destination="local").is_incremental
    assert night(box, tree).is_incremental
    assert night(box, tree, destination="local").is_incremental


def test_a_chain_goes_across_compressions_and_recipients(box: Toolbox, tree: Path, tmp_path: Path) -> None:
    identities, recipients = zip(*KEY_PAIRS, strict=True)
    night(box, tree, keys=Keys(recipients=recipients[:1]))
    change(tree)
    night(box, tree, keys=Keys(recipients=recipients[1:]), compression=Compression.ZSTD)
    change(tree, "newer")
    made = night(box, tree, keys=Keys(passphrase="secret"), compression=Compression.NONE)
    asked: list[str] = []

    def keys(backup: Backup) -> Keys:
        asked.append(backup.stored_filename)
        if backup.metadata["encryption"]["recipients"]:
            return Keys(identities=identities)
        return Keys(passphrase="secret")

    assert made.is_incremental
    assert snapshot(bring_back(box, made, tmp_path / "out", keys=keys)) == snapshot(tree)
    assert asked == [made.stored_filename, "site.20260103030405.tgz.enc", "site.20260104030405.inc.tar.zst.enc"]


def test_a_key_is_asked_for_once_in_a_chain(box: Toolbox, tree: Path, tmp_path: Path) -> None:
    made = [night(box, tree, keys=Keys(passphrase="secret")) for _ in range(3)][-1]
    asked: list[Backup] = []

    def keys(backup: Backup) -> Keys:
        asked.append(backup)
        return Keys(passphrase="secret")

    bring_back(box, made, tmp_path / "out", keys=keys)
    assert asked == [made]


def test_a_missing_key_of_an_earlier_backup_is_named_before_anything_is_read(
    box: Toolbox, tree: Path, tmp_path: Path
) -> None:
    first = night(box, tree, keys=Keys(recipients=(KEY_PAIRS[0][1],)))
    made = night(box, tree, keys=Keys(passphrase="secret"))

    def keys(backup: Backup) -> Keys:
        return Keys() if backup == first else Keys(passphrase="secret")

    with pytest.raises(PasswordNeeded, match=first.stored_filename):
        bring_back(box, made, tmp_path / "out", keys=keys)
    assert not (tmp_path / "out").exists()


def test_a_chain_is_encrypted_as_a_whole_or_not_at_all(box: Toolbox, tree: Path) -> None:
    night(box, tree)
    assert not night(box, tree, keys=Keys(passphrase="secret")).is_incremental
    assert reason(box) == "the chain of site.20260103030405.tgz is not encrypted"
    assert night(box, tree, keys=Keys(passphrase="secret")).is_incremental
    assert not night(box, tree).is_incremental
    assert reason(box) == "the chain of site.20260105030405.inc.tgz.enc is encrypted"


def test_another_password_begins_another_chain(box: Toolbox, tree: Path, tmp_path: Path) -> None:
    old, new = Keys(passphrase="old"), Keys(passphrase="new")
    made = [night(box, tree, keys=keys) for keys in (old, old, new, new, old)]
    assert [one.is_incremental for one in made] == [False, True, False, True, False]
    assert reason(box) == "site.20260106030405.inc.tgz.enc is encrypted with another password"
    bring_back(box, made[3], tmp_path / "out", keys=lambda _: new)


def test_a_password_is_compared_with_the_last_one_also_behind_a_public_key(box: Toolbox, tree: Path) -> None:
    old, new, public = Keys(passphrase="old"), Keys(passphrase="new"), Keys(recipients=(KEY_PAIRS[0][1],))
    made = [night(box, tree, keys=keys) for keys in (old, public, old, public, new)]
    assert [one.is_incremental for one in made] == [False, True, True, True, False]


def test_a_machine_that_may_not_read_continues_without_comparing_passwords(box: Toolbox, tree: Path) -> None:
    night(box, tree, keys=Keys(passphrase="old"))
    denied = Fault(method="open_range", error=lambda: AccessDenied("no"))
    box.stores["s3"] = FaultyObjectStore(box.stores["s3"], denied)
    assert night(box, tree, keys=Keys(passphrase="new")).is_incremental


def test_a_plain_base_of_an_encrypted_backup_is_refused(box: Toolbox, tree: Path, tmp_path: Path) -> None:
    """As somebody without a key could store it, with a record that fits."""
    full, made = (night(box, tree, keys=Keys(passphrase="secret")) for _ in range(2))
    plain = night(box, tree, incremental=None)
    forged = evolve(plain, backup_date=full.backup_date, stored_filename="site.20260103030406.tgz")
    record = {"base": forged.stored_filename, "full": forged.stored_filename, "depth": 1}
    box.repo.add(forged)
    box.repo.replace(made.with_metadata(box.clock(), incremental=record))
    with pytest.raises(NotEncrypted, match=r"which it continues, is not: somebody else may have stored it"):
        bring_back(box, made, tmp_path / "out", keys=lambda _: Keys(passphrase="secret"))


# Files that could not be read


def test_a_file_that_changed_while_it_was_read_is_stored_by_the_next_backup(
    box: Toolbox, tree: Path, tmp_path: Path
) -> None:
    (tree / "busy").write_bytes(bytes(300_000))

    def write(_: Any) -> None:
        (tree / "busy").write_bytes(bytes(300_001))

    box.clock.forward(days=1)
    request = BackupRequest(source=tree, destination="s3", incremental=POLICY)
    incomplete = backup(request, evolve(box.tools, progress=write))
    made = night(box, tree)
    assert (incomplete.is_incomplete, made.is_incomplete, made.is_incremental) == (True, False, True)
    assert snapshot(bring_back(box, made, tmp_path / "out")) == snapshot(tree)


def unreadable(box: Toolbox, path: Path) -> Any:
    """Tools with which this file cannot be read any more when the first bytes of others were read."""

    def once(_: Any) -> None:
        if path.is_file():
            path.unlink()
            path.mkdir()

    return evolve(box.tools, progress=once)


def test_what_the_newest_could_not_read_is_not_in_its_tree_though_the_base_has_it(
    box: Toolbox, tree: Path, tmp_path: Path
) -> None:
    """A full backup would lack it, too. The base still has the version of then."""
    (tree / "a").write_bytes(bytes(300_000))
    (tree / "z").write_text("first")
    full = night(box, tree)
    (tree / "a").write_bytes(bytes(300_001))
    (tree / "z").write_text("second")
    tick(tree.parent)
    box.clock.forward(days=1)
    request = BackupRequest(source=tree, destination="s3", incremental=POLICY)
    made = backup(request, unreadable(box, tree / "z"))
    assert (full.is_incomplete, made.is_incremental, made.is_incomplete) == (False, True, True)
    assert [line.partition(":")[0] for line in made.problems] == [f"{tree / 'z'}"]
    assert not (bring_back(box, made, tmp_path / "newest") / "z").exists()
    assert (bring_back(box, full, tmp_path / "full") / "z").read_text() == "first"
    (tree / "z").rmdir()
    (tree / "z").write_text("third")
    after = night(box, tree)
    assert (after.is_incremental, after.is_incomplete) == (True, False)
    assert snapshot(bring_back(box, after, tmp_path / "after")) == snapshot(tree)


# Faults


def test_a_base_that_was_deleted_behind_our_back_gives_a_full_one(box: Toolbox, tree: Path, tmp_path: Path) -> None:
    full, first = night(box, tree), night(box, tree)
    box.stores["s3"].delete(full.stored_filename)
    made = night(box, tree)
    assert not made.is_incremental
    assert reason(box) == f"{first.stored_filename} is incremental and needs {full.stored_filename}, which was deleted"
    assert snapshot(bring_back(box, made, tmp_path / "out")) == snapshot(tree)


def test_a_base_that_is_deleted_meanwhile_gives_a_full_one(box: Toolbox, tree: Path, tmp_path: Path) -> None:
    base = night(box, tree)
    (tree / "busy").write_bytes(os.urandom(9000))
    tick(tmp_path)
    box.clock.forward(days=1)
    request = BackupRequest(source=tree, destination="s3", incremental=POLICY)
    made = backup(request, evolve(box.tools, progress=lambda _: box.stores["s3"].delete(base.stored_filename)))
    assert not made.is_incremental
    assert reason(box) == f"{base.stored_filename} was deleted while site.20260104030405.inc.tgz was made"
    assert snapshot(bring_back(box, made, tmp_path / "out")) == snapshot(tree)
    assert night(box, tree).is_incremental


def test_a_restore_says_which_backup_of_the_chain_is_gone(box: Toolbox, tree: Path, tmp_path: Path) -> None:
    full, first = night(box, tree), night(box, tree)
    box.stores["s3"].delete(full.stored_filename)
    with pytest.raises(ObjectNotFound, match=f"{full.stored_filename}.*{first.stored_filename} needs it"):
        bring_back(box, first, tmp_path / "out")
    sync("s3", box.tools)
    with pytest.raises(ChainBroken, match=f"needs {full.stored_filename}, which was deleted"):
        bring_back(box, first, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("depth", [1, 2], ids=["its base", "the base of its base"])
def test_a_record_that_names_a_wrong_base_is_not_followed(depth: int, box: Toolbox, tree: Path, tmp_path: Path) -> None:
    made = [night(box, tree) for _ in range(3)]
    wrong = made[depth]
    record = {**wrong.metadata["incremental"], "base": "site.20260101000000.tgz"}
    box.repo.replace(wrong.with_metadata(box.clock(), incremental=record))
    with pytest.raises(ChainBroken, match=r"needs site\.20260101000000\.tgz.*which is not in the database"):
        bring_back(box, made[2], tmp_path / "out")
    assert not night(box, tree).is_incremental


def test_a_record_that_skips_a_backup_is_found_out_by_the_archive(box: Toolbox, tree: Path, tmp_path: Path) -> None:
    made = [night(box, tree) for _ in range(3)]
    record = {"base": made[0].stored_filename, "full": made[0].stored_filename, "depth": 1}
    box.repo.replace(made[2].with_metadata(box.clock(), incremental=record))
    with pytest.raises(ChainBroken, match=f"the archive continues {made[1].stored_filename}, not"):
        bring_back(box, made[2], tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_records_in_a_circle_end_in_an_error(box: Toolbox, tree: Path, tmp_path: Path) -> None:
    made = [night(box, tree) for _ in range(3)]
    record = {**made[1].metadata["incremental"], "base": made[2].stored_filename}
    box.repo.replace(made[1].with_metadata(box.clock(), incremental=record))
    with pytest.raises(ChainBroken):
        bring_back(box, made[2], tmp_path / "out")


def test_two_backups_at_once_are_both_right_and_so_is_the_next(box: Toolbox, tree: Path, tmp_path: Path) -> None:
    night(box, tree)
    (tree / "busy").write_bytes(os.urandom(9000))
    tick(tmp_path)
    box.clock.forward(days=1)
    request = BackupRequest(source=tree, destination="s3", incremental=POLICY)
    inner: list[Backup] = []
    started: list[bool] = []

    def meanwhile(_: Any) -> None:
        if not started:
            started.append(True)
            inner.append(backup(request, box.tools))

    outer = backup(request, evolve(box.tools, progress=meanwhile))
    assert (outer.is_incremental, inner[0].is_incremental) == (True, True)
    assert outer.metadata.incremental == inner[0].metadata.incremental
    change(tree)
    after = night(box, tree)
    for made, number in ((outer, 1), (inner[0], 2)):
        assert (bring_back(box, made, tmp_path / f"{number}") / "busy").exists()
    assert snapshot(bring_back(box, after, tmp_path / "after")) == snapshot(tree)


def test_an_attempt_under_another_name_notes_the_files_once(box: Toolbox, tree: Path) -> None:
    """Another machine, with another database, has taken the name of this second."""
    other = Toolbox(stores=box.stores, clock=box.clock, host="other")
    night(box, tree)
    night(other, tree)
    theirs = night(other, tree)
    box.repo = MemoryRepo([row for row in box.repo.find(Query()) if row.host == "host"])
    made = backup(BackupRequest(source=tree, destination="s3", incremental=POLICY), box.tools)
    assert theirs.stored_filename == "site.20260105030405.inc.tgz"
    assert made.stored_filename == "site.20260105030406.inc.tgz"
    after = night(box, tree)
    assert after.metadata["counts"] == made.metadata["counts"]
    assert after.size == pytest.approx(made.size, abs=100)


class RefusedStates(FileStates):
    """States whose drafts cannot be kept."""

    def __init__(self, states: FileStates, error: OSError) -> None:
        self._states = states
        self._error = error

    def known(self, origin: str, backup: str) -> KnownFiles | None:
        return self._states.known(origin, backup)

    @contextmanager
    def draft(self, origin: str) -> Iterator[StateDraft]:
        def refused(_: str) -> None:
            raise self._error

        with self._states.draft(origin) as draft:
            draft.keep = refused  # type: ignore[method-assign]
            yield draft


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), OSError("odd")], ids=["full", "odd"])
def test_a_state_that_cannot_be_written_costs_the_next_backup_and_not_this_one(
    error: OSError, box: Toolbox, tree: Path
) -> None:
    made = night(evolve(box, states=RefusedStates(box.states, error)), tree)
    assert box.notices[-1] == (
        f"{made.stored_filename} is stored, but what it contains cannot be noted on this machine, so that the next "
        f"backup will be a full one: {error.strerror or error}"
    )
    assert not night(box, tree).is_incremental


def test_without_a_place_for_states_each_full_backup_says_why(box: Toolbox, tree: Path) -> None:
    nowhere = evolve(box, states=NoStates("there is no home directory"))
    for _ in range(2):
        night(nowhere, tree)
        assert nowhere.notices[-1].endswith("so that the next backup will be a full one: there is no home directory")


def test_without_permission_to_list_the_database_alone_decides(box: Toolbox, tree: Path) -> None:
    night(box, tree)
    refused = Fault(method="list", times=9, error=lambda: AccessDenied("s3: listing is not permitted"))
    box.stores["s3"] = FaultyObjectStore(box.stores["s3"], refused)
    assert night(box, tree).is_incremental
    assert box.notices[-1] == (
        "whether earlier backups of site are still there is not known: s3: listing is not permitted"
    )


def test_a_store_that_does_not_answer_ends_the_backup(box: Toolbox, tree: Path) -> None:
    night(box, tree)
    box.stores["s3"] = FaultyObjectStore(box.stores["s3"], Fault(method="list"))
    with pytest.raises(StoreUnavailable):
        night(box, tree)


def test_the_first_backup_needs_no_listing(box: Toolbox, tree: Path) -> None:
    """The folder of a new local destination is empty, like that of a disk that is not mounted."""
    box.stores["s3"] = FaultyObjectStore(box.stores["s3"], Fault(method="list"))
    assert not night(box, tree).is_incremental


def test_a_database_that_cannot_be_used_gives_a_full_one(box: Toolbox, tree: Path) -> None:
    class Unusable(MemoryRepo):
        def find(self, query: Query) -> Iterator[Backup]:
            raise DatabaseError("the database is locked")

    night(box, tree)
    made = night(evolve(box, repo=Unusable()), tree)
    assert not made.is_incremental
    assert reason(box) == "the database cannot be used (the database is locked)"


def test_a_new_database_of_the_same_store_continues_the_chain(box: Toolbox, tree: Path) -> None:
    night(box, tree)
    box.repo = MemoryRepo()
    assert night(box, tree).is_incremental


# Locks


def locking(box: Toolbox, days: int = 30) -> MemoryObjectStore:
    """The store of `s3`, which locks archives from now on."""
    known = box.stores["s3"]
    store = MemoryObjectStore("memory://s3", clock=box.clock, lock=ObjectLock(mode="compliance", days=days))
    assert isinstance(known, MemoryObjectStore)
    store._objects = known._objects
    box.stores["s3"] = store
    return store


def ends(store: MemoryObjectStore, *made: Backup) -> list[datetime | None]:
    locks = [store.lock_of(one.stored_filename) for one in made]
    return [lock.until if lock is not None else None for lock in locks]


def test_a_chain_is_locked_for_as_long_as_its_newest_backup(box: Toolbox, tree: Path) -> None:
    store = locking(box)
    made = [night(box, tree) for _ in range(4)]
    assert [one.is_incremental for one in made] == [False, True, True, True]
    assert ends(store, *made) == [box.clock.now + timedelta(days=30)] * 4


def test_a_chain_whose_locks_cannot_be_extended_is_not_continued(box: Toolbox, tree: Path) -> None:
    locking(box)
    full = night(box, tree)
    refused = Fault(method="extend_lock", error=lambda: AccessDenied("s3: s3:PutObjectRetention is not permitted"))
    box.stores["s3"] = FaultyObjectStore(box.stores["s3"], refused)
    assert not night(box, tree).is_incremental
    assert reason(box) == (
        f"the lock of {full.stored_filename} cannot be extended: s3: s3:PutObjectRetention is not permitted"
    )


def test_a_chain_is_locked_when_the_setting_is_new_or_longer(box: Toolbox, tree: Path) -> None:
    made = [night(box, tree)]
    for days in (30, 60):
        store = locking(box, days)
        made.append(night(box, tree))
        assert made[-1].is_incremental
        assert ends(store, *made) == [box.clock.now + timedelta(days=days)] * len(made)


def test_a_chain_that_cannot_be_locked_like_its_newest_is_reported(box: Toolbox, tree: Path) -> None:
    full = night(box, tree)
    store = locking(box)
    box.stores["s3"] = FaultyObjectStore(store, Fault(method="extend_lock", error=lambda: StoreError("not here")))
    made = night(box, tree)
    assert box.notices[-1] == (
        f"{made.stored_filename} is locked for longer than what it continues: the lock of {full.stored_filename} "
        "cannot be extended: not here"
    )


# Without a database


def by_key(box: Toolbox, key: str, target: Path, **changes: Any) -> Path:
    request = RestoreRequest(name="", destination="", target=target, **changes)
    restore_stored(box.stores["s3"], key, request, box.tools)
    return target / "site"


@pytest.mark.parametrize("keys", [Keys(), Keys(passphrase="secret")], ids=["plain", "encrypted"])
def test_an_object_is_restored_by_its_key_with_the_archives_that_it_needs(
    keys: Keys, box: Toolbox, tree: Path, tmp_path: Path
) -> None:
    night(box, tree, keys=keys)
    change(tree)
    night(box, tree, keys=keys, compression=Compression.NONE)
    change(tree, "newer")
    made = night(box, tree, keys=keys)
    restored = by_key(box, made.stored_filename, tmp_path / "out", keys=lambda _: keys)
    assert snapshot(restored) == snapshot(tree)


def test_an_object_whose_base_is_gone_is_not_restored(box: Toolbox, tree: Path, tmp_path: Path) -> None:
    full, _, second = (night(box, tree) for _ in range(3))
    box.stores["s3"].delete(full.stored_filename)
    with pytest.raises(ChainBroken, match=f"{second.stored_filename} is incremental and needs {full.stored_filename}"):
        by_key(box, second.stored_filename, tmp_path / "out")
    with pytest.raises(BackupNotFound):
        by_key(box, "site.20260101000000.inc.tgz", tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "base",
    ["site.20260102030405.inc.tar", "site.20270102030405.tar", "../site.20250102030405.tar", "x"],
    ids=["itself", "later", "elsewhere", "no stored filename"],
)
def test_an_archive_that_names_an_impossible_base_is_not_followed(
    base: str, box: Toolbox, tree: Path, tmp_path: Path
) -> None:
    stream = io.BytesIO()
    with box.states.draft("") as draft:
        box.tools.tar.pack_changes(tree, stream, Changes(draft=draft, base=NamedBase(base)))
    box.stores["s3"].put("site.20260102030405.inc.tar", io.BytesIO(stream.getvalue()))
    with pytest.raises(ChainBroken, match="says that it continues .* which cannot be"):
        by_key(box, "site.20260102030405.inc.tar", tmp_path / "out")


# Archives that have to be retrieved first


def test_all_retrievals_of_a_chain_are_requested_at_once(box: Toolbox, tree: Path, tmp_path: Path) -> None:
    made = [night(box, tree, destination="glacier") for _ in range(3)]
    assert made[2].is_incremental
    with pytest.raises(RetrievalPending):
        bring_back(box, made[2], tmp_path / "out", destination="glacier")
    box.clock.forward(hours=5)
    assert snapshot(bring_back(box, made[2], tmp_path / "out", destination="glacier")) == snapshot(tree)


def test_nothing_is_retrieved_to_find_out_what_an_archive_continues_unless_it_is_restored(
    box: Toolbox, tree: Path
) -> None:
    made = [night(box, tree, destination="glacier") for _ in range(2)]
    box.repo.replace(made[1].with_metadata(box.clock(), incremental=None))
    assert box.archives is not None
    box.archives = FaultyArchiveStore(box.archives, Fault(method="request", error=lambda: AssertionError("it costs")))
    unopened: list[BakthatError] = []
    request = FindRequest(patterns=("index",), destination="glacier")
    found = list(find(request, box.tools, on_unopened=lambda _, why: unopened.append(why)))
    (verified,) = verify(made[1].stored_filename, "glacier", box.tools, quick=True)
    assert [file.backup for file in found] == [made[0]]
    assert [type(error) for error in (*unopened, verified.error)] == [RetrievalPending, RetrievalPending]
