"""age's post-quantum recipients (C2SP age specification, "mlkem768x25519"): `age1pq1…`, `AGE-SECRET-KEY-PQ-1…`.

ML-KEM-768 and X25519 together, so that both must be broken. It is HPKE (RFC 9180) with the KEM of draft-ietf-hpke-pq,
and all of it is `cryptography`'s.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Callable, Iterator

from attrs import field, frozen
from cryptography.exceptions import InvalidTag, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey, MLKEM768PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.hpke import (
    AEAD,
    KDF,
    KEM,
    MLKEM768X25519PrivateKey,
    MLKEM768X25519PublicKey,
    Suite,
)

from bakthat.adapters.encryption import bech32
from bakthat.adapters.encryption.age_header import Stanza
from bakthat.adapters.encryption.age_primitives import FILE_KEY_SIZE, TAG_SIZE, from_base64, to_base64
from bakthat.adapters.encryption.age_x25519 import is_of_low_order
from bakthat.errors import PayloadDamaged

KIND = "mlkem768x25519"
RECIPIENT_PREFIX = "age1pq"
IDENTITY_PREFIX = "AGE-SECRET-KEY-PQ-"

SEED_SIZE = 32
"""Bytes of an identity, of which both private keys are made."""

_ML_KEM_SEED = 64
_ML_KEM_KEY = 1184
"""Bytes of an ML-KEM-768 encapsulation key (FIPS 203, table 3)."""
_ML_KEM_CIPHERTEXT = 1088
_X25519_SIZE = 32
_INFO = b"age-encryption.org/mlkem768x25519"


@contextlib.contextmanager
def needing_ml_kem() -> Iterator[None]:
    """Raise a `ValueError` that says what to do where the installed `cryptography` has no ML-KEM."""
    try:
        yield
    except UnsupportedAlgorithm:
        raise ValueError(
            "it is a post-quantum key, and the installed `cryptography` has no ML-KEM, as where it is built with "
            "OpenSSL before 3.5; install it with pip, or use age 1.3 or later"
        ) from None


@frozen
class HybridRecipient:
    """A public key, `age1pq1…`."""

    ml_kem: MLKEM768PublicKey
    x25519: X25519PublicKey

    @classmethod
    def parse(cls, text: str) -> HybridRecipient:
        """Raises `ValueError`, whose message holds nothing of the text, which may be a secret."""
        prefix, data = bech32.decode(text)
        if prefix != RECIPIENT_PREFIX:
            raise ValueError("it does not start with age1pq1")
        if len(data) != _ML_KEM_KEY + _X25519_SIZE:
            raise ValueError("it has the wrong length")
        x25519 = X25519PublicKey.from_public_bytes(data[_ML_KEM_KEY:])
        if is_of_low_order(x25519):
            raise ValueError("it is a point of low order, to which nothing can be encrypted")
        with needing_ml_kem():
            try:
                ml_kem = MLKEM768PublicKey.from_public_bytes(data[:_ML_KEM_KEY])
            except ValueError:
                raise ValueError("its ML-KEM part is invalid") from None
            return cls(ml_kem, x25519)

    def __str__(self) -> str:
        return bech32.encode(RECIPIENT_PREFIX, self.ml_kem.public_bytes_raw() + self.x25519.public_bytes_raw())

    def wrap(self, file_key: bytes, random: Callable[[int], bytes]) -> Stanza:
        """Return the stanza for this recipient. HPKE has its own source of random bytes."""
        with needing_ml_kem():
            sealed = _suite().encrypt(file_key, MLKEM768X25519PublicKey(self.ml_kem, self.x25519), _INFO)
        size = len(sealed) - FILE_KEY_SIZE - TAG_SIZE
        return Stanza(kind=KIND, arguments=(to_base64(sealed[:size]),), body=sealed[size:])


@frozen
class HybridIdentity:
    """A private key, `AGE-SECRET-KEY-PQ-1…`."""

    ml_kem: MLKEM768PrivateKey = field(repr=False)
    x25519: X25519PrivateKey = field(repr=False)

    @classmethod
    def parse(cls, text: str) -> HybridIdentity:
        """Raises `ValueError`, whose message holds nothing of the text."""
        prefix, data = bech32.decode(text)
        if prefix != IDENTITY_PREFIX or len(data) != SEED_SIZE:
            raise ValueError("it has the wrong length")
        return cls.of_seed(data)

    @classmethod
    def of_seed(cls, seed: bytes) -> HybridIdentity:
        """The identity of a seed of `SEED_SIZE` bytes. Raises `ValueError` if ML-KEM is not available."""
        keys = hashlib.shake_256(seed).digest(_ML_KEM_SEED + _X25519_SIZE)
        with needing_ml_kem():
            ml_kem = MLKEM768PrivateKey.from_seed_bytes(keys[:_ML_KEM_SEED])
            return cls(ml_kem, X25519PrivateKey.from_private_bytes(keys[_ML_KEM_SEED:]))

    @property
    def recipient(self) -> HybridRecipient:
        """The public key that belongs to it."""
        return HybridRecipient(self.ml_kem.public_key(), self.x25519.public_key())

    def unwrap(self, stanza: Stanza) -> bytes | None:
        """Return the file key; None if the stanza is for another recipient. Raises `PayloadDamaged`."""
        if stanza.kind != KIND:
            return None
        share = from_base64(stanza.arguments[0].encode()) if len(stanza.arguments) == 1 else None
        if share is None or len(share) != _ML_KEM_CIPHERTEXT + _X25519_SIZE:
            raise PayloadDamaged("the age header is damaged: the share of a post-quantum recipient")
        if len(stanza.body) != FILE_KEY_SIZE + TAG_SIZE:
            raise PayloadDamaged("the age header is damaged: a wrapped key of the wrong length")
        # HPKE reports this as any other mismatch, and the specification wants it told apart.
        if is_of_low_order(X25519PublicKey.from_public_bytes(share[_ML_KEM_CIPHERTEXT:])):
            raise PayloadDamaged("the age header is damaged: the share of a post-quantum recipient is of low order")
        try:
            return _suite().decrypt(share + stanza.body, MLKEM768X25519PrivateKey(self.ml_kem, self.x25519), _INFO)
        except InvalidTag:
            return None


def _suite() -> Suite:
    return Suite(KEM.MLKEM768_X25519, KDF.HKDF_SHA256, AEAD.CHACHA20_POLY1305)
