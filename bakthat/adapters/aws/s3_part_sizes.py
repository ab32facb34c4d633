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

EQUAL_MEMORY = 130 * MIB
"""Bytes of buffers for equal parts. The rest of an encrypted backup takes 118 MiB (measured), and all of it 256 MiB at
most."""

LARGEST_EQUAL = 64 * MIB
"""The most bytes of an equal part that is chosen here: proxies refuse requests of 100 MB."""

_STEP = 1_000
"""Without a hint, parts double after each thousand: 8 TiB in 10,000 parts, and a part is about 1/1000 to 1/500 of what
was sent before it."""

_HINTED_PARTS = 8_000
_HINTED_STEP = 200
"""With a hint, equal parts for what was announced and 5 % more, and 2,000 parts in reserve that double quickly."""

EQUAL_PARTS = 9_000
_EQUAL_STEP = 100
"""Where parts have to be equal, as many as leave room to grow for services that take unequal ones, too."""


@frozen(kw_only=True)
class PartPlan:
    """`first`: bytes of the first part. `equal`: how many parts have that size before they double; `step`: after how
    many more they double again. `fixed`: all have the first one's size. `max_concurrency`: parts in flight at once."""

    first: int
    equal: int
    step: int
    fixed: bool
    max_concurrency: int
    memory: int = MEMORY

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
        return max(2, min(wanted, max(self.memory, wanted * FIRST_PART) // size))

    def capacity(self) -> int:
        """Bytes of the largest object that these parts can hold."""
        return sum(self.size(number) for number in range(1, MAX_PARTS + 1))


def plan_parts(
    *, max_concurrency: int, part_size: int | None = None, size_hint: int | None = None, equal: int | None = None
) -> PartPlan:
    """The plan for one object. `part_size` fixes the size of all parts, as some stores want it and as large objects in
    little memory do; `size_hint` (bytes, about) chooses one that lets the object fit. `equal`: the service may demand
    parts of one size (Cloudflare R2), so this many have one, as large as the memory allows."""
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
    """Bytes of a part, so that so many of them hold what was announced and 5 % more."""
    needed = -(-size_hint * 105 // 100 // parts)
    return min(max(FIRST_PART, -(-needed // MIB) * MIB), MAX_PART)
