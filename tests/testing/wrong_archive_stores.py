"""Archive stores that are wrong in one thing each."""

from __future__ import annotations

import io
import itertools
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime, timedelta
from typing import BinaryIO

import pytest
from attrs import evolve

from bakthat.adapters.memory.archive_store import MemoryArchiveStore
from bakthat.domain.objects import ArchiveId, ArchiveInfo, JobId, Leftover, Lock, Tier
from bakthat.errors import BakthatError, ObjectNotFound, RetrievalExpired, RetrievalPending, StoreError, UsageError
from bakthat.ports.archive_store import ArchiveStore
from bakthat.testing.archive_store_contract import ArchiveStoreContract
from tests.testing.falling import OfOneThread, falls_by, wrong_ones


class Right(MemoryArchiveStore):
    """Right, with places to go wrong at."""

    def content_of(self, body: BinaryIO, size_hint: int | None) -> bytes:
        return b"".join(iter(lambda: body.read(1 << 16), b""))

    def upload(self, body: BinaryIO, *, description: str, size_hint: int | None = None) -> ArchiveId:
        return super().upload(io.BytesIO(self.content_of(body, size_hint)), description=description)

    def open(self, job_id: JobId) -> AbstractContextManager[BinaryIO]:
        return self.reader_of(self.content_behind(job_id))

    def content_behind(self, job_id: JobId) -> bytes:
        with super().open(job_id) as reader:
            return reader.read()

    def reader_of(self, content: bytes) -> AbstractContextManager[BinaryIO]:
        return io.BytesIO(content)


# beside storing


@falls_by("test_an_archive_without_a_lock_has_none")
class LocksEverything(Right):
    def lock_of(self, archive_id: ArchiveId) -> Lock | None:
        return Lock(until=None)


@falls_by("test_an_upload_that_fails_leaves_nothing_over")
class LeavesPartsBehind(Right):
    def leftovers(self, *, details: bool = True) -> Iterator[Leftover]:
        now = datetime.now(UTC)
        return iter([Leftover(key="k", upload_id="1", started=now, latest=now)])


# uploading


@falls_by("test_a_large_archive_of_unknown_length_comes_back")
class StopsAtAShortRead(Right):
    def content_of(self, body: BinaryIO, size_hint: int | None) -> bytes:
        pieces = [body.read(1 << 17)]
        while len(pieces[-1]) == 1 << 17:
            pieces.append(body.read(1 << 17))
        return b"".join(pieces)


@falls_by("test_what_is_uploaded_comes_back")
class LosesTheLastPart(Right):
    def content_of(self, body: BinaryIO, size_hint: int | None) -> bytes:
        content = super().content_of(body, size_hint)
        return content[: len(content) // 65_536 * 65_536]


@falls_by("test_a_wrong_size_hint_does_no_harm")
class BelievesTheHint(Right):
    def content_of(self, body: BinaryIO, size_hint: int | None) -> bytes:
        content = super().content_of(body, size_hint)
        return content[:size_hint] if size_hint else content


@falls_by("test_a_body_is_read_from_where_it_stands_and_stays_open")
class RewindsTheBody(Right):
    def content_of(self, body: BinaryIO, size_hint: int | None) -> bytes:
        if body.seekable():
            body.seek(0)
        return super().content_of(body, size_hint)


@falls_by("test_a_body_is_read_from_where_it_stands_and_stays_open")
class ClosesTheBody(Right):
    def content_of(self, body: BinaryIO, size_hint: int | None) -> bytes:
        with body:
            return super().content_of(body, size_hint)


@falls_by("test_a_body_that_raises_leaves_nothing_and_its_error_comes_out")
class LeavesAPart(Right):
    def upload(self, body: BinaryIO, *, description: str, size_hint: int | None = None) -> ArchiveId:
        try:
            return super().upload(body, description=description, size_hint=size_hint)
        except BaseException:
            super().upload(io.BytesIO(), description=description)
            raise


@falls_by("test_a_body_that_raises_leaves_nothing_and_its_error_comes_out")
class TranslatesTheBodysError(Right):
    def content_of(self, body: BinaryIO, size_hint: int | None) -> bytes:
        try:
            return super().content_of(body, size_hint)
        except Exception as error:
            raise StoreError(f"upload failed: {error}") from error


@falls_by("test_equal_bytes_are_archives_of_their_own")
class KnowsBytesOnce(Right):
    """An id that is the hash of the content."""

    def upload(self, body: BinaryIO, *, description: str, size_hint: int | None = None) -> ArchiveId:
        content = self.content_of(body, size_hint)
        for archive_id, archive in self._archives.items():
            if archive.content == content:
                return archive_id
        return super().upload(io.BytesIO(content), description=description)


@falls_by("test_names_are_ids_exactly_where_the_store_says_so")
class PromisesNamesAsIds(Right):
    names_are_ids = True


@falls_by("test_uploads_from_several_threads_do_not_disturb_each_other")
class SharesABuffer(Right):
    """Six uploads at once, and one place for what they read."""

    def __init__(self) -> None:
        super().__init__()
        self._buffer: list[bytes] = []
        self._met = threading.Barrier(6)

    def content_of(self, body: BinaryIO, size_hint: int | None) -> bytes:
        content = super().content_of(body, size_hint)
        self._buffer.append(content)
        self._met.wait(60)
        return self._buffer[-1]


# retrieving


@falls_by("test_an_absent_archive_cannot_be_asked_for")
class LeaksKeyError(Right):
    def request(self, archive_id: ArchiveId, *, tier: Tier = Tier.STANDARD) -> JobId:
        self._archives[archive_id]
        return super().request(archive_id, tier=tier)


@falls_by("test_what_is_not_ready_cannot_be_opened")
class WaitsForNothing(Right):
    def content_behind(self, job_id: JobId) -> bytes:
        self.finish(job_id)
        return super().content_behind(job_id)


@falls_by("test_what_is_not_ready_cannot_be_opened")
class DoesNotSayWhen(Right):
    def content_behind(self, job_id: JobId) -> bytes:
        try:
            return super().content_behind(job_id)
        except RetrievalPending:
            raise RetrievalPending("not yet") from None


@falls_by("test_a_running_retrieval_is_found_and_not_begun_twice")
class BeginsAnewEachTime(Right):
    """And each is billed."""

    def request(self, archive_id: ArchiveId, *, tier: Tier = Tier.STANDARD) -> JobId:
        self._jobs, before = {}, self._jobs
        try:
            return super().request(archive_id, tier=tier)
        finally:
            self._jobs |= before


@falls_by("test_retrievals_of_two_archives_are_two")
class FinishesAllAtOnce(Right):
    def finish(self, job_id: JobId) -> None:
        for each in list(self._jobs):
            super().finish(each)


@falls_by("test_what_has_expired_cannot_be_opened_and_can_be_asked_for_again")
class ServesWhatHasExpired(Right):
    def content_behind(self, job_id: JobId) -> bytes:
        try:
            return super().content_behind(job_id)
        except RetrievalExpired:
            archive = self._jobs[job_id].archive
            return archive.content if archive else b""


@falls_by("test_what_has_expired_cannot_be_opened_and_can_be_asked_for_again")
class FindsWhatHasExpired(Right):
    """The old job is taken for one that runs."""

    def request(self, archive_id: ArchiveId, *, tier: Tier = Tier.STANDARD) -> JobId:
        known = (j for j, job in self._jobs.items() if job.archive and job.archive.info.archive_id == archive_id)
        return next(known, None) or super().request(archive_id, tier=tier)


@falls_by("test_a_job_that_nobody_knows_is_told_as_gone")
class LeaksKeyErrorOfAJob(Right):
    def content_behind(self, job_id: JobId) -> bytes:
        self._jobs[job_id]
        return super().content_behind(job_id)


@falls_by("test_every_tier_that_the_store_has_can_be_asked_for")
class PromisesNoTier(Right):
    def __init__(self) -> None:
        super().__init__(usual_waits={})


@falls_by("test_a_tier_that_the_store_has_not_is_refused")
class TakesAnyTier(Right):
    def __init__(self) -> None:
        waits = MemoryArchiveStore().usual_waits
        super().__init__(usual_waits={tier: wait for tier, wait in waits.items() if tier is not Tier.EXPEDITED})

    def request(self, archive_id: ArchiveId, *, tier: Tier = Tier.STANDARD) -> JobId:
        return super().request(archive_id, tier=tier if tier in self.usual_waits else Tier.STANDARD)


@falls_by("test_read_gives_fewer_bytes_only_at_the_end")
class ReadsShort(Right):
    def reader_of(self, content: bytes) -> AbstractContextManager[BinaryIO]:
        class Short(io.BytesIO):
            def read(self, size: int | None = -1) -> bytes:
                return super().read(size if size is None or size < 0 else min(size, 65_536))

        return Short(content)


@falls_by("test_read_gives_fewer_bytes_only_at_the_end")
class CutsTheBodyShort(Right):
    def reader_of(self, content: bytes) -> AbstractContextManager[BinaryIO]:
        return io.BytesIO(content[:1_000_000])


@falls_by("test_a_reader_may_be_read_by_another_thread_than_opened_it")
class KeepsToItsThread(Right):
    def reader_of(self, content: bytes) -> AbstractContextManager[BinaryIO]:
        return OfOneThread(content)


@falls_by("test_a_reader_may_leave_early")
class CanBeReadOnce(Right):
    def content_behind(self, job_id: JobId) -> bytes:
        content = super().content_behind(job_id)
        self.forget(job_id)
        return content


@falls_by("test_an_error_inside_the_context_comes_out_as_it_is")
class TranslatesTheReadersError(Right):
    @contextmanager
    def reader_of(self, content: bytes) -> Iterator[BinaryIO]:
        try:
            yield io.BytesIO(content)
        except BakthatError:
            raise
        except Exception as error:
            raise StoreError(str(error)) from error


@falls_by("test_two_readers_do_not_disturb_each_other")
class SharesAReader(Right):
    def __init__(self) -> None:
        super().__init__()
        self._reader: io.BytesIO | None = None

    @contextmanager
    def reader_of(self, content: bytes) -> Iterator[BinaryIO]:
        self._reader = self._reader or io.BytesIO(content)
        yield self._reader


# deleting, the inventory, identity


@falls_by("test_deleting_twice_is_no_error")
class MissesWhatItDeletes(Right):
    def delete(self, archive_id: ArchiveId) -> None:
        if archive_id not in self._archives:
            raise ObjectNotFound(archive_id)
        super().delete(archive_id)


@falls_by("test_deleting_twice_is_no_error")
class DeletesNothing(Right):
    def delete(self, archive_id: ArchiveId) -> None:
        pass


@falls_by("test_every_archive_is_listed_with_its_name_size_and_time")
class FirstPageOnly(Right):
    def inventory(self, job_id: JobId) -> Iterator[ArchiveInfo]:
        return itertools.islice(super().inventory(job_id), 5)


@falls_by("test_every_archive_is_listed_with_its_name_size_and_time")
class ForgetsDescriptions(Right):
    def inventory(self, job_id: JobId) -> Iterator[ArchiveInfo]:
        return (evolve(info, description="") for info in super().inventory(job_id))


@falls_by("test_every_archive_is_listed_with_its_name_size_and_time")
class TellsLocalTime(Right):
    def inventory(self, job_id: JobId) -> Iterator[ArchiveInfo]:
        return (evolve(info, created=info.created + timedelta(hours=1)) for info in super().inventory(job_id))


@falls_by("test_the_inventory_is_waited_for_as_an_archive_is")
class ListsAtOnce(Right):
    def inventory(self, job_id: JobId) -> Iterator[ArchiveInfo]:
        return iter(self._jobs[job_id].listed)


@falls_by("test_the_location_is_a_url_and_stays_the_same")
class HasNoAddress(Right):
    def __init__(self) -> None:
        super().__init__("vault")


@falls_by("test_every_error_is_one_line_that_names_the_store")
class ShowsTheServicesAnswer(Right):
    def request(self, archive_id: ArchiveId, *, tier: Tier = Tier.STANDARD) -> JobId:
        try:
            return super().request(archive_id, tier=tier)
        except ObjectNotFound as error:
            raise ObjectNotFound(f'{error}\n{{"code": "ResourceNotFoundException"}}') from None


@falls_by("test_an_empty_archive_comes_back_or_is_refused")
class RefusesEmptyArchives(Right):
    """And does not say so in its test (`keeps_empty_archives = False`)."""

    def content_of(self, body: BinaryIO, size_hint: int | None) -> bytes:
        content = super().content_of(body, size_hint)
        if not content:
            raise UsageError(f"{self.location}: no empty archives")
        return content


def contract_for(kind: type[Right]) -> type[ArchiveStoreContract]:
    class Contract(ArchiveStoreContract):
        large = 300_000  # more than one read of the stores above

        @pytest.fixture
        def store(self) -> ArchiveStore:
            return kind()

        @pytest.fixture
        def finish(self, store: Right) -> Callable[[JobId], None]:
            return store.finish

        @pytest.fixture
        def expire(self, store: Right) -> Callable[[JobId], None]:
            return store.expire

    return Contract


# What pytest collects when it is pointed at this file, and only then: its name is not that of a test.
globals().update({f"Test{name}": contract_for(globals()[name]) for name in [*wrong_ones(globals()), "Right"]})
