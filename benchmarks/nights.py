"""Second backups of an unchanged tree, and of one that changed a little, beside restic: `python -m benchmarks.nights`.

The first backup of each is not measured. A chain is restored at its end, in turn with a full backup of the same tree.
Before each command, the disks have written everything that was written before.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import sys
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path

from benchmarks import report
from benchmarks.__main__ import DATA
from benchmarks.comparison import fresh_target, new_job, wait_for_quiet
from benchmarks.contenders import Bakthat, Command, Job, Restic, base_environment, new_identity
from benchmarks.data_sets import SCALES, DataSet, data_set, regular_files
from benchmarks.measured import Measured, measured
from benchmarks.servers import SeaweedFS, Server

TIME, SIZE, CHAIN = 0.5, 0.01, 1.3
"""The goals: the time of a second backup of the unchanged tree, compared with restic's; its bytes, compared with those
of the full one; the restore of a chain of ten, compared with that of a full backup."""

_CHANGED = 100
"""Files that change before each backup of the chain."""


class Nightly(Bakthat):
    """bakthat with `--incremental`, to a recipient: what a machine has that cannot decrypt its own backups."""

    def __init__(self, *, full: bool = False) -> None:
        super().__init__("bakthat, recipient", recipient=True)
        self._options = [] if full else ["--incremental"]

    def backup(self, job: Job) -> Command:
        command = super().backup(job)
        return Command(arguments=[*command.arguments, *self._options], environment=command.environment)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.nights", description=__doc__)
    parser.add_argument("--sets", default="a,b", help="data sets (default: %(default)s)")
    parser.add_argument("--scale", choices=SCALES, default="small", help="of them (default: %(default)s)")
    parser.add_argument("--repeat", type=int, default=3, metavar="N", help="second backups (default: 3)")
    parser.add_argument("--nights", type=int, default=10, metavar="N", help="incremental backups of the chain")
    parser.add_argument("--patience", type=float, default=0.0, metavar="S", help="seconds to wait for a quiet machine")
    parser.add_argument("--data", type=Path, default=DATA, metavar="DIR", help="a folder with room for three times it")
    chosen = parser.parse_args(arguments)
    print(report.machine(), end="\n\n", flush=True)
    chosen.data.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(prefix="nights-", dir=chosen.data))
    goals: list[tuple[str, bool]] = []
    try:
        with SeaweedFS(scratch / "server") as server:
            bench = _Bench(server, scratch, chosen.repeat, chosen.nights, chosen.patience, goals)
            for letter in chosen.sets.split(","):
                bench.run(data_set(letter, chosen.scale, chosen.data))
    finally:
        shutil.rmtree(scratch)
    for goal, met in goals:
        print(f"{goal}: {'yes' if met else 'NO'}")
    return 0 if all(met for _, met in goals) else 1


class _Bench:
    def __init__(
        self,
        server: Server,
        scratch: Path,
        repeat: int,
        nights: int,
        patience: float,
        goals: list[tuple[str, bool]],
    ) -> None:
        self._server = server
        self._scratch = scratch
        self._repeat = repeat
        self._nights = nights
        self._patience = patience
        self._goals = goals
        self._identity = new_identity(scratch)
        self._buckets = 0

    def run(self, data: DataSet) -> None:
        """Second backups of the unchanged set, then a chain of ten."""
        data.read_again()
        rows: list[list[str]] = []
        ours, restic = Nightly(), Restic()
        job = self._job(data.source)
        full = self._stored(job, ours.backup(job))[1]
        took, stored = self._median(job, ours.backup(job))
        rows.append(["unchanged", "bakthat", _times(took), f"{stored / 1e6:.2f}", f"{stored / full:.2%}"])
        self._goals.append((f"{data.letter}: at most {SIZE:.0%} of the full backup's bytes", stored <= SIZE * full))
        if restic.missing() is None:
            theirs = self._job(data.source)
            self._run(theirs, restic.prepare(theirs))
            first = self._stored(theirs, restic.backup(theirs))[1]
            others, added = self._median(theirs, restic.backup(theirs))
            rows.append(["", "restic", _times(others), f"{added / 1e6:.2f}", f"{added / first:.2%}"])
            ratio = statistics.median(each.wall for each in took) / statistics.median(each.wall for each in others)
            self._goals.append((f"{data.letter}: at most {TIME} of restic's time ({ratio:.2f})", ratio <= TIME))
        rows += self._chain(data, job, full)
        head = ["", "", "wall / CPU s", "stored MB", "of the full one"]
        print(f"Set {data.letter}, {data.what}: {data.files:,} files\n\n{report.table(head, rows)}\n", flush=True)

    def _chain(self, data: DataSet, job: Job, full: int) -> list[list[str]]:
        """The restore of a chain of ten, each link with some changed files, beside that of a full backup."""
        ours = Nightly()
        paths = _some(regular_files(data.source), _CHANGED)
        kept = {path: (path.read_bytes(), path.stat()) for path in paths}
        nights, sizes = [], []
        try:
            for number in range(self._nights):
                for path in paths:
                    path.write_bytes(kept[path][0] + b"night %d\n" % number)
                took, stored = self._stored(job, ours.backup(job))
                nights.append(took)
                sizes.append(stored)
            whole = self._job(data.source)
            self._run(whole, Nightly(full=True).backup(whole))
            chain, single = self._in_turn(job, whole, data)
        finally:
            for path, (content, status) in kept.items():
                path.write_bytes(content)
                os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
        ratio = statistics.median(each.wall for each in chain) / statistics.median(each.wall for each in single)
        cpu = statistics.median(each.cpu for each in chain) / statistics.median(each.cpu for each in single)
        goal = f"{data.letter}: a chain is restored in at most {CHAIN} of the time of a full one"
        self._goals.append((f"{goal} ({ratio:.2f}; CPU {cpu:.2f})", ratio <= CHAIN))
        stored = int(statistics.median(sizes))
        return [
            [f"{len(paths)} files changed", "bakthat", _times(nights), f"{stored / 1e6:.2f}", f"{stored / full:.2%}"],
            ["restore of the chain", "bakthat", _times(chain), "", ""],
            ["restore of a full one", "bakthat", _times(single), "", ""],
        ]

    def _in_turn(self, job: Job, other: Job, data: DataSet) -> tuple[list[Measured], list[Measured]]:
        """Restores of both, one after the other, so that whatever else the machine does meets both. The order changes
        with each round: what the first leaves behind meets the second one."""
        runs: tuple[list[Measured], list[Measured]] = ([], [])
        for number in range(self._repeat):
            for which in (0, 1) if number % 2 == 0 else (1, 0):
                runs[which].append(self._restored((job, other)[which], data))
        return runs

    def _job(self, source: Path) -> Job:
        self._buckets += 1
        bucket = f"nights-{self._buckets}"
        self._server.create_bucket(bucket)
        folder = Path(tempfile.mkdtemp(prefix="run-", dir=self._scratch))
        return new_job(source, self._server, bucket, folder, self._identity)

    def _run(self, job: Job, command: Command) -> Measured:
        os.sync()  # else it waits for 100,000 files that the one before it wrote, or removed
        wait_for_quiet(self._patience)
        environment = {**base_environment(job.scratch), **command.environment}
        return measured(command.arguments, environment=environment, scratch=job.scratch, server=self._server.pid)

    def _stored(self, job: Job, command: Command) -> tuple[Measured, int]:
        """What it took, and the bytes that it added to the store."""
        before = self._server.stored(job.bucket)
        took = self._run(job, command)
        return took, self._server.stored(job.bucket) - before

    def _median(self, job: Job, command: Command) -> tuple[list[Measured], int]:
        runs = [self._stored(job, command) for _ in range(self._repeat)]
        return [took for took, _ in runs], int(statistics.median(stored for _, stored in runs))

    def _restored(self, job: Job, data: DataSet) -> Measured:
        target = fresh_target(data, job.scratch)
        took = self._run(job, Nightly().restore(job, target))
        shutil.rmtree(target)
        return took


def _some(paths: Iterable[Path], count: int) -> list[Path]:
    """So many of them, small ones, from all parts of the tree."""
    small = [path for path in paths if path.stat().st_size < 100_000]
    return small[:: max(1, len(small) // count)][:count]


def _times(runs: Sequence[Measured]) -> str:
    wall, cpu = (statistics.median(times) for times in zip(*((each.wall, each.cpu) for each in runs), strict=True))
    return f"{wall:.2f} / {cpu:.2f}"


if __name__ == "__main__":
    sys.exit(main())
