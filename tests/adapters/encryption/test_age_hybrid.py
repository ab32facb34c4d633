"""Post-quantum recipients. The vectors of `test_age_vectors` say what is read; here is what is written, and refused."""

from __future__ import annotations

import io
import random
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography.exceptions import UnsupportedAlgorithm

from bakthat.adapters.encryption import bech32
from bakthat.adapters.encryption.age import AgeCipher
from bakthat.adapters.encryption.age_header import parse_header
from bakthat.adapters.encryption.age_hybrid import HybridIdentity, needing_ml_kem
from bakthat.adapters.encryption.identity_files import read_identity_file
from bakthat.adapters.encryption.key_files import check_recipient, keygen, recipient_of, write_key_file
from bakthat.domain.payload import Keys
from bakthat.errors import PasswordNeeded, PayloadError, UsageError, WrongPassword
from bakthat.ports.random_access import BytesAccess
from tests.adapters.encryption.test_age_vectors import read_vector
from tests.fixtures.held_secrets import held_by

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
PAIR = keygen(clock=lambda: NOON, random=random.Random(1).randbytes, post_quantum=True)
OTHER = keygen(clock=lambda: NOON, random=random.Random(2).randbytes, post_quantum=True)
CLASSIC = keygen(clock=lambda: NOON, random=random.Random(3).randbytes)


def sealed(plain: bytes, keys: Keys) -> bytes:
    into = io.BytesIO()
    with AgeCipher().sealing(into, keys) as writer:
        writer.write(plain)
    return into.getvalue()


def opened(file: bytes, *identities: str) -> bytes:
    with AgeCipher().unsealing(io.BytesIO(file), Keys(identities=identities)) as reader:
        return reader.read()


def test_what_is_encrypted_to_several_post_quantum_keys_is_decrypted_by_each():
    file = sealed(b"plain", Keys(recipients=(PAIR.recipient, OTHER.recipient)))
    assert {stanza.kind for stanza in parse_header(file)[0].stanzas} == {"mlkem768x25519"}
    assert opened(file, PAIR.identity) == opened(file, CLASSIC.identity, OTHER.identity) == b"plain"


def test_a_range_behind_a_header_of_many_post_quantum_keys_is_read():
    pairs = [keygen(clock=lambda: NOON, post_quantum=True) for _ in range(4)]
    file = sealed(b"0123456789", Keys(recipients=tuple(pair.recipient for pair in pairs)))
    access = AgeCipher().random_access(BytesAccess(file), Keys(identities=(pairs[-1].identity,)))
    assert access is not None
    assert access.read_at(3, 4) == b"3456"


def test_what_the_age_projects_typescript_encrypted_is_decrypted_here():
    # By npm's age-encryption 0.3.1, to the identity of the vector `hybrid`. Debian's age does not know the type yet.
    file = (Path(__file__).parents[2] / "data" / "post_quantum_by_typage.age").read_bytes()
    assert opened(file, *read_vector("hybrid").keys.identities) == b"a file that is to be secret in thirty years\n"


def test_a_key_pair_has_the_lines_of_age_keygen_pq_and_is_read_from_its_file(tmp_path):
    created, public, identity = PAIR.as_text().splitlines()
    assert created == "# created: 2026-03-01T12:00:00Z"
    assert public == f"# public key: {PAIR.recipient}"
    assert (len(PAIR.recipient), PAIR.recipient[:7]) == (1959, "age1pq1")
    assert identity.startswith("AGE-SECRET-KEY-PQ-1")
    write_key_file(tmp_path / "key", PAIR)
    assert read_identity_file(tmp_path / "key").identities == (PAIR.identity,)
    assert recipient_of(PAIR.identity) == PAIR.recipient == check_recipient(PAIR.recipient, "-r")


def test_a_classic_key_does_not_open_it_and_the_message_says_which_kind_would():
    file = sealed(b"plain", Keys(recipients=(PAIR.recipient,)))
    with pytest.raises(WrongPassword, match=r"1 tried\): it is encrypted to other keys \(age1pq1…\)"):
        opened(file, CLASSIC.identity)
    with pytest.raises(PasswordNeeded):
        opened(file)


def test_post_quantum_recipients_and_others_are_not_mixed_unless_it_is_allowed():
    both = (PAIR.recipient, CLASSIC.recipient)
    with pytest.raises(UsageError, match="allow_mixed_recipients=True"):
        sealed(b"plain", Keys(recipients=both))
    file = sealed(b"plain", Keys(recipients=both, allow_mixed_recipients=True))
    assert opened(file, PAIR.identity) == opened(file, CLASSIC.identity) == b"plain"


def test_a_flipped_bit_anywhere_in_the_header_is_refused_and_nothing_comes_out():
    file = sealed(b"plain", Keys(recipients=(PAIR.recipient,)))
    for at in range(0, parse_header(file)[1], 37):
        altered = bytearray(file)
        altered[at] ^= 1
        with pytest.raises(PayloadError):
            opened(bytes(altered), PAIR.identity)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (PAIR.recipient[:-1], "checksum"),
        (bech32.encode("age1pq", bytes(1215)), "wrong length"),
        (bech32.encode("age1pq", bytes(1216)), "low order"),
        (bech32.encode("age1pq", b"\xff" * 1184 + bytes(31) + b"\x09"), "ML-KEM part is invalid"),
        (bech32.encode("age1pq1x", bytes(1216)), "does not start with age1pq1"),
    ],
    ids=["a letter short", "a byte short", "low order", "not reduced", "another prefix"],
)
def test_a_post_quantum_recipient_that_cannot_be_used_says_why(text, reason):
    with pytest.raises(UsageError, match=f"^-r: not a usable recipient: .*{reason}"):
        check_recipient(text, "-r")


def test_a_cryptography_without_ml_kem_is_a_line_that_says_what_to_do():
    line = r"no ML-KEM, .*install it with pip, or use age 1\.3"
    with pytest.raises(ValueError, match=line), needing_ml_kem():
        raise UnsupportedAlgorithm("no")


def test_a_post_quantum_identity_shows_nowhere():
    secret = PAIR.identity
    assert "=" not in repr(HybridIdentity.parse(secret))
    with pytest.raises(UsageError) as refusal:
        recipient_of(f"{secret[:-1]}{'Q' if secret[-1] != 'Q' else 'P'}")
    assert secret[25:50] not in held_by(refusal.value)
