"""How the cost of `show`, `sync` and rotation grows with the number of backups: `python -m benchmarks.rows`."""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from benchmarks import report, rotation_plan
from benchmarks.__main__ import DATA
from benchmarks.contenders import PYTHONPATH, base_environment
from benchmarks.measured import measured
from benchmarks.records import SERIES, fill_bucket, fill_database, fill_folder, write_config
from benchmarks.servers import SeaweedFS

MOST_ON_S3 = 10_000
"""Archives in the S3 server; creating more takes long."""

ROTATION = {"days": 7, "weeks": 4, "months": 12}


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.rows", description=__doc__)
    parser.add_argument("--rows", default="100,10000,100000", help="how many backups (default: %(default)s)")
    parser.add_argument("--data", type=Path, default=DATA, metavar="DIR", help="where to work")
    parser.add_argument("--without-s3", action="store_true", help="only the local store")
    chosen = parser.parse_args(arguments)
    sizes = [int(text) for text in chosen.rows.split(",")]
    print(report.machine(), end="\n\n", flush=True)
    chosen.data.mkdir(parents=True, exist_ok=True)
    rows: list[Sequence[str]] = []
    with tempfile.TemporaryDirectory(prefix="rows-", dir=chosen.data) as folder:
        for size in sizes:
            rows += _in_a_home(folder, lambda home, size=size: _database_rows(home, size))  # type: ignore[misc]
            rows += _in_a_home(folder, lambda home, size=size: _folder_rows(home, size))  # type: ignore[misc]
        if not chosen.without_s3:
            with SeaweedFS(Path(folder, "server")) as server:
                for size in sizes:
                    if size <= MOST_ON_S3:
                        rows += _in_a_home(folder, lambda home, size=size: _bucket_rows(home, size, server))  # type: ignore[misc]
    for size in sizes:
        for policy in rotation_plan.POLICIES:
            took = rotation_plan.seconds(policy, rotation_plan.hourly(size))
            windows = "every window holds all" if policy.years else "days, weeks, months"
            rows.append(_row(f"plan alone, {windows}", size, took, took, None))
    rows.sort(key=lambda row: row[0])
    print(report.table(["", "backups", "wall s", "CPU s", "µs per backup", "MiB"], rows))
    return 0


def _in_a_home(folder: str, rows: Callable[[Path], list[Sequence[str]]]) -> list[Sequence[str]]:
    home = Path(tempfile.mkdtemp(dir=folder))
    try:
        return rows(home)
    finally:
        shutil.rmtree(home)


def _database_rows(home: Path, size: int) -> list[Sequence[str]]:
    write_config(home, rotation=ROTATION)
    fill_database(home, size)
    return [
        _command("show", home, size, "show"),
        _command("show, one fits", home, size, "show", "site.20150101000000"),
        _command("show --json", home, size, "show", "--json"),
    ]


def _folder_rows(home: Path, size: int) -> list[Sequence[str]]:
    write_config(home, rotation=ROTATION)
    fill_folder(home, size)
    return [
        _command("sync of a folder, the first", home, size, "sync"),
        _command("sync of a folder, the second", home, size, "sync"),
        _command(
            f"rotate_backups --dry-run, of {len(SERIES)} series", home, size, "rotate_backups", "site", "--dry-run"
        ),
    ]


def _bucket_rows(home: Path, size: int, server: SeaweedFS) -> list[Sequence[str]]:
    bucket = f"rows-{size}"
    server.create_bucket(bucket)
    fill_bucket(server, bucket, size)
    write_config(home, **server.settings(bucket))
    return [
        _command("sync of a bucket, the first", home, size, "sync"),
        _command("sync of a bucket, the second", home, size, "sync"),
    ]


def _command(title: str, home: Path, size: int, *arguments: str) -> Sequence[str]:
    environment = {**base_environment(home), **PYTHONPATH, "BAKTHAT_CONFIG": str(home / "bakthat.yml")}
    took = measured([sys.executable, "-m", "bakthat", *arguments, "-q"], environment=environment, scratch=home)
    return _row(title, size, took.wall, took.cpu, took.memory)


def _row(title: str, size: int, wall: float, cpu: float, memory: int | None) -> Sequence[str]:
    mib = f"{memory / 2**20:.0f}" if memory is not None else ""
    return [title, f"{size:,}", f"{wall:.2f}", f"{cpu:.2f}", f"{wall / size * 1e6:,.0f}", mib]


if __name__ == "__main__":
    sys.exit(main())
