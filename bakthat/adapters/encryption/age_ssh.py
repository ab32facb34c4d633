"""age's SSH recipients, as the age program takes them (FiloSottile/age, agessh): `ssh-ed25519` and `ssh-rsa`.

They are not anonymous: a stanza has the first four bytes of the key's fingerprint. The specification of age does not
have them; the program defines them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable

from attrs import field, frozen
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.padding import MGF1, OAEP
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.hashes import SHA256

from bakthat.adapters.encryption.age_header import Stanza
from bakthat.adapters.encryption.age_primitives import (
    FILE_KEY_SIZE,
    decrypt_file_key,
    encrypt_file_key,
    from_base64,
    hkdf,
    to_base64,
)
from bakthat.adapters.encryption.age_x25519 import is_of_low_order
from bakthat.adapters.encryption.ed25519_points import montgomery_u
from bakthat.adapters.encryption.ssh_keys import (
    PassphraseNeeded,
    PrivateKey,
    PublicKey,
    parse_private_key,
    parse_public_key,
    public_line,
    wire_format,
)
from bakthat.errors import PayloadDamaged

ED25519 = "ssh-ed25519"
RSA = "ssh-rsa"

_ED25519_LABEL = b"age-encryption.org/v1/ssh-ed25519"
_RSA_LABEL = b"age-encryption.org/v1/ssh-rsa"
_TAG_SIZE = 4


@frozen
class Ed25519Recipient:
    """`ssh-ed25519 AAAA…`: the key as a point of X25519, with an exchange more that binds it to the SSH key."""

    key: Ed25519PublicKey

    def __attrs_post_init__(self) -> None:
        if is_of_low_order(self._point()):
            raise ValueError("it is a point of low order, to which nothing can be encrypted")

    def __str__(self) -> str:
        return public_line(self.key)

    def wrap(self, file_key: bytes, random: Callable[[int], bytes]) -> Stanza:
        """Return the stanza for this recipient."""
        ephemeral = X25519PrivateKey.from_private_bytes(random(32))
        share = ephemeral.public_key().public_bytes_raw()
        point = self._point()
        wrap_key = _ed25519_wrap_key(ephemeral.exchange(point), share, point, wire_format(self.key))
        body = encrypt_file_key(wrap_key, file_key)
        return Stanza(kind=ED25519, arguments=(tag_of(self.key), to_base64(share)), body=body)

    def _point(self) -> X25519PublicKey:
        return X25519PublicKey.from_public_bytes(montgomery_u(self.key.public_bytes_raw()))


@frozen
class Ed25519Identity:
    """The private key of an `ssh-ed25519` key."""

    key: Ed25519PrivateKey = field(repr=False)

    @property
    def recipient(self) -> Ed25519Recipient:
        """The public key that belongs to it."""
        return Ed25519Recipient(self.key.public_key())

    def unwrap(self, stanza: Stanza) -> bytes | None:
        """Return the file key; None if the stanza is for another recipient. Raises `PayloadDamaged`."""
        if stanza.kind != ED25519:
            return None
        share = from_base64(stanza.arguments[1].encode()) if len(stanza.arguments) == 2 else None
        if share is None or len(share) != 32:
            raise PayloadDamaged("the age header is damaged: the share of an ssh-ed25519 recipient")
        public = self.key.public_key()
        if stanza.arguments[0] != tag_of(public):
            return None
        # As EdDSA makes its scalar of the seed (RFC 8032, section 5.1.5).
        scalar = X25519PrivateKey.from_private_bytes(hashlib.sha512(self.key.private_bytes_raw()).digest()[:32])
        point = X25519PublicKey.from_public_bytes(share)
        if is_of_low_order(point):
            raise PayloadDamaged("the age header is damaged: the share of an ssh-ed25519 recipient is of low order")
        wrap_key = _ed25519_wrap_key(scalar.exchange(point), share, scalar.public_key(), wire_format(public))
        return decrypt_file_key(wrap_key, stanza.body)


@frozen
class RsaRecipient:
    """`ssh-rsa AAAA…`: RSA-OAEP with SHA-256."""

    key: RSAPublicKey

    def __str__(self) -> str:
        return public_line(self.key)

    def wrap(self, file_key: bytes, random: Callable[[int], bytes]) -> Stanza:
        """Return the stanza for this recipient. OAEP has its own source of random bytes."""
        return Stanza(kind=RSA, arguments=(tag_of(self.key),), body=self.key.encrypt(file_key, _oaep()))


@frozen
class RsaIdentity:
    """The private key of an `ssh-rsa` key."""

    key: RSAPrivateKey = field(repr=False)

    @property
    def recipient(self) -> RsaRecipient:
        """The public key that belongs to it."""
        return RsaRecipient(self.key.public_key())

    def unwrap(self, stanza: Stanza) -> bytes | None:
        """Return the file key; None if the stanza is for another recipient. Raises `PayloadDamaged`."""
        if stanza.kind != RSA:
            return None
        if len(stanza.arguments) != 1:
            raise PayloadDamaged("the age header is damaged: an ssh-rsa recipient")
        if stanza.arguments[0] != tag_of(self.key.public_key()):
            return None
        try:
            file_key = self.key.decrypt(stanza.body, _oaep())
        except ValueError:
            return None
        if len(file_key) != FILE_KEY_SIZE:
            raise PayloadDamaged("the age header is damaged: a wrapped key of the wrong length")
        return file_key


def parse_ssh_recipient(line: str) -> Ed25519Recipient | RsaRecipient:
    """Return the public key in `ssh-ed25519 AAAA… comment`. Raises `ValueError`, whose message has nothing of it."""
    key: PublicKey = parse_public_key(line)
    return Ed25519Recipient(key) if isinstance(key, Ed25519PublicKey) else RsaRecipient(key)


def parse_ssh_identity(pem: str) -> Ed25519Identity | RsaIdentity:
    """Return the private key in a PEM file that is not encrypted. Raises `ValueError`, which has nothing of it."""
    try:
        key: PrivateKey = parse_private_key(pem.encode())
    except PassphraseNeeded:
        raise ValueError("it is an SSH key that is encrypted with a passphrase") from None
    return Ed25519Identity(key) if isinstance(key, Ed25519PrivateKey) else RsaIdentity(key)


def tag_of(key: PublicKey) -> str:
    """What a stanza has of the key: the first bytes of its fingerprint."""
    return to_base64(hashlib.sha256(wire_format(key)).digest()[:_TAG_SIZE])


def _ed25519_wrap_key(secret: bytes, share: bytes, recipient: X25519PublicKey, wire: bytes) -> bytes:
    tweak = X25519PrivateKey.from_private_bytes(hkdf(b"", salt=wire, info=_ED25519_LABEL))
    tweaked = tweak.exchange(X25519PublicKey.from_public_bytes(secret))
    return hkdf(tweaked, salt=share + recipient.public_bytes_raw(), info=_ED25519_LABEL)


def _oaep() -> OAEP:
    return OAEP(mgf=MGF1(SHA256()), algorithm=SHA256(), label=_RSA_LABEL)
