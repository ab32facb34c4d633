"""Settings from the environment, password files, and which file is the configuration: as a user meets them."""

from __future__ import annotations

import contextlib
import json
import os
import re
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

import bakthat
from bakthat import Bakthat, Profile, open_profile
from bakthat.adapters.encryption.key_files import keygen
from bakthat.adapters.memory.config_source import MemoryConfig
from bakthat.adapters.memory.metadata_repo import MemoryRepo
from bakthat.adapters.memory.object_store import MemoryObjectStore
from bakthat.domain.environment_settings import unknown_variables
from bakthat.entrypoints.config_place import open_config, usual_file
from bakthat.entrypoints.listing import Wanted, list_backups
from bakthat.errors import ConfigInvalid, ProfileNotFound
from bakthat.testing.toolbox import SteppedClock
from tests.fixtures.command_line import CommandLine
from tests.fixtures.s3_servers import s3_profile

PAIR = keygen(clock=SteppedClock())

# a container: no file, only the environment


@pytest.fixture
def container(bakthat_command: CommandLine, tmp_path: Path) -> CommandLine:
    """bakthat whose environment is all that it has."""
    (bakthat_command.here / "site").mkdir()
    (bakthat_command.here / "site" / "index.html").write_text("<h1>hello</h1>")
    password = tmp_path / "password"
    password.touch(0o600)
    password.write_text("correct horse\n")
    bakthat_command.environment.update(
        BAKTHAT_DEFAULT_DESTINATION="local",
        BAKTHAT_LOCAL_PATH=str(tmp_path / "store"),
        BAKTHAT_DATABASE=str(tmp_path / "database"),
        BAKTHAT_PASSWORD_FILE=str(password),
        BAKTHAT_ROTATION="days=1",
        BAKTHAT_HOST="web1",
    )
    return bakthat_command


def test_the_environment_alone_backs_up_restores_and_rotates(container: CommandLine) -> None:
    made = container("backup", "site", "--name", "site")
    assert (made.code, made.out.endswith(".tgz.enc\n")) == (0, True)
    restored = container("restore", "site", "--target", "out")
    assert restored.code == 0, restored.err
    assert (container.here / "out" / "site" / "index.html").read_text() == "<h1>hello</h1>"
    rotated = container("rotate_backups", "site")
    assert rotated.code == 0, rotated.err
    assert container("show").out == container("show", "-p", "default").out != ""
    assert not [name for name in container.files() if name.startswith(".")], "nothing in the home directory"


def test_it_needs_no_home_directory(container: CommandLine) -> None:
    program = (
        "import pwd, runpy\n"
        "def getpwuid(number): raise KeyError(number)\n"
        "pwd.getpwuid = getpwuid\n"
        "runpy.run_module('bakthat', run_name='__main__', alter_sys=True)"
    )
    environment = {name: value for name, value in container.env().items() if name != "HOME"}
    del environment["BAKTHAT_PASSWORD_FILE"]
    done = subprocess.run(
        [sys.executable, "-c", program, "backup", "site", "--prompt", "no"],
        cwd=container.here,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout.endswith(".tgz\n")) == (0, True), done.stderr


def test_a_bucket_is_named_by_the_environment_alone(container: CommandLine, moto_url: str) -> None:
    profile = s3_profile(moto_url)
    names = ("access_key", "secret_key", "s3_bucket", "endpoint_url")
    settings = {f"BAKTHAT_{name.upper()}": str(getattr(profile, name)) for name in names}
    container.environment.update(settings, BAKTHAT_DEFAULT_DESTINATION="s3", BAKTHAT_S3_PREFIX="web1")
    del container.environment["BAKTHAT_PASSWORD_FILE"]
    assert container("backup", "site", "--prompt", "no").code == 0
    assert container("verify", "site").out.startswith("good\t")


def test_the_endpoint_of_aws_alone_is_honoured_and_known(container: CommandLine, seaweedfs_url: str) -> None:
    profile = s3_profile(seaweedfs_url)
    container.environment = {
        "AWS_ENDPOINT_URL_S3": seaweedfs_url,
        "AWS_ACCESS_KEY_ID": str(profile.access_key),
        "AWS_SECRET_ACCESS_KEY": str(profile.secret_key),
        "BAKTHAT_S3_BUCKET": str(profile.s3_bucket),
    }
    stored = container("backup", "site", "--prompt", "no").out.strip()
    location = f"s3://{profile.s3_bucket}?endpoint={seaweedfs_url.removeprefix('http://')}"
    assert recorded_locations(container) == [location]
    # What 1.0 recorded: the location by the profile's own text.
    with contextlib.closing(sqlite3.connect(container.home / ".bakthat.sqlite")) as database, database:
        database.execute("update backups set metadata = replace(metadata, ?, ?)", (location, location.split("?")[0]))
    assert recorded_locations(container) == [location.split("?")[0]]
    synced = container("sync")
    assert (synced.code, stored in synced.out + synced.err) == (0, True), synced.err
    assert recorded_locations(container) == [location]
    assert container("restore", "site", "--target", "out").code == 0
    assert (container.here / "out" / "site" / "index.html").read_text() == "<h1>hello</h1>"


def recorded_locations(run: CommandLine) -> list[str]:
    with contextlib.closing(sqlite3.connect(run.home / ".bakthat.sqlite")) as database:
        rows = database.execute("select metadata from backups where not is_deleted")
        return [json.loads(metadata)["location"] for (metadata,) in rows]


# the command line


def test_an_option_stands_before_the_environment_and_that_before_the_file(bakthat_command: CommandLine) -> None:
    bakthat_command.configure({"default": {"default_destination": "local", "compression": "none"}})
    (bakthat_command.here / "f").write_text("1")
    of_file = bakthat_command("backup", "f", "--prompt", "no")
    assert re.fullmatch(r"f\.\d{14}\n", of_file.out)
    of_environment = bakthat_command("backup", "f", "--prompt", "no", BAKTHAT_COMPRESSION="gzip")
    assert of_environment.out.endswith(".tgz\n")
    of_option = bakthat_command("backup", "f", "--prompt", "no", "--compression", "zstd", BAKTHAT_COMPRESSION="gzip")
    assert of_option.out.endswith(".tar.zst\n")


def test_a_wrong_value_ends_with_2_and_names_the_variable(bakthat_command: CommandLine) -> None:
    said = bakthat_command("show", BAKTHAT_MAX_CONCURRENCY="many")
    assert (said.code, said.out) == (2, "")
    assert said.err == "bakthat: BAKTHAT_MAX_CONCURRENCY: expected a whole number from 1\n"


def test_an_unknown_variable_is_a_notice(bakthat_command: CommandLine) -> None:
    said = bakthat_command("show", "-q", BAKTHAT_BUCKET="x")
    assert said.code == 0
    assert said.err == "bakthat: BAKTHAT_BUCKET: unknown variable (did you mean BAKTHAT_S3_BUCKET?); it is not used\n"


def test_the_profile_can_be_named_by_the_environment(bakthat_command: CommandLine) -> None:
    bakthat_command.configure({"default": {}, "nas": {"default_destination": "local", "local_path": "nas"}})
    (bakthat_command.here / "f").write_text("1")
    assert bakthat_command("backup", "f", "--prompt", "no", BAKTHAT_PROFILE="nas").code == 0
    assert (bakthat_command.here / "nas").is_dir()
    said = bakthat_command("show", BAKTHAT_PROFILE="nsa")
    assert said.code == 2
    assert said.err.startswith("bakthat: BAKTHAT_PROFILE: ")
    assert "did you mean 'nas'?" in said.err


def test_an_option_names_another_profile_and_a_replaced_destination_is_said(bakthat_command: CommandLine) -> None:
    bakthat_command.configure({"nas": {"default_destination": "local", "local_path": "nas"}})
    (bakthat_command.here / "f").write_text("1")
    said = bakthat_command(
        "backup", "f", "--prompt", "no", "-p", "nas", BAKTHAT_LOCAL_PATH="other", BAKTHAT_PROFILE="default"
    )
    assert said.code == 0
    assert said.err.splitlines()[0] == (
        "bakthat: BAKTHAT_LOCAL_PATH of the environment replaces the destination of profile 'nas'"
    )
    assert (bakthat_command.here / "other").is_dir()


def test_configure_saves_nothing_of_the_environment(bakthat_command: CommandLine) -> None:
    said = bakthat_command("configure", answers="\n" * 30, BAKTHAT_S3_BUCKET="of-the-environment")
    assert said.code == 0, said.err
    assert "of-the-environment" not in (bakthat_command.home / ".bakthat.yml").read_text()
    assert said.err.splitlines()[-1] == (
        "bakthat: while they are set, BAKTHAT_S3_BUCKET of the environment stand before what was saved"
    )


def test_the_target_of_a_copy_is_not_changed_by_the_environment(bakthat_command: CommandLine) -> None:
    bakthat_command.configure({"nas": {"default_destination": "local", "local_path": "nas"}})
    bakthat_command.environment.update(BAKTHAT_DEFAULT_DESTINATION="local", BAKTHAT_LOCAL_PATH="here")
    (bakthat_command.here / "f").write_text("1")
    stored = bakthat_command("backup", "f", "--prompt", "no").out.strip()
    said = bakthat_command("copy", "f", "--to", "local", "--to-profile", "nas")
    assert said.code == 0, said.err
    assert (bakthat_command.here / "here" / stored).is_file()
    assert (bakthat_command.here / "nas" / stored).is_file()


def test_the_keys_of_a_job_stand_before_the_environment(bakthat_command: CommandLine) -> None:
    (bakthat_command.here / "f").write_text("1")
    job = {"source": str(bakthat_command.here / "f"), "compression": "zstd"}
    bakthat_command.configure({"default": {"default_destination": "local", "jobs": {"f": job}}})
    said = bakthat_command("run", BAKTHAT_COMPRESSION="none", BAKTHAT_HOST="web1")
    assert (said.code, ".zst" in said.out) == (0, True), said.err
    assert "web1" in bakthat_command("show", "-v").out


# password files


@pytest.fixture
def password_file(bakthat_command: CommandLine) -> Path:
    path = bakthat_command.here / "password"
    path.touch(0o600)
    path.write_text("correct horse\n")
    (bakthat_command.here / "f").write_text("1")
    bakthat_command.environment["BAKTHAT_DEFAULT_DESTINATION"] = "local"
    return path


@pytest.mark.parametrize(
    "command", ["backup f", "backup - --name s.sql", "restore f", "verify f", "ls f", "cat f", "find f", "diff f"]
)
def test_every_command_that_opens_backups_takes_a_password_file(bakthat_command: CommandLine, command: str) -> None:
    said = bakthat_command(*command.split(), "--password-file", "none")
    assert (said.code, said.err) == (2, "bakthat: --password-file: 'none' does not exist\n")


def test_the_option_stands_before_the_environment(bakthat_command: CommandLine, password_file: Path) -> None:
    made = bakthat_command("backup", "f", "--password-file", "password", BAKTHAT_PASSWORD="another")
    assert (made.code, made.out.endswith(".enc\n")) == (0, True), made.err
    said = bakthat_command("cat", "f", "--password-file", "password", BAKTHAT_PASSWORD="another")
    assert (said.code, said.out) == (0, "1")
    assert "correct horse" not in made.out + made.err + said.err


@pytest.mark.parametrize(
    ("arguments", "settings", "told"),
    [
        (["-r", PAIR.recipient, "--password-file", "password"], {}, "never both"),
        (["--password-file", "password"], {"recipients": [PAIR.recipient]}, "never both"),
        (["--password-file", "none"], {}, "--password-file: 'none' does not exist"),
        ([], {"password_file": "a", "password_command": "b"}, "password_file: there is a password_command as well"),
    ],
    ids=["a recipient", "recipients of the profile", "a missing file", "two in a profile"],
)
def test_what_contradicts_itself_ends_with_2_and_stores_nothing(
    bakthat_command: CommandLine, password_file: Path, arguments: list[str], settings: dict[str, object], told: str
) -> None:
    bakthat_command.configure({"default": settings})
    before = bakthat_command.files()
    said = bakthat_command("backup", "f", *arguments)
    assert (said.code, said.out, bakthat_command.files()) == (2, "", before)
    assert told in said.err


def test_a_password_that_everybody_may_read_is_said_once(bakthat_command: CommandLine, password_file: Path) -> None:
    password_file.chmod(0o644)
    jobs = {name: {"source": str(bakthat_command.here / "f"), "name": name} for name in ("a", "b")}
    bakthat_command.configure({"default": {"jobs": jobs}})
    said = bakthat_command("run", "-q", BAKTHAT_PASSWORD_FILE="password")
    assert said.code == 0
    assert said.err.count("every user may read 'password'") == 1
    assert "correct horse" not in said.err


# the library


@pytest.fixture
def store() -> MemoryObjectStore:
    return MemoryObjectStore("memory://s3")


def opened(profile: str | Profile | None, environment: dict[str, str], notices: list[str] | None = None) -> Bakthat:
    return open_profile(
        profile,
        config=MemoryConfig([Profile(name="nas", s3_bucket="nas")]),
        repo=MemoryRepo(),
        environment=environment,
        notice=(notices if notices is not None else []).append,
    )


def test_the_library_takes_the_same_variables() -> None:
    assert opened(None, {"BAKTHAT_S3_BUCKET": "b"}).profile == Profile(s3_bucket="b")
    assert opened(None, {"BAKTHAT_PROFILE": "nas", "BAKTHAT_HOST": "h"}).profile.host == "h"
    assert opened("default", {"BAKTHAT_PROFILE": "nas"}).profile.name == "default"
    with pytest.raises(ConfigInvalid, match="^BAKTHAT_COMPRESS: "):
        opened(None, {"BAKTHAT_COMPRESS": "x"})
    with pytest.raises(ProfileNotFound, match="^BAKTHAT_PROFILE: "):
        opened(None, {"BAKTHAT_PROFILE": "other"})


def test_the_library_says_what_is_unknown_and_what_is_replaced() -> None:
    notices: list[str] = []
    opened("nas", {"BAKTHAT_S3_BUCKET": "b", "BAKTHAT_BUKET": "c"}, notices)
    assert notices == [
        "BAKTHAT_BUKET: unknown variable (did you mean BAKTHAT_S3_BUCKET?); it is not used",
        "BAKTHAT_S3_BUCKET of the environment replaces the destination of profile 'nas'",
    ]


def test_a_profile_that_is_passed_is_not_changed_by_the_environment() -> None:
    profile, notices = Profile(s3_bucket="mine"), list[str]()
    environment = {"BAKTHAT_S3_BUCKET": "other", "BAKTHAT_COMPRESS": "wrong", "BAKTHAT_BUKET": "x"}
    assert opened(profile, environment, notices).profile == profile
    assert notices == []


def test_a_conf_is_not_changed_by_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("BAKTHAT_LOCAL_PATH", str(tmp_path / "other"))
    monkeypatch.setenv("BAKTHAT_PROFILE", "none")
    (tmp_path / "f").write_text("1")
    conf = {
        "default_destination": "local",
        "local_path": str(tmp_path / "store"),
        "database": str(tmp_path / "database"),
    }
    assert bakthat.backup(tmp_path / "f", conf=conf).location == f"file://{tmp_path / 'store'}"


def test_show_of_all_profiles_reads_the_database_of_the_environment(tmp_path: Path) -> None:
    environment = {"BAKTHAT_DATABASE": str(tmp_path / "database"), "BAKTHAT_DEFAULT_DESTINATION": "local"}
    environment["BAKTHAT_LOCAL_PATH"] = str(tmp_path / "store")
    (tmp_path / "f").write_text("1")
    config = MemoryConfig([Profile(name="nas", database=str(tmp_path / "of-nas"))])
    made = open_profile(None, config=config, environment=environment).backup(tmp_path / "f")
    assert list_backups(config, None, Wanted(), environment=environment).backups == [made]
    assert list_backups(config, "nas", Wanted(), environment={}).backups == []


# which file it is


@pytest.fixture
def places(tmp_path: Path) -> dict[str, str]:
    return {"HOME": str(tmp_path / "home"), "XDG_CONFIG_HOME": str(tmp_path / "xdg")}


def made(*parts: str) -> str:
    path = Path(*parts)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("nas: {}\n")
    return str(path)


def test_the_file_in_the_home_directory_is_the_usual_one(places: dict[str, str]) -> None:
    assert usual_file(places) == "~/.bakthat.yml"


def test_the_file_of_the_xdg_folder_is_read_if_there_is_no_other(places: dict[str, str]) -> None:
    xdg = made(places["XDG_CONFIG_HOME"], "bakthat", "config.yml")
    assert usual_file(places) == xdg
    assert open_config(environment=places).names() == ["nas"]
    del places["HOME"]
    assert usual_file(places) == xdg


@pytest.mark.parametrize("given", [None, "", "relative"], ids=["none", "empty", "relative"])
def test_the_xdg_folder_is_dot_config_where_none_is_named(places: dict[str, str], given: str | None) -> None:
    del places["XDG_CONFIG_HOME"]
    if given is not None:
        places["XDG_CONFIG_HOME"] = given
    made(places["HOME"], ".config", "bakthat", "config.yml")
    assert usual_file(places) == "~/.config/bakthat/config.yml"


def test_a_second_file_is_not_left_out_in_silence(places: dict[str, str]) -> None:
    xdg = made(places["XDG_CONFIG_HOME"], "bakthat", "config.yml")
    made(places["HOME"], ".bakthat.yml")
    notices: list[str] = []
    assert usual_file(places, notices.append) == "~/.bakthat.yml"
    assert notices == [f"{xdg} is not read, because ~/.bakthat.yml exists; remove one of them"]


def test_a_file_that_a_variable_names_stands_before_both(places: dict[str, str], tmp_path: Path) -> None:
    made(places["HOME"], ".bakthat.yml")
    named = tmp_path / "named.yml"
    named.write_text("other: {}\n")
    assert open_config(environment={**places, "BAKTHAT_CONFIG": str(named)}).names() == ["other"]


def test_configure_changes_the_file_that_is_read(bakthat_command: CommandLine) -> None:
    made(str(bakthat_command.home), ".config", "bakthat", "config.yml")
    said = bakthat_command("configure", answers="\n" * 30)
    assert said.code == 0, said.err
    assert "Saved profile 'default' in ~/.config/bakthat/config.yml." in said.err
    assert not os.path.lexists(bakthat_command.home / ".bakthat.yml")


def test_every_variable_that_the_code_reads_is_known() -> None:
    sources = (Path(__file__).parents[2] / "bakthat").rglob("*.py")
    read = {name for path in sources for name in re.findall(r'"(BAKTHAT_[A-Z_]+)"', path.read_text())}
    assert "BAKTHAT_PAGER" in read
    assert unknown_variables(dict.fromkeys(read, "x")) == []
