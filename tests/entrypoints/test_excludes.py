"""`bakthat backup`: what is left out, as a person reads it, and as a script does."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from bakthat import Bakthat, Profile, open_profile
from bakthat.adapters.local_folder import LocalObjectStore
from bakthat.adapters.memory.config_source import MemoryConfig
from bakthat.adapters.memory.metadata_repo import MemoryRepo
from bakthat.adapters.memory.object_store import MemoryObjectStore
from bakthat.errors import UsageError
from tests.fixtures.command_line import CommandLine, Said


@pytest.fixture
def proj(bakthat_command: CommandLine) -> Path:
    path = bakthat_command.here / "proj"
    (path / "src").mkdir(parents=True)
    for name in ("a.log", "prod.env", "src/main.c"):
        (path / name).write_text("x")
    return path


def backup(bakthat_command: CommandLine, *arguments: str, source: str = "proj") -> Said:
    return bakthat_command("backup", source, "-d", "local", "--prompt", "no", *arguments)


def stored(bakthat_command: CommandLine, folder: str = ".bakthat/store") -> list[str]:
    [path] = (bakthat_command.home / folder).glob("*.tgz")
    with tarfile.open(path) as archive:
        return [member.name for member in archive if member.isfile()]


def test_what_was_left_out_is_named_with_what_left_it_out(bakthat_command: CommandLine, proj: Path) -> None:
    (proj / ".gitignore").write_text("*.env\n")
    done = backup(bakthat_command, "--exclude", "*.log", "--exclude", "*.c")
    assert (done.code, done.err.splitlines()[-1]) == (
        0,
        "Left out 3 entries: 1 by proj/.gitignore, 2 by --exclude.",
    )


def test_with_verbose_each_is_named(bakthat_command: CommandLine, proj: Path) -> None:
    (proj / ".bakthatexclude").write_text("# secrets\n*.env\n")
    (bakthat_command.here / "more").write_text("*.log")
    done = backup(bakthat_command, "-v", "--exclude-from", "more", "--exclude", "/src")
    told = [line for line in done.err.splitlines() if line.startswith("left out")]
    assert sorted(told) == [
        "left out: proj/a.log (more, line 1)",
        "left out: proj/prod.env (proj/.bakthatexclude, line 2)",
        "left out: proj/src (--exclude)",
    ]


def test_where_nothing_is_left_out_nothing_is_printed(bakthat_command: CommandLine, proj: Path) -> None:
    assert "eft out" not in backup(bakthat_command).err


def test_json_has_the_counts(bakthat_command: CommandLine, proj: Path) -> None:
    (proj / ".gitignore").write_text("*.env\n")
    record = json.loads(backup(bakthat_command, "--json").out)
    assert record["metadata"]["excluded"] == {"entries": 1, "by": {".gitignore": 1}}
    [shown] = json.loads(bakthat_command("show", "--json").out)["backups"]
    assert shown["metadata"]["excluded"] == record["metadata"]["excluded"]


def test_gitignore_is_ignored_on_request_and_by_the_profile(bakthat_command: CommandLine, proj: Path) -> None:
    (proj / ".gitignore").write_text("*\n")
    assert json.loads(backup(bakthat_command, "--json", "--no-gitignore").out)["metadata"]["counts"]["files"] == 4
    bakthat_command.configure({"default": {"gitignore": False}})
    assert json.loads(backup(bakthat_command, "--json").out)["metadata"]["counts"]["files"] == 4


def test_a_backup_of_nothing_warns_even_where_quiet_is_asked_for(bakthat_command: CommandLine, proj: Path) -> None:
    (proj / ".gitignore").write_text("*\n")
    done = backup(bakthat_command, "-q")
    assert done.code == 0
    assert "contains no files; left out were 4 by .gitignore" in done.err


@pytest.mark.parametrize(
    ("content", "reason"), [(b"*.log\nsecret\xff\n", "line 2"), (b"secret\0\n", "line 1"), (None, "no such file")]
)
def test_a_file_that_is_not_a_list_of_patterns_is_a_usage_error_which_does_not_show_it(
    bakthat_command: CommandLine, proj: Path, content: bytes | None, reason: str
) -> None:
    if content is not None:
        (bakthat_command.here / "list").write_bytes(content)
    done = backup(bakthat_command, "--exclude-from", "list")
    assert (done.code, len(done.err.splitlines())) == (2, 1)
    assert "--exclude-from: list" in done.err
    assert reason in done.err
    assert "secret" not in done.err


@pytest.mark.parametrize(("name", "code"), [(".gitignore", 0), (".bakthatexclude", 1)])
def test_patterns_are_not_read_through_a_link(bakthat_command: CommandLine, proj: Path, name: str, code: int) -> None:
    (proj / name).symlink_to("/etc/passwd")
    done = backup(bakthat_command)
    assert (done.code, f"proj/{name} is a symbolic link" in done.err, "root:" in done.err) == (code, True, False)


def test_a_pattern_made_to_freeze_a_matcher_freezes_nothing(bakthat_command: CommandLine, proj: Path) -> None:
    (proj / ("a" * 200)).touch()
    (proj / ".gitignore").write_text("*a*a*a*a*a*a*a*a*a*a*a*b\n" + "*" * 8_000_000 + "\n!*a\n!/src\n")
    done = backup(bakthat_command, "--json")
    assert json.loads(done.out)["metadata"]["excluded"]["entries"] == 4


OPTIONS = ["--exclude-caches", "--exclude-if-present", ".nobackup", "--exclude-larger-than", "1kB", "--one-file-system"]
KEYS = {
    "exclude_caches": True,
    "exclude_if_present": ".nobackup",
    "exclude_larger_than": "1 kB",
    "one_file_system": True,
}


@pytest.fixture
def mixed(proj: Path) -> Path:
    (proj / "cache").mkdir()
    (proj / "cache" / "CACHEDIR.TAG").write_text("Signature: 8a477f597d28d172789f06886806bc55")
    (proj / "cache" / "c").touch()
    (proj / "src" / ".nobackup").touch()
    (proj / "large").write_bytes(bytes(1001))
    return proj


MIXED = {"--exclude-caches": 1, "--exclude-if-present": 1, "--exclude-larger-than": 1}


def test_caches_marked_directories_and_large_files_are_left_out_by_options(
    bakthat_command: CommandLine, mixed: Path
) -> None:
    done = backup(bakthat_command, "--json", *OPTIONS)
    assert json.loads(done.out)["metadata"]["excluded"]["by"] == MIXED
    kept = ["a.log", "cache/CACHEDIR.TAG", "prod.env", "src/.nobackup"]
    assert sorted(stored(bakthat_command)) == [f"proj/{name}" for name in kept]
    assert done.err == (
        "Left out 3 entries: 1 by --exclude-caches, 1 by --exclude-if-present, 1 by --exclude-larger-than.\n"
    )


def test_the_profile_may_have_them(bakthat_command: CommandLine, mixed: Path) -> None:
    bakthat_command.configure({"default": KEYS})
    assert json.loads(backup(bakthat_command, "--json").out)["metadata"]["excluded"]["by"] == MIXED


def test_an_option_takes_the_place_of_the_profiles_value(bakthat_command: CommandLine, mixed: Path) -> None:
    bakthat_command.configure({"default": KEYS})
    done = backup(bakthat_command, "--json", "--exclude-if-present", "x", "--exclude-larger-than", "2000")
    assert json.loads(done.out)["metadata"]["excluded"]["by"] == {"--exclude-caches": 1}


def test_the_library_has_the_options(bakthat: Bakthat, mixed: Path) -> None:
    made = bakthat.backup(
        mixed, exclude_caches=True, exclude_if_present=[".nobackup"], exclude_larger_than="1k", one_file_system=True
    )
    assert made.metadata["excluded"]["by"] == MIXED


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (["--exclude-larger-than", "big"], "500M"),
        (["--exclude-larger-than", "-5"], "500M"),
        (["--exclude-if-present", "a/b"], "without a slash"),
    ],
)
def test_what_cannot_be_meant_is_a_usage_error(
    bakthat_command: CommandLine, proj: Path, arguments: list[str], word: str
) -> None:
    done = backup(bakthat_command, *arguments)
    assert (done.code, word in done.err, len(done.err.splitlines())) == (2, True, 1)


# a dry run


def test_a_dry_run_shows_what_would_be_stored_and_creates_nothing(bakthat_command: CommandLine, proj: Path) -> None:
    (proj / ".gitignore").write_text("*.env\n")
    before = bakthat_command.files()
    done = backup(bakthat_command, "--dry-run")
    assert (done.code, done.out) == (0, "Would back up 3 files (8 B) as proj; nothing was stored.\n")
    assert done.err == "Left out 1 entry: 1 by proj/.gitignore.\n"
    assert bakthat_command.files() == before


def test_a_dry_run_contacts_no_store_and_asks_for_no_password(bakthat_command: CommandLine, proj: Path) -> None:
    bakthat_command.configure({"default": {"s3_bucket": "b", "endpoint_url": "http://127.0.0.1:9"}})
    done = bakthat_command("backup", "proj", "--dry-run", "--json")
    record = json.loads(done.out)
    assert (done.code, record["metadata"]["dry_run"], record["metadata"]["counts"]["files"]) == (0, True, 3)
    assert done.err == ""


def test_the_library_has_it_too(bakthat: Bakthat, store: MemoryObjectStore, tree: Path) -> None:
    (tree / "a.tmp").touch()
    would = bakthat.backup(tree, dry_run=True, excludes=["*.tmp"])
    assert (would.metadata["counts"]["files"], would.metadata["excluded"]["entries"]) == (1, 1)
    assert list(store.list()) == []
    assert bakthat.show() == []


def test_a_dry_run_calls_no_listener(bakthat: Bakthat, tree: Path) -> None:
    told: list[str] = []
    bakthat.events.before_backup += told.append
    bakthat.backup(tree, dry_run=True)
    assert told == []


# bakthat's own


def test_a_home_directory_is_backed_up_without_the_backups_of_it(bakthat_command: CommandLine) -> None:
    (bakthat_command.home / "notes").write_text("x")
    (bakthat_command.home / ".cache" / "bakthat").mkdir(parents=True)
    home = str(bakthat_command.home)
    first = backup(bakthat_command, "-q", source=home)
    assert (first.code, stored(bakthat_command)) == (0, ["home/notes"])
    second = backup(bakthat_command, "--json", source=home)
    record = json.loads(second.out)
    own = [f"{home}/{name}" for name in (".bakthat.sqlite", ".bakthat/store", ".cache/bakthat")]
    assert record["metadata"]["counts"]["files"] == 1
    assert set(own) <= set(record["metadata"]["excluded"]["own"])
    assert f"of bakthat's own ({', '.join(record['metadata']['excluded']['own'])})" in second.err


def test_local_folders_and_databases_of_every_profile_are_bakthats_own(bakthat_command: CommandLine) -> None:
    home = bakthat_command.home
    for name in ("nas/x", "other.sqlite", "mine"):
        (home / name).parent.mkdir(exist_ok=True)
        (home / name).touch()
    bakthat_command.configure(
        {
            "default": {},
            "nas": {"local_path": str(home / "nas"), "database": f"sqlite:///{home}/other.sqlite", "unknown": 1},
            "broken": {"compress": "perhaps"},
        }
    )
    done = backup(bakthat_command, source=str(home))
    assert stored(bakthat_command) == ["home/.bakthat.yml", "home/mine"]
    assert "unknown" not in done.err


def test_bakthats_own_things_have_absolute_paths_whatever_the_source_is_called(
    bakthat_command: CommandLine, proj: Path
) -> None:
    (proj / "store").mkdir()
    bakthat_command.configure({"default": {"local_path": str(proj / "store")}})
    record = json.loads(backup(bakthat_command, "--json").out)
    assert record["metadata"]["excluded"]["own"] == [str(proj / "store")]


def test_a_local_folder_is_not_backed_up_into_itself(bakthat_command: CommandLine, proj: Path) -> None:
    backup(bakthat_command)
    folder = str(bakthat_command.home / ".bakthat" / "store")
    done = backup(bakthat_command, source=folder)
    assert (done.code, folder in done.err) == (2, True)
    assert backup(bakthat_command, "--dry-run", source=folder).code == 2


def test_a_local_folder_is_backed_up_elsewhere_without_bakthats_objects(
    bakthat_command: CommandLine, proj: Path
) -> None:
    backup(bakthat_command)
    folder = bakthat_command.home / ".bakthat" / "store"
    (folder / "notes").write_text("x")
    bakthat_command.configure({"default": {}, "two": {"local_path": str(bakthat_command.home / "two")}})
    done = backup(bakthat_command, "-p", "two", source=str(folder))
    assert (done.code, stored(bakthat_command, "two")) == (0, ["store/notes"])
    assert f"the source is part of {folder}, a folder of bakthat" in done.err


def test_a_folder_that_is_handed_in_as_a_store_is_bakthats_own(tmp_path: Path) -> None:
    (tmp_path / "disk with space").mkdir()
    (tmp_path / "disk with space" / "x").touch()
    (tmp_path / "notes").touch()
    folder = LocalObjectStore(tmp_path / "disk with space")
    config = MemoryConfig([Profile(local_path=str(tmp_path / "elsewhere"), database=str(tmp_path / "db"))])
    bk = open_profile(config=config, stores={"disk": folder}, repo=MemoryRepo(), environment={})
    made = bk.backup(tmp_path, "disk", password="")
    assert made.metadata["counts"]["files"] == 1
    with pytest.raises(UsageError, match="disk with space is the folder of the destination 'disk' itself"):
        bk.backup(tmp_path / "disk with space", "disk", password="")


def test_patterns_cost_nothing_where_there_are_none(tmp_path: Path) -> None:
    code = (
        "import sys; from bakthat import open_profile; open_profile(); import bakthat.entrypoints.commands.show; "
        "print([name for name in sys.modules if 'pattern' in name or 'gitignore' in name])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "[]\n"
