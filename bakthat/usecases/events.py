"""Events: callbacks while bakthat works. They are not global: each `Bakthat` has its own."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from typing import Any

log = logging.getLogger("bakthat")


class Event:
    """The listeners of one event, called in the order in which they were added. `+=` adds one, `-=` removes one.

    An exception of a listener is logged (logger `bakthat`) and has no other effect.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self._listeners: list[Callable[..., object]] = []

    def __iadd__(self, listener: Callable[..., object]) -> Event:
        self._listeners.append(listener)
        return self

    def __isub__(self, listener: Callable[..., object]) -> Event:
        self._listeners.remove(listener)
        return self

    def __len__(self) -> int:
        return len(self._listeners)

    def __iter__(self) -> Iterator[Callable[..., object]]:
        return iter(self._listeners)

    def __call__(self, *facts: Any) -> None:
        """Call every listener."""
        for listener in tuple(self._listeners):
            try:
                listener(*facts)
            except Exception:
                log.exception("a listener of %s raised", self.name)


class Events:
    """The events of 2013, and those of newer verbs. The first argument of each listener is the session id, the same for
    `before_…`, `on_…`, `on_failure` and `on_progress` of one call:

    - `before_…(session_id)`
    - `on_backup`, `on_restore`, `on_delete` `(session_id, backup)`
    - `on_delete_older_than`, `on_rotate_backups` `(session_id, deleted)`: a list of the deleted records
    - `on_verify(session_id, results)`: a list of `Verified`; a bad one is a failure of `verify`
    - `on_sync(session_id, report)`: a `SyncReport`
    - `on_copy(session_id, report)`: a `CopyReport`; one with failures is a failure of `copy`
    - `on_cleanup(session_id, done)`: a `CleanedUp`, the reports by destination
    - `on_run(session_id, runs)`: a `JobRuns`; one job that fails is a failure of `run`
    - `on_failure(session_id, verb, error)`: instead of `on_…`; `error` is the exception that the caller gets
    - `on_progress(session_id, progress)`: a `bakthat.Progress`; often, and in the working thread
    """

    def __init__(self) -> None:
        self.before_backup = Event("before_backup")
        self.on_backup = Event("on_backup")
        self.before_restore = Event("before_restore")
        self.on_restore = Event("on_restore")
        self.before_delete = Event("before_delete")
        self.on_delete = Event("on_delete")
        self.before_delete_older_than = Event("before_delete_older_than")
        self.on_delete_older_than = Event("on_delete_older_than")
        self.before_rotate_backups = Event("before_rotate_backups")
        self.on_rotate_backups = Event("on_rotate_backups")
        self.before_verify = Event("before_verify")
        self.on_verify = Event("on_verify")
        self.before_sync = Event("before_sync")
        self.on_sync = Event("on_sync")
        self.before_copy = Event("before_copy")
        self.on_copy = Event("on_copy")
        self.before_cleanup = Event("before_cleanup")
        self.on_cleanup = Event("on_cleanup")
        self.before_run = Event("before_run")
        self.on_run = Event("on_run")
        self.on_failure = Event("on_failure")
        self.on_progress = Event("on_progress")

    def tell_before(self, verb: str, session_id: str) -> None:
        """`before_<verb>`."""
        self._event(f"before_{verb}")(session_id)

    def tell_on(self, verb: str, session_id: str, outcome: object) -> None:
        """`on_<verb>`."""
        self._event(f"on_{verb}")(session_id, outcome)

    def _event(self, name: str) -> Event:
        event = getattr(self, name)
        assert isinstance(event, Event)  # noqa: S101 - the names above
        return event
