"""`plan_parts`: how an object of unknown length is cut into parts, and how many of them may be in memory at once."""

from __future__ import annotations

from attrs import frozen

MIB = 1024 * 1024
GIB = 1024 * MIB

MAX_PARTS = 10_000
"""Parts of one upload. This and the next two: https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html"""

MIN_PART = 5 * MIB
"""The fewest bytes of a part, except the last."""

MAX_PART = 5 * GIB
"""The most bytes of a part."""

FIRST_PART = 8 * MIB
"""Bytes of the first part. A handful of such buffers is little memory, and the cost of a request does not show: 16 MiB
was no faster over a local network."""

MEMORY = 64 * MIB
"""Bytes of buffers at once. With larger parts, fewer are in flight, two at least."""

EQUAL_MEMORY = 100 * MIB
"""Bytes of buffers for equal parts. The rest of an encrypted backup takes 148 MiB with zstd, 118 MiB with gzip
(measured, with a slow store); the limit for all of it is 256 MiB."""

LARGEST_EQUAL = 64 * MIB
"""The most bytes of an equal part, unless `part_size` says otherwise: proxies refuse requests of 100 MB."""

_STEP = 1_000
"""Without a hint, the size doubles after each thousand parts: 10,000 parts hold 8 TiB, and a part has about 1/1000 to
1/500 of the bytes before it."""

_HINTED_PARTS = 8_000
_HINTED_STEP = 200
"""With a hint, so many equal parts hold it and 5 % more. The other 2,000 are a reserve whose sizes double quickly."""

EQUAL_PARTS = 9_000
_EQUAL_STEP = 100
"""Where parts have to be equal: the rest is a reserve, for services that accept unequal parts after all."""


@frozen(kw_only=True)
class PartPlan:
    """The sizes of the parts of one object.

    Args:
        first: Bytes of the first part.
        equal: How many parts have that size before it doubles.
        step: After how many more parts it doubles again.
        fixed: All parts have the first one's size.
        max_concurrency: Parts in flight at once.
        memory: Bytes of buffers at once.
    """

    first: int
    equal: int
    step: int
    fixed: bool
    max_concurrency: int
    memory: int = MEMORY

    def size(self, number: int) -> int:
        """Return the bytes of the part of this number, from 1. Only the last part of an object may be smaller."""
        if self.fixed or number <= self.equal:
            return self.first
        doublings = (number - self.equal - 1) // self.step + 1
        return int(min(self.first << min(doublings, 40), MAX_PART))

    def buffers(self, size: int) -> int:
        """Return how many parts of this size may be in memory: the one being filled and those in flight."""
        wanted = self.max_concurrency + 1
        if self.fixed or size <= FIRST_PART:
            return wanted
        return max(2, min(wanted, max(self.memory, wanted * FIRST_PART) // size))

    def capacity(self) -> int:
        """Return the bytes of the largest object that these parts can hold."""
        return sum(self.size(number) for number in range(1, MAX_PARTS + 1))


def plan_parts(
    *, max_concurrency: int, part_size: int | None = None, size_hint: int | None = None, equal: int | None = None
) -> PartPlan:
    """Return the plan for one object.

    Args:
        max_concurrency: Parts in flight at once.
        part_size: The size of all parts, in bytes, if the profile sets one.
        size_hint: Bytes of the object, about. The parts are large enough to hold it.
        equal: How many parts have one size, as large as the memory allows: a service may demand that all do
            (Cloudflare R2).
    """
    if part_size is not None:
        return PartPlan(first=part_size, equal=MAX_PARTS, step=MAX_PARTS, fixed=True, max_concurrency=max_concurrency)
    if equal is not None:
        return _equal_parts(max_concurrency, size_hint, equal)
    if size_hint is None:
        return PartPlan(first=FIRST_PART, equal=_STEP, step=_STEP, fixed=False, max_concurrency=max_concurrency)
    first = _fitting(size_hint, _HINTED_PARTS)
    return PartPlan(first=first, equal=_HINTED_PARTS, step=_HINTED_STEP, fixed=False, max_concurrency=max_concurrency)


def _equal_parts(max_concurrency: int, size_hint: int | None, equal: int) -> PartPlan:
    if size_hint is None:
        first = min(EQUAL_MEMORY // (max_concurrency + 1) // MIB * MIB, LARGEST_EQUAL)
    else:
        first = _fitting(size_hint, equal)
    return PartPlan(
        first=max(FIRST_PART, first),
        equal=equal,
        step=_EQUAL_STEP,
        fixed=False,
        max_concurrency=max_concurrency,
        memory=EQUAL_MEMORY,
    )


def _fitting(size_hint: int, parts: int) -> int:
    """Return the bytes of a part, if so many parts are to hold the hint and 5 % more."""
    needed = -(-size_hint * 105 // 100 // parts)
    return min(max(FIRST_PART, -(-needed // MIB) * MIB), MAX_PART)
