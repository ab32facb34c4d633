"""`EitherCipher`: opens what any bakthat encrypted, and seals as this one does."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING, BinaryIO, cast

from bakthat.adapters.encryption.age import resembles
from bakthat.domain.payload import Keys
from bakthat.errors import PayloadDamaged
from bakthat.ports.payload import Cipher
from bakthat.ports.streams import read_up_to

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

# "-----BEGIN AGE ENCRYPTED FILE-----" is the longest beginning that tells an age file.
_PEEKED = 64


class EitherCipher(Cipher):
    """`age` seals; `age` or `old` opens, as the first bytes say: what does not begin like an age file is 2013's, whose
    files begin with eight random bytes (one in 2^64 of them like an age file)."""

    def __init__(self, age: Cipher, old: Cipher) -> None:
        self._age = age
        self._old = old

    def sealing(self, into: BinaryIO, keys: Keys) -> AbstractContextManager[BinaryIO]:
        return self._age.sealing(into, keys)

    @contextmanager
    def unsealing(self, sealed: BinaryIO, keys: Keys) -> Iterator[BinaryIO]:
        first = read_up_to(sealed, _PEEKED)
        if not first:
            raise PayloadDamaged("the encrypted file is empty")
        cipher = self._age if resembles(first) else self._old
        with cipher.unsealing(cast(BinaryIO, _Rejoined(first, sealed)), keys) as plain:
            yield plain


class _Rejoined(io.RawIOBase):
    """The bytes that were looked at, and then the rest. Closing it does not close the rest."""

    def __init__(self, first: bytes, rest: BinaryIO) -> None:
        self._first = first
        self._rest = rest

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        target = memoryview(buffer).cast("B")
        if self._first:
            count = min(len(target), len(self._first))
            target[:count] = self._first[:count]
            self._first = self._first[count:]
            return count
        readinto = getattr(self._rest, "readinto", None)
        if readinto is not None:
            return cast(int, readinto(target) or 0)
        data = self._rest.read(len(target))
        target[: len(data)] = data
        return len(data)
