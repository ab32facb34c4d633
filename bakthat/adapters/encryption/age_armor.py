"""age's text form, "armor" (C2SP age specification, "ASCII armor"): PEM in its strict form (RFC 7468, section 3).

Lines of 64 columns, canonical Base64, no headers, and nothing around it but white space, so that a file has one text
form only, but for its line ends.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
from collections.abc import Generator
from typing import BinaryIO

from bakthat.errors import PayloadDamaged
from bakthat.ports.streams import read_up_to

FIRST_LINE = b"-----BEGIN AGE ENCRYPTED FILE-----"
_LAST_LINE = b"-----END AGE ENCRYPTED FILE-----"

WHITE_SPACE = 1024
"""Bytes of white space that may precede or follow, as the age program has it."""

_COLUMNS = 64
_BYTES = 48
"""What a whole line stands for."""
_LONGEST_LINE = WHITE_SPACE + 2
"""Bytes of the longest line that is looked at: one of white space."""
_BLOCK = 4096 * (_COLUMNS + 1)
"""Bytes that are read and decoded at a time."""
_DAMAGED_LETTERS = 3
"""Letters of its first line that may be wrong in a file that is salvaged."""
_LINES_ONE_BY_ONE = 512
"""Lines that are decoded one by one where a block cannot be decoded at once."""


def is_armored(head: bytes) -> bool:
    """Whether a file that begins with these bytes is in text form."""
    start = head.lstrip()
    return start.startswith(FIRST_LINE) and len(head) - len(start) <= WHITE_SPACE


def is_damaged_armor(head: bytes) -> bool:
    """Whether a file that begins with these bytes is in text form, also if its first line is damaged a little."""
    alike = sum(byte == known for byte, known in zip(head.lstrip(), FIRST_LINE, strict=False))
    return alike >= len(FIRST_LINE) - _DAMAGED_LETTERS


def dearmored(head: bytes, rest: BinaryIO) -> Generator[bytes, None, None]:
    """Yield the bytes of the age file that is in text form.

    Args:
        head: The first bytes of it.
        rest: What follows them; it is read to its end.

    Raises:
        PayloadDamaged: While iterating: it is not in this form, to the byte. What precedes that was yielded.
    """
    lines = _Lines(head, rest)
    while not (line := lines.next()).strip() and lines.taken <= WHITE_SPACE:
        pass
    if line != FIRST_LINE:
        raise lines.damage("not its first line")
    while True:
        yield from lines.uniform()
        line = lines.next()
        if line == _LAST_LINE:
            break
        data = _decoded(line)
        if data is None:
            raise lines.damage(f"not Base64 of up to {_COLUMNS} columns")
        yield data
        if len(data) < _BYTES:
            if lines.next() != _LAST_LINE:
                raise lines.damage("a short line that is not the last one")
            break
    trailing = lines.rest(WHITE_SPACE)
    if trailing.strip() or len(trailing) >= WHITE_SPACE:
        raise lines.damage("something follows its last line")


def dearmored_with_holes(head: bytes, rest: BinaryIO) -> Generator[bytes, None, None]:
    """Yield the bytes of a damaged file in text form, to be salvaged: zeros for each line that cannot be decoded."""
    lines = _Lines(head, rest)
    while lines.peek(1) and not lines.next(strict=False).strip():
        pass  # and the first line, whatever it is
    while lines.peek(1):
        yield from lines.uniform()
        line = lines.next(strict=False) if lines.peek(1) else b""
        if b"-----" in line:
            break
        if not line:
            continue
        data = _decoded(line)
        # A line feed that is damaged makes one long line of two.
        yield data if data is not None else bytes(_BYTES * max(1, round(len(line) / (_COLUMNS + 1))))
    while lines.rest(_BLOCK):
        pass


class _Lines:
    """The lines of a text, without their ends: LF or CRLF."""

    def __init__(self, head: bytes, rest: BinaryIO) -> None:
        self._text = head
        self._at = 0
        self._source = rest
        self._number = 0
        self._next_try = 0
        self.taken = 0
        """Bytes of the text that were taken."""

    def damage(self, what: str) -> PayloadDamaged:
        """The error about the line that was taken last."""
        return PayloadDamaged(f"the age file in text form (armor) is damaged in line {self._number}: {what}")

    def peek(self, size: int) -> bytes:
        """Return up to so many of the next bytes; fewer only at the end."""
        self._fill(size)
        return self._text[self._at : self._at + size]

    def rest(self, limit: int) -> bytes:
        """Take up to so many of the next bytes."""
        self.peek(limit)
        return self._take(limit)

    def next(self, *, strict: bool = True) -> bytes:
        """Take a line. Raises `PayloadDamaged` at the end of the text, and, if strict, for a line that is too long."""
        self._number += 1
        longest = _LONGEST_LINE if strict else _BLOCK
        self._fill(longest)
        end = self._text.find(b"\n", self._at, self._at + longest) + 1 - self._at
        there = min(longest, len(self._text) - self._at)
        if not there:
            raise self.damage("it is cut short")
        if end <= 0 and strict and there >= longest:
            raise self.damage(f"a line of more than {_COLUMNS} columns")
        line = self._take(end if end > 0 else there)
        return line.removesuffix(b"\n").removesuffix(b"\r")

    def uniform(self) -> Generator[bytes, None, None]:
        """Take and decode the next whole lines, as many as are alike: this is what makes large files fast."""
        while self._number >= self._next_try:
            body, count = self._whole_lines()
            data = b""
            if count:
                with contextlib.suppress(binascii.Error):
                    data = binascii.a2b_base64(body.translate(None, b"\r\n"), strict_mode=True)
            if len(data) == count * _BYTES and count:
                self._take(len(body))
                self._number += count
                yield data
            else:
                self._next_try = self._number + _LINES_ONE_BY_ONE

    def _whole_lines(self) -> tuple[bytes, int]:
        """The next lines of one width, as far as they look like that, and how many they are."""
        text = self.peek(_BLOCK)
        ends = (b"\r", b"\n") if text[_COLUMNS : _COLUMNS + 2] == b"\r\n" else (b"\n",)
        width, stop = _COLUMNS + len(ends), text.find(b"-")
        count = (len(text) if stop < 0 else stop) // width
        body = text[: count * width]
        alike = all(body[_COLUMNS + place :: width] == end * count for place, end in enumerate(ends))
        return (body, count) if alike else (b"", 0)

    def _fill(self, size: int) -> None:
        if len(self._text) - self._at < size:
            self._text = self._text[self._at :] + read_up_to(self._source, _BLOCK)
            self._at = 0

    def _take(self, size: int) -> bytes:
        taken = self._text[self._at : self._at + size]
        self._at += len(taken)
        self.taken += len(taken)
        return taken


def _decoded(line: bytes) -> bytes | None:
    """What a line of the body stands for; None if it is not in its canonical form."""
    if not line or len(line) > _COLUMNS:
        return None
    try:
        data = base64.b64decode(line, validate=True)
    except binascii.Error:
        return None
    return data if base64.b64encode(data) == line else None
