"""What an incremental archive says of a directory: the pax record `GNU.dumpdir`.

GNU tar's manual, "Dumpdir": for each name a letter, the name, and a NUL; one more NUL at the end. `Y` is in this
archive, `N` is unchanged and in an earlier one, `D` is a directory. An extraction with `--incremental` removes what is
not listed, or is a directory and should not be one, or the reverse. Letters for renames, which GNU tar writes too, are
not used.
"""

from __future__ import annotations

from collections.abc import Iterable

from attrs import frozen

from bakthat.adapters.filesystem.printable import printable
from bakthat.errors import PayloadDamaged

DUMPDIR = b"GNU.dumpdir"
BASE = b"BAKTHAT.base"
"""The record, in a pax header for all members, of the backup that an incremental archive continues: its stored
filename."""
BASE_SHA256 = b"BAKTHAT.base_sha256"
"""The record beside it: the SHA-256 of the stored bytes of that backup, in hex."""

LONGEST = 32 * 1024 * 1024
"""Bytes: about a million names in one directory. A reader has to hold them in memory."""

_STORED, _UNCHANGED, _DIRECTORY = b"Y", b"N", b"D"
_LETTERS = frozenset((_STORED, _UNCHANGED, _DIRECTORY))


@frozen
class Contents:
    """dumpdir: GNU tar's form. unchanged: the names that are unchanged, joined by slashes."""

    dumpdir: bytes
    unchanged: bytes


@frozen
class Names:
    """The names in a directory. files: everything that is not a directory; unchanged: those of them that are in an
    earlier archive."""

    directories: frozenset[bytes]
    files: frozenset[bytes]
    unchanged: tuple[bytes, ...]


def contents_of(stored: Iterable[bytes], unchanged: Iterable[bytes], directories: Iterable[bytes]) -> Contents:
    """The contents of these names, all together sorted, as GNU tar writes and searches them."""
    same = sorted(unchanged)
    letters = [(name, _STORED) for name in stored]
    letters += [(name, _UNCHANGED) for name in same]
    letters += [(name, _DIRECTORY) for name in directories]
    letters.sort()
    return Contents(b"".join([b"%b%b\0" % (letter, name) for name, letter in letters]) + b"\0", b"/".join(same))


def names_in(dumpdir: bytes) -> Names:
    """The names of a dumpdir. Raises PayloadDamaged if one cannot be that of an entry, or has a letter that bakthat
    does not write."""
    directories: list[bytes] = []
    files: list[bytes] = []
    unchanged: list[bytes] = []
    for item in dumpdir.split(b"\0"):
        if not item:
            continue
        letter, name = item[:1], item[1:]
        if letter not in _LETTERS or name in (b"", b".", b"..") or b"/" in name:
            raise PayloadDamaged(f"an incremental archive lists an impossible entry: {printable(item[:200])}")
        if letter == _DIRECTORY:
            directories.append(name)
            continue
        files.append(name)
        if letter == _UNCHANGED:
            unchanged.append(name)
    return Names(frozenset(directories), frozenset(files), tuple(unchanged))
