"""age's X25519 recipients (C2SP age specification, "The X25519 recipient type"): `age1…`, `AGE-SECRET-KEY-1…`."""

from __future__ import annotations

from collections.abc import Callable

from attrs import field, frozen
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey

from bakthat.adapters.encryption import bech32
from bakthat.adapters.encryption.age_header import Stanza
from bakthat.adapters.encryption.age_primitives import decrypt_file_key, encrypt_file_key, from_base64, hkdf, to_base64
from bakthat.errors import PayloadDamaged

KIND = "X25519"
RECIPIENT_PREFIX = "age"
IDENTITY_PREFIX = "AGE-SECRET-KEY-"

_LABEL = b"age-encryption.org/v1/X25519"


@frozen
class X25519Recipient:
    """A public key, `age1…`."""

    key: X25519PublicKey

    @classmethod
    def parse(cls, text: str) -> X25519Recipient:
        """Raises `ValueError`, whose message holds nothing of the text, which may be a secret."""
        prefix, data = bech32.decode(text)
        if prefix != RECIPIENT_PREFIX:
            raise ValueError("it is a plug-in's key, which is not supported; `bakthat keygen` makes one that is")
        if len(data) != 32:
            raise ValueError("it has the wrong length")
        key = X25519PublicKey.from_public_bytes(data)
        if is_of_low_order(key):
            raise ValueError("it is a point of low order, to which nothing can be encrypted")
        return cls(key)

    def __str__(self) -> str:
        return bech32.encode(RECIPIENT_PREFIX, self.key.public_bytes_raw())

    def wrap(self, file_key: bytes, random: Callable[[int], bytes]) -> Stanza:
        """Return the stanza for this recipient."""
        ephemeral = X25519PrivateKey.from_private_bytes(random(32))
        share = ephemeral.public_key().public_bytes_raw()
        wrap_key = _wrap_key(ephemeral.exchange(self.key), share, self.key)
        return Stanza(kind=KIND, arguments=(to_base64(share),), body=encrypt_file_key(wrap_key, file_key))


@frozen
class X25519Identity:
    """A private key, `AGE-SECRET-KEY-1…`."""

    key: X25519PrivateKey = field(repr=False)

    @classmethod
    def parse(cls, text: str) -> X25519Identity:
        """Raises `ValueError`, whose message holds nothing of the text."""
        prefix, data = bech32.decode(text)
        if prefix != IDENTITY_PREFIX or len(data) != 32:
            raise ValueError("it has the wrong length")
        return cls(X25519PrivateKey.from_private_bytes(data))

    @property
    def recipient(self) -> X25519Recipient:
        """The public key that belongs to it."""
        return X25519Recipient(self.key.public_key())

    def unwrap(self, stanza: Stanza) -> bytes | None:
        """Return the file key; None if the stanza is for another recipient. Raises `PayloadDamaged`."""
        if stanza.kind != KIND:
            return None
        share = from_base64(stanza.arguments[0].encode()) if len(stanza.arguments) == 1 else None
        if share is None or len(share) != 32:
            raise PayloadDamaged("the age header is damaged: the share of an X25519 recipient")
        try:
            secret = self.key.exchange(X25519PublicKey.from_public_bytes(share))
        except ValueError:
            secret = None
        if secret is None:
            raise PayloadDamaged("the age header is damaged: the share of an X25519 recipient is of low order")
        return decrypt_file_key(_wrap_key(secret, share, self.key.public_key()), stanza.body)


def is_of_low_order(key: X25519PublicKey) -> bool:
    """Whether every exchange with the key gives zero (RFC 7748, section 6.1)."""
    try:
        X25519PrivateKey.from_private_bytes(bytes(32)).exchange(key)
    except ValueError:
        return True
    return False


def _wrap_key(secret: bytes, share: bytes, recipient: X25519PublicKey) -> bytes:
    return hkdf(secret, salt=share + recipient.public_bytes_raw(), info=_LABEL)
