"""Recipients and identities of age, and how they wrap a file's key: X25519 and scrypt.

Where the specification leaves a choice, this follows the age program (FiloSottile/age).
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from bakthat.adapters.encryption import bech32
from bakthat.adapters.encryption.age_header import Header, Stanza
from bakthat.adapters.encryption.age_primitives import FILE_KEY_SIZE, TAG_SIZE, from_base64, hkdf, to_base64
from bakthat.domain.payload import Keys
from bakthat.errors import PasswordNeeded, PayloadDamaged, PayloadError, UsageError, WrongPassword

WORK_FACTOR = 18
"""log2 of scrypt's N when encrypting, as the age program has it: 256 MiB and about 0.7 s."""

HIGHEST_WORK_FACTOR = 22
"""log2 of the largest N accepted when decrypting, as the age program has it: 4 GiB and about 12 s."""

RECIPIENT_PREFIX = "age"
IDENTITY_PREFIX = "AGE-SECRET-KEY-"

SALT_SIZE = 16

_SCRYPT_LABEL = b"age-encryption.org/v1/scrypt"
_X25519_LABEL = b"age-encryption.org/v1/X25519"
_ZERO_NONCE = bytes(12)
_DECIMAL = re.compile(r"[1-9][0-9]*", re.ASCII)


def parse_recipient(text: str) -> X25519PublicKey:
    """Return the public key in `age1…`.

    Raises:
        ValueError: It is invalid. The message says why, and holds nothing of the text, which may be a secret.
    """
    if text.upper().startswith("AGE-SECRET-KEY"):
        raise ValueError("it is a secret key; the recipient is the public key that belongs to it and starts with age1")
    if text.startswith("ssh-"):
        raise ValueError("it is an SSH key, and only age keys (age1…) are supported; `bakthat keygen` makes one")
    if not text.startswith("age1"):
        raise ValueError("it does not start with age1")
    prefix, data = bech32.decode(text)
    if prefix != RECIPIENT_PREFIX:
        raise ValueError("it is a plug-in's or a post-quantum key, which is not supported; `bakthat keygen` makes one")
    if len(data) != 32:
        raise ValueError("it has the wrong length")
    key = X25519PublicKey.from_public_bytes(data)
    try:
        X25519PrivateKey.from_private_bytes(bytes(32)).exchange(key)
    except ValueError:
        raise ValueError("it is a point of low order, to which nothing can be encrypted") from None
    return key


def parse_identity(text: str) -> X25519PrivateKey:
    """Return the private key in `AGE-SECRET-KEY-1…`. Raises `ValueError`, whose message holds nothing of the text."""
    if text.startswith("age1"):
        raise ValueError("it is a public key (age1…); an identity starts with AGE-SECRET-KEY-1")
    if text.startswith(("AGE-PLUGIN-", "AGE-SECRET-KEY-PQ-")):
        raise ValueError("it is a plug-in's or a post-quantum identity, which is not supported; the age program may be")
    if not text.startswith("AGE-SECRET-KEY-1"):
        raise ValueError("it does not start with AGE-SECRET-KEY-1")
    prefix, data = bech32.decode(text)
    if prefix != IDENTITY_PREFIX or len(data) != 32:
        raise ValueError("it has the wrong length")
    return X25519PrivateKey.from_private_bytes(data)


def wrap_to_recipients(file_key: bytes, recipients: tuple[str, ...], random: Callable[[int], bytes]) -> list[Stanza]:
    """Wrap the file key for each recipient. Raises `UsageError` that says which one is invalid."""
    stanzas = []
    for place, text in enumerate(recipients, 1):
        try:
            recipient = parse_recipient(text)
        except ValueError as error:
            raise UsageError(f"recipient {place} of {len(recipients)} cannot be used: {error}") from None
        ephemeral = X25519PrivateKey.from_private_bytes(random(32))
        share = ephemeral.public_key().public_bytes_raw()
        wrap_key = _x25519_wrap_key(ephemeral.exchange(recipient), share, recipient)
        body = ChaCha20Poly1305(wrap_key).encrypt(_ZERO_NONCE, file_key, None)
        stanzas.append(Stanza(kind="X25519", arguments=(to_base64(share),), body=body))
    return stanzas


def wrap_with_passphrase(file_key: bytes, passphrase: bytes, salt: bytes, work_factor: int) -> Stanza:
    """Wrap the file key by scrypt. It takes memory and time on purpose: 2^work_factor KiB."""
    wrap_key = _scrypt_wrap_key(passphrase, salt, work_factor)
    body = ChaCha20Poly1305(wrap_key).encrypt(_ZERO_NONCE, file_key, None)
    return Stanza(kind="scrypt", arguments=(to_base64(salt), str(work_factor)), body=body)


def unwrap(header: Header, keys: Keys) -> bytes:
    """Return the file key, by the password or the identity that fits.

    Raises:
        PasswordNeeded: There is no key of the kind that the file needs.
        WrongPassword: None of the keys fits.
        PayloadDamaged: A stanza is invalid.
    """
    kinds = [stanza.kind for stanza in header.stanzas]
    if "scrypt" in kinds:
        # Else somebody who knows a recipient could make files that the password opens.
        if len(kinds) > 1:
            raise PayloadDamaged("the age header is damaged: a password together with other recipients")
        return _unwrap_scrypt(header.stanzas[0], keys.passphrase)
    if not keys.identities:
        raise PasswordNeeded("encrypted to public keys: give a matching identity file with `identities=`")
    for identity in _identities(keys):
        for stanza in header.stanzas:
            file_key = _unwrap_x25519(stanza, identity)
            if file_key is not None:
                return file_key
    if "X25519" not in kinds:
        raise WrongPassword("encrypted to keys of other kinds than age's own (SSH, a plug-in …); `age -d` may open it")
    raise WrongPassword(f"no identity given opens it ({len(keys.identities)} tried): it is encrypted to other keys")


def passphrase_bytes(passphrase: str) -> bytes:
    """The bytes that a terminal sends for it. Bytes in the environment that are not UTF-8 stay what they are."""
    # Not raised while that error is handled: it holds the password, and would be kept as the context.
    with contextlib.suppress(UnicodeEncodeError):
        return passphrase.encode("utf-8", "surrogateescape")
    raise UsageError("the password holds a character that UTF-8 cannot write")


def _identities(keys: Keys) -> list[X25519PrivateKey]:
    identities = []
    for place, text in enumerate(keys.identities, 1):
        try:
            identities.append(parse_identity(text))
        except ValueError as error:
            raise UsageError(f"identity {place} of {len(keys.identities)} cannot be used: {error}") from None
    return identities


def _unwrap_scrypt(stanza: Stanza, passphrase: str | None) -> bytes:
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
    wrap_key = _scrypt_wrap_key(passphrase_bytes(passphrase), salt, int(digits))
    try:
        return ChaCha20Poly1305(wrap_key).decrypt(_ZERO_NONCE, stanza.body, None)
    except InvalidTag:
        raise WrongPassword("the password does not open it") from None


def _unwrap_x25519(stanza: Stanza, identity: X25519PrivateKey) -> bytes | None:
    """The file key; None if the stanza is for another recipient."""
    if stanza.kind != "X25519":
        return None
    share = from_base64(stanza.arguments[0].encode()) if len(stanza.arguments) == 1 else None
    if share is None or len(share) != 32:
        raise PayloadDamaged("the age header is damaged: the share of an X25519 recipient")
    if len(stanza.body) != FILE_KEY_SIZE + TAG_SIZE:
        raise PayloadDamaged("the age header is damaged: a wrapped key of the wrong length")
    try:
        secret = identity.exchange(X25519PublicKey.from_public_bytes(share))
    except ValueError:
        raise PayloadDamaged("the age header is damaged: the share of an X25519 recipient is of low order") from None
    try:
        wrap_key = _x25519_wrap_key(secret, share, identity.public_key())
        return ChaCha20Poly1305(wrap_key).decrypt(_ZERO_NONCE, stanza.body, None)
    except InvalidTag:
        return None


def _scrypt_wrap_key(passphrase: bytes, salt: bytes, work_factor: int) -> bytes:
    try:
        scrypt = Scrypt(salt=_SCRYPT_LABEL + salt, length=32, n=1 << work_factor, r=8, p=1)
        return scrypt.derive(passphrase)
    except MemoryError:
        mebibytes = (1 << work_factor) >> 10  # 128 * N * r bytes (RFC 7914)
        raise PayloadError(f"too little memory for the password: scrypt takes {mebibytes} MiB for a moment") from None


def _x25519_wrap_key(secret: bytes, share: bytes, recipient: X25519PublicKey) -> bytes:
    return hkdf(secret, salt=share + recipient.public_bytes_raw(), info=_X25519_LABEL)
