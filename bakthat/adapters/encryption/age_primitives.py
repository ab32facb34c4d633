"""What several parts of age v1 use: HKDF with SHA-256, and Base64 in its one canonical form without padding."""

from __future__ import annotations

import base64

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

FILE_KEY_SIZE = 16
"""Bytes of the random key of a file, which its header wraps for each recipient."""

NONCE_SIZE = 16
"""Bytes between the header and the first chunk, from which the payload's key is derived."""

TAG_SIZE = 16
"""Bytes that ChaCha20-Poly1305 adds to what it encrypts."""


def hkdf(material: bytes, *, salt: bytes, info: bytes) -> bytes:
    return HKDF(algorithm=SHA256(), length=32, salt=salt, info=info).derive(material)


def to_base64(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii").rstrip("=")


def from_base64(text: bytes) -> bytes | None:
    """Return the bytes; None if this is not exactly how `to_base64` writes them."""
    try:
        data = base64.b64decode(text + b"=" * (-len(text) % 4), validate=True)
    except ValueError:
        return None
    return data if to_base64(data).encode() == text else None
