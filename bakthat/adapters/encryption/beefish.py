"""`BeefishCipher`: reads what 2013's bakthat encrypted with the package beefish. It never writes it.

A file is eight bytes of IV, then Blowfish in CBC mode with the bytes of the password as the key. The last plain byte
modulo 8 (8 if that is 0) is the number of padding bytes. There is no magic, no length and no MAC: damage is detected
only by what reads the plain bytes (gzip's checksum), a wrong password only by their first bytes.
"""

from __future__ import annotations

import codecs
import io
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING, BinaryIO, cast

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.decrepit.ciphers.algorithms import Blowfish
from cryptography.hazmat.primitives.ciphers import Cipher as BlockCipher
from cryptography.hazmat.primitives.ciphers import CipherContext
from cryptography.hazmat.primitives.ciphers.modes import CBC

from bakthat.domain.payload import Keys
from bakthat.errors import PasswordNeeded, PayloadDamaged, PayloadError, UsageError, WrongPassword
from bakthat.ports.payload import Cipher
from bakthat.ports.salvage import Hole, Part, parts_of
from bakthat.ports.streams import read_up_to

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

_BLOCK = 8
_SHORTEST, _LONGEST = 4, 56
"""Bytes of a Blowfish key."""

_HEAD = 4096
"""Bytes by which a password is recognised."""

_CHUNK = 256 * 1024

Beginning = Callable[[bytes], bool]
"""Whether a file can begin with these plain bytes: about 4 KiB, or all if there are fewer."""


def begins_as_written(plain: bytes) -> bool:
    """Whether these are the first bytes of a file, and not the noise that a wrong password gives.

    A file is gzip (every `.tgz.enc`), JSON (what KeyValue stored uncompressed), or, since `compress: false` stored
    files as they were, a picture or archive with a known magic, text, or bytes that are too uneven for noise. Noise
    passes about once in a million times. What looks like noise is taken for it: a file encrypted before, a few binary
    bytes.
    """
    return begins_as_gzip(plain) or _is_json(plain) or _has_magic(plain) or _is_text(plain) or _is_uneven(plain)


def begins_as_gzip(plain: bytes) -> bool:
    """Whether this is a gzip header: magic, deflate, and the three reserved flags unset (RFC 1952)."""
    return plain[:3] == b"\x1f\x8b\x08" and len(plain) > 3 and not plain[3] & 0xE0


_MAGICS = (
    b"\xff\xd8\xff", b"\x89PNG", b"PK\x03\x04", b"BZh", b"\xfd7zXZ", b"7z\xbc\xaf", b"\x28\xb5\x2f\xfd", b"Rar!",
    b"OggS", b"\x1a\x45\xdf\xa3", b"RIFF", b"ID3",
)  # fmt: skip
"""Of files whose first bytes are as even as noise, since they are compressed: JPEG, PNG, ZIP, bzip2, xz, 7z, zstd, RAR,
Ogg, Matroska, RIFF (WebP, AVI), MP3. MP4 has its own, four bytes later."""

_SHORTEST_TEXT = 16
"""Bytes. 16 bytes of noise are text about once in a million times."""

_NOISE = 500.0
"""Pearson's chi squared over the 256 values of a byte. Noise has 255 on average, and more than this once in 10^17."""

_SHORTEST_SAMPLE = 512
"""Bytes. Of fewer, each value is too rare for chi squared to mean anything."""


def _is_json(plain: bytes) -> bool:
    """Whether this is JSON as `json.dumps` writes it: the first character of a value, then printable ASCII."""
    return bool(plain) and plain[:1] in b'{["-0123456789tfnNI' and all(0x20 <= byte <= 0x7E for byte in plain)


def _has_magic(plain: bytes) -> bool:
    return plain.startswith(_MAGICS) or plain[4:8] == b"ftyp"


def _is_text(plain: bytes) -> bool:
    try:
        text = codecs.getincrementaldecoder("utf-8")().decode(plain)  # whose last character may be cut
    except UnicodeDecodeError:
        return False
    return len(plain) >= _SHORTEST_TEXT and all(character >= " " or character in "\t\n\r\f\x1b" for character in text)


def _is_uneven(plain: bytes) -> bool:
    if len(plain) < _SHORTEST_SAMPLE:
        return False
    expected = len(plain) / 256
    return sum((count - expected) ** 2 for count in map(plain.count, _EVERY_BYTE)) / expected > _NOISE


_EVERY_BYTE = [bytes((value,)) for value in range(256)]


class BeefishCipher(Cipher):
    """Decrypts the files of 2013 in constant memory.

    The password is tried as UTF-8, then as Latin-1: 2013 took the bytes that the terminal sent.

    Args:
        begins: Recognises the right password by the first plain bytes. Nothing else in the file does.
    """

    def __init__(self, *, begins: Beginning = begins_as_written) -> None:
        self._begins = begins

    def sealing(self, into: BinaryIO, keys: Keys) -> AbstractContextManager[BinaryIO]:
        raise UsageError("2013's encryption is only read, never written: it cannot detect damage or a wrong password")

    @contextmanager
    def unsealing(self, sealed: BinaryIO, keys: Keys) -> Iterator[BinaryIO]:
        if not keys.passphrase:
            raise PasswordNeeded(
                "encrypted with a password (by the bakthat of 2013); give the password, not an identity"
            )
        passwords = _key_bytes(keys.passphrase)
        vector = read_up_to(sealed, _BLOCK)
        head = read_up_to(sealed, _HEAD)
        if len(head) % _BLOCK or not head:
            raise PayloadDamaged(_cut_short(len(vector) + len(head)))
        for password in passwords:
            decryptor = _decryptor(password, vector)
            plain = decryptor.update(head)
            # The padding does not count. A full head may or may not be all of the file, so its last block is ignored.
            if self._begins(_without_padding(plain) if len(plain) < _HEAD else plain[:-_BLOCK]):
                with io.BufferedReader(_DecryptingReader(sealed, decryptor, len(head), plain), _CHUNK) as reader:
                    yield reader
                return
        raise WrongPassword("the password does not open it, or it is not a file that the bakthat of 2013 encrypted")

    @contextmanager
    def salvaging(self, sealed: BinaryIO, keys: Keys) -> Iterator[Iterator[Part]]:
        whole_blocks = _WholeBlocks(sealed)
        with self.unsealing(cast(BinaryIO, whole_blocks), keys) as plain:
            yield _unproved(plain, whole_blocks)


def _unproved(plain: BinaryIO, whole_blocks: _WholeBlocks) -> Iterator[Part]:
    """The plain bytes without a verdict: nothing in the format proves one of them. A damaged block costs eight bytes,
    and one bit in each of the next eight; what follows is what it was."""
    yield from parts_of(plain)
    if whole_blocks.is_cut:
        yield Hole(None)


class _WholeBlocks(io.RawIOBase):
    """The encrypted file without a last block that was cut."""

    def __init__(self, sealed: BinaryIO) -> None:
        self._sealed = sealed
        self.is_cut = False

    def read(self, size: int = -1, /) -> bytes:
        chunk = read_up_to(self._sealed, size - size % _BLOCK)
        whole = len(chunk) - len(chunk) % _BLOCK
        self.is_cut |= whole != len(chunk)
        return chunk[:whole]


def _key_bytes(passphrase: str) -> list[bytes]:
    """The keys that may be meant by the password, the most likely one first."""
    candidates = []
    for encoding, errors in (("utf-8", "surrogateescape"), ("latin-1", "strict")):
        try:
            key = passphrase.encode(encoding, errors)
        except UnicodeEncodeError:
            continue
        if _SHORTEST <= len(key) <= _LONGEST and key not in candidates:
            candidates.append(key)
    if not candidates:
        raise WrongPassword(
            f"the password does not open it: the bakthat of 2013 only took passwords of {_SHORTEST} to {_LONGEST} bytes"
        )
    return candidates


def _decryptor(key: bytes, vector: bytes) -> CipherContext:
    try:
        return BlockCipher(Blowfish(key), CBC(vector)).decryptor()
    except UnsupportedAlgorithm:
        raise PayloadError(
            "this Python's cryptography cannot do Blowfish, which the bakthat of 2013 used: unset "
            "CRYPTOGRAPHY_OPENSSL_NO_LEGACY, or install cryptography from PyPI"
        ) from None


def _without_padding(plain: bytes) -> bytes:
    return plain[: -(plain[-1] % _BLOCK or _BLOCK)]


def _cut_short(size: int) -> str:
    return f"the encrypted file is cut short: {size} bytes are not a whole number of blocks, at least two"


class _DecryptingReader(io.RawIOBase):
    """The plain bytes: `plain`, the first of them, and what follows. The newest block is held back until it is known
    whether it is the last one, since that ends in padding."""

    def __init__(self, sealed: BinaryIO, decryptor: CipherContext, size: int, plain: bytes) -> None:
        self._sealed = sealed
        self._decryptor = decryptor
        self._size = size
        self._plain = plain
        self._ended = False
        self._failure: Exception | None = None

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        target = memoryview(buffer).cast("B")
        if len(self._plain) <= _BLOCK and not self._ended:
            self._more()
        known = len(self._plain) if self._ended else len(self._plain) - _BLOCK
        count = min(len(target), known)
        target[:count] = self._plain[:count]
        self._plain = self._plain[count:]
        return count

    def _more(self) -> None:
        if self._failure is not None:
            raise self._failure
        try:
            chunk = self._next_chunk()
        except Exception as error:
            # Kept, so that the next read does not look like the end.
            self._failure = error
            raise
        if chunk:
            self._plain += self._decryptor.update(chunk)
        else:
            self._plain = _without_padding(self._plain)
            self._ended = True

    def _next_chunk(self) -> bytes:
        chunk = read_up_to(self._sealed, _CHUNK)
        self._size += len(chunk)
        if len(chunk) % _BLOCK:
            raise PayloadDamaged(_cut_short(_BLOCK + self._size))
        return chunk
