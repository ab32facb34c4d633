"""The commands of a profile: which one runs for which verb and outcome, and what it is given."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve

import bakthat as bakthat_functions
from bakthat import Bakthat, Events, Profile, open_profile
from bakthat.adapters.memory.metadata_repo import MemoryRepo
from bakthat.adapters.memory.object_store import MemoryObjectStore
from bakthat.domain.backup import Backup
from bakthat.domain.query import Query
from bakthat.errors import BackupNotFound, ConfigInvalid, RetrievalPending, SourceError, StoreUnavailable, UsageError
from bakthat.testing.faulty import Fault, FaultyObjectStore
from bakthat.testing.toolbox import SteppedClock

Open = Callable[..., Bakthat]


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """Where the commands that `noting` makes leave what they are given, one line each."""
    return tmp_path / "log"


@pytest.fixture
def noting(log: Path) -> Callable[[str], list[str]]:
    """A command that leaves its name, its facts and its environment."""

    def command(name: str) -> list[str]:
        code = (
            "import json, os, sys\n"
            "told = {'command': sys.argv[2], 'facts': json.load(sys.stdin), 'environment': dict(os.environ)}\n"
            "open(sys.argv[1], 'a').write(json.dumps(told) + '\\n')\n"
        )
        return [sys.executable, "-c", code, str(log), name]

    return command


@pytest.fixture
def noted(log: Path) -> Callable[[], list[dict[str, Any]]]:
    """What the commands left, in order."""
    return lambda: [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []


@pytest.fixture
def opened(store: MemoryObjectStore, repo: MemoryRepo, clock: SteppedClock) -> Open:
    """A profile with hooks over stores in memory."""

    def opened(hooks: dict[str, Any], *, environment: dict[str, str] | None = None, **more: Any) -> Bakthat:
        given = {"store": store, **{name: more.pop(name) for name in ("store", "notice", "events") if name in more}}
        profile = Profile(hooks=hooks, rotation={"days": 1}, **more)
        return open_profile(profile, repo=repo, clock=clock, environment=environment or {}, **given)

    return opened


@pytest.fixture
def make_incomplete(repo: MemoryRepo) -> Callable[[Backup], None]:
    def make_incomplete(made: Backup) -> None:
        repo.replace(evolve(made, metadata={**made.metadata, "incomplete": True, "problems": ["a: gone"]}))

    return make_incomplete


@pytest.fixture
def vanishing(tmp_path: Path) -> Path:
    """A directory to back up, whose file `b` `back_up_incompletely` removes before it is read."""
    source = tmp_path / "vanishing"
    source.mkdir()
    (source / "a").write_bytes(b"x" * 3_000_000)
    (source / "b").write_bytes(b"y")
    return source


def back_up_incompletely(bakthat: Bakthat, source: Path) -> Backup:
    bakthat.events.on_progress += lambda *_: (source / "b").unlink(missing_ok=True)
    return bakthat.backup(source)


# which command runs


def test_the_success_command_gets_the_facts_as_json(opened: Open, noting, noted, tree: Path) -> None:
    made = opened({"success": noting("success")}).backup(tree)
    (told,) = noted()
    facts = told["facts"]
    assert (facts["verb"], facts["outcome"], facts["profile"]) == ("backup", "success", "default")
    assert facts["backup"]["stored_filename"] == made.stored_filename


def test_the_failure_command_gets_the_error(opened: Open, noting, noted, tmp_path: Path) -> None:
    with pytest.raises(SourceError):
        opened({"failure": noting("failure")}).backup(tmp_path / "nowhere")
    (told,) = noted()
    assert (told["facts"]["outcome"], "nowhere" in told["facts"]["error"]) == ("failure", True)


def test_an_incomplete_backup_runs_the_failure_command_and_says_incomplete(
    opened: Open, noting, noted, vanishing: Path
) -> None:
    bakthat = opened({"success": noting("success"), "failure": noting("failure")})
    made = back_up_incompletely(bakthat, vanishing)
    (told,) = noted()
    assert (told["command"], told["facts"]["outcome"]) == ("failure", "incomplete")
    assert told["facts"]["backup"]["stored_filename"] == made.stored_filename


@pytest.mark.parametrize(
    ("outcomes", "runs"),
    [
        (["success", "incomplete", "failure"], ["incomplete"]),
        (["success", "failure"], ["failure"]),
        (["success"], []),
    ],
)
def test_in_the_nested_form_incomplete_has_a_command_of_its_own_or_that_of_failure(
    opened: Open, noting, noted, vanishing: Path, outcomes: list[str], runs: list[str]
) -> None:
    bakthat = opened({"backup": {outcome: noting(outcome) for outcome in outcomes}})
    back_up_incompletely(bakthat, vanishing)
    assert [told["command"] for told in noted()] == runs


def test_an_empty_command_for_incomplete_runs_nothing(opened: Open, noting, noted, vanishing: Path) -> None:
    bakthat = opened({"backup": {"incomplete": [], "failure": noting("failure")}})
    back_up_incompletely(bakthat, vanishing)
    assert noted() == []


def test_the_restore_of_an_incomplete_backup_is_incomplete(
    opened: Open, noting, noted, make_incomplete, tree: Path, tmp_path: Path
) -> None:
    bakthat = opened({"restore": {"success": noting("success"), "incomplete": noting("incomplete")}})
    make_incomplete(bakthat.backup(tree))
    bakthat.restore("site", target=tmp_path / "out")
    assert [(told["command"], told["facts"]["outcome"]) for told in noted()] == [("incomplete", "incomplete")]


def test_the_deletion_of_an_incomplete_backup_is_a_success(
    opened: Open, noting, noted, make_incomplete, tree: Path
) -> None:
    bakthat = opened({"delete": {"success": noting("success"), "failure": noting("failure")}})
    make_incomplete(bakthat.backup(tree))
    bakthat.delete("site")
    assert [told["command"] for told in noted()] == ["success"]


VERBS: dict[str, Callable[[Bakthat, Path], object]] = {
    "restore": lambda bakthat, out: bakthat.restore("site", target=out),
    "delete": lambda bakthat, _: bakthat.delete("site"),
    "remove_older_than": lambda bakthat, _: bakthat.remove_older_than("site", "1D"),
    "rotate_backups": lambda bakthat, _: bakthat.rotate_backups("site"),
    "sync": lambda bakthat, _: bakthat.sync(),
    "verify": lambda bakthat, _: bakthat.verify("site"),
}


@pytest.mark.parametrize("verb", VERBS)
def test_the_flat_form_is_that_of_backup_alone(
    opened: Open, noting, noted, tree: Path, tmp_path: Path, verb: str
) -> None:
    opened({}).backup(tree)
    VERBS[verb](opened({"success": noting("success"), "failure": noting("failure")}), tmp_path / "out")
    assert noted() == []


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_may_have_commands(opened: Open, noting, noted, tree: Path, tmp_path: Path, verb: str) -> None:
    opened({}).backup(tree)
    VERBS[verb](opened({verb: {"success": noting("success"), "failure": noting("failure")}}), tmp_path / "out")
    assert [(told["command"], told["facts"]["verb"]) for told in noted()] == [("success", verb)]


@pytest.mark.parametrize("verb", [verb for verb in VERBS if verb != "sync"])
def test_every_verb_that_fails_runs_its_failure(opened: Open, noting, noted, tmp_path: Path, verb: str) -> None:
    with pytest.raises(BackupNotFound):
        VERBS[verb](opened({verb: {"success": noting("success"), "failure": noting("failure")}}), tmp_path / "out")
    (told,) = noted()
    assert (told["command"], told["facts"]["verb"], "site" in told["facts"]["error"]) == ("failure", verb, True)


def test_the_retention_of_all_series_runs_one_hook_with_all_that_is_gone(
    opened: Open, noting, noted, tree: Path, clock: SteppedClock
) -> None:
    bakthat = opened({"rotate_backups": {"success": noting("success")}})
    for _ in range(2):
        for name in ("a", "b"):
            bakthat.backup(tree, name=name)
        clock.forward(days=2)
    bakthat.rotate_all_backups()
    (told,) = noted()
    assert sorted(record["filename"] for record in told["facts"]["backups"]) == ["a", "b"]


def test_2013s_spelling_of_remove_older_than_is_a_verb_too(opened: Open, noting, noted, tree: Path) -> None:
    bakthat = opened({"delete_older_than": {"success": noting("success")}})
    bakthat.backup(tree)
    bakthat.remove_older_than("site", "1D")
    assert [told["facts"]["verb"] for told in noted()] == ["remove_older_than"]


def test_a_verify_that_finds_a_bad_backup_runs_failure_and_names_it(
    opened: Open, noting, noted, tree: Path, store: MemoryObjectStore
) -> None:
    bakthat = opened({"verify": {"success": noting("success"), "failure": noting("failure")}})
    made = bakthat.backup(tree)
    store.put(made.stored_filename, io.BytesIO(b"x" * made.size), replace=True)
    bakthat.verify("site")
    (told,) = noted()
    assert (told["command"], told["facts"]["outcome"]) == ("failure", "failure")
    assert made.stored_filename in told["facts"]["error"]
    assert [result["stored_filename"] for result in told["facts"]["verified"]] == [made.stored_filename]


def test_a_verify_that_could_not_look_runs_failure(
    opened: Open, noting, noted, tree: Path, store: MemoryObjectStore
) -> None:
    faulty = FaultyObjectStore(store, Fault(method="stat", error=lambda: StoreUnavailable("down")))
    bakthat = opened({"verify": {"success": noting("success"), "failure": noting("failure")}}, store=faulty)
    bakthat.backup(tree)
    bakthat.verify("site")
    assert [told["command"] for told in noted()] == ["failure"]


def test_a_rotation_after_a_failed_backup_does_not_turn_the_monitor_green(
    opened: Open, noting, noted, tree: Path, tmp_path: Path
) -> None:
    bakthat = opened({"success": noting("success"), "failure": noting("failure")})
    bakthat.backup(tree)
    with pytest.raises(SourceError):
        bakthat.backup(tmp_path / "nowhere", name="site")
    bakthat.rotate_backups("site")
    assert [told["command"] for told in noted()] == ["success", "failure"]


def test_a_retrieval_that_is_pending_is_neither_success_nor_failure(
    opened: Open, noting, noted, tree: Path, store: MemoryObjectStore
) -> None:
    faulty = FaultyObjectStore(store, Fault(method="open", error=lambda: RetrievalPending("come back at five")))
    bakthat = opened({"restore": {"success": noting("success"), "failure": noting("failure")}}, store=faulty)
    bakthat.backup(tree)
    with pytest.raises(RetrievalPending):
        bakthat.restore("site")
    assert noted() == []


def test_a_dry_run_runs_nothing(opened: Open, noting, noted, tree: Path) -> None:
    verbs = ("backup", "delete", "remove_older_than", "rotate_backups", "sync")
    opened({}).backup(tree)
    bakthat = opened({verb: {"success": noting("success"), "failure": noting("failure")} for verb in verbs})
    bakthat.backup(tree, dry_run=True)
    bakthat.delete("site", dry_run=True)
    bakthat.remove_older_than("site", "1D", dry_run=True)
    bakthat.rotate_backups("site", dry_run=True)
    bakthat.sync(dry_run=True)
    assert noted() == []


def test_a_sync_of_several_stores_ends_once_and_a_later_one_does_not_turn_it_green(
    opened: Open, noting, noted, store: MemoryObjectStore, tree: Path, tmp_path: Path
) -> None:
    (tmp_path / "folder").mkdir()
    faulty = FaultyObjectStore(store, Fault(method="list", error=lambda: StoreUnavailable("down")))
    bakthat = opened(
        {"sync": {"success": noting("success"), "failure": noting("failure")}},
        store=faulty,
        s3_bucket="attic",
        local_path=str(tmp_path / "folder"),
    )
    bakthat.backup(tree, "local")
    synced = bakthat.sync_all()
    assert (list(synced.reports), list(synced.failures)) == (["local"], ["s3"])
    (told,) = noted()
    assert (told["command"], told["facts"]["error"], list(told["facts"]["synced"])) == ("failure", "down", ["local"])


def test_a_failure_before_the_first_store_is_one_too(opened: Open, noting, noted) -> None:
    bakthat = opened({"sync": {"failure": noting("failure")}}, local_path="~nobody-like-it/x")
    with pytest.raises(ConfigInvalid):
        bakthat.sync_all()
    assert [told["command"] for told in noted()] == ["failure"]


@pytest.mark.parametrize(
    "wrong", [{"filename": ""}, {"exclude_larger_than": "big"}, {"exclude_from": ["/no/such/file"]}], ids=str
)
def test_a_request_that_cannot_be_carried_out_is_a_failure(
    opened: Open, noting, noted, tree: Path, wrong: dict[str, Any]
) -> None:
    with pytest.raises(UsageError):
        opened({"failure": noting("failure")}).backup(**{"filename": tree, **wrong})
    assert [told["command"] for told in noted()] == ["failure"]


def test_events_that_are_shared_do_not_run_a_command_twice(opened: Open, noting, noted, tree: Path) -> None:
    events = Events()
    for _ in range(2):
        opened({"success": noting("success")}, events=events).backup(tree)
    assert len(noted()) == 2


def test_the_functions_of_the_library_run_them_too(noting, noted, tree: Path, tmp_path: Path) -> None:
    conf = {
        "local_path": str(tmp_path / "store"),
        "database": str(tmp_path / "database"),
        "default_destination": "local",
        "hooks": {"success": noting("success")},
    }
    bakthat_functions.backup(tree, conf=conf, password="")
    assert [told["command"] for told in noted()] == ["success"]


@pytest.mark.parametrize(
    ("command", "timeout", "told"),
    [
        (["/no/such/program"], 60, "could not be run: no such file"),
        (["no-such-program"], 60, "could not be run: no such program on the PATH"),
        (["/etc/passwd"], 60, "could not be run: Permission denied"),
        ([sys.executable, "-c", "raise SystemExit(3)"], 60, "ended with exit code 3"),
        (["sh", "-c", "kill -9 $$"], 60, "was ended by signal 9"),
        (["sleep", "60"], 1, "was stopped after 1 seconds"),
    ],
)
def test_a_hook_that_fails_does_not_undo_the_backup(
    opened: Open, repo: MemoryRepo, tree: Path, command: list[str], timeout: int, told: str
) -> None:
    notices: list[str] = []
    made = opened({"success": command, "timeout": timeout}, notice=notices.append).backup(tree)
    assert list(repo.find(Query())) == [made]
    assert notices == [f"the hook {command[0]} {told}"]


# what it is given

SECRETS = {
    "BAKTHAT_PASSWORD": "correct horse",
    "BAKTHAT_PASSWORD_FILE": "/run/secrets/password",
    "BAKTHAT_ACCESS_KEY": "AKIA",
    "BAKTHAT_SECRET_KEY": "secret",
    "BAKTHAT_PING": "https://hc.example.org/secret",
}
AWS_SECRETS = {
    "AWS_ACCESS_KEY_ID": "AKIA",
    "AWS_SECRET_ACCESS_KEY": "secret",
    "AWS_SESSION_TOKEN": "token",
    "AWS_SECURITY_TOKEN": "token",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN": "token",
    "AWS_BEARER_TOKEN_BEDROCK": "token",
}
HARMLESS = {"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", "AWS_REGION": "eu-west-1", "BAKTHAT_CONFIG": "x.yml"}


@pytest.mark.parametrize(
    ("passed_on", "given"), [(False, HARMLESS), (True, {**HARMLESS, **AWS_SECRETS})], ids=["by default", "asked for"]
)
def test_a_hook_gets_no_secret_from_the_environment(
    opened: Open, noting, noted, tree: Path, passed_on: bool, given: dict[str, str]
) -> None:
    environment = {**HARMLESS, **AWS_SECRETS, **SECRETS}
    opened({"success": noting("success")}, environment=environment, pass_environment=passed_on).backup(tree)
    (told,) = noted()
    assert {name: value for name, value in told["environment"].items() if name in environment} == given


# hooks of a wrong shape


@pytest.mark.parametrize(
    ("hooks", "told"),
    [
        ({"succes": "x"}, "hooks has an unknown key 'succes', did you mean 'success'?"),
        ({"rotate": {"failure": "x"}}, "unknown key 'rotate'"),
        ({"verify": {"incomplete": "x"}}, "hooks.verify has an unknown key 'incomplete'"),
        ({"backup": "x"}, "hooks.backup must say for which outcome a command is run (success, incomplete, failure)"),
        ({"success": 3}, "hooks.success must be a command"),
        ({"success": ""}, "hooks.success is empty"),
        ({"failure": ["", "x"]}, "hooks.failure is empty"),
        ({"verify": {"failure": ["x", 3]}}, "hooks.verify.failure must be a command"),
        ({"verify": {"failure": "x 'y"}}, "hooks.verify.failure cannot be read"),
        ({"success": ["x\0y"]}, "hooks.success contains a NUL"),
        ({"success": "x", "backup": {"success": "y"}}, "hooks.backup.success is given twice"),
        (
            {"delete_older_than": {"success": "x"}, "remove_older_than": {"success": "x"}},
            "hooks.remove_older_than.success is given twice",
        ),
        *(
            ({"timeout": timeout}, "hooks.timeout must be a number of seconds above 0, at most 86400")
            for timeout in (0, -1, True, "60", float("nan"), float("inf"), 1e18, 86_401)
        ),
    ],
)
def test_hooks_of_a_wrong_shape_name_the_key(opened: Open, hooks: dict[str, Any], told: str) -> None:
    with pytest.raises(ConfigInvalid, match="profile 'default': hooks") as caught:
        opened(hooks)
    assert told in str(caught.value)


def test_every_verb_of_the_nested_form_is_taken(opened: Open) -> None:
    verbs = ("backup", "copy", "delete", "remove_older_than", "restore", "rotate_backups", "run", "sync", "verify")
    assert opened({**{verb: {"failure": "false"} for verb in verbs}, "timeout": 86_400})
