"""Lines for a person: whatever a record holds, they can be printed, and they break between words."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bakthat.entrypoints.terminal import backup_line, result_bytes, result_document, results
from tests.domain.series import backup_at, utc
from tests.fixtures.command_line import CommandLine
from tests.fixtures.terminal import on_terminal


@pytest.mark.parametrize(
    "verified", [3, "x", None, {"at": 10**30}, {"at": -(10**18), "error": 1}, {"at": 1, "level": []}]
)
def test_whatever_an_entry_says_of_verifying_can_be_shown(verified):
    assert "verified" in backup_line(backup_at(utc(2026), verified=verified, client=["host"]), verbose=True)


def test_many_results_come_in_order_each_in_its_line(capfd):
    results(f"line {number}\x1b" for number in range(30_000))
    assert capfd.readouterr().out == "".join(f"line {number}\\x1b\n" for number in range(30_000))


def test_the_results_before_an_error_are_written(capfd):
    def lines():
        yield "one"
        yield "two"
        raise LookupError

    with pytest.raises(LookupError):
        results(lines())
    assert capfd.readouterr().out == "one\ntwo\n"


@pytest.mark.parametrize("count", [0, 1, 2, 1000])
def test_a_document_of_many_items_is_json_with_one_item_in_a_line(capfd, count):
    result_document({"version": 1, "name": "ü"}, "entries", ({"n": number} for number in range(count)))
    out = capfd.readouterr().out
    assert json.loads(out) == {"version": 1, "name": "ü", "entries": [{"n": number} for number in range(count)]}
    assert len(out.splitlines()) == count + 2


def test_bytes_are_written_as_they_are(capfdbinary):
    result_bytes([b"\xff\x00", b"\r\n"])
    assert capfdbinary.readouterr().out == b"\xff\x00\r\n"


def test_the_reasons_of_a_plan_break_between_words(bakthat_command: CommandLine, site: Path):
    rotation = {"days": 2, "weeks": 2, "months": 2}
    bakthat_command.configure({"default": {"default_destination": "local", "rotation": rotation}})
    for _ in range(2):
        bakthat_command("backup", "site", "--prompt", "no")
    seen = on_terminal(bakthat_command, "rotate-backups", "site", "--dry-run")
    assert max(map(len, seen.lines)) <= 80
    assert any(line.startswith("        ") for line in seen.lines)
