"""Which backup a NAME means, for every verb that takes a name. Never by substring: `db` does not mean `db2`."""

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
    """How the selector finds backups that are not deleted: by the exact stored filename, or by the exact series."""

    by_stored_filename: Callable[[str], Iterable[Backup]]
    by_filename: Callable[[str], Iterable[Backup]]


@frozen(kw_only=True)
class Viewpoint:
    """Where and when a name is used. `here`: this machine's host. `now`: aware. `host`: select only its backups."""

    here: str
    now: datetime
    host: str | None = None


@frozen
class Choice:
    """The backup that a name means, and notices about how it was selected."""

    backup: Backup
    notices: tuple[str, ...] = ()


class OfAnotherHost(BackupNotFound):
    """A name matches backups, but none of the selected host."""


def select(name: str, lookup: Lookup, viewpoint: Viewpoint) -> Choice:
    """The backup that NAME means: in this order an exact stored filename; an exact series; a series followed by the
    start of a date (at least its year), with or without the dot.

    A series means its newest backup that is not dated after now; if all are, the newest. If backups of several origins
    match, those of this host are meant if they have exactly one origin. An object whose key is not a stored filename,
    such as a value, never stands for the series of that name: anyone who may write to the store could create one.

    Raises `BackupNotFound`, and `AmbiguousName` if several series or origins match.
    """
    exact, series = list(lookup.by_stored_filename(name)), list(lookup.by_filename(name))
    if dated := [backup for backup in series if backup.has_stored_name]:
        exact = [backup for backup in exact if backup.has_stored_name]
        series = dated
    if exact:
        return Choice(of_host(name, max(exact, key=newest_first), viewpoint.host))
    return _newest(name, _fitting(name, series, lookup), viewpoint, is_date=not series)


Fits = list[tuple[Origin, list[Backup]]]
"""By origin of a series, the backups that match a name."""


def _fitting(name: str, series: list[Backup], lookup: Lookup) -> Fits:
    if series:
        return origins(series)
    fitting: dict[str, Fits] = {}
    for reading in stored_name.readings(name):
        # The origin of a backup depends on its whole series.
        for origin, backups in origins(lookup.by_filename(reading.series)):
            dated = [backup for backup in backups if reading.fits(backup.stored_filename)]
            if dated:
                fitting.setdefault(dated[0].filename, []).append((origin, dated))
    if len(fitting) > 1:
        names = ", ".join(sorted(fitting))
        raise AmbiguousName(f"{name}: several series match ({names}); give the full stored filename")
    if not fitting:
        raise BackupNotFound(f"{name}: no backup of this name; `bakthat show` lists all backups")
    return next(iter(fitting.values()))


def of_host(name: str, backup: Backup, host: str | None) -> Backup:
    """The backup that NAME means, unless only one of another host is wanted: then raises `OfAnotherHost`."""
    if host is not None and backup.host not in (None, host):
        raise OfAnotherHost(f"{name} is a backup of host {shown(str(backup.host))}, not of {shown(host)}")
    return backup


def _newest(name: str, fits: Fits, viewpoint: Viewpoint, *, is_date: bool) -> Choice:
    origin, backups, others = _one_origin(name, fits, viewpoint)
    chosen, later = newest_of(backups, viewpoint.now)
    notices = []
    if is_date and len(backups) > 1:
        notices.append(f"{name}: {len(backups)} backups have this date; {chosen.stored_filename} is the newest")
    if others:
        notices.append(
            f"{name}: {chosen.stored_filename} is the newest of {origin}, this host; there are also backups of "
            f"{listed(others)} (`host=` selects one)"
        )
    if later:
        last = max(later, key=newest_first)
        number = "1 backup is" if len(later) == 1 else f"{len(later)} backups are"
        used = "it is used" if chosen is last else f"{chosen.stored_filename} is used"
        notices.append(
            f"{name}: {number} dated after now, the last one {last.stored_filename}, and {used}; "
            "check the clocks of the machines"
        )
    return Choice(chosen, tuple(notices))


def _one_origin(name: str, fits: Fits, viewpoint: Viewpoint) -> tuple[Origin, list[Backup], list[Origin]]:
    """The selected origin, its matching backups, and the other origins for a notice."""
    meant = fits
    if viewpoint.host is not None:
        meant = _of(viewpoint.host, fits)
        if not meant:
            there = listed(origin for origin, _ in fits)
            raise OfAnotherHost(f"{name}: no backup of host {shown(viewpoint.host)}; there are backups of {there}")
    if len(meant) == 1:
        return *meant[0], []
    own = _of(viewpoint.here, meant)
    if len(own) == 1 and viewpoint.host is None:
        return *own[0], [origin for origin, _ in meant if origin != own[0][0]]
    newest = listed(
        f"{origin} (newest {newest_of(backups, viewpoint.now)[0].stored_filename})" for origin, backups in meant
    )
    hosts = {origin.host for origin, _ in meant}
    way_out = "give a stored filename" if len(hosts) == 1 else "select one with `host=`, or give a stored filename"
    raise AmbiguousName(f"{name}: backups of {len(meant)} origins match: {newest}; {way_out}")


def _of(host: str, fits: Fits) -> Fits:
    """The matches of this host; for the unknown origin, the backups whose records name the host."""
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


def dates_of(name: str, backups: Iterable[Backup], *, most: int = 5) -> str:
    """Say which dates the series has that NAME means together with another date; "" if it means none of them."""
    held = list(backups)
    for reading in stored_name.readings(name):
        found = sorted((one for one in held if one.filename == reading.series), key=newest_first, reverse=True)
        if found:
            dates = list(dict.fromkeys(f"{one.when:%Y-%m-%d %H:%M}" for one in found))
            older = f" and {len(dates) - most} older" if len(dates) > most else ""
            return f"{reading.series} has backups of {', '.join(dates[:most])}{older}"
    return ""


def nearest(name: str, known: Iterable[str], *, most: int = 3) -> list[str]:
    """Up to `most` of the known names that resemble NAME, the most similar first."""
    return difflib.get_close_matches(name, sorted(set(known)), n=most, cutoff=0.5)
