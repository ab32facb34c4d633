"""Recipients, the public keys that backups are encrypted to, as texts: their kinds, and how they are recorded."""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Iterable, Sequence

POST_QUANTUM_PREFIX = "age1pq1"
"""What a recipient of age's hybrid type begins with (C2SP age specification, "mlkem768x25519")."""

MIXED = (
    "post-quantum recipients (age1pq1…) and others are mixed: the others would leave the backup open to quantum "
    "computers; name recipients of one kind, or allow it: `allow_mixed_recipients=True`"
)
"""Why such recipients are refused, for a person (C2SP age specification: they should not be mixed)."""

_SSH_KINDS = ("ssh-ed25519", "ssh-rsa")
_LABEL = 62
"""Characters of a label, as many as an X25519 recipient has. Of a longer key, the first are as good as all of them to
recognize it."""

_MOST_TOLD = 5
_LONGEST_TOLD = 100
"""Recipients in a message, and characters of each."""


def kind_of(recipient: str) -> str:
    """The type of the stanza that such a recipient makes: `X25519`, `mlkem768x25519`, `ssh-ed25519`, `ssh-rsa`."""
    if recipient.startswith(POST_QUANTUM_PREFIX):
        return "mlkem768x25519"
    ssh = next((kind for kind in _SSH_KINDS if recipient.startswith(f"{kind} ")), None)
    return ssh or "X25519"


def is_mixed(recipients: Iterable[str]) -> bool:
    """Whether post-quantum and classic recipients are together. The classic ones make the others useless: who breaks
    one key has the file."""
    return len({kind_of(recipient) == "mlkem768x25519" for recipient in recipients}) > 1


def label(recipient: str) -> str:
    """How a recipient is recorded and shown: short, and recognizable.

    That is the recipient itself, `age1…`; of a post-quantum one, which has 1,959 characters, its beginning; of an SSH
    key the fingerprint that `ssh-keygen -l` shows.
    """
    kind, _, rest = recipient.partition(" ")
    if kind in _SSH_KINDS:
        try:
            key = base64.b64decode(rest.partition(" ")[0], validate=True)
        except (binascii.Error, ValueError):
            return f"{kind} (malformed)"
        return f"{kind} {fingerprint(key)}"
    return recipient if len(recipient) <= _LABEL else f"{recipient[:_LABEL]}..."


def fingerprint(ssh_key: bytes) -> str:
    """The fingerprint of an SSH public key in its wire format, as OpenSSH writes it."""
    return f"SHA256:{base64.b64encode(hashlib.sha256(ssh_key).digest()).decode('ascii').rstrip('=')}"


def scheme(recipients: Iterable[str]) -> str:
    """The `scheme` of a record: `age-` and the kind, in lower case; `age-recipients` for several kinds."""
    kinds = {kind_of(recipient).lower() for recipient in recipients}
    return f"age-{kinds.pop()}" if len(kinds) == 1 else "age-recipients"


def told(labels: Sequence[str]) -> str:
    """The recorded recipients for a person: a few, each of a bounded length, since a store may hold anything."""
    shown = [text if len(text) <= _LONGEST_TOLD else f"{text[:_LONGEST_TOLD]}..." for text in labels[:_MOST_TOLD]]
    more = len(labels) - len(shown)
    return ", ".join([*shown, *([f"and {more} more"] if more > 0 else [])])
