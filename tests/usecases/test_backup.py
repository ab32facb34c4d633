"""`backup`: what is stored, recorded and named, and what remains when something fails."""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import tarfile
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from attrs import evolve

from bakthat.adapters.memory.metadata_repo import MemoryRepo
from bakthat.adapters.memory.object_store import MemoryObjectStore
from bakthat.adapters.packing.tar_packer import TarPacker
from bakthat.domain.archive_format import Compression
from bakthat.domain.name_claim import NameClaim
from bakthat.domain.payload import Keys
from bakthat.domain.query import Query
from bakthat.errors import (
    AccessDenied,
    DatabaseError,
    InvalidName,
    PayloadDamaged,
    SourceError,
    StoreError,
    StoreUnavailable,
    UnknownDestination,
)
from bakthat.ports.payload import Cipher
from bakthat.testing.faulty import Fault, FaultyObjectStore
from bakthat.testing.toolbox import Toolbox
from bakthat.usecases.backup import BackupRequest, backup
from bakthat.usecases.exclusions import ExclusionRequest
from bakthat.usecases.sync import sync

NAME = "site.20260102030405.tgz"
ENTRY = f"bakthat_catalog/{NAME}.json"


def request(source: Path, **changes) -> BackupRequest:
    return BackupRequest(source=source, destination="s3", **changes)


def stored(box: Toolbox, name: str) -> bytes:
    with box.stores["s3"].open(name) as reader:
        return reader.read()


def rows(box: Toolbox) -> list[str]:
    return [found.stored_filename for found in box.repo.find(Query(deleted=True))]


# what a backup is


def test_a_directory_becomes_one_tgz_under_its_base_name(box: Toolbox, tree: Path) -> None:
    made = backup(request(tree), box.tools)
    with tarfile.open(fileobj=io.BytesIO(stored(box, NAME))) as archive:
        names = archive.getnames()
    assert made.stored_filename == NAME
    assert names == ["site", "site/index.html", "site/pages", "site/pages/about.html"]


def test_the_record_holds_the_facts(box: Toolbox, tree: Path) -> None:
    made = backup(request(tree, tags=("web", "daily")), box.tools)
    content = stored(box, NAME)
    assert (made.backend, made.filename, made.size, made.tags) == ("s3", "site", len(content), ("web", "daily"))
    assert made.sha256 == hashlib.sha256(content).hexdigest()
    assert made.metadata["source"] == str(tree)
    assert made.metadata["client"] == "host"
    assert made.location == "memory://s3"
    assert made.metadata["counts"] == {"files": 2, "directories": 2, "others": 0, "bytes": 19}
    assert not made.is_incomplete


def test_the_record_is_in_the_database_and_in_the_catalog(box: Toolbox, tree: Path) -> None:
    made = backup(request(tree), box.tools)
    assert list(box.repo.find(Query())) == [made]
    entry = json.loads(stored(box, ENTRY))
    assert (entry["bakthat_catalog"], entry["stored_filename"], entry["sha256"]) == (1, NAME, made.sha256)


def test_a_file_becomes_a_tgz_with_that_file(box: Toolbox, tree: Path) -> None:
    backup(request(tree / "index.html"), box.tools)
    with tarfile.open(fileobj=io.BytesIO(stored(box, "index.html.20260102030405.tgz"))) as archive:
        assert archive.getnames() == ["index.html"]


def test_without_compression_a_file_is_stored_as_it_is(box: Toolbox, tree: Path) -> None:
    backup(request(tree / "index.html", compression=Compression.NONE), box.tools)
    assert stored(box, "index.html.20260102030405") == b"<h1>hello</h1>"


def test_without_compression_a_directory_is_a_bare_tar(box: Toolbox, tree: Path) -> None:
    backup(request(tree, compression=Compression.NONE), box.tools)
    with tarfile.open(fileobj=io.BytesIO(stored(box, "site.20260102030405.tar")), mode="r:") as archive:
        assert "site/index.html" in archive.getnames()


def test_a_packed_source_is_stored_unchanged_and_renamed(box: Toolbox, tree: Path, tmp_path: Path) -> None:
    packed = tmp_path / "dump.tar.gz"
    with tarfile.open(packed, "w:gz") as archive:
        archive.add(tree, "site")
    made = backup(request(packed), box.tools)
    assert made.stored_filename == "dump.20260102030405.tgz"
    assert stored(box, "dump.20260102030405.tgz") == packed.read_bytes()
    assert made.metadata["packed_by_source"] is True


def test_with_a_passphrase_an_age_file_is_stored(box: Toolbox, tree: Path) -> None:
    made = backup(request(tree, keys=Keys(passphrase="secret")), box.tools)
    assert made.stored_filename == NAME + ".enc"
    assert stored(box, NAME + ".enc").startswith(b"age-encryption.org/v1\n")
    assert made.metadata["encryption"] == {"scheme": "age-scrypt", "recipients": []}
    assert "secret" not in json.dumps(made.as_record())


def test_excluded_files_stay_out(box: Toolbox, tree: Path) -> None:
    backup(request(tree, exclusions=ExclusionRequest(patterns=("*.html", "!index.html"))), box.tools)
    with tarfile.open(fileobj=io.BytesIO(stored(box, NAME))) as archive:
        assert [m.name for m in archive.getmembers() if m.isfile()] == ["site/index.html"]


# names


@pytest.mark.parametrize(
    ("make", "series"),
    [
        (lambda tree: Path(f"{tree}/"), "site"),
        (lambda tree: tree / "pages" / "..", "site"),
        (lambda tree: tree / ".", "site"),
    ],
)
def test_the_series_is_the_base_name_however_the_path_is_written(box: Toolbox, tree: Path, make, series: str) -> None:
    assert backup(request(make(tree)), box.tools).filename == series


@pytest.mark.parametrize(
    ("name", "series"),
    [
        (b"with space", "with space"),
        (b"new\nline", "new%0Aline"),
        (b"latin\xe9", "latin%E9"),
        ("ümläut".encode(), "ümläut"),
    ],
)
def test_any_file_name_makes_a_series(box: Toolbox, tmp_path: Path, name: bytes, series: str) -> None:
    path = os.path.join(os.fsencode(tmp_path), name)
    os.mkdir(path)
    made = backup(request(Path(os.fsdecode(path))), box.tools)
    assert made.filename == series
    with tarfile.open(fileobj=io.BytesIO(stored(box, made.stored_filename))) as archive:
        assert os.fsencode(archive.getnames()[0]) == name


def test_a_given_name_is_the_series_and_members_keep_their_own(box: Toolbox, tree: Path) -> None:
    made = backup(request(tree, name="web"), box.tools)
    assert made.stored_filename == "web.20260102030405.tgz"
    assert made.metadata["root"] == "site"


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "a\nb", "x" * 201])
def test_a_name_that_no_backup_can_have_is_refused(box: Toolbox, tree: Path, name: str) -> None:
    with pytest.raises(InvalidName):
        backup(request(tree, name=name), box.tools)
    assert box.keys_in("s3") == []


def test_backups_of_one_second_take_the_next_free_seconds(box: Toolbox, tree: Path) -> None:
    names = [backup(request(tree), box.tools).stored_filename for _ in range(3)]
    assert names == ["site.20260102030405.tgz", "site.20260102030406.tgz", "site.20260102030407.tgz"]


class OverwritingStore(MemoryObjectStore):
    """Ignores the condition of a write, as several services do."""

    def put(self, key, body, *, replace=False, size_hint=None):
        return super().put(key, body, replace=True, size_hint=size_hint)


def test_two_backups_of_one_second_have_two_names_before_either_is_stored(box: Toolbox, tree: Path) -> None:
    """A store that replaces in silence then has nothing to replace."""
    both_began = threading.Barrier(2)

    class Waiting(OverwritingStore):
        def put(self, key, body, *, replace=False, size_hint=None):
            if not key.startswith("bakthat_catalog/"):
                both_began.wait(timeout=60)
            return super().put(key, body, replace=replace, size_hint=size_hint)

    box.stores["s3"] = Waiting()
    with ThreadPoolExecutor(2) as threads:
        made = [threads.submit(backup, request(tree), box.tools) for _ in range(2)]
        names = {done.result().stored_filename for done in made}
    assert names == {"site.20260102030405.tgz", "site.20260102030406.tgz"}


def test_the_claim_of_a_killed_backup_blocks_its_own_second_only(box: Toolbox, tree: Path) -> None:
    killed = NameClaim(stored_filename=NAME, host="host", pid=2, claimed_at=box.clock.now)
    assert box.repo.claim_name(killed)
    assert backup(request(tree), box.tools).stored_filename == "site.20260102030406.tgz"
    box.clock.forward(seconds=10)
    assert backup(request(tree), box.tools).stored_filename == "site.20260102030415.tgz"


def test_a_name_that_another_machine_took_is_left_alone(box: Toolbox, tree: Path) -> None:
    box.stores["s3"].put(NAME, io.BytesIO(b"theirs"))
    assert backup(request(tree), box.tools).stored_filename == "site.20260102030406.tgz"
    assert stored(box, NAME) == b"theirs"


def test_another_destination_takes_another_second_too(box: Toolbox, tree: Path) -> None:
    """Glacier and S3 may keep their catalog in one bucket, where one entry must not replace the other."""
    backup(request(tree), box.tools)
    made = backup(BackupRequest(source=tree, destination="glacier"), box.tools)
    assert made.stored_filename == "site.20260102030406.tgz"


@pytest.mark.parametrize("changes", [{"keys": Keys(passphrase="secret")}, {"compression": Compression.NONE}])
def test_two_backups_in_one_second_have_two_dates_whatever_their_suffixes(
    box: Toolbox, tree: Path, changes: dict[str, object]
) -> None:
    """With one date for both, nothing could tell which is the newer one."""
    first = backup(request(tree, **changes), box.tools)
    second = backup(request(tree), box.tools)
    third = backup(request(tree, **changes), box.tools)
    assert [made.when.second for made in (first, second, third)] == [5, 6, 7]


# incomplete


def test_a_file_that_vanishes_is_named_and_the_rest_is_stored(box: Toolbox, tree: Path, tmp_path: Path) -> None:
    source = tmp_path / "vanishing"
    source.mkdir()
    (source / "a").write_bytes(b"x" * 3_000_000)
    (source / "b").write_bytes(b"y")

    def unlink_b(_: object) -> None:
        (source / "b").unlink(missing_ok=True)

    made = backup(request(source), evolve(box.tools, progress=unlink_b))
    assert made.is_incomplete
    assert (made.problem_count, [problem.split(": ")[0] for problem in made.problems]) == (1, [str(source / "b")])
    assert [notice for notice in box.notices if "b" in notice]
    with tarfile.open(fileobj=io.BytesIO(stored(box, made.stored_filename))) as archive:
        assert "vanishing/a" in archive.getnames()


def test_many_files_that_vanish_are_counted_and_not_all_named(box: Toolbox, tmp_path: Path) -> None:
    source = tmp_path / "vanishing"
    source.mkdir()
    (source / "a").write_bytes(b"x" * 3_000_000)
    for number in range(150):
        (source / f"b{number}").write_bytes(b"y")

    def unlink_all(_: object) -> None:
        for path in source.glob("b*"):
            path.unlink()

    made = backup(request(source), evolve(box.tools, progress=unlink_all))
    assert made.problem_count == 150
    assert len(box.notices) == 101
    assert box.notices[-1] == f"{source}: 50 more like this: disappeared before it was read"


# faults


def test_no_such_source_stores_nothing(box: Toolbox, tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="nowhere"):
        backup(request(tmp_path / "nowhere"), box.tools)
    assert (box.keys_in("s3"), rows(box)) == ([], [])


def test_an_unknown_destination_stores_nothing(box: Toolbox, tree: Path) -> None:
    with pytest.raises(UnknownDestination):
        backup(BackupRequest(source=tree, destination="s4"), box.tools)


@pytest.mark.parametrize("after_bytes", [None, 0, 10, 100])
def test_a_store_that_fails_leaves_neither_object_nor_row(box: Toolbox, tree: Path, after_bytes: int | None) -> None:
    box.stores["s3"] = FaultyObjectStore(box.stores["s3"], Fault(method="put", after_bytes=after_bytes))
    with pytest.raises(StoreUnavailable, match="scripted"):
        backup(request(tree), box.tools)
    assert (box.keys_in("s3"), rows(box)) == ([], [])


def test_after_a_failure_the_next_backup_just_works(box: Toolbox, tree: Path) -> None:
    """Under another name: what became of the first is not known for sure."""
    box.stores["s3"] = FaultyObjectStore(box.stores["s3"], Fault(method="put"))
    with pytest.raises(StoreUnavailable):
        backup(request(tree), box.tools)
    assert backup(request(tree), box.tools).stored_filename == "site.20260102030406.tgz"


def test_a_catalog_entry_that_fails_does_not_undo_the_backup(box: Toolbox, tree: Path) -> None:
    fault = Fault(method="put", key="bakthat_catalog/", error=lambda: AccessDenied("no permission"))
    box.stores["s3"] = FaultyObjectStore(box.stores["s3"], fault)
    made = backup(request(tree), box.tools)
    assert rows(box) == [made.stored_filename]
    assert box.notices == [f"{NAME} is stored, but its catalog entry is not: no permission"]


def test_a_database_that_fails_says_that_the_archive_is_stored(box: Toolbox, tree: Path) -> None:
    class FullRepo(type(box.repo)):
        def add(self, backup: object) -> None:
            raise DatabaseError("the disk is full")

    box.repo = FullRepo()
    with pytest.raises(DatabaseError, match=r"is stored, but not in the database.*bakthat sync"):
        backup(request(tree), box.tools)
    assert box.keys_in("s3") == [ENTRY, NAME]


class DamagedRepo(MemoryRepo):
    """A database that cannot be used at all."""

    def find(self, query):
        raise DatabaseError("the database is damaged")

    def add(self, backup):
        raise DatabaseError("the database is damaged")

    def claim_name(self, claim):
        raise DatabaseError("the database is damaged")


def test_a_database_that_cannot_be_used_stops_no_backup(box: Toolbox, tree: Path) -> None:
    box.repo = DamagedRepo()
    with pytest.raises(DatabaseError, match=r"is stored, but not in the database"):
        backup(request(tree), box.tools)
    assert box.keys_in("s3") == [ENTRY, NAME]
    assert box.notices == ["the database is damaged; the backup continues without the database"]


def test_without_a_database_the_store_still_refuses_a_name_that_is_taken(box: Toolbox, tree: Path) -> None:
    box.repo = DamagedRepo()
    box.stores["s3"].put(NAME, io.BytesIO(b"theirs"))
    with pytest.raises(DatabaseError, match=r"site.20260102030406.tgz is stored"):
        backup(request(tree), box.tools)
    assert stored(box, NAME) == b"theirs"


def test_a_cipher_that_lets_plain_bytes_through_stores_nothing(box: Toolbox, tree: Path) -> None:
    class Leaking(Cipher):
        def sealing(self, into, keys):
            return contextlib.nullcontext(into)

        def unsealing(self, sealed, keys):
            raise AssertionError

    box.cipher = Leaking()
    with pytest.raises(PayloadDamaged, match="not encrypted"):
        backup(request(tree, keys=Keys(passphrase="x")), box.tools)
    assert box.keys_in("s3") == []


def test_ctrl_c_leaves_neither_object_nor_row(box: Toolbox, tree: Path) -> None:
    box.stores["s3"] = FaultyObjectStore(box.stores["s3"], Fault(method="put", after_bytes=20, error=KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        backup(request(tree), box.tools)
    assert (box.keys_in("s3"), rows(box)) == ([], [])


def test_a_store_that_lets_two_of_one_name_pass_costs_no_backup(box: Toolbox, tree: Path) -> None:
    """Two processes complete the same name at once, and the store's condition does not see it."""
    first = backup(request(tree), box.tools)
    inner = box.stores["s3"]

    class Blind(FaultyObjectStore):
        def put(self, key, body, *, replace=False, size_hint=None):
            return self.inner.put(key, body, replace=True, size_hint=size_hint)

    box.stores["s3"] = Blind(inner)

    class LateRepo(type(box.repo)):
        """Does not know yet, when asked, what the other process adds meanwhile."""

        def find(self, query):
            return iter(())

    late = LateRepo()
    late.add(first)
    box.repo = late
    assert backup(request(tree), box.tools).stored_filename == "site.20260102030406.tgz"


# stores that break their contract, and other processes


class LazyStore(MemoryObjectStore):
    """Takes the start of an archive for the whole."""

    def put(self, key, body, **options):
        start = body.read(10)
        return super().put(key, io.BytesIO(start), **options)


class DeafStore(MemoryObjectStore):
    """Takes an error of the body for its end."""

    def put(self, key, body, **options):
        start = b""
        with contextlib.suppress(SourceError):
            while piece := body.read(10):
                start += piece
        return super().put(key, io.BytesIO(start), **options)


def test_a_store_that_stops_reading_early_is_not_a_success(box: Toolbox, tree: Path) -> None:
    box.stores["s3"] = LazyStore()
    with pytest.raises(StoreError, match="stopped reading after 10 bytes"):
        backup(request(tree), box.tools)
    assert (box.keys_in("s3"), rows(box)) == ([], [])


@pytest.mark.parametrize("error", [SourceError, StopIteration])
def test_a_store_that_ignores_the_error_of_the_source_is_not_a_success(
    box: Toolbox, tree: Path, error: type[Exception]
) -> None:
    class FailingPacker(TarPacker):
        def pack(self, source, into, **options):
            into.write(b"some bytes")
            raise error("gone")

    box.stores["s3"] = DeafStore()
    with pytest.raises(error, match="gone"):
        backup(request(tree, compression=Compression.NONE), evolve(box.tools, tar=FailingPacker()))
    assert (box.keys_in("s3"), rows(box)) == ([], [])


@pytest.mark.parametrize("until", ["archive", "entry"])
def test_a_sync_that_finds_the_archive_before_its_maker_records_it_costs_no_second_backup(
    box: Toolbox, tree: Path, until: str
) -> None:
    class WatchedStore(FaultyObjectStore):
        def put(self, key, body, **options):
            stored = self.inner.put(key, body, **options)
            if (key == ENTRY) is (until == "entry"):
                sync("s3", box.tools)
            return stored

    box.stores["s3"] = WatchedStore(box.stores["s3"])
    made = backup(request(tree), box.tools)
    assert made.stored_filename == NAME
    assert list(box.repo.find(Query(deleted=True))) == [made]
