"""One bucket, three hosts that back up two directories of one name each, a year of nights, a policy for each host.

Every origin ends with exactly what its policy keeps, by the package GrandFatherSon."""

from __future__ import annotations

import io
import random
from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import grandfatherson
import pytest
from attrs import evolve, frozen

from bakthat import Backup, Bakthat, Profile, open_profile
from bakthat.adapters.memory.metadata_repo import MemoryRepo
from bakthat.adapters.memory.object_store import MemoryObjectStore
from bakthat.domain.catalog import CatalogEntry, key_of
from bakthat.domain.stored_name import StoredName
from bakthat.testing.toolbox import SteppedClock

FIRST = datetime(2025, 3, 1, tzinfo=UTC)
NIGHTS = 365

ROTATION = 3
"""Nights from one rotation of a host to the next. The last nights all have one: that of each host is its end."""


@frozen(kw_only=True)
class Host:
    """How a machine is run. `hour`: of its nightly run. `off`: nights on which it is switched off. `forgets`: it is a
    container, which begins every night with an empty database."""

    name: str
    rotation: dict[str, int]
    hour: int
    off: range = range(0)
    forgets: bool = False


HOSTS = [
    Host(name="web1", rotation={"days": 7, "weeks": 4, "months": 12}, hour=2),
    Host(name="web2", rotation={"days": 30, "weeks": 10, "first_week_day": 0, "last": 3}, hour=3, off=range(80, 130)),
    Host(name="web3", rotation={"hours": 24, "months": 6, "years": 2}, hour=23, forgets=True),
]


class Bucket:
    """The bucket, and the machines that share it."""

    def __init__(self) -> None:
        self.clock = SteppedClock()
        self.store = MemoryObjectStore("memory://s3", clock=self.clock)
        self._repos = {host.name: MemoryRepo() for host in HOSTS}

    def machine(self, host: Host) -> Bakthat:
        return open_profile(
            Profile(rotation=host.rotation, host=host.name),
            store=self.store,
            repo=MemoryRepo() if host.forgets else self._repos[host.name],
            clock=self.clock,
            environment={},
            notice=lambda _: None,
        )

    def nightly_backup(self, machine: Bakthat, like: Backup) -> str:
        """What `backup` leaves behind, without packing the same file two thousand times."""
        name = StoredName(series=like.filename, when=self.clock())
        archive = b"x"
        made = evolve(
            like, stored_filename=str(name), backup_date=name.when, last_updated=name.when, size=len(archive),
            metadata=dict(like.metadata),
        )  # fmt: skip
        self.store.put(made.stored_filename, io.BytesIO(archive))
        self.store.put(key_of(made.stored_filename), io.BytesIO(CatalogEntry(backup=made).dumps()))
        machine.tools.repo.add(made)
        return made.stored_filename

    def archives(self) -> set[str]:
        return {info.key for info in self.store.list() if "/" not in info.key}


@pytest.fixture
def directories(tmp_path: Path) -> list[Path]:
    """Two directories of one base name."""
    found = []
    for place in ("a", "b"):
        directory = tmp_path / place / "data"
        directory.mkdir(parents=True)
        (directory / "f").write_text(place)
        found.append(directory)
    return found


def nights() -> Iterator[tuple[int, Host, datetime]]:
    """Which host runs when: each at its hour, more or less, in the order in which it happens."""
    chance = random.Random(0)
    for night in range(NIGHTS):
        for host in sorted(HOSTS, key=lambda one: one.hour):
            if night not in host.off:
                yield night, host, FIRST + timedelta(days=night, hours=host.hour, seconds=chance.randrange(3000))


def kept_by_the_law(rotation: dict[str, int], made: dict[str, datetime]) -> set[str]:
    """The stored filenames that the package keeps, and the newest, and the `last` newest."""
    windows = {name: rotation.get(name, 0) for name in ("hours", "days", "weeks", "months", "years")}
    dates = sorted(made.values(), reverse=True)
    kept = grandfatherson.to_keep(
        dates, firstweekday=rotation.get("first_week_day", grandfatherson.SATURDAY), now=dates[0], **windows
    )
    kept |= set(dates[: max(1, rotation.get("last", 0))])
    return {name for name, when in made.items() if when in kept}


def test_every_origin_ends_with_exactly_what_its_policy_keeps(directories: list[Path]) -> None:
    bucket = Bucket()
    first: dict[tuple[str, Path], Backup] = {}
    made: dict[tuple[str, Path], dict[str, datetime]] = defaultdict(dict)
    for night, host, when in nights():
        bucket.clock.now = when
        machine = bucket.machine(host)
        for directory in directories:
            origin = host.name, directory
            if origin not in first:
                first[origin] = machine.backup(directory, password="")
                name = first[origin].stored_filename
            else:
                name = bucket.nightly_backup(machine, first[origin])
            made[origin][name] = bucket.clock.now
            bucket.clock.forward(seconds=1)
        if night % ROTATION == 0 or night > NIGHTS - ROTATION:
            machine.rotate_backups("data", host=host.name)

    policies = {host.name: host.rotation for host in HOSTS}
    expected = {origin: kept_by_the_law(policies[origin[0]], names) for origin, names in made.items()}
    left = bucket.archives()
    assert {origin: left & set(names) for origin, names in made.items()} == expected
    assert left == set().union(*expected.values())
    assert sum(map(len, made.values())) == 2 * (3 * NIGHTS - 50)
