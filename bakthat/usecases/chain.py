"""The chain of a backup: what a restore of it needs, and the keys for all of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime

from attrs import define, field

from bakthat.domain.backup import Backup
from bakthat.domain.chain import Chains
from bakthat.domain.objects import Tier
from bakthat.domain.payload import Keys, NamedBase
from bakthat.domain.query import Query
from bakthat.domain.stored_name import parse
from bakthat.errors import (
    ChainBroken,
    InvalidName,
    NotEncrypted,
    ObjectNotFound,
    RetrievalPending,
    StoreError,
    StoreUnavailable,
)
from bakthat.usecases.destinations.base import Destination
from bakthat.usecases.missing_key import key_needed
from bakthat.usecases.streams.archive_stream import open_archive
from bakthat.usecases.streams.ready import opened_when_ready
from bakthat.usecases.tools import Tools


def chains_of_series(filename: str, destination: Destination, tools: Tools) -> Chains:
    """The chains among the recorded backups of a series in a destination."""
    query = Query(filename=filename, backend=destination.name, owners=(destination.owner,), deleted=True)
    return Chains(tools.repo.find(query))


@define
class ChainFinder:
    """Finds chains by the records, and where a catalog entry is lost, so that a record does not say what its backup
    continues, by what its archive says itself: that is opened for it, once.

    ask_keys: the keys of other backups of a chain. tier, wait: how fast an archive is retrieved that has to be, and
    whether to wait for it. retrieve: False raises `RetrievalPending` instead of requesting a retrieval.
    """

    destination: Destination
    tools: Tools
    ask_keys: Callable[[Backup], Keys]
    tier: Tier | None = None
    wait: bool = False
    retrieve: bool = True
    _asked: dict[str, NamedBase] = field(factory=dict, init=False)

    def chain(self, backup: Backup, keys: Keys) -> tuple[Backup, ...]:
        """The backups that a restore of this one, which has these keys, needs: the full one first. Of a full one only
        itself, without asking the database.

        Raises `ChainBroken`; if an archive is asked `PasswordNeeded`, `WrongPassword`, `PayloadDamaged`, `StoreError`.
        """
        if not backup.is_incremental:
            return (backup,)
        chains = chains_of_series(backup.filename, self.destination, self.tools)
        return chains.chain(backup, self._asking(backup, keys))

    def known_part(self, backup: Backup, keys: Keys) -> tuple[tuple[Backup, ...], str]:
        """As much of the chain as can be found, the backup last; and why there is no more, if there is not."""
        chains = chains_of_series(backup.filename, self.destination, self.tools)
        known, broken = chains.known_part(backup, self._asking(backup, keys))
        return known, str(broken or "")

    def _asking(self, backup: Backup, keys: Keys) -> Callable[[Backup], NamedBase]:
        def ask(current: Backup) -> NamedBase:
            named = self._asked.get(current.stored_filename)
            if named is None:
                its_keys = keys_for((current, backup), keys, self.ask_keys)[0]
                named = self._asked[current.stored_filename] = self._base_of(current, its_keys)
            return named

        return ask

    def _base_of(self, backup: Backup, keys: Keys) -> NamedBase:
        name, destination, tools = backup.stored_filename, self.destination, self.tools
        if not self.retrieve and destination.open_ranges(backup, {}) is None:
            raise RetrievalPending(
                f"it has to be retrieved first, for its record does not say what it continues: run `bakthat ls {name}`"
            )
        tools.notice(f"{name}: its record does not say what it continues; its archive is asked")
        stored = opened_when_ready(backup, destination, tools, tier=self.tier, wait=self.wait)
        with needed_by(backup), open_archive(stored, backup, keys, tools, stage="looking for the base") as plain:
            return said_base(name, tools.tar.base_of(plain))


def said_base(name: str, base: NamedBase | None) -> NamedBase:
    """What the incremental archive of this name says that it continues. Raises `ChainBroken` if that cannot be the
    name of an older backup, so that no chain is endless."""
    with suppress(InvalidName):
        if base is not None and "/" not in base.name and parse(base.name).when < parse(name).when:
            return base
    said = "" if base is None else base.name
    raise ChainBroken(f"{name} says that it continues {said!a}, which cannot be")


def keys_for(chain: Sequence[Backup], keys: Keys, ask: Callable[[Backup], Keys]) -> list[Keys]:
    """The keys of each backup of a chain, of which the last one's are known. Those of the others are the same if they
    are encrypted in the same way, to the same recipients; else `ask` is called.

    Raises `NotEncrypted` for a plain backup in the chain of an encrypted one: none is made, so that somebody without a
    key may have stored it. Raises `PasswordNeeded`.
    """
    newest = chain[-1]
    known = {_encryption(newest): keys}
    found: list[Keys] = []
    for backup in chain:
        if newest.is_encrypted and not backup.is_encrypted:
            raise NotEncrypted(
                f"{newest.stored_filename} is encrypted, but {backup.stored_filename}, which it continues, is not: "
                "somebody else may have stored it"
            )
        how = _encryption(backup)
        if how not in known:
            known[how] = ask(backup)
            if not known[how]:
                raise key_needed(backup)
        found.append(known[how])
    return found


@contextmanager
def needed_by(newest: Backup) -> Iterator[None]:
    """Of an archive that is gone, say which backup needs it."""
    try:
        yield
    except ObjectNotFound as gone:
        if newest.stored_filename in str(gone):
            raise
        advice = "`bakthat sync` updates the database from the store"
        text = str(gone).removesuffix(f"; {advice}")
        raise ObjectNotFound(f"{text}; {newest.stored_filename} needs it; {advice}") from gone


def extend_locks(chain: Sequence[Backup], until: datetime, destination: Destination) -> str:
    """Lock these archives until this moment. Return why one of them cannot be; empty if all are."""
    try:
        for backup in chain:
            destination.extend_lock(backup, until)
    except StoreUnavailable:
        raise
    except StoreError as error:
        return f"the lock of {backup.stored_filename} cannot be extended: {error}"
    return ""


def _encryption(backup: Backup) -> str:
    return repr(backup.metadata.get("encryption")) if backup.is_encrypted else ""
