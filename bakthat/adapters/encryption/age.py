"""`AgeCipher`: age v1 files (c2sp.org/age), which the `age` program writes and reads, too.

Files in text form (armor) are read, and never written.

The format and nothing more: passphrases (`age_scrypt`), keys (`age_x25519`, `age_hybrid`), 64 KiB chunks under
ChaCha20-Poly1305 (`age_stream`). Every primitive is the `cryptography` package's.
"""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import BinaryIO, cast

from bakthat.adapters.encryption.age_armor import dearmored, dearmored_with_holes, is_armored, is_damaged_armor
from bakthat.adapters.encryption.age_header import (
    HEADER_LIMIT,
    MAGIC,
    Stanza,
    build_header,
    check_mac,
    has_whole_header,
    parse_header,
)
from bakthat.adapters.encryption.age_keys import unwrap, wrap_to_recipients
from bakthat.adapters.encryption.age_primitives import FILE_KEY_SIZE, NONCE_SIZE
from bakthat.adapters.encryption.age_scrypt import (
    HIGHEST_WORK_FACTOR,
    SALT_SIZE,
    WORK_FACTOR,
    passphrase_bytes,
    wrap_with_passphrase,
)
from bakthat.adapters.encryption.age_stream import (
    BATCH,
    CHUNK,
    ChunkAccess,
    ChunkSource,
    DecryptingReader,
    EncryptingWriter,
    payload_key,
)
from bakthat.adapters.streams import reader_of
from bakthat.domain.payload import Keys
from bakthat.domain.recipients import MIXED, is_mixed
from bakthat.errors import PayloadDamaged, UsageError
from bakthat.ports.payload import Cipher
from bakthat.ports.random_access import RandomAccess
from bakthat.ports.salvage import Part

_FIRST_READS = (4096, 64 * 1024, HEADER_LIMIT + NONCE_SIZE)
"""Bytes in which to look for the header, one after the other. The first is enough for some 30 X25519 recipients, or for
two post-quantum ones; the second for 40 of these."""


class AgeCipher(Cipher):
    """Encrypts and decrypts in constant memory: some 2 MiB, besides what a passphrase takes (see below).

    The key of a passphrase is derived in a thread from the moment that `sealing` is entered. Until it is there, what is
    written is buffered, up to 32 MiB; then a write waits for it.

    Args:
        work_factor: log2 of scrypt's N when encrypting with a passphrase.
        random: Returns as many unpredictable bytes as its argument says.
    """

    def __init__(self, *, work_factor: int = WORK_FACTOR, random: Callable[[int], bytes] = os.urandom) -> None:
        if not 1 <= work_factor <= HIGHEST_WORK_FACTOR:
            raise ValueError(f"a work factor must be between 1 and {HIGHEST_WORK_FACTOR}, not {work_factor}")
        self._work_factor = work_factor
        self._random = random

    @contextmanager
    def sealing(self, into: BinaryIO, keys: Keys) -> Iterator[BinaryIO]:
        file_key = self._random(FILE_KEY_SIZE)
        nonce = self._random(NONCE_SIZE)
        with self._wrapping(file_key, keys) as stanzas:
            writer = EncryptingWriter(
                into,
                lambda: (build_header(file_key, stanzas.result()), nonce, payload_key(file_key, nonce)),
                ready=stanzas.done,
            )
            try:
                yield cast(BinaryIO, writer)
                writer.finish()
            finally:
                writer.close()

    @contextmanager
    def unsealing(self, sealed: BinaryIO, keys: Keys) -> Iterator[BinaryIO]:
        source = _source_of(sealed)
        key, start = _open(source.head(), keys)
        source.skip(start)
        # The buffer makes every read whole, and passes large ones straight to the decryption.
        with io.BufferedReader(DecryptingReader(source, key), BATCH * CHUNK) as reader:
            yield reader

    def random_access(self, sealed: RandomAccess, keys: Keys) -> RandomAccess | None:
        head = b""
        for size in _FIRST_READS:
            head = sealed.read_at(0, size)
            # If this is not an age file, or a short one, the first bytes already say so.
            if not head.startswith(MAGIC) or has_whole_header(head) or len(head) < size:
                break
        if is_armored(head):
            return None
        return ChunkAccess(sealed, *_open(head, keys))

    @contextmanager
    def salvaging(self, sealed: BinaryIO, keys: Keys) -> Iterator[Iterator[Part]]:
        from bakthat.adapters.encryption.age_salvage import salvage_age

        yield salvage_age(_source_of(sealed, dearmored_with_holes, is_damaged_armor), keys)

    @contextmanager
    def _wrapping(self, file_key: bytes, keys: Keys) -> Iterator[Future[list[Stanza]]]:
        """Yield the stanzas that wrap the file key, as a future."""
        if keys.passphrase and keys.recipients:
            raise UsageError("a backup is encrypted with a password or to recipients, not both: leave one of them out")
        if is_mixed(keys.recipients) and not keys.allow_mixed_recipients:
            raise UsageError(MIXED)
        if keys.recipients:
            stanzas: Future[list[Stanza]] = Future()
            stanzas.set_result(wrap_to_recipients(file_key, keys.recipients, self._random))
            yield stanzas
        elif keys.passphrase:
            passphrase = passphrase_bytes(keys.passphrase)
            salt = self._random(SALT_SIZE)
            with ThreadPoolExecutor(1, thread_name_prefix="age-scrypt") as thread:
                yield thread.submit(lambda: [wrap_with_passphrase(file_key, passphrase, salt, self._work_factor)])
        else:
            raise UsageError("to encrypt, give a password or a recipient (age1…)")


def _source_of(
    sealed: BinaryIO,
    decode: Callable[[bytes, BinaryIO], Generator[bytes, None, None]] = dearmored,
    is_text: Callable[[bytes], bool] = is_armored,
) -> ChunkSource:
    """The chunks of a file in binary form, or of one in text form, decoded."""
    source = ChunkSource(sealed)
    head = source.head()
    return ChunkSource(cast(BinaryIO, reader_of(decode(head, sealed)))) if is_text(head) else source


def _open(head: bytes, keys: Keys) -> tuple[bytes, int]:
    """The payload's key, and the position of its first chunk, from the first bytes of a file."""
    header, length = parse_header(head)
    file_key = unwrap(header, keys)
    check_mac(header, file_key)
    nonce = head[length : length + NONCE_SIZE]
    if len(nonce) < NONCE_SIZE:
        raise PayloadDamaged("the encrypted file is cut short after its header")
    return payload_key(file_key, nonce), length + NONCE_SIZE
