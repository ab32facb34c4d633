"""Which one backup a NAME means, for `restore` and `delete`. Never by substring: `db` does not mean `db2`."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable

from attrs import frozen

from bakthat.domain import stored_name
from bakthat.domain.backup import Backup
from bakthat.domain.query import newest_first
from bakthat.errors import AmbiguousName, BackupNotFound


@frozen
class Lookup:
    """How the selector asks for backups that are not deleted: exactly this stored filename, or exactly this series."""

    by_stored_filename: Callable[[str], Iterable[Backup]]
    by_filename: Callable[[str], Iterable[Backup]]


def select(name: str, lookup: Lookup) -> Backup:
    """The backup that NAME means: in this order an exact stored filename; an exact series, its newest backup; a series
    followed by the start of a date (at least its year), with or without the dot, the newest that fits.

    An object whose key is no stored filename, such as a value, never stands for the series of that name: whoever may
    write to the store could put one there.

    Raises `BackupNotFound`, and `AmbiguousName` if several different series fit.
    """
    exact, series = list(lookup.by_stored_filename(name)), list(lookup.by_filename(name))
    if dated := [backup for backup in series if backup.has_stored_name]:
        exact = [backup for backup in exact if backup.has_stored_name]
        series = dated
    for found in (exact, series):
        if found:
            return max(found, key=newest_first)
    fitting: dict[str, list[Backup]] = {}
    for reading in stored_name.readings(name):
        for backup in lookup.by_filename(reading.series):
            if reading.fits(backup.stored_filename):
                fitting.setdefault(backup.filename, []).append(backup)
    if len(fitting) > 1:
        names = ", ".join(sorted(fitting))
        raise AmbiguousName(f"{name}: several series fit ({names}); give the whole stored filename")
    if not fitting:
        raise BackupNotFound(f"{name}: no backup of this name; `bakthat show` lists them")
    return max(next(iter(fitting.values())), key=newest_first)


def nearest(name: str, known: Iterable[str], *, most: int = 3) -> list[str]:
    """Up to `most` of the known names that look like NAME, the likeliest first."""
    return difflib.get_close_matches(name, sorted(set(known)), n=most, cutoff=0.5)
