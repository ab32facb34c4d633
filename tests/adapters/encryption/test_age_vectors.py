"""The age project's own test vectors, all of them: `tests/data/age` is a copy of c2sp.org/CCTV/age. They may be used
without attribution (0BSD, CC0 or Unlicense, to one's choice).

A vector is lines `key: value`, an empty line, then the age file, zlib-compressed where it says so. `payload` is the
SHA-256 of what is released, also where a damage ends it; `file key` what the header wraps.
"""

from __future__ import annotations

import hashlib
import io
import zlib
from pathlib import Path

import pytest
from attrs import frozen

from bakthat.adapters.encryption.age import AgeCipher
from bakthat.adapters.encryption.age_header import build_header, parse_header
from bakthat.adapters.encryption.age_keys import unwrap
from bakthat.domain.payload import Keys
from bakthat.errors import BakthatError, PayloadDamaged, WrongPassword

FOLDER = Path(__file__).parents[2] / "data" / "age"
NAMES = sorted(path.name for path in FOLDER.iterdir())


@frozen(kw_only=True)
class Vector:
    expect: str
    keys: Keys
    file_key: bytes
    payload: str | None
    file: bytes


def read_vector(name: str) -> Vector:
    head, _, file = (FOLDER / name).read_bytes().partition(b"\n\n")
    lines = [line.partition(": ")[::2] for line in head.decode().splitlines()]
    fields = dict(lines)
    assert fields.keys() <= {
        "expect",
        "payload",
        "file key",
        "identity",
        "passphrase",
        "compressed",
        "comment",
        "armored",
    }
    if "compressed" in fields:
        assert fields["compressed"] == "zlib"
        file = zlib.decompress(file)
    return Vector(
        expect=fields["expect"],
        keys=Keys(
            passphrase=fields.get("passphrase"),
            identities=tuple(value for key, value in lines if key == "identity"),
        ),
        file_key=bytes.fromhex(fields["file key"]),
        payload=fields.get("payload"),
        file=file,
    )


def opened(file: bytes, keys: Keys, size: int) -> tuple[bytes, BakthatError | None, bool]:
    """What comes out, the error that ends it, and whether the payload was reached."""
    released = bytearray()
    entered = False
    try:
        with AgeCipher().unsealing(io.BytesIO(file), keys) as plain:
            entered = True
            # These sizes divide a chunk: a read that reaches into a damage raises, and gives nothing of its part.
            while piece := plain.read(size):
                released += piece
    except BakthatError as error:
        return bytes(released), error, entered
    return bytes(released), None, True


def test_all_143_vectors_are_here():
    assert len(NAMES) == 143
    assert {read_vector(name).expect for name in NAMES} == {
        "success", "no match", "HMAC failure", "header failure", "payload failure", "armor failure",
    }  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("size", [16, 1024, 64 * 1024])
def test_a_vector_gives_what_it_expects(name, size):
    vector = read_vector(name)
    released, error, entered = opened(vector.file, vector.keys, size)
    match vector.expect:
        case "success":
            assert error is None
        case "no match":
            assert isinstance(error, WrongPassword)
        case "header failure" | "HMAC failure" | "armor failure":
            assert isinstance(error, PayloadDamaged)
        case "payload failure":
            assert isinstance(error, PayloadDamaged)
            assert entered
    if vector.expect in ("no match", "header failure", "HMAC failure", "armor failure"):
        assert not entered
        assert released == b""
    else:
        assert hashlib.sha256(released).hexdigest() == vector.payload


@pytest.mark.parametrize("name", [name for name in NAMES if read_vector(name).payload and "armor" not in name])
def test_a_vector_s_header_wraps_its_file_key_and_is_written_again_byte_by_byte(name):
    vector = read_vector(name)
    header, length = parse_header(vector.file[:100_000])
    assert unwrap(header, vector.keys) == vector.file_key
    assert build_header(vector.file_key, list(header.stanzas)) == vector.file[:length]
