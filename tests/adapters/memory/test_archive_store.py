"""Archives in memory keep the contract of every archive store, and follow the clock that a test turns."""

from __future__ import annotations

import io
from datetime import UTC, datetime, timedelta

import pytest

from bakthat.adapters.memory.archive_store import MemoryArchiveStore
from bakthat.domain.objects import JobId, Tier
from bakthat.domain.retrieval import WAITS
from bakthat.errors import RetrievalExpired, RetrievalPending, UsageError
from bakthat.testing.archive_store_contract import ArchiveStoreContract, Turn

START = datetime(2026, 1, 2, 14, 2, tzinfo=UTC)


class Clock:
    """A clock that stands still until it is turned."""

    def __init__(self, now: datetime = START) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now

    def turn(self, by: timedelta) -> None:
        self.now += by


class TestMemoryArchiveStore(ArchiveStoreContract):
    @pytest.fixture
    def store(self) -> MemoryArchiveStore:
        return MemoryArchiveStore()

    @pytest.fixture
    def finish(self, store: MemoryArchiveStore) -> Turn:
        return store.finish

    @pytest.fixture
    def expire(self, store: MemoryArchiveStore) -> Turn:
        return store.expire


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store(clock: Clock) -> MemoryArchiveStore:
    return MemoryArchiveStore(clock=clock)


def ask(store: MemoryArchiveStore, tier: Tier = Tier.STANDARD) -> JobId:
    return store.request(store.upload(io.BytesIO(b"content"), description="a.20260102000000.tgz"), tier=tier)


@pytest.mark.parametrize("tier", list(Tier))
def test_a_retrieval_is_ready_when_the_longest_wait_of_its_tier_has_passed(
    store: MemoryArchiveStore, clock: Clock, tier: Tier
) -> None:
    job = ask(store, tier)
    clock.turn(WAITS["VAULT"][tier].most - timedelta(seconds=1))
    with pytest.raises(RetrievalPending):
        store.open(job)
    clock.turn(timedelta(seconds=1))
    with store.open(job) as reader:
        assert reader.read() == b"content"


def test_a_ready_retrieval_is_gone_a_day_later(store: MemoryArchiveStore, clock: Clock) -> None:
    job = ask(store)
    clock.turn(timedelta(hours=28, minutes=59))
    store.open(job)
    clock.turn(timedelta(minutes=1))
    with pytest.raises(RetrievalExpired):
        store.open(job)


def test_a_pending_retrieval_reports_when_it_was_requested(store: MemoryArchiveStore) -> None:
    with pytest.raises(RetrievalPending, match="at 14:02 UTC, usually ready after 3 to 5 hours"):
        store.open(ask(store))


def test_a_forgotten_job_is_gone_before_its_time(store: MemoryArchiveStore, clock: Clock) -> None:
    job = ask(store)
    clock.turn(timedelta(hours=5))
    store.forget(job)
    with pytest.raises(RetrievalExpired):
        store.open(job)


def test_who_asks_for_the_expedited_tier_does_not_get_a_slower_job(store: MemoryArchiveStore) -> None:
    archive_id = store.upload(io.BytesIO(b"x"), description="a.20260102000000.tgz")
    bulk = store.request(archive_id, tier=Tier.BULK)
    assert store.request(archive_id, tier=Tier.STANDARD) == bulk
    expedited = store.request(archive_id, tier=Tier.EXPEDITED)
    assert expedited != bulk
    assert store.request(archive_id, tier=Tier.EXPEDITED) == expedited


def test_a_store_can_be_given_fewer_tiers(clock: Clock) -> None:
    deep = MemoryArchiveStore(clock=clock, usual_waits=WAITS["DEEP_ARCHIVE"])
    with pytest.raises(UsageError, match="expedited"):
        ask(deep, Tier.EXPEDITED)


def test_the_inventory_is_as_old_as_the_request_for_it(store: MemoryArchiveStore, clock: Clock) -> None:
    first = store.upload(io.BytesIO(b"1"), description="a.20260102000000.tgz")
    job = store.request_inventory()
    store.upload(io.BytesIO(b"2"), description="b.20260102000000.tgz")
    clock.turn(timedelta(hours=5))
    assert [info.archive_id for info in store.inventory(job)] == [first]
    assert [info.created for info in store.inventory(job)] == [START]


def test_a_retrieval_that_was_ready_survives_the_archives_deletion(store: MemoryArchiveStore, clock: Clock) -> None:
    archive_id = store.upload(io.BytesIO(b"content"), description="a.20260102000000.tgz")
    job = store.request(archive_id)
    clock.turn(timedelta(hours=5))
    store.delete(archive_id)
    with store.open(job) as reader:
        assert reader.read() == b"content"


@pytest.mark.parametrize("description", ["x" * 1025, "été", "a\nb"])
def test_a_description_that_no_service_takes_is_refused(store: MemoryArchiveStore, description: str) -> None:
    with pytest.raises(UsageError):
        store.upload(io.BytesIO(b"x"), description=description)
