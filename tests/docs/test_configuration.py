"""The page on configuration holds every key, and its examples are read without a complaint."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import attrs

from bakthat.adapters.config.yaml_file import YamlConfig
from bakthat.domain.environment_settings import (
    PASSWORD_FILE_VARIABLE,
    VARIABLES,
    unknown_variables,
    with_environment,
)
from bakthat.domain.profile import Profile

PAGE = (Path(__file__).parents[2] / "docs" / "configuration.md").read_text()


def test_every_key_of_a_profile_is_in_the_table() -> None:
    keys = {name.name for name in attrs.fields(Profile)} - {"name", "extra"}
    told = set(
        re.findall(r"`(\w+)`", "".join(line.split("|")[1] for line in PAGE.splitlines() if line.startswith("|")))
    )
    assert keys == told - {"key"}


def test_the_variable_of_each_key_stands_beside_it() -> None:
    variables = {key: name for name, key in VARIABLES.items()} | {"password_file": PASSWORD_FILE_VARIABLE}
    table = PAGE[PAGE.index("| key | variable |") :].split("\n\n", 1)[0]
    for line in table.splitlines()[2:]:
        _, keys, beside, *_ = line.split("|")
        expected = [variables.get(key, "\u2013") for key in re.findall(r"`(\w+)`", keys)]
        assert [word.strip("`") for word in beside.strip().split(", ")] == expected, line


def test_the_variables_of_the_example_set_what_it_says() -> None:
    (block,) = [
        block for block in re.findall(r"^```sh\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE) if "export" in block
    ]
    environment = dict(word.split("=", 1) for word in shlex.split(block) if word != "export")
    assert unknown_variables(environment) == []
    profile = with_environment(Profile(), environment)
    assert (profile.s3_bucket, profile.endpoint_url, profile.compression) == (
        "my-backups",
        "https://s3.example.com",
        "zstd",
    )
    assert (profile.recipients, profile.rotation) == (
        ("age1...", "age1..."),
        {"days": "7", "weeks": "4", "months": "12"},
    )


def test_the_examples_are_read_without_a_notice(tmp_path: Path) -> None:
    for block in re.findall(r"^```yaml\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE):
        path = tmp_path / "bakthat.yml"
        path.write_text(block)
        path.chmod(0o600)
        notices: list[str] = []
        config = YamlConfig(path, notice=notices.append)
        assert [config.load(name).name for name in config.names()] == config.names()
        assert notices == []
