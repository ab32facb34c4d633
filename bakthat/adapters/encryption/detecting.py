"""`DetectingCipher`: decrypts what any bakthat has encrypted, and encrypts as this one does."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING, BinaryIO, cast

from bakthat.domain.payload import Keys
from bakthat.errors import PayloadDamaged
from bakthat.ports.payload import Cipher
from bakthat.ports.streams import read_up_to

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

    from bakthat.ports.random_access import RandomAccess
    from bakthat.ports.salvage import Part

_PEEKED = 64
"""Bytes; the longest beginning of an age file, `-----BEGIN AGE ENCRYPTED FILE-----`, fits."""


def _age() -> Cipher:
    from bakthat.adapters.encryption.age import AgeCipher

    return AgeCipher()


def _beefish() -> Cipher:
    from bakthat.adapters.encryption.beefish import BeefishCipher

    return BeefishCipher()


class DetectingCipher(Cipher):
    """Encrypts with age. Decrypts with the cipher that the first bytes of a file tell.

    What does not begin like an age file is 2013's: those files begin with eight random bytes, and one in 2^64 of them
    like an age file. The ciphers are imported when they are needed: `cryptography` takes some 30 ms.
    """

    def __init__(self, age: Callable[[], Cipher] = _age, old: Callable[[], Cipher] = _beefish) -> None:
        self._age = age
        self._old = old

    def sealing(self, into: BinaryIO, keys: Keys) -> AbstractContextManager[BinaryIO]:
        return self._age().sealing(into, keys)

    @contextmanager
    def unsealing(self, sealed: BinaryIO, keys: Keys) -> Iterator[BinaryIO]:
        first = read_up_to(sealed, _PEEKED)
        cipher = self._cipher_for(first)
        with cipher.unsealing(cast(BinaryIO, _Rejoined(first, sealed)), keys) as plain:
            yield plain

    def random_access(self, sealed: RandomAccess, keys: Keys) -> RandomAccess | None:
        return self._cipher_for(sealed.read_at(0, _PEEKED)).random_access(sealed, keys)

    @contextmanager
    def salvaging(self, sealed: BinaryIO, keys: Keys) -> Iterator[Iterator[Part]]:
        from bakthat.adapters.encryption.age_salvage import is_damaged_age

        first = read_up_to(sealed, _PEEKED)
        cipher = self._age() if is_damaged_age(first) else self._cipher_for(first)
        with cipher.salvaging(cast(BinaryIO, _Rejoined(first, sealed)), keys) as parts:
            yield parts

    def _cipher_for(self, first: bytes) -> Cipher:
        if not first:
            raise PayloadDamaged("the encrypted file is empty")
        from bakthat.adapters.encryption.age_header import resembles

        return self._age() if resembles(first) else self._old()


class _Rejoined(io.RawIOBase):
    """The bytes that were peeked at, and then the rest. Closing it does not close the rest."""

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
