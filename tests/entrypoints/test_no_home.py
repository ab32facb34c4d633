"""A machine without a home directory: a container with a number for a user, cron, a systemd unit."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.fixtures.command_line import CommandLine, Said
from tests.fixtures.s3_servers import s3_profile

# Such a user is not in the user database; the one that runs the tests is.
HOMELESS = """
import pwd
def getpwuid(number): raise KeyError(f"getpwuid(): uid not found: {number}")
pwd.getpwuid = getpwuid
"""


@pytest.fixture
def homeless(bakthat_command: CommandLine) -> Callable[..., Said]:
    """bakthat without a home directory; `config`: its profile `default`; `home`: HOME, None for none."""

    def run(*arguments: str, config: dict[str, Any] | None = None, home: str | None = None) -> Said:
        environment = {name: value for name, value in bakthat_command.env().items() if name != "HOME"}
        if home is not None:
            environment["HOME"] = home
        if config is not None:
            path = bakthat_command.home / "config.yml"
            path.write_text(yaml.safe_dump({"default": config}))
            path.chmod(0o600)
            environment["BAKTHAT_CONFIG"] = str(path)
        return bakthat_command.forked(arguments, environment, before=HOMELESS)

    return run


@pytest.fixture
def file(bakthat_command: CommandLine) -> Path:
    path = bakthat_command.here / "f"
    path.write_text("1")
    return path


LOCAL = {"default_destination": "local"}


@pytest.mark.parametrize("home", [None, "", "relative"])
@pytest.mark.parametrize(
    ("arguments", "config", "told"),
    [
        (["show"], None, "configuration file: there is no home directory for '~/.bakthat.yml'"),
        (["configure"], None, "configuration file: "),
        (["backup", "f", "--prompt", "no"], {**LOCAL, "local_path": "/nowhere"}, "database: "),
        (["show"], LOCAL, "database: "),
        (["backup", "f", "--prompt", "no"], {**LOCAL, "database": "db"}, "local_path: "),
        (["sync"], {**LOCAL, "database": "db"}, "local_path: "),
        (["show", "-p", "default"], {**LOCAL, "database": "db", "local_path": "~/x"}, "local_path: "),
        (["restore", "--from", "~/f.20260101000000.tgz"], {"database": "db"}, "--from: "),
    ],
)
def test_a_path_below_it_is_an_error_that_names_the_setting(
    homeless: Callable[..., Said],
    bakthat_command: CommandLine,
    file: Path,
    home: str | None,
    arguments: list[str],
    config: dict[str, Any] | None,
    told: str,
) -> None:
    before = {*bakthat_command.files(), "config.yml"}
    said = homeless(*arguments, config=config, home=home)
    assert (said.code, len(said.err.splitlines())) == (2, 1), said.err
    assert said.err.startswith(f"bakthat: {told}")
    assert "set HOME" in said.err
    assert {*bakthat_command.files(), "config.yml"} == before


def test_an_identity_below_it_is_an_error_that_names_the_setting(
    homeless: Callable[..., Said], bakthat_command: CommandLine, file: Path
) -> None:
    recipient = bakthat_command("keygen", "-o", "key").out.strip()
    config = {**LOCAL, "database": "db", "local_path": "store", "identity": "~/key"}
    assert homeless("backup", "f", "-r", recipient, config=config).code == 0
    said = homeless("restore", "f", "--target", "out", config=config)
    assert (said.code, said.err.startswith("bakthat: identity: there is no home directory for '~/key'")) == (2, True)


def test_whole_paths_need_no_home_directory(
    homeless: Callable[..., Said], bakthat_command: CommandLine, file: Path
) -> None:
    config = {**LOCAL, "database": "db", "local_path": "store"}
    for arguments in (
        ["backup", "f", "--prompt", "no"],
        ["show", "-p", "default"],
        ["verify", "f"],
        ["sync"],
        ["restore", "f", "--target", "out"],
    ):
        said = homeless(*arguments, config=config)
        assert said.code == 0, said.err
    assert (bakthat_command.here / "out" / "f").read_text() == "1"


def test_the_default_folder_is_not_missed_when_another_store_is_used(
    homeless: Callable[..., Said], file: Path, moto_url: str
) -> None:
    profile = s3_profile(moto_url)
    config = {key: getattr(profile, key) for key in ("access_key", "secret_key", "s3_bucket", "endpoint_url")}
    config["database"] = "db"
    for arguments in (["backup", "f", "--prompt", "no"], ["sync"], ["show", "-p", "default"]):
        said = homeless(*arguments, config=config)
        assert said.code == 0, said.err


def test_a_single_object_is_restored_without_a_database(
    homeless: Callable[..., Said], bakthat_command: CommandLine, file: Path
) -> None:
    made = homeless("backup", "f", "--prompt", "no", config={**LOCAL, "database": "db", "local_path": "store"})
    said = homeless("restore", "--from", f"store/{made.out.strip()}", "--target", "out", config={})
    assert said.code == 0, said.err
    assert (bakthat_command.here / "out" / "f").read_text() == "1"


def test_an_incremental_backup_says_why_the_next_one_will_be_a_full_one(
    homeless: Callable[..., Said], bakthat_command: CommandLine
):
    (bakthat_command.here / "d").mkdir()
    here = str(bakthat_command.here)
    said = homeless(
        *("backup", "d", "--incremental", "--prompt", "no"),
        config={**LOCAL, "local_path": f"{here}/store", "database": f"{here}/db.sqlite"},
    )
    assert said.code == 0
    assert "there is no home directory for the cache; set XDG_CACHE_HOME to a folder that is writable" in said.err
