"""Reads the catalog entries of archives in a listing, several at once, and decides what to believe.

An entry that cannot be read, or does not match its archive, is skipped: the archive is then known from its name, size
and date alone. A store that is down is an error.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice

from attrs import frozen

from bakthat.domain.backup import Backup
from bakthat.domain.catalog import key_of
from bakthat.domain.evidence import believed, claims_to_be_of, claims_to_be_of_another
from bakthat.errors import InvalidName, ObjectArchived, PayloadDamaged, StoreError, StoreUnavailable
from bakthat.usecases.destinations.base import Destination, Found

_READERS = 16
"""Catalog entries that are read at once: small requests, whose time is the round trip."""

BATCH = 512
"""Entries that are requested before the first of them is recorded: bounds memory, and keeps the readers busy."""

_MOST_FAILURES = 10
"""Entries that may fail as if the store were down, although it answers other requests, before it counts as down."""


@frozen(kw_only=True)
class Read:
    """A found archive, and the record of its entry as far as it may be believed (None: nothing of it).

    problem: why the entry is not believed; "" if it is.
    seen: the entry was read, and need not be read again until it changes.
    foreign: the archive belongs to another destination.
    """

    found: Found
    entry: Backup | None = None
    problem: str = ""
    seen: bool = True
    foreign: bool = False


class EntryReader:
    """The entries of one destination."""

    def __init__(self, destination: Destination) -> None:
        self._destination = destination
        self._lock = threading.Lock()
        self._failures = 0

    def read(self, wanted: Iterable[Found]) -> Iterator[Read]:
        """Each archive with its entry, in order. Raises `StoreUnavailable` if the store is down."""
        waiting = iter(wanted)
        with ThreadPoolExecutor(max_workers=_READERS, thread_name_prefix="bakthat-sync") as readers:
            while batch := list(islice(waiting, BATCH)):
                yield from readers.map(self._read, batch)

    def _read(self, found: Found) -> Read:
        if found.entry_modified is None:
            return Read(found=found, entry=found.record)
        try:
            entry = self._destination.read_entry(found.stored_filename)
        except PayloadDamaged as error:
            return Read(found=found, entry=found.record, problem=str(error))
        except ObjectArchived:
            return Read(
                found=found,
                entry=found.record,
                problem="its catalog entry is in an archive class and cannot be read; exclude bakthat_catalog/ from "
                "the lifecycle rule, copy the entry to a readable class, and run `bakthat sync` again",
            )
        except StoreUnavailable as error:
            self._check_up(found, error)
            return self._unread(found, error)
        except (StoreError, InvalidName) as error:
            return self._unread(found, error)
        if entry is None:
            return Read(found=found, entry=found.record, foreign=found.only_by_entry)
        return self._judged(entry.backup, found)

    def _unread(self, found: Found, error: Exception) -> Read:
        problem = f"its catalog entry cannot be read: {error}"
        return Read(found=found, entry=found.record, problem=problem, seen=False)

    def _check_up(self, found: Found, error: StoreUnavailable) -> None:
        """Raises the error unless the store answers another request, so that only the entry cannot be read."""
        with self._lock:
            self._failures += 1
            failures = self._failures
        catalog = self._destination.catalog
        if catalog is None or failures > _MOST_FAILURES:
            raise error
        try:
            catalog.stat(key_of(found.stored_filename))
        except StoreUnavailable:
            raise error from None
        except StoreError:
            pass

    def _judged(self, entry: Backup, found: Found) -> Read:
        destination, written = self._destination, found.entry_modified
        if found.only_by_entry and not claims_to_be_of(entry, destination.owner):
            return Read(found=found, foreign=True)
        if claims_to_be_of_another(entry, destination.owner):
            if found.claimed:
                return Read(found=found, foreign=True)
            problem = f"its catalog entry says that it is an archive of {entry.backend}, but the store does not"
            return Read(found=found, entry=found.record, problem=problem)
        if not _fits(entry, found, destination):
            problem = f"its catalog entry is of another archive{_where(entry, destination)}"
            return Read(found=found, entry=found.record, problem=problem)
        assert written is not None  # noqa: S101 - an entry that was read was listed
        judged = believed(entry, found.stored_filename, written)
        if found.only_by_entry:
            judged = judged.with_metadata(judged.last_updated, archive_id=entry.metadata.archive_id)
        return Read(found=found, entry=judged)


def _fits(entry: Backup, found: Found, destination: Destination) -> bool:
    """Whether the entry can belong to this archive. Two independent machines may back up two directories of one name in
    the same second, to two destinations whose entries are in one bucket. A value, which has no SHA-256, is replaced
    before its entry is."""
    if entry.backend == destination.name and entry.sha256 is None:
        return True
    same_size = found.size in (None, entry.size)
    return same_size and found.archive_id in (None, entry.metadata.archive_id)


def _where(entry: Backup, destination: Destination) -> str:
    return f", in {entry.backend}" if entry.backend != destination.name else ""
