"""`bakthat copy` and `bk.copy`: what a person types and reads, and what a program gets."""

from __future__ import annotations

import json
import os
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve

from bakthat import Bakthat, Profile, open_profile
from bakthat.adapters.memory.metadata_repo import MemoryRepo
from bakthat.adapters.memory.object_store import MemoryObjectStore
from bakthat.domain.query import Query
from bakthat.errors import BackupNotFound, ObjectExists, ProfileNotFound, UsageError
from bakthat.testing.toolbox import SteppedClock
from tests.fixtures.command_line import CommandLine, Said
from tests.fixtures.s3_servers import s3_profile


@pytest.fixture
def run(bakthat_command: CommandLine) -> CommandLine:
    (bakthat_command.here / "site").mkdir()
    (bakthat_command.here / "site" / "index.html").write_text("<h1>hello</h1>")
    home = bakthat_command.home
    folder = {"default_destination": "local"}
    bakthat_command.configure(
        {"default": {**folder, "local_path": str(home / "one")}, "offsite": {**folder, "local_path": str(home / "two")}}
    )
    bakthat_command("backup", "site", "--prompt", "no")
    return bakthat_command


def copy(run: CommandLine, *arguments: str) -> Said:
    return run("copy", *arguments, "--to", "local", "--to-profile", "offsite")


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.glob("site.*"))


def test_a_copy_in_another_profile_is_restored_from_there(run: CommandLine) -> None:
    said = copy(run, "site")
    (name,) = names(run.home / "two")
    assert (said.code, said.out, said.err) == (0, f"copied\t{name}\n", "Copied 1.\n")
    run("delete", "site", "--yes")
    assert run("restore", "site", "-p", "offsite").code == 1  # it is in the way
    assert run("restore", "site", "-p", "offsite", "--overwrite").code == 0


def test_output_on_a_full_disk_does_not_keep_the_rest_from_being_copied(run: CommandLine) -> None:
    run("backup", "site", "--prompt", "no")
    command = run.command("copy", "--all", "--to", "local", "--to-profile", "offsite")
    with open("/dev/full", "w") as full:
        done = subprocess.run(command, stdout=full, stderr=-1, env=run.env(), cwd=run.here, text=True, check=False)
    assert (done.returncode, names(run.home / "two")) == (1, names(run.home / "one"))
    assert done.stderr.splitlines() == [
        "Copied 2.",
        "bakthat: the result could not be written to standard output: No space left on device",
    ]


def test_each_of_two_copies_is_meant_by_its_own_profile(run: CommandLine) -> None:
    copy(run, "site")
    assert run("delete", "site", "-p", "offsite", "--yes").code == 0
    assert (len(names(run.home / "one")), names(run.home / "two")) == (1, [])
    assert run("verify", "site").code == 0


def test_a_second_run_says_that_everything_is_there(run: CommandLine) -> None:
    copy(run, "--all")
    assert (copy(run, "--all").out, copy(run, "--all").err) == ("", "Copied 0, 1 already there.\n")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["site", "--all", "--to", "s3"], "requires the NAME of a backup, or --all"),
        (["--to", "s3"], "requires the NAME of a backup, or --all"),
        (["site", "--series", "site", "--to", "s3"], "--series goes with --all"),
        (["site", "--to", "local"], "that is where they would be copied to"),
        (["site", "--to", "lokal"], "did you mean local"),
        (["site", "--to", "local", "--to-profile", "ofsite"], "offsite"),
        (["site"], "--to"),
    ],
    ids=["both", "neither", "series alone", "same place", "no destination", "no profile", "no target"],
)
def test_what_cannot_be_meant_is_refused(run: CommandLine, arguments: list[str], words: str) -> None:
    said = run("copy", *arguments)
    assert (said.code, said.out) == (2, "")
    assert words in said.err


def test_one_damaged_backup_does_not_stop_the_rest_and_the_exit_code_says_so(run: CommandLine) -> None:
    (name,) = names(run.home / "one")
    damaged = run.home / "one" / name
    damaged.write_bytes(damaged.read_bytes()[:-1] + b"?")
    run("backup", "site", "--name", "other", "--prompt", "no")
    said = copy(run, "--all")
    assert (said.code, said.out.startswith("copied\tother.")) == (5, True)
    assert f"bakthat: {name}: the stored bytes are not those that were written" in said.err
    assert "1 of 2 could not be copied" in said.err
    assert names(run.home / "two") == []


def test_json_has_what_was_copied_and_what_was_not(run: CommandLine) -> None:
    (name,) = names(run.home / "one")
    (run.home / "two").mkdir()
    (run.home / "two" / name).write_bytes(b"another")
    said = copy(run, "--all", "--json")
    found = json.loads(said.out)
    assert (said.code, found["copied"], found["present"]) == (4, [], [])
    assert [failed["stored_filename"] for failed in found["failed"]] == [name]
    assert "another object under this name" in found["failed"][0]["error"]


def test_a_copy_that_is_killed_leaves_nothing_and_the_next_one_is_whole(run: CommandLine) -> None:
    (run.here / "site" / "noise").write_bytes(os.urandom(1_000_000))
    run("backup", "site", "--name", "noise", "--prompt", "no")
    command = run.command("copy", "noise", "--to", "local", "--to-profile", "offsite", "--limit-upload", "100K")
    with subprocess.Popen(command, cwd=run.here, env=run.env(), stderr=subprocess.DEVNULL) as copying:
        while not (run.home / "two").exists():
            assert copying.poll() is None
            time.sleep(0.01)
        copying.kill()
    assert list((run.home / "two").glob("noise.*")) == []
    assert copy(run, "noise").code == 0
    assert run("verify", "noise", "-p", "offsite").code == 0


def test_a_dry_run_copies_nothing(run: CommandLine) -> None:
    said = copy(run, "--all", "--dry-run")
    assert (said.out.startswith("would copy\tsite."), said.err) == (True, "Would copy 1.\n")
    assert not (run.home / "two").exists()


def test_between_two_buckets_of_a_service_it_copies_by_itself(run: CommandLine, moto_url: str) -> None:
    made = s3_profile(moto_url)
    keys = ("access_key", "secret_key", "s3_bucket", "endpoint_url")
    one = {name: getattr(made, name) for name in keys}
    run.configure({"default": one, "offsite": {**one, "s3_prefix": "second"}})
    run("backup", "site", "--prompt", "no")
    said = run("copy", "site", "--to", "s3", "--to-profile", "offsite")
    assert (said.code, said.err) == (0, "Copied 1 (1 within the service).\n")
    assert run("verify", "site", "-p", "offsite").code == 0


# the library


@pytest.fixture
def target(repo: MemoryRepo, clock: SteppedClock) -> Bakthat:
    stores = {"s3": MemoryObjectStore("memory://second", clock=clock)}
    return open_profile(Profile(name="offsite"), stores=stores, repo=repo, clock=clock, environment={})


def test_an_opened_profile_is_a_target(bakthat: Bakthat, target: Bakthat, tree: Path) -> None:
    bakthat.backup(tree, password="")
    report = bakthat.copy("site", to="s3", to_profile=target)
    assert [copy.location for copy in report.copied] == ["memory://second"]
    assert target.delete("site").location == "memory://second"
    assert [row.location for row in bakthat.show()] == ["memory://s3"]


def test_the_rows_of_copies_are_in_the_database_of_the_target(bakthat: Bakthat, target: Bakthat, tree: Path) -> None:
    own = open_profile(Profile(), store=MemoryObjectStore("memory://third"), repo=MemoryRepo(), environment={})
    bakthat.backup(tree, password="")
    bakthat.copy("site", to="s3", to_profile=own)
    assert [row.location for row in own.show()] == ["memory://third"]
    assert [row.location for row in bakthat.show()] == ["memory://s3"]


def test_settings_are_a_target(bakthat: Bakthat, tree: Path, tmp_path: Path) -> None:
    bakthat.backup(tree, password="")
    offsite = Profile(local_path=tmp_path / "second", database=bakthat.profile.database)  # type: ignore[arg-type]
    bakthat.copy(to="local", to_profile=offsite)
    assert len(list(bakthat.tools.repo.find(Query(backend="local")))) == 1


def test_the_error_of_one_backup_is_raised(bakthat: Bakthat, target: Bakthat, tree: Path) -> None:
    made = bakthat.backup(tree, password="")
    other = evolve(made, metadata=made.metadata.changed(location="memory://second", sha256="0" * 64))
    target.tools.repo.add(other)
    with pytest.raises(ObjectExists):
        bakthat.copy("site", to="s3", to_profile=target)
    assert [error.__class__ for _, error in bakthat.copy(to="s3", to_profile=target).failed] == [ObjectExists]


def test_a_name_of_a_profile_needs_a_configuration(bakthat: Bakthat, tree: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="give a `Profile`"):
        bakthat.copy(to="s3", to_profile="offsite")
    (tmp_path / "config.yml").write_text("default: {}\n")
    (tmp_path / "config.yml").chmod(0o600)
    with pytest.raises(ProfileNotFound):
        open_profile(config=tmp_path / "config.yml", environment={}).copy(to="s3", to_profile="offsite")


def test_listeners_get_the_report(bakthat: Bakthat, target: Bakthat, tree: Path) -> None:
    seen: list[Any] = []
    bakthat.events.before_copy += lambda session: seen.append("before")
    bakthat.events.on_copy += lambda session, report: seen.append(len(report.copied))
    bakthat.events.on_failure += lambda session, verb, error: seen.append(verb)
    bakthat.backup(tree, password="")
    bakthat.copy(to="s3", to_profile=target)
    with pytest.raises(BackupNotFound):
        bakthat.copy("nosuch", to="s3", to_profile=target)
    assert seen == ["before", 1, "before", "copy"]
