"""Runs every contender on every data set, alternating, for a number of rounds."""

from __future__ import annotations

import os
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from attrs import frozen

from benchmarks.contenders import Command, Contender, Job, base_environment
from benchmarks.data_sets import DataSet, regular_files
from benchmarks.measured import Measured, machine_busy, measured
from benchmarks.servers import Server

SHARED_MEMORY = Path("/dev/shm")

_QUIET = 0.1
"""Cores that other work may use."""


@frozen(kw_only=True)
class Run:
    """One backup and its restore by one contender. `stored`: bytes in the store afterwards."""

    letter: str
    contender: str
    round: int
    backup: Measured
    restore: Measured
    stored: int

    @property
    def disturbed(self) -> bool:
        """Whether other work used more than a tenth of one core."""
        return any(took.others > _QUIET * took.wall for took in (self.backup, self.restore))


class RestoreDiffers(Exception):
    """The restored files differ from the source."""


def compare(
    data: DataSet,
    contenders: Sequence[Contender],
    server: Server,
    scratch: Path,
    *,
    repeat: int,
    identity: tuple[Path, str],
    patience: float = 0.0,
    on_run: Callable[[Run], None] = lambda _: None,
) -> list[Run]:
    """Rounds over one data set. Each round begins with a different contender, so that none is always first. `patience`:
    the maximum seconds to wait before each run until the machine is idle; a run that was disturbed anyway is repeated
    once."""
    runs = []
    for number in range(repeat):
        at = number % len(contenders)
        for contender in (*contenders[at:], *contenders[:at]):
            if number and contender.once:
                continue
            wait_for_quiet(patience)
            run = _run(data, contender, server, scratch, number, identity)
            on_run(run)
            if patience and run.disturbed:
                wait_for_quiet(patience)
                run = _run(data, contender, server, scratch, number, identity)
                on_run(run)
            runs.append(run)
    return runs


def _run(
    data: DataSet, contender: Contender, server: Server, scratch: Path, number: int, identity: tuple[Path, str]
) -> Run:
    folder = Path(tempfile.mkdtemp(prefix="run-", dir=scratch))
    bucket = f"bench-{data.letter}-{os.urandom(6).hex()}"
    server.create_bucket(bucket)
    job = new_job(data.source, server, bucket, folder, identity)
    target = fresh_target(data, folder)

    def take(command: Command) -> Measured:
        environment = {**base_environment(folder), **command.environment}
        return measured(command.arguments, environment=environment, scratch=folder, server=server.pid)

    try:
        preparation = contender.prepare(job)
        if preparation is not None:
            take(preparation)
        data.read_again()
        backup = take(contender.backup(job))
        stored = server.stored(bucket)
        restore = take(contender.restore(job, target))
        _check(data, target, contender)
    finally:
        shutil.rmtree(target)
        shutil.rmtree(folder)
        server.drop_bucket(bucket)
    return Run(
        letter=data.letter, contender=contender.name, round=number, backup=backup, restore=restore, stored=stored
    )


def wait_for_quiet(patience: float) -> None:
    """Return when the machine has been idle for two seconds, or after the timeout."""
    until = time.monotonic() + patience
    while time.monotonic() < until:
        before = machine_busy()
        time.sleep(2)
        if machine_busy() - before < 2 * _QUIET:
            return


def new_job(source: Path, server: Server, bucket: str, scratch: Path, identity: tuple[Path, str]) -> Job:
    """The settings with which a contender uses this bucket."""
    return Job(
        source=source,
        url=server.url,
        bucket=bucket,
        settings=server.settings(bucket),
        scratch=scratch,
        identity=identity[0],
        recipient=identity[1],
    )


def fresh_target(data: DataSet, folder: Path) -> Path:
    """A new directory in memory if the data fits twice, because the time of the disk is not the contender's: ext4
    takes a minute to create 100,000 files where as many have just been deleted, whose inodes it does not reuse at once.
    """
    if SHARED_MEMORY.is_dir() and shutil.disk_usage(SHARED_MEMORY).free > 2 * data.size:
        return Path(tempfile.mkdtemp(prefix="bakthat-benchmark-", dir=SHARED_MEMORY))
    return Path(tempfile.mkdtemp(prefix="restored-", dir=folder))


def _check(data: DataSet, target: Path, contender: Contender) -> None:
    paths = list(regular_files(target))
    size = sum(path.stat().st_size for path in paths)
    if (len(paths), size) != (data.files, data.size):
        raise RestoreDiffers(
            f"{contender.name}, {data.letter}: {len(paths)} files of {size} bytes came back, "
            f"not {data.files} of {data.size}"
        )


def ratios(
    runs: Sequence[Run], verb: str, contender: str, base: str, *, of: Callable[[Measured], float] = lambda m: m.wall
) -> float | None:
    """The ratio of the contender's time to that of the base: the median over the rounds in which both ran."""
    pairs = []
    for run in runs:
        if run.contender == contender:
            pairs += [of(getattr(run, verb)) / of(getattr(other, verb)) for other in runs if _beside(run, other, base)]
    return statistics.median(pairs) if pairs else None


def _beside(run: Run, other: Run, base: str) -> bool:
    return (other.contender, other.letter, other.round) == (base, run.letter, run.round)
