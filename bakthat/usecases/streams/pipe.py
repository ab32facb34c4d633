"""A bounded pipe in memory: one thread produces a stream, another reads it.

`ObjectStore.put` pulls, while packers, compressors and ciphers push. The pipe connects both without a temporary file,
and passes an error from either side to the other.
"""

from __future__ import annotations

import io
import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO, Generic, TypeVar, cast

T = TypeVar("T")

LIMIT = 4 * 1024 * 1024
"""The approximate number of bytes buffered in a pipe: enough to keep both sides busy, little compared with the parts in
flight."""

PATIENCE = 2.0
"""How long to wait for a producer that does not end, in seconds."""

_NOTHING = memoryview(b"")


class _ReaderGone(Exception):
    """Ends the producer after the reader has closed; never leaves this module."""


class _Pipe:
    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._chunks: deque[memoryview] = deque()
        self._waiting = 0
        self._ended = False
        self._abandoned = False
        self.error: BaseException | None = None
        self._changed = threading.Condition(threading.RLock())

    def write(self, data: Any) -> int:
        chunk = memoryview(data if isinstance(data, bytes) else bytes(data))
        size = len(chunk)
        if not size:
            return 0
        with self._changed:
            while self._waiting >= self._limit and not self._abandoned:
                self._changed.wait()
            if self._abandoned:
                raise _ReaderGone
            self._chunks.append(chunk)
            self._waiting += size
            self._changed.notify_all()
        return size

    def end(self, error: BaseException | None) -> None:
        with self._changed:
            self._ended = True
            self.error = error
            self._changed.notify_all()

    def abandon(self) -> None:
        with self._changed:
            self._abandoned = True
            self._chunks.clear()
            self._changed.notify_all()

    def wait(self) -> None:
        """Return when there is a byte to read, or the stream is empty. Raises the producer's error if it wrote
        nothing."""
        with self._changed:
            while not self._chunks and not self._ended:
                self._changed.wait()
            if not self._chunks and self.error is not None:
                raise self.error

    def take(self, most: int) -> memoryview:
        """The next bytes as they were written; empty at the end. Raises the producer's error after its last byte, so
        that the result does not depend on which thread is faster."""
        with self._changed:
            self.wait()
            if not self._chunks:
                return _NOTHING
            chunk = self._chunks.popleft()
            if most < len(chunk):
                self._chunks.appendleft(chunk[most:])
                chunk = chunk[:most]
            self._waiting -= len(chunk)
            self._changed.notify_all()
        return chunk

    def fill(self, view: memoryview) -> int:
        """Fill the view; fewer bytes only at the end."""
        filled = 0
        while filled < len(view):
            chunk = self.take(len(view) - filled)
            if not chunk:
                break
            view[filled : filled + len(chunk)] = chunk
            filled += len(chunk)
        return filled


class _Writer(io.RawIOBase):
    def __init__(self, pipe: _Pipe) -> None:
        self._pipe = pipe

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        return self._pipe.write(data)


class _Reader(io.RawIOBase):
    def __init__(self, pipe: _Pipe) -> None:
        self._pipe = pipe

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        return self._pipe.fill(memoryview(buffer).cast("B"))

    def read_chunk(self, most: int) -> bytes:
        """Return the next available bytes, at most `most`; a chunk that was written whole is not copied."""
        chunk = self._pipe.take(most)
        return chunk.obj if isinstance(chunk.obj, bytes) and len(chunk.obj) == len(chunk) else chunk.tobytes()


class Flow(Generic[T]):
    """A stream that is being produced. `reader`: its bytes; `read(n)` returns fewer than n only at the end, and raises
    the producer's error. `result()`: the return value of the producer, after the end was read; raises its error if it
    failed, even if the reader swallowed that."""

    def __init__(self, pipe: _Pipe) -> None:
        self.reader = cast(BinaryIO, _Reader(pipe))
        self._pipe = pipe
        self._results: list[T] = []

    def begin(self) -> None:
        """Wait for the first byte. Raises the producer's error if it failed before that."""
        self._pipe.wait()

    @property
    def error(self) -> BaseException | None:
        """The producer's error so far."""
        return self._pipe.error

    def result(self) -> T:
        if self._pipe.error is not None:
            raise self._pipe.error
        return self._results[0]


@contextmanager
def flowing(produce: Callable[[BinaryIO], T], *, limit: int = LIMIT, patience: float = PATIENCE) -> Iterator[Flow[T]]:
    """Run `produce(writer)` in a thread while the body of the `with` reads.

    On every exit the producer is stopped at its next write, and waited for, up to `patience` seconds: a producer that
    waits for a network or a file system that does not respond must not keep the process from ending.
    """
    pipe = _Pipe(limit)
    flow: Flow[T] = Flow(pipe)
    writer = cast(BinaryIO, _Writer(pipe))

    def run() -> None:
        try:
            flow._results.append(produce(writer))
        except BaseException as error:  # noqa: BLE001 - handed to the reader
            pipe.end(error)
        else:
            pipe.end(None)

    # A daemon: the process can end while it hangs, and on a second Ctrl-C during the wait below.
    thread = threading.Thread(target=run, name="bakthat-producer", daemon=True)
    thread.start()
    try:
        yield flow
    finally:
        pipe.abandon()
        thread.join(patience)
