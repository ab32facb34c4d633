"""What `--json` prints, beyond the fields of each command (tests/docs/test_json_page.py)."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone

import pytest

from bakthat.entrypoints.json_output import is_wanted, iso, record_json, tell_error
from bakthat.errors import TargetExists
from tests.domain.series import backup_at, utc
from tests.fixtures.command_line import CommandLine
from tests.fixtures.terminal import on_terminal


def test_an_iso_date_stands_beside_each_epoch():
    record = record_json(backup_at(utc(2026), stored_at=0, entry_seen=1, verified={"at": 60, "level": "opens"}))
    assert record["backup_date_iso"] == "2026-01-01T00:00:00Z"
    assert datetime.fromisoformat(record["last_updated_iso"]).timestamp() == record["last_updated"]
    metadata = record["metadata"]
    assert metadata["stored_at_iso"] == "1970-01-01T00:00:00Z"
    assert metadata["entry_seen_iso"] == "1970-01-01T00:00:01Z"
    assert metadata["verified"] == {"at": 60, "at_iso": "1970-01-01T00:01:00Z", "level": "opens"}


@pytest.mark.parametrize("wrong", [10**30, "x", None, True, [1]], ids=["huge", "text", "none", "bool", "list"])
def test_what_cannot_be_a_date_gets_no_iso_date(wrong):
    metadata = record_json(backup_at(utc(2026), stored_at=wrong, verified={"at": wrong}))["metadata"]
    assert "stored_at_iso" not in metadata
    assert metadata["verified"] == {"at": wrong}


def test_iso_dates_are_in_utc():
    assert iso(datetime(2026, 1, 2, 3, 4, 5, tzinfo=timezone(timedelta(hours=2)))) == "2026-01-02T01:04:05Z"
    assert iso(datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)) == "2026-01-02T03:04:05Z"
    assert iso(None) is None


def test_the_json_option_of_a_backed_up_command_is_not_ours():
    assert is_wanted(["show", "--json"])
    assert not is_wanted(["backup", "--stdin-from-command", "--", "pg_dump", "--json"])


@pytest.mark.parametrize(
    ("arguments", "kind", "code"),
    [
        (["restore", "nosuch", "--json"], "BackupNotFound", 1),
        (["show", "--json", "-c", "nosuch.yml"], "ConfigInvalid", 2),
        (["show", "--nosuch", "--json"], "NoSuchOption", 2),
        (["nosuch", "--json"], "UsageError", 2),
        (["diff", "nosuch", "--json"], "BackupNotFound", 2),
    ],
    ids=["not-found", "config", "option", "command", "trouble-is-two"],
)
def test_an_error_is_the_last_line_of_stderr_as_json(
    bakthat_command: CommandLine, arguments: list[str], kind: str, code: int
):
    bakthat_command.configure({"default": {"default_destination": "local"}})
    said = bakthat_command(*arguments)
    document = json.loads(said.err.splitlines()[-1])
    assert document["version"] == 1
    assert document["error"]["type"] == kind
    assert document["error"]["exit_code"] == code == said.code
    assert not document["error"]["message"].startswith("bakthat:")


def test_an_error_as_json_is_one_line_on_a_terminal_too(bakthat_command: CommandLine):
    bakthat_command.configure({"default": {"default_destination": "local"}})
    (line,) = on_terminal(bakthat_command, "restore", "nosuch", "--json", columns=40).lines
    assert json.loads(line)["error"]["exit_code"] == 1


def test_an_error_without_json_is_a_line_of_text(bakthat_command: CommandLine):
    assert bakthat_command("restore", "nosuch").err.startswith("bakthat: ")


def test_the_message_of_an_error_names_the_option(capsys: pytest.CaptureFixture[str]) -> None:
    tell_error(TargetExists(), "`target='a b'` restores elsewhere", 2, as_json=True)
    assert json.loads(capsys.readouterr().err)["error"]["message"] == "--target 'a b' restores elsewhere"


@pytest.mark.parametrize("command", ["sync", "cleanup"])
def test_json_has_the_error_of_each_destination_that_failed(bakthat_command: CommandLine, command: str) -> None:
    (bakthat_command.home / "a file").write_text("in the way")
    folder = str(bakthat_command.home / "a file")
    bakthat_command.configure({"default": {"default_destination": "local", "local_path": folder}})
    said = bakthat_command(command, "--json")
    done = json.loads(said.out)
    assert (said.code, done["destinations"], list(done["failures"])) == (4, {}, ["local"])
    assert "a file" in done["failures"]["local"]
