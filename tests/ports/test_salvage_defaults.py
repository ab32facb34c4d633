"""Ciphers, compressors and packers that were written before 1.1 have no `salvaging` of their own, and go on working."""

from __future__ import annotations

import io
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import pytest

from bakthat.adapters.encryption.age import AgeCipher
from bakthat.adapters.packing.tar_packer import TarPacker
from bakthat.domain.payload import Keys
from bakthat.errors import PayloadDamaged, UsageError, WrongPassword
from bakthat.ports.payload import Cipher, Compressor, Packer
from bakthat.ports.salvage import Hole, Part, Verdict

KEYS = Keys(passphrase="secret")
PLAIN = bytes(range(256)) * 2000


class OldCompressor(Compressor):
    """Stores what it is given, with a checksum at the end."""

    @contextmanager
    def compressing(self, into: BinaryIO) -> Iterator[BinaryIO]:
        plain = io.BytesIO()
        yield plain
        into.write(plain.getvalue() + zlib.crc32(plain.getvalue()).to_bytes(4, "big"))

    @contextmanager
    def decompressing(self, packed: BinaryIO) -> Iterator[BinaryIO]:
        yield _Checked(packed.read())  # type: ignore[misc]


class _Checked(io.RawIOBase):
    def __init__(self, packed: bytes) -> None:
        self._plain = io.BytesIO(packed[:-4])
        self._is_right = zlib.crc32(packed[:-4]).to_bytes(4, "big") == packed[-4:]

    def read(self, size: int = -1, /) -> bytes:
        chunk = self._plain.read(size)
        if not chunk and not self._is_right:
            raise PayloadDamaged("the checksum does not match")
        return chunk


class OldCipher(AgeCipher):
    salvaging = Cipher.salvaging


class OldPacker(TarPacker):
    salvage = Packer.salvage


def packed() -> bytes:
    out = io.BytesIO()
    with OldCompressor().compressing(out) as writer:
        writer.write(PLAIN)
    return out.getvalue()


def sealed() -> bytes:
    out = io.BytesIO()
    with OldCipher(work_factor=1).sealing(out, KEYS) as writer:
        writer.write(PLAIN)
    return out.getvalue()


def content(parts: list[Part]) -> bytes:
    return b"".join(part for part in parts if isinstance(part, bytes))


def rest(parts: list[Part]) -> list[Part]:
    return [part for part in parts if not isinstance(part, bytes)]


def test_what_a_compressor_reads_without_an_error_is_good() -> None:
    parts = list(OldCompressor().salvaging(iter([packed()])))
    assert (content(parts), rest(parts)) == (PLAIN, [Verdict.GOOD])


def test_what_a_compressor_gives_before_it_meets_damage_is_doubtful() -> None:
    damaged = packed().replace(b"\x10\x11", b"\x11\x11", 1)
    parts = list(OldCompressor().salvaging(iter([damaged])))
    assert (len(content(parts)), rest(parts)) == (len(PLAIN), [Verdict.DOUBTFUL, Hole(None)])


def test_a_compressor_reads_to_the_first_hole() -> None:
    parts = list(OldCompressor().salvaging(iter([packed()[:1000], Verdict.GOOD, Hole(10), b"more"])))
    assert (content(parts), rest(parts)) == (PLAIN[:996], [Verdict.DOUBTFUL, Hole(None)])


def test_a_cipher_gives_what_precedes_the_damage() -> None:
    for damaged, verdicts in ((sealed(), [Verdict.GOOD]), (sealed()[:-70_000], [Verdict.DOUBTFUL, Hole(None)])):
        with OldCipher().salvaging(io.BytesIO(damaged), KEYS) as found:
            parts = list(found)
        assert PLAIN.startswith(content(parts))
        assert len(content(parts)) > len(PLAIN) - 150_000
        assert rest(parts) == verdicts


def test_a_wrong_key_is_an_error() -> None:
    with pytest.raises(WrongPassword), OldCipher().salvaging(io.BytesIO(sealed()), Keys(passphrase="wrong")):
        pass


def test_a_packer_says_that_it_cannot(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be salvaged"):
        OldPacker().salvage(iter([b"bytes"]), tmp_path, name="data")
