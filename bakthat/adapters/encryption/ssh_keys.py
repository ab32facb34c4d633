"""SSH keys as OpenSSH keeps them: public keys in one line, private ones in PEM files, read by `cryptography`."""

from __future__ import annotations

import base64
import contextlib
import warnings

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_ssh_private_key,
    load_ssh_public_key,
)

PublicKey = Ed25519PublicKey | RSAPublicKey
PrivateKey = Ed25519PrivateKey | RSAPrivateKey

KINDS = ("ssh-ed25519", "ssh-rsa")

LEAST_RSA_BITS = 2048
"""As the age program demands of a key that it encrypts to."""

MOST_ROUNDS = 4096
"""Rounds of bcrypt that are computed for a passphrase: some 40 s. `ssh-keygen` takes 16; damage may make it 2^32."""

_OPENSSH = b"-----BEGIN OPENSSH PRIVATE KEY-----"
_OPENSSH_MAGIC = b"openssh-key-v1\0"


class PassphraseNeeded(Exception):
    """The private key is encrypted, and no passphrase was given."""


class WrongPassphrase(Exception):
    """The passphrase is another one."""


def parse_public_key(line: str) -> PublicKey:
    """Return the public key in a line of `authorized_keys`, without options, or of a `.pub` file.

    Raises:
        ValueError: It is invalid, or of a kind or a size that nothing is encrypted to. The message has nothing of it.
    """
    if "\n" in line.strip():
        raise ValueError("it has several lines; name a file of keys with `recipients_files=`")
    kind, *fields = line.split()
    if kind not in KINDS:
        raise ValueError("it is an SSH key of a kind that age does not encrypt to; it takes ssh-ed25519 and ssh-rsa")
    key = None
    with contextlib.suppress(ValueError, UnsupportedAlgorithm, IndexError):
        key = load_ssh_public_key(f"{kind} {fields[0]}".encode())
    if not isinstance(key, PublicKey):
        raise ValueError("it is a malformed SSH key: its Base64 is damaged or cut short")  # noqa: TRY004
    if isinstance(key, RSAPublicKey) and key.key_size < LEAST_RSA_BITS:
        raise ValueError(f"it is an RSA key of {key.key_size} bits; less than {LEAST_RSA_BITS} are too weak")
    return key


def foreign_kind(line: str) -> str | None:
    """Return the kind of the SSH public key in the line, if it is a key of a kind that age does not encrypt to."""
    kind, _, rest = line.partition(" ")
    with contextlib.suppress(ValueError):
        inner, _ = _string(base64.b64decode(rest.partition(" ")[0], validate=True))
        if inner == kind.encode() and kind not in KINDS:
            return kind
    return None


def public_line(key: PublicKey) -> str:
    """The key as `ssh-ed25519 AAAA…`, without a comment."""
    return key.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode("ascii")


def wire_format(key: PublicKey) -> bytes:
    """The bytes that the Base64 of the line stands for (RFC 4253, section 6.6)."""
    return base64.b64decode(public_line(key).split()[1])


def parse_private_key(pem: bytes, passphrase: bytes | None = None) -> PrivateKey:
    """Return the private key in a PEM file.

    Raises:
        PassphraseNeeded, WrongPassphrase: It is encrypted.
        ValueError: It is invalid, or of a kind that age does not know. The message has nothing of it.
    """
    if passphrase is not None and _rounds(pem) > MOST_ROUNDS:
        raise ValueError(f"its passphrase takes more than {MOST_ROUNDS} rounds of bcrypt; the file is damaged")
    load = load_ssh_private_key if pem.startswith(_OPENSSH) else load_pem_private_key
    failure: Exception = ValueError("it is a malformed private key")
    key = None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of old kinds such as DSA; the error below names what is taken
            key = load(pem.replace(b"\r\n", b"\n"), passphrase)
    except TypeError:
        failure = PassphraseNeeded()
    except UnsupportedAlgorithm as error:
        if "bcrypt" in str(error):
            failure = ValueError("it is encrypted as only the package bcrypt can decrypt it; run: pip install bcrypt")
        else:
            failure = ValueError("it is a private key of a kind or an encryption that is not supported")
    except ValueError as error:
        # OpenSSH's format says of a wrong passphrase only that a checksum is broken.
        if passphrase is not None and any(word in str(error).lower() for word in ("password", "checksum")):
            failure = WrongPassphrase()
    # Raised here, since those errors may hold what was read.
    if key is None:
        raise failure
    if not isinstance(key, PrivateKey):
        raise ValueError("it is an SSH key of a kind that age does not know; it takes Ed25519 and RSA")  # noqa: TRY004
    return key


def public_key_of_locked(pem: bytes) -> PublicKey | None:
    """Return the public key in the file of an encrypted private key; None if it is not in it: only OpenSSH's own format
    has it. It is not authentic, and only tells which key a file may be."""
    with contextlib.suppress(ValueError):
        _, rest = _key_derivation(pem)
        wire, _ = _string(rest[4:])  # behind the number of keys
        kind, _ = _string(wire)
        return parse_public_key(f"{kind.decode('ascii')} {base64.b64encode(wire).decode('ascii')}")
    return None


def _rounds(pem: bytes) -> int:
    """The rounds of bcrypt that an encrypted key in OpenSSH's format takes; 0 for any other file."""
    with contextlib.suppress(ValueError):
        options, _ = _key_derivation(pem)
        _, rounds = _string(options)  # behind the salt
        return int.from_bytes(rounds[:4], "big")
    return 0


def _key_derivation(pem: bytes) -> tuple[bytes, bytes]:
    """The options of the key derivation, and what follows them (OpenSSH, PROTOCOL.key). Raises `ValueError`."""
    parts = pem.split(b"-----")
    if not pem.startswith(_OPENSSH) or len(parts) < 3:
        raise ValueError("another format")
    body = base64.b64decode(b"".join(parts[2].split()))
    if not body.startswith(_OPENSSH_MAGIC):
        raise ValueError("another format")
    _, rest = _string(body[len(_OPENSSH_MAGIC) :])  # the cipher
    _, rest = _string(rest)  # the name of the key derivation
    return _string(rest)


def private_pem(key: PrivateKey) -> str:
    """The private key as OpenSSH writes it, not encrypted."""
    return key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()).decode("ascii")


def _string(data: bytes) -> tuple[bytes, bytes]:
    """A `string` of RFC 4251, section 5, and what follows it. Raises `ValueError`."""
    length = int.from_bytes(data[:4], "big")
    if len(data) < 4 + length:
        raise ValueError("cut short")
    return data[4 : 4 + length], data[4 + length :]
