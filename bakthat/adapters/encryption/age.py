"""`AgeCipher`: age v1 files in binary form (c2sp.org/age), which the `age` program writes and reads, too.

The format and nothing more: scrypt passphrases, X25519 keys, 64 KiB chunks under ChaCha20-Poly1305. Every primitive is
the `cryptography` package's. The parts are those of FiloSottile/age: `age_header`, `age_keys`, `age_stream`.
"""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import BinaryIO, cast

from bakthat.adapters.encryption.age_header import (
    HEADER_LIMIT,
    MAGIC,
    Stanza,
    build_header,
    check_mac,
    has_whole_header,
    parse_header,
)
from bakthat.adapters.encryption.age_keys import (
    HIGHEST_WORK_FACTOR,
    SALT_SIZE,
    WORK_FACTOR,
    passphrase_bytes,
    unwrap,
    wrap_to_recipients,
    wrap_with_passphrase,
)
from bakthat.adapters.encryption.age_primitives import FILE_KEY_SIZE, NONCE_SIZE
from bakthat.adapters.encryption.age_stream import (
    BATCH,
    CHUNK,
    ChunkAccess,
    ChunkSource,
    DecryptingReader,
    EncryptingWriter,
    payload_key,
)
from bakthat.domain.payload import Keys
from bakthat.errors import PayloadDamaged, UsageError
from bakthat.ports.payload import Cipher
from bakthat.ports.random_access import RandomAccess
from bakthat.ports.salvage import Part

_FIRST_READ = 4096
"""Bytes in which to look for the header: enough for some 30 recipients."""


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
        source = ChunkSource(sealed)
        key, start = _open(source.head(), keys)
        source.skip(start)
        # The buffer makes every read whole, and passes large ones straight to the decryption.
        with io.BufferedReader(DecryptingReader(source, key), BATCH * CHUNK) as reader:
            yield reader

    def random_access(self, sealed: RandomAccess, keys: Keys) -> RandomAccess:
        head = sealed.read_at(0, _FIRST_READ)
        # If this is not an age file, or a short one, the first bytes already say so.
        if head.startswith(MAGIC) and not has_whole_header(head):
            head = sealed.read_at(0, HEADER_LIMIT + NONCE_SIZE)
        return ChunkAccess(sealed, *_open(head, keys))

    @contextmanager
    def salvaging(self, sealed: BinaryIO, keys: Keys) -> Iterator[Iterator[Part]]:
        from bakthat.adapters.encryption.age_salvage import salvage_age

        yield salvage_age(ChunkSource(sealed), keys)

    @contextmanager
    def _wrapping(self, file_key: bytes, keys: Keys) -> Iterator[Future[list[Stanza]]]:
        """Yield the stanzas that wrap the file key, as a future."""
        if keys.passphrase and keys.recipients:
            raise UsageError("a backup is encrypted with a password or to recipients, not both: leave one of them out")
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


def _open(head: bytes, keys: Keys) -> tuple[bytes, int]:
    """The payload's key, and the position of its first chunk, from the first bytes of a file."""
    header, length = parse_header(head)
    file_key = unwrap(header, keys)
    check_mac(header, file_key)
    nonce = head[length : length + NONCE_SIZE]
    if len(nonce) < NONCE_SIZE:
        raise PayloadDamaged("the encrypted file is cut short after its header")
    return payload_key(file_key, nonce), length + NONCE_SIZE
