"""Events: before and on are tied together, and a listener that raises disturbs nothing."""

from __future__ import annotations

import io
import logging
from collections.abc import Callable
from pathlib import Path

import pytest

from bakthat import Bakthat, Events, Profile, open_profile
from bakthat.adapters.memory.metadata_repo import MemoryRepo
from bakthat.adapters.memory.object_store import MemoryObjectStore
from bakthat.errors import BackupNotFound, BakthatError, PayloadDamaged
from bakthat.testing.faulty import Fault, FaultyObjectStore
from bakthat.testing.toolbox import SteppedClock


@pytest.fixture
def told(bakthat: Bakthat) -> list[tuple]:
    """The calls of the listeners, in order: (event, facts…)."""
    heard: list[tuple] = []
    for name, event in vars(bakthat.events).items():
        if name != "on_progress":
            event += lambda *facts, name=name: heard.append((name, *facts))
    return heard


def test_before_and_on_share_a_session(bakthat: Bakthat, told: list[tuple], tree: Path) -> None:
    made = bakthat.backup(tree)
    (before, session), (on, same_session, backup) = told
    assert (before, on, session, backup) == ("before_backup", "on_backup", same_session, made)


def test_every_verb_calls_its_listeners(
    bakthat: Bakthat, told: list[tuple], tree: Path, tmp_path: Path, clock: SteppedClock
) -> None:
    bakthat.backup(tree)
    bakthat.restore("site", target=tmp_path / "out")
    clock.forward(days=1)
    bakthat.rotate_backups("site")
    bakthat.remove_older_than("site", "1D")
    bakthat.verify("site")
    bakthat.sync()
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
        "before_verify",
        "on_verify",
        "before_sync",
        "on_sync",
        "before_delete",
        "on_delete",
    ]


def test_a_verify_that_finds_a_bad_backup_is_a_failure(
    bakthat: Bakthat, told: list[tuple], tree: Path, store: MemoryObjectStore
) -> None:
    made = bakthat.backup(tree)
    store.put(made.stored_filename, io.BytesIO(b"x" * made.size), replace=True)
    told.clear()
    (result,) = bakthat.verify("site")
    (_, session), failure = told
    assert isinstance(result.error, PayloadDamaged)
    assert failure == ("on_failure", session, "verify", result.error)


def test_sessions_differ(bakthat: Bakthat, told: list[tuple], tree: Path) -> None:
    bakthat.backup(tree)
    bakthat.backup(tree)
    assert len({session for _, session, *_ in told}) == 2


def test_a_failure_is_reported_instead_of_success(bakthat: Bakthat, told: list[tuple]) -> None:
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


def test_progress_has_the_session(bakthat: Bakthat, tree: Path) -> None:
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


def test_events_are_not_global(bakthat: Bakthat, store: MemoryObjectStore, repo: MemoryRepo, tree: Path) -> None:
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
