"""Databases of backups that are wrong in one thing each."""

from __future__ import annotations

import fnmatch
import itertools
import threading
import time
from collections.abc import Iterable, Iterator, Mapping

import pytest
from attrs import evolve

from bakthat.adapters.memory.metadata_repo import MemoryRepo
from bakthat.domain.backup import Backup
from bakthat.domain.objects import ArchiveId, RetrievalJob
from bakthat.domain.query import Query, newest_first
from bakthat.errors import BackupNotFound, DuplicateBackup
from bakthat.ports.metadata_repo import MetadataRepo
from bakthat.testing.metadata_repo_contract import MetadataRepoContract
from tests.testing.falling import falls_by, wrong_ones

EVERYTHING = Query(deleted=True)


class Right(MemoryRepo):
    """Nothing is wrong with it."""


# adding and replacing


@falls_by("test_the_same_backup_cannot_be_added_twice")
class ReplacesWhatItAdds(MemoryRepo):
    def add(self, backup: Backup) -> None:
        self.put_all([backup])


@falls_by("test_a_deleted_backup_still_counts_as_there")
class ForgetsTheDeleted(MemoryRepo):
    """Deletes the row instead of marking it, once it is added over."""

    def add(self, backup: Backup) -> None:
        with self._lock:
            self._backups = [known for known in self._backups if not known.is_deleted]
        super().add(backup)


@falls_by("test_one_name_in_two_stores_is_two_backups")
class KnowsOneOfAName(MemoryRepo):
    """As 2013's table did, whose stored filename was unique."""

    def add(self, backup: Backup) -> None:
        if any(known.stored_filename == backup.stored_filename for known in self._backups):
            raise DuplicateBackup(backup.stored_filename)
        super().add(backup)


@falls_by("test_a_backup_stays_the_same_when_the_access_key_changes")
class TrustsTheHash(MemoryRepo):
    """Whose a record is depends on the access key, whatever the location says."""

    def add(self, backup: Backup) -> None:
        if any(known.backend_hash == backup.backend_hash for known in self._backups):
            return super().add(backup)
        self._backups.append(backup)
        return None


@falls_by("test_replacing_what_is_not_there_is_backup_not_found")
class AddsWhatItReplaces(MemoryRepo):
    def replace(self, backup: Backup) -> None:
        try:
            super().replace(backup)
        except BackupNotFound:
            self.add(backup)


@falls_by("test_replacing_what_is_not_there_is_backup_not_found")
class ReplacesNothing(MemoryRepo):
    """An `UPDATE` that nobody asks how many rows it found."""

    def replace(self, backup: Backup) -> None:
        try:
            super().replace(backup)
        except BackupNotFound:
            pass


@falls_by("test_replace_changes_every_field_of_the_one_record")
class KeepsTagsForEver(MemoryRepo):
    def replace(self, backup: Backup) -> None:
        known = next(known for known in self._backups if known.same_backup_as(backup))
        super().replace(evolve(backup, tags=known.tags))


@falls_by("test_replace_changes_every_field_of_the_one_record")
class ReplacesBySeries(MemoryRepo):
    """A `WHERE` that fits more than the one row."""

    def replace(self, backup: Backup) -> None:
        super().replace(backup)
        self._backups = [evolve(known, is_deleted=backup.is_deleted) for known in self._backups]


@falls_by("test_put_all_adds_what_is_new_and_replaces_what_is_older")
class PutsOldOverNew(MemoryRepo):
    def put_all(self, backups: Iterable[Backup]) -> None:
        for backup in backups:
            try:
                self.add(backup)
            except DuplicateBackup:
                self.replace(backup)


@falls_by("test_what_is_added_is_found_with_every_field")
class DropsUnknownMetadata(MemoryRepo):
    """A column for each key that it knows."""

    def add(self, backup: Backup) -> None:
        known = {key: value for key, value in backup.metadata.items() if key in {"is_enc", "client", "location"}}
        super().add(evolve(backup, metadata=known))


@falls_by("test_what_is_added_is_found_with_every_field")
class KeepsSizesIn32Bits(MemoryRepo):
    def add(self, backup: Backup) -> None:
        super().add(evolve(backup, size=backup.size % 2**32))


@falls_by("test_tags_come_back_exactly_and_are_found")
class JoinsTags(MemoryRepo):
    """Text separated by blanks, as 2013 kept it, also where a tag holds one."""

    def add(self, backup: Backup) -> None:
        super().add(evolve(backup, tags=tuple(" ".join(backup.tags).split())))


# finding


@falls_by("test_the_newest_comes_first_then_the_greater_name_and_backend")
class FindsOldestFirst(MemoryRepo):
    def find(self, query: Query) -> Iterator[Backup]:
        return iter(sorted(super().find(query), key=newest_first))


@falls_by("test_the_newest_comes_first_then_the_greater_name_and_backend")
class SortsByDateAlone(MemoryRepo):
    def find(self, query: Query) -> Iterator[Backup]:
        return iter(sorted(self._backups, key=lambda backup: backup.when, reverse=True))


@falls_by("test_deleted_backups_are_found_only_when_asked_for")
class FindsTheDeleted(MemoryRepo):
    def find(self, query: Query) -> Iterator[Backup]:
        return super().find(evolve(query, deleted=True))


@falls_by("test_text_is_a_substring_with_case_and_without_wildcards")
class LooksWithoutCase(MemoryRepo):
    """As SQL's LIKE does."""

    def find(self, query: Query) -> Iterator[Backup]:
        found = super().find(evolve(query, text=""))
        return (backup for backup in found if query.text.lower() in backup.stored_filename.lower())


@falls_by("test_text_is_a_substring_with_case_and_without_wildcards")
class TakesTextForAPattern(MemoryRepo):
    def find(self, query: Query) -> Iterator[Backup]:
        found = super().find(evolve(query, text=""))
        return (backup for backup in found if fnmatch.fnmatchcase(backup.stored_filename, f"*{query.text}*"))


@falls_by("test_a_tag_is_found_whole_and_every_one_is_wanted")
class FindsTagsByTheirStart(MemoryRepo):
    def find(self, query: Query) -> Iterator[Backup]:
        found = super().find(evolve(query, tags=()))
        return (backup for backup in found if all(tag in " ".join(backup.tags) for tag in query.tags))


@falls_by("test_older_is_what_was_made_before_and_not_at_that_second")
class FindsBackupsOfThatVerySecond(MemoryRepo):
    """`<=` for `<`."""

    def find(self, query: Query) -> Iterator[Backup]:
        found = super().find(evolve(query, older_than=None))
        return (backup for backup in found if query.older_than is None or backup.when <= query.older_than)


@falls_by("test_only_backups_of_the_owners_are_found_and_none_for_no_owner")
class FindsForNoOwner(MemoryRepo):
    """Takes no owners for no condition."""

    def find(self, query: Query) -> Iterator[Backup]:
        return super().find(evolve(query, owners=query.owners or None))


@falls_by("test_the_date_in_the_name_counts_where_2013_wrote_another")
class TrustsTheColumnOf2013(MemoryRepo):
    """2013 computed `backup_date` in local time: the date is the one in the name."""

    def find(self, query: Query) -> Iterator[Backup]:
        found = super().find(evolve(query, older_than=None))
        return (b for b in found if query.older_than is None or b.backup_date < query.older_than)


@falls_by("test_names_and_destinations_are_found_exactly")
class FindsInEveryDestination(MemoryRepo):
    def find(self, query: Query) -> Iterator[Backup]:
        return super().find(evolve(query, backend=None))


@falls_by("test_names_and_destinations_are_found_exactly")
class FindsSeriesByTheirStart(MemoryRepo):
    def find(self, query: Query) -> Iterator[Backup]:
        found = super().find(evolve(query, filename=None))
        return (backup for backup in found if backup.filename.startswith(query.filename or ""))


@falls_by("test_the_iterator_is_a_snapshot")
class ReadsWhileItWrites(MemoryRepo):
    def find(self, query: Query) -> Iterator[Backup]:
        for at in itertools.count():
            if at >= len(self._backups):
                return
            if query.matches(self._backups[at]):
                yield self._backups[at]


@falls_by("test_a_query_that_is_not_text_of_any_database_finds_nothing")
class CannotAskForOddText(MemoryRepo):
    """A driver's own error for text that it cannot encode."""

    def find(self, query: Query) -> Iterator[Backup]:
        query.text.encode()
        return super().find(query)


# the inventory and the jobs


@falls_by("test_a_known_name_gets_the_new_id")
class KeepsTheFirstId(MemoryRepo):
    def remember_archive(self, stored_filename: str, archive_id: ArchiveId) -> None:
        self._archive_ids.setdefault(stored_filename, archive_id)


@falls_by("test_two_names_may_have_one_id")
class KnowsAnIdOnce(MemoryRepo):
    def remember_archive(self, stored_filename: str, archive_id: ArchiveId) -> None:
        self._archive_ids = {name: each for name, each in self._archive_ids.items() if each != archive_id}
        super().remember_archive(stored_filename, archive_id)


@falls_by("test_the_inventory_that_was_read_does_not_change")
class LendsItsOwnInventory(MemoryRepo):
    def archive_ids(self) -> Mapping[str, ArchiveId]:
        return self._archive_ids


@falls_by("test_forgetting_an_archive_twice_is_no_error")
class LeaksKeyError(MemoryRepo):
    def forget_archive(self, stored_filename: str) -> None:
        del self._archive_ids[stored_filename]


@falls_by("test_a_job_comes_back_as_it_was")
class ForgetsTheTier(MemoryRepo):
    """2013's table has no column for it."""

    def remember_job(self, job: RetrievalJob) -> None:
        super().remember_job(evolve(job, tier=None))


@falls_by("test_a_job_comes_back_as_it_was")
class FindsJobsByTheirStart(MemoryRepo):
    def job(self, filename: str) -> RetrievalJob | None:
        return next((job for name, job in self._jobs.items() if name.startswith(filename)), None)


@falls_by("test_a_forgotten_job_is_gone_and_the_others_stay")
class ForgetsEveryJob(MemoryRepo):
    def forget_job(self, filename: str) -> None:
        self._jobs.clear()


# several at once


@falls_by("test_threads_that_add_at_once_lose_nothing")
class ReadsChangesAndWritesBack(MemoryRepo):
    """A file that is read, changed, and written back, without a lock."""

    def add(self, backup: Backup) -> None:
        content = [*self._backups, backup]
        time.sleep(0.001)
        self._backups = content


@falls_by("test_of_many_that_add_the_same_backup_exactly_one_succeeds")
class LooksBeforeItAdds(MemoryRepo):
    """Two calls where one transaction was promised."""

    def __init__(self) -> None:
        super().__init__()
        self._all_have_looked = threading.Barrier(MetadataRepoContract.threads)

    def add(self, backup: Backup) -> None:
        if self._position(backup) is not None:
            raise DuplicateBackup(backup.stored_filename)
        self._all_have_looked.wait(60)
        self._backups.append(backup)


@falls_by("test_a_reader_sees_every_record_whole_while_it_is_replaced")
class WritesFieldByField(MemoryRepo):
    def replace(self, backup: Backup) -> None:
        for changes in ({"size": backup.size}, {"tags": backup.tags}, {"metadata": backup.metadata}):
            self._backups[0] = evolve(self._backups[0], **changes)
            time.sleep(0.001)


def contract_for(kind: type[MemoryRepo]) -> type[MetadataRepoContract]:
    class Contract(MetadataRepoContract):
        @pytest.fixture
        def repo(self) -> MetadataRepo:
            return kind()

    return Contract


# What pytest collects when it is pointed at this file, and only then: its name is not that of a test.
globals().update({f"Test{name}": contract_for(globals()[name]) for name in [*wrong_ones(globals()), "Right"]})
