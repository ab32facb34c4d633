"""The names of commands and options: how they may be spelled, where they may stand, and what is said of others."""

from __future__ import annotations

import click
import pytest

from bakthat.entrypoints.command_names import ALIASES, COMMANDS, advice
from tests.fixtures.command_line import CommandLine, every_command


@pytest.mark.parametrize(
    ("word", "meant"),
    [
        ("list", "show"),
        ("prune", "remove-older-than or rotate-backups"),
        ("rm", "delete"),
        ("extract", "restore"),
        ("check", "verify"),
        ("LIST", "show"),
        ("gen_key", "keygen"),
        ("clean", "cleanup"),
        ("jobs", "run"),
        ("health", "status"),
        ("rotate_backup", "rotate-backups"),
        ("delete_older", "delete-older-than"),
    ],
)
def test_what_other_programs_call_a_command_leads_to_ours(word: str, meant: str):
    assert advice(word) == f" Did you mean {meant}?"


def test_help_is_explained():
    assert "`bakthat -h`" in advice("help")


def test_a_word_like_no_other_gets_no_advice():
    assert advice("xyzzy") == ""


def test_no_advice_names_a_command_of_another_group():
    assert advice("rm", ["show", "load"]) == ""


def test_the_hint_is_shown(bakthat_command: CommandLine):
    said = bakthat_command("list")
    assert (said.code, said.err) == (2, "bakthat: No such command 'list'. Did you mean show?\nSee `bakthat -h`.\n")


@pytest.mark.parametrize("name", [*COMMANDS, *ALIASES])
def test_a_command_is_spelled_either_way(bakthat_command: CommandLine, name: str):
    said = {bakthat_command(spelling, "-h").out for spelling in (name, name.replace("-", "_"))}
    assert len(said) == 1
    assert said.pop().startswith(f"Usage: bakthat {name} ")


def test_every_command_takes_one_line_of_the_help(bakthat_command: CommandLine):
    commands = bakthat_command("-h").out.split("Commands:\n")[1].splitlines()
    assert [line for line in commands if line.startswith("   ")] == []


def test_an_option_is_spelled_either_way(bakthat_command: CommandLine):
    (bakthat_command.here / "site").mkdir()
    said = bakthat_command("backup", "site", "-d", "local", "--dry_run", "--exclude_larger_than=1M")
    assert (said.code, said.out[:14]) == (0, "Would back up ")


def test_names_are_shown_with_hyphens(bakthat_command: CommandLine):
    assert "_" not in bakthat_command("-h").out


@pytest.fixture
def two_profiles(bakthat_command: CommandLine) -> CommandLine:
    bakthat_command.configure({"default": {"default_destination": "local"}, "work": {"default_destination": "local"}})
    return bakthat_command


@pytest.mark.parametrize(
    "arguments",
    [
        ["-p", "nosuch", "show"],
        ["show", "-p", "nosuch"],
        ["-p", "work", "show", "-p", "nosuch"],
        ["-p", "nosuch", "glacier-inventory", "show-local"],
        ["glacier-inventory", "-p", "nosuch", "show-local"],
    ],
    ids=["before", "after", "after-wins", "before-two", "between"],
)
def test_a_profile_may_stand_before_the_command(two_profiles: CommandLine, arguments: list[str]):
    said = two_profiles(*arguments)
    assert said.code == 2
    assert "no profile 'nosuch'" in said.err


def test_a_config_before_the_command_goes_before_the_environment(two_profiles: CommandLine):
    said = two_profiles("-c", "given.yml", "show", BAKTHAT_CONFIG="from-environment.yml")
    assert "given.yml" in said.err
    assert "from-environment.yml" in two_profiles("show", BAKTHAT_CONFIG="from-environment.yml").err


def test_quiet_before_the_command_is_quiet(two_profiles: CommandLine):
    assert two_profiles("-q", "show").err == ""


def test_an_option_of_a_command_before_it_is_explained(bakthat_command: CommandLine):
    said = bakthat_command("-d", "local", "show")
    assert said.code == 2
    assert "a command's own options follow its name" in said.err


def test_a_missing_name_says_how_to_find_one(bakthat_command: CommandLine):
    assert "`bakthat show` lists the backups" in bakthat_command("ls").err


def test_a_group_without_a_command_lists_its_commands(bakthat_command: CommandLine):
    said = bakthat_command("glacier-inventory")
    assert said.code == 2
    assert "show-local" in said.err
    assert said.err.count("\n") > 5


def test_help_breaks_no_line_inside_a_word(bakthat_command: CommandLine):
    for words, command in every_command():
        lines = bakthat_command(*words, "-h").out.splitlines()
        assert [line for line in lines if line.endswith("-") or len(line) > 80] == [], command.name


def test_every_repeatable_option_says_so():
    silent = [
        f"{' '.join(words)} {parameter.opts[-1]}"
        for words, command in every_command()
        for parameter in command.params
        if isinstance(parameter, click.Option) and parameter.multiple and "repeatable" not in str(parameter.help)
    ]
    assert silent == []
