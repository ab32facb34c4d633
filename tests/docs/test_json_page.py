"""`docs/json.md` has the fields that the commands print, and no others."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from bakthat.domain.backup_metadata import KNOWN
from tests.fixtures.command_line import CommandLine, every_command

PAGE = (Path(__file__).parents[2] / "docs" / "json.md").read_text()


def rows(heading: str) -> dict[str, str]:
    """The rows of the table below a heading: a row for each name in the first column."""
    table = PAGE.split(f"## {heading}\n")[1].split("\n## ")[0]
    found = re.findall(r"^\| (`.*?) \| (.*) \|$", table, re.MULTILINE)
    return {name: text for names, text in found for name in re.findall(r"`([^`]+)`", names)}


def fields(command: str) -> set[str]:
    """The fields that the page gives a command: the backticked words before what a colon or a bracket explains."""
    text = rows("The commands")[command]
    named = set(re.findall(r"`(\w+)`", re.sub(r"\([^)]*\)|: .*", "", text)))
    return named | {"version"} | (set(rows("A record")) if "backup's record" in text else set())


@pytest.fixture
def site(bakthat_command: CommandLine) -> CommandLine:
    bakthat_command.configure({"default": {"default_destination": "local", "rotation": {"days": 2}}})
    (bakthat_command.here / "site").mkdir()
    (bakthat_command.here / "site" / "index.html").write_text("hello")
    return bakthat_command


def test_every_command_with_json_has_a_row():
    with_json = {
        words[0] for words, command in every_command() if "as_json" in {parameter.name for parameter in command.params}
    }
    assert with_json == {name for name in rows("The commands") if " " not in name}


@pytest.mark.parametrize(
    ("command", "arguments"),
    [
        ("backup", ["site", "--prompt", "no"]),
        ("show", []),
        ("ls", ["site"]),
        ("find", ["index.html"]),
        ("diff", ["site", "site"]),
        ("verify", ["site"]),
        ("restore", ["site", "--target", "out"]),
        ("restore --salvage", ["site", "--target", "out", "--salvage"]),
        ("sync", []),
        ("rotate-backups", ["site"]),
        ("remove-older-than", ["site", "1Y"]),
        ("delete", ["site", "--yes"]),
        ("status", []),
        ("cleanup", []),
        ("glacier-inventory", ["show-local"]),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_the_page_has_exactly_the_fields_of_a_command(site: CommandLine, command: str, arguments: list[str]):
    site("backup", "site", "--prompt", "no")
    said = site(command.split()[0], *arguments, "--json")
    assert said.code == 0, said.err
    document = json.loads(said.out)
    assert document["version"] == 1
    assert set(document) == fields(command)


def test_the_page_has_what_a_deletion_with_dependents_prints(site: CommandLine):
    full = json.loads(site("backup", "site", "--prompt", "no", "--incremental", "--json").out)["stored_filename"]
    (site.here / "site" / "index.html").write_text("changed")
    changes = json.loads(site("backup", "site", "--prompt", "no", "--incremental", "--json").out)["stored_filename"]
    said = site("delete", full, "--with-dependents", "--yes", "--json")
    assert said.code == 0, said.err
    document = json.loads(said.out)
    assert set(document) == fields("delete")
    assert document["dependents"] == [changes]


def test_the_page_has_exactly_the_fields_of_a_record(site: CommandLine):
    site("backup", "site", "--prompt", "no")
    site("verify", "site")
    (record,) = json.loads(site("show", "--json").out)["backups"]
    assert set(record) == set(rows("A record"))
    section = PAGE.split("The keys of `metadata`")[1].split("\n\n")[0]
    assert set(record["metadata"]) <= set(re.findall(r"`(\w+)`", section)) | {"packed_by_source"} <= KNOWN | {
        "files", "directories", "others", "bytes", "at", "level", "error", "backup", "packed_by_source",
            "locked_until_iso", "base", "full", "depth", "base_sha256",
    }  # fmt: skip


def test_the_page_has_the_fields_of_what_is_verified(site: CommandLine):
    site("backup", "site", "--prompt", "no")
    (verified,) = json.loads(site("verify", "site", "--json").out)["backups"]
    assert set(verified) == set(re.findall(r"`(\w+)`", rows("The commands")["verify"])) - {"backups"}


def test_the_error_on_the_page_is_the_real_one(site: CommandLine):
    (on_page,) = re.findall(r"^```json\n(.*)\n```$", PAGE, re.MULTILINE)
    said = site("restore", "nosuch", "--json")
    assert json.loads(said.err.splitlines()[-1].replace(str(site.home), "/home/me")) == json.loads(on_page)
    assert said.code == json.loads(on_page)["error"]["exit_code"]
    assert said.out == ""
