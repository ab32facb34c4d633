"""`cat`: one file out of a backup, without restoring it."""

from __future__ import annotations

import itertools
import posixpath
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import BinaryIO, cast

from attrs import frozen

from bakthat.domain.archive_format import Container
from bakthat.domain.archive_index import IndexEntry
from bakthat.domain.backup import Backup
from bakthat.domain.objects import Tier
from bakthat.domain.payload import Keys
from bakthat.domain.selector import nearest
from bakthat.errors import BackupNotFound, PayloadDamaged, UsageError
from bakthat.usecases.choose_to_open import Chosen, choose_to_open
from bakthat.usecases.inside.members import below_root, plain_path, with_ends
from bakthat.usecases.inside.only_file import name_of_file, only_entry
from bakthat.usecases.inside.ranged_archive import RangedArchive, Span, naming, open_by_ranges
from bakthat.usecases.streams.archive_stream import open_archive
from bakthat.usecases.streams.ready import opened_when_ready
from bakthat.usecases.tools import Tools

_MOST_LINKS = 40
"""Links that are followed one after the other. Linux follows as many."""


@frozen(kw_only=True)
class ReadRequest(Chosen):
    """Which file to read. path: relative to the backup's root, literal; None means the only file of a backup of one
    file or stream. tier, wait: where the backup must be retrieved first. full_check: read the archive whole even where
    a part of it would do, so that its SHA-256 is checked when the file has been read."""

    path: str | None = None
    tier: Tier | None = None
    wait: bool = False
    full_check: bool = False


@frozen(kw_only=True)
class FileInBackup:
    """A file in a backup. entry: of the file whose content it is, where `path` named a link; with its path relative to
    the backup's root. content: reads the file to its end; an error at its end means that what was read is not to be
    trusted."""

    backup: Backup
    entry: IndexEntry
    content: BinaryIO


@contextmanager
def read_file(request: ReadRequest, tools: Tools) -> Iterator[FileInBackup]:
    """Open a file in a backup; it is read while the context is open.

    With an index only the parts are read that hold the file. Else the archive is read up to it, and on leaving the
    context to its end. A symbolic or hard link gives the content of what it names inside of the archive.

    Raises `BackupNotFound` if there is no such backup or file, `UsageError` for what has no content, and what
    `list_archive` does.
    """
    backup, keys = choose_to_open(request, tools)
    wanted = None if request.path is None else _normal(request.path)
    opened: Iterator[FileInBackup]
    if backup.format.container is not Container.TAR:
        opened = _only_file(backup, keys, wanted, request, tools)
    else:
        destination = tools.destination(request.destination)
        archive = None if request.full_check else open_by_ranges(backup, keys, destination, tools)
        if archive is not None and archive.is_readable:
            opened = _by_index(archive, backup, wanted, tools)
        else:
            opened = _by_streaming(backup, keys, wanted, request, tools)
    yield from opened


def _only_file(
    backup: Backup, keys: Keys, wanted: str | None, request: ReadRequest, tools: Tools
) -> Iterator[FileInBackup]:
    name = name_of_file(backup)
    if wanted not in (None, name):
        raise BackupNotFound(f"{backup.stored_filename} is the single file {name}; it has no {wanted}")
    with _opened(backup, keys, request, tools) as plain:
        yield FileInBackup(backup=backup, entry=only_entry(backup), content=plain)


def _opened(backup: Backup, keys: Keys, request: ReadRequest, tools: Tools) -> AbstractContextManager[BinaryIO]:
    destination = tools.destination(request.destination)
    stored = opened_when_ready(backup, destination, tools, tier=request.tier, wait=request.wait)
    return open_archive(stored, backup, keys, tools, stage=f"reading {backup.stored_filename}")


# With an index


def _by_index(archive: RangedArchive, backup: Backup, wanted: str | None, tools: Tools) -> Iterator[FileInBackup]:
    with naming(backup):
        search = _Search(backup, wanted)
        while True:
            found: tuple[IndexEntry, Span] | None = None
            for entry, end in with_ends(archive.index):
                if search.meets(entry):
                    found = (entry, (entry.offset, end))
            if found is None:
                raise search.not_found()
            entry, span = found
            if search.is_file(entry):
                break
        contents = tools.tar.contents(cast(BinaryIO, archive.members([span])))
        real, content = next(contents, (None, None))
        if real is None or content is None or plain_path(entry.path) != real.path or real.kind != "file":
            raise PayloadDamaged(f"the index says that {search.shown(entry)} is where something else is; it is damaged")
        yield FileInBackup(backup=backup, entry=_relative(real), content=content)


# Without one


def _by_streaming(
    backup: Backup, keys: Keys, wanted: str | None, request: ReadRequest, tools: Tools
) -> Iterator[FileInBackup]:
    if not request.full_check:
        tools.notice(f"{backup.stored_filename} is read from beginning to end, which takes longer than with an index")
    search = _Search(backup, wanted)
    while True:
        with _opened(backup, keys, request, tools) as plain:
            contents = tools.tar.contents(plain)
            for entry, content in contents:
                if not search.meets(entry):
                    continue
                if search.is_file(entry):
                    yield FileInBackup(backup=backup, entry=_relative(entry), content=content)
                    _read_on(contents, search, backup)
                    return
                break  # a link to what may lie before it
            else:
                raise search.not_found()


def _read_on(contents: Iterator[tuple[IndexEntry, BinaryIO]], search: _Search, backup: Backup) -> None:
    """Read the archive to its end, where it is checked. A later member of the same path would replace this one."""
    for entry, _ in contents:
        if search.meets(entry):
            raise PayloadDamaged(
                f"{backup.stored_filename} has {search.shown(entry)} twice; a restore gives the last one, and this was "
                "the first"
            )


def _climbs_later(link: str) -> bool:
    """Whether a `..` follows a name. If that name is itself a symbolic link, the path leads elsewhere than its text."""
    parts = [part for part in link.split("/") if part not in ("", ".")]
    return ".." in itertools.dropwhile(lambda part: part == "..", parts)


class _Search:
    """The path that is looked for, from link to link."""

    def __init__(self, backup: Backup, wanted: str | None) -> None:
        self._backup = backup
        self._asked = wanted
        self._below: str | None = wanted
        """Relative to the root."""
        self._full: str | None = None
        """As the archive has it, once a link has named it."""
        self._before: int | None = None
        """A hard link stands for a member before this position."""
        self._followed: set[int] = set()
        """The positions of the links that led here."""
        self._dead_end = ""
        """What to say if the link that was followed last leads to nothing."""
        self._seen: set[str] = set()
        self._link_above: tuple[str, str] | None = None
        """A symbolic link in the place of a directory above the path, and what it contains."""

    def meets(self, entry: IndexEntry) -> bool:
        """Whether this member is the one that is looked for."""
        path = plain_path(entry.path)
        if self._before is not None and entry.offset >= self._before:
            return False
        if self._full is not None:
            return path == self._full
        below = below_root(path)
        if self._below is None:
            # The only file of a backup of one file
            return not below
        if not self._followed:
            self._remember(below or path, entry)
        return (below or path) == self._below if below or entry.kind != "directory" else False

    def _remember(self, path: str, entry: IndexEntry) -> None:
        """Keep what the error for a path that is not there can suggest."""
        if entry.kind != "directory" and len(self._seen) < _MOST_NAMES:
            self._seen.add(path)
        if entry.kind == "symlink" and (self._below or "").startswith(f"{path}/"):
            self._link_above = (path, entry.link)

    def is_file(self, entry: IndexEntry) -> bool:
        """Whether the member has content of its own; a link is followed. Raises `UsageError`, `BackupNotFound`."""
        if entry.kind == "file":
            return True
        shown = self.shown(entry)
        if entry.kind == "directory":
            raise UsageError(f"{shown} is a directory; name a file in it (`bakthat ls` lists them)")
        if entry.kind not in ("hardlink", "symlink"):
            raise UsageError(f"{shown} is a device or a fifo, which has no content")
        if entry.offset in self._followed or len(self._followed) == _MOST_LINKS:
            raise BackupNotFound(f"{shown} is a link to itself, or a chain of too many links")
        self._followed.add(entry.offset)
        if entry.kind == "hardlink":
            self._full, self._before = plain_path(entry.link), entry.offset
            self._dead_end = f"{shown} is a hard link to {entry.link}, which is not in the backup"
            return False
        path = plain_path(entry.path)
        target = posixpath.normpath(posixpath.join(posixpath.dirname(path), entry.link))
        self._dead_end = f"{shown} is a symbolic link to {entry.link}, which is not in the backup"
        if entry.link.startswith("/") or target.startswith("../") or not below_root(target):
            raise BackupNotFound(self._dead_end)
        if _climbs_later(entry.link):
            raise BackupNotFound(f"{shown} is a symbolic link to {entry.link}, which only a restore can follow")
        self._full, self._before = target, None
        return False

    def shown(self, entry: IndexEntry) -> str:
        """The path for a message."""
        return below_root(plain_path(entry.path)) or entry.path

    def not_found(self) -> BackupNotFound:
        """The error for a path that the archive does not have."""
        name = self._backup.stored_filename
        if self._followed:
            return BackupNotFound(self._dead_end or f"{self._asked} leads to what is not in {name}")
        if self._asked is None:
            return BackupNotFound(f"{name} is a directory; name a file in it (`bakthat ls` lists them)")
        if self._link_above is not None:
            link, goal = self._link_above
            inside = posixpath.normpath(posixpath.join(posixpath.dirname(link), goal))
            is_inside = not goal.startswith("/") and inside != ".." and not inside.startswith("../")
            way_out = f"; name {posixpath.join(inside, self._asked[len(link) + 1 :])}" if is_inside else ""
            return BackupNotFound(f"{link} is a symbolic link to {goal}, which is not followed{way_out}")
        alike = nearest(self._asked, self._seen)
        hint = f"; did you mean {' or '.join(alike)}?" if alike else "; paths start below its root, see `bakthat ls`"
        return BackupNotFound(f"{self._asked}: no such file in {name}{hint}")


_MOST_NAMES = 10_000
"""Paths among which a similar one is looked for."""


def _relative(entry: IndexEntry) -> IndexEntry:
    path = plain_path(entry.path)
    return entry._replace(path=below_root(path) or path)


def _normal(path: str) -> str:
    """The path without dots and slashes that say nothing. Raises `UsageError` for one that leaves the backup."""
    normal = posixpath.normpath(path) if path else ""
    if not path or normal.startswith(("/", "../")) or normal in (".", ".."):
        raise UsageError(f"{path!r}: give the path of a file below the backup's root")
    return normal
