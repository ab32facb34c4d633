"""Peak memory of backup and restore of any size, and whether they write temporary files: `python -m
benchmarks.memory`."""

from __future__ import annotations

import argparse
import random
import shutil
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from benchmarks import report
from benchmarks.__main__ import DATA
from benchmarks.comparison import new_job
from benchmarks.contenders import CONTENDERS, Contender, base_environment, new_identity
from benchmarks.goals import WAYS, bound
from benchmarks.measured import Measured, measured
from benchmarks.servers import SeaweedFS, Server

MIB = 1024 * 1024
GIB = 1024 * MIB


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.memory", description=__doc__)
    parser.add_argument("--sizes", default="1,8", metavar="GIB", help="of the file that is backed up (default: 1,8)")
    parser.add_argument("--ways", default=",".join(WAYS), help="default: %(default)s")
    parser.add_argument("--data", type=Path, default=DATA, metavar="DIR", help="a folder with room for three times it")
    chosen = parser.parse_args(arguments)
    print(report.machine(), end="\n\n", flush=True)
    chosen.data.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(prefix="memory-", dir=chosen.data))
    rows = []
    try:
        identity = new_identity(scratch)
        for size in (int(float(text) * GIB) for text in chosen.sizes.split(",")):
            if shutil.disk_usage(scratch).free < 3.2 * size:
                print(f"{size / GIB:g} GiB: left out, {chosen.data} has no room for three times that", file=sys.stderr)
                continue
            source = scratch / "stream.img"
            make_file(source, size)
            with SeaweedFS(scratch / "server") as server:
                for way in (CONTENDERS[name] for name in chosen.ways.split(",")):
                    rows += rows_of(way, source, server, scratch, identity)
    finally:
        shutil.rmtree(scratch)
    print(report.table(["GiB", "", "verb", "wall s", "MiB", "bound", "in TMPDIR", "written elsewhere", ""], rows))
    return 1 if any("NO" in row for row in rows) else 0


def make_file(path: Path, size: int) -> None:
    """A file that compresses by half: 64 KiB of noise, 64 KiB of zeros, and so on. Deflate looks back 32 KiB, so it
    does not see the noise repeat."""
    noise = random.Random(5).randbytes(4 * MIB)
    piece = b"".join(noise[at : at + 64 * 1024] + bytes(64 * 1024) for at in range(0, len(noise), 64 * 1024))
    with path.open("wb") as file:
        left = size
        while left:
            left -= file.write(piece[: min(left, len(piece))])


def rows_of(
    way: Contender, source: Path, server: Server, scratch: Path, identity: tuple[Path, str]
) -> list[Sequence[str]]:
    """Two rows of the table: a backup and its restore."""
    bucket = f"memory-{way.name.rpartition(' ')[2]}-{source.stat().st_size}"
    server.create_bucket(bucket)
    folder = Path(tempfile.mkdtemp(prefix="run-", dir=scratch))
    target = folder / "restored"
    target.mkdir()
    job = new_job(source, server, bucket, folder, identity)
    rows = []
    for verb, command in (("backup", way.backup(job)), ("restore", way.restore(job, target))):
        environment = {**base_environment(folder), **command.environment}
        took = measured(command.arguments, environment=environment, scratch=folder)
        # It may write its database and the restored files.
        elsewhere = {path for path in took.written if not path.startswith((f"{folder}/bakthat.sqlite", f"{target}/"))}
        rows.append(_row(source, way, verb, took, elsewhere))
    if next(target.iterdir()).stat().st_size != source.stat().st_size:
        raise RuntimeError(f"{way.name}: what came back differs in size")
    shutil.rmtree(folder)
    server.drop_bucket(bucket)
    return rows


def _row(source: Path, way: Contender, verb: str, took: Measured, elsewhere: set[str]) -> Sequence[str]:
    holds = took.memory <= bound(way) and not took.touched_temporary and not elsewhere
    return [
        f"{source.stat().st_size / GIB:g}",
        way.name,
        verb,
        f"{took.wall:.1f}",
        f"{took.memory / MIB:.0f}",
        f"{bound(way) // MIB}",
        "something" if took.touched_temporary else "never anything",
        ", ".join(sorted(elsewhere)) or "nothing",
        "yes" if holds else "NO",
    ]


if __name__ == "__main__":
    sys.exit(main())
