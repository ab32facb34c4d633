"""The time of a rotation plan, and how it grows: `python -m benchmarks.rotation_plan`."""

from __future__ import annotations

import random
import time
from datetime import UTC, datetime, timedelta

from bakthat.domain.backup import Backup
from bakthat.domain.rotation import RotationPolicy, plan
from bakthat.domain.stored_name import StoredName

START = datetime(2010, 1, 1, tzinfo=UTC)
SIZES = (12_500, 25_000, 50_000, 100_000, 200_000)
POLICIES = (
    RotationPolicy(days=7, weeks=4, months=12),
    RotationPolicy(hours=10**6, days=10**5, weeks=10**4, months=10**3, years=100, last=10),  # every window holds all
)


def hourly(count: int) -> list[Backup]:
    """A series of hourly backups, in random order."""
    whens = [START + timedelta(hours=number) for number in range(count)]
    random.Random(1).shuffle(whens)
    return [
        Backup(
            backend="s3",
            backup_date=when,
            last_updated=when,
            filename="site",
            stored_filename=str(StoredName(series="site", when=when)),
            size=1,
            metadata={"client": "web1", "location": "s3://bucket"},
        )
        for when in whens
    ]


def seconds(policy: RotationPolicy, series: list[Backup]) -> float:
    """CPU seconds, the median of three plans: planning does not wait, and other work on the machine does not count."""
    taken = []
    for _ in range(3):
        begin = time.process_time()
        plan(policy, series, START + timedelta(hours=len(series)))
        taken.append(time.process_time() - begin)
    return sorted(taken)[1]


def main() -> None:
    for policy in POLICIES:
        print(f"{policy}\n  backups  CPU s    µs per backup")
        for size in SIZES:
            took = seconds(policy, hourly(size))
            print(f"  {size:7,}  {took:7.2f}  {took / size * 1e6:13.1f}")


if __name__ == "__main__":
    main()
