"""What every `ArchiveStore` must do, as a pytest class.

A store's own test is a subclass and two or three fixtures:

    class TestMyArchives(ArchiveStoreContract):
        @pytest.fixture
        def store(self):
            return MyArchives(...)        # empty

        @pytest.fixture
        def finish(self):
            return service.make_ready     # called with a job's id

        @pytest.fixture
        def expire(self):
            return service.take_back      # likewise: what was ready is gone
"""

from __future__ import annotations

import contextlib
import functools
import io
import random
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import BinaryIO, cast

import pytest

from bakthat.domain.objects import ArchiveId, ArchiveInfo, JobId, Tier
from bakthat.errors import BakthatError, ObjectNotFound, RetrievalExpired, RetrievalPending, Unsupported, UsageError
from bakthat.ports.archive_store import ArchiveStore

Turn = Callable[[JobId], None]
"""What a test does to a job."""


class _SourceFailed(Exception):
    """What a body raises in these tests; no store can know it."""


class _Body(io.RawIOBase):
    """A body that cannot seek, returns short reads, and raises at its end if `fails`."""

    def __init__(self, content: bytes, *, fails: bool = False) -> None:
        self._rest = memoryview(content)
        self._fails = fails

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return False

    def readinto(self, buffer: object) -> int:
        if not self._rest and self._fails:
            raise _SourceFailed
        view = memoryview(buffer).cast("B")  # type: ignore[arg-type]
        # Never all at once: a short read is not an end.
        count = min(len(view), len(self._rest), 100_003)
        view[:count] = self._rest[:count]
        self._rest = self._rest[count:]
        return count


def _body(content: bytes, *, fails: bool = False) -> BinaryIO:
    return cast(BinaryIO, _Body(content, fails=fails))


@functools.lru_cache(maxsize=4)  # a suite asks for the same ones in each test
def some_bytes(size: int, seed: int = 1) -> bytes:
    """The same bytes each time, without a pattern."""
    return random.Random(seed).randbytes(size)  # noqa: S311 - test data


def stored_filename(number: int = 1) -> str:
    """A description of one's own for each number: that of 2013, the bare stored filename."""
    return f"mydir.{20260102000000 + number}.tgz"


class ArchiveStoreContract:
    """Subclass it, and override the fixtures `store`, `finish` and `expire`."""

    large = 20 * 1024 * 1024 + 17
    """A size in bytes that the store cannot hold in one request or buffer."""

    medium = 3_500_000
    """A size in bytes that takes several reads."""

    many = 7
    """How many archives a listing is tried with: more than one page, where the service has pages."""

    keeps_empty_archives = True
    """Whether an archive may have no bytes; else `upload` refuses it with `UsageError`."""

    lists_at_once = False
    """Whether the inventory needs no retrieval."""

    @pytest.fixture
    def store(self) -> ArchiveStore:
        raise AssertionError("override the fixture `store` with one that gives an empty store")

    @pytest.fixture
    def finish(self) -> Turn:
        raise AssertionError("override the fixture `finish` with a callable that makes a job ready")

    @pytest.fixture
    def expire(self) -> Turn:
        raise AssertionError("override the fixture `expire` with a callable that takes back what was ready")

    def upload(self, store: ArchiveStore, content: bytes, number: int = 1) -> ArchiveId:
        return store.upload(io.BytesIO(content), description=stored_filename(number), size_hint=len(content))

    def retrieve(self, store: ArchiveStore, finish: Turn, archive_id: ArchiveId) -> bytes:
        job = store.request(archive_id)
        finish(job)
        with store.open(job) as reader:
            return reader.read()

    def listed(self, store: ArchiveStore, finish: Turn) -> list[ArchiveInfo]:
        job = store.request_inventory()
        finish(job)
        return list(store.inventory(job))

    def ids(self, infos: Iterable[ArchiveInfo]) -> set[ArchiveId]:
        return {info.archive_id for info in infos}

    @pytest.mark.parametrize("size", [1, 65_536, 1_000_003])
    def test_what_is_uploaded_comes_back(self, store: ArchiveStore, finish: Turn, size: int) -> None:
        content = some_bytes(size)
        assert self.retrieve(store, finish, self.upload(store, content)) == content

    def test_an_empty_archive_comes_back_or_is_refused(self, store: ArchiveStore, finish: Turn) -> None:
        if self.keeps_empty_archives:
            assert self.retrieve(store, finish, self.upload(store, b"")) == b""
        else:
            with pytest.raises(UsageError):
                self.upload(store, b"")
            assert self.listed(store, finish) == []

    def test_a_large_archive_of_unknown_length_comes_back(self, store: ArchiveStore, finish: Turn) -> None:
        content = some_bytes(self.large)
        archive_id = store.upload(_body(content), description=stored_filename())
        assert self.retrieve(store, finish, archive_id) == content

    @pytest.mark.parametrize("hint", [0, 3, 50_000_000])
    def test_a_wrong_size_hint_does_no_harm(self, store: ArchiveStore, finish: Turn, hint: int) -> None:
        archive_id = store.upload(_body(b"hello world"), description=stored_filename(), size_hint=hint)
        assert self.retrieve(store, finish, archive_id) == b"hello world"

    def test_a_body_is_read_from_where_it_stands_and_stays_open(self, store: ArchiveStore, finish: Turn) -> None:
        body = io.BytesIO(b"skipped, stored")
        body.seek(9)
        archive_id = store.upload(body, description=stored_filename())
        assert self.retrieve(store, finish, archive_id) == b"stored"
        assert not body.closed

    @pytest.mark.parametrize("size", [0, 10, None])
    def test_a_body_that_raises_leaves_nothing_and_its_error_comes_out(
        self, store: ArchiveStore, finish: Turn, size: int | None
    ) -> None:
        content = some_bytes(size if size is not None else self.large)
        with pytest.raises(_SourceFailed):
            store.upload(_body(content, fails=True), description=stored_filename())
        assert self.listed(store, finish) == []

    def test_an_upload_that_fails_leaves_nothing_over(self, store: ArchiveStore) -> None:
        with pytest.raises(_SourceFailed):
            store.upload(_body(some_bytes(self.large), fails=True), description=stored_filename())
        with contextlib.suppress(Unsupported):
            assert list(store.leftovers()) == []

    def test_an_archive_without_a_lock_has_none(self, store: ArchiveStore) -> None:
        """Every store in these tests is one that locks nothing."""
        archive_id = self.upload(store, b"x", 1)
        assert (store.locks, store.lock_of(archive_id)) == (False, None)

    def test_equal_bytes_are_archives_of_their_own(self, store: ArchiveStore, finish: Turn) -> None:
        one, other = self.upload(store, b"same", 1), self.upload(store, b"same", 2)
        assert one != other
        store.delete(one)
        assert self.retrieve(store, finish, other) == b"same"

    def test_names_are_ids_exactly_where_the_store_says_so(self, store: ArchiveStore) -> None:
        is_name = self.upload(store, some_bytes(1_000), 1) == stored_filename(1)
        assert is_name == store.names_are_ids, "the id of an archive is its name, and `names_are_ids` denies it, or not"

    def test_uploads_from_several_threads_do_not_disturb_each_other(self, store: ArchiveStore, finish: Turn) -> None:
        contents = [some_bytes(300_000, seed) for seed in range(6)]
        with ThreadPoolExecutor(6) as pool:
            ids = list(pool.map(lambda number: self.upload(store, contents[number], number), range(6)))
        assert [self.retrieve(store, finish, archive_id) for archive_id in ids] == contents

    def test_an_absent_archive_cannot_be_asked_for(self, store: ArchiveStore) -> None:
        archive_id = self.upload(store, b"x")
        store.delete(archive_id)
        with pytest.raises(ObjectNotFound):
            store.request(archive_id)

    def test_what_is_not_ready_cannot_be_opened(self, store: ArchiveStore) -> None:
        job = store.request(self.upload(store, b"x"))
        with pytest.raises(RetrievalPending, match=r"(requested|asked for) .*usually ready"), store.open(job):
            pass

    def test_a_running_retrieval_is_found_and_not_begun_twice(self, store: ArchiveStore, finish: Turn) -> None:
        archive_id = self.upload(store, b"x")
        job = store.request(archive_id)
        assert store.request(archive_id) == job
        finish(job)
        assert store.request(archive_id) == job

    def test_retrievals_of_two_archives_are_two(self, store: ArchiveStore, finish: Turn) -> None:
        first, second = self.upload(store, b"first", 1), self.upload(store, b"second", 2)
        jobs = [store.request(first), store.request(second)]
        assert len(set(jobs)) == 2
        finish(jobs[0])
        with store.open(jobs[0]) as reader:
            assert reader.read() == b"first"
        with pytest.raises(RetrievalPending), store.open(jobs[1]):
            pass

    def test_what_has_expired_cannot_be_opened_and_can_be_asked_for_again(
        self, store: ArchiveStore, finish: Turn, expire: Turn
    ) -> None:
        archive_id = self.upload(store, b"content")
        job = store.request(archive_id)
        finish(job)
        expire(job)
        with pytest.raises(RetrievalExpired), store.open(job):
            pass
        again = store.request(archive_id)
        with pytest.raises(RetrievalPending), store.open(again):
            pass
        finish(again)
        with store.open(again) as reader:
            assert reader.read() == b"content"

    def test_a_job_that_nobody_knows_is_told_as_gone(self, store: ArchiveStore) -> None:
        with pytest.raises((RetrievalExpired, ObjectNotFound)), store.open(JobId("never-asked-for")):
            pass

    def test_every_tier_that_the_store_has_can_be_asked_for(self, store: ArchiveStore, finish: Turn) -> None:
        assert Tier.STANDARD in store.usual_waits
        for number, tier in enumerate(store.usual_waits):
            job = store.request(self.upload(store, str(tier).encode(), number), tier=tier)
            finish(job)
            with store.open(job) as reader:
                assert reader.read() == str(tier).encode()

    def test_a_tier_that_the_store_has_not_is_refused(self, store: ArchiveStore) -> None:
        archive_id = self.upload(store, b"x")
        for tier in set(Tier) - set(store.usual_waits):
            with pytest.raises(UsageError, match=str(tier)):
                store.request(archive_id, tier=tier)

    def test_read_gives_fewer_bytes_only_at_the_end(self, store: ArchiveStore, finish: Turn) -> None:
        content = some_bytes(self.medium)
        job = store.request(self.upload(store, content))
        finish(job)
        with store.open(job) as reader:
            chunks = list(iter(lambda: reader.read(100_001), b""))
            after = reader.read(1)
        assert {len(chunk) for chunk in chunks[:-1]} == {100_001}
        assert b"".join(chunks) == content
        assert after == b""

    def test_a_reader_may_leave_early(self, store: ArchiveStore, finish: Turn) -> None:
        content = some_bytes(self.large)
        job = store.request(self.upload(store, content))
        finish(job)
        with store.open(job) as reader:
            assert reader.read(10) == content[:10]
        with store.open(job) as reader:
            assert reader.read(20) == content[:20]

    def test_a_reader_may_be_read_by_another_thread_than_opened_it(self, store: ArchiveStore, finish: Turn) -> None:
        content = some_bytes(self.medium)
        job = store.request(self.upload(store, content))
        finish(job)
        with store.open(job) as reader, ThreadPoolExecutor(1) as another:
            assert another.submit(reader.read).result() == content

    def test_an_error_inside_the_context_comes_out_as_it_is(self, store: ArchiveStore, finish: Turn) -> None:
        job = store.request(self.upload(store, some_bytes(1_000)))
        finish(job)
        with pytest.raises(_SourceFailed), store.open(job):
            raise _SourceFailed

    def test_two_readers_do_not_disturb_each_other(self, store: ArchiveStore, finish: Turn) -> None:
        content = some_bytes(self.medium)
        job = store.request(self.upload(store, content))
        finish(job)
        read: list[bytes] = []

        def read_all() -> None:
            with store.open(job) as reader:
                read.append(reader.read())

        threads = [threading.Thread(target=read_all) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert read == [content, content]

    def test_deleting_twice_is_no_error(self, store: ArchiveStore, finish: Turn) -> None:
        one, other = self.upload(store, b"one", 1), self.upload(store, b"other", 2)
        store.delete(one)
        store.delete(one)
        assert self.ids(self.listed(store, finish)) == {other}

    def test_an_empty_store_lists_nothing(self, store: ArchiveStore, finish: Turn) -> None:
        assert self.listed(store, finish) == []

    def test_every_archive_is_listed_with_its_name_size_and_time(self, store: ArchiveStore, finish: Turn) -> None:
        before = datetime.now(UTC)
        ids = {self.upload(store, bytes(number + 1), number): number for number in range(self.many)}
        infos = self.listed(store, finish)
        assert len(infos) == self.many
        assert self.ids(infos) == set(ids)
        for info in infos:
            number = ids[info.archive_id]
            assert info.description.startswith(stored_filename(number))
            assert info.size == number + 1
            assert info.created.utcoffset() == timedelta(0)
            # a service's clock is not this one's, and may tell whole seconds
            assert abs(info.created - before) < timedelta(minutes=5)

    def test_the_inventory_is_waited_for_as_an_archive_is(
        self, store: ArchiveStore, finish: Turn, expire: Turn
    ) -> None:
        archive_id = self.upload(store, b"x")
        job = store.request_inventory()
        if not self.lists_at_once:
            with pytest.raises(RetrievalPending):
                list(store.inventory(job))
            finish(job)
        assert self.ids(store.inventory(job)) == {archive_id}
        if not self.lists_at_once:
            expire(job)
            with pytest.raises(RetrievalExpired):
                list(store.inventory(job))

    def test_the_location_is_a_url_and_stays_the_same(self, store: ArchiveStore) -> None:
        before = store.location
        self.upload(store, b"x")
        assert "://" in before
        assert store.location == before

    def test_every_error_is_one_line_that_names_the_store(self, store: ArchiveStore) -> None:
        gone, asked_for = self.upload(store, b"x", 1), self.upload(store, b"y", 2)
        store.delete(gone)
        job = store.request(asked_for)
        for act in (lambda: store.request(gone), lambda: store.open(job).__enter__()):
            with pytest.raises(BakthatError) as caught:
                act()
            assert "\n" not in str(caught.value)
            assert store.location in str(caught.value)
