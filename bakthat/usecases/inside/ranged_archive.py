"""An archive that is read in parts, by its index, without downloading all of it."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, BinaryIO, cast

from attrs import frozen

from bakthat.domain.archive_format import ArchiveFormat, Compression, Container
from bakthat.domain.archive_index import ArchiveIndex
from bakthat.domain.backup import Backup, said_of
from bakthat.domain.callbacks import ignore
from bakthat.domain.chain import is_known_by_dependent
from bakthat.domain.payload import Keys
from bakthat.domain.progress import Progress
from bakthat.errors import ObjectNotFound, PayloadDamaged, WrongPassword
from bakthat.ports.random_access import RandomAccess, RangeReader
from bakthat.usecases.destinations.base import Destination
from bakthat.usecases.destinations.stored_ranges import StoredRanges
from bakthat.usecases.missing_key import wrong_key
from bakthat.usecases.tools import Tools

END_OF_ARCHIVE = bytes(1024)
"""Two blocks of zeros end a tar archive (POSIX.1-2017, `pax`)."""

_READ_AHEAD = 8 * 1024 * 1024
"""Plain bytes that are read at a time. The members of a range are decompressed one after the other, but requested at
once."""

_FIRST_READ = 64 * 1024
"""Bytes that are read after something was skipped: some headers."""

Span = tuple[int, int]
"""Positions in the tar stream: where a member's first header begins, and where the next member's does."""


@frozen(kw_only=True)
class RangedArchive:
    """tar: the tar stream. index: what is where in it. stored: where both come from."""

    tar: RandomAccess
    index: ArchiveIndex
    stored: StoredRanges

    @property
    def is_readable(self) -> bool:
        """Whether more than the index can be read now: of an archive that was moved to an archive class, the index may
        be in the cache. Asks the store."""
        return not self.stored.is_cold

    def members(self, spans: Iterable[Span], *, gap: int = 0, on_bytes: Callable[[int], None] = ignore) -> TarOfParts:
        """Return a tar stream of the members at these positions, which are in order and do not overlap. Those that are
        at most `gap` bytes apart are requested together; what lies between them is left out. `on_bytes` is called with
        the number of bytes that were read since the last call."""
        return TarOfParts(self.tar, spans, on_bytes, gap)

    def packed_bytes(self, spans: Iterable[Span]) -> int:
        """How many compressed bytes must be read for these members, about."""
        size, starts = self.index.header.block_size, self.index.block_starts
        blocks = {
            number for start, stop in spans for number in range(start // size, (max(start, stop - 1)) // size + 1)
        }
        return sum(starts[number + 1] - starts[number] for number in blocks if number + 1 < len(starts))


def open_by_ranges(backup: Backup, keys: Keys, destination: Destination, tools: Tools) -> RangedArchive | None:
    """Open the archive so that parts of it can be read; None if it has no index, lies in an archive store or class, or
    is of a format that can only be read from beginning to end.

    The size of the object is compared with the record, and with encryption the end is authenticated. A damaged index is
    a notice, and None. Raises `PasswordNeeded`, `WrongPassword`, `PayloadDamaged`, `StoreError`.
    """
    format_ = backup.format
    if format_.container is not Container.TAR or format_.compression is Compression.NONE:
        return None
    identity = _identity(backup, destination)
    known = tools.range_cache.load(identity) if identity else {}
    opened = _decrypted(backup, keys, destination, known, tools)
    if opened is None:
        return None
    stored, packed = opened
    compressor = tools.compressors[format_.compression]
    try:
        index = compressor.read_index(packed)
        if index is None:
            return None
        if identity and stored.answers:
            tools.range_cache.save(identity, {**known, **stored.answers})
        stored.forget_answers()
        return RangedArchive(tar=compressor.random_access(packed, index), index=index, stored=stored)
    except PayloadDamaged as error:
        tools.notice(f"{backup.stored_filename}: {said_of(backup, error)}; it is read without the index")
        return None


def open_bare_tar(backup: Backup, keys: Keys, destination: Destination, tools: Tools) -> BinaryIO | None:
    """Open an uncompressed tar so that its content can be skipped; None where that cannot be. Raises as
    `open_by_ranges`."""
    if backup.format != ArchiveFormat(Container.TAR, Compression.NONE):
        return None
    opened = _decrypted(backup, keys, destination, {}, tools)
    if opened is None:
        return None
    stored, tar = opened
    stored.forget_answers()
    return cast(BinaryIO, SkippingReader(tar))


def _decrypted(
    backup: Backup, keys: Keys, destination: Destination, known: Mapping[int, bytes], tools: Tools
) -> tuple[StoredRanges, RandomAccess] | None:
    """The stored object by ranges, and what is encrypted in it."""
    try:
        stored = destination.open_ranges(backup, known)
        if stored is None:
            return None
        with naming(backup):
            plain = tools.cipher.random_access(stored, keys) if backup.is_encrypted else stored
    except ObjectNotFound as gone:
        raise ObjectNotFound(f"{gone}; `bakthat sync` updates the database from the store") from gone
    except WrongPassword as error:
        raise wrong_key(backup, error) from error
    return None if plain is None else (stored, plain)


def _identity(backup: Backup, destination: Destination) -> str:
    """What a cache knows these stored bytes by; empty where nobody knows their SHA-256, or has compared it."""
    if backup.sha256 is None or backup.known_size is None or is_known_by_dependent(backup):
        return ""
    return f"{destination.owner.location} {backup.stored_filename} {backup.size} {backup.sha256}"


@contextmanager
def naming(backup: Backup) -> Iterator[None]:
    """Errors about damage begin with the stored filename, unless they name it."""
    try:
        yield
    except PayloadDamaged as error:
        if backup.stored_filename in str(error):
            raise
        raise PayloadDamaged(f"{backup.stored_filename}: {error}") from error


@contextmanager
def parts_with_progress(
    archive: RangedArchive, spans: list[Span], backup: Backup, tools: Tools, *, gap: int = 0
) -> Iterator[BinaryIO]:
    """Open the members at these positions as a tar stream, and report the progress of reading it. `gap`: as of
    `RangedArchive.members`."""
    done, total = 0, sum(stop - start for start, stop in spans)

    def on_bytes(count: int) -> None:
        nonlocal done
        done += count
        tools.progress(Progress(stage="restoring", done=min(done, total), total=total))

    with naming(backup):
        yield cast(BinaryIO, archive.members(spans, gap=gap, on_bytes=on_bytes))


class TarOfParts(io.RawIOBase):
    """The members at some positions of a tar stream, and an end mark, as one tar stream."""

    def __init__(self, tar: RandomAccess, spans: Iterable[Span], on_bytes: Callable[[int], None], gap: int = 0) -> None:
        self._on_bytes = on_bytes
        self._parts = _parts(tar, spans, gap)
        self._part: _Part | io.BytesIO | None = next(self._parts, None)

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1, /) -> bytes:
        if size < 0:
            return self.readall()
        while self._part is not None:
            part = self._part
            chunk = part.read_chunk(size) if isinstance(part, _Part) else part.read(size)
            if chunk or not size:
                self._on_bytes(len(chunk))
                return chunk
            self._part = next(self._parts, None)
        return b""

    def readinto(self, buffer: Any, /) -> int:
        with memoryview(buffer) as given, given.cast("B") as view:
            chunk = self.read(len(view))
            view[: len(chunk)] = chunk
        return len(chunk)


class ThinnedStream(io.RawIOBase):
    """The members at some positions of a tar that is read from beginning to end, so that it is checked, and an end
    mark."""

    def __init__(self, plain: BinaryIO, spans: Iterable[Span]) -> None:
        self._plain = plain
        self._spans = joined(spans)
        self._at = self._stop = 0
        self._end = io.BytesIO(END_OF_ARCHIVE)
        self._is_read = False

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1, /) -> bytes:
        if size < 0:
            return self.readall()
        while not self._is_read:
            if self._at < self._stop:
                chunk = self._plain.read(min(size, self._stop - self._at))
                self._at += len(chunk)
                if chunk or not size:
                    return chunk
                self._is_read = True
            else:
                self._go_on()
        return self._end.read(size)

    def _go_on(self) -> None:
        """Read over what lies before the next span; behind the last one, to the end."""
        following = next(self._spans, None)
        start, self._stop = following if following is not None else (None, self._stop)
        while start is None or self._at < start:
            chunk = self._plain.read(_FIRST_READ if start is None else min(_FIRST_READ, start - self._at))
            self._at += len(chunk)
            if not chunk:
                self._is_read = True
                return

    def readinto(self, buffer: Any, /) -> int:
        with memoryview(buffer) as given, given.cast("B") as view:
            chunk = self.read(len(view))
            view[: len(chunk)] = chunk
        return len(chunk)


class _Part:
    """Some spans that are requested together, without what lies between them."""

    def __init__(self, tar: RandomAccess, spans: Sequence[Span]) -> None:
        self._reader = RangeReader(tar, spans[0][0], spans[-1][1], read_ahead=_READ_AHEAD)
        self._spans = iter(spans)
        self._at, self._stop = next(self._spans)

    def read_chunk(self, size: int) -> bytes:
        if self._at == self._stop:
            following = next(self._spans, None)
            if following is None:
                return b""
            left = following[0] - self._at
            while left and (skipped := self._reader.read_chunk(left)):
                left -= len(skipped)
            self._at, self._stop = following
        chunk = self._reader.read_chunk(min(size, self._stop - self._at))
        self._at += len(chunk)
        return chunk


def _parts(tar: RandomAccess, spans: Iterable[Span], gap: int) -> Iterator[_Part | io.BytesIO]:
    together: list[Span] = []
    for span in joined(spans):
        if together and span[0] - together[-1][1] > gap:
            yield _Part(tar, together)
            together = []
        together.append(span)
    if together:
        yield _Part(tar, together)
    yield io.BytesIO(END_OF_ARCHIVE)


def joined(spans: Iterable[Span], gap: int = 0) -> Iterator[Span]:
    """Yield the spans, those that are at most `gap` bytes apart as one. A span is of whole members, and so is what lies
    between two; the extraction leaves out what was not asked for."""
    begun: Span | None = None
    for start, stop in spans:
        if begun is not None and start - begun[1] <= gap:
            begun = (begun[0], stop)
            continue
        if begun is not None:
            yield begun
        begun = (start, stop)
    if begun is not None:
        yield begun


class SkippingReader(io.RawIOBase):
    """Reads from beginning to end, and what is skipped is not requested. The more is read in a row, the more is read
    ahead."""

    def __init__(self, source: RandomAccess) -> None:
        self._source = source
        self._at = 0
        self._read_ahead = _FIRST_READ

    def readable(self) -> bool:
        return True

    def skip(self, count: int) -> None:
        """Go on behind the next `count` bytes."""
        self._at += count
        self._read_ahead = _FIRST_READ

    def read(self, size: int = -1, /) -> bytes:
        if size < 0:
            return self.readall()
        chunk = self._source.read_at(self._at, min(size, self._read_ahead))
        self._at += len(chunk)
        self._read_ahead = min(2 * self._read_ahead, _READ_AHEAD)
        return chunk

    def readinto(self, buffer: Any, /) -> int:
        with memoryview(buffer) as given, given.cast("B") as view:
            chunk = self.read(len(view))
            view[: len(chunk)] = chunk
        return len(chunk)
