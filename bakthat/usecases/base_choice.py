"""Chooses the backup that an incremental one continues."""

from __future__ import annotations

from collections.abc import Sequence

from attrs import frozen

from bakthat.domain.backup import Backup, whole_seconds
from bakthat.domain.backup_metadata import Facts
from bakthat.domain.chain import Chains
from bakthat.domain.increment_policy import IncrementPolicy
from bakthat.domain.payload import Keys
from bakthat.domain.query import Query, newest_first
from bakthat.domain.rotation import is_later
from bakthat.errors import (
    AccessDenied,
    ChainBroken,
    DatabaseError,
    PayloadDamaged,
    RetrievalPending,
    StoreError,
    WrongPassword,
)
from bakthat.ports.file_states import KnownFiles
from bakthat.usecases.chain import extend_locks
from bakthat.usecases.destinations.base import Destination
from bakthat.usecases.syncing.series import sync_series
from bakthat.usecases.tools import Tools


@frozen(kw_only=True)
class NextBackup:
    """The backup that is to be made: where it comes from, and how it is stored.

    series, facts: as in its record. keys: a chain is encrypted as a whole, or not at all, and has one password. xattrs:
    whether it keeps extended attributes: one without them cannot be continued by one that has them.
    """

    series: str
    facts: Facts
    keys: Keys
    xattrs: bool

    def shares_origin_with(self, backup: Backup) -> bool:
        """Whether an earlier backup has the same host and source."""
        return (backup.host, backup.source) == (self.facts.get("client"), self.facts.get("source"))

    def key(self, destination: Destination) -> str:
        """Names the origin among the states: one for each place where its backups are stored."""
        parts = (destination.owner.location, self.series, self.facts.get("client"), self.facts.get("source"))
        return "\n".join(repr(part) for part in parts)

    def version(self, backup: Backup) -> str:
        """Names this archive among all that have ever existed, and how it was made."""
        parts = (backup.location, backup.stored_filename, backup.sha256, "xattrs" if self.xattrs else "no xattrs")
        return "\n".join(repr(part) for part in parts)


@frozen(kw_only=True)
class Base:
    """What the next backup continues. backup, known: None for a full one; then `why` says why, as a clause. chain: the
    backup, and what it continues."""

    backup: Backup | None = None
    chain: tuple[Backup, ...] = ()
    known: KnownFiles | None = None
    why: str = ""


def choose_base(next_backup: NextBackup, policy: IncrementPolicy, destination: Destination, tools: Tools) -> Base:
    """The newest backup of the origin, if it can be continued. The store is asked what is still there: one listing.

    Raises `StoreError`.
    """
    if next_backup.facts.get("source") is None:
        return Base(why="its record has no source")
    try:
        recorded = _recorded(next_backup.series, destination, tools)
    except DatabaseError as error:
        return Base(why=f"the database cannot be used ({error})")
    own = [row for row in recorded if next_backup.shares_origin_with(row) and not (row.is_deleted or row.is_value)]
    if not own:
        return Base(why="there is no earlier one of this source and host")
    newest = max(own, key=newest_first)
    if is_later(newest, tools.clock()):
        return Base(why=f"{newest.stored_filename} is dated after now")
    try:
        chain = Chains(recorded).chain(newest)
    except ChainBroken as error:
        return Base(why=str(error))
    if why := policy.why_full(chain, tools.clock()):
        return Base(why=why)
    if any(backup.is_encrypted != bool(next_backup.keys) for backup in chain):
        return Base(why=f"the chain of {newest.stored_filename} is {'not ' if next_backup.keys else ''}encrypted")
    known = tools.states.known(next_backup.key(destination), next_backup.version(newest)) if newest.sha256 else None
    if known is None:
        return Base(why=f"this machine has no list of what {newest.stored_filename} contained, to compare with")
    if why := _of_another_password(chain, next_backup.keys, destination, tools):
        return Base(why=why)
    if why := _extended(chain, destination, tools):
        return Base(why=why)
    return Base(backup=newest, chain=chain, known=known)


def _of_another_password(chain: Sequence[Backup], keys: Keys, destination: Destination, tools: Tools) -> str:
    """Why a restore, which asks for one password, would not get through the chain: the password of the next backup does
    not open what has one. Empty if it does, and where that cannot be seen: the machine may not read, or the archive has
    to be retrieved."""
    with_password = [backup for backup in chain if not backup.metadata.is_encrypted_to_recipients]
    if keys.passphrase is None or not with_password:
        return ""
    newest = with_password[-1]  # those before it were compared when it was made
    try:
        stored = destination.open_ranges(newest, {})
        if stored is not None:
            tools.cipher.random_access(stored, keys)
    except WrongPassword:
        return f"{newest.stored_filename} is encrypted with another password"
    except (StoreError, PayloadDamaged, RetrievalPending):
        pass
    return ""


def _extended(chain: tuple[Backup, ...], destination: Destination, tools: Tools) -> str:
    """Lock the chain for as long as the next backup will be, if it is locked like the newest. Return why not; empty if
    there is nothing to do, or it is done."""
    newest = chain[-1]
    if newest.metadata.locked_until is None:
        return ""
    until = whole_seconds(tools.clock()) + (newest.metadata.locked_until - newest.when)
    return extend_locks(chain, until, destination)


def _recorded(series: str, destination: Destination, tools: Tools) -> list[Backup]:
    """The records of the series, after a look into the store: what is no longer there is marked as deleted."""
    query = Query(filename=series, backend=destination.name, owners=(destination.owner,), deleted=True)
    try:
        sync_series(series, destination, tools)
    except AccessDenied as error:
        tools.notice(f"whether earlier backups of {series} are still there is not known: {error}")
    except StoreError:
        # The folder of a new local destination is empty, which may be that of a disk that is not mounted
        if any(not row.is_deleted for row in tools.repo.find(query)):
            raise
    return list(tools.repo.find(query))
