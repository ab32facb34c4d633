"""`RateLimit`: a rate for all threads together, by a clock of the test."""

from __future__ import annotations

import io
import threading
from collections.abc import Callable
from typing import BinaryIO

import pytest

from bakthat.adapters.limited_store import limited
from bakthat.adapters.memory.object_store import MemoryObjectStore
from bakthat.adapters.rate_limit import LimitedReader, RateLimit
from bakthat.ports.object_store import ObjectStore
from bakthat.testing.object_store_contract import ObjectStoreContract, some_bytes


class Clock:
    """Seconds that pass only while somebody sleeps; of several sleepers at once, the longest counts."""

    def __init__(self) -> None:
        self.now = 100.0
        self._lock = threading.Lock()

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        with self._lock:
            self.now += seconds


def limit(clock: Clock, rate: int = 1_000_000) -> RateLimit:
    return RateLimit(rate, clock=clock, sleep=clock.sleep)


def test_bytes_pass_at_the_rate() -> None:
    clock = Clock()
    one = limit(clock)
    for _ in range(50):
        one.pass_on(100_000)
    assert clock.now - 100 == pytest.approx(4.9)


def test_a_pause_is_not_made_up_for() -> None:
    clock = Clock()
    one = limit(clock)
    one.pass_on(1_000_000)
    clock.now += 60
    before = clock.now
    for _ in range(11):
        one.pass_on(100_000)
    assert clock.now - before == pytest.approx(1.0)


def test_threads_share_the_rate() -> None:
    clock = Clock()
    slept: list[float] = []
    one = RateLimit(1_000_000, clock=lambda: 100.0, sleep=slept.append)
    threads = [threading.Thread(target=lambda: [one.pass_on(10_000) for _ in range(25)]) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert max(slept) == pytest.approx(0.99), "the last of a hundred steps"
    assert clock.now == 100


@pytest.mark.parametrize(
    ("rate", "step"), [(1, 1024), (80_000, 10_000), (5_000_000, 65_536)], ids=["least", "slow", "fast"]
)
def test_a_step_is_an_eighth_of_a_second_at_most_64_kib(rate: int, step: int) -> None:
    assert limit(Clock(), rate).step == step


def test_a_limit_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="0 bytes"):
        limit(Clock(), 0)


@pytest.mark.parametrize(
    "read", [io.RawIOBase.readall, lambda reader: reader.read(), lambda reader: reader.read(10**7)]
)
def test_a_limited_reader_has_the_bytes_and_takes_its_time(read: Callable[[BinaryIO], bytes]) -> None:
    clock, content = Clock(), some_bytes(1_000_000)
    assert read(LimitedReader(io.BytesIO(content), limit(clock))) == content  # type: ignore[arg-type]
    assert clock.now - 100 == pytest.approx(1, abs=0.1)


@pytest.mark.parametrize("direction", ["up", "down"])
def test_a_store_is_limited_in_one_direction(direction: str) -> None:
    clock, inner = Clock(), MemoryObjectStore()
    one = limit(clock)
    store = limited(inner, one if direction == "up" else None, one if direction == "down" else None)
    store.put("k", io.BytesIO(bytes(2_000_000)))
    after_put = clock.now
    with store.open("k") as reader:
        reader.read()
    with store.open_range("k", 0, 1_000_000) as reader:
        reader.read()
    times = (round(after_put - 100), round(clock.now - after_put))
    assert times == ((2, 0) if direction == "up" else (0, 3))


def test_a_store_without_limits_is_itself() -> None:
    store = MemoryObjectStore()
    assert limited(store, None, None) is store


class TestALimitedStoreKeepsTheContract(ObjectStoreContract):
    large = 1_000_003

    @pytest.fixture
    def store(self) -> ObjectStore:
        fast = RateLimit(10**12)
        return limited(MemoryObjectStore(), fast, fast)
