"""Of a damaged encrypted file comes back every chunk that is authentic, in its place, and nothing else."""

from __future__ import annotations

import gzip
import io
import random
from datetime import UTC, datetime

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from bakthat.adapters.compression.gzip_compressor import GzipCompressor
from bakthat.adapters.encryption.age import AgeCipher
from bakthat.adapters.encryption.age_header import MAGIC, Stanza, build_header
from bakthat.adapters.encryption.age_primitives import to_base64
from bakthat.adapters.encryption.age_stream import CHUNK, ENCRYPTED_CHUNK
from bakthat.adapters.encryption.detecting import DetectingCipher
from bakthat.adapters.encryption.key_files import keygen, recipient_of
from bakthat.adapters.encryption.ssh_keys import private_pem
from bakthat.domain.payload import Keys
from bakthat.errors import PasswordNeeded, PayloadDamaged, PayloadError, WrongPassword
from bakthat.ports.payload import Cipher
from bakthat.ports.salvage import Hole, Part, Verdict
from bakthat.testing.streams import short_reads
from tests.fixtures import beefish_2013
from tests.testing.damage import Damage, damages, differing

ONE, TWO, STRANGER = (keygen(clock=lambda: datetime(2026, 1, 1, tzinfo=UTC)) for _ in range(3))
TO_BOTH = Keys(recipients=(ONE.recipient, TWO.recipient))
ANY = DetectingCipher()
PLAIN = random.Random(1).randbytes(5 * CHUNK + 1234)


def sealed(plain: bytes, keys: Keys = TO_BOTH) -> bytes:
    out = io.BytesIO()
    with AgeCipher(work_factor=2).sealing(out, keys) as writer:
        writer.write(plain)
    return out.getvalue()


def salvaged(data: bytes, keys: Keys = Keys(identities=(ONE.identity,)), cipher: Cipher = ANY) -> list[Part]:  # noqa: B008 - frozen
    with cipher.salvaging(short_reads(data), keys) as parts:
        return list(parts)


def with_places(parts: list[Part]) -> dict[int | None, bytes]:
    """The bytes by where they are, all of which must be good; holes of unknown length as the place None."""
    found: dict[int | None, bytes] = {}
    at = 0
    for part, after in zip(parts, [*parts[1:], None], strict=False):
        if isinstance(part, bytes):
            assert after is Verdict.GOOD
            found[at] = part
            at += len(part)
        elif isinstance(part, Hole):
            if part.length is None:
                found[None] = b""
                assert after is None
            at += part.length or 0
    return found


@settings(deadline=None)
@given(damages, st.integers(0, 300_000))
def test_chunks_that_no_damage_touches_come_back_in_their_places(damage: Damage, size: int) -> None:
    plain = PLAIN[:size]
    whole = sealed(plain)
    start = len(whole) - len(plain) - 16 * max(1, -(-len(plain) // CHUNK))
    damaged = whole[:start] + damage.done_to(whole[start:])
    found = with_places(salvaged(damaged))
    touched = {(at - start) // ENCRYPTED_CHUNK for at in differing(whole, damaged)}
    chunks = {at: plain[at : at + CHUNK] for at in range(0, size, CHUNK)}
    wanted = {at: chunk for at, chunk in chunks.items() if at // CHUNK not in touched}
    assert {at: chunk for at, chunk in found.items() if at is not None} == wanted
    assert (None in found) or len(damaged) == len(whole)


def test_a_whole_file_has_no_hole() -> None:
    for size in (0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK):
        parts = salvaged(sealed(PLAIN[:size]))
        assert b"".join(with_places(parts).values()) == PLAIN[:size]
        assert Hole(None) not in parts


@pytest.mark.parametrize("kept", [CHUNK + 16, CHUNK + 17, 3 * CHUNK, 5 * (CHUNK + 16), 5 * (CHUNK + 16) + 15])
def test_a_file_that_is_cut_says_that_its_end_is_missing(kept: int) -> None:
    whole = sealed(PLAIN)
    header = len(whole) - len(PLAIN) - 6 * 16
    parts = salvaged(whole[: header + kept])
    assert parts[-1] == Hole(None)
    assert with_places(parts).keys() - {None} == {at * CHUNK for at in range(kept // ENCRYPTED_CHUNK)}


def test_chunks_in_a_wrong_order_are_holes() -> None:
    whole = sealed(PLAIN)
    header = len(whole) - len(PLAIN) - 6 * 16
    chunks = [whole[at : at + ENCRYPTED_CHUNK] for at in range(header, len(whole), ENCRYPTED_CHUNK)]
    chunks[1], chunks[2] = chunks[2], chunks[1]
    found = with_places(salvaged(whole[:header] + b"".join(chunks)))
    assert found.keys() == {0, 3 * CHUNK, 4 * CHUNK, 5 * CHUNK}


def test_a_flip_in_any_byte_of_the_header_but_the_own_stanza_costs_nothing() -> None:
    whole = sealed(b"content")
    second = whole.index(b"-> X25519 ", whole.index(b"-> X25519 ") + 1)
    end = whole.index(b"\n---") + 1 + 4 + 43 + 1
    own = range(len(MAGIC), second)
    for place in [*range(len(MAGIC)), *range(second, end)]:
        damaged = bytearray(whole)
        damaged[place] ^= 0x02
        assert with_places(salvaged(bytes(damaged))) == {0: b"content"}, place
    assert second - len(MAGIC) == len(own)


@pytest.mark.parametrize("keys", [TO_BOTH, Keys(passphrase="secret")], ids=["recipients", "password"])
def test_every_flip_in_the_header_is_an_error_or_costs_nothing(keys: Keys) -> None:
    whole = sealed(b"content", keys)
    opening = Keys(passphrase="secret") if keys.passphrase else Keys(identities=(ONE.identity,))
    for place in range(len(whole) - 16 - 7):
        damaged = bytearray(whole)
        damaged[place] ^= 0x04
        try:
            found = with_places(salvaged(bytes(damaged), opening))
        except PayloadError:
            continue
        # In the nonce behind the header, no chunk is authentic any more.
        assert found in ({0: b"content"}, {None: b""}), place


def test_a_wrong_key_is_an_error_that_says_what_else_it_may_be() -> None:
    whole = sealed(PLAIN)
    with pytest.raises(WrongPassword, match="the header is damaged where it wraps"):
        salvaged(whole, Keys(identities=(STRANGER.identity,)))
    with pytest.raises(PasswordNeeded):
        salvaged(whole, Keys(passphrase="secret"))
    with pytest.raises(WrongPassword):
        salvaged(sealed(PLAIN, Keys(passphrase="secret")), Keys(passphrase="wrong"))


def test_a_password_beside_other_recipients_is_refused_as_by_restore() -> None:
    by_password = sealed(b"", Keys(passphrase="secret"))
    stanza = by_password[len(MAGIC) : by_password.index(b"\n---") + 1]
    for other in (b"-> X25519 \xff\n\n", b"-> X25519 aaaa\nbbbb\n"):
        damaged = MAGIC + stanza + other + by_password[len(MAGIC) + len(stanza) :]
        with pytest.raises(PayloadDamaged):
            salvaged(damaged, Keys(passphrase="secret"))


def test_a_file_without_a_header_cannot_be_read() -> None:
    whole = sealed(PLAIN)
    for data in (whole[:60], whole[: len(MAGIC)], whole[: whole.index(b"\n---") + 60]):
        with pytest.raises(PayloadDamaged):
            salvaged(data)


class TestOf2013:
    KEYS = Keys(passphrase="a password of 2013")
    PACKED = gzip.compress(b"".join(b"line %d\n" % number for number in range(50_000)), mtime=0)
    SEALED = beefish_2013.encrypt(PACKED, b"a password of 2013")

    def test_nothing_is_proved_by_the_encryption(self) -> None:
        parts = salvaged(self.SEALED, self.KEYS)
        assert all(isinstance(part, bytes) for part in parts)
        assert b"".join(part for part in parts if isinstance(part, bytes)) == self.PACKED

    def test_what_the_checksum_of_gzip_proves_is_good(self) -> None:
        for damaged, verdict in ((self.SEALED, Verdict.GOOD), (self.SEALED[:-16], Verdict.DOUBTFUL)):
            with ANY.salvaging(io.BytesIO(damaged), self.KEYS) as parts:
                plain = list(GzipCompressor().salvaging(parts))
            assert verdict in plain
            assert (Hole(None) in plain) == (verdict is Verdict.DOUBTFUL)

    @pytest.mark.parametrize("cut", [1, 7, 9])
    def test_a_block_that_is_cut_is_left_out(self, cut: int) -> None:
        parts = salvaged(self.SEALED[:-cut], self.KEYS)
        assert parts[-1] == Hole(None)
        assert self.PACKED.startswith(b"".join(part for part in parts if isinstance(part, bytes)))

    def test_a_flipped_byte_costs_sixteen_at_most(self) -> None:
        damaged = bytearray(self.SEALED)
        damaged[20_000] ^= 0x10
        plain = b"".join(part for part in salvaged(bytes(damaged), self.KEYS) if isinstance(part, bytes))
        assert len(plain) == len(self.PACKED)
        assert {at // 8 for at in differing(self.PACKED, plain)} <= {20_000 // 8 - 1, 20_000 // 8}


def test_identities_are_parsed_once_however_many_stanzas_a_header_has():
    class Counted(tuple[str, ...]):
        read = 0

        def __iter__(self):
            Counted.read += 1
            return super().__iter__()

    stanzas = [Stanza(kind="X25519", arguments=(to_base64(bytes([9, *bytes(31)])),), body=bytes(32))] * 100
    header = build_header(bytes(16), stanzas)
    keys = Keys(identities=Counted([ONE.identity]))
    with pytest.raises(WrongPassword), AgeCipher().salvaging(io.BytesIO(header + bytes(100)), keys):
        pytest.fail("was entered")
    assert Counted.read == 1


@pytest.mark.parametrize("kind", ["post-quantum", "SSH"])
def test_an_archive_to_a_key_of_another_kind_is_salvaged_although_its_first_line_is_damaged(kind):
    if kind == "SSH":
        identity = private_pem(Ed25519PrivateKey.from_private_bytes(bytes(32)))
    else:
        identity = keygen(clock=lambda: datetime(2026, 1, 1, tzinfo=UTC), post_quantum=True).identity
    data = sealed(PLAIN, Keys(recipients=(recipient_of(identity),)))
    parts = salvaged(b"x" + data[1:], Keys(identities=(identity,)))
    assert b"".join(part for part in parts if isinstance(part, bytes)) == PLAIN
