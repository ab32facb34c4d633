"""The goals of bakthat, as ratios of wall time in one run on one machine."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from attrs import frozen

from benchmarks.comparison import Run, ratios
from benchmarks.contenders import CONTENDERS, Contender
from benchmarks.measured import Measured

BOUND = 256 * 1024 * 1024
"""The goal for the memory of a backup or restore of any size, in bytes."""

SCRYPT = 256 * 1024 * 1024
"""Additional bytes for key derivation from a password (128 * 2^18 * 8, RFC 7914)."""

WAYS = ("bakthat", "password", "recipient")
"""The contenders that are bakthat."""

_ZSTD, _RESTIC, _2013 = (CONTENDERS[name].name for name in ("zstd", "restic", "2013"))

SPEED = [
    *(("backup", letter, peer, factor) for letter in "ac" for peer, factor in ((_RESTIC, 2.0), (_ZSTD, 1.3))),
    *(("backup", "b", peer, factor) for peer, factor in ((_RESTIC, 3.0), (_ZSTD, 1.0))),
    ("backup", "a", _2013, 20.0),
    *(("restore", letter, peer, 1.0) for letter in "abcd" for peer in (_RESTIC, _ZSTD)),
]
"""Verb, data set, peer, and the minimum ratio of the peer's time."""


@frozen(kw_only=True)
class Result:
    """`found`: the measurement in words, by the way in which bakthat ran. `missed`: the ways that missed the goal."""

    goal: str
    found: Mapping[str, str]
    missed: frozenset[str]


def results(runs: Sequence[Run]) -> Iterator[Result]:
    """Every goal that these runs measured, for bakthat plain and encrypted."""
    ran = {run.contender for run in runs}
    ways = [CONTENDERS[name] for name in WAYS if CONTENDERS[name].name in ran]
    for verb, letter, peer, factor in SPEED:
        mine = [run for run in runs if run.letter == letter]
        found = {way.name: ratios(mine, verb, peer, way.name) for way in ways}
        known = {name: ratio for name, ratio in found.items() if ratio is not None}
        if known:
            yield Result(
                goal=f"{letter}, {verb}: {factor:g} times as fast as {peer}",
                found={name: f"{ratio:.2f}" for name, ratio in known.items()},
                missed=frozenset(name for name, ratio in known.items() if ratio < factor),
            )
    memory = {way.name: _most(runs, way, lambda took: took.memory) for way in ways}
    yield Result(
        goal=f"{BOUND >> 20} MiB of memory, and {SCRYPT >> 20} MiB more with a password",
        found={name: f"{most >> 20}" for name, most in memory.items()},
        missed=frozenset(way.name for way in ways if memory[way.name] > bound(way)),
    )
    touched = {way.name: _most(runs, way, lambda took: took.touched_temporary) for way in ways}
    yield Result(
        goal="nothing in TMPDIR",
        found={name: "something" if any_ else "nothing" for name, any_ in touched.items()},
        missed=frozenset(name for name, any_ in touched.items() if any_),
    )


def bound(way: Contender) -> int:
    """The memory goal for this way, in bytes."""
    return BOUND + (SCRYPT if way is CONTENDERS["password"] else 0)


def _most(runs: Sequence[Run], way: Contender, of: Callable[[Measured], int]) -> int:
    return max(max(of(run.backup), of(run.restore)) for run in runs if run.contender == way.name)
