"""What the parts of the contract of `MetadataRepo` share."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime

import pytest

from bakthat.domain.backup import Backup
from bakthat.domain.name_claim import NameClaim
from bakthat.domain.query import Query
from bakthat.ports.metadata_repo import MetadataRepo
from bakthat.testing.examples import WHEN

EVERYTHING = Query(deleted=True)


def at_once(*calls: Callable[[], object]) -> None:
    """Run all calls in threads that start together; raises the first exception."""
    start = threading.Barrier(len(calls))

    def run(call: Callable[[], object]) -> None:
        start.wait()
        call()

    with ThreadPoolExecutor(len(calls)) as threads:
        for done in [threads.submit(run, call) for call in calls]:
            done.result()


def a_claim(
    stored_filename: str = "one.tgz", *, host: str = "host", pid: int = 1, claimed_at: datetime = WHEN
) -> NameClaim:
    """A claim of a name."""
    return NameClaim(stored_filename=stored_filename, host=host, pid=pid, claimed_at=claimed_at)


class RepoSuite:
    """What the parts of the contract share."""

    threads = 6
    """How many threads write at once."""

    @pytest.fixture
    def repo(self) -> MetadataRepo:
        raise AssertionError("override the fixture `repo` with one that returns an empty repository")

    def everything(self, repo: MetadataRepo) -> list[Backup]:
        return list(repo.find(EVERYTHING))
