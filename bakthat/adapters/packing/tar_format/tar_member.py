"""`Member`: one member of a tar archive, as the archive describes it."""

from __future__ import annotations

import enum
from array import array

from attrs import define


class Kind(enum.Enum):
    """The kind of a member. A restore skips `OTHER` with its content."""

    FILE = "file"
    DIRECTORY = "directory"
    SYMLINK = "symbolic link"
    HARDLINK = "hard link"
    FIFO = "fifo"
    DEVICE = "device"
    OTHER = "other"


@define(eq=False)  # not frozen: 100,000 a second are made, and a frozen one takes three times as long to make
class Member:
    """One member as the archive describes it; nothing has been checked.

    `name`, `link` (where a symbolic link points, or the member that a hard link is another name of), `uname`, `gname`:
    bytes as they stand in the archive. `mode`: the twelve bits. `size`: bytes of the file once it is restored.
    `mtime_ns`: since 1970 UTC. `extents`: for a sparse file, offset and length of each stored stretch in turn, all
    else being holes. `linked`: whether other names of this file may follow as hard links; None if unknown. `content`:
    all of a small file, if it was at hand; `read` gives it as well, and None says nothing. `offset`: where its first
    header begins in the stream. `extended`: pax records about extended attributes, as they stand in the archive.
    `dumpdir`: of a directory in an incremental archive of bakthat, what it contains, as `dumpdir.names_in` parses it.
    """

    name: bytes
    kind: Kind
    typeflag: bytes
    mode: int
    uid: int
    gid: int
    uname: bytes
    gname: bytes
    size: int
    mtime_ns: int
    link: bytes
    device: tuple[int, int] | None = None
    extents: array[int] | None = None
    linked: bool | None = None
    content: memoryview | None = None
    offset: int = 0
    extended: bytes = b""
    dumpdir: bytes | None = None
