"""`cat`: one file out of a backup, without restoring it."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from typing import BinaryIO, cast

from attrs import frozen

from bakthat.domain.archive_format import Container
from bakthat.domain.archive_index import IndexEntry
from bakthat.domain.backup import Backup
from bakthat.domain.chain import is_known_by_dependent
from bakthat.domain.objects import Tier
from bakthat.domain.payload import Keys
from bakthat.errors import BackupNotFound, PayloadDamaged, UsageError
from bakthat.usecases.chain import ChainFinder, keys_for, needed_by
from bakthat.usecases.choose_to_open import Chosen, choose_to_open
from bakthat.usecases.inside.chain_tree import ChainTree, TreeMember
from bakthat.usecases.inside.listing import list_members
from bakthat.usecases.inside.members import below_root, plain_path, with_ends
from bakthat.usecases.inside.only_file import name_of_file, only_entry
from bakthat.usecases.inside.path_search import PathSearch
from bakthat.usecases.inside.ranged_archive import RangedArchive, Span, naming, open_by_ranges
from bakthat.usecases.streams.archive_stream import open_archive
from bakthat.usecases.streams.ready import opened_when_ready
from bakthat.usecases.tools import Tools


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
        if backup.is_incremental:
            yield from _in_chain(backup, keys, wanted, request, tools)
            return
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


def _by_index(archive: RangedArchive, backup: Backup, wanted: str | None, tools: Tools) -> Iterator[FileInBackup]:
    with naming(backup):
        search = PathSearch(backup, wanted)
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
        real, content = _member_at(span, entry, archive, tools)
        yield FileInBackup(backup=backup, entry=_relative(real), content=content)


def _member_at(span: Span, entry: IndexEntry, archive: RangedArchive, tools: Tools) -> tuple[IndexEntry, BinaryIO]:
    """The file at this place, and its content. Raises `PayloadDamaged` if it is another one than the index says."""
    real, content = next(tools.tar.contents(cast(BinaryIO, archive.members([span]))), (None, None))
    if real is None or content is None or not _is_file(real, entry):
        raise _lies(entry)
    return real, content


def _is_file(real: IndexEntry, entry: IndexEntry) -> bool:
    """Whether a member is the file that an entry of an index means."""
    return real.kind == "file" and real.path == plain_path(entry.path)


def _lies(entry: IndexEntry) -> PayloadDamaged:
    return PayloadDamaged(f"the index says that {_relative(entry).path} is where something else is; it is damaged")


def _in_chain(
    backup: Backup, keys: Keys, wanted: str | None, request: ReadRequest, tools: Tools
) -> Iterator[FileInBackup]:
    """The file is in the newest archive of the chain that has it."""
    destination = tools.destination(request.destination)
    list_one = partial(list_members, destination=destination, tools=tools, tier=request.tier, wait=request.wait)
    chain = ChainFinder(destination, tools, request.keys, tier=request.tier, wait=request.wait).chain(backup, keys)
    archives = list(zip(chain, keys_for(chain, keys, request.keys), strict=True))[::-1]
    with naming(backup), needed_by(backup):
        tree = ChainTree([partial(list_one, one, its_keys) for one, its_keys in archives])
        found, shown = _found_in(tree, PathSearch(backup, wanted, in_chain=True))
        one, its_keys = archives[found.archive]
        is_checked = request.full_check or is_known_by_dependent(one)
        ranged = None if is_checked else open_by_ranges(one, its_keys, destination, tools)
        with naming(one):
            if ranged is not None and ranged.is_readable:
                end = next(end for entry, end in with_ends(ranged.index) if entry.offset == found.member.offset)
                _, content = _member_at((found.member.offset, end), found.member, ranged, tools)
                yield FileInBackup(backup=backup, entry=_relative(shown), content=content)
                return
            is_there = False
            with _opened(one, its_keys, request, tools) as plain:
                for real, content in tools.tar.contents(plain):  # to its end, where it is checked
                    if real.offset == found.member.offset and _is_file(real, found.member):
                        is_there = True
                        yield FileInBackup(backup=backup, entry=_relative(shown), content=content)
            if not is_there:
                raise _lies(found.member)


def _found_in(tree: ChainTree, search: PathSearch) -> tuple[TreeMember, IndexEntry]:
    """The file that is looked for: where its content is, and how a list of the tree shows it."""
    while True:
        found: tuple[TreeMember, IndexEntry] | None = None
        for found_member in tree.tree_members():
            for entry in found_member.shown:
                # Positions in several archives: different ones for different members
                placed = entry._replace(offset=found_member.archive << 64 | entry.offset)
                if search.meets(placed):
                    found = (found_member, placed)
        if found is None:
            raise search.not_found()
        if search.is_file(found[1]):
            return found


def _by_streaming(
    backup: Backup, keys: Keys, wanted: str | None, request: ReadRequest, tools: Tools
) -> Iterator[FileInBackup]:
    if not request.full_check:
        tools.notice(f"{backup.stored_filename} is read from beginning to end, which takes longer than with an index")
    search = PathSearch(backup, wanted)
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


def _read_on(contents: Iterator[tuple[IndexEntry, BinaryIO]], search: PathSearch, backup: Backup) -> None:
    """Read the archive to its end, where it is checked. A later member of the same path would replace this one."""
    for entry, _ in contents:
        if search.meets(entry):
            raise PayloadDamaged(
                f"{backup.stored_filename} has {search.shown(entry)} twice; a restore gives the last one, and this was "
                "the first"
            )


def _relative(entry: IndexEntry) -> IndexEntry:
    path = plain_path(entry.path)
    return entry._replace(path=below_root(path) or path)


def _normal(path: str) -> str:
    """The path without dots and slashes that say nothing. Raises `UsageError` for one that leaves the backup."""
    normal = posixpath.normpath(path) if path else ""
    if not path or normal.startswith(("/", "../")) or normal in (".", ".."):
        raise UsageError(f"{path!r}: give the path of a file below the backup's root")
    return normal
