"""Hard links, and their substitutes on a file system without them."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable

from attrs import frozen

from bakthat.adapters.filesystem.linux import NO_HARD_LINKS
from bakthat.adapters.packing.extracting.attributes import Attributes, AttributeSetter
from bakthat.adapters.packing.extracting.file_content import CREATE
from bakthat.adapters.packing.tar_format.accounts import Accounts
from bakthat.adapters.packing.writing.xattr_source import XattrSource
from bakthat.adapters.streams import write_all

_COPY = 1024 * 1024


@frozen(kw_only=True)
class Links:
    """The system's calls for links, which some file systems lack: `os.link`, `os.symlink`."""

    link: Callable[..., None] = os.link
    symlink: Callable[..., None] = os.symlink

    def link_or_copy(
        self, source: int, source_name: bytes, directory: int, name: bytes, setter: AttributeSetter
    ) -> bool:
        """Create the name in `directory` as a hard link to a file or symbolic link in `source`, or as a copy with its
        attributes, set by `setter`. Returns whether it is a link. Raises the error of the link if copying is
        impossible, too."""
        try:
            self.link(source_name, name, src_dir_fd=source, dst_dir_fd=directory, follow_symlinks=False)
        except OSError as error:
            if error.errno not in NO_HARD_LINKS:
                raise
            found = os.stat(source_name, dir_fd=source, follow_symlinks=False)
            if stat.S_ISLNK(found.st_mode):
                self.symlink(os.readlink(source_name, dir_fd=source), name, dir_fd=directory)
            elif stat.S_ISREG(found.st_mode):
                _copy(source, source_name, directory, name, found, setter)
            else:
                raise
            return False
        return True


def _copy(
    source: int, source_name: bytes, directory: int, name: bytes, found: os.stat_result, setter: AttributeSetter
) -> None:
    original = os.open(source_name, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=source)
    try:
        copy = os.open(name, CREATE, 0o600, dir_fd=directory)
        try:
            while chunk := os.read(original, _COPY):
                write_all(copy, chunk)
            extended = XattrSource(Accounts(), keep=True, problem=lambda *_: None).of_open(original, "", found)
            attributes = Attributes(
                stat.S_IMODE(found.st_mode if extended is None else extended.mode),
                found.st_uid,
                found.st_gid,
                found.st_mtime_ns,
                b"" if extended is None else extended.records,
            )
            # Attributes refused for the original were already reported.
            setter.without_notices().set(copy, attributes, name)
        finally:
            os.close(copy)
    finally:
        os.close(original)
