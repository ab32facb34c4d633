"""Whatever the verbs do to chains, in any order: every backup that is recorded is restored as the tree was, on this
machine and on another one with an empty database, and nothing of a chain is left over that nobody can use."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from random import Random

import pytest
from attrs import define, field

from bakthat.domain.backup import Backup
from bakthat.domain.chain import Chains
from bakthat.domain.increment_policy import IncrementPolicy
from bakthat.domain.query import Query
from bakthat.domain.rotation import RotationPolicy
from bakthat.errors import BackupNotFound, BakthatError, StoreError
from bakthat.testing.faulty import Fault, FaultyObjectStore
from bakthat.testing.toolbox import Toolbox
from bakthat.usecases.backup import BackupRequest, backup
from bakthat.usecases.copy import CopyRequest, copy
from bakthat.usecases.delete import DeleteRequest, delete
from bakthat.usecases.restore import RestoreRequest, restore
from bakthat.usecases.retention import remove_older_than, rotate_backups
from bakthat.usecases.sync import sync
from bakthat.usecases.verify import verify
from tests.fixtures.tree_histories import Snapshot, TreeHistory, snapshot

POLICIES = (
    RotationPolicy(last=1),
    RotationPolicy(last=2, days=2),
    RotationPolicy(days=3, weeks=2),
    RotationPolicy(weeks=2, months=2),
)


@define
class World:
    """A tree, a machine, and what each backup has to give."""

    history: TreeHistory
    chance: Random
    folder: Path
    box: Toolbox = field(factory=lambda: Toolbox(block_size=2048))
    expected: dict[str, Snapshot] = field(factory=dict)

    def rows(self, box: Toolbox | None = None) -> list[Backup]:
        return list((box or self.box).repo.find(Query()))

    def step(self) -> None:
        """One verb."""
        verbs = (
            *[self.back_up] * 8, self.rotate, self.rotate, self.remove_old, self.delete, self.delete, self.copy,
            self.forget, self.lose_states, self.verify,
        )  # fmt: skip
        with contextlib.suppress(BackupNotFound):
            self.chance.choice(verbs)()

    def back_up(self) -> None:
        self.history.change()
        self.box.clock.forward(hours=self.chance.choice((7, 24, 24, 30)))
        policy = IncrementPolicy(full_every=timedelta(days=9), most=4)
        name = "local" if self.chance.random() < 0.1 else "s3"
        request = BackupRequest(
            source=self.history.root, destination=name, incremental=policy, full=self.chance.random() < 0.1
        )
        made = backup(request, self.box.tools)
        # Another destination has a backup of this name only if it is a copy of it
        self.expected[made.stored_filename] = snapshot(self.history.root)

    def rotate(self) -> None:
        with self.failing_deletions():
            rotate_backups("tree", "s3", self.chance.choice(POLICIES), self.box.tools)

    def remove_old(self) -> None:
        with self.failing_deletions():
            remove_older_than("tree", "s3", timedelta(days=self.chance.randint(1, 6)), self.box.tools)

    def delete(self) -> None:
        rows = self.rows()
        if rows:
            victim = self.chance.choice(rows)
            request = DeleteRequest(
                name=victim.stored_filename, destination=victim.backend, with_dependents=self.chance.random() < 0.5
            )
            with contextlib.suppress(BakthatError), self.failing_deletions():
                delete(request, self.box.tools)

    def copy(self) -> None:
        copy(CopyRequest(name=None, source="s3", to="local"), self.box.tools, self.box.tools)

    def forget(self) -> None:
        """The machine is a new one."""
        self.box.repo = type(self.box.repo)()
        for name in ("s3", "local"):
            sync(name, self.box.tools)

    def lose_states(self) -> None:
        self.box.states = Toolbox().states

    def verify(self) -> None:
        sync("s3", self.box.tools)  # of a deletion that failed half-way the record may still be there
        assert not [result.error for result in verify(None, "s3", self.box.tools) if result.error]

    @contextlib.contextmanager
    def failing_deletions(self) -> Iterator[None]:
        """Perhaps one deletion fails."""
        whole = self.box.stores["s3"]
        if self.chance.random() < 0.4:
            fault = Fault(method="delete", call=self.chance.randint(1, 4), error=lambda: StoreError("not now"))
            self.box.stores["s3"] = FaultyObjectStore(whole, fault)
        try:
            yield
        finally:
            self.box.stores["s3"] = whole

    def check(self, seed: int) -> int:
        """Every backup that is recorded anywhere is restored as it was."""
        other = Toolbox(stores=self.box.stores, clock=self.box.clock, block_size=2048)
        for name in other.stores:
            sync(name, self.box.tools)
            sync(name, other.tools)
        names = {(row.backend, row.stored_filename) for row in self.rows()}
        assert {(row.backend, row.stored_filename) for row in self.rows(other)} >= names, f"seed {seed}"
        for box in (self.box, other):
            for row in self.rows(box):
                target = self.folder / "restored"
                request = RestoreRequest(name=row.stored_filename, destination=row.backend, target=target)
                restore(request, box.tools)
                where = f"seed {seed}: {row.stored_filename} in {row.backend}"
                assert snapshot(target / "tree") == self.expected[row.stored_filename], where
                shutil.rmtree(target)
        for name in other.stores:
            chains = Chains(row for row in self.rows(other) if row.backend == name)
            for row in self.rows(other):
                if row.backend == name:
                    chains.chain(row)
        return len(self.rows())


@pytest.mark.parametrize("batch", range(3), ids=[f"batch {number}" for number in range(3)])
def test_every_recorded_backup_is_restored_whatever_the_verbs_did(batch: int, folder: Path) -> None:
    left = 0
    for seed in range(10 * batch, 10 * batch + 10):
        chance = Random(seed)
        place = folder / f"{seed}"
        place.mkdir()
        world = World(TreeHistory(place / "source" / "tree", chance), chance, place)
        for _ in range(14):
            world.step()
        left += world.check(seed)
        shutil.rmtree(place)
    assert left > 20
