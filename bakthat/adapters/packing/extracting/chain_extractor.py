"""`extract_chain`: a full archive and the incremental ones that continue it, restored as the tree was at the last one.

Each archive is extracted into the same staging directory, as `tar_extractor` does it, and in between:

    a directory of an incremental archive     what it does not list is removed, and so is what is a directory there and
                                              should not be one, or the reverse
    the end of an archive                     its symbolic links are made, so that later ones can replace them

Nothing in the target changes before the last archive has been read to its end.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO, cast

from bakthat.adapters.filesystem.printable import printable
from bakthat.adapters.filesystem.staging import StagingDirectory
from bakthat.adapters.filesystem.target_error import target_error
from bakthat.adapters.packing.extracting.base_checks import CheckBase, must_be_full, must_continue
from bakthat.adapters.packing.extracting.extraction_tree import ExtractionTree
from bakthat.adapters.packing.extracting.selection import Selection
from bakthat.adapters.packing.extracting.tar_extractor import CallersStream, Extraction
from bakthat.adapters.packing.tar_format.dumpdir import Names, names_in
from bakthat.adapters.packing.tar_format.tar_member import Member
from bakthat.adapters.packing.tar_format.tar_reader import TarReader
from bakthat.domain.payload import UnpackReport
from bakthat.errors import PayloadDamaged
from bakthat.ports.payload import ChainedArchive


def extract_chain(
    archives: Sequence[ChainedArchive],
    into: Path,
    *,
    overwrite: bool = False,
    root: str | None = None,
    root_is_guess: bool = False,
    only: Sequence[str] = (),
    xattrs: bool = True,
) -> UnpackReport:
    """Restore the last archive of a chain into the directory `into`, as `Packer.unpack_chain` promises."""
    staging = StagingDirectory(into, overwrite=overwrite, root=root)
    selection = Selection(staging, only, root_is_guess=root_is_guess)
    with staging:
        extraction = _ChainExtraction(staging, selection, xattrs)
        callers: OSError | None = None
        try:
            with contextlib.closing(extraction):
                check_base: CheckBase = must_be_full
                is_thinned = any(archive.is_thinned for archive in archives)
                for archive in archives:
                    # Of a chain that is thinned, only the last archive's names must all be there
                    extraction.is_last = archive is archives[-1]
                    extraction.requires_unchanged = not is_thinned or extraction.is_last
                    with archive.opened as packed:
                        stream = CallersStream(packed)
                        try:
                            extraction.add(TarReader(cast(BinaryIO, stream), check_base=check_base))
                        finally:
                            callers = stream.error
                    check_base = must_continue(archive)
                extraction.finish()
        except OSError as error:
            if error is callers:
                raise
            raise target_error(error, os.path.join(into, os.fsdecode(extraction.current))) from error
        selection.require_something()
        staging.commit(list(selection.units))
    return extraction.report(staging.notices)


class _ChainExtraction(Extraction):
    """A chain on its way into a staging directory."""

    def __init__(self, staging: StagingDirectory, selection: Selection, xattrs: bool) -> None:
        super().__init__(staging, selection, xattrs)
        self._counted: set[tuple[int, int]] = set()
        """Files with several names."""
        self.requires_unchanged = True
        """Whether what the current archive lists as unchanged must be there."""
        self.is_last = False
        """Whether the current archive is the last one, whose tree is counted."""

    def add(self, reader: TarReader) -> None:
        """Extract the next archive."""
        self._new.directories.clear()  # an incremental archive has all of them
        self._files = self._directories = self._others = self._size = 0
        self._counted.clear()
        self.make_members(reader)
        for tree in self._trees():
            self.make_symlinks(tree)
            tree.symlinks.clear()

    def finish(self) -> None:
        """The last archive was added."""
        for unit in list(self._selection.units):
            if not self._new.holds(unit):
                self._selection.drop(unit)
        self.finish_directories()

    def _tree_for(self, path: bytes, member: Member) -> ExtractionTree | None:
        if member.dumpdir is not None:
            names = names_in(member.dumpdir)
            is_first = self._names.key(path) not in self._new.directories
            for tree in self._trees():
                self._purge(tree, path, names, is_counted=self.is_last and is_first and tree is self._new)
        return super()._tree_for(path, member)

    def _trees(self) -> list[ExtractionTree]:
        unselected = self._unselected.tree
        return [self._new] if unselected is None else [self._new, unselected]

    def _purge(self, tree: ExtractionTree, path: bytes, names: Names, *, is_counted: bool) -> None:
        """Remove what the directory does not list, and count what stays as it is."""
        missing = set(names.unchanged)
        removed: list[tuple[bytes, bool]] = []
        with contextlib.suppress(FileNotFoundError):
            directory = tree.directory(path, make=False)
            with os.scandir(directory) as entries:
                for entry in entries:
                    name, is_directory = os.fsencode(entry.name), entry.is_dir(follow_symlinks=False)
                    if name not in (names.directories if is_directory else names.files):
                        removed.append((name, is_directory))
                    elif name in missing:
                        missing.remove(name)
                        if is_counted:
                            self._count(entry)
            for name, is_directory in removed:
                tree.remove(directory, name, path + b"/" + name, is_directory=is_directory)
        if self.requires_unchanged and tree is self._new and not self._selection.is_partial:
            self._require_skipped(path, missing)

    def _require_skipped(self, path: bytes, missing: set[bytes]) -> None:
        """Whether what is unchanged and not there was left out when it came: devices are not restored."""
        for name in missing:
            whole = path + b"/" + name
            if self._names.key(whole) not in self._skipped:
                raise PayloadDamaged(
                    f"an incremental archive lists {printable(whole)} as unchanged, and the archives before it do not "
                    "contain it"
                )

    def _count(self, entry: os.DirEntry[str]) -> None:
        if not entry.is_file(follow_symlinks=False):
            self._others += 1
            return
        self._files += 1
        status = entry.stat(follow_symlinks=False)
        if status.st_nlink > 1:
            if (identity := (status.st_dev, status.st_ino)) in self._counted:
                return
            self._counted.add(identity)
        self._size += status.st_size
