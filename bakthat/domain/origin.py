"""Origins: whose backup it is. A series is a name, which two machines or two directories may share without wanting to.

A record that names its source has the origin (host, source). One that does not (2013's rows, an archive that is known
from a listing alone) joins the only origin of its host if there is exactly one, else the only origin of the series if
there is exactly one; beside several it is of the unknown origin. Where no record names a source, each host is one.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Sequence

from attrs import frozen

from bakthat.domain.backup import Backup

_MOST_SHOWN = 200  # characters of a value in a message
_START_SHOWN = 80  # of which so many are its start
_MOST_NAMED = 12  # origins in one line


@frozen(kw_only=True)
class Origin:
    """Where backups come from. `host`, `source`: None where the records do not say, or where it does not matter to a
    grouping. `is_unknown`: of those that cannot be told apart beside several known origins."""

    host: str | None = None
    source: str | None = None
    is_unknown: bool = False

    def __str__(self) -> str:
        """`web1:/etc`, as people write a path on a host."""
        if self.is_unknown:
            return "unknown origin"
        return ":".join(shown(part) for part in (self.host, self.source) if part is not None) or "no host"


UNKNOWN = Origin(is_unknown=True)
ANY_ORIGIN = Origin()
"""The one origin of a grouping that tells none apart."""

Group = tuple[Origin, list[Backup]]
"""An origin, and its backups."""


class GroupBy(enum.StrEnum):
    """What makes two backups of a series be of different origins."""

    HOST_AND_SOURCE = "host,source"
    HOST = "host"
    SOURCE = "source"
    NONE = "none"


@frozen(kw_only=True)
class Scope:
    """Which origins of a series a verb is about, and what tells them apart. `host`, `source`: only those of it."""

    group_by: GroupBy = GroupBy.HOST_AND_SOURCE
    host: str | None = None
    source: str | None = None

    def groups(self, backups: Iterable[Backup]) -> list[Group]:
        """The backups of one series that are in this scope, by origin; the unknown origin comes last."""
        groups: dict[Origin, list[Backup]] = {}
        for origin, members in origins(backups):
            for backup in members:
                if self._holds(origin, backup):
                    groups.setdefault(self._coarse(origin), []).append(backup)
        return sorted(groups.items(), key=_order)

    def _holds(self, origin: Origin, backup: Backup) -> bool:
        host, source = (backup.host, backup.source) if origin.is_unknown else (origin.host, origin.source)
        return self.host in (None, host) and self.source in (None, source)

    def _coarse(self, origin: Origin) -> Origin:
        match self.group_by:
            case GroupBy.NONE:
                return ANY_ORIGIN
            case GroupBy.HOST if not origin.is_unknown:
                return Origin(host=origin.host)
            case GroupBy.SOURCE if not origin.is_unknown:
                return Origin(source=origin.source)
        return origin

    def __str__(self) -> str:
        """What it is limited to, in words: `host web1 and source /etc`; empty where it is not."""
        limits = (("host", self.host), ("source", self.source))
        return " and ".join(f"{name} {shown(value)}" for name, value in limits if value is not None)


def origins(backups: Iterable[Backup]) -> list[Group]:
    """The backups of one series by origin, ordered by host and source; the unknown origin comes last. In each group
    first those that name their source."""
    named: dict[tuple[str | None, str | None], list[Backup]] = {}
    rest: list[Backup] = []
    for backup in backups:
        if (source := backup.source) is not None:
            named.setdefault((backup.host, source), []).append(backup)
        else:
            rest.append(backup)
    groups = {Origin(host=host, source=source): members for (host, source), members in named.items()}
    known = list(groups)
    of_host: dict[str | None, list[Origin]] = {}
    for origin in known:
        of_host.setdefault(origin.host, []).append(origin)
    for backup in rest:
        origin = _joined(backup, known, of_host) if known else Origin(host=backup.host)
        groups.setdefault(origin, []).append(backup)
    return sorted(groups.items(), key=_order)


def _joined(backup: Backup, known: Sequence[Origin], of_host: dict[str | None, list[Origin]]) -> Origin:
    """The origin of a backup whose record names no source, in a series where others do."""
    same_host = of_host.get(backup.host, []) if backup.host is not None else []
    for candidates in (same_host, known):
        if len(candidates) == 1:
            return candidates[0]
    return UNKNOWN


def _order(group: Group) -> tuple[bool, str, str]:
    origin = group[0]
    return origin.is_unknown, origin.host or "", origin.source or ""


def listed(found: Iterable[object]) -> str:
    """Origins, or what is said of them, as one part of a line: all of them, unless they are very many."""
    words = [str(one) for one in found]
    named = words[:_MOST_NAMED]
    if len(words) > _MOST_NAMED:
        named.append(f"{len(words) - _MOST_NAMED} more")
    return ", ".join(named)


def shown(value: str) -> str:
    """A name or a path in a line of text: as it is where it is printable, else escaped. Of a very long one the middle
    is left out, since paths differ at their ends."""
    text = value if value.isprintable() else ascii(value)
    if len(text) <= _MOST_SHOWN:
        return text
    return f"{text[:_START_SHOWN]}…{text[_START_SHOWN - _MOST_SHOWN + 1 :]}"
