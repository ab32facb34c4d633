"""Opens a backup's stored bytes, when it is ready."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from typing import BinaryIO

from bakthat.domain import retrieval
from bakthat.domain.backup import Backup
from bakthat.domain.objects import Tier
from bakthat.errors import ObjectNotFound, RetrievalPending
from bakthat.usecases.destinations.base import Destination
from bakthat.usecases.tools import Tools


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
                raise ObjectNotFound(f"{gone}; `bakthat sync` updates the database from the store") from gone
            except RetrievalPending as pending:
                if not wait:
                    raise
                pauses = pauses or retrieval.pauses(destination.usual_wait(tier))
                _wait(pending, next(pauses).total_seconds(), tools)
            else:
                break
        yield stored


def _wait(pending: RetrievalPending, seconds: float, tools: Tools) -> None:
    line = str(pending).replace("run restore again", f"checking again in {seconds:.0f} s")
    tools.notice(line)
    try:
        tools.sleep(seconds)
    except KeyboardInterrupt:
        tools.notice("the retrieval continues; run restore again later")
        raise
