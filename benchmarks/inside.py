"""Looking inside of archives, beside restic: seconds, and bytes from the store: `python -m benchmarks.inside`."""

from __future__ import annotations

import argparse
import contextlib
import random
import shutil
import socket
import statistics
import sys
import tempfile
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bakthat.adapters.compression.gzip_index import FOOTER_SIZE
from benchmarks import report
from benchmarks.__main__ import DATA
from benchmarks.comparison import new_job
from benchmarks.contenders import PYTHONPATH, Bakthat, Command, Job, Restic, base_environment, new_identity
from benchmarks.measured import Measured, measured
from benchmarks.servers import SeaweedFS, Server

MIB = 1024 * 1024
GB = 1_000_000_000
SMALL_FILES = 1_000
"""Files of 4 KB in the folder `small`."""

CAT_READS = 4 * MIB
CAT_RATIO, LS_RATIO = 1.5, 0.5
FIND_SECONDS = 1.0
INDEX_WALL, INDEX_SIZE = 0.03, 0.01
"""The goals: bytes that `cat` reads of an archive; its time compared with `restic dump`, and that of `ls` with `restic
ls`; `find` over 100 cached indexes; what an index adds to a backup."""

_WITHOUT_INDEX = """
import sys
from attrs import evolve
from bakthat.adapters.compression.gzip_compressor import GzipCompressor
from bakthat.domain.archive_format import Compression
from bakthat.entrypoints.api import Bakthat, open_profile
from bakthat.ports.payload import Compressor

class WithoutIndex(GzipCompressor):
    compressing_with_index = Compressor.compressing_with_index

bk = open_profile()
compressors = {Compression.GZIP: GzipCompressor() if sys.argv[2] == "with" else WithoutIndex()}
Bakthat(bk.profile, evolve(bk.tools, compressors=compressors)).backup(sys.argv[1], name="cost", password="")
"""


class CountedServer(Server):
    """Passes everything on to another server, and counts the bytes that come from it."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self.pid = server.pid
        self.sent = 0
        """Bytes."""
        host, port = server.url.removeprefix("http://").split(":")
        self._upstream = (host, int(port))
        threading.Thread(target=self._accept, daemon=True).start()

    def settings(self, bucket: str) -> dict[str, Any]:
        return {**self._server.settings(bucket), "endpoint_url": self.url}

    def create_bucket(self, bucket: str) -> None:
        self._server.create_bucket(bucket)

    def stored(self, bucket: str) -> int:
        return self._server.stored(bucket)

    def drop_bucket(self, bucket: str) -> None:
        self._server.drop_bucket(bucket)

    def __exit__(self, *_: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return  # it was closed
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with client, socket.create_connection(self._upstream) as server:
            requests = threading.Thread(target=self._pass_on, args=(client, server), daemon=True)
            requests.start()
            self._pass_on(server, client, counts=True)
            requests.join()

    def _pass_on(self, one: socket.socket, other: socket.socket, *, counts: bool = False) -> None:
        try:
            while chunk := one.recv(256 * 1024):
                other.sendall(chunk)
                if counts:
                    self.sent += len(chunk)
        except OSError:
            pass  # one of them has left
        for each in (one, other):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)


class Inside(Bakthat):
    """bakthat, with the commands that look inside."""

    def command(self, job: Job, *arguments: str) -> Command:
        return self._command(job, *arguments)


class ResticInside(Restic):
    """restic, with the commands that look inside."""

    def command(self, job: Job, *arguments: str) -> Command:
        return self._command(job, *arguments)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.inside", description=__doc__)
    parser.add_argument("--sizes", default="0.1,1.8", metavar="GB", help="of what is backed up (default: %(default)s)")
    parser.add_argument("--entries", type=int, default=100_000, metavar="N", help="of `ls` (default: %(default)s)")
    parser.add_argument("--backups", type=int, default=100, metavar="N", help="that `find` searches")
    parser.add_argument("--repeat", type=int, default=3, metavar="N", help="rounds (default: 3)")
    parser.add_argument("--data", type=Path, default=DATA, metavar="DIR", help="a folder with room for three times it")
    chosen = parser.parse_args(arguments)
    print(report.machine(), end="\n\n", flush=True)
    chosen.data.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(prefix="inside-", dir=chosen.data))
    goals: list[tuple[str, bool]] = []
    try:
        with SeaweedFS(scratch / "server") as seaweed, CountedServer(seaweed) as server:
            bench = _Bench(server, scratch, chosen.repeat, goals)
            for size in (float(text) for text in chosen.sizes.split(",")):
                bench.parts(size)
            bench.listing(chosen.entries)
            bench.search(chosen.backups)
            bench.cost(chosen.entries)
    finally:
        shutil.rmtree(scratch)
    for goal, met in goals:
        print(f"{goal}: {'yes' if met else 'NO'}")
    return 0 if all(met for _, met in goals) else 1


class _Bench:
    def __init__(self, server: CountedServer, scratch: Path, repeat: int, goals: list[tuple[str, bool]]) -> None:
        self._server = server
        self._scratch = scratch
        self._repeat = repeat
        self._goals = goals
        self._identity = new_identity(scratch)
        self._buckets = 0

    def parts(self, size: float) -> None:
        """`cat` and `restore --only` of an archive of so many GB."""
        source = self._scratch / "source"
        make_tree(source, int(size * GB))
        ours, job = Inside("bakthat, recipient", recipient=True), self._job(source)
        restic = self._restic(source)
        self._run(job, ours.backup(job))
        key = ["-i", str(job.identity)]
        rows = []
        for what, pattern in (("1 file", "small/0500"), ("10 files", "small/050?"), ("1,000 files", "small/")):
            mine = ours.command(job, "restore", "benchmark", "--only", pattern, "--target", "TARGET", *key)
            theirs = None
            if restic is not None:
                include = f"{source}/{pattern.rstrip('/')}"
                theirs = ResticInside().command(restic, "restore", "latest", "--include", include, "--target", "TARGET")
            rows.append(self._row(f"restore {what}", job, mine, restic, theirs)[0])
        mine = ours.command(job, "cat", "benchmark", "small/0500", *key)
        theirs = None
        if restic is not None:
            theirs = ResticInside().command(restic, "dump", "latest", f"{source}/small/0500")
        row, read, ratio = self._row("cat 1 file", job, mine, restic, theirs)
        self._goals.append((f"{size:g} GB: cat reads at most 4 MiB", read <= CAT_READS))
        if ratio is not None:
            self._goals.append(
                (f"{size:g} GB: cat takes at most {CAT_RATIO} times as long as restic dump", ratio <= CAT_RATIO)
            )
        self._table(f"An archive of {size:g} GB, encrypted to a recipient", [row, *rows])
        shutil.rmtree(source)

    def listing(self, entries: int) -> None:
        """`ls` of an archive with so many entries; from the store, and from the cache."""
        source = self._scratch / "many"
        make_many(source, entries)
        ours, job = Inside("bakthat"), self._job(source)
        restic = self._restic(source)
        self._run(job, ours.backup(job))
        listing = ours.command(job, "ls", "benchmark")
        theirs = ResticInside().command(restic, "ls", "latest") if restic is not None else None
        self._run(job, listing)
        cached, _, ratio = self._row("ls, cached", job, listing, restic, theirs)
        shutil.rmtree(job.scratch / ".cache", ignore_errors=True)
        cold, _, _ = self._row("ls, from the store", job, listing, restic, theirs, forget=True)
        if ratio is not None:
            self._goals.append(
                (f"ls of {entries:,} takes at most {LS_RATIO} times as long as restic ls", ratio <= LS_RATIO)
            )
        self._table(f"An archive with {entries:,} entries", [cold, cached])
        shutil.rmtree(source)

    def search(self, backups: int) -> None:
        """`find` over so many backups of 1,000 files."""
        source = self._scratch / "few"
        make_many(source, 1_000)
        ours, job = Inside("bakthat"), self._job(source)
        command = ours.backup(job)
        for _ in range(backups):
            self._run(job, command)
        find = ours.command(job, "find", "file000500", "--all-versions")
        first = self._run(job, find)
        again = [self._run(job, find) for _ in range(self._repeat)]
        wall = statistics.median(each.wall for each in again)
        self._goals.append((f"find over {backups} cached indexes takes at most 1 s", wall <= FIND_SECONDS))
        rows = [["find, nothing cached", f"{first.wall:.2f}"], ["find, all cached", f"{wall:.2f}"]]
        print(f"{backups} backups of 1,000 files\n\n{report.table(['', 'wall s'], rows)}\n", flush=True)
        shutil.rmtree(source)

    def cost(self, entries: int) -> None:
        """What the index adds to a backup of so many small files, the worst case."""
        source = self._scratch / "many"
        make_many(source, entries)
        took: dict[str, list[float]] = {"without": [], "with": []}
        sizes: dict[str, int] = {}
        for _ in range(self._repeat):
            for how, times in took.items():
                job = self._job(source)
                Inside("bakthat").backup(job)  # writes the configuration
                program = [sys.executable, "-c", _WITHOUT_INDEX, str(source), how]
                environment = {**PYTHONPATH, "BAKTHAT_CONFIG": str(job.scratch / "bakthat.yml")}
                shutil.copy(job.scratch / "bakthat.yml", job.scratch / ".bakthat.yml")
                times.append(self._run(job, Command(arguments=program, environment=environment)).wall)
                sizes[how] = self._server.stored(job.bucket)
        wall = statistics.median(took["with"]) / statistics.median(took["without"]) - 1
        size = (sizes["with"] - sizes["without"] + FOOTER_SIZE) / sizes["without"]
        rows = [["wall s", *(f"{statistics.median(times):.2f}" for times in took.values()), f"{wall:+.1%}"]]
        rows.append(["stored MB", *(f"{stored / 1e6:.2f}" for stored in sizes.values()), f"{size:+.1%}"])
        print(f"A backup of {entries:,} small files\n\n{report.table(['', *took, 'more'], rows)}\n", flush=True)
        self._goals.append((f"an index costs at most {INDEX_WALL:.0%} of the time", wall <= INDEX_WALL))
        shutil.rmtree(source)

    def _job(self, source: Path) -> Job:
        self._buckets += 1
        bucket = f"inside-{self._buckets}"
        self._server.create_bucket(bucket)
        folder = Path(tempfile.mkdtemp(prefix="run-", dir=self._scratch))
        return new_job(source, self._server, bucket, folder, self._identity)

    def _restic(self, source: Path) -> Job | None:
        """A repository with a backup of the source, if restic is installed."""
        restic = ResticInside()
        if restic.missing() is not None:
            return None
        job = self._job(source)
        prepared = restic.prepare(job)
        if prepared is not None:
            self._run(job, prepared)
        self._run(job, restic.backup(job))
        return job

    def _run(self, job: Job, command: Command) -> Measured:
        target = Path(tempfile.mkdtemp(prefix="target-", dir=job.scratch))
        arguments = [str(target) if word == "TARGET" else word for word in command.arguments]
        environment = {**base_environment(job.scratch), **command.environment}
        took = measured(arguments, environment=environment, scratch=job.scratch, server=self._server.pid)
        shutil.rmtree(target)
        return took

    def _row(
        self, what: str, job: Job, mine: Command, restic: Job | None, theirs: Command | None, *, forget: bool = False
    ) -> tuple[list[str], float, float | None]:
        """A row of the table, the bytes that ours read, and the ratio of the times."""
        seconds, cpu, read = self._timed(job, mine, forget=forget)
        row = [what, f"{seconds:.2f} / {cpu:.2f}", f"{read / MIB:.2f}"]
        if restic is None or theirs is None:
            return [*row, "", "", ""], read, None
        others, others_cpu, others_read = self._timed(restic, theirs)
        row += [f"{others:.2f} / {others_cpu:.2f}", f"{others_read / MIB:.2f}", f"{seconds / others:.2f}"]
        return row, read, seconds / others

    def _timed(self, job: Job, command: Command, *, forget: bool = False) -> tuple[float, float, float]:
        """Medians: wall and CPU seconds, and bytes."""
        times, cpu, read = [], [], []
        for _ in range(self._repeat):
            if forget:
                shutil.rmtree(job.scratch / ".cache", ignore_errors=True)
            before = self._server.sent
            took = self._run(job, command)
            times.append(took.wall)
            cpu.append(took.cpu)
            read.append(self._server.sent - before)
        return statistics.median(times), statistics.median(cpu), statistics.median(read)

    def _table(self, title: str, rows: Sequence[Sequence[str]]) -> None:
        head = ["", "wall / CPU s", "MiB read", "restic wall / CPU s", "MiB read", "ratio"]
        print(f"{title}\n\n{report.table(head, rows)}\n", flush=True)


def make_tree(folder: Path, size: int) -> None:
    """1,000 small files, and for the rest files of 1 MiB that compress by half."""
    chance = random.Random(7)
    (folder / "small").mkdir(parents=True)
    (folder / "large").mkdir()
    for number in range(SMALL_FILES):
        (folder / "small" / f"{number:04}").write_bytes(chance.randbytes(2_000) + bytes(2_000))
    noise = chance.randbytes(32 * MIB)
    for number in range(max(0, size - SMALL_FILES * 4_000) // MIB):
        at = number * 4_099 % (31 * MIB)
        (folder / "large" / f"{number:05}").write_bytes(noise[at : at + MIB // 2] + bytes(MIB // 2))


def make_many(folder: Path, count: int) -> None:
    """So many files of some hundred bytes, a thousand in each folder."""
    for number in range(count):
        if number % 1000 == 0:
            (folder / f"folder{number // 1000:04}").mkdir(parents=True)
        path = folder / f"folder{number // 1000:04}" / f"file{number:06}"
        path.write_text(f"the content of file {number}\n" * (number % 20))


if __name__ == "__main__":
    sys.exit(main())
