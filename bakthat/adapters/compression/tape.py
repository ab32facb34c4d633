"""`Tape`: a stream with holes that is read from beginning to end, with a look ahead."""

from __future__ import annotations

from collections.abc import Iterator

from bakthat.ports.salvage import Hole, Part, Verdict

_STEP = 256 * 1024


class Tape:
    """The bytes from `position` on, up to the next hole.

    `fill` reads ahead, `peek` and `find` look, `skip` goes on. At a hole, or at the end, there are no more bytes:
    `cross` goes to the first byte behind the hole.
    """

    def __init__(self, parts: Iterator[Part]) -> None:
        self._parts = parts
        self._buffer = bytearray()
        self._at = 0
        self._hole: Hole | None = None
        self._ended = False
        self._read_to = 0
        """The position behind the last byte that was read ahead."""
        self._good_to = 0
        """Up to here there are verdicts."""
        self._doubtful_to = 0
        """Behind here, all bytes that have a verdict are good."""
        self.position = 0
        """Bytes before the next one, holes included as far as their length is known."""

    def fill(self, wanted: int) -> int:
        """Read ahead until there are this many bytes, or a hole or the end is next. Return how many there are."""
        have = len(self._buffer) - self._at
        while have < wanted and self._hole is None and not self._ended:
            part = next(self._parts, None)
            if isinstance(part, bytes):
                if self._at >= len(self._buffer) - self._at:
                    del self._buffer[: self._at]
                    self._at = 0
                self._buffer += part
                self._read_to += len(part)
                have += len(part)
            elif isinstance(part, Hole):
                self._hole = part if part.length != 0 else None
            elif part is None:
                self._ended = True
            else:
                self._good_to = self._read_to
                if part is Verdict.DOUBTFUL:
                    self._doubtful_to = self._read_to
        return have

    def peek(self, start: int, stop: int) -> bytes:
        """The bytes at these distances from the position, as far as they were read."""
        return bytes(self._buffer[self._at + start : self._at + stop])

    def find(self, pattern: bytes) -> int:
        """The distance to this pattern among the bytes that were read; -1 if it is not there."""
        found = self._buffer.find(pattern, self._at)
        return found - self._at if found >= 0 else -1

    @property
    def is_at_end(self) -> bool:
        """Whether nothing follows, after `fill` found no byte."""
        return self._ended and self._hole is None and self._at >= len(self._buffer)

    @property
    def hole(self) -> Hole | None:
        """The hole behind the bytes that were read; None if it is not known yet, or if there is none."""
        return self._hole

    def skip(self, count: int) -> None:
        """Go on by this many bytes, which were read; back by a negative number, before the next `fill`."""
        self._at += count
        self.position += count

    def go_to(self, position: int) -> bool:
        """Go to this position, or behind the hole that it is in. False if the stream ends before, or nobody knows where
        it is."""
        while self.position < position:
            have = self.fill(min(position - self.position, _STEP))
            if have:
                self.skip(min(have, position - self.position))
            elif self._hole is None or self.cross() is None:
                return False
        return True

    def cross(self) -> int | None:
        """Drop the bytes before the hole that is next, and go behind it. Return how far; None if nobody knows."""
        assert self._hole is not None  # noqa: S101 - the callers have filled
        dropped = len(self._buffer) - self._at
        length = self._hole.length
        self._buffer.clear()
        self._at = 0
        self._hole = None
        self.position += dropped + (length or 0)
        self._read_to += length or 0
        return None if length is None else dropped + length

    def are_good(self, start: int, stop: int) -> bool:
        """Whether all bytes from one position to another have the verdict that they are good."""
        return stop <= self._good_to and self._doubtful_to <= start
