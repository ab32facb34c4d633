"""`HoleyStream`: a stream with holes as one that a `TarReader` can read, and what is wrong with which bytes of it."""

from __future__ import annotations

from collections.abc import Iterator

from bakthat.adapters.packing.tar_format.tar_stream import BLOCK, checksum_fits
from bakthat.domain.salvage import LISTED
from bakthat.ports.salvage import Hole, Part, Verdict

_CHUNK = 1024 * 1024
_KEPT = 4 * 1024 * 1024
"""Bytes behind which nobody goes back: more than a `TarReader` reads ahead, and an extended header has."""

_MOST_RANGES = 10_000
"""Damaged ranges of one member that are distinguished."""

_MAGIC = b"ustar"
_MAGIC_AT = 257


class Ranges:
    """Ranges of positions, in their order, from the current member on. Too many are taken for one."""

    def __init__(self) -> None:
        self._ranges: list[tuple[int, int]] = []

    def add(self, start: int, stop: int) -> None:
        """Add a range behind those that are there."""
        if self._ranges and (start <= self._ranges[-1][1] or len(self._ranges) >= _MOST_RANGES):
            start = self._ranges.pop()[0]
        self._ranges.append((start, stop))

    def size_within(self, start: int, stop: int) -> int:
        """How many positions from `start` to `stop` are in one of them."""
        return sum(max(0, min(stop, last) - max(start, first)) for first, last in self._ranges)

    def last_stop(self, position: int) -> int:
        """Where the last range before this position ends; 0 if there is none."""
        return max((stop for _, stop in self._ranges if stop <= position), default=0)

    def forget(self, stop: int) -> None:
        """Nobody will ask for what is before this position."""
        done = 0
        while done < len(self._ranges) and self._ranges[done][1] <= stop:
            done += 1
        del self._ranges[:done]


class HoleyStream:
    """The bytes, with zeros in the holes. A hole of unknown length ends a run: `read_chunk` gives nothing there, and
    `next_run` goes behind it. Positions count on from run to run.

    holes, doubtful: what is missing, and what a verdict says may be wrong. decided_to: up to here there are verdicts.
    """

    def __init__(self, parts: Iterator[Part]) -> None:
        self._parts = parts
        self._window = bytearray()
        self._start = 0
        """Where the window begins in the stream."""
        self._at = 0
        """In the window: the next byte."""
        self._zeros = 0
        """Bytes of a hole that follow the window."""
        self._is_broken = False
        self._is_ended = False
        self.holes = Ranges()
        self.doubtful = Ranges()
        self.decided_to = 0
        self.verdict: Verdict | None = None
        """The first verdict since somebody has set this to None."""
        self.has_lost_count = False
        """Whether there was a hole of unknown length, so that positions are not those of the archive any more."""
        self.hole_count = 0
        self.hole_list: list[tuple[int, int | None]] = []
        """Position and length of the first holes."""
        self.error: OSError | None = None
        """What the layers below failed with."""

    @property
    def position(self) -> int:
        """Of the next byte."""
        return self._start + self._at

    @property
    def kept_from(self) -> int:
        """The first position that `go_to` can go back to."""
        return self._start

    def read_chunk(self, limit: int) -> bytes:
        """Return the next bytes, at most `limit`; nothing at the end of the run."""
        while self._at == len(self._window):
            if not self._pull():
                return b""
        chunk = bytes(memoryview(self._window)[self._at : self._at + min(limit, _CHUNK)])
        self._at += len(chunk)
        return chunk

    read = read_chunk

    def go_to(self, position: int) -> bool:
        """Go to this position: back to one that is kept, or on; as far as it goes in this run. Return if it is
        reached."""
        if position <= self._start + len(self._window):
            self._at = position - self._start
            return True
        while position > self._start + len(self._window):
            self._at = len(self._window)
            self._skip_zeros(position - self.position)
            if self.position < position and not self._pull():
                return False
        self._at = position - self._start
        return True

    def next_run(self) -> bool:
        """Go behind the hole that ended the run. Return False if that was the end of the stream."""
        self._at = len(self._window)
        while self._pull():
            self._at = len(self._window)
        if self._is_ended and not self._is_broken:
            return False
        self._is_broken = False
        return True

    def peek(self, start: int, stop: int) -> bytes:
        """The bytes from one position to another, as far as they are there."""
        while self._start + len(self._window) < stop and self._pull():
            pass
        return bytes(self._window[max(0, start - self._start) : max(0, stop - self._start)])

    def find_header(self, *, aligned_to: int | None) -> int | None:
        """Go to the next header of POSIX or GNU in this run, and return its position; None, at the end of the run, if
        there is none. aligned_to: headers begin a whole number of blocks from here; None: anywhere."""
        while True:
            self._skip_zeros(self._zeros)
            while len(self._window) - self._at < BLOCK and self._pull():
                pass
            if len(self._window) - self._at < BLOCK:
                self._at = len(self._window)
                return None
            found = self._window.find(_MAGIC, self._at + _MAGIC_AT)
            if found < 0:
                # A header that reaches into a hole is lost.
                self._at = len(self._window) - (0 if self._zeros else BLOCK - 1)
                if not self._zeros and not self._pull():
                    self._at = len(self._window)
                    return None
                continue
            place = found - _MAGIC_AT
            while len(self._window) - place < BLOCK and self._pull():
                place = self._window.find(_MAGIC, self._at + _MAGIC_AT) - _MAGIC_AT
            block = bytes(self._window[place : place + BLOCK])
            position = self._start + place
            is_aligned = aligned_to is None or not (position - aligned_to) % BLOCK
            if is_aligned and len(block) == BLOCK and block[0] and checksum_fits(block):
                self._at = place
                return position
            self._at = place + 1

    def _skip_zeros(self, most: int) -> None:
        """Go over a hole that follows the window, without its zeros."""
        count = min(self._zeros, most)
        if count > _KEPT and self._at == len(self._window):
            self._start += len(self._window) + count
            self._window.clear()
            self._at = 0
            self._zeros -= count

    def _pull(self) -> bool:
        """Read on. Return False if the run has ended."""
        if self._zeros:
            count = min(self._zeros, _CHUNK)
            self._zeros -= count
            self._append(bytes(count))
            return True
        while not self._is_broken and not self._is_ended:
            try:
                part = next(self._parts, None)
            except OSError as error:
                self.error = error
                raise
            end = self._start + len(self._window)
            if isinstance(part, bytes):
                if part:
                    self._append(part)
                    return True
            elif isinstance(part, Hole):
                if self._meet_hole(part, end):
                    return True
            elif part is None:
                self._is_ended = True
            else:
                self._judge(part, end)
        return False

    def _meet_hole(self, hole: Hole, end: int) -> bool:
        if hole.length == 0:
            return False
        if len(self.hole_list) < LISTED:
            self.hole_list.append((end, hole.length))
        self.hole_count += 1
        if hole.length is None:
            self._is_broken = self.has_lost_count = True
            return False
        self.holes.add(end, end + hole.length)
        self._zeros = hole.length
        return self._pull()

    def _judge(self, verdict: Verdict, end: int) -> None:
        if verdict is Verdict.DOUBTFUL and end > self.decided_to:
            self.doubtful.add(self.decided_to, end)
        self.decided_to = end
        self.verdict = self.verdict or verdict

    def _append(self, part: bytes) -> None:
        if self._at > 2 * _KEPT:
            dropped = self._at - _KEPT
            del self._window[:dropped]
            self._start += dropped
            self._at -= dropped
        self._window += part
