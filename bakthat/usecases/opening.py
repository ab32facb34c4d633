"""What every verb does that reads an archive: choose the backup, get its keys, open it when it is ready."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from typing import BinaryIO

from attrs import field, frozen

from bakthat.domain import retrieval
from bakthat.domain.backup import Backup
from bakthat.domain.objects import Tier
from bakthat.domain.payload import Keys
from bakthat.errors import ObjectNotFound, PasswordNeeded, RetrievalPending
from bakthat.usecases.destinations.base import Destination
from bakthat.usecases.plain_backup import PlainGuard
from bakthat.usecases.select_backup import choose
from bakthat.usecases.tools import Tools


def no_keys(_: Backup) -> Keys:
    """The keys of a caller that has none."""
    return Keys()


@frozen(kw_only=True)
class Chosen:
    """Which backup a verb reads. host: only a backup of this host is meant. allow_plain: also a plain backup of a
    series that is encrypted. keys: called once, before any download, and only for an encrypted backup."""

    name: str
    destination: str
    host: str | None = None
    allow_plain: bool = False
    keys: Callable[[Backup], Keys] = field(default=no_keys, repr=False)


def choose_to_open(chosen: Chosen, tools: Tools) -> tuple[Backup, Keys]:
    """Return the backup that is meant, and its keys; none for a plain one.

    Raises `BackupNotFound`, `AmbiguousName`, `NotEncrypted`, `PasswordNeeded`.
    """
    destination = tools.destination(chosen.destination)
    backup = choose(chosen.name, destination, tools, host=chosen.host)
    if not chosen.allow_plain:
        PlainGuard(destination, tools).check(backup)
    return backup, keys_of(backup, chosen.keys)


def keys_of(backup: Backup, ask: Callable[[Backup], Keys]) -> Keys:
    """The keys for a backup: none for a plain one, else what `ask` gives. Raises `PasswordNeeded`."""
    if not backup.is_encrypted:
        return Keys()
    keys = ask(backup)
    if not keys:
        raise PasswordNeeded(f"{backup.stored_filename} is encrypted; give its password, or its key file with -i")
    return keys


@contextmanager
def opened_when_ready(
    backup: Backup, destination: Destination, tools: Tools, *, tier: Tier | None = None, wait: bool = False
) -> Iterator[BinaryIO]:
    """The stored bytes. `tier`: how fast, where the backup must be retrieved first; `wait`: until it is.

    Raises `ObjectNotFound`, `RetrievalPending` without `wait`, and what else the store says.
    """
    pauses: Iterator[timedelta] | None = None
    with ExitStack() as stack:
        while True:
            try:
                stored = stack.enter_context(destination.open(backup, tier=tier))
            except ObjectNotFound as gone:
                raise ObjectNotFound(f"{gone}; `bakthat sync` makes the database agree with the store") from gone
            except RetrievalPending as pending:
                if not wait:
                    raise
                pauses = pauses or retrieval.pauses(destination.usual_wait(tier))
                _wait(pending, next(pauses).total_seconds(), tools)
            else:
                break
        yield stored


def _wait(pending: RetrievalPending, seconds: float, tools: Tools) -> None:
    line = str(pending).replace("run restore again", f"looking again in {seconds:.0f} s")
    tools.notice(line)
    try:
        tools.sleep(seconds)
    except KeyboardInterrupt:
        tools.notice("the retrieval goes on without you; run restore again later")
        raise
