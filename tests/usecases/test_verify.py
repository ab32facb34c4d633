"""`verify`: every damage is reported, nothing is written, and the result is in the record."""

from __future__ import annotations

import io
import os
from pathlib import Path

import pytest

from bakthat.adapters.memory.metadata_repo import MemoryRepo
from bakthat.domain.archive_format import Compression
from bakthat.domain.backup import Backup
from bakthat.domain.payload import Keys
from bakthat.domain.query import Query
from bakthat.domain.verification import Level
from bakthat.errors import (
    AccessDenied,
    BackupNotFound,
    DatabaseError,
    NotEncrypted,
    ObjectNotFound,
    PayloadDamaged,
    WrongPassword,
)
from bakthat.testing.faulty import Fault, FaultyObjectStore
from bakthat.testing.toolbox import Toolbox
from bakthat.usecases.backup import BackupRequest, backup
from bakthat.usecases.delete import DeleteRequest, delete
from bakthat.usecases.verify import verify


def back_up(box: Toolbox, source: Path, **changes) -> Backup:
    return backup(BackupRequest(source=source, destination="s3", **changes), box.tools)


def stored(box: Toolbox, made: Backup) -> bytes:
    with box.stores["s3"].open(made.stored_filename) as reader:
        return reader.read()


@pytest.mark.parametrize("compression", list(Compression))
def test_a_good_backup_opens(box: Toolbox, tree: Path, compression: Compression) -> None:
    back_up(box, tree, compression=compression)
    (result,) = verify("site", "s3", box.tools)
    assert (result.level, result.error) == (Level.OPENS, None)


def test_an_encrypted_backup_opens_with_its_password(box: Toolbox, tree: Path) -> None:
    keys = Keys(passphrase="secret")
    back_up(box, tree, keys=keys)
    (result,) = verify("site", "s3", box.tools, keys=lambda _: keys)
    assert result.level is Level.OPENS


def test_a_key_that_does_not_fit_is_an_error_but_the_backup_is_not_bad(box: Toolbox, tree: Path) -> None:
    back_up(box, tree, keys=Keys(passphrase="secret"))
    (result,) = verify("site", "s3", box.tools, keys=lambda _: Keys(passphrase="wrong"))
    assert isinstance(result.error, WrongPassword)
    assert (result.is_bad, result.level) == (False, Level.STORED)


def test_a_backup_that_could_not_be_seen_is_not_recorded_as_bad(box: Toolbox, tree: Path) -> None:
    back_up(box, tree)
    verify("site", "s3", box.tools)
    before = list(box.repo.find(Query()))
    fault = Fault(method="stat", error=lambda: AccessDenied("no permission"))
    box.stores["s3"] = FaultyObjectStore(box.stores["s3"], fault)
    (result,) = verify("site", "s3", box.tools)
    assert (isinstance(result.error, AccessDenied), result.is_bad) == (True, False)
    assert list(box.repo.find(Query())) == before


def test_a_glance_does_not_hide_a_closer_look(box: Toolbox, tree: Path) -> None:
    back_up(box, tree)
    verify("site", "s3", box.tools)
    verify("site", "s3", box.tools, quick=True)
    (row,) = box.repo.find(Query())
    assert row.metadata["verified"]["level"] == "opens"


def test_without_the_key_it_is_checked_as_far_as_can_be_and_says_so(box: Toolbox, tree: Path) -> None:
    back_up(box, tree, keys=Keys(passphrase="secret"))
    (result,) = verify("site", "s3", box.tools)
    assert (result.level, result.error) == (Level.STORED, None)
    assert "not opened" in result.note


def test_quick_reads_nothing(box: Toolbox, tree: Path) -> None:
    back_up(box, tree)
    store = FaultyObjectStore(box.stores["s3"])
    box.stores["s3"] = store
    (result,) = verify("site", "s3", box.tools, quick=True)
    assert (result.level, store.calls) == (Level.PRESENT, [("stat", result.backup.stored_filename)])


def test_a_missing_archive_is_reported(box: Toolbox, tree: Path) -> None:
    made = back_up(box, tree)
    box.stores["s3"].delete(made.stored_filename)
    (result,) = verify("site", "s3", box.tools)
    assert isinstance(result.error, ObjectNotFound)


def test_a_different_size_is_reported_by_quick_too(box: Toolbox, tree: Path) -> None:
    made = back_up(box, tree)
    box.stores["s3"].put(made.stored_filename, io.BytesIO(stored(box, made)[:-1]), replace=True)
    (result,) = verify("site", "s3", box.tools, quick=True)
    assert isinstance(result.error, PayloadDamaged)
    assert made.stored_filename in str(result.error)


def test_without_a_recorded_hash_most_damage_is_detected_by_the_formats(box: Toolbox, tmp_path: Path) -> None:
    """A row that was found by its name alone: gzip and tar have checksums of their own."""
    source = tmp_path / "small"
    source.write_bytes(os.urandom(100_000))  # in the middle of the archive lies content, not its index
    made = back_up(box, source)
    box.repo.replace(made.with_metadata(box.clock(), sha256=None))
    damaged = bytearray(stored(box, made))
    damaged[len(damaged) // 2] ^= 0x10
    box.stores["s3"].put(made.stored_filename, io.BytesIO(bytes(damaged)), replace=True)
    (result,) = verify("small", "s3", box.tools)
    assert isinstance(result.error, PayloadDamaged)


def test_one_bad_backup_does_not_stop_the_rest(box: Toolbox, tree: Path) -> None:
    made = [back_up(box, tree) for _ in range(3)]
    box.stores["s3"].delete(made[1].stored_filename)
    results = verify(None, "s3", box.tools)
    assert [result.level for result in results] == [Level.OPENS, Level.NONE, Level.OPENS]


def test_result_and_date_are_in_the_record(box: Toolbox, tree: Path) -> None:
    back_up(box, tree)
    box.clock.forward(days=1)
    verify("site", "s3", box.tools)
    (row,) = box.repo.find(Query())
    assert row.metadata["verified"] == {"at": int(box.clock.now.timestamp()), "level": "opens"}


def test_no_backups_at_all_is_an_error(box: Toolbox) -> None:
    with pytest.raises(BackupNotFound):
        verify(None, "s3", box.tools)


def test_a_backup_that_is_deleted_while_it_is_verified_stays_deleted(box: Toolbox, tree: Path) -> None:
    back_up(box, tree)

    class Watched(FaultyObjectStore):
        def stat(self, key):
            found = super().stat(key)
            box.stores["s3"] = self.inner
            delete(DeleteRequest(name="site", destination="s3"), box.tools)
            return found

    box.stores["s3"] = Watched(box.stores["s3"])
    verify("site", "s3", box.tools, quick=True)
    assert list(box.repo.find(Query())) == []


def test_a_plain_backup_of_an_encrypted_series_is_refused_and_the_rest_is_verified(box: Toolbox, tree: Path) -> None:
    keys = Keys(passphrase="secret")
    encrypted = back_up(box, tree, keys=keys)
    box.clock.forward(days=1)
    plain = back_up(box, tree)
    results = verify(None, "s3", box.tools, keys=lambda _: keys)
    assert [result.backup.stored_filename for result in results] == [plain.stored_filename, encrypted.stored_filename]
    assert [(type(result.error), result.is_bad, result.level) for result in results] == [
        (NotEncrypted, False, Level.NONE),
        (type(None), False, Level.OPENS),
    ]
    assert isinstance(verify("site", "s3", box.tools, quick=True)[0].error, NotEncrypted)
    assert verify("site", "s3", box.tools, allow_plain=True)[0].level is Level.OPENS


def test_a_database_that_cannot_be_written_stops_nothing_and_is_one_notice(box: Toolbox, tree: Path) -> None:
    class ReadOnly(MemoryRepo):
        def replace(self, backup):
            raise DatabaseError("the database is read-only")

    made = [back_up(box, tree, name=name) for name in ("one", "two")]
    box.repo = ReadOnly(made)
    assert [result.level for result in verify(None, "s3", box.tools)] == [Level.OPENS, Level.OPENS]
    assert box.notices == ["the database is read-only; the results of verifying are not recorded"]
