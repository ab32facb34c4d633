"""What several parts of age v1 use: HKDF with SHA-256, wrapped file keys, and Base64 in its one canonical form without
padding."""

from __future__ import annotations

import base64

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from bakthat.errors import PayloadDamaged

FILE_KEY_SIZE = 16
"""Bytes of the random key of a file, which its header wraps for each recipient."""

NONCE_SIZE = 16
"""Bytes between the header and the first chunk, from which the payload's key is derived."""

TAG_SIZE = 16
"""Bytes that ChaCha20-Poly1305 adds to what it encrypts."""

_ZERO_NONCE = bytes(12)


def hkdf(material: bytes, *, salt: bytes, info: bytes) -> bytes:
    return HKDF(algorithm=SHA256(), length=32, salt=salt, info=info).derive(material)


def encrypt_file_key(wrap_key: bytes, file_key: bytes) -> bytes:
    """Return the body of a stanza. A wrap key is used once, so the nonce may be zero."""
    return ChaCha20Poly1305(wrap_key).encrypt(_ZERO_NONCE, file_key, None)


def decrypt_file_key(wrap_key: bytes, body: bytes) -> bytes | None:
    """Return the file key; None if the wrap key is another one. Raises `PayloadDamaged` for a body of a wrong length,
    which could be made so that several keys open it."""
    if len(body) != FILE_KEY_SIZE + TAG_SIZE:
        raise PayloadDamaged("the age header is damaged: a wrapped key of the wrong length")
    try:
        return ChaCha20Poly1305(wrap_key).decrypt(_ZERO_NONCE, body, None)
    except InvalidTag:
        return None


def to_base64(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii").rstrip("=")


def from_base64(text: bytes) -> bytes | None:
    """Return the bytes; None if this is not exactly how `to_base64` writes them."""
    try:
        data = base64.b64decode(text + b"=" * (-len(text) % 4), validate=True)
    except ValueError:
        return None
    return data if to_base64(data).encode() == text else None
