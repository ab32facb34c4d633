"""The payload of an age file: chunks of 64 KiB under ChaCha20-Poly1305 (C2SP age specification, "Payload").

The nonce of a chunk is its number, and a mark on the last one, so that no chunk can be moved, and nothing can be cut
off unnoticed. Every chunk can be decrypted by itself.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import TYPE_CHECKING, BinaryIO

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from bakthat.adapters.encryption.age_primitives import TAG_SIZE, hkdf
from bakthat.errors import PayloadDamaged
from bakthat.ports.random_access import RandomAccess
from bakthat.ports.streams import fill, write_whole

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer, WriteableBuffer

CHUNK = 64 * 1024
"""Plain bytes of every chunk but the last."""

ENCRYPTED_CHUNK = CHUNK + TAG_SIZE

BATCH = 16
"""Chunks per write and per read: 1 MiB at a time makes Python's share of the work small (below 1 % of the time)."""

_BATCH_SIZE = BATCH * ENCRYPTED_CHUNK

_BUFFER_LIMIT = 32 * 1024 * 1024
"""Bytes buffered while the key of a passphrase is derived: what two cores can pack in that time."""


def payload_key(file_key: bytes, nonce: bytes) -> bytes:
    return hkdf(file_key, salt=nonce, info=b"payload")


def chunk_nonce(counter: int, *, last: bool) -> bytes:
    """The nonce of the chunk of this number, and whether it is marked as the last one."""
    return (counter << 8 | last).to_bytes(12, "big")


class EncryptingWriter(io.RawIOBase):
    """Encrypts what is written in chunks, and writes them in batches.

    `begin` returns header, nonce and payload key. It is called once, as late as possible, and if possible when `ready`
    says that it can answer at once. Closing the writer finishes nothing: only `finish` does.
    """

    def __init__(
        self, into: BinaryIO, begin: Callable[[], tuple[bytes, bytes, bytes]], *, ready: Callable[[], bool]
    ) -> None:
        self._into = into
        self._begin = begin
        self._is_ready = ready
        self._buffered = bytearray()
        self._aead: ChaCha20Poly1305 | None = None
        self._counter = 0
        # The chunk that is being filled. A full one stays until more comes, since the last chunk is marked as such.
        self._plain = memoryview(bytearray(CHUNK))
        self._filled = 0
        self._encrypted = memoryview(bytearray(_BATCH_SIZE))
        self._pending = 0
        self._broken = False

    def writable(self) -> bool:
        return True

    def write(self, data: ReadableBuffer, /) -> int:
        if self.closed:
            raise ValueError("write to a closed file")
        self._begin_step()
        view = memoryview(data).cast("B")
        if self._aead is not None or not self._buffer(view):
            self._take(view)
        self._broken = False
        return len(view)

    def finish(self) -> None:
        """Encrypt the last chunk, which proves to a reader that nothing is missing."""
        self._begin_step()
        self._take_buffered()
        self._encrypt(self._plain[: self._filled], last=True)
        self._flush()
        self._broken = False

    def _begin_step(self) -> None:
        """Until the step is done, the stream counts as broken: a failure leaves a gap that nothing must close."""
        if self._broken:
            raise ValueError("an earlier write failed, so this stream cannot be finished")
        self._broken = True

    def _buffer(self, view: memoryview) -> bool:
        """Buffer the bytes until the key is there. False, after the buffered ones were encrypted, if it is there, or
        the buffer would grow too large."""
        if self._is_ready() or len(self._buffered) + len(view) > _BUFFER_LIMIT:
            self._take_buffered()
            return False
        self._buffered += view
        return True

    def _take_buffered(self) -> None:
        buffered, self._buffered = self._buffered, bytearray()
        self._take(memoryview(buffered))

    def _take(self, rest: memoryview) -> None:
        if self._filled + len(rest) > CHUNK:
            if self._filled:
                room = CHUNK - self._filled
                self._plain[self._filled :] = rest[:room]
                rest = rest[room:]
                self._encrypt(self._plain)
                self._filled = 0
            while len(rest) > CHUNK:
                self._encrypt(rest[:CHUNK])
                rest = rest[CHUNK:]
        self._plain[self._filled : self._filled + len(rest)] = rest
        self._filled += len(rest)

    def _encrypt(self, plain: memoryview, *, last: bool = False) -> None:
        aead = self._aead
        if aead is None:
            header, nonce, key = self._begin()
            write_whole(self._into, header + nonce)
            aead = self._aead = ChaCha20Poly1305(key)
        end = self._pending + len(plain) + TAG_SIZE
        aead.encrypt_into(chunk_nonce(self._counter, last=last), plain, None, self._encrypted[self._pending : end])
        self._counter += 1
        self._pending = end
        if end + ENCRYPTED_CHUNK > _BATCH_SIZE:
            self._flush()

    def _flush(self) -> None:
        write_whole(self._into, self._encrypted[: self._pending])
        self._pending = 0


class ChunkSource:
    """The encrypted file, through a buffer of one batch: first its head, then chunk after chunk."""

    def __init__(self, source: BinaryIO) -> None:
        self._source = source
        self._buffer = memoryview(bytearray(_BATCH_SIZE))
        self._start = 0
        self._stop = 0
        self._ended = False

    def head(self) -> bytes:
        """Return the first batch, or all that there is, without consuming it."""
        self._fill()
        return bytes(self._buffer[: self._stop])

    def skip(self, size: int) -> None:
        """Consume this many bytes of the head."""
        self._start += size

    def take_chunk(self) -> tuple[memoryview, bool]:
        """Return the next encrypted chunk (valid until the next call; empty at the end), and whether more follows."""
        if self._stop - self._start <= ENCRYPTED_CHUNK and not self._ended:
            self._fill()
        start = self._start
        self._start = min(start + ENCRYPTED_CHUNK, self._stop)
        return self._buffer[start : self._start], self._start < self._stop

    def _fill(self) -> None:
        left = self._stop - self._start
        self._buffer[:left] = self._buffer[self._start : self._stop]
        self._start, self._stop = 0, left
        if not self._ended:
            self._stop += fill(self._source, self._buffer[left:])
            self._ended = self._stop < _BATCH_SIZE


class DecryptingReader(io.RawIOBase):
    """The plain bytes of each chunk, once it is authenticated. What precedes a damage is returned; then every read
    raises it."""

    def __init__(self, source: ChunkSource, key: bytes) -> None:
        self._source = source
        self._aead = ChaCha20Poly1305(key)
        self._counter = 0
        self._ended = False
        self._failure: Exception | None = None
        # For reads of less than a chunk.
        self._spare = memoryview(bytearray(CHUNK))
        self._left = self._spare[:0]

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        target = memoryview(buffer).cast("B")
        if not self._left:
            if len(target) >= CHUNK:
                return self._decrypt_chunks(target)
            self._left = self._spare[: self._decrypt_chunks(self._spare)]
        count = min(len(target), len(self._left))
        target[:count] = self._left[:count]
        self._left = self._left[count:]
        return count

    def _decrypt_chunks(self, target: memoryview) -> int:
        """Decrypt as many chunks as the target takes. A failure after the first is kept for the next call."""
        if self._failure is not None:
            raise self._failure
        done = 0
        while not self._ended and self._failure is None and len(target) - done >= CHUNK:
            try:
                done += self._decrypt_chunk(target[done:])
            except Exception as error:
                self._failure = error
                if not done:
                    raise
                break
        return done

    def _decrypt_chunk(self, target: memoryview) -> int:
        chunk, more = self._source.take_chunk()
        size = len(chunk) - TAG_SIZE
        if size < 0 or (not size and self._counter):
            raise PayloadDamaged(f"the encrypted file is cut short after {self._counter * CHUNK} plain bytes")
        plain = target[:size]
        # Only a whole chunk can be one in the middle; only a marked one is the last, whatever follows.
        if size == CHUNK and self._is_authentic(chunk, plain, last=False):
            self._counter += 1
        elif self._is_authentic(chunk, plain, last=True):
            self._ended = not more
            if more:
                self._failure = PayloadDamaged("the encrypted file is damaged: bytes follow its end")
        else:
            raise PayloadDamaged(
                f"the encrypted file is damaged or cut short after {self._counter * CHUNK} plain bytes"
            )
        return size

    def _is_authentic(self, chunk: memoryview, plain: memoryview, *, last: bool) -> bool:
        try:
            self._aead.decrypt_into(chunk_nonce(self._counter, last=last), chunk, None, plain)
        except InvalidTag:
            # OpenSSL decrypts before it compares the tag: what is there now must not get out.
            plain[:] = bytes(len(plain))
            return False
        return True


class ChunkAccess(RandomAccess):
    """Random access to the plain bytes. Each chunk is authenticated when it is read, and the last one at once, since it
    proves where the payload ends.

    Args:
        encrypted: The whole file.
        key: The payload's key.
        start: Where the first chunk begins.
    """

    def __init__(self, encrypted: RandomAccess, key: bytes, start: int) -> None:
        self._encrypted = encrypted
        self._aead = ChaCha20Poly1305(key)
        self._start = start
        payload = max(0, encrypted.size - start)
        self._last = max(0, -(-payload // ENCRYPTED_CHUNK) - 1)
        self.size = payload - (self._last + 1) * TAG_SIZE
        if self.size < self._last * CHUNK + bool(self._last):
            raise PayloadDamaged("the encrypted file is cut short in its last chunk")
        self._cached_number = self._last
        self._cached = b"".join(self._chunks(self._last, self._last))

    def read_at(self, offset: int, length: int) -> bytes:
        stop = min(offset + length, self.size)
        if offset >= stop:
            return b""
        first, last = offset // CHUNK, (stop - 1) // CHUNK
        if first == last == self._cached_number:
            plain = self._cached
        else:
            chunks = self._chunks(first, last)
            self._cached_number, self._cached = last, chunks[-1]
            plain = b"".join(chunks)
        return plain[offset - first * CHUNK : stop - first * CHUNK]

    def _chunks(self, first: int, last: int) -> list[bytes]:
        """The plain bytes of these chunks, which are requested at once."""
        length = (last + 1 - first) * ENCRYPTED_CHUNK
        encrypted = memoryview(self._encrypted.read_at(self._start + first * ENCRYPTED_CHUNK, length))
        chunks = []
        for number in range(first, last + 1):
            at = (number - first) * ENCRYPTED_CHUNK
            nonce = chunk_nonce(number, last=number == self._last)
            try:
                chunks.append(self._aead.decrypt(nonce, encrypted[at : at + ENCRYPTED_CHUNK], None))
            except InvalidTag:
                raise PayloadDamaged(
                    f"the encrypted file is damaged, or was cut off: its chunk {number + 1} of {self._last + 1} is not "
                    "authentic"
                ) from None
        return chunks
