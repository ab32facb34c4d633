"""The age format, checked against the age program and pyrage, and what damage and wrong keys do."""

from __future__ import annotations

import hashlib
import io
import os
import random
import subprocess
import sys
import threading
import tracemalloc
from pathlib import Path

import pyrage
import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from bakthat.adapters.encryption import bech32
from bakthat.adapters.encryption.age import AgeCipher
from bakthat.adapters.encryption.age_header import MAGIC, Stanza, build_header, parse_header, resembles
from bakthat.adapters.encryption.age_keys import wrap_to_recipients
from bakthat.adapters.encryption.age_primitives import to_base64
from bakthat.domain.payload import Keys
from bakthat.errors import PasswordNeeded, PayloadDamaged, PayloadError, UsageError, WrongPassword
from bakthat.ports.random_access import BytesAccess
from tests.fixtures import age_program
from tests.fixtures.held_secrets import held_by
from tests.fixtures.watched_ranges import Ranges

CHUNK = 64 * 1024
MIB = 1024 * 1024
SIZES = [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK, 50 * MIB]
PASSWORD = "correct horse bättery"

QUICK = AgeCipher(work_factor=4)
"""For tests in which scrypt's cost is not the point."""


def identity_of(seed: int) -> tuple[str, str]:
    """An identity and its recipient, the same for the same seed."""
    secret = random.Random(seed).randbytes(32)
    public = X25519PrivateKey.from_private_bytes(secret).public_key().public_bytes_raw()
    return bech32.encode("AGE-SECRET-KEY-", secret), bech32.encode("age", public)


IDENTITIES, RECIPIENTS = zip(*(identity_of(seed) for seed in range(3)), strict=True)
OTHER_IDENTITY, _ = identity_of(99)
ONE = Keys(recipients=RECIPIENTS[:1], identities=IDENTITIES[:1])
BY_PASSWORD = Keys(passphrase=PASSWORD)


def seal(plain: bytes, keys: Keys = ONE, cipher: AgeCipher = QUICK, piece: int = MIB) -> bytes:
    out = io.BytesIO()
    with cipher.sealing(out, keys) as writer:
        for start in range(0, len(plain), piece):
            writer.write(memoryview(plain)[start : start + piece])
    return out.getvalue()


def unseal(sealed: bytes, keys: Keys = ONE) -> bytes:
    with AgeCipher().unsealing(io.BytesIO(sealed), keys) as reader:
        return reader.read()


def payload(size: int) -> bytes:
    return random.Random(size).randbytes(size)


def header_length(sealed: bytes) -> int:
    return parse_header(sealed[:100_000])[1]


class Pipe(io.RawIOBase):
    """A reader that neither seeks nor gives all that it is asked for."""

    def __init__(self, data: bytes, most: int = 1000) -> None:
        self._data = io.BytesIO(data)
        self._most = most

    def readable(self) -> bool:
        return True

    def readinto(self, buffer) -> int:
        piece = self._data.read(min(len(buffer), self._most))
        buffer[: len(piece)] = piece
        return len(piece)


class OnlyRead:
    """The least that a reader must be."""

    def __init__(self, data: bytes) -> None:
        self._data = io.BytesIO(data)

    def read(self, size: int) -> bytes:
        return self._data.read(size)


class Breaks(io.RawIOBase):
    """A reader that fails after the bytes that it has."""

    def __init__(self, data: bytes) -> None:
        self._data = io.BytesIO(data)
        self.error = ConnectionResetError("the line is gone")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer) -> int:
        count = self._data.readinto(buffer)
        if not count:
            raise self.error
        return count


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("count", [1, 3])
def test_the_age_program_decrypts_what_is_encrypted_here(tmp_path, size, count):
    plain = payload(size)
    (tmp_path / "sealed").write_bytes(seal(plain, Keys(recipients=RECIPIENTS[:count])))
    (tmp_path / "key").write_text(f"# the last of them\n{IDENTITIES[count - 1]}\n")
    age_program.decrypt(tmp_path / "sealed", tmp_path / "key", tmp_path / "opened")
    assert (tmp_path / "opened").read_bytes() == plain


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("count", [1, 3])
def test_what_the_age_program_encrypts_is_decrypted_here(tmp_path, size, count):
    plain = payload(size)
    (tmp_path / "plain").write_bytes(plain)
    age_program.encrypt(tmp_path / "plain", RECIPIENTS[:count], tmp_path / "sealed")
    assert unseal((tmp_path / "sealed").read_bytes(), Keys(identities=IDENTITIES[count - 1 : count])) == plain


@pytest.mark.parametrize("size", SIZES)
def test_pyrage_decrypts_what_is_encrypted_here_and_the_other_way_round(size):
    plain = payload(size)
    identity = pyrage.x25519.Identity.from_str(IDENTITIES[2])
    assert pyrage.decrypt(seal(plain, Keys(recipients=RECIPIENTS)), [identity]) == plain
    recipients = [pyrage.x25519.Recipient.from_str(text) for text in RECIPIENTS]
    assert unseal(pyrage.encrypt(plain, recipients), Keys(identities=IDENTITIES[1:2])) == plain


@pytest.mark.parametrize("size", SIZES)
def test_pyrage_decrypts_what_is_encrypted_here_with_a_password(size):
    plain = payload(size)
    assert pyrage.passphrase.decrypt(seal(plain, BY_PASSWORD), PASSWORD) == plain


def test_what_pyrage_encrypted_with_a_password_is_decrypted_here():
    # A file kept from once, since pyrage takes up to 2^20, 5 s, as it finds the machine.
    sealed = (Path(__file__).parents[2] / "data" / "password_by_pyrage.age").read_bytes()
    assert unseal(sealed, BY_PASSWORD) == b"sealed by pyrage 1.4.0\n"


@pytest.mark.parametrize("size", SIZES)
def test_the_age_program_decrypts_what_is_encrypted_here_with_a_password(tmp_path, size):
    plain = payload(size)
    (tmp_path / "sealed").write_bytes(seal(plain, BY_PASSWORD))
    age_program.decrypt_with_password(tmp_path / "sealed", PASSWORD, tmp_path / "opened")
    assert (tmp_path / "opened").read_bytes() == plain


@pytest.mark.parametrize("size", [0, 3 * CHUNK])
def test_what_the_age_program_encrypts_with_a_password_is_decrypted_here(tmp_path, size):
    plain = payload(size)
    (tmp_path / "plain").write_bytes(plain)
    age_program.encrypt_with_password(tmp_path / "plain", PASSWORD, tmp_path / "sealed")
    assert unseal((tmp_path / "sealed").read_bytes(), BY_PASSWORD) == plain


def test_a_password_costs_2_to_the_18_by_default():
    assert b" 18\n" in seal(b"", BY_PASSWORD, AgeCipher())[:100]


@given(
    plain=st.binary(max_size=300) | st.integers(0, 4 * CHUNK).map(payload),
    pieces=st.lists(st.sampled_from([0, 1, 511, 10_240, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK, MIB]), max_size=12),
    reads=st.lists(st.sampled_from([0, 1, 300, CHUNK - 1, CHUNK, CHUNK + 1, MIB]), max_size=12),
    keys=st.sampled_from([ONE, BY_PASSWORD]),
)
@settings(max_examples=80, deadline=None)
def test_any_bytes_written_and_read_in_any_chunks_come_back(plain, pieces, reads, keys):
    out = io.BytesIO()
    rest = memoryview(plain)
    with QUICK.sealing(out, keys) as writer:
        for size in pieces:
            reused = bytearray(rest[:size])
            assert writer.write(reused) == len(reused)
            reused[:] = bytes(len(reused))  # who writes may reuse its buffer
            rest = rest[size:]
        writer.write(rest)
    chunks = max(1, -(-len(plain) // CHUNK))
    assert len(out.getvalue()) == header_length(out.getvalue()) + 16 + len(plain) + 16 * chunks
    out.seek(0)
    rest = memoryview(plain)
    with AgeCipher().unsealing(out, keys) as reader:
        for size in reads:
            assert reader.read(size) == rest[:size]
            rest = rest[size:]
        assert reader.read() == rest
        assert reader.read(1) == b""
    assert not out.closed
    assert out.read() == b""


@pytest.mark.parametrize("source", [Pipe, OnlyRead, io.BytesIO])
def test_a_source_that_cannot_seek_and_returns_few_bytes_at_a_time_is_enough(source):
    plain = payload(20 * CHUNK + 17)
    with AgeCipher().unsealing(source(seal(plain)), ONE) as reader:
        assert reader.read(MIB + 1) == plain[: MIB + 1]
        buffer = bytearray(3 * CHUNK + 5)
        assert reader.readinto(buffer) == len(buffer)
        assert buffer == plain[MIB + 1 :][: len(buffer)]
        assert reader.read(CHUNK * 20) == plain[MIB + 1 + len(buffer) :]


def test_a_raw_file_that_takes_little_at_a_time_gets_everything():
    class Narrow(io.RawIOBase):
        taken = b""

        def write(self, data) -> int:
            self.taken += bytes(data[:50_000])
            return min(len(data), 50_000)

    into = Narrow()
    with QUICK.sealing(into, ONE) as writer:
        writer.write(payload(3 * CHUNK))
    assert unseal(into.taken) == payload(3 * CHUNK)


def test_every_recipient_decrypts_it_with_any_of_several_identities():
    sealed = seal(b"plain", Keys(recipients=RECIPIENTS))
    for identity in IDENTITIES:
        assert unseal(sealed, Keys(identities=(OTHER_IDENTITY, identity))) == b"plain"


def test_a_password_beside_identities_decrypts_what_needs_a_password():
    both = Keys(passphrase=PASSWORD, identities=IDENTITIES)
    assert unseal(seal(b"plain", BY_PASSWORD), both) == b"plain"
    assert unseal(seal(b"plain", ONE), both) == b"plain"


def test_a_password_of_bytes_that_are_not_utf_8_is_those_bytes():
    from_environment = os.fsdecode(b"caf\xe9")
    assert unseal(seal(b"plain", Keys(passphrase=from_environment)), Keys(passphrase=from_environment)) == b"plain"


def test_the_same_bytes_are_never_encrypted_to_the_same_file():
    assert seal(b"plain") != seal(b"plain")


def test_the_random_source_is_the_only_chance():
    def sealed(keys):
        return seal(b"plain", keys, AgeCipher(work_factor=4, random=random.Random(7).randbytes))

    assert sealed(ONE) == sealed(ONE)
    assert sealed(BY_PASSWORD) == sealed(BY_PASSWORD)


def test_recipients_of_other_kinds_are_passed_over():
    file_key = bytes(range(16))
    foreign = Stanza(kind="ssh-rsa", arguments=("mhir0Q",), body=bytes(256))
    grease = Stanza(kind="H9#-grease", body=b"")
    ours = wrap_to_recipients(file_key, RECIPIENTS[:1], os.urandom)
    sealed = seal(b"plain", cipher=AgeCipher(random=lambda size: bytes(range(size))))
    rest = sealed[header_length(sealed) :]
    assert unseal(build_header(file_key, [foreign, *ours, grease]) + rest) == b"plain"


def test_what_is_encrypted_begins_with_the_magic_and_what_age_must_refuse_resembles_it():
    sealed = seal(b"")
    assert sealed.startswith(MAGIC)
    for start in (sealed, sealed[:5], b"age-encryption.org/v2\n", b"-----BEGIN AGE ENCRYPTED FILE-----\nYWdl", b""):
        assert resembles(start)
    assert not resembles(b"\x1f\x8b\x08")


def test_the_key_is_derived_in_a_thread_while_the_first_bytes_are_written():
    into = io.BytesIO()
    with AgeCipher().sealing(into, BY_PASSWORD) as writer:
        writer.write(b"x" * CHUNK)
        assert [thread.name for thread in threading.enumerate() if thread.name.startswith("age-scrypt")]
        assert into.getvalue() == b""
    assert into.getvalue().startswith(MAGIC)
    assert not [thread.name for thread in threading.enumerate() if thread.name.startswith("age-scrypt")]


def test_leaving_with_an_error_ends_the_thread_and_writes_nothing():
    into = io.BytesIO()
    with pytest.raises(ZeroDivisionError), QUICK.sealing(into, BY_PASSWORD) as writer:
        writer.write(b"x")
        raise ZeroDivisionError
    assert into.getvalue() == b""
    assert not [thread.name for thread in threading.enumerate() if thread.name.startswith("age-scrypt")]


def test_what_an_error_interrupted_cannot_be_decrypted_as_a_whole():
    into = io.BytesIO()
    with pytest.raises(ZeroDivisionError), QUICK.sealing(into, ONE) as writer:
        writer.write(payload(40 * CHUNK))
        raise ZeroDivisionError
    assert len(into.getvalue()) > 16 * CHUNK
    with pytest.raises(PayloadDamaged, match="cut short"):
        unseal(into.getvalue())


def test_an_error_of_the_sink_comes_out_and_the_stream_cannot_be_finished_after_it():
    class Full(io.RawIOBase):
        room = 5 * CHUNK

        def write(self, data) -> int:
            self.room -= len(data)
            if self.room < 0:
                raise OSError(28, "no space left")
            return len(data)

    sealing = QUICK.sealing(Full(), ONE)
    writer = sealing.__enter__()
    with pytest.raises(OSError, match="no space"):
        writer.write(payload(40 * CHUNK))
    with pytest.raises(ValueError, match="earlier write failed"):
        sealing.__exit__(None, None, None)


def test_a_sink_that_takes_nothing_is_not_an_endless_loop():
    class Stuck(io.RawIOBase):
        def write(self, data) -> None:
            return None

    with pytest.raises(BlockingIOError, match="takes nothing"), QUICK.sealing(Stuck(), ONE) as writer:
        writer.write(b"x")


def test_a_writer_is_closed_when_its_context_is_left():
    with QUICK.sealing(io.BytesIO(), ONE) as writer:
        pass
    with pytest.raises(ValueError, match="closed"):
        writer.write(b"more")


@pytest.mark.parametrize(
    ("keys", "reason"),
    [
        (Keys(), "give a password or a recipient"),
        (Keys(passphrase=""), "give a password or a recipient"),
        (Keys(identities=IDENTITIES), "give a password or a recipient"),
        (Keys(passphrase=PASSWORD, recipients=RECIPIENTS), "not both"),
        (Keys(recipients=(*RECIPIENTS, "age1qqqqqqq")), "recipient 4 of 4 cannot be used: .*checksum"),
        (Keys(recipients=IDENTITIES[:1]), "recipient 1 of 1 cannot be used: it is a secret key"),
        (Keys(recipients=("ssh-ed25519 AAAA",)), "SSH key"),
        (Keys(recipients=("someone",)), "does not start with age1"),
        (Keys(recipients=(bech32.encode("age1yubikey", bytes(33)),)), "plug-in"),
        (Keys(recipients=(bech32.encode("age", bytes(31)),)), "wrong length"),
        (Keys(recipients=(bech32.encode("age", bytes(32)),)), "low order"),
        (Keys(passphrase="\ud800"), "UTF-8"),
    ],
)
def test_keys_that_cannot_encrypt_are_refused_and_nothing_is_written(keys, reason):
    into = io.BytesIO()
    with pytest.raises(UsageError, match=reason), QUICK.sealing(into, keys) as writer:
        writer.write(b"x")
    assert into.getvalue() == b""


@pytest.mark.parametrize(
    ("sealed_with", "opened_with", "error", "reason"),
    [
        (BY_PASSWORD, Keys(), PasswordNeeded, "encrypted with a password"),
        (BY_PASSWORD, Keys(passphrase=""), PasswordNeeded, "encrypted with a password"),
        (BY_PASSWORD, Keys(identities=IDENTITIES), PasswordNeeded, "an identity does not decrypt it"),
        (ONE, Keys(), PasswordNeeded, "with `identities=`"),
        (ONE, BY_PASSWORD, PasswordNeeded, "with `identities=`"),
        (ONE, Keys(recipients=RECIPIENTS), PasswordNeeded, "with `identities=`"),
        (BY_PASSWORD, Keys(passphrase=PASSWORD + " "), WrongPassword, "password does not open it"),
        (ONE, Keys(identities=IDENTITIES[1:]), WrongPassword, r"no identity given opens it \(2 tried\)"),
        (ONE, Keys(identities=("AGE-SECRET-KEY-1QQ",)), UsageError, "identity 1 of 1 cannot be used: .*short"),
        (ONE, Keys(identities=RECIPIENTS[:1]), UsageError, "public key"),
        (ONE, Keys(identities=("AGE-PLUGIN-YUBIKEY-1QQ",)), UsageError, "plug-in"),
        (ONE, Keys(identities=("hunter2",)), UsageError, "does not start with AGE-SECRET-KEY-1"),
        (ONE, Keys(identities=(bech32.encode("AGE-SECRET-KEY-", bytes(31)),)), UsageError, "wrong length"),
    ],
)
def test_keys_that_cannot_decrypt_are_refused_on_entry_with_what_is_needed(sealed_with, opened_with, error, reason):
    sealed = io.BytesIO(seal(b"plain", sealed_with))
    with pytest.raises(error, match=reason), AgeCipher().unsealing(sealed, opened_with):
        pytest.fail("was entered")


def test_a_file_for_other_kinds_of_keys_is_an_error_that_says_so():
    header = build_header(bytes(16), [Stanza(kind="example.com/enigma", arguments=("a", "b"), body=bytes(32))])
    for keys in (ONE, Keys(), Keys(passphrase="x")):
        with pytest.raises(WrongPassword, match="other kinds"):
            unseal(header + bytes(32), keys)


def test_more_recipients_than_a_reader_here_would_take_are_refused():
    with pytest.raises(UsageError, match="11000 recipients are too many"):
        build_header(bytes(16), [Stanza(kind="X25519", arguments=("A" * 43,), body=bytes(32))] * 11_000)


@pytest.mark.parametrize("work_factor", [0, 23, -1])
def test_a_work_factor_that_could_not_be_read_again_cannot_be_chosen(work_factor):
    with pytest.raises(ValueError, match="between 1 and 22"):
        AgeCipher(work_factor=work_factor)


@pytest.mark.parametrize("work_factor", ["23", "30", "99999999999999999999"])
def test_an_excessive_work_factor_is_refused_and_named(work_factor):
    stanza = Stanza(kind="scrypt", arguments=(to_base64(bytes(16)), work_factor), body=bytes(32))
    with pytest.raises(PayloadDamaged, match=rf"2\^{work_factor[:6]}.*2\^22"):
        unseal(build_header(bytes(16), [stanza]) + bytes(32), BY_PASSWORD)


PLAIN = payload(3 * CHUNK + 100)
SEALED = {"recipient": seal(PLAIN), "password": seal(PLAIN, BY_PASSWORD)}
KEYS_OF = {"recipient": ONE, "password": BY_PASSWORD}


def released(sealed: bytes, keys: Keys) -> tuple[bytes, Exception | None]:
    """Everything that comes out before the end or the error, to the byte."""
    out = bytearray()
    try:
        with AgeCipher().unsealing(io.BytesIO(sealed), keys) as reader:
            while piece := reader.read1(CHUNK):
                out += piece
    except PayloadError as error:
        return bytes(out), error
    return bytes(out), None


def assert_refused(sealed: bytes, kind: str, damage_at: int) -> None:
    out, error = released(sealed, KEYS_OF[kind])
    start = header_length(SEALED[kind]) + 16
    assert error is not None
    assert PLAIN.startswith(out)
    assert len(out) <= max(0, (damage_at - start) // (CHUNK + 16) * CHUNK)
    if damage_at >= start:
        assert isinstance(error, PayloadDamaged)


kinds = st.sampled_from(list(SEALED))


@st.composite
def places(draw, kind, end=0):
    """Anywhere, the header as often as the payload."""
    size = len(SEALED[kind])
    return draw(st.integers(0, 250) | st.integers(0, size - 1 + end))


@given(data=st.data(), kind=kinds, bit=st.integers(0, 7))
@settings(max_examples=150, deadline=None)
def test_any_flipped_bit_is_refused_and_nothing_after_it_released(data, kind, bit):
    place = data.draw(places(kind))
    sealed = bytearray(SEALED[kind])
    sealed[place] ^= 1 << bit
    assert_refused(bytes(sealed), kind, place)


@given(data=st.data(), kind=kinds)
@settings(max_examples=80, deadline=None)
def test_any_dropped_byte_is_refused_and_nothing_after_it_released(data, kind):
    place = data.draw(places(kind))
    assert_refused(SEALED[kind][:place] + SEALED[kind][place + 1 :], kind, place)


@given(data=st.data(), kind=kinds, added=st.binary(min_size=1, max_size=3))
@settings(max_examples=80, deadline=None)
def test_any_added_bytes_are_refused_and_nothing_after_them_released(data, kind, added):
    place = data.draw(places(kind, end=1))
    sealed = SEALED[kind][:place] + added + SEALED[kind][place:]
    # Repeating a byte of a run puts the difference at the run's end.
    first_difference = next((at for at, byte in enumerate(SEALED[kind]) if sealed[at] != byte), len(SEALED[kind]))
    assert_refused(sealed, kind, first_difference)


@given(data=st.data(), kind=kinds)
@settings(max_examples=80, deadline=None)
def test_any_truncation_is_refused_after_a_prefix(data, kind):
    place = data.draw(places(kind))
    assert_refused(SEALED[kind][:place], kind, place)


@given(data=st.data(), kind=kinds)
@settings(max_examples=80, deadline=None)
def test_any_two_bytes_swapped_are_refused_and_nothing_after_the_first_released(data, kind):
    one, other = sorted((data.draw(places(kind)), data.draw(places(kind))))
    sealed = bytearray(SEALED[kind])
    if sealed[one] != sealed[other]:
        sealed[one], sealed[other] = sealed[other], sealed[one]
        assert_refused(bytes(sealed), kind, one)


def chunks_of(sealed: bytes) -> tuple[bytes, list[bytes]]:
    start = header_length(sealed) + 16
    size = CHUNK + 16
    return sealed[:start], [sealed[place : place + size] for place in range(start, len(sealed), size)]


@pytest.mark.parametrize(
    ("order", "right"),
    [([1, 0, 2, 3], 0), ([0, 2, 1, 3], 1), ([0, 1, 3, 2], 2), ([1, 2, 3], 0), ([0, 2, 3], 1), ([0, 1, 3], 2),
     ([0, 1, 2], 3), ([0, 0, 1, 2, 3], 1), ([0, 1, 2, 2, 3], 3), ([0, 1, 2, 3, 3], 3), ([3], 0), ([0], 1), ([], 0)],
)  # fmt: skip
@pytest.mark.parametrize("kind", SEALED)
def test_chunks_in_another_order_dropped_or_repeated_are_refused_behind_those_that_are_right(kind, order, right):
    head, chunks = chunks_of(SEALED[kind])
    out, error = released(head + b"".join(chunks[place] for place in order), KEYS_OF[kind])
    assert isinstance(error, PayloadDamaged)
    assert out == PLAIN[: right * CHUNK]


@pytest.mark.parametrize("size", [CHUNK, 2 * CHUNK, 16 * CHUNK, 17 * CHUNK])
def test_bytes_after_a_last_chunk_that_is_full_are_refused(size):
    with pytest.raises(PayloadDamaged, match="bytes follow its end"):
        unseal(seal(payload(size)) + b"\0")


def test_a_chunk_of_another_file_with_the_same_keys_is_refused():
    head, chunks = chunks_of(SEALED["recipient"])
    _, others = chunks_of(seal(PLAIN))
    with pytest.raises(PayloadDamaged):
        unseal(head + chunks[0] + others[1] + chunks[2] + chunks[3])


@pytest.mark.parametrize(
    ("file", "reason"),
    [
        (b"", "is empty"),
        (b"age-encr", "cut short"),
        (b"age-encryption.org/v2\n-> X25519 a\n", "another version"),
        (b"-----BEGIN AGE ENCRYPTED FILE-----\nYWdlLWVu", "armor. is damaged in line 3"),
        (b"\x1f\x8b\x08\0 gzip", "not an age file"),
        (SEALED["recipient"][:100], "cut short"),
        (MAGIC + b"-> X25519 a\n" * 100_000, "longer than"),
        (MAGIC + b"--- " + b"A" * 43 + b"\n", "it has none"),
    ],
    # The bytes of an encrypted file differ in every process, and with them its name would.
    ids=["empty", "magic cut short", "version 2", "armored", "gzip", "header cut short", "endless header", "no stanza"],
)
def test_an_invalid_age_header_is_an_error_that_says_why(file, reason):
    with pytest.raises(PayloadDamaged, match=reason):
        unseal(file)


def test_a_bad_header_mac_is_damage_although_the_key_fits():
    sealed = SEALED["recipient"]
    start = sealed.index(b"--- ") + 4
    other = to_base64(bytes(32)).encode()
    with pytest.raises(PayloadDamaged, match="MAC"):
        unseal(sealed[:start] + other + sealed[start + 43 :])


def test_an_error_of_the_source_comes_out_as_it_is_every_time_and_never_looks_like_an_end():
    source = Breaks(SEALED["recipient"][: 2 * CHUNK])
    with pytest.raises(ConnectionResetError) as at_entry, AgeCipher().unsealing(source, ONE):
        pytest.fail("was entered")
    assert at_entry.value is source.error

    plain = payload(40 * CHUNK)
    source = Breaks(seal(plain)[: 30 * CHUNK])
    with AgeCipher().unsealing(source, ONE) as reader:
        assert reader.read(10 * CHUNK) == plain[: 10 * CHUNK]
        for _ in range(2):
            with pytest.raises(ConnectionResetError) as while_reading:
                reader.read(30 * CHUNK)
            assert while_reading.value is source.error


def test_a_failed_read_leaves_no_unauthenticated_byte_in_the_reader_s_buffer():
    sealed = bytearray(SEALED["recipient"])
    sealed[header_length(SEALED["recipient"]) + 16 + 5] ^= 1
    with AgeCipher().unsealing(io.BytesIO(bytes(sealed)), ONE) as reader:
        buffer = bytearray(2 * MIB)
        with pytest.raises(PayloadDamaged):
            reader.readinto(buffer)
    assert bytes(buffer) == bytes(2 * MIB)


def test_memory_stays_the_same_however_much_is_encrypted_and_decrypted():
    blocks, block = 96, payload(MIB)

    class Through(io.RawIOBase):
        """Decrypts while another thread encrypts."""

        def __init__(self) -> None:
            read_end, write_end = os.pipe()
            self.reader, self.writer = os.fdopen(read_end, "rb", buffering=0), os.fdopen(write_end, "wb", buffering=0)

        def seal(self) -> None:
            # To a recipient: what is buffered while a password's key is derived has a bound, and a test, of its own.
            with self.writer, QUICK.sealing(self.writer, ONE) as writer:
                for _ in range(blocks):
                    writer.write(block)

    through = Through()
    thread = threading.Thread(target=through.seal)
    tracemalloc.start()
    try:
        thread.start()
        digest = hashlib.sha256()
        with through.reader, AgeCipher().unsealing(through.reader, ONE) as reader:
            while piece := reader.read(MIB):
                digest.update(piece)
        thread.join()
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    expected = hashlib.sha256()
    for _ in range(blocks):
        expected.update(block)
    assert digest.digest() == expected.digest()
    assert peak < 8 * MIB


@pytest.mark.parametrize("pieces", [1, 3, 33, 70])
def test_what_is_written_before_the_key_is_derived_comes_first_and_whole(pieces):
    # At this work factor, a key takes 150 ms; all of this is written before.
    out = io.BytesIO()
    with AgeCipher(work_factor=16).sealing(out, BY_PASSWORD) as writer:
        for number in range(pieces):
            writer.write(bytes([number]) * MIB)
    opened = unseal(out.getvalue(), BY_PASSWORD)
    assert len(opened) == pieces * MIB
    assert all(opened[number * MIB] == opened[(number + 1) * MIB - 1] == number for number in range(pieces))


def test_what_is_written_byte_by_byte_before_the_key_is_derived_takes_no_more_than_it_is():
    tracemalloc.start()
    try:
        with AgeCipher().sealing(io.BytesIO(), BY_PASSWORD) as writer:
            for _ in range(100_000):
                writer.write(b"x")
            peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 4 * MIB


def test_what_is_written_before_the_key_is_derived_takes_bounded_memory():
    class Nowhere(io.RawIOBase):
        def writable(self):
            return True

        def write(self, data):
            return len(data)

    piece = bytes(MIB)
    tracemalloc.start()
    try:
        with AgeCipher().sealing(Nowhere(), BY_PASSWORD) as writer:
            for _ in range(100):
                writer.write(piece)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert 16 * MIB < peak < 40 * MIB


def test_too_little_memory_for_scrypt_is_an_error_that_says_what_it_takes():
    ours = """
import io, resource
from bakthat.adapters.encryption.age import AgeCipher
from bakthat.domain.payload import Keys
from bakthat.errors import PayloadError
resource.setrlimit(resource.RLIMIT_AS, (400 << 20, 400 << 20))
try:
    with AgeCipher(work_factor=20).sealing(io.BytesIO(), Keys(passphrase="S3CRET")):
        pass
except PayloadError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", ours], capture_output=True, text=True, check=True, timeout=300)
    assert done.stdout == "too little memory for the password: scrypt takes 1024 MiB for a moment\n"


@pytest.mark.parametrize(
    "keys",
    [
        Keys(passphrase="S3CRETHUNTER\ud800"),
        Keys(passphrase="S3CRETHUNTER", recipients=RECIPIENTS),
        Keys(recipients=("AGE-SECRET-KEY-1S3CRETHUNTER",)),
        Keys(recipients=("S3CRETHUNTER",)),
        Keys(recipients=("age1S3CRETHUNTER",)),
        Keys(passphrase="S3CRETHUNTER", identities=("AGE-SECRET-KEY-1S3CRETHUNTER",)),
        Keys(identities=("S3CRETHUNTER",)),
        Keys(identities=("AGE-SECRET-KEY-1S3CRETHUNTERQQQQQQ",)),
    ],
)
def test_no_error_repeats_a_key(keys):
    errors = []
    for sealed in SEALED.values():
        try:
            with AgeCipher().unsealing(io.BytesIO(sealed), keys):
                pytest.fail("was entered")
        except (PayloadError, UsageError) as error:
            errors.append(error)
    try:
        with QUICK.sealing(io.BytesIO(), keys):
            pass
    except UsageError as error:
        errors.append(error)
    assert len(errors) >= 2
    for error in errors:
        assert "S3CRET" not in held_by(error)
        assert "\n" not in str(error)


@pytest.mark.parametrize("keys", [BY_PASSWORD, ONE])
def test_no_object_shows_a_key_or_the_plaintext(keys):
    cipher = AgeCipher(work_factor=4)
    into = io.BytesIO()
    with cipher.sealing(into, keys) as writer:
        writer.write(b"PLAINTEXT")
        shown = f"{cipher!r} {cipher} {writer!r} {writer} {keys!r} {keys}"
    into.seek(0)
    with cipher.unsealing(into, keys) as reader:
        shown += f"{reader!r} {reader}"
    assert into.getvalue().count(b"PLAINTEXT") == 0
    for secret in (PASSWORD, IDENTITIES[0], "PLAINTEXT"):
        assert secret not in shown


@pytest.mark.parametrize("size", [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK, 3 * CHUNK + 5])
def test_any_range_can_be_decrypted(size):
    plain = payload(size)
    access = QUICK.random_access(BytesAccess(seal(plain)), ONE)
    assert access.size == size
    edges = {0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK, size - 1, size, size + 1, size + CHUNK}
    for offset in sorted(edge for edge in edges if edge >= 0):
        for length in (0, 1, 10, CHUNK, CHUNK + 1, size + 1):
            assert access.read_at(offset, length) == plain[offset : offset + length], (offset, length)


def test_only_the_chunks_that_a_range_needs_are_read():
    plain = payload(10 * CHUNK)
    sealed = seal(plain)
    start = header_length(sealed) + 16
    source = Ranges(sealed)
    access = QUICK.random_access(source, ONE)
    whole = CHUNK + 16
    assert source.read == [(0, 4096), (start + 9 * whole, whole)]
    assert access.read_at(3 * CHUNK - 1, 2) == plain[3 * CHUNK - 1 : 3 * CHUNK + 1]
    assert source.read[2:] == [(start + 2 * whole, 2 * whole)]
    assert access.read_at(4 * CHUNK - 5, 5) == plain[4 * CHUNK - 5 : 4 * CHUNK]
    assert len(source.read) == 3  # the chunk that was decrypted last is kept


def test_a_long_header_is_read_whole():
    plain = payload(CHUNK + 1)
    recipients = tuple(identity_of(seed)[1] for seed in range(100, 180))
    source = Ranges(seal(plain, Keys(recipients=recipients)))
    access = QUICK.random_access(source, Keys(identities=(identity_of(179)[0],)))
    assert access.read_at(CHUNK, 1) == plain[CHUNK:]


@pytest.mark.parametrize("damaged", range(4))
@pytest.mark.parametrize("wanted", range(4))
def test_a_damaged_chunk_spoils_only_what_needs_it(damaged, wanted):
    plain = payload(3 * CHUNK + 100)
    sealed = bytearray(seal(plain))
    sealed[header_length(bytes(sealed)) + 16 + damaged * (CHUNK + 16) + 50] ^= 1
    source = BytesAccess(bytes(sealed))
    if damaged == 3:  # the last chunk proves the end, so nothing can be read without it
        with pytest.raises(PayloadDamaged, match="chunk 4 of 4 is not authentic"):
            QUICK.random_access(source, ONE)
        return
    access = QUICK.random_access(source, ONE)
    if wanted == damaged:
        for _ in range(2):
            with pytest.raises(PayloadDamaged, match=f"chunk {damaged + 1} of 4 is not authentic"):
                access.read_at(wanted * CHUNK + 1000, 10)
    else:
        assert access.read_at(wanted * CHUNK, 10) == plain[wanted * CHUNK :][:10]


def test_whole_chunks_that_were_cut_off_are_noticed_at_once():
    sealed = seal(payload(3 * CHUNK))
    for missing in (1, 2):
        with pytest.raises(PayloadDamaged, match="cut off"):
            QUICK.random_access(BytesAccess(sealed[: -missing * (CHUNK + 16)]), ONE)


def test_chunks_that_were_exchanged_are_not_authentic():
    plain = payload(3 * CHUNK)
    sealed = seal(plain)
    start, whole = header_length(sealed) + 16, CHUNK + 16
    first, second = (sealed[start + number * whole :][:whole] for number in range(2))
    access = QUICK.random_access(BytesAccess(sealed[:start] + second + first + sealed[start + 2 * whole :]), ONE)
    for at in (0, CHUNK):
        with pytest.raises(PayloadDamaged):
            access.read_at(at, 1)
    assert access.read_at(2 * CHUNK, 1) == plain[2 * CHUNK :][:1]


def test_a_source_that_became_shorter_is_damage():
    class Shrinks(BytesAccess):
        def read_at(self, offset: int, length: int) -> bytes:
            return super().read_at(offset, length)[:-1] if offset else super().read_at(offset, length)

    with pytest.raises(PayloadDamaged):
        QUICK.random_access(Shrinks(seal(payload(3 * CHUNK))), ONE)
