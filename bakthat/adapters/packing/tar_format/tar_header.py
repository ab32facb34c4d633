"""Headers of tar members: POSIX ustar blocks, with a pax extended header in front where ustar cannot say it.

The layout is that of POSIX.1-2017, pax, "ustar Interchange Format" and "pax Extended Header". A member gets an extended
header for: a path or link name that is too long for its fields or is UTF-8 beyond ASCII (ustar leaves the character set
open); a size of 8 GiB or more; an owner's number above 2,097,151 or a name that is long or not ASCII; a time before
1970, after 2242, or with a fraction of a second. Names that are not UTF-8 stand in the ustar fields as they are, and if
they do not fit there, in an extended header that says `hdrcharset=BINARY`.
"""

from __future__ import annotations

import functools
import os
from zlib import adler32

from bakthat.adapters.packing.tar_format.accounts import Accounts

BLOCK = 512

FILE = b"0"
HARD_LINK = b"1"
SYMBOLIC_LINK = b"2"
CHARACTER_DEVICE = b"3"
BLOCK_DEVICE = b"4"
DIRECTORY = b"5"
FIFO = b"6"

LINKED_COMMENT = b"bakthat: all linked"
"""The pax record `comment` with this value marks a file whose other names may follow as hard links. An archive whose
first member bears it marks every such file; of any other archive nothing is known about this."""

_EXTENDED = b"x"
_EXTENDED_FOR_ALL = b"g"
_NAME = 100
_PREFIX = 155
_OWNER_NAME = 31
"""The maximum length in bytes: the field has 32 bytes, the last of which is NUL."""
_LARGE = 8**11
"""The limit of 11 octal digits: sizes of 8 GiB, times after 2242."""
_WIDE = 8**7
"""The limit of 7 octal digits: owners' numbers."""
_NS = 1_000_000_000
_TEN_DIGITS = 1_000_000_000
"""Times from here (2001) to 2242 have ten digits, so that their extended headers have one length."""


def member(
    directory: bytes,
    name: bytes,
    kind: bytes,
    status: os.stat_result,
    accounts: Accounts,
    *,
    size: int = 0,
    link: bytes = b"",
    comment: bytes = b"",
    real_size: int | None = None,
    mode: int | None = None,
    extended: bytes = b"",
) -> bytes:
    """The header of any member, extended where needed.

    directory: the path of what it lies in, with a slash at its end; empty for the root
    name: its own name; that of a directory ends with a slash
    link: what a symbolic link holds, or the path of the member that a hard link stands for
    comment: a record for our own reader, which others pass over
    real_size: of a sparse file, whose content is a map and what is not in its holes (see `sparse`).
        A reader that knows no sparse files shall not take that for the file: only the record has its true name
    mode: in the place of that in `status`
    extended: records for extended attributes and access control lists, as `record` writes them
    """
    records: list[tuple[bytes, bytes]] = []
    if comment:
        records.append((b"comment", comment))
    if real_size is not None:
        records += [
            (b"GNU.sparse.major", b"1"),
            (b"GNU.sparse.minor", b"0"),
            (b"GNU.sparse.name", directory + name),
            (b"GNU.sparse.realsize", b"%d" % real_size),
        ]
        directory += b"GNUSparseFile.0/"
    prefix, lead = _split(directory)
    short = lead + name
    if len(short) > _NAME or _is_beyond_ascii(directory + name):
        records.append((b"path", directory + name))
        # Only a reader that knows no extended headers sees this.
        short = short if len(short) <= _NAME else name[:_NAME]
    if len(link) > _NAME or _is_beyond_ascii(link):
        records.append((b"linkpath", link))
    if size >= _LARGE:
        records.append((b"size", b"%d" % size))
    seconds, fraction = divmod(status.st_mtime_ns, _NS)
    if fraction or not 0 <= seconds < _LARGE:
        records.append((b"mtime", _decimal(status.st_mtime_ns)))
    uid, gid = status.st_uid, status.st_gid
    user, group = accounts.user_name(uid), accounts.group_name(gid)
    if uid >= _WIDE:
        records.append((b"uid", b"%d" % uid))
    if gid >= _WIDE:
        records.append((b"gid", b"%d" % gid))
    if len(user) > _OWNER_NAME or not user.isascii():
        records.append((b"uname", user))
    if len(group) > _OWNER_NAME or not group.isascii():
        records.append((b"gname", group))
    device = status.st_rdev if kind in (CHARACTER_DEVICE, BLOCK_DEVICE) else 0
    block = _checked(
        short.ljust(_NAME, b"\0")
        + _octal8((status.st_mode if mode is None else mode) & 0o7777)
        + _octal8(uid if uid < _WIDE else 0)
        + _octal8(gid if gid < _WIDE else 0)
        + b"%011o\0" % (size if size < _LARGE else 0)
        + b"%011o\0" % (seconds if 0 <= seconds < _LARGE else 0),
        kind + link[:_NAME].ljust(_NAME, b"\0") + _tail(user, group, device, prefix),
    )
    return _extended(records, extended) + block if records or extended else block


class Headers:
    """The headers of the ordinary files of one directory. Their common parts are computed once: a header then costs
    about a microsecond, compared with about 16 in Python's `tarfile`."""

    def __init__(self, directory: bytes, accounts: Accounts) -> None:
        self._directory = directory
        self._accounts = accounts
        self._prefix, self._lead = _split(directory)
        self._room = _NAME - len(self._lead) if not _is_beyond_ascii(directory) else -1
        self._shared: dict[tuple[int, int, int], tuple[bytes, bytes, int]] = {}

    def file(self, name: bytes, status: os.stat_result, mode: int | None = None, extended: bytes = b"") -> bytes:
        """As `member(directory, name, FILE, status, accounts, size=status.st_size, mode=mode, extended=extended)`."""
        size = status.st_size
        seconds, fraction = divmod(status.st_mtime_ns, _NS)
        key = (status.st_mode if mode is None else mode, status.st_uid, status.st_gid)
        shared = self._shared.get(key)
        if shared is None:
            shared = self._shared[key] = self._share(*key)
        numbers, tail, base = shared
        if (
            len(name) > self._room
            or not name.isascii()
            or size >= _LARGE
            or not _TEN_DIGITS <= seconds < _LARGE
            or not tail
        ):
            return member(self._directory, name, FILE, status, self._accounts, size=size, mode=mode, extended=extended)
        if self._lead:
            name = self._lead + name
        moment = b"%011o\0%011o\0" % (size, seconds)
        # The low half of Adler-32 is the sum of the bytes plus one, modulo 65521: 124 bytes of ASCII stay below.
        checksum = base + (adler32(name + moment) & 0xFFFF)
        header = b"%b%b%b%06o\0 %b" % (name.ljust(_NAME, b"\0"), numbers, moment, checksum, tail)
        if extended:
            stamp = b"30 mtime=%d.%09d\n" % (seconds, fraction) if fraction else b""
            return _extended_header(len(stamp) + len(extended)) + _filled(stamp + extended) + header
        if fraction:
            return b"%b30 mtime=%d.%09d\n%b%b" % (_FRACTION_HEADER, seconds, fraction, _FRACTION_PADDING, header)
        return header

    def _share(self, mode: int, uid: int, gid: int) -> tuple[bytes, bytes, int]:
        """Mode and owner, all that follows the checksum, and the sum of both; empty if an owner needs a record."""
        user, group = self._accounts.user_name(uid), self._accounts.group_name(gid)
        names = user + group
        if max(uid, gid) >= _WIDE or max(len(user), len(group)) > _OWNER_NAME or not names.isascii():
            return b"", b"", 0
        numbers = _octal8(mode & 0o7777) + _octal8(uid) + _octal8(gid)
        tail = FILE + bytes(_NAME) + _tail(user, group, 0, self._prefix)
        return numbers, tail, _sum(numbers) + _sum(tail) + _BLANK_CHECKSUM - 1


_BLANK_CHECKSUM = 8 * ord(" ")
"""The checksum is taken with its own eight bytes as spaces."""


def _split(directory: bytes) -> tuple[bytes, bytes]:
    """The ustar prefix, and what must stand before the name: at a slash, so that the prefix has at most 155 bytes."""
    if len(directory) <= _PREFIX + 1:
        return directory[:-1], b""
    cut = directory.rfind(b"/", 0, _PREFIX + 1)
    return (directory[:cut], directory[cut + 1 :]) if cut > 0 else (b"", directory)


def _is_beyond_ascii(path: bytes) -> bool:
    return not path.isascii() and _is_utf8(path)


def _is_utf8(text: bytes) -> bool:
    try:
        text.decode()
    except UnicodeDecodeError:
        return False
    return True


def _octal8(number: int) -> bytes:
    return b"%07o\0" % number


def _tail(user: bytes, group: bytes, device: int, prefix: bytes) -> bytes:
    """What follows the link name."""
    return _names_and_device(user, group, device) + prefix.ljust(_PREFIX + 12, b"\0")


@functools.lru_cache(maxsize=64)
def _names_and_device(user: bytes, group: bytes, device: int) -> bytes:
    return (
        b"ustar\00000"
        + user[:_OWNER_NAME].ljust(32, b"\0")
        + group[:_OWNER_NAME].ljust(32, b"\0")
        + _octal8(os.major(device))
        + _octal8(os.minor(device))
    )


def _checked(front: bytes, back: bytes) -> bytes:
    return b"%b%06o\0 %b" % (front, _sum(front) + _BLANK_CHECKSUM + _sum(back), back)


def _sum(part: bytes) -> int:
    """As sum() of up to 512 bytes, five times as fast. The low half of Adler-32 is one more than the sum, modulo 65521,
    which 256 bytes do not reach."""
    return (adler32(part[:256]) & 0xFFFF) + (adler32(part[256:]) & 0xFFFF) - 2


def _decimal(nanoseconds: int) -> bytes:
    sign = b"-" if nanoseconds < 0 else b""
    seconds, fraction = divmod(abs(nanoseconds), _NS)
    return b"%b%d.%09d" % (sign, seconds, fraction) if fraction else b"%b%d" % (sign, seconds)


def record(key: bytes, value: bytes) -> bytes:
    """`LENGTH key=value\\n`, where the length counts its own digits."""
    rest = len(key) + len(value) + 3
    length = rest + len(str(rest))
    length = rest + len(str(length))
    return b"%d %b=%b\n" % (length, key, value)


def _extended(records: list[tuple[bytes, bytes]], extended: bytes) -> bytes:
    """The values of `extended` have no character set, so that they ask for no `hdrcharset`."""
    if not all(_is_utf8(value) for _, value in records):
        records = [(b"hdrcharset", b"BINARY"), *records]
    body = b"".join(record(key, value) for key, value in records) + extended
    return _extended_header(len(body)) + _filled(body)


def _filled(body: bytes) -> bytes:
    """Filled up to whole blocks."""
    return body + bytes(-len(body) % BLOCK)


def header_for_all(records: bytes) -> bytes:
    """A pax header that holds for all members behind it. `records`: as `record` writes them."""
    return _extended_header(len(records), _EXTENDED_FOR_ALL) + _filled(records)


@functools.lru_cache(maxsize=64)
def _extended_header(size: int, kind: bytes = _EXTENDED) -> bytes:
    return _checked(
        b"PaxHeaders/record".ljust(_NAME, b"\0") + _octal8(0o644) + _octal8(0) * 2 + b"%011o\0%011o\0" % (size, 0),
        kind + bytes(_NAME) + _tail(b"", b"", 0, b""),
    )


_FRACTION_LENGTH = len(b"30 mtime=1234567890.123456789\n")
_FRACTION_HEADER = _extended_header(_FRACTION_LENGTH)
_FRACTION_PADDING = bytes(BLOCK - _FRACTION_LENGTH)
