"""The chain of a backup: what a restore of it needs, and the keys for all of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from bakthat.domain.backup import Backup
from bakthat.domain.chain import Chains
from bakthat.domain.payload import Keys
from bakthat.domain.query import Query
from bakthat.errors import NotEncrypted, ObjectNotFound
from bakthat.usecases.destinations.base import Destination
from bakthat.usecases.missing_key import key_needed
from bakthat.usecases.tools import Tools


def chains_of_series(filename: str, destination: Destination, tools: Tools) -> Chains:
    """The chains among the recorded backups of a series in a destination."""
    query = Query(filename=filename, backend=destination.name, owners=(destination.owner,), deleted=True)
    return Chains(tools.repo.find(query))


def chain_for(backup: Backup, destination: Destination, tools: Tools) -> tuple[Backup, ...]:
    """The backups that a restore of this one needs, the full one first; of a full one only itself, without asking the
    database. Raises `ChainBroken`."""
    if not backup.is_incremental:
        return (backup,)
    return chains_of_series(backup.filename, destination, tools).chain(backup)


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


def _encryption(backup: Backup) -> str:
    return repr(backup.metadata.get("encryption")) if backup.is_encrypted else ""
