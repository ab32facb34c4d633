"""What bakthat is to reach, as ratios of wall time in one run on one machine."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from attrs import frozen

from benchmarks.comparison import Run, ratios
from benchmarks.contenders import CONTENDERS

BOUND = 256 * 1024 * 1024
"""Bytes of memory of a backup or restore of any size."""

SCRYPT = 256 * 1024 * 1024
"""Bytes that a password takes for a moment, on top (128 * 2^18 * 8, RFC 7914)."""

_ZSTD, _RESTIC, _2013 = (CONTENDERS[name].name for name in ("zstd", "restic", "2013"))

SPEED = [
    *(("backup", letter, peer, factor) for letter in "ac" for peer, factor in ((_RESTIC, 2.0), (_ZSTD, 1.3))),
    *(("backup", "b", peer, factor) for peer, factor in ((_RESTIC, 3.0), (_ZSTD, 1.0))),
    ("backup", "a", _2013, 20.0),
    *(("restore", letter, peer, 1.0) for letter in "abcd" for peer in (_RESTIC, _ZSTD)),
]
"""Verb, data set, peer, and how many times as long the peer is to take, at least."""


@frozen(kw_only=True)
class Result:
    """`found`: the ratio, or the bytes of memory."""

    goal: str
    found: float
    reached: bool


def results(runs: Sequence[Run]) -> Iterator[Result]:
    """Every goal of which these runs tell something, for bakthat plain and encrypted."""
    ran = {run.contender for run in runs}
    for way in (CONTENDERS[name] for name in ("bakthat", "password", "recipient")):
        if way.name not in ran:
            continue
        for verb, letter, peer, factor in SPEED:
            found = ratios([run for run in runs if run.letter == letter], verb, peer, way.name)
            if found is not None:
                goal = f"{letter}, {verb}: {way.name} at least {factor:g} x as fast as {peer}"
                yield Result(goal=goal, found=found, reached=found >= factor)
        mine = [run for run in runs if run.contender == way.name]
        # A password is tried against scrypt at both ends.
        bound = BOUND + (SCRYPT if way is CONTENDERS["password"] else 0)
        memory = max(max(run.backup.memory, run.restore.memory) for run in mine)
        goal = f"{way.name}: at most {bound >> 20} MiB of memory"
        yield Result(goal=goal, found=memory / 2**20, reached=memory <= bound)
        touched = sum(run.backup.touched_temporary or run.restore.touched_temporary for run in mine)
        yield Result(goal=f"{way.name}: no temporary file", found=touched, reached=not touched)
