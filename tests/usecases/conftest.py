"""A toolbox in memory, and a small tree to back up."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from attrs import frozen

from bakthat.domain.backup import Backup
from bakthat.testing.toolbox import Toolbox
from tests.fixtures.nights import night


@pytest.fixture
def box() -> Toolbox:
    return Toolbox()


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    root = tmp_path / "site"
    (root / "pages").mkdir(parents=True)
    (root / "index.html").write_text("<h1>hello</h1>")
    (root / "pages" / "about.html").write_text("about")
    return root


@frozen
class Chain:
    """A full backup and three incremental ones of `tree` in `s3` of `box`, a day apart."""

    box: Toolbox
    tree: Path
    made: list[Backup]


@pytest.fixture(scope="session")
def chain(tmp_path_factory: pytest.TempPathFactory) -> Chain:
    """Made once: most tests need its objects and records, not the making."""
    box, tree = Toolbox(), tmp_path_factory.mktemp("chain") / "site"
    tree.mkdir()
    (tree / "large").write_bytes(os.urandom(20_000))  # a night's change is little of it
    made = []
    for number in range(4):
        (tree / f"{number}").write_text(str(number))
        made.append(night(box, tree))
    assert [one.is_incremental for one in made] == [False, True, True, True]
    return Chain(box, tree, made)


@pytest.fixture
def chained_tree(chain: Chain) -> Path:
    """What `nights` have backed up: for all tests, so none changes it."""
    return chain.tree


@pytest.fixture
def nights(box: Toolbox, chain: Chain) -> list[Backup]:
    """The backups of the chain, in `s3` and in the database of `box`."""
    store = chain.box.stores["s3"]
    for info in store.list():
        box.clock.now = info.modified
        with store.open(info.key) as content:
            box.stores["s3"].put(info.key, content)
    box.clock.now = chain.box.clock.now
    box.repo.put_all(chain.made)
    return list(chain.made)
