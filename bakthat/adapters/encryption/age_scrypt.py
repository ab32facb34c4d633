"""age's passwords (C2SP age specification, "The scrypt recipient type")."""

from __future__ import annotations

import contextlib
import re

from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from bakthat.adapters.encryption.age_header import Stanza
from bakthat.adapters.encryption.age_primitives import (
    FILE_KEY_SIZE,
    TAG_SIZE,
    decrypt_file_key,
    encrypt_file_key,
    from_base64,
    to_base64,
)
from bakthat.errors import PasswordNeeded, PayloadDamaged, PayloadError, UsageError, WrongPassword

KIND = "scrypt"

WORK_FACTOR = 18
"""log2 of scrypt's N when encrypting, as the age program has it: 256 MiB and about 0.7 s."""

HIGHEST_WORK_FACTOR = 22
"""log2 of the largest N accepted when decrypting, as the age program has it: 4 GiB and about 12 s."""

SALT_SIZE = 16

_LABEL = b"age-encryption.org/v1/scrypt"
_DECIMAL = re.compile(r"[1-9][0-9]*", re.ASCII)


def wrap_with_passphrase(file_key: bytes, passphrase: bytes, salt: bytes, work_factor: int) -> Stanza:
    """Wrap the file key by scrypt. It takes memory and time on purpose: 2^work_factor KiB."""
    body = encrypt_file_key(_wrap_key(passphrase, salt, work_factor), file_key)
    return Stanza(kind=KIND, arguments=(to_base64(salt), str(work_factor)), body=body)


def unwrap_with_passphrase(stanza: Stanza, passphrase: str | None) -> bytes:
    """Return the file key. Raises `PasswordNeeded`, `WrongPassword`, `PayloadDamaged`."""
    salt = from_base64(stanza.arguments[0].encode()) if len(stanza.arguments) == 2 else None
    if salt is None or len(salt) != SALT_SIZE or not _DECIMAL.fullmatch(stanza.arguments[1]):
        raise PayloadDamaged("the age header is damaged: salt or work factor of the password")
    digits = stanza.arguments[1]
    if len(digits) > 2 or int(digits) > HIGHEST_WORK_FACTOR:
        raise PayloadDamaged(
            f"its password takes scrypt with work factor 2^{digits[:6]}{'…' * (len(digits) > 6)}; more than "
            f"2^{HIGHEST_WORK_FACTOR} (4 GiB of memory) is refused, here as by the age program"
        )
    if len(stanza.body) != FILE_KEY_SIZE + TAG_SIZE:
        raise PayloadDamaged("the age header is damaged: a wrapped key of the wrong length")
    if not passphrase:
        raise PasswordNeeded("encrypted with a password; give the password (an identity does not decrypt it)")
    file_key = decrypt_file_key(_wrap_key(passphrase_bytes(passphrase), salt, int(digits)), stanza.body)
    if file_key is None:
        raise WrongPassword("the password does not open it")
    return file_key


def passphrase_bytes(passphrase: str) -> bytes:
    """The bytes that a terminal sends for it. Bytes in the environment that are not UTF-8 stay what they are."""
    # Not raised while that error is handled: it holds the password, and would be kept as the context.
    with contextlib.suppress(UnicodeEncodeError):
        return passphrase.encode("utf-8", "surrogateescape")
    raise UsageError("the password holds a character that UTF-8 cannot write")


def _wrap_key(passphrase: bytes, salt: bytes, work_factor: int) -> bytes:
    try:
        scrypt = Scrypt(salt=_LABEL + salt, length=32, n=1 << work_factor, r=8, p=1)
        return scrypt.derive(passphrase)
    except MemoryError:
        mebibytes = (1 << work_factor) >> 10  # 128 * N * r bytes (RFC 7914)
        raise PayloadError(f"too little memory for the password: scrypt takes {mebibytes} MiB for a moment") from None
