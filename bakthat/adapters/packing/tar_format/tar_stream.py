"""`TarStream`: the blocks and the content of a tar archive, from a stream that cannot seek."""

from __future__ import annotations

from array import array
from collections.abc import Callable
from typing import BinaryIO
from zlib import adler32

from bakthat.errors import PayloadDamaged
from bakthat.ports.streams import chunk_reader

BLOCK = 512

ADLER_MODULUS = 65521
"""The lower half of Adler-32 is 1 + the sum of all bytes, modulo this (RFC 1950): ten times faster than sum()."""

_ZEROS = bytes(BLOCK)
_CHUNK = 1024 * 1024
METADATA_LIMIT = 1024 * 1024
"""Bytes of a header that describes the next member, which lies in memory as a whole. Linux knows no path of this
length, nor attribute."""
_LARGEST = 2**63 - 1
_NOTHING = memoryview(b"")


class TarStream:
    """Headers, one after the other, and the content between them.

    The next block begins at `buffer[at + left + padding]`: `left` bytes of the current member's content are not read
    yet, and `padding` bytes fill up its last block. `base` is where the buffer begins in the stream.

    Raises PayloadDamaged for what is cut short, or does not add up. An error of `packed.read` comes out as it is.
    """

    def __init__(self, packed: BinaryIO) -> None:
        self._read = chunk_reader(packed)
        self._skip_stream: Callable[[int], None] | None = getattr(packed, "skip", None)
        self.buffer = b""
        self.at = 0
        self.base = 0
        self.left = 0
        self.padding = 0
        self._known_header = b""
        self.metadata_limit = METADATA_LIMIT
        """Bytes of the longest header that describes the next member."""
        self.has_trailing_junk = False
        """After the end: something that is neither zeros nor a member followed the archive's end mark."""

    @property
    def position(self) -> int:
        """Where the next header begins."""
        return self.base + self.at + self.left + self.padding

    def read(self, limit: int = _CHUNK) -> memoryview:
        """Return the next stored bytes of the current member, at most `limit`; nothing at its end. Fewer than `limit`
        are no sign of the end. The bytes stay as they are however long they are kept."""
        if self.left < limit:
            limit = self.left
        if not limit:
            return _NOTHING
        buffer, at = self.buffer, self.at
        if at >= len(buffer):
            buffer = self._read(_CHUNK)
            if not buffer:
                raise self.cut_short()
            self.base += len(self.buffer)
            self.buffer, at = buffer, 0
        chunk = memoryview(buffer)[at : at + limit]
        self.at = at + len(chunk)
        self.left -= len(chunk)
        return chunk

    def put_back(self, count: int) -> None:
        """The last `count` bytes that were read are to be read again; they are still in the buffer."""
        self.at -= count
        self.left += count

    def next_header(self) -> bytes | None:
        """Return the next header, whose checksum fits; None at the archive's end mark."""
        at = self.at + self.left + self.padding
        self.left = self.padding = 0
        if at + BLOCK <= len(self.buffer):
            self.at = at + BLOCK
            block = self.buffer[at : at + BLOCK]
        else:
            self._skip(at - self.at)
            next_block = self.block()
            if next_block is None:
                raise self.cut_short()
            block = next_block
        if block == self._known_header or checksum_fits(block):
            return block
        if block == _ZEROS:
            # The mark is two blocks of zeros; some old writers leave only one. One amidst members is damage.
            after = self.block()
            if after is None or after == _ZEROS:
                return None
            raise self.damage("a header is blank")
        if self.base + self.at == BLOCK:
            raise PayloadDamaged("this is not a tar archive")
        raise self.damage("the checksum of a header does not fit")

    def expect_again(self, header: bytes) -> None:
        """The checksum of this header fits, and it may come again: the extended headers of one writer are often the
        same, byte by byte."""
        self._known_header = header

    def next_is_header(self) -> bool:
        """Whether a header or the end mark comes next, rather than content; also True at the end of the stream."""
        if self.at + BLOCK > len(self.buffer) and not self._fill(BLOCK):
            return False
        block = self.buffer[self.at : self.at + BLOCK]
        return block == _ZEROS or checksum_fits(block)

    def block(self) -> bytes | None:
        """Return the next block, whatever it is; None at the end of the stream."""
        at = self.at
        if at + BLOCK > len(self.buffer):
            if not self._fill(BLOCK):
                if not self.buffer:
                    return None
                raise self.cut_short()
            at = 0
        self.at = at + BLOCK
        return self.buffer[at : at + BLOCK]

    def begin(self, size: int) -> None:
        """The content of this many bytes comes next."""
        if not 0 <= size <= _LARGEST - BLOCK:
            raise self.damage("a member's size is impossible")
        self.left = size
        self.padding = -size % BLOCK

    def metadata(self, size: int) -> bytes:
        """Return the whole content of a header that describes the next member."""
        if not 0 <= size <= self.metadata_limit:
            raise self.damage(f"an extended header of {size} bytes; the limit is {self.metadata_limit}")
        whole = size + -size % BLOCK
        if self.at + whole > len(self.buffer) and not self._fill(whole):
            raise self.cut_short()
        content = self.buffer[self.at : self.at + size]
        self.at += whole
        return content

    def drain(self) -> None:
        """Read what follows the end mark. GNU tar ignores it, and so do we, unless it is a member: then a part of the
        archive was blanked, or a second archive was appended, and to pass over either would lose files."""
        while True:
            if self.at >= len(self.buffer):
                self.base += len(self.buffer)
                self.buffer, self.at = self._read(_CHUNK), 0
                if not self.buffer:
                    return
            if len(self.buffer) - self.at < BLOCK and not self._fill(BLOCK):
                self.has_trailing_junk |= self.buffer.count(0) != len(self.buffer)
                self.at = len(self.buffer)
                continue
            block = self.buffer[self.at : self.at + BLOCK]
            self.at += BLOCK
            if block == _ZEROS:
                continue
            if block[257:262] == b"ustar" and checksum_fits(block):
                raise self.damage("members follow the end mark of the archive")
            self.has_trailing_junk = True

    def damage(self, what: str) -> PayloadDamaged:
        """The error for inconsistent data at the current position."""
        return PayloadDamaged(f"the tar archive is damaged about byte {self.base + self.at}: {what}")

    def cut_short(self) -> PayloadDamaged:
        """The error for a stream that ends too early."""
        end = self.base + len(self.buffer)
        if not end:
            return PayloadDamaged("the tar archive is empty")
        return PayloadDamaged(f"the tar archive is cut short: it ends after {end} bytes, in the middle")

    def field(self, digits: bytes, what: str) -> int:
        """Return a number of a header; `what` names it in the error."""
        try:
            return number(digits)
        except ValueError:
            raise self.damage(f"the {what} of a member is not a number") from None

    def size_of(self, header: bytes) -> int:
        """Return the size that a header gives."""
        return self.field(header[124:136], "size")

    def _fill(self, wanted: int) -> bool:
        """Make the buffer begin with the next `wanted` bytes; False if there are fewer."""
        chunks = [self.buffer[self.at :]]
        have = len(chunks[0])
        while have < wanted:
            chunk = self._read(_CHUNK)
            if not chunk:
                break
            chunks.append(chunk)
            have += len(chunk)
        self.base += self.at
        self.buffer, self.at = b"".join(chunks), 0
        return have >= wanted

    def _skip(self, count: int) -> None:
        self.at += count
        while self.at > len(self.buffer):
            missing = self.at - len(self.buffer)
            if self._skip_stream is not None and missing > _CHUNK:
                # The last of it is read, to see that it is there
                self._skip_stream(missing - 1)
                self.base += len(self.buffer) + missing - 1
                self.buffer, self.at, missing = b"", 1, 1
            chunk = self._read(_CHUNK)
            if not chunk:
                self.at = len(self.buffer)
                raise self.cut_short()
            self.base += len(self.buffer)
            self.buffer, self.at = chunk, missing


def checksum_fits(block: bytes) -> bool:
    """Whether a block is a header: its checksum is taken with its own field as eight spaces."""
    stored = block[148:156]
    try:
        wanted = int(stored.rstrip(b"\0 "), 8)
    except ValueError:
        return False
    if (adler32(block) & 0xFFFF) == (wanted + sum(stored) - 8 * 32 + 1) % ADLER_MODULUS:
        return True
    # Some old writers added the bytes as signed characters
    return wanted == sum(array("b", block[:148])) + 8 * 32 + sum(array("b", block[156:]))


def number(digits: bytes) -> int:
    """A number of a header: octal text that ends at a NUL or a space, or base 256. Raises ValueError."""
    text = digits.rstrip(b"\0 ")
    if text.isdigit():
        return int(text, 8)
    if digits[0] & 0x80:
        # GNU: big-endian after the first bit; the second bit is the sign
        value = int.from_bytes(digits, "big")
        bits = len(digits) * 8
        return value - (1 << bits) if digits[0] & 0x40 else value & ((1 << (bits - 1)) - 1)
    text = digits.lstrip(b" ").partition(b"\0")[0].partition(b" ")[0]
    if not text:
        return 0
    if not text.isdigit():
        raise ValueError("not octal")
    return int(text, 8)
