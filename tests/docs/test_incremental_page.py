"""The page about incremental backups: its restore with tar alone, and its settings."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import yaml

from bakthat.domain.increment_policy import IncrementPolicy, policy_of_setting
from bakthat.testing.toolbox import Toolbox
from bakthat.usecases.backup import BackupRequest, backup
from tests.fixtures.tree_histories import snapshot, tick

PAGE = (Path(__file__).parents[2] / "docs" / "incremental.md").read_text()


def test_tar_alone_restores_the_tree_deletions_included(tmp_path: Path) -> None:
    (commands,) = re.findall(r"```bash\n(.*?)```", PAGE, re.DOTALL)
    tree = tmp_path / "photos"
    (tree / "old").mkdir(parents=True)
    for name in ("kept", "deleted", "old/below", "changed"):
        (tree / name).write_text(name)
    (tree / "large").write_bytes(os.urandom(50_000))  # what changes is less than half of it
    box, here = Toolbox(), tmp_path / "here"
    here.mkdir()

    def night() -> None:
        box.clock.forward(days=1)
        policy = IncrementPolicy()
        made = backup(BackupRequest(source=tree, destination="s3", incremental=policy), box.tools)
        with box.stores["s3"].open(made.stored_filename) as stored:
            (here / made.stored_filename).write_bytes(stored.read())
        tick(tmp_path)

    night()
    (tree / "deleted").unlink()
    shutil.rmtree(tree / "old")
    (tree / "old").write_text("a file now")
    (tree / "changed").write_text("changed indeed" * 100)
    night()
    (tree / "new").write_text("new")
    night()
    assert len(list(here.glob("*.inc.tgz"))) == 2
    subprocess.run(["bash", "-euc", commands], cwd=here, check=True)
    assert snapshot(here / "restored" / "photos") == snapshot(tree)


def test_the_warning_is_there() -> None:
    assert "**`tar --incremental` deletes.**" in PAGE


def test_the_settings_are_the_usual_ones() -> None:
    (example,) = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    setting = yaml.safe_load(example)["default"]["incremental"]
    assert policy_of_setting(setting) == policy_of_setting(True) == IncrementPolicy()
