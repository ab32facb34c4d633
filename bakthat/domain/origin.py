"""Origins of backups. Two machines or two directories may share the name of a series by accident.

A record with a source has the origin (host, source). A record without one (2013's rows, an archive known from a listing
alone) joins the only origin of its host, else the only origin of the series; if there are several, its origin is
unknown. If no record of a series has a source, each host is an origin.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Sequence

from attrs import frozen

from bakthat.domain.backup import Backup

_MAX_SHOWN = 200
"""Characters of a value in a message."""

_START_SHOWN = 80
"""Characters of the start of a value that is cut."""

_MAX_NAMED = 12
"""Origins in one line."""


@frozen(kw_only=True)
class Origin:
    """Where backups come from. `host`, `source`: None if the records do not have it, or the grouping does not use it.
    `is_unknown`: whether it stands for backups that belong to none of several known origins."""

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
"""The only origin of a grouping that does not distinguish origins."""

Group = tuple[Origin, list[Backup]]
"""An origin, and its backups."""


class GroupBy(enum.StrEnum):
    """Which fields distinguish the origins of a series."""

    HOST_AND_SOURCE = "host,source"
    HOST = "host"
    SOURCE = "source"
    NONE = "none"


@frozen(kw_only=True)
class Scope:
    """Which origins of a series a verb applies to, and what distinguishes them. `host`, `source`: only origins with
    this value."""

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
        """The limits in words: `host web1 and source /etc`; empty if there are none."""
        limits = (("host", self.host), ("source", self.source))
        return " and ".join(f"{name} {shown(value)}" for name, value in limits if value is not None)


def origins(backups: Iterable[Backup]) -> list[Group]:
    """The backups of one series by origin, ordered by host and source; the unknown origin comes last. In each group,
    backups with a source come first."""
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
    """The origin of a backup whose record has no source, in a series where others have one."""
    same_host = of_host.get(backup.host, []) if backup.host is not None else []
    for candidates in (same_host, known):
        if len(candidates) == 1:
            return candidates[0]
    return UNKNOWN


def _order(group: Group) -> tuple[bool, str, str]:
    origin = group[0]
    return origin.is_unknown, origin.host or "", origin.source or ""


def listed(found: Iterable[object]) -> str:
    """Origins, or texts about them, joined for one line; beyond a limit the rest is counted."""
    words = [str(one) for one in found]
    named = words[:_MAX_NAMED]
    if len(words) > _MAX_NAMED:
        named.append(f"{len(words) - _MAX_NAMED} more")
    return ", ".join(named)


def shown(value: str) -> str:
    """A name or a path for a line of text, escaped unless it is printable. The middle of a very long one is left out,
    because paths differ at their ends."""
    text = value if value.isprintable() else ascii(value)
    if len(text) <= _MAX_SHOWN:
        return text
    return f"{text[:_START_SHOWN]}…{text[_START_SHOWN - _MAX_SHOWN + 1 :]}"
