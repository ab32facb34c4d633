"""Notices about a series before any of it is deleted, one line each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime

from bakthat.domain.backup import Backup
from bakthat.domain.origin import Group, Origin, shown
from bakthat.domain.query import newest_first
from bakthat.domain.rotation import is_later

_MAX_NAMED = 4
"""Hosts in one line."""

_MANY_HOSTS = 4
"""Hosts with one backup each that give a notice."""


def mixed_hosts(origin: Origin, backups: Iterable[Backup]) -> str:
    """A line if an origin includes backups of other hosts, because their records have no source; else ""."""
    others = Counter(backup.host for backup in backups if backup.host not in (None, origin.host))
    if origin.host is None or not others:
        return ""
    ranked = sorted(others.items(), key=lambda pair: (-pair[1], str(pair[0])))
    named = [f"{shown(str(host))} ({number})" for host, number in ranked[:_MAX_NAMED]]
    if len(ranked) > _MAX_NAMED:
        named.append(f"{len(ranked) - _MAX_NAMED} more")
    number = sum(others.values())
    counted = "1 backup" if number == 1 else f"{number} backups"
    return f"{origin} also includes {counted} of {_enumerated(named)}, whose records have no source"


def changing_hosts(groups: Iterable[Group]) -> list[str]:
    """A line for each path of which many hosts have one backup each, perhaps from containers with random host names."""
    alone = Counter(origin.source for origin, members in groups if origin.source is not None and len(members) == 1)
    return [
        f"{number} hosts have one backup of {shown(source)} each; if this is one machine whose name changes, set "
        "`host`, and thin them with `group_by='source'`"
        for source, number in alone.items()
        if source is not None and number >= _MANY_HOSTS
    ]


def future_dates(backups: Iterable[Backup], now: datetime) -> tuple[str, ...]:
    """One line if backups of a series are dated after now, because of a wrong clock: they are kept, and do not count as
    the newest."""
    live = [backup for backup in backups if not backup.is_deleted and is_later(backup, now)]
    if not live:
        return ()
    latest = max(live, key=newest_first)
    number, kept, it = (
        ("1 backup is", "it is kept, and does not count", "it")
        if len(live) == 1
        else (f"{len(live)} backups are", "they are kept, and do not count", "them")
    )
    return (
        f"{shown(latest.filename)}: {number} dated after now (the last one {latest.when:%Y-%m-%d %H:%M:%S}); "
        f"{kept} as the newest; check the clock of the machine that made {it}",
    )


def _enumerated(words: Sequence[str]) -> str:
    return f"{', '.join(words[:-1])} and {words[-1]}" if len(words) > 1 else words[0]
