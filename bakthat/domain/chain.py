"""Chains: a full backup, and the incremental ones that continue it.

An incremental backup contains what changed since its base, which is a full backup or an incremental one. Restoring it
needs its whole chain:

    photos.20260101….tgz   <-   photos.20260102….inc.tgz   <-   photos.20260103….inc.tgz
    full, depth 0               base: the first, depth 1        base: the second, depth 2

The records say so. They are checked, because permission to write to the store is permission to write entries.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from attrs import evolve

from bakthat.domain.backup import Backup
from bakthat.domain.backup_metadata import Increment
from bakthat.domain.origin import Origin
from bakthat.domain.payload import NamedBase
from bakthat.domain.query import newest_first
from bakthat.errors import ChainBroken, PayloadDamaged


class BaseNotRecorded(ChainBroken):
    """A record does not say what the backup continues; its archive does."""


Ask = Callable[[Backup], NamedBase]
"""What an archive says that it continues, whose record does not say it."""


class Chains:
    """The chains among backups.

    Args:
        backups: Records of one store. Those that are marked as deleted count as missing.
    """

    def __init__(self, backups: Iterable[Backup]) -> None:
        self._by_name: dict[str, Backup] = {}
        self._by_base: dict[str, list[Backup]] = {}
        for backup in backups:
            self._by_name[backup.stored_filename] = backup
            increment = backup.metadata.incremental
            if increment is not None and not backup.is_deleted:
                self._by_base.setdefault(increment.base, []).append(backup)

    def chain(self, backup: Backup, ask: Ask | None = None) -> tuple[Backup, ...]:
        """The backups that a restore of this one needs: a full one first, this one last. A full backup is a chain of
        its own. A base whose own record has no SHA-256 has the one that its dependent says: see
        `is_known_by_dependent`.

        Args:
            backup: The one that is restored.
            ask: Called for each backup whose record does not say what it continues.

        Raises:
            ChainBroken: One of them is missing, is not what its dependent says of it, or is of another origin; or the
                records name each other in a circle.
            BaseNotRecorded: A record does not say what it is based on, and there is no `ask`.
        """
        chain: list[Backup] = []
        self._collect(backup, chain, ask)
        return tuple(reversed(chain))

    def known_part(
        self, backup: Backup, ask: Ask | None = None
    ) -> tuple[tuple[Backup, ...], ChainBroken | PayloadDamaged | None]:
        """As much of the chain as can be found, this one last; and why there is no more, if there is not."""
        chain: list[Backup] = []
        try:
            self._collect(backup, chain, ask)
        except (ChainBroken, PayloadDamaged) as error:
            return tuple(reversed(chain)), error
        return tuple(reversed(chain)), None

    def dependents(self, backup: Backup) -> tuple[Backup, ...]:
        """The backups that cannot be restored without this one, the oldest first."""
        found: dict[str, Backup] = {}
        waiting = [backup.stored_filename]
        while waiting:
            for dependent in self._by_base.get(waiting.pop(), ()):
                name = dependent.stored_filename
                if name not in found and name != backup.stored_filename:
                    found[name] = dependent
                    waiting.append(name)
        return tuple(sorted(found.values(), key=newest_first))

    def _collect(self, backup: Backup, chain: list[Backup], ask: Ask | None) -> None:
        """Add this one and what it needs, one after the other."""
        chain.append(backup)
        seen = {backup.stored_filename}
        while (current := chain[-1]).is_incremental:
            named = _named_base(current, ask)
            base = self._base(named.name, current, backup)
            if base.stored_filename in seen:
                raise ChainBroken(
                    f"{backup.stored_filename}: its chain is a circle, in which {base.stored_filename} comes again; "
                    "a record is wrong"
                )
            _check(current, base, named)
            seen.add(base.stored_filename)
            if base.sha256 is None and named.sha256 is not None:
                base = evolve(base, metadata=base.metadata.changed(sha256=named.sha256, from_listing=True))
            chain.append(base)

    def _base(self, name: str, current: Backup, wanted: Backup) -> Backup:
        base = self._by_name.get(name)
        if base is None or base.is_deleted:
            unknown = "is not in the database (`bakthat sync` finds it if it is in the store)"
            why = unknown if base is None else "was deleted"
            needed = "" if current is wanted else f", as the base of {current.stored_filename}"
            raise ChainBroken(f"{wanted.stored_filename} is incremental and needs {name}{needed}, which {why}")
        return base


def is_known_by_dependent(backup: Backup) -> bool:
    """Whether the SHA-256 of this backup of a chain is that which its dependent says, and no record of its own. Then
    nothing but that says whose archive has its name."""
    return backup.metadata.is_from_listing and backup.sha256 is not None


def possible_bases(backup: Backup, present: Iterable[Backup]) -> Iterator[str]:
    """The names that this one is based on directly. Without a record of it: all that may be, back to a full one.

    Args:
        present: The backups of the series in this store, the newest first.
    """
    if not backup.is_incremental:
        return
    increment = backup.metadata.incremental
    if increment is not None:
        yield increment.base
        return
    for other in present:
        if other.when <= backup.when and other.stored_filename != backup.stored_filename:
            yield other.stored_filename
            if not other.is_incremental:
                return


def may_need(wanted: Backup, backups: Iterable[Backup]) -> tuple[Backup, ...]:
    """The incremental backups that may need this one, but whose records do not say what they continue."""
    present = sorted((backup for backup in backups if not backup.is_deleted), key=newest_first, reverse=True)
    unknown = [backup for backup in present if backup.is_incremental and backup.metadata.incremental is None]
    return tuple(backup for backup in unknown if wanted.stored_filename in possible_bases(backup, present))


def next_increment(base: Backup) -> Increment:
    """What the record of an incremental backup says that continues `base`."""
    increment = base.metadata.incremental
    full, depth = (base.stored_filename, 0) if increment is None else (increment.full, increment.depth)
    return Increment(base=base.stored_filename, full=full, depth=depth + 1, base_sha256=base.sha256)


def _named_base(current: Backup, ask: Ask | None) -> NamedBase:
    increment = current.metadata.incremental
    if increment is not None:
        return NamedBase(increment.base, increment.base_sha256)
    if ask is None:
        raise BaseNotRecorded(
            f"{current.stored_filename} is incremental, and its record does not say which backup it continues, for it "
            "has no catalog entry"
        )
    return ask(current)


def _check(current: Backup, base: Backup, named: NamedBase) -> None:
    """Raise ChainBroken if this cannot be the base of `current`."""
    if why := _contradiction(current, base):
        says, wrong = ("archive", "") if current.metadata.incremental is None else ("record", "; the record is wrong")
        raise ChainBroken(
            f"{current.stored_filename}: its {says} names {base.stored_filename} as its base, {why}{wrong}"
        )
    if None not in (named.sha256, base.sha256) and named.sha256 != base.sha256:
        raise ChainBroken(
            f"{current.stored_filename} continues {base.stored_filename}, and another archive has that name now: its "
            "SHA-256 is another one"
        )


def _contradiction(current: Backup, base: Backup) -> str:
    if (base.backend, base.location) != (current.backend, current.location):
        return "which lies in another store"
    if base.filename != current.filename or base.is_value:
        return "which is of another name"
    for ours, theirs in ((current.host, base.host), (current.source, base.source)):
        # A record that has been cut to size may lack them
        if ours is not None and theirs is not None and ours != theirs:
            return f"which is a backup of {Origin(host=base.host, source=base.source)}"
    if base.when >= current.when:
        return "which is not older"
    increment = current.metadata.incremental
    if increment is not None and (not base.is_incremental or base.metadata.incremental is not None):
        expected = next_increment(base)
        if (expected.full, expected.depth) != (increment.full, increment.depth):
            return f"whose own record says that the next one has depth {expected.depth} on {expected.full}"
    return ""
