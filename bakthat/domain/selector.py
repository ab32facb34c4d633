"""Which one backup a NAME means, for every verb that takes one. Never by substring: `db` does not mean `db2`."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable
from datetime import datetime

from attrs import frozen

from bakthat.domain import stored_name
from bakthat.domain.backup import Backup
from bakthat.domain.origin import Origin, listed, origins, shown
from bakthat.domain.query import newest_first
from bakthat.domain.rotation import is_later
from bakthat.errors import AmbiguousName, BackupNotFound


@frozen
class Lookup:
    """How the selector asks for backups that are not deleted: exactly this stored filename, or exactly this series."""

    by_stored_filename: Callable[[str], Iterable[Backup]]
    by_filename: Callable[[str], Iterable[Backup]]


@frozen(kw_only=True)
class Viewpoint:
    """Who asks, and when. `here`: this machine's host. `now`: aware. `host`: only backups of this host are meant."""

    here: str
    now: datetime
    host: str | None = None


@frozen
class Choice:
    """The backup that a name means, and what a person should know of how it was chosen."""

    backup: Backup
    notices: tuple[str, ...] = ()


class OfAnotherHost(BackupNotFound):
    """A name fits backups, but none of the host that is meant."""


def select(name: str, lookup: Lookup, viewpoint: Viewpoint) -> Choice:
    """The backup that NAME means: in this order an exact stored filename; an exact series; a series followed by the
    start of a date (at least its year), with or without the dot.

    Of a series the newest that is not dated after now is meant; if all are, the newest. If backups of several origins
    fit, those of this host are meant, where that is exactly one origin. An object whose key is no stored filename, such
    as a value, never stands for the series of that name: whoever may write to the store could put one there.

    Raises `BackupNotFound`, and `AmbiguousName` if several different series or origins fit.
    """
    exact, series = list(lookup.by_stored_filename(name)), list(lookup.by_filename(name))
    if dated := [backup for backup in series if backup.has_stored_name]:
        exact = [backup for backup in exact if backup.has_stored_name]
        series = dated
    if exact:
        return Choice(_of_host(name, max(exact, key=newest_first), viewpoint.host))
    return _newest(name, _fitting(name, series, lookup), viewpoint)


Fits = list[tuple[Origin, list[Backup]]]
"""Of each origin of a series the backups that fit a name."""


def _fitting(name: str, series: list[Backup], lookup: Lookup) -> Fits:
    if series:
        return origins(series)
    fitting: dict[str, Fits] = {}
    for reading in stored_name.readings(name):
        # Of whom a backup is, its whole series says.
        for origin, backups in origins(lookup.by_filename(reading.series)):
            dated = [backup for backup in backups if reading.fits(backup.stored_filename)]
            if dated:
                fitting.setdefault(dated[0].filename, []).append((origin, dated))
    if len(fitting) > 1:
        names = ", ".join(sorted(fitting))
        raise AmbiguousName(f"{name}: several series fit ({names}); give the whole stored filename")
    if not fitting:
        raise BackupNotFound(f"{name}: no backup of this name; `bakthat show` lists them")
    return next(iter(fitting.values()))


def _of_host(name: str, backup: Backup, host: str | None) -> Backup:
    if host is not None and backup.host not in (None, host):
        raise OfAnotherHost(f"{name} is a backup of host {shown(str(backup.host))}, not of {shown(host)}")
    return backup


def _newest(name: str, fits: Fits, viewpoint: Viewpoint) -> Choice:
    origin, backups, others = _one_origin(name, fits, viewpoint)
    chosen, later = newest_of(backups, viewpoint.now)
    notices = []
    if others:
        notices.append(
            f"{name}: {chosen.stored_filename} is the newest of {origin}, this host; there are also backups of "
            f"{listed(others)} (--host chooses)"
        )
    if later:
        last = max(later, key=newest_first)
        number = "1 backup is" if len(later) == 1 else f"{len(later)} backups are"
        taken = "it is taken" if chosen is last else f"{chosen.stored_filename} is taken"
        notices.append(
            f"{name}: {number} dated after now, the last one {last.stored_filename}, and {taken}; "
            "check the clocks of the machines"
        )
    return Choice(chosen, tuple(notices))


def _one_origin(name: str, fits: Fits, viewpoint: Viewpoint) -> tuple[Origin, list[Backup], list[Origin]]:
    """The origin that is meant, its backups that fit, and the other origins that a person should know of."""
    meant = fits
    if viewpoint.host is not None:
        meant = _of(viewpoint.host, fits)
        if not meant:
            there = listed(origin for origin, _ in fits)
            raise OfAnotherHost(f"{name}: no backup of host {shown(viewpoint.host)}; there are those of {there}")
    if len(meant) == 1:
        return *meant[0], []
    own = _of(viewpoint.here, meant)
    if len(own) == 1 and viewpoint.host is None:
        return *own[0], [origin for origin, _ in meant if origin != own[0][0]]
    newest = listed(
        f"{origin} (newest {newest_of(backups, viewpoint.now)[0].stored_filename})" for origin, backups in meant
    )
    hosts = {origin.host for origin, _ in meant}
    way_out = "give a stored filename" if len(hosts) == 1 else "choose with --host, or give a stored filename"
    raise AmbiguousName(f"{name}: backups of {len(meant)} origins fit: {newest}; {way_out}")


def _of(host: str, fits: Fits) -> Fits:
    """What is of this host; of the unknown origin, the backups whose records name it."""
    found = []
    for origin, backups in fits:
        of_host = [backup for backup in backups if backup.host == host] if origin.is_unknown else backups
        if of_host and (origin.is_unknown or origin.host == host):
            found.append((origin, of_host))
    return found


def newest_of(backups: Iterable[Backup], now: datetime) -> tuple[Backup, list[Backup]]:
    """The newest that is not dated after now, or the newest if all are; and those that are dated after now."""
    held = list(backups)
    later = [backup for backup in held if is_later(backup, now)]
    present = [backup for backup in held if not is_later(backup, now)]
    return max(present or later, key=newest_first), later


def nearest(name: str, known: Iterable[str], *, most: int = 3) -> list[str]:
    """Up to `most` of the known names that look like NAME, the likeliest first."""
    return difflib.get_close_matches(name, sorted(set(known)), n=most, cutoff=0.5)
