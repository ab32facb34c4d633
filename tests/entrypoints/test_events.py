"""Events: before and on are tied together, and a listener that raises disturbs nothing."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from bakthat import Bakthat, Events, Profile, open_profile
from bakthat.adapters.memory_repo import MemoryRepo
from bakthat.adapters.memory_store import MemoryObjectStore
from bakthat.domain.query import Query
from bakthat.errors import BackupNotFound, BakthatError, ConfigInvalid
from bakthat.testing.faulty import Fault, FaultyObjectStore
from bakthat.testing.toolbox import SteppedClock


@pytest.fixture
def told(bakthat: Bakthat) -> list[tuple]:
    """What the listeners were told, in order: (event, facts…)."""
    heard: list[tuple] = []
    for name, event in vars(bakthat.events).items():
        if name != "on_progress":
            event += lambda *facts, name=name: heard.append((name, *facts))
    return heard


def test_before_and_on_share_a_session(bakthat: Bakthat, told: list[tuple], tree: Path) -> None:
    made = bakthat.backup(tree)
    (before, session), (on, same_session, backup) = told
    assert (before, on, session, backup) == ("before_backup", "on_backup", same_session, made)


def test_every_verb_tells(bakthat: Bakthat, told: list[tuple], tree: Path, tmp_path: Path, clock: SteppedClock) -> None:
    bakthat.backup(tree)
    bakthat.restore("site", target=tmp_path / "out")
    clock.forward(days=1)
    bakthat.rotate_backups("site")
    bakthat.remove_older_than("site", "1D")
    bakthat.delete("site")
    assert [name for name, *_ in told] == [
        "before_backup",
        "on_backup",
        "before_restore",
        "on_restore",
        "before_rotate_backups",
        "on_rotate_backups",
        "before_delete_older_than",
        "on_delete_older_than",
        "before_delete",
        "on_delete",
    ]


def test_sessions_differ(bakthat: Bakthat, told: list[tuple], tree: Path) -> None:
    bakthat.backup(tree)
    bakthat.backup(tree)
    assert len({session for _, session, *_ in told}) == 2


def test_a_failure_is_told_instead_of_on(bakthat: Bakthat, told: list[tuple]) -> None:
    with pytest.raises(BackupNotFound) as caught:
        bakthat.delete("site")
    (_, session), failure = told
    assert failure == ("on_failure", session, "delete", caught.value)


@pytest.mark.parametrize(
    ("verb", "call"),
    [
        ("backup", lambda bakthat: bakthat.backup(".", recipients=["no key"])),
        ("backup", lambda bakthat: bakthat.backup(".", "nowhere")),
        ("delete_older_than", lambda bakthat: bakthat.remove_older_than("site", "3X")),
        ("rotate_backups", lambda bakthat: bakthat.rotate_backups("site")),
    ],
)
def test_a_request_that_cannot_even_begin_is_a_failure_too(
    store: MemoryObjectStore, repo: MemoryRepo, verb: str, call: Callable[[Bakthat], object]
) -> None:
    bakthat = open_profile(Profile(), store=store, repo=repo, environment={})
    heard: list[tuple[str, BaseException]] = []
    bakthat.events.on_failure += lambda session, *facts: heard.append(facts)
    with pytest.raises(BakthatError) as caught:
        call(bakthat)
    assert heard == [(verb, caught.value)]


def test_a_deletion_that_failed_among_others_is_a_failure(
    repo: MemoryRepo, clock: SteppedClock, store: MemoryObjectStore, tree: Path
) -> None:
    faulty = FaultyObjectStore(store, Fault(method="delete", key="site"))
    bakthat = open_profile(Profile(rotation={"days": 1}), store=faulty, repo=repo, clock=clock)
    heard: list[str] = []
    bakthat.events.on_failure += lambda session, verb, error: heard.append(verb)
    bakthat.events.on_rotate_backups += lambda session, gone: heard.append("on")
    bakthat.backup(tree)
    clock.forward(days=1)
    bakthat.backup(tree)
    bakthat.rotate_backups_with_report("site")
    assert heard == ["rotate_backups"]


def test_progress_is_told_with_the_session(bakthat: Bakthat, tree: Path) -> None:
    heard: list[tuple] = []
    bakthat.events.on_progress += lambda session, progress: heard.append((session, progress.stage))
    bakthat.backup(tree)
    assert {stage for _, stage in heard} == {"backing up"}


def test_a_listener_that_raises_is_logged_and_disturbs_nothing(
    bakthat: Bakthat, tree: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("broken listener")

    heard: list[str] = []
    bakthat.events.on_backup += broken
    bakthat.events.on_backup += lambda session, backup: heard.append(backup.filename)
    with caplog.at_level(logging.ERROR, logger="bakthat"):
        bakthat.backup(tree)
    assert heard == ["site"]
    assert "broken listener" in caplog.text


def test_a_listener_can_be_taken_away(bakthat: Bakthat, tree: Path) -> None:
    heard: list[str] = []
    bakthat.events.before_backup += heard.append
    bakthat.events.before_backup -= heard.append
    bakthat.backup(tree)
    assert heard == []


def test_events_are_no_global(bakthat: Bakthat, store: MemoryObjectStore, repo: MemoryRepo, tree: Path) -> None:
    heard: list[str] = []
    bakthat.events.before_backup += heard.append
    open_profile(Profile(), store=store, repo=repo).backup(tree)
    assert heard == []


def test_events_can_be_handed_in(store: MemoryObjectStore, repo: MemoryRepo, tree: Path) -> None:
    events = Events()
    heard: list[str] = []
    events.before_backup += heard.append
    open_profile(Profile(), store=store, repo=repo, events=events).backup(tree)
    assert len(heard) == 1


# commands of the profile


def with_hooks(store: MemoryObjectStore, repo: MemoryRepo, **hooks) -> Bakthat:
    return open_profile(Profile(hooks=hooks), store=store, repo=repo, environment={})


def writes_its_input_to(path: Path) -> list[str]:
    return [sys.executable, "-c", f"import sys; open({str(path)!r}, 'w').write(sys.stdin.read())"]


def test_the_success_command_gets_the_facts_as_json(
    store: MemoryObjectStore, repo: MemoryRepo, tree: Path, tmp_path: Path
) -> None:
    made = with_hooks(store, repo, success=writes_its_input_to(tmp_path / "facts")).backup(tree)
    facts = json.loads((tmp_path / "facts").read_text())
    assert (facts["verb"], facts["backup"]["stored_filename"]) == ("backup", made.stored_filename)


def test_events_that_are_shared_do_not_run_a_command_twice(
    store: MemoryObjectStore, repo: MemoryRepo, tree: Path, tmp_path: Path
) -> None:
    appends = [sys.executable, "-c", f"open({str(tmp_path / 'runs')!r}, 'a').write('x')"]
    events = Events()
    for _ in range(2):
        bakthat = open_profile(Profile(hooks={"success": appends}), store=store, repo=repo, events=events)
        bakthat.backup(tree, password="")
    assert (tmp_path / "runs").read_text() == "xx"


def test_the_failure_command_gets_the_error(store: MemoryObjectStore, repo: MemoryRepo, tmp_path: Path) -> None:
    with pytest.raises(BackupNotFound):
        with_hooks(store, repo, failure=writes_its_input_to(tmp_path / "facts")).delete("site")
    assert "no such backup" in json.loads((tmp_path / "facts").read_text())["error"]


@pytest.mark.parametrize(
    ("command", "told"),
    [
        (["/no/such/program"], "is not there"),
        ([sys.executable, "-c", "raise SystemExit(3)"], "exit code 3"),
        ([sys.executable, "-c", "import time; time.sleep(60)"], "was stopped"),
    ],
)
def test_a_hook_that_fails_does_not_undo_the_backup(
    store: MemoryObjectStore,
    repo: MemoryRepo,
    tree: Path,
    caplog: pytest.LogCaptureFixture,
    command: list[str],
    told: str,
) -> None:
    made = with_hooks(store, repo, success=command, timeout=1).backup(tree)
    assert list(repo.find(Query())) == [made]
    assert told in caplog.text


@pytest.mark.parametrize(
    ("hooks", "key"), [({"succes": "x"}, "succes"), ({"success": 3}, "success"), ({"timeout": 0}, "timeout")]
)
def test_hooks_of_a_wrong_shape_name_the_key(store: MemoryObjectStore, repo: MemoryRepo, hooks: dict, key: str) -> None:
    with pytest.raises(ConfigInvalid, match=key):
        with_hooks(store, repo, **hooks)
