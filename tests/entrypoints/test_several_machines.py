"""Several machines, or several directories, under one name: transcripts of the command line, and the library."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from bakthat import Backup, Bakthat, Profile, open_profile
from bakthat.adapters.memory.metadata_repo import MemoryRepo
from bakthat.adapters.memory.object_store import MemoryObjectStore
from bakthat.errors import UsageError
from bakthat.testing.toolbox import SteppedClock
from tests.fixtures.age_program import run_with_terminal
from tests.fixtures.command_line import CommandLine

START = datetime(2026, 1, 1, 2, tzinfo=UTC)


@pytest.fixture
def run(bakthat_command: CommandLine, site: Path) -> CommandLine:
    bakthat_command.configure({"default": {"default_destination": "local", "host": "web1", "rotation": {"days": 2}}})
    return bakthat_command


def back_up(run: CommandLine, source: Path, host: str, days: int) -> list[str]:
    """Daily backups in the folder and the database of the command line, by this host; the newest first."""
    clock = SteppedClock(START)
    profile = Profile(
        default_destination="local",
        local_path=str(run.home / ".bakthat" / "store"),
        database=str(run.home / ".bakthat.sqlite"),
    )
    bakthat = open_profile(profile, clock=clock, host=lambda: host, environment={}, notice=lambda _: None)
    made: list[str] = []
    for _ in range(days):
        made.insert(0, bakthat.backup(source, password="").stored_filename)
        clock.forward(days=1)
    return made


@pytest.fixture
def two(run: CommandLine, site: Path) -> dict[str, list[str]]:
    """Four backups of each of two hosts."""
    return {host: back_up(run, site, host, 4) for host in ("web1", "web2")}


def table(out: str) -> list[tuple[str, str]]:
    """What becomes of which backup, and the headings."""
    found = [re.split(r"  +", line) for line in out.splitlines()]
    return [(words[0], words[2] if len(words) > 2 else "") for words in found]


# rotation


def test_each_host_is_thinned_by_itself_under_a_heading_of_its_own(
    run: CommandLine, two: dict[str, list[str]], site: Path
) -> None:
    said = run("rotate_backups", "site", "-v")
    words = ["keep", "keep", "delete", "delete"]
    assert said.code == 0, said.err
    assert table(said.out) == [
        (f"web1:{site}:", ""),
        *zip(words, two["web1"], strict=True),
        ("", ""),
        (f"web2:{site}:", ""),
        *zip(words, two["web2"], strict=True),
        ("site: kept 4, deleted 4 (of 2 origins)", ""),
    ]


def test_a_dry_run_shows_a_calendar_for_each(run: CommandLine, two: dict[str, list[str]], site: Path) -> None:
    out = run("rotate_backups", "site", "--dry-run").out
    calendars = out[out.rindex(f"web1:{site}:") :]
    assert calendars.count("2026-01  --##") == 2
    assert calendars.count(f"web2:{site}:") == 1


def test_a_series_of_one_origin_has_no_heading(run: CommandLine, site: Path) -> None:
    back_up(run, site, "web1", 3)
    assert [line.split()[0] for line in run("rotate_backups", "site", "--dry-run").lines[:4]] == [
        "keep",
        "keep",
        "delete",
        "1",
    ]


def test_json_has_the_origin_of_every_decision(run: CommandLine, two: dict[str, list[str]], site: Path) -> None:
    told = json.loads(run("rotate_backups", "site", "--dry-run", "--json").out)
    origins = {decision["stored_filename"]: decision["origin"] for decision in told["keep"] + told["delete"]}
    assert origins == {
        name: {"host": host, "source": str(site), "unknown": False} for host, names in two.items() for name in names
    }


@pytest.mark.parametrize("verb", [["rotate_backups", "site"], ["remove_older_than", "site", "1D"]])
def test_a_host_limits_what_goes(run: CommandLine, two: dict[str, list[str]], verb: list[str]) -> None:
    said = run(*verb, "--host", "web1")
    assert said.code == 0
    left = [line.split("\t")[3] for line in run("show").lines]
    assert set(two["web2"]) <= set(left)
    assert len(left) < 8


def test_a_source_may_be_given_as_the_shell_has_it(run: CommandLine, two: dict[str, list[str]]) -> None:
    assert len(run("rotate_backups", "site", "--source", "site/", "--dry-run").lines) > 8
    said = run("rotate_backups", "site", "--source", "/elsewhere")
    assert (said.code, said.out) == (1, "")
    assert re.fullmatch(
        r"bakthat: site: no backups of source /elsewhere; there are backups of web1:\S+, web2:\S+\n", said.err
    )


def test_a_grouping_may_take_all_as_one(run: CommandLine, two: dict[str, list[str]]) -> None:
    assert run("rotate_backups", "site", "--group-by", "none").out == "site: kept 3, deleted 5\n"


def test_a_grouping_that_there_is_not_is_a_mistake(run: CommandLine) -> None:
    said = run("rotate_backups", "site", "--group-by", "moon")
    assert (said.code, said.out) == (2, "")
    assert "'host,source', 'host', 'source', 'none'" in said.err


# choosing one


def test_restore_takes_this_hosts_and_says_so(run: CommandLine, two: dict[str, list[str]], site: Path) -> None:
    said = run("restore", "site", "--target", "out")
    assert said.code == 0
    assert said.err.splitlines() == [
        f"bakthat: site: {two['web1'][0]} is the newest of web1:{site}, this host; there are also backups of "
        f"web2:{site} (--host selects one)",
        f"Restored {two['web1'][0]}: 1 file (14 B).",
    ]


@pytest.mark.parametrize("command", [["restore", "site", "--target", "out"], ["delete", "site"], ["verify", "site"]])
def test_a_name_of_several_other_hosts_is_refused_and_what_there_is_listed(
    run: CommandLine, two: dict[str, list[str]], site: Path, command: list[str]
) -> None:
    before = run.files()
    said = run(*command, BAKTHAT_HOST="web3")
    assert (said.code, said.out, run.files()) == (1, "", before)
    assert said.err == (
        f"bakthat: site: backups of 2 origins match: web1:{site} (newest {two['web1'][0]}), web2:{site} (newest "
        f"{two['web2'][0]}); select one with --host, or give a stored filename\n"
    )


def test_a_host_chooses(run: CommandLine, two: dict[str, list[str]]) -> None:
    assert run("restore", "site", "--host", "web2", "--target", "out").err.startswith(f"Restored {two['web2'][0]}: ")
    assert run("verify", "site", "--host", "web2").out == f"good\t{two['web2'][0]}\n"
    assert run("delete", "site", "--host", "web2").out == f"{two['web2'][0]}\n"
    assert len(run("verify", "--all", "--quick", "--host", "web2").lines) == 3


def test_a_host_without_a_name_is_a_mistake(run: CommandLine, two: dict[str, list[str]]) -> None:
    said = run("restore", "--from", "x.tgz", "--host", "web2")
    assert said.code == 2


# backup


def test_a_name_that_others_use_is_noticed_when_it_is_used(run: CommandLine, site: Path) -> None:
    back_up(run, site, "web2", 1)
    said = run("backup", "site", "--prompt", "no")
    assert said.code == 0
    assert said.err.splitlines()[0] == (
        f"bakthat: site: this name also has backups of web2:{site}; each origin is rotated separately. Use "
        "--name or s3_prefix to separate them; set `host` if the name of the machine changes"
    )


def test_the_profile_names_the_host_and_the_environment_goes_before_it(run: CommandLine) -> None:
    run("backup", "site", "--prompt", "no")
    run("backup", "site", "--prompt", "no", BAKTHAT_HOST="elsewhere")
    records = json.loads(run("show", "--json").out)["backups"]
    assert [record["metadata"]["client"] for record in records] == ["elsewhere", "web1"]


# delete


def at_a_terminal(run: CommandLine, *arguments: str, typed: list[str], code: int = 0) -> str:
    return run_with_terminal(
        run.command(*arguments), typed=typed, prompt=b"(yes/no)", cwd=run.here, env=run.env(), code=code
    )


def size_of(run: CommandLine, name: str) -> str:
    return f"{(run.home / '.bakthat' / 'store' / name).stat().st_size} B"


def test_on_a_terminal_it_asks(run: CommandLine, two: dict[str, list[str]]) -> None:
    newest, older = two["web1"][:2]
    shown = at_a_terminal(run, "delete", "site", typed=["yes"])
    assert f"Delete {newest}, {size_of(run, older)}, the newest of 4? (yes/no)" in shown
    assert f"Deleted {newest} from local." in shown
    assert f"Delete {two['web1'][2]}, {size_of(run, older)}, one of 3?" in at_a_terminal(
        run, "delete", two["web1"][2], typed=["y"]
    )


@pytest.mark.parametrize("answer", ["no", "n", ""])
def test_a_no_deletes_nothing(run: CommandLine, two: dict[str, list[str]], answer: str) -> None:
    shown = at_a_terminal(run, "delete", "site", typed=[answer], code=1)
    assert "bakthat: nothing was deleted" in shown
    assert len(run("show").lines) == 8


def test_yes_does_not_ask(run: CommandLine, two: dict[str, list[str]]) -> None:
    assert "(yes/no)" not in at_a_terminal(run, "delete", "site", "-y", typed=[])
    assert "(yes/no)" not in at_a_terminal(run, "delete", "site", "--dry-run", typed=[])
    assert len(run("show").lines) == 7


def test_the_question_says_when_it_is_the_only_one(run: CommandLine, site: Path) -> None:
    (only,) = back_up(run, site, "web1", 1)
    shown = at_a_terminal(run, "delete", "site", typed=["yes"])
    assert f"Delete {only}, " in shown
    assert f"the only one of web1:{site}?" in shown


def test_a_script_of_2013_goes_on_deleting_but_not_the_last_one(run: CommandLine, site: Path) -> None:
    newest, last = back_up(run, site, "web1", 2)
    assert run("delete", "site").out == f"{newest}\n"
    said = run("delete", "site")
    assert (said.code, said.out) == (1, "")
    assert said.err == (
        f"bakthat: {last} is the last complete backup of site (web1:{site}); nothing was deleted; add --yes to delete "
        "it anyway\n"
    )
    assert run("show").code == 0
    assert run("delete", "site", "--yes").out == f"{last}\n"


# the library


@pytest.fixture
def shared() -> tuple[MemoryObjectStore, SteppedClock]:
    clock = SteppedClock(START)
    return MemoryObjectStore("memory://s3", clock=clock), clock


def machine(shared: tuple[MemoryObjectStore, SteppedClock], host: str, **profile) -> Bakthat:
    store, clock = shared
    return open_profile(
        Profile(**profile), store=store, repo=MemoryRepo(), clock=clock, host=lambda: host, environment={}
    )


def test_the_librarys_delete_never_asks_and_never_refuses(shared, tree: Path) -> None:
    bakthat = machine(shared, "web1")
    made = bakthat.backup(tree, password="")
    assert bakthat.delete("site").stored_filename == made.stored_filename


def test_about_to_delete_returns_what_there_is(shared, tree: Path) -> None:
    bakthat = machine(shared, "web1")
    made = bakthat.backup(tree, password="")
    told = bakthat.about_to_delete("site")
    assert (told.backup, told.of_origin, told.is_last_complete) == (made, 1, True)
    assert bakthat.show() == [made]


def test_verbs_take_a_host(shared, tree: Path, tmp_path: Path) -> None:
    first, second = machine(shared, "web1"), machine(shared, "web2")
    one = first.backup(tree, password="")
    shared[1].forward(hours=1)
    two = second.backup(tree, password="")
    first.sync()
    assert first.restore("site", host="web2", target=tmp_path / "out").stored_filename == two.stored_filename
    assert [found.backup.stored_filename for found in first.verify("site", host="web1")] == [one.stored_filename]
    assert first.delete("site", host="web2").stored_filename == two.stored_filename


def test_rotation_takes_a_scope(shared, tree: Path) -> None:
    bakthat = machine(shared, "web1", rotation={"last": 1})
    for _ in range(3):
        bakthat.backup(tree, password="")
        shared[1].forward(days=1)

    def gone(**scope: str) -> list[Backup]:
        return bakthat.rotate_backups("site", dry_run=True, **scope)

    assert len(gone()) == len(gone(group_by="host", host="web1")) == len(gone(source=str(tree))) == 2
    with pytest.raises(UsageError, match="there is no grouping 'moon'; choose one of `host,source`, `host`"):
        gone(group_by="moon")


def test_the_environment_names_the_host_before_the_profile_and_the_machine_does_last(shared, tree: Path) -> None:
    store, clock = shared

    def client(profile: Profile, **environment: str) -> object:
        bakthat = open_profile(
            profile, store=store, repo=MemoryRepo(), clock=clock, host=lambda: "machine", environment=environment
        )
        clock.now += timedelta(hours=1)
        return bakthat.backup(tree, password="").metadata["client"]

    assert client(Profile()) == "machine"
    assert client(Profile(), BAKTHAT_HOST="environment") == "environment"
    assert client(Profile(host="profile"), BAKTHAT_HOST="") == "profile"
    assert client(Profile(host="profile"), BAKTHAT_HOST="environment") == "environment"
