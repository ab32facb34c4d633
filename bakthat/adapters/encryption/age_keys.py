"""Recipients and identities of age, of every kind, and how they wrap a file's key.

Where the specification leaves a choice, this follows the age program (FiloSottile/age). The kinds that are used rarely
are imported when one is parsed: each takes some milliseconds.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Protocol

from bakthat.adapters.encryption.age_header import Header, Stanza
from bakthat.adapters.encryption.age_scrypt import KIND as SCRYPT
from bakthat.adapters.encryption.age_scrypt import unwrap_with_passphrase
from bakthat.adapters.encryption.age_x25519 import X25519Identity, X25519Recipient
from bakthat.domain.payload import Keys
from bakthat.domain.recipients import POST_QUANTUM_PREFIX
from bakthat.errors import PasswordNeeded, PayloadDamaged, UsageError, WrongPassword

_HYBRID_IDENTITY = "AGE-SECRET-KEY-PQ-1"
_X25519_IDENTITY = "AGE-SECRET-KEY-1"
"""What an identity begins with. A bech32 text has a 1 behind its prefix."""

_PEM = "-----BEGIN"

_KNOWN = {"X25519": "age1…", "mlkem768x25519": "age1pq1…", "ssh-ed25519": "", "ssh-rsa": ""}
"""The kinds of stanzas, and how the recipient of one begins."""
_TAG = re.compile(r"[A-Za-z0-9+/]{6}")
"""The tag of an SSH key: four bytes in Base64, of which the first five digits are those of its fingerprint."""
_MOST_SHOWN = 5


class Recipient(Protocol):
    """A public key. Its `str` is its text in the one canonical form."""

    def wrap(self, file_key: bytes, random: Callable[[int], bytes]) -> Stanza:
        """Return the stanza for this recipient."""


class Identity(Protocol):
    """A private key, which does not show in `repr`."""

    @property
    def recipient(self) -> Recipient:
        """The public key that belongs to it."""

    def unwrap(self, stanza: Stanza) -> bytes | None:
        """Return the file key; None if the stanza is for another recipient.

        Raises:
            PayloadDamaged: The stanza is of this kind, and invalid.
        """


def parse_recipient(text: str) -> Recipient:
    """Return the public key in `age1…`, `age1pq1…`, `ssh-ed25519 …` or `ssh-rsa …`.

    Raises:
        ValueError: It is invalid. The message says why, and holds nothing of the text, which may be a secret.
    """
    if "AGE-SECRET-KEY-" in text.upper():  # also as a line of a key file
        raise ValueError("it is a secret key; the recipient is the public key that belongs to it and starts with age1")
    if text.startswith(_PEM):
        raise ValueError("it is a private key; the recipient is the line in the .pub file that belongs to it")
    if text.startswith(("ssh-", "ecdsa-", "sk-")):
        from bakthat.adapters.encryption.age_ssh import parse_ssh_recipient

        return parse_ssh_recipient(text)
    if text.startswith(POST_QUANTUM_PREFIX):
        from bakthat.adapters.encryption.age_hybrid import HybridRecipient

        return HybridRecipient.parse(text)
    if not text.startswith("age1"):
        raise ValueError("it does not start with age1 or ssh-; name a file of keys with `recipients_files=`")
    return X25519Recipient.parse(text)


def parse_identity(text: str) -> Identity:
    """Return the private key in `AGE-SECRET-KEY-1…`, `AGE-SECRET-KEY-PQ-1…`, or in the text of an SSH key's file.

    Raises:
        ValueError: It is invalid. The message says why, and holds nothing of the text.
    """
    if text.startswith("age1"):
        raise ValueError("it is a public key (age1…); an identity starts with AGE-SECRET-KEY-1")
    if text.startswith("ssh-"):
        raise ValueError("it is the public key of an SSH key; the identity is the file without .pub")
    if text.startswith("AGE-PLUGIN-"):
        raise ValueError("it is a plug-in's identity, which is not supported; the age program may be able to use it")
    if text.startswith(_HYBRID_IDENTITY):
        from bakthat.adapters.encryption.age_hybrid import HybridIdentity

        return HybridIdentity.parse(text)
    if text.startswith(_PEM):
        from bakthat.adapters.encryption.age_ssh import parse_ssh_identity

        return parse_ssh_identity(text)
    if not text.startswith(_X25519_IDENTITY):
        raise ValueError("it does not start with AGE-SECRET-KEY-1")
    return X25519Identity.parse(text)


def wrap_to_recipients(file_key: bytes, recipients: Sequence[str], random: Callable[[int], bytes]) -> list[Stanza]:
    """Wrap the file key for each recipient. Raises `UsageError` that says which one is invalid."""
    stanzas = []
    for place, text in enumerate(recipients, 1):
        try:
            recipient = parse_recipient(text)
        except ValueError as error:
            raise UsageError(f"recipient {place} of {len(recipients)} cannot be used: {error}") from None
        stanzas.append(recipient.wrap(file_key, random))
    return stanzas


def unwrap(header: Header, keys: Keys, *, parsed: Sequence[Identity] | None = None) -> bytes:
    """Return the file key, by the password or the identity that fits.

    Args:
        header: The header of the file.
        keys: The password, and the identities.
        parsed: The identities as `parse_identities` returns them, for a caller that unwraps often.

    Raises:
        PasswordNeeded: There is no key of the kind that the file needs.
        WrongPassword: None of the keys fits.
        PayloadDamaged: A stanza is invalid.
    """
    kinds = [stanza.kind for stanza in header.stanzas]
    if SCRYPT in kinds:
        # Else somebody who knows a recipient could make files that the password opens.
        if len(kinds) > 1:
            raise PayloadDamaged("the age header is damaged: a password together with other recipients")
        return unwrap_with_passphrase(header.stanzas[0], keys.passphrase)
    known = list(filter(None, map(_described, header.stanzas)))
    if not known:
        raise WrongPassword("encrypted to keys of other kinds than bakthat knows (a plug-in …); `age -d` may open it")
    if not keys.identities:
        raise PasswordNeeded("encrypted to public keys: give a matching identity file with `identities=`")
    for identity in parse_identities(keys) if parsed is None else parsed:
        for stanza in header.stanzas:
            file_key = identity.unwrap(stanza)
            if file_key is not None:
                return file_key
    raise WrongPassword(
        f"no identity given opens it ({len(keys.identities)} tried): it is encrypted to other keys ({_shown(known)})"
    )


def _shown(known: Sequence[str]) -> str:
    kinds = list(dict.fromkeys(known))
    return ", ".join(kinds[:_MOST_SHOWN]) + ", …" * (len(kinds) > _MOST_SHOWN)


def _described(stanza: Stanza) -> str:
    """The recipient, as far as a stanza tells it; empty if it is of an unknown kind."""
    if stanza.kind.startswith("ssh-") and stanza.kind in _KNOWN:
        tag = stanza.arguments[0] if stanza.arguments else ""
        return f"{stanza.kind} SHA256:{tag[:5]}…" if _TAG.fullmatch(tag) else stanza.kind
    return _KNOWN.get(stanza.kind, "")


def parse_identities(keys: Keys) -> list[Identity]:
    """Return the identities among the keys; it takes 0.1 s for one of RSA. Raises `UsageError` if one is invalid."""
    identities = []
    for place, text in enumerate(keys.identities, 1):
        try:
            identities.append(parse_identity(text))
        except ValueError as error:
            raise UsageError(f"identity {place} of {len(keys.identities)} cannot be used: {error}") from None
    return identities
