"""`show` on a terminal, and elsewhere."""

from __future__ import annotations

import shlex

import pytest

from tests.fixtures.command_line import CommandLine
from tests.fixtures.terminal import on_terminal


@pytest.fixture
def stored(bakthat_command: CommandLine) -> str:
    bakthat_command.configure({"default": {"default_destination": "local"}})
    (bakthat_command.here / "photos").mkdir()
    (bakthat_command.here / "photos" / "cat.jpg").write_bytes(b"x" * 1000)
    return bakthat_command("backup", "photos", "--prompt", "no", "-t", "nightly web").lines[0]


def test_a_terminal_gets_a_heading_and_totals(bakthat_command: CommandLine, stored: str):
    seen = on_terminal(bakthat_command, "show")
    header, row, total = seen.lines
    assert header.startswith("DATE (UTC)")
    assert stored in row
    assert total.startswith("1 backup, ")
    assert total.endswith("in local ~/.bakthat/store (profile default).")


def test_a_pipe_gets_the_lines_of_1_0(bakthat_command: CommandLine, stored: str):
    (line,) = bakthat_command("show").lines
    date, destination, _, name = line.split("\t")
    assert (date[10:11], destination, name) == (" ", "local   ", f"{stored} (nightly web)")


def test_quiet_shows_only_the_rows(bakthat_command: CommandLine, stored: str):
    (row,) = on_terminal(bakthat_command, "show", "-q").lines
    assert stored in row


def test_verbose_adds_the_host_the_path_and_when_it_was_verified(bakthat_command: CommandLine, stored: str):
    text = " ".join(on_terminal(bakthat_command, "show", "-v", BAKTHAT_HOST="web1").text.split())
    assert "never verified" in text
    assert f"of {bakthat_command.here}/photos" in text


@pytest.mark.parametrize("condition", [["--host", "nosuch"], ["nosuch"], ["-t", "other"]], ids=["host", "query", "tag"])
def test_what_does_not_match_is_left_out(bakthat_command: CommandLine, stored: str, condition: list[str]):
    said = bakthat_command("show", *condition)
    assert (said.code, said.out) == (0, "")
    assert "No backups match" in said.err
    assert "1 backup without a condition" in said.err


def test_since_takes_an_interval(bakthat_command: CommandLine, stored: str):
    assert len(bakthat_command("show", "--since", "9D").lines) == 1
    assert bakthat_command("show", "--since", "soon").code == 2


def test_only_the_newest_are_listed_with_a_number(bakthat_command: CommandLine, stored: str):
    second = bakthat_command("backup", "photos", "--prompt", "no", "--name", "second").lines[0]
    third = bakthat_command("backup", "photos", "--prompt", "no", "--name", "third").lines[0]
    seen = on_terminal(bakthat_command, "show", "-n", "2")
    names = [line.split()[6] for line in seen.lines[1:3]]
    assert len(names) == 2
    assert seen.lines[3].startswith("2 of 3 backups, ")
    assert {second, third} & set(names)


def test_a_similar_name_is_offered(bakthat_command: CommandLine, stored: str):
    assert "did you mean photos?" in bakthat_command("show", "fotos").err


def test_a_machine_without_a_configuration_gets_a_way_on(bakthat_command: CommandLine):
    said = bakthat_command("show")
    assert said.code == 0
    assert "`bakthat configure`" in said.err
    assert "`bakthat backup DIR -d local`" in said.err


def test_an_empty_profile_is_named_with_its_place(bakthat_command: CommandLine):
    bakthat_command.configure({"default": {"s3_bucket": "my-bucket", "local_path": "~/store"}})
    said = bakthat_command("show")
    assert "profile default: s3 my-bucket, local ~/store" in said.err
    assert "`bakthat sync`" in said.err


@pytest.fixture
def many(bakthat_command: CommandLine, stored: str) -> CommandLine:
    for number in range(3):
        bakthat_command("backup", "photos", "--prompt", "no", "--name", f"n{number}")
    return bakthat_command


def pager(command: CommandLine, name: str = "pager") -> str:
    """A pager that marks what it shows."""
    return f"tee {shlex.quote(str(command.home / name))}; echo paged"


def test_what_is_longer_than_the_screen_is_shown_by_the_pager(many: CommandLine):
    seen = on_terminal(many, "show", lines=5, PAGER=pager(many))
    assert seen.lines[-1] == "paged"
    assert "DATE (UTC)" in (many.home / "pager").read_text()


def test_what_fits_the_screen_is_not_paged(many: CommandLine):
    assert "paged" not in on_terminal(many, "show", lines=24, PAGER=pager(many)).text


@pytest.mark.parametrize(
    ("arguments", "environment"),
    [
        (["-q"], {}),
        (["--json"], {}),
        ([], {"BAKTHAT_PAGER": ""}),
        ([], {"BAKTHAT_PAGER": "cat"}),
        ([], {"TERM": "dumb"}),
    ],
    ids=["quiet", "json", "empty", "cat", "dumb"],
)
def test_there_is_no_pager_where_none_is_wanted(many: CommandLine, arguments: list[str], environment: dict[str, str]):
    seen = on_terminal(many, "show", *arguments, lines=5, **{"PAGER": pager(many), **environment})
    assert "paged" not in seen.text
    assert "n2." in seen.text


def test_bakthats_own_pager_goes_before_the_others(many: CommandLine):
    on_terminal(many, "show", lines=5, PAGER=pager(many), BAKTHAT_PAGER=pager(many, "own"))
    assert (many.home / "own").exists()
    assert not (many.home / "pager").exists()


def test_a_pipe_has_no_pager(many: CommandLine):
    assert "paged" not in on_terminal(many, "show", lines=5, piped=[1], PAGER=pager(many)).text


def test_a_pager_that_is_not_there_costs_no_line(many: CommandLine):
    seen = on_terminal(many, "show", lines=5, PAGER="nosuchpager")
    assert "n0." in seen.text
    assert seen.code == 0


def test_a_pager_may_be_left_early(many: CommandLine):
    seen = on_terminal(many, "show", lines=5, PAGER="true")
    assert seen.code == 0
    assert "n0." not in seen.text


def test_less_gets_what_git_gives_it_and_no_password(many: CommandLine):
    shown = pager(many).replace("tee", "env >")
    on_terminal(many, "show", lines=5, PAGER=shown, BAKTHAT_PASSWORD="secret")
    variables = (many.home / "pager").read_text().splitlines()
    assert {"LESS=FRX", "LV=-c"} <= set(variables)
    assert "secret" not in "".join(variables)


def test_messages_break_between_words_on_a_terminal_only(bakthat_command: CommandLine):
    seen = on_terminal(bakthat_command, "show", columns=60)
    assert len(seen.lines) > 2
    assert max(map(len, seen.lines)) <= 60
    assert " ".join(seen.lines) == bakthat_command("show").err.strip()


def test_a_date_without_backups_is_answered_with_those_there_are(bakthat_command: CommandLine, stored: str):
    said = bakthat_command("ls", "photos.2024")
    assert said.code == 1
    assert "photos has backups of 20" in said.err


def test_a_date_that_show_prints_can_be_restored(bakthat_command: CommandLine, stored: str):
    date = " ".join(on_terminal(bakthat_command, "show").lines[1].split()[:2])
    said = bakthat_command("restore", f"photos.{date}", "--target", "out")
    assert said.code == 0
    assert stored in said.err
