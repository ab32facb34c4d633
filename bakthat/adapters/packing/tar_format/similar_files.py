"""`SimilarFiles`: fast parsing of headers that resemble an earlier one, as nearly all do."""

from __future__ import annotations

import struct
from zlib import adler32

from bakthat.adapters.packing.tar_format.tar_member import Kind, Member
from bakthat.adapters.packing.tar_format.tar_stream import ADLER_MODULUS, BLOCK, TarStream

_FILE_HEADER = struct.Struct("100s24s11sc11sc6s2s356s")
"""The fields that differ between the files of one directory, for most writers: name; mode and owners; size; time;
checksum. Then the rest."""
_STAMP_LENGTH = len(b"30 mtime=1234567890.123456789\n")
"""Bytes of the record of a fraction of a second, as our writer has it."""
_SMALL = 64 * 1024
"""Bytes: the content of a smaller file is returned with its member, if it is buffered."""
_MAX_REMEMBERED = 4096
_NANOSECONDS = 10**9
_FILE = Kind.FILE


class SimilarFiles:
    """Remembers headers of files, and parses the next member if it differs from one of them only in name, size and
    time. That takes 3 µs instead of 7."""

    def __init__(self, stream: TarStream) -> None:
        self._stream = stream
        self._stamp = b""
        self._rest = b""
        self._alike: dict[bytes, Member] = {}
        self._directory = b""

    def remember_stamp(self, header: bytes) -> None:
        """This extended header announces a record with the time, and nothing else."""
        if self._stream.size_of(header) == _STAMP_LENGTH:
            self._stamp = header

    def remember(self, block: bytes, member: Member) -> None:
        """The files that follow may be like this one."""
        rest = block[156:]
        if rest != self._rest:
            self._rest = rest
            self._alike = {}
            self._directory = block[345:500].partition(b"\0")[0] if block[257:263] == b"ustar\0" else b""
        elif len(self._alike) >= _MAX_REMEMBERED:
            self._alike.clear()
        self._alike[block[100:124]] = member

    def next_file(self) -> Member | None:
        """Return the next member. None for anything that does not resemble an earlier file, or is unusual; then nothing
        is consumed."""
        if not self._alike:
            return None
        stream = self._stream
        buffer = stream.buffer
        at = start = stream.at + stream.left + stream.padding
        stamp = b""
        if self._stamp and buffer.startswith(self._stamp, at):
            at += BLOCK
            stamp = buffer[at : at + _STAMP_LENGTH]
            at += BLOCK
        block = buffer[at : at + BLOCK]
        if len(block) < BLOCK:
            return None
        name, ids, size_field, nul, time_field, another_nul, checksum, blank, rest = _FILE_HEADER.unpack(block)
        alike = self._alike.get(ids)
        if alike is None or rest != self._rest or nul + another_nul + blank != b"\0\0\0 ":
            return None
        if not (size_field + time_field + checksum).isdigit():
            return None
        try:
            size = int(size_field, 8)
            mtime_ns = int(time_field, 8) * _NANOSECONDS
            wanted = int(checksum, 8)
        except ValueError:
            return None
        # As in `checksum_fits`: six digits, a NUL and a space are counted as eight spaces
        if ((adler32(block) & 0xFFFF) - (adler32(checksum) & 0xFFFF) + 7 * 32 - wanted) % ADLER_MODULUS:
            return None
        if stamp:
            digits = stamp[9:19] + stamp[20:29]
            if not stamp.startswith(b"30 mtime=") or stamp[19:20] + stamp[29:] != b".\n" or not digits.isdigit():
                return None
            mtime_ns = int(digits)
        name = name.partition(b"\0")[0]
        if not name or name.endswith(b"/"):
            return None
        if self._directory:
            name = self._directory + b"/" + name
        at += BLOCK
        stream.at = at
        stream.left = size
        stream.padding = -size % BLOCK
        content = None
        if size < _SMALL and at + size <= len(buffer):
            content = memoryview(buffer)[at : at + size]
        return Member(
            name,
            _FILE,
            b"0",
            alike.mode,
            alike.uid,
            alike.gid,
            alike.uname,
            alike.gname,
            size,
            mtime_ns,
            b"",
            None,
            None,
            alike.linked,
            content,
            stream.base + start,
        )
