"""Age keys as people keep them: files of identities, the key pairs that `bakthat keygen` makes, recipients as text."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from datetime import datetime

from attrs import field, frozen

from bakthat.adapters.encryption import age_x25519, bech32
from bakthat.adapters.encryption.age_keys import parse_identity, parse_recipient
from bakthat.adapters.filesystem.folders import sync_names
from bakthat.adapters.filesystem.home import expand_home
from bakthat.errors import TargetExists, UsageError

_FILE_LIMIT = 1024 * 1024
"""Bytes of the largest key file. That is 10,000 identities; a larger file was not meant to be one."""

_SECRET_SIZE = 32
"""Bytes of a private key, of either kind."""

HYBRID_IDENTITY_PREFIX = "AGE-SECRET-KEY-PQ-"

_ENCRYPTED = (b"age-encryption.org/", b"-----BEGIN AGE")
"""What a file begins with that is itself encrypted with age."""

_PEM = b"-----BEGIN"
"""What a PEM file begins with, such as an SSH key."""

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
    prefix = HYBRID_IDENTITY_PREFIX if post_quantum else age_x25519.IDENTITY_PREFIX
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


def read_identities(path: StrPath, *, notice: Callable[[str], None] | None = None) -> tuple[str, ...]:
    """Return the identities in a file as `age-keygen` writes it: one per line, besides blank lines and `#` comments.

    Args:
        path: The file; `~` is expanded.
        notice: Is called with one line if others may read the file.

    Raises:
        UsageError: The file cannot be read, or a line is invalid. The message names file and line, never the content.
        ConfigInvalid: The path begins with `~`, and there is no home directory.
    """
    expanded = expand_home(path, "identity", instead="give the key file as an absolute path")
    shown = _shown(expanded)
    data, mode = _read(expanded)
    if notice is not None and stat.S_ISREG(mode) and mode & 0o077:
        allowed = stat.S_IMODE(mode)
        notice(f"the identity file {shown} is open to other users (mode {allowed:04o}); run: chmod 600 {shown}")
    if data.startswith(_ENCRYPTED):
        raise UsageError(
            f"the identity file {shown} is itself encrypted; open it first: age -d -o key.txt {shown}, then "
            "`identities=key.txt`"
        )
    if data.startswith(_PEM):
        raise UsageError(f"{shown} is an SSH or another PEM key; only age identities are supported (`bakthat keygen`)")
    text = _text(data)
    if text is None:
        raise UsageError(f"{shown} is not an identity file: it is not UTF-8 text")
    lines = text.split("\n")
    identities = []
    for number, line in enumerate(lines, 1):
        key = line.strip()
        if not key or key.startswith("#"):
            continue
        identities.append(check_identity(key, f"{shown}, line {number}"))
    if not identities:
        raise UsageError(f"{shown} contains no identity, that is, no line that starts with AGE-SECRET-KEY-1")
    return tuple(dict.fromkeys(identities))


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


def _read(path: str) -> tuple[bytes, int]:
    """Return the content of the file, and its mode."""
    try:
        with open(path, "rb") as file:
            # Of the file that was opened, not of whatever has the name by now.
            mode = os.fstat(file.fileno()).st_mode
            data = file.read(_FILE_LIMIT + 1)
    except FileNotFoundError:
        raise UsageError(f"the identity file {_shown(path)} does not exist") from None
    except OSError as error:
        raise UsageError(f"the identity file {_shown(path)} cannot be read: {error.strerror}") from None
    if len(data) > _FILE_LIMIT:
        raise UsageError(f"{_shown(path)} is not an identity file: it is larger than {_FILE_LIMIT} bytes")
    return data, mode


def _text(data: bytes) -> str | None:
    """Return the text without a BOM; None if it is not UTF-8. The decoder's error contains the whole file, so it must
    not become the context of ours."""
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return None


def _shown(path: StrPath) -> str:
    """Quoted, and on one line whatever the name holds."""
    return repr(os.fspath(path))
