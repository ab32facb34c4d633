"""What a person is asked on a terminal."""

from __future__ import annotations

import contextlib
import os
import re
import select
import subprocess
from pathlib import Path

from tests.fixtures.age_program import run_with_terminal
from tests.fixtures.command_line import CommandLine


def at_a_terminal(command: CommandLine, *arguments: str, typed: list[str]) -> str:
    return run_with_terminal(
        command.command(*arguments), typed=typed, prompt=b"password", cwd=command.here, env=command.env()
    )


def test_a_password_is_asked_twice_and_encrypts(bakthat_command: CommandLine, site: Path) -> None:
    shown = at_a_terminal(bakthat_command, "backup", "site", "-d", "local", typed=["secret", "secret"])
    assert ".tgz.enc" in shown
    assert "secret" not in shown


def test_a_mismatch_is_asked_again(bakthat_command: CommandLine, site: Path) -> None:
    # Typed after what every question ends in: what is typed before a question is thrown away.
    shown = run_with_terminal(
        bakthat_command.command("backup", "site", "-d", "local"),
        typed=["one", "two", ""],
        prompt=b": ",
        cwd=bakthat_command.here,
        env=bakthat_command.env(),
    )
    assert "do not match" in shown


def test_a_blank_password_means_plain_and_says_so(bakthat_command: CommandLine, site: Path) -> None:
    shown = at_a_terminal(bakthat_command, "backup", "site", "-d", "local", typed=[""])
    assert "will not be encrypted" in shown
    assert ".tgz.enc" not in shown


def test_prompt_no_asks_nothing(bakthat_command: CommandLine, site: Path) -> None:
    shown = at_a_terminal(bakthat_command, "backup", "site", "-d", "local", "--prompt", "no", typed=[])
    assert "assword" not in shown


def test_a_password_is_asked_once_on_restore(bakthat_command: CommandLine, site: Path) -> None:
    bakthat_command("backup", "site", "-d", "local", BAKTHAT_PASSWORD="secret")
    shown = at_a_terminal(bakthat_command, "restore", "site", "-d", "local", "--target", "out", typed=["secret"])
    assert "out/site" in shown
    assert shown.lower().count("password") == 1


def test_a_terminal_shows_progress_and_leaves_no_trace_of_it(bakthat_command: CommandLine, site: Path) -> None:
    (site / "large").write_bytes(bytes(range(256)) * 200_000)
    shown = at_a_terminal(bakthat_command, "backup", "site", "-d", "local", "--prompt", "no", typed=[])
    assert "backing up" in shown


def test_a_result_goes_where_it_is_sent_though_the_bar_is_on_the_terminal(
    bakthat_command: CommandLine, site: Path
) -> None:
    stored = bakthat_command("backup", "site", "-d", "local", "--prompt", "no").lines[0]
    verify = " ".join(bakthat_command.command("verify", "site", "-d", "local"))
    shown = run_with_terminal(
        ["sh", "-c", f"{verify} > report"], typed=[], cwd=bakthat_command.here, env=bakthat_command.env()
    )
    assert (bakthat_command.here / "report").read_text() == f"good\t{stored}\n"
    assert "1 checked" in shown


def test_what_cat_writes_to_a_terminal_is_not_mixed_with_a_bar(bakthat_command: CommandLine, site: Path) -> None:
    (site / "large.txt").write_text("a line\n" * 1_000_000)
    bakthat_command("backup", "site", "-d", "local", "--prompt", "no")
    shown = at_a_terminal(bakthat_command, "cat", "site", "large.txt", "-d", "local", "--full-check", typed=[])
    assert set(shown.splitlines()) == {"a line"}


def test_a_dumb_terminal_has_no_bar(bakthat_command: CommandLine, site: Path) -> None:
    bakthat_command.environment["TERM"] = "dumb"
    shown = at_a_terminal(bakthat_command, "backup", "site", "-d", "local", "--prompt", "no", typed=[])
    stored, *summary = shown.splitlines()
    assert stored.startswith("site.")
    assert re.fullmatch(r"Backed up 1 file \(14 B\) to .*: \d+ B, not encrypted\.", " ".join(summary))


def test_nothing_is_drawn_over_a_question(bakthat_command: CommandLine, site: Path) -> None:
    bakthat_command("backup", "site", "-d", "local", BAKTHAT_PASSWORD="secret")
    controller, terminal = os.openpty()
    process = subprocess.Popen(
        ["setsid", "--ctty", "--wait", *bakthat_command.command("find", "index.html", "-d", "local")],
        stdin=terminal, stdout=terminal, stderr=terminal, cwd=bakthat_command.here,
        env={**bakthat_command.env(), "TERM": "xterm"},
    )  # fmt: skip
    os.close(terminal)
    with process, open(controller, "r+b", buffering=0) as screen:
        shown = b""
        while not shown.endswith(b"Password: "):
            shown += screen.read(1024)
        assert b"finding" in shown
        drawn_meanwhile = select.select([screen], [], [], 1.0)[0]  # a bar is drawn ten times in this second
        screen.write(b"secret\n")
        with contextlib.suppress(OSError):  # EIO: the program has ended
            while chunk := screen.read(1024):
                shown += chunk
    assert not drawn_meanwhile
    assert process.returncode == 0
    assert b"index.html" in shown
