"""Damage done to bytes, for properties: flips, blanked stretches, and cuts, and where they are."""

from __future__ import annotations

from attrs import frozen
from hypothesis import strategies as st


@frozen
class Damage:
    """`flips`: positions and what is flipped there. `blanks`: start and length of stretches of zeros. `kept`: how many
    bytes are left, None for all. All as parts of the size, in millionths."""

    flips: tuple[tuple[int, int], ...] = ()
    blanks: tuple[tuple[int, int], ...] = ()
    kept: int | None = None

    def done_to(self, data: bytes) -> bytes:
        damaged = bytearray(data)
        size = len(data)
        for place, mask in self.flips:
            if size:
                damaged[place * (size - 1) // _WHOLE] ^= mask
        for place, length in self.blanks:
            start = place * size // _WHOLE
            stop = min(size, start + length * size // _WHOLE)
            damaged[start:stop] = bytes(stop - start)
        return bytes(damaged if self.kept is None else damaged[: self.kept * size // _WHOLE])


_WHOLE = 1_000_000
_STEP = 4096
_places = st.integers(0, _WHOLE)

damages = st.builds(
    Damage,
    flips=st.lists(st.tuples(_places, st.integers(1, 255)), max_size=4).map(tuple),
    blanks=st.lists(st.tuples(_places, st.integers(0, 60_000)), max_size=1).map(tuple),
    kept=st.none() | _places,
)


def differing_ranges(one: bytes, other: bytes) -> list[tuple[int, int]]:
    """Where the second one differs from the first one, or is missing."""
    found: list[tuple[int, int]] = []
    for start in range(0, len(one), _STEP):
        mine, theirs = one[start : start + _STEP], other[start : start + _STEP]
        if mine == theirs:
            continue
        for at, byte in enumerate(mine, start):
            if at >= len(other):
                found.append((at, len(one)))
                return found
            if byte != other[at]:
                if found and found[-1][1] == at:
                    found[-1] = (found[-1][0], at + 1)
                else:
                    found.append((at, at + 1))
    return found


def differing(one: bytes, other: bytes) -> list[int]:
    """The positions at which the second one differs from the first one, or is missing."""
    return [at for start, stop in differing_ranges(one, other) for at in range(start, stop)]
