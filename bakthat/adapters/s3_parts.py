"""How an object of unknown length is cut into parts, and how many of them may be in memory at once."""

from __future__ import annotations

from attrs import frozen

MIB = 1024 * 1024
GIB = 1024 * MIB

# https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html
MAX_PARTS = 10_000
MIN_PART = 5 * MIB
MAX_PART = 5 * GIB

FIRST_PART = 8 * MIB
"""Small enough that a handful of buffers is little memory, large enough that a request's own cost does not show:
16 MiB was no faster over a local network."""

MEMORY = 64 * MIB
"""Bytes of buffers, beyond which fewer parts are in flight rather than more memory used; two buffers at least."""

_STEP = 1_000
"""Without a hint, parts double after each thousand: 8 TiB in 10,000 parts, and a part is about 1/1000 to 1/500 of what
was sent before it."""

_HINTED_PARTS = 8_000
_HINTED_STEP = 200
"""With a hint, equal parts for what was announced and 5 % more, and 2,000 parts in reserve that double quickly."""


@frozen(kw_only=True)
class PartPlan:
    """`first`: bytes of the first part. `equal`: how many parts have that size before they double; `step`: after how
    many more they double again. `fixed`: all have the first one's size. `max_concurrency`: parts in flight at once."""

    first: int
    equal: int
    step: int
    fixed: bool
    max_concurrency: int

    def size(self, number: int) -> int:
        """Bytes of the part of this number (from 1); only the last part of an object may be smaller."""
        if self.fixed or number <= self.equal:
            return self.first
        doublings = (number - self.equal - 1) // self.step + 1
        return int(min(self.first << min(doublings, 40), MAX_PART))

    def buffers(self, size: int) -> int:
        """How many parts of this size may be in memory: the one being filled and those in flight."""
        wanted = self.max_concurrency + 1
        if self.fixed or size <= FIRST_PART:
            return wanted
        return max(2, min(wanted, max(MEMORY, wanted * FIRST_PART) // size))

    def capacity(self) -> int:
        """Bytes of the largest object that these parts can hold."""
        return sum(self.size(number) for number in range(1, MAX_PARTS + 1))


def plan_parts(*, max_concurrency: int, part_size: int | None = None, size_hint: int | None = None) -> PartPlan:
    """The plan for one object. `part_size` fixes the size of all parts, as some stores want it and as large objects in
    little memory do; `size_hint` (bytes, about) chooses one that lets the object fit."""
    if part_size is not None:
        return PartPlan(first=part_size, equal=MAX_PARTS, step=MAX_PARTS, fixed=True, max_concurrency=max_concurrency)
    if size_hint is None:
        return PartPlan(first=FIRST_PART, equal=_STEP, step=_STEP, fixed=False, max_concurrency=max_concurrency)
    needed = -(-size_hint * 105 // 100 // _HINTED_PARTS)
    first = min(max(FIRST_PART, -(-needed // MIB) * MIB), MAX_PART)
    return PartPlan(first=first, equal=_HINTED_PARTS, step=_HINTED_STEP, fixed=False, max_concurrency=max_concurrency)
