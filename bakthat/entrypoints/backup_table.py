"""The table of `show` on a terminal: one line for each backup, never wider than the screen."""

from __future__ import annotations

import os
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta

from attrs import frozen

from bakthat.domain.backup import Backup
from bakthat.domain.stored_name import parse
from bakthat.entrypoints import terminal
from bakthat.entrypoints.encryption_words import encryption_words
from bakthat.entrypoints.screen import cells, cut, cut_inside, padded, wrapped
from bakthat.errors import InvalidName

_GAP = "  "
_LEAST = {"tags": 8, "destination": 8, "name": 24}
"""To which width a column is cut, in this order, before the next one is."""

_DAY, _MONTH, _YEAR = timedelta(days=1), timedelta(days=30), timedelta(days=365)


@frozen(kw_only=True)
class Column:
    """`title`: its heading. `right`: the cells are aligned to the right."""

    name: str
    title: str
    right: bool = False


COLUMNS = (
    Column(name="date", title="DATE (UTC)"),
    Column(name="age", title="AGE", right=True),
    Column(name="size", title="SIZE", right=True),
    Column(name="destination", title="DEST"),
    Column(name="name", title="NAME"),
    Column(name="tags", title="TAGS"),
)


def table(
    backups: Sequence[Backup],
    *,
    now: datetime,
    width: int,
    header: bool = True,
    verbose: bool = False,
    home: str = "",
) -> list[str]:
    """Return the lines. Cells that do not fit are cut: tags, then the destination, then the middle of the name.

    verbose: what else is known of a backup follows in lines of its own. home: a folder that is shown as `~`.
    """
    destinations = destination_words(backups, home=home)
    rows = [_cells(backup, destinations, now) for backup in backups]
    widths = {
        column.name: max([cells(column.title) if header else 0, *(cells(row[column.name]) for row in rows)])
        for column in COLUMNS
    }
    if not any(row["tags"] for row in rows):
        widths["tags"] = 0
    _fit(widths, width)
    lines = [_line({column.name: column.title for column in COLUMNS}, widths)] if header and rows else []
    for backup, row in zip(backups, rows, strict=True):
        lines.append(_line(_cut(row, widths), widths))
        if verbose:
            lines += wrapped(f"    {'; '.join(details(backup))}", width, "    ")
    return lines


def details(backup: Backup) -> list[str]:
    """Return what `show -v` says of a backup beside its row."""
    facts = [f"host {backup.host or 'unknown'}"]
    if backup.source and backup.source != "-":
        facts.append(f"of {backup.source}")
    if backup.is_incremental:
        facts.append(terminal.continues_words(backup))
    return [*facts, encryption_words(backup), terminal.verified_words(backup)]


def age(when: datetime, now: datetime) -> str:
    """Return how long ago it was, in the units of intervals (`--since 3D`): `5m`, `30h`, `12D`, `4M`, `2Y`."""
    passed = now - when
    if passed < timedelta(minutes=-1):
        return "later"
    if passed < timedelta(minutes=1):
        return "now"
    if passed < timedelta(hours=2):
        return f"{passed // timedelta(minutes=1)}m"
    if passed < 2 * _DAY:
        return f"{passed // timedelta(hours=1)}h"
    if passed < 100 * _DAY:
        return f"{passed // _DAY}D"
    return f"{passed // _MONTH}M" if passed < 2 * _YEAR else f"{passed // _YEAR}Y"


def destination_words(backups: Iterable[Backup], *, home: str = "") -> Mapping[tuple[str, str | None], str]:
    """Return how each destination is shown: its name, and where several have one name, also its bucket or folder."""
    places: dict[str, list[str]] = defaultdict(list)
    for backup in backups:
        if backup.location and backup.location not in places[backup.backend]:
            places[backup.backend].append(backup.location)
    words: dict[tuple[str, str | None], str] = {}
    for backup in backups:
        key = (backup.backend, backup.location)
        if key in words:
            continue
        others = places[backup.backend]
        words[key] = backup.backend
        if len(others) > 1 and backup.location:
            short = [place_words(one, home=home) for one in others]
            is_clear = len(set(short)) == len(short)
            place = place_words(backup.location, home=home) if is_clear else backup.location
            words[key] = f"{backup.backend} {place}"
    return words


def place_words(location: str, *, home: str = "") -> str:
    """Return the bucket, with its prefix, or the folder of a location: `my-bucket`, `~/.bakthat/store`."""
    place = re.sub(r"^[a-z][a-z0-9+.-]*://|\?.*$", "", location, flags=re.IGNORECASE)
    if location.startswith("file://") and home and (place == home or place.startswith(f"{home}/")):
        return f"~{place[len(home) :]}"
    return place


def total_words(backups: Sequence[Backup], *, of: int, whose: str, home: str = "") -> str:
    """Return the last line: how many, how large, where. of: how many there are without `-n`."""
    size = terminal.human_size(sum(backup.size for backup in backups))
    number = f"{len(backups)} of {of} backups" if of > len(backups) else terminal.counted(len(backups), "backup")
    places = list(dict.fromkeys(_place(backup, home) for backup in backups))
    most = 3
    where = ", ".join(places[:most]) + (f" and {len(places) - most} more" if len(places) > most else "")
    return f"{number}, {size}, in {where} ({whose})."


def _place(backup: Backup, home: str) -> str:
    return f"{backup.backend} {place_words(backup.location, home=home)}" if backup.location else backup.backend


def _cells(backup: Backup, destinations: Mapping[tuple[str, str | None], str], now: datetime) -> dict[str, str]:
    marks = ["[incomplete]"] if backup.is_incomplete else []
    if backup.is_deleted:
        marks.append("[deleted]")
    return {
        "date": f"{backup.when:%Y-%m-%d %H:%M}",
        "age": age(backup.when, now),
        "size": terminal.human_size(backup.size) if backup.known_size is not None else "?",
        "destination": terminal.printable(destinations[backup.backend, backup.location]),
        "name": terminal.printable(backup.stored_filename),
        "tags": terminal.printable(" ".join([*marks, *backup.tags])),
    }


def _fit(widths: dict[str, int], width: int) -> None:
    """Reduce the widths until a line fits."""
    for column, least in _LEAST.items():
        shown = [one for one in widths.values() if one]
        excess = sum(shown) + len(_GAP) * (len(shown) - 1) - width
        if excess <= 0:
            return
        widths[column] = max(min(widths[column], least), widths[column] - excess)


def _cut(row: Mapping[str, str], widths: Mapping[str, int]) -> dict[str, str]:
    name = row["name"]
    return {
        **{column: cut(text, widths[column]) for column, text in row.items()},
        # The end tells two buckets or folders apart.
        "destination": cut_inside(row["destination"], widths["destination"], widths["destination"] * 2 // 3),
        "name": cut_inside(name, widths["name"], _end_of(name)),
    }


def _end_of(name: str) -> int:
    """Return how long the end of a stored filename is that is kept: the dot, the date, and the suffix."""
    try:
        return len(name) - len(parse(name).series)
    except InvalidName:
        return 0


def _line(row: Mapping[str, str], widths: Mapping[str, int]) -> str:
    shown = (padded(row[one.name], widths[one.name], right=one.right) for one in COLUMNS if widths[one.name])
    return _GAP.join(shown).rstrip()


def home_folder() -> str:
    """Return the home directory, or "" without one."""
    home = os.path.expanduser("~")
    return home.rstrip("/") if home != "~" else ""
