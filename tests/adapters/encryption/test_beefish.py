"""2013's encryption is read, by files that its own package has written."""

from __future__ import annotations

import gzip
import io
import json
import random
import sys
import tarfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bakthat.adapters.encryption.age import AgeCipher
from bakthat.adapters.encryption.beefish import BeefishCipher, begins_as_gzip, begins_as_written
from bakthat.adapters.encryption.detecting import DetectingCipher
from bakthat.domain.payload import Keys
from bakthat.errors import PasswordNeeded, PayloadDamaged, UsageError, WrongPassword
from bakthat.ports.random_access import BytesAccess
from tests.fixtures import beefish_2013

PASSWORD = "correct horse 2013"
KEYS = Keys(passphrase=PASSWORD)
BY_THE_PACKAGE = Path(__file__).parents[2] / "data" / "beefish_0.2.1.tgz.enc"
GZIPPED = gzip.compress(random.Random(1).randbytes(300_000), mtime=0)
ANY = BeefishCipher(begins=lambda _: True)


def unseal(sealed: bytes, keys: Keys = KEYS, cipher=None) -> bytes:
    with (cipher or BeefishCipher()).unsealing(io.BytesIO(sealed), keys) as reader:
        return reader.read()


def sealed_by_2013(plain: bytes, password: bytes = PASSWORD.encode()) -> bytes:
    return beefish_2013.encrypt(plain, password)


def test_a_file_that_the_package_beefish_encrypted_is_decrypted():
    with tarfile.open(fileobj=io.BytesIO(unseal(BY_THE_PACKAGE.read_bytes()))) as tar:
        assert tar.getnames() == ["photos", "photos/note.txt"]
        assert tar.extractfile("photos/note.txt").read() == b"hello from 2013\n"


def test_the_emulation_of_2013_makes_that_very_file_but_for_its_padding():
    made = BY_THE_PACKAGE.read_bytes()
    again = beefish_2013.encrypt(unseal(made), PASSWORD.encode(), random=lambda size: made[:size])
    assert again[:-8] == made[:-8]
    assert len(again) == len(made)


@pytest.mark.parametrize("size", [*range(25), 4087, 4088, 4095, 4096, 4097, 262_144, 262_151, 524_288 + 4096])
def test_every_size_comes_back_without_its_padding(size):
    plain = random.Random(size).randbytes(size)
    assert unseal(sealed_by_2013(plain), cipher=ANY) == plain


@given(
    plain=st.binary(max_size=9000),
    password=st.binary(min_size=4, max_size=56).map(lambda data: data.decode("utf-8", "surrogateescape")),
    reads=st.lists(st.integers(0, 5000), max_size=5),
)
@settings(max_examples=80, deadline=None)
def test_any_bytes_read_in_any_chunks_come_back(plain, password, reads):
    sealed = io.BytesIO(sealed_by_2013(plain, password.encode("utf-8", "surrogateescape")))
    rest = plain
    with ANY.unsealing(sealed, Keys(passphrase=password)) as reader:
        for size in reads:
            assert reader.read(size) == rest[:size]
            rest = rest[size:]
        assert reader.read() == rest
        assert reader.read(1) == b""
    assert not sealed.closed
    assert sealed.read() == b""


@pytest.mark.parametrize("encoding", ["utf-8", "latin-1"])
def test_a_password_is_tried_as_utf_8_and_then_as_latin_1(encoding):
    assert unseal(sealed_by_2013(GZIPPED, "pässwörd".encode(encoding)), Keys(passphrase="pässwörd")) == GZIPPED


def test_a_password_too_long_as_utf_8_may_be_right_as_latin_1():
    password = "ä" * 56
    assert unseal(sealed_by_2013(GZIPPED, password.encode("latin-1")), Keys(passphrase=password)) == GZIPPED


@pytest.mark.parametrize("password", ["correct horse 2014", "Correct horse 2013", PASSWORD + " ", "пароль"])
def test_a_wrong_password_is_known_on_entry(password):
    with (
        pytest.raises(WrongPassword, match="password does not open it"),
        BeefishCipher().unsealing(io.BytesIO(sealed_by_2013(GZIPPED)), Keys(passphrase=password)),
    ):
        pytest.fail("was entered")


@pytest.mark.parametrize("password", ["abc", "x" * 57, "é"])
def test_a_password_that_2013_could_not_have_used_is_an_error_that_says_so(password):
    with pytest.raises(WrongPassword, match="4 to 56 bytes"):
        unseal(sealed_by_2013(GZIPPED), Keys(passphrase=password))


@pytest.mark.parametrize("keys", [Keys(), Keys(passphrase=""), Keys(identities=("AGE-SECRET-KEY-1X",))])
def test_without_a_password_one_is_asked_for(keys):
    with pytest.raises(PasswordNeeded, match="encrypted with a password"):
        unseal(sealed_by_2013(GZIPPED), keys)


def test_nothing_is_ever_encrypted_this_way():
    with pytest.raises(UsageError, match="never written"), BeefishCipher().sealing(io.BytesIO(), KEYS):
        pytest.fail("was entered")


@pytest.mark.parametrize("size", [0, 1, 7, 8, 9, 15, 17, 4095, 4105, 300_001])
def test_a_file_that_is_not_a_whole_number_of_blocks_is_damaged(size):
    with pytest.raises(PayloadDamaged, match="cut short"):
        unseal(sealed_by_2013(GZIPPED)[:size])


def test_a_file_cut_short_within_a_block_never_looks_like_one_that_ended():
    with BeefishCipher().unsealing(io.BytesIO(sealed_by_2013(GZIPPED)[:-3]), KEYS) as reader:
        assert reader.read(1000) == GZIPPED[:1000]
        for _ in range(2):
            with pytest.raises(PayloadDamaged, match="cut short"):
                reader.read()


def test_what_is_cut_at_a_block_or_altered_is_left_for_gzip_to_refuse():
    # 2013's format cannot tell; a reader must not take these bytes for good by themselves.
    whole = sealed_by_2013(GZIPPED)
    altered = whole[:1000] + bytes([whole[1000] ^ 1]) + whole[1001:]
    for damaged in (whole[:-80], altered):
        plain = unseal(damaged)
        assert plain != GZIPPED
        with pytest.raises((EOFError, OSError, gzip.zlib.error)):
            gzip.decompress(plain)


def test_an_error_of_the_source_comes_out_as_it_is_every_time():
    class Breaks:
        def __init__(self) -> None:
            self.data = io.BytesIO(sealed_by_2013(GZIPPED)[:280_000])

        def read(self, size: int) -> bytes:
            data = self.data.read(size)
            if not data:
                raise ConnectionResetError("the line is gone")
            return data

    with BeefishCipher().unsealing(Breaks(), KEYS) as reader:
        for _ in range(2):
            with pytest.raises(ConnectionResetError):
                reader.read()


# ---- what tells a right password

NOISE = random.Random(2).randbytes(4088)
WRITTEN = {
    "gzip": GZIPPED[:4088],
    "gzip with a name": b"\x1f\x8b\x08\x08" + NOISE,
    "JSON of one character": b"1",
    "JSON": json.dumps({"a": [1, -2.5, None, "é\n"]}).encode(),
    "text": b"#!/bin/sh\n\techo hello\r\n",
    "text that is cut within a character": ("x" + "é" * 100).encode()[:-1],
    "a picture": b"\xff\xd8\xff\xe0" + NOISE,
    "a ZIP file": b"PK\x03\x04" + NOISE,
    "a film": b"\0\0\0\x18ftypmp42" + NOISE,
    "a program": Path(sys.executable).read_bytes()[:4088],
    "Latin-1": "Größe, Höhe und Länge; ".encode("latin-1") * 40,
}


@pytest.mark.parametrize("what", WRITTEN)
def test_what_somebody_wrote_differs_from_noise(what):
    plain = WRITTEN[what]
    assert unseal(sealed_by_2013(plain)) == plain
    with pytest.raises(WrongPassword):
        unseal(
            beefish_2013.encrypt(plain, PASSWORD.encode(), random=random.Random(3).randbytes), Keys(passphrase="wrong")
        )


@pytest.mark.parametrize("value", [{"a": [1, 2]}, [], "text", -1.5, None, True, "é\n", "x" * 9000])
def test_what_2013_s_keyvalue_stored_without_compression_is_decrypted(value):
    plain = json.dumps(value).encode()
    assert unseal(sealed_by_2013(plain)) == plain


@pytest.mark.parametrize("size", [1, 3, 15, 23, 511, 512, 1000, 4000, 4088, 5000, 100_000])
def test_noise_is_not_plain_text_and_is_returned_only_on_request(size):
    noise = random.Random(4).randbytes(size)
    with pytest.raises(WrongPassword):
        unseal(sealed_by_2013(noise))
    assert unseal(sealed_by_2013(noise), cipher=ANY) == noise


@given(seed=st.integers(), size=st.integers(24, 4088))
@settings(max_examples=150, deadline=None)
def test_a_wrong_password_never_results_in_anything_that_passes(seed, size):
    assert not begins_as_written(random.Random(seed).randbytes(size))


@pytest.mark.parametrize("size", [4070, 4080, 4087, 4088, 4089, 4096, 4100, 9000])
def test_padding_is_never_taken_for_the_text(size):
    plain = b"x" * size
    strict = BeefishCipher(begins=lambda plain: set(plain) == {ord("x")})
    assert unseal(sealed_by_2013(plain), cipher=strict) == plain


@pytest.mark.parametrize("plain", [b"", b"\x1f", b"\x1f\x8b\x08", b"\x1f\x8b\x08\xff", b"\x1f\x8b\x07\0", b"BZh9"])
def test_bytes_that_are_not_gzip_do_not_begin_as_gzip(plain):
    assert not begins_as_gzip(plain)


def test_gzip_alone_can_be_asked_for():
    strict = BeefishCipher(begins=begins_as_gzip)
    assert unseal(sealed_by_2013(GZIPPED), cipher=strict) == GZIPPED
    with pytest.raises(WrongPassword):
        unseal(sealed_by_2013(b"some text, and no gzip"), cipher=strict)


def test_where_any_beginning_will_do_the_password_is_utf_8():
    plain = b"\xffno"
    assert unseal(sealed_by_2013(plain, "pässwörd".encode()), Keys(passphrase="pässwörd"), ANY) == plain


# ---- either encryption

EITHER = DetectingCipher(lambda: AgeCipher(work_factor=4))


def sealed_now(plain: bytes) -> bytes:
    into = io.BytesIO()
    with EITHER.sealing(into, KEYS) as writer:
        writer.write(plain)
    return into.getvalue()


@pytest.mark.parametrize("seal", [sealed_now, sealed_by_2013])
def test_what_either_bakthat_encrypted_is_decrypted(seal):
    assert unseal(seal(GZIPPED), cipher=EITHER) == GZIPPED


@pytest.mark.parametrize("seal", [sealed_now, sealed_by_2013])
@pytest.mark.parametrize("most", [1, 7, 30_000])
def test_either_reads_a_source_that_neither_seeks_nor_returns_all_at_once(seal, most):
    class Trickle:
        def __init__(self) -> None:
            self.data = io.BytesIO(seal(GZIPPED[:50_000]))

        def read(self, size: int) -> bytes:
            return self.data.read(min(size, most))

    with EITHER.unsealing(Trickle(), KEYS) as reader:
        assert reader.read() == GZIPPED[:50_000]


@pytest.mark.parametrize("seal", [sealed_now, sealed_by_2013])
def test_either_names_the_key_that_is_needed_and_refuses_what_does_not_fit(seal):
    with pytest.raises(PasswordNeeded, match="password"):
        unseal(seal(GZIPPED), Keys(), EITHER)
    with pytest.raises(WrongPassword):
        unseal(seal(GZIPPED), Keys(passphrase="wrong password"), EITHER)


def test_an_age_file_cut_within_its_first_line_is_damaged_and_no_question_of_the_password():
    for size in (1, 5, 21, 22, 30):
        with pytest.raises(PayloadDamaged, match="cut short"):
            unseal(sealed_now(b"")[:size], cipher=EITHER)


def test_a_damaged_age_file_in_text_form_or_one_of_another_version_is_named_as_such():
    for before in (b"", b"\r\n"):
        with pytest.raises(PayloadDamaged, match="armor"):
            unseal(before + b"-----BEGIN AGE ENCRYPTED FILE-----\n", cipher=EITHER)
    with pytest.raises(PayloadDamaged, match="another version"):
        unseal(b"age-encryption.org/v7\n", cipher=EITHER)


def test_an_empty_file_is_damaged():
    with pytest.raises(PayloadDamaged, match="is empty"):
        unseal(b"", cipher=EITHER)


def test_the_source_stays_open():
    source = io.BytesIO(sealed_now(b"plain"))
    with EITHER.unsealing(source, KEYS) as reader:
        reader.read()
    assert not source.closed


@pytest.mark.parametrize("password", ["S3CRET password", "S3C", "S3CRET" * 20, "S3CRET\ud800", "S3CRETé"])
def test_no_error_or_object_shows_the_password_or_the_plaintext(password):
    with pytest.raises(WrongPassword) as refusal:
        unseal(sealed_by_2013(GZIPPED), Keys(passphrase=password))
    error = refusal.value
    with ANY.unsealing(io.BytesIO(sealed_by_2013(b"PLAINTEXT")), KEYS) as reader:
        shown = f"{error} {error!r} {error.__context__!r} {error.__cause__!r} {reader!r} {ANY!r} {EITHER!r}"
    assert "S3C" not in shown
    assert PASSWORD not in shown
    assert "PLAINTEXT" not in shown


def test_2013s_format_can_only_be_read_from_beginning_to_end():
    assert EITHER.random_access(BytesAccess(bytes(range(200))), Keys(passphrase="password")) is None
