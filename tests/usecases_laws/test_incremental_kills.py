"""Incremental backups that are killed at any moment: the next one is right."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from attrs import evolve

from bakthat.adapters.memory.metadata_repo import MemoryRepo
from bakthat.domain.backup import Backup
from bakthat.domain.query import Query
from bakthat.ports.file_states import FileStates, KnownFiles, StateDraft
from bakthat.testing.faulty import Fault, FaultyObjectStore
from bakthat.testing.toolbox import Toolbox
from tests.fixtures.nights import bring_back, change, make_site, night
from tests.fixtures.tree_histories import snapshot


@pytest.fixture
def box() -> Toolbox:
    return Toolbox()


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    return make_site(tmp_path)


class Killed(BaseException):
    """The process is gone: nothing catches it."""


class KilledStates(FileStates):
    """States whose draft is killed before or after it is kept."""

    def __init__(self, states: FileStates, *, afterwards: bool) -> None:
        self._states = states
        self._afterwards = afterwards

    def known(self, origin: str, backup: str) -> KnownFiles | None:
        return self._states.known(origin, backup)

    @contextmanager
    def draft(self, origin: str) -> Iterator[StateDraft]:
        with self._states.draft(origin) as draft:
            keep = draft.keep

            def killed(backup: str) -> None:
                if self._afterwards:
                    keep(backup)
                raise Killed

            draft.keep = killed  # type: ignore[method-assign]
            yield draft


class KilledRepo(MemoryRepo):
    """A database that is killed instead of a new row, or behind it."""

    afterwards = False

    def add(self, backup: Backup) -> None:
        if self.afterwards:
            super().add(backup)
        raise Killed


def killed_store(box: Toolbox, fault: Fault) -> Toolbox:
    return evolve(box, stores={**box.stores, "s3": FaultyObjectStore(box.stores["s3"], fault)})


def killed_repo(box: Toolbox, *, afterwards: bool) -> Toolbox:
    repo = KilledRepo()
    for row in box.repo.find(Query(deleted=True)):
        MemoryRepo.add(repo, row)
    repo.afterwards = afterwards
    return evolve(box, repo=repo)


KILLED: dict[str, Callable[[Toolbox], Toolbox]] = {
    "in the middle of the archive": lambda box: killed_store(
        box, Fault(method="put", after_bytes=100, error=lambda: Killed())
    ),
    "when the archive is stored": lambda box: killed_store(
        box, Fault(method="put", afterwards=True, error=lambda: Killed())
    ),
    "before its entry": lambda box: killed_store(
        box, Fault(method="put", key="bakthat_catalog/", error=lambda: Killed())
    ),
    "behind its entry": lambda box: killed_store(
        box, Fault(method="put", key="bakthat_catalog/", afterwards=True, error=lambda: Killed())
    ),
    "before its row": lambda box: killed_repo(box, afterwards=False),
    "behind its row": lambda box: killed_repo(box, afterwards=True),
    "before its state": lambda box: evolve(box, states=KilledStates(box.states, afterwards=False)),
    "behind its state": lambda box: evolve(box, states=KilledStates(box.states, afterwards=True)),
}


@pytest.mark.parametrize("moment", KILLED)
@pytest.mark.parametrize("nights", [0, 1, 2], ids=["the first", "the second", "the third"])
def test_after_a_kill_at_any_moment_the_next_backup_is_right(
    nights: int, moment: str, box: Toolbox, tree: Path, tmp_path: Path
) -> None:
    for number in range(nights):
        change(tree, f"{number}")
        night(box, tree)
    change(tree, "killed")
    broken = KILLED[moment](box)
    with pytest.raises(Killed):
        night(broken, tree)
    if isinstance(broken.repo, KilledRepo):
        box.repo = MemoryRepo()
        for row in broken.repo.find(Query(deleted=True)):
            box.repo.add(row)
    (tree / "pages" / "killed").unlink()
    (tree / "index").write_text("HELLO")
    made = night(box, tree)
    assert snapshot(bring_back(box, made, tmp_path / "out")) == snapshot(tree)
    for number, row in enumerate(box.repo.find(Query())):
        bring_back(box, row, tmp_path / f"{number}")
