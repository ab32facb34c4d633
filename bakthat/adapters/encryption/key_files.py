"""Keys as people keep them: the key pairs that `bakthat keygen` makes, and keys as text."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import datetime

from attrs import field, frozen

from bakthat.adapters.encryption import age_x25519, bech32
from bakthat.adapters.encryption.age_keys import parse_identity, parse_recipient
from bakthat.adapters.filesystem.folders import sync_names
from bakthat.errors import TargetExists, UsageError

_SECRET_SIZE = 32
"""Bytes of a private key, of either kind."""

StrPath = str | os.PathLike[str]


@frozen(kw_only=True)
class KeyPair:
    """A key pair. `created`: aware; `recipient`: the public key, `age1…` or `age1pq1…`; `identity`: the private one,
    `AGE-SECRET-KEY-1…` or `AGE-SECRET-KEY-PQ-1…`."""

    created: datetime
    recipient: str
    identity: str = field(repr=False)

    def as_text(self) -> str:
        """What `age-keygen` prints, to the byte; the private key is in it."""
        # RFC 3339 as Go writes it: whole seconds, and Z for UTC.
        created = self.created.isoformat(timespec="seconds").replace("+00:00", "Z")
        return f"# created: {created}\n# public key: {self.recipient}\n{self.identity}\n"


def keygen(
    *, clock: Callable[[], datetime], random: Callable[[int], bytes] = os.urandom, post_quantum: bool = False
) -> KeyPair:
    """Return a new key pair: X25519, or age's hybrid of ML-KEM-768 and X25519.

    Args:
        clock: Returns the current time, aware. age-keygen writes the local time with its offset.
        random: Returns as many unpredictable bytes as its argument says.
        post_quantum: Make a hybrid one.

    Raises:
        UsageError: The installed `cryptography` has no ML-KEM.
    """
    prefix = age_x25519.IDENTITY_PREFIX
    if post_quantum:
        from bakthat.adapters.encryption import age_hybrid

        prefix = age_hybrid.IDENTITY_PREFIX
    identity = bech32.encode(prefix, random(_SECRET_SIZE))
    return KeyPair(created=clock(), recipient=recipient_of(identity), identity=identity)


def write_key_file(path: StrPath, pair: KeyPair) -> None:
    """Write what `age-keygen -o` writes: with mode 0600, whole or not at all.

    Raises:
        TargetExists: Something exists at the path. A key that is overwritten takes its backups with it.
        UsageError: The file cannot be written.
    """
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except FileExistsError:
        raise TargetExists(f"{_shown(path)} exists, and a key is never overwritten; choose another file") from None
    except OSError as error:
        raise UsageError(f"the key file {_shown(path)} cannot be written: {error.strerror}") from None
    try:
        with open(handle, "w", encoding="ascii", newline="\n") as file:
            file.write(pair.as_text())
            file.flush()
            os.fsync(file.fileno())
        sync_names(os.path.dirname(os.path.abspath(path)))
    except BaseException as error:
        os.unlink(path)
        if isinstance(error, OSError):
            raise UsageError(f"the key file {_shown(path)} cannot be written: {error.strerror}") from None
        raise


def check_identity(text: str, where: str) -> str:
    """Return the identity without the white space around it.

    Raises:
        UsageError: It is invalid. The message says where it is (`where`) and why, and nothing of the text.
    """
    try:
        parse_identity(text.strip())
    except ValueError as error:
        raise UsageError(f"{where}: not a usable identity: {error}") from None
    return text.strip()


def check_recipient(text: str, where: str) -> str:
    """Return the recipient in its canonical form: without white space around it, or the comment of an SSH key.

    Raises:
        UsageError: It is invalid. The message says where it is (`where`: `-r`, or `recipients` of a profile) and why,
            and nothing of the text, which may be a secret.
    """
    try:
        return str(parse_recipient(text.strip()))
    except ValueError as error:
        raise UsageError(f"{where}: not a usable recipient: {error}") from None


def recipient_of(identity: str) -> str:
    """Return the recipient of an identity, as `age-keygen -y` does. Raises `UsageError`."""
    return str(parse_identity(check_identity(identity, "the identity")).recipient)


def _shown(path: StrPath) -> str:
    """Quoted, and on one line whatever the name holds."""
    return repr(os.fspath(path))
