"""Incremental backups from the command line, from the library, and by a job."""

from __future__ import annotations

import json
import os
import shutil
import time
from pathlib import Path

import pytest

from bakthat import Bakthat, Profile, open_profile
from bakthat.adapters.memory.metadata_repo import MemoryRepo
from bakthat.adapters.memory.object_store import MemoryObjectStore
from bakthat.adapters.packing.writing.fingerprints import is_recent
from bakthat.domain.backup import Backup
from bakthat.domain.chain import Chains
from bakthat.domain.rotation import RotationPolicy, plan
from bakthat.errors import ConfigInvalid, UsageError
from bakthat.testing.toolbox import SteppedClock
from tests.fixtures.command_line import CommandLine, Said
from tests.fixtures.tree_histories import snapshot, tick


@pytest.fixture
def photos(bakthat_command: CommandLine) -> Path:
    root = bakthat_command.here / "photos"
    root.mkdir()
    large = root / "large"
    large.write_bytes(os.urandom(50_000))
    while is_recent(large.stat(), time.time_ns()):  # else it would be stored twice
        time.sleep(0.01)
    return root


def back_up(command: CommandLine, *arguments: str) -> Said:
    said = command("backup", "photos", "-d", "local", "--prompt", "no", *arguments)
    assert said.code == 0, said.err
    return said


def test_a_chain_is_made_and_restored(bakthat_command: CommandLine, photos: Path) -> None:
    first = back_up(bakthat_command, "--incremental")
    assert first.out.endswith(".tgz\n")
    assert ".inc" not in first.out
    assert "photos: a full backup is made: there is no earlier one of this source and host\n" in first.err
    (photos / "new").write_text("new")
    second = back_up(bakthat_command, "--incremental")
    assert second.out.endswith(".inc.tgz\n")
    assert second.err.startswith("Backed up 2 files (50.0 kB) to local ~/.bakthat/store: ")
    assert second.err.endswith(f" for what changed since {first.out.strip()}, not encrypted.\n")
    target = bakthat_command.home / "target"
    restored = bakthat_command("restore", "photos", "-d", "local", "--target", str(target))
    assert restored.code == 0, restored.err
    assert snapshot(target / "photos") == snapshot(photos)


def test_the_state_is_in_the_cache_and_for_its_owner_alone(bakthat_command: CommandLine, photos: Path) -> None:
    back_up(bakthat_command, "--incremental")
    (state,) = (bakthat_command.home / ".cache" / "bakthat" / "states").iterdir()
    assert state.stat().st_mode & 0o777 == 0o600


def test_an_archive_is_restored_by_its_url_with_those_that_it_needs(bakthat_command: CommandLine, photos: Path) -> None:
    back_up(bakthat_command, "--incremental")
    (photos / "new").write_text("new")
    name = back_up(bakthat_command, "--incremental").out.strip()
    (stored,) = bakthat_command.home.rglob(name)
    target = bakthat_command.home / "target"
    restored = bakthat_command("restore", "--from", stored.as_uri(), "--target", str(target))
    assert restored.code == 0, restored.err
    assert snapshot(target / "photos") == snapshot(photos)


def test_a_profile_makes_all_backups_incremental_until_one_is_not_to_be(
    bakthat_command: CommandLine, photos: Path
) -> None:
    bakthat_command.configure({"default": {"incremental": {"full_every": "1W", "most": 2}}})
    names = [back_up(bakthat_command, *options).out for options in ((), (), ("--full",), (), ("--no-incremental",))]
    assert [".inc" in name for name in names] == [False, True, False, True, False]


def test_a_variable_of_the_environment_does_so_too(bakthat_command: CommandLine, photos: Path) -> None:
    bakthat_command.environment["BAKTHAT_INCREMENTAL"] = "most=1"
    assert [".inc" in back_up(bakthat_command).out for _ in range(3)] == [False, True, False]


def test_a_job_is_incremental_if_it_says_so(bakthat_command: CommandLine, photos: Path) -> None:
    job = {"source": str(photos), "incremental": True, "destination": "local"}
    bakthat_command.configure({"default": {"jobs": {"photos": job}}})
    for _ in range(2):
        said = bakthat_command("run", "photos")
        assert said.code == 0, said.err
    listed = json.loads(bakthat_command("show", "photos", "--json").out)["backups"]
    assert sorted(bool(row["metadata"].get("incremental")) for row in listed) == [False, True]


def test_a_damaged_base_is_named_and_the_rest_is_salvaged(bakthat_command: CommandLine, photos: Path) -> None:
    full = back_up(bakthat_command, "--incremental").out.strip()
    (photos / "new").write_text("new")
    newest = back_up(bakthat_command, "--incremental").out.strip()
    (stored,) = bakthat_command.home.rglob(full)
    content = bytearray(stored.read_bytes())
    content[len(content) // 2] ^= 1
    stored.write_bytes(content)
    said = bakthat_command("restore", "photos", "-d", "local")
    assert said.code == 5
    assert full in said.err
    assert said.err.endswith("if there is no other backup, --salvage brings back what is left\n")
    said = bakthat_command("restore", "photos", "-d", "local", "--salvage")
    assert (said.code, said.out) == (5, "./photos.salvaged\n")
    assert f"damaged: {full}: " in said.err
    assert f"Salvaged {newest}: 1 file whole (3 B), 0 partial, 1 unverified, 0 missing.\n" in said.err
    assert (bakthat_command.here / "photos.salvaged" / "photos" / "new").read_text() == "new"


def test_show_says_what_an_incremental_backup_continues(bakthat_command: CommandLine, photos: Path) -> None:
    full = back_up(bakthat_command, "--incremental").out.strip()
    back_up(bakthat_command, "--incremental")
    newest, oldest = bakthat_command("show", "photos", "-v").out.splitlines()
    assert f"[continues {full}]" in newest
    assert "continues" not in oldest


@pytest.mark.parametrize("option", ["--incremental", "--full"])
def test_a_stream_cannot_be_incremental(option: str, bakthat_command: CommandLine) -> None:
    said = bakthat_command("backup", "-", "--name", "x", option)
    assert said.code == 2
    assert f"{option} is for files and directories" in said.err


def test_a_wrong_setting_is_named(bakthat_command: CommandLine, photos: Path) -> None:
    bakthat_command.configure({"default": {"incremental": {"full_every": "30"}}})
    said = bakthat_command("backup", "photos", "-d", "local", "--prompt", "no")
    assert said.code == 2
    assert "incremental: full_every: the number at place 1 has no unit" in said.err


# From the library


def opened(store: MemoryObjectStore, clock: SteppedClock, **settings: object) -> Bakthat:
    return open_profile(Profile(**settings), store=store, repo=MemoryRepo(), clock=clock)  # type: ignore[arg-type]


def nights(bakthat: Bakthat, clock: SteppedClock, tree: Path, *settings: object) -> list[bool]:
    """Whether each night's backup is incremental."""
    made: list[Backup] = []
    for setting in settings:
        clock.forward(days=1)
        made.append(bakthat.backup(tree, password="", incremental=setting))  # type: ignore[arg-type]
    return [backup.is_incremental for backup in made]


def test_the_library_takes_a_switch_or_settings(
    store: MemoryObjectStore, clock: SteppedClock, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(photos.parent / "cache"))
    bakthat = opened(store, clock)
    assert nights(bakthat, clock, photos, True, {"most": 1}, {"most": 1}, True, None) == [
        False, True, False, True, False,
    ]  # fmt: skip


def test_true_means_the_settings_of_the_profile(
    store: MemoryObjectStore, clock: SteppedClock, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(photos.parent / "cache"))
    bakthat = opened(store, clock, incremental={"most": 1})
    assert nights(bakthat, clock, photos, True, True, None, False) == [False, True, False, False]


def test_wrong_settings_are_refused(store: MemoryObjectStore, clock: SteppedClock, photos: Path) -> None:
    with pytest.raises(UsageError, match="incremental: most: expected a whole number"):
        opened(store, clock).backup(photos, incremental={"most": 0})
    with pytest.raises(ConfigInvalid, match="incremental: 'often' is not one of full_every, most"):
        Profile(incremental={"often": True})


def test_forty_nights_of_a_job_leave_what_its_rotation_keeps_and_what_that_needs(
    store: MemoryObjectStore, clock: SteppedClock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = tmp_path / "photos"
    source.mkdir()
    (source / "large").write_bytes(os.urandom(50_000))
    while is_recent((source / "large").stat(), time.time_ns()):  # else it would be stored twice
        time.sleep(0.01)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    rotation = {"days": 5, "weeks": 3}
    job = {
        "source": str(source),
        "incremental": {"full_every": "10D", "most": 30},
        "rotation": rotation,
        "verify_every": "3D",
    }
    bk = opened(store, clock, jobs={"photos": job})
    made: list[Backup] = []
    trees = {}
    for number in range(40):
        (source / f"{number % 7}").write_text(f"of night {number}")
        tick(tmp_path)
        clock.forward(days=1)
        (run,) = bk.run_jobs().jobs
        assert (run.error, run.is_incomplete) == (None, False)
        assert run.backup is not None
        made.append(run.backup)
        trees[run.backup.stored_filename] = snapshot(source)
    assert [number for number, one in enumerate(made) if not one.is_incremental] == [0, 10, 20, 30]
    kept = [decision.backup for decision in plan(RotationPolicy(**rotation), made, clock()).keep]
    needed = {one.stored_filename for backup in kept for one in Chains(made).chain(backup)}
    assert 8 < len(needed) < 30
    left = {backup.stored_filename for backup in bk.show()}
    assert left == needed
    assert {key for key in (info.key for info in store.list()) if "/" not in key} == left
    assert any(backup.metadata.verified for backup in bk.show())
    for name in left:
        bk.restore(name, target=tmp_path / "out")
        assert snapshot(tmp_path / "out" / "photos") == trees[name]
        shutil.rmtree(tmp_path / "out")


def test_what_needs_a_deleted_backup_is_named_as_it_goes(bakthat_command: CommandLine, photos: Path) -> None:
    full = back_up(bakthat_command, "--incremental").out.strip()
    (photos / "new").write_text("new")
    second = back_up(bakthat_command, "--incremental").out.strip()
    said = bakthat_command("delete", full, "-d", "local", "--yes", "--with-dependents")
    assert (said.code, said.out) == (0, f"{second}\n{full}\n")
    assert said.err == f"Deleted {second} from local.\nDeleted {full} from local.\n"


def a_full_one_that_stays(bakthat_command: CommandLine, photos: Path) -> tuple[str, str]:
    """Make a full backup that no deletion can remove, and one that needs it; return their names."""
    full = back_up(bakthat_command, "--incremental").out.strip()
    (photos / "new").write_text("new")
    second = back_up(bakthat_command, "--incremental").out.strip()
    archive = bakthat_command.home / ".bakthat" / "store" / full
    archive.unlink()
    (archive / "in the way").mkdir(parents=True)  # what no deletion of a file removes
    return full, second


def test_what_was_deleted_before_an_error_is_named(bakthat_command: CommandLine, photos: Path) -> None:
    full, second = a_full_one_that_stays(bakthat_command, photos)
    said = bakthat_command("delete", full, "-d", "local", "--yes", "--with-dependents")
    assert said.code != 0
    assert said.out == f"{second}\n"


def test_json_has_what_was_deleted_before_an_error(bakthat_command: CommandLine, photos: Path) -> None:
    full, second = a_full_one_that_stays(bakthat_command, photos)
    arguments = ["delete", full, "-d", "local", "--yes", "--with-dependents", "--json"]
    said = bakthat_command(*arguments)
    assert (said.code, json.loads(said.out)) == (4, {"version": 1, "deleted": [second]})
    assert full in json.loads(said.err.splitlines()[-1])["error"]["message"]
    shutil.rmtree(bakthat_command.home / ".bakthat" / "store" / full)
    done = json.loads(bakthat_command(*arguments).out)
    assert (done["stored_filename"], done["dependents"], done["deleted"]) == (full, [], [full])


def test_json_has_what_was_copied_before_an_error(bakthat_command: CommandLine, photos: Path) -> None:
    full = back_up(bakthat_command, "--incremental").out.strip()
    (photos / "new").write_text("new")
    second = back_up(bakthat_command, "--incremental").out.strip()
    home = bakthat_command.home
    bakthat_command.configure({"default": {}, "other": {"local_path": str(home / "other")}})
    (home / ".bakthat" / "store" / second).write_bytes(b"damaged")
    said = bakthat_command("copy", second, "-d", "local", "--to", "local", "--to-profile", "other", "--json")
    done = json.loads(said.out)
    assert [backup["stored_filename"] for backup in done["copied"]] == [full]
    assert [failed["stored_filename"] for failed in done["failed"]] == [second]
    assert said.code == json.loads(said.err.splitlines()[-1])["error"]["exit_code"] == 5
