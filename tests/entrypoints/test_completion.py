"""Completion: the words that shells get, and the three shells themselves."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from bakthat import Profile, open_profile
from tests.fixtures.age_program import run_with_terminal
from tests.fixtures.command_line import CommandLine

SHELLS = ["bash", "zsh", "fish"]


@pytest.fixture
def known(bakthat_command: CommandLine) -> CommandLine:
    """bakthat with two profiles, and backups of three series."""
    store = {"default_destination": "local", "local_path": str(bakthat_command.home / "store")}
    database = str(bakthat_command.home / "database")
    job = {"source": str(bakthat_command.here)}
    nas = {**store, "database": str(bakthat_command.home / "other")}
    bakthat_command.configure({"default": {**store, "database": database, "jobs": {"etc": job}}, "nas": nas})
    (bakthat_command.here / "f").write_text("1")
    opened = open_profile(Profile(**store, database=database))
    for series in ("photos", "photographs 2026", "site", "x,y"):
        opened.backup(bakthat_command.here / "f", name=series, password="")
    return bakthat_command


def words(run: CommandLine, line: str, shell: str = "bash") -> list[str]:
    """The words for the end of the line."""
    done = run(_BAKTHAT_COMPLETE=f"{shell}_complete", COMP_WORDS=line, COMP_CWORD=str(len(line.split(" ")) - 1))
    assert (done.code, done.err) == (0, "")
    return [word.removeprefix("plain,") for word in done.lines if word]


def test_commands_complete(known: CommandLine) -> None:
    assert words(known, "bakthat rest") == ["restore"]
    assert words(known, "bakthat rot") == ["rotate-backups"]


def test_options_complete(known: CommandLine) -> None:
    assert words(known, "bakthat backup --exclude-l") == ["--exclude-larger-than"]


@pytest.mark.parametrize("line", ["bakthat show -p ", "bakthat -p ", "bakthat backup --profile "])
def test_profiles_complete(known: CommandLine, line: str) -> None:
    assert words(known, line) == ["default", "nas"]


def test_profiles_of_the_named_file_complete(known: CommandLine) -> None:
    (known.here / "other.yml").write_text("work: {}\n")
    assert words(known, "bakthat -c other.yml show -p ") == ["work"]


def test_destinations_complete(known: CommandLine) -> None:
    assert words(known, "bakthat restore -d l") == ["local"]
    assert words(known, "bakthat restore -d ") == ["s3", "glacier", "local"]


@pytest.mark.parametrize(
    "command",
    [
        "restore",
        "show",
        "ls",
        "cat",
        "delete",
        "diff",
        "verify",
        "rotate-backups",
        "remove_older_than",
        "find --series",
    ],
)
def test_series_complete(known: CommandLine, command: str) -> None:
    assert words(known, f"bakthat {command} s") == ["site"]


def test_series_of_the_named_profile_complete(known: CommandLine) -> None:
    assert words(known, "bakthat -p nas restore ") == []
    assert words(known, "bakthat -p default restore si") == ["site"]


def test_a_series_that_is_typed_out_completes_to_its_backups(known: CommandLine) -> None:
    stored = known("ls", "site", "--json").out.split('"stored_filename": "')[1].split('"')[0]
    assert words(known, "bakthat restore site") == ["site", stored]
    assert words(known, "bakthat restore site.") == [stored]


def test_jobs_complete(known: CommandLine) -> None:
    assert words(known, "bakthat run ") == ["etc"]
    assert words(known, "bakthat run -p nas ") == []


def test_words_of_bash_are_escaped(known: CommandLine) -> None:
    assert words(known, "bakthat restore photog") == [r"photographs\ 2026"]
    store = {"default_destination": "local", "local_path": str(known.home / "store")}
    opened = open_profile(Profile(**store, database=str(known.home / "database")))
    for series in ("~root", "été", "a;b", "$HOME"):
        opened.backup(known.here / "f", name=series, password="")
    assert words(known, "bakthat restore ~") == [r"\~root"]
    assert words(known, "bakthat restore é") == ["été"]
    assert words(known, "bakthat restore a") == [r"a\;b"]
    assert words(known, "bakthat restore '$'") == [r"\$HOME"]


@pytest.mark.parametrize(
    ("line", "kind"), [("bakthat keygen -o ", "file,"), ("bakthat restore site -i ", "file,"), ("bakthat -c ", "file,")]
)
def test_paths_are_left_to_the_shell(known: CommandLine, line: str, kind: str) -> None:
    assert words(known, line) == [kind]


@pytest.mark.parametrize(
    "config", ["default: [", "default: {database: 5}", "default: {database: 'nonsense://x'}", "\0"]
)
@pytest.mark.parametrize("line", ["bakthat restore ", "bakthat show -p ", "bakthat no-such-command "])
def test_a_broken_configuration_gives_no_words_and_no_message(
    bakthat_command: CommandLine, config: str, line: str
) -> None:
    (bakthat_command.home / ".bakthat.yml").write_text(config)
    found = words(bakthat_command, line)
    assert found == (["default"] if "-p" in line and config.startswith("default: {") else [])


def test_a_damaged_database_gives_no_words_and_no_message(known: CommandLine) -> None:
    (known.home / "database").write_bytes(b"not a database" * 1000)
    assert words(known, "bakthat restore ") == []


def test_a_password_file_is_not_read_while_a_line_is_completed(known: CommandLine) -> None:
    assert words(known, "bakthat restore --password-file none si") == ["site"]


def test_nothing_is_created_by_completing(bakthat_command: CommandLine) -> None:
    assert words(bakthat_command, "bakthat restore ") == []
    assert bakthat_command.files() == []


@pytest.mark.parametrize("instruction", ["", "bash", "bash_x", "tcsh_complete", "bash_source"])
def test_an_instruction_that_is_not_understood_gives_no_words(bakthat_command: CommandLine, instruction: str) -> None:
    said = bakthat_command("show", _BAKTHAT_COMPLETE=instruction)
    assert (said.code, said.out.strip(), said.err) == (0, "", "")


def test_completing_imports_no_service(known: CommandLine) -> None:
    program = (
        "import atexit, sys\n"
        "heavy = ('boto3', 'botocore', 'cryptography', 'isal', 'rich')\n"
        "atexit.register(lambda: print([name for name in heavy if name in sys.modules], file=sys.stderr))\n"
        "from bakthat.entrypoints.cli import main\n"
        "main()\n"
    )
    environment = {**known.env(), "_BAKTHAT_COMPLETE": "bash_complete", "COMP_WORDS": "bakthat restore si"}
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={**environment, "COMP_CWORD": "2"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert (done.stdout, done.stderr) == ("plain,site\n", "[]\n")


# the shells


def test_without_the_name_of_a_shell_the_names_are_listed_in_one_line(bakthat_command: CommandLine) -> None:
    said = bakthat_command("completion")
    assert (said.code, said.out) == (2, "")
    assert said.err.splitlines()[0] == "bakthat: Missing argument 'SHELL'. Choose from: bash, zsh, fish"


@pytest.fixture
def in_shell(known: CommandLine) -> CommandLine:
    """The same, with `bakthat` on the PATH, and the scripts in the home directory."""
    program = known.home / "bin" / "bakthat"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m bakthat "$@"\n')
    program.chmod(0o755)
    for shell in SHELLS:
        said = known("completion", shell)
        assert (said.code, said.err) == (0, "")
        (known.home / f"script.{shell}").write_text(said.out)
    root = Path(__file__).parents[2]
    known.environment.update(
        PATH=f"{program.parent}:/usr/bin:/bin", TERM="dumb", PS1="ready> ", PYTHONPATH=str(root), LANG="C.UTF-8"
    )
    return known


TYPED = {
    "bakthat rest": "bakthat|restore|",
    "bakthat -p n": "bakthat|-p|nas|",
    "bakthat restore -d lo": "bakthat|restore|-d|local|",
    "bakthat verify photog": "bakthat|verify|photographs 2026|",
}


@pytest.mark.parametrize(
    ("command", "set_up"),
    [
        (["bash", "--norc", "-i"], ""),
        (["zsh", "-f", "-i"], "autoload -U compinit; compinit -u -D; "),
    ],
    ids=["bash", "zsh"],
)
def test_a_tab_completes_the_line(in_shell: CommandLine, command: list[str], set_up: str) -> None:
    shown = in_shell.home / "shown"
    say = f'says() {{ printf "%s|" "$@" >> {shown}; echo >> {shown}; }}'
    lines = [f"{set_up}. ~/script.{command[0]}; {say}"]
    # The line, a tab, and `says` at its beginning.
    lines += [f"{line}\t\x01says \x05" for line in TYPED]
    environment = {**in_shell.env(), "PROMPT": "ready> "}
    run_with_terminal(command, typed=[*lines, "exit"], prompt=b"ready> ", cwd=in_shell.here, env=environment)
    assert shown.read_text().splitlines() == list(TYPED.values())


def test_fish_completes_the_line(in_shell: CommandLine) -> None:
    asks = "\n".join(f'complete -C "{line}"' for line in [*TYPED, "bakthat verify x"])
    done = subprocess.run(
        ["fish", "--no-config", "--command", f"source ~/script.fish\n{asks}"],
        env=in_shell.env(),
        cwd=in_shell.here,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.splitlines() == [
        "restore\tRestore a backup, or a part of it.",
        "nas",
        "local",
        "photographs 2026",
        "x,y",
    ]
    assert done.stderr == ""
