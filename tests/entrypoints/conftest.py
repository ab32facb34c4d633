"""The library over stores and a database in memory, and a small directory to back up."""

from __future__ import annotations

from pathlib import Path

import pytest

from bakthat import Bakthat, Profile, open_profile
from bakthat.adapters.memory.metadata_repo import MemoryRepo
from bakthat.adapters.memory.object_store import MemoryObjectStore
from bakthat.testing.toolbox import SteppedClock
from tests.fixtures.command_line import CommandLine
from tests.fixtures.quick_cipher import quick_cipher


@pytest.fixture
def clock() -> SteppedClock:
    return SteppedClock()


@pytest.fixture
def store(clock: SteppedClock) -> MemoryObjectStore:
    return MemoryObjectStore("memory://s3", clock=clock)


@pytest.fixture
def repo() -> MemoryRepo:
    return MemoryRepo()


@pytest.fixture
def bakthat(store: MemoryObjectStore, repo: MemoryRepo, clock: SteppedClock) -> Bakthat:
    """A profile whose `s3` is in memory; no environment, so no password from there."""
    return open_profile(
        Profile(rotation={"days": 2}),
        stores={"s3": store},
        repo=repo,
        cipher=quick_cipher(),
        clock=clock,
        host=lambda: "host",
        environment={},
    )


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    root = tmp_path / "site"
    root.mkdir()
    (root / "index.html").write_text("<h1>hello</h1>")
    return root


@pytest.fixture
def site(bakthat_command: CommandLine) -> Path:
    """The directory `site` where `bakthat_command` runs."""
    root = bakthat_command.here / "site"
    root.mkdir()
    (root / "index.html").write_text("<h1>hello</h1>")
    return root
