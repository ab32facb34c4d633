"""The verb `diff`: what differs between the contents of two backups."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from attrs import field, frozen

from bakthat.domain.archive_index import IndexEntry
from bakthat.domain.backup import Backup
from bakthat.domain.content_diff import Difference, differences
from bakthat.domain.origin import origins
from bakthat.domain.payload import Keys
from bakthat.domain.query import Query, newest_first
from bakthat.errors import BackupNotFound
from bakthat.usecases.choose_to_open import keys_of
from bakthat.usecases.destinations.base import Destination
from bakthat.usecases.inside.listing import members_in
from bakthat.usecases.inside.members import relative
from bakthat.usecases.plain_backup import PlainGuard
from bakthat.usecases.select_backup import choose
from bakthat.usecases.tools import Tools


@frozen(kw_only=True)
class DiffRequest:
    """Which backups are compared.

    name: a backup, as `restore` chooses it. other: the newer one; None compares `name` with the backup before it in its
    series, of the same origin. host: only backups of this host are chosen. allow_plain: also plain backups of a series
    that is encrypted. keys: called for each encrypted backup.
    """

    name: str | Backup
    destination: str
    other: str | Backup | None = None
    host: str | None = None
    allow_plain: bool = False
    keys: Callable[[Backup], Keys] = field(default=lambda _: Keys(), repr=False)


@frozen(kw_only=True)
class Compared:
    """Two backups, and what differs, sorted by path."""

    before: Backup
    after: Backup
    differences: tuple[Difference, ...]


def diff(request: DiffRequest, tools: Tools) -> Compared:
    """Compare the contents of two backups.

    Args:
        request: Which.
        tools: Of the verbs.

    Raises:
        BackupNotFound, AmbiguousName, NotEncrypted: The backups are not known, or not to be opened.
        PasswordNeeded, WrongPassword, PayloadDamaged, StoreError: One of them cannot be read.
    """
    destination = tools.destination(request.destination)
    if request.other is None:
        after = choose(request.name, destination, tools, host=request.host)
        before = _before(after, destination, tools)
    else:
        before = choose(request.name, destination, tools, host=request.host)
        after = choose(request.other, destination, tools, host=request.host)
    guard = PlainGuard(destination, tools)
    for backup in (before, after):
        if not request.allow_plain:
            guard.check(backup)
    keys = [keys_of(backup, request.keys) for backup in (before, after)]
    members_of = members_in(destination, tools, ask=request.keys)

    def entries(backup: Backup, keys: Keys) -> Iterator[IndexEntry]:
        with members_of(backup, keys) as members:
            yield from relative(members)

    found = differences(entries(before, keys[0]), entries(after, keys[1]))
    return Compared(before=before, after=after, differences=tuple(found))


def _before(backup: Backup, destination: Destination, tools: Tools) -> Backup:
    """Return the backup before this one in its series, of the same origin."""
    query = Query(filename=backup.filename, backend=destination.name, owners=(destination.owner,))
    series = list(tools.repo.find(query))
    for _, members in origins(series):
        if any(member.stored_filename == backup.stored_filename for member in members):
            older = [member for member in members if newest_first(member) < newest_first(backup)]
            if older:
                return max(older, key=newest_first)
    raise BackupNotFound(
        f"{backup.stored_filename}: there is no backup before it of the same host and path; name two backups"
    )
