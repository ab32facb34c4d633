"""Files of identities: as `age-keygen` writes them, encrypted with a passphrase by `age -p`, and private SSH keys.

A file that is encrypted is `locked`: what is in it comes out when somebody gives the passphrase.
"""

from __future__ import annotations

import codecs
import io
import os
import stat
from collections.abc import Callable

from attrs import field, frozen

from bakthat.adapters.encryption.age_armor import dearmored, is_armored
from bakthat.adapters.encryption.age_header import parse_header
from bakthat.adapters.encryption.age_scrypt import KIND as SCRYPT
from bakthat.adapters.encryption.age_scrypt import passphrase_bytes
from bakthat.adapters.encryption.key_files import check_identity
from bakthat.adapters.filesystem.home import expand_home
from bakthat.adapters.filesystem.small_file import read_small_file, utf8_text
from bakthat.domain.payload import AGE_MAGIC, Keys
from bakthat.domain.recipients import label
from bakthat.errors import PayloadError, UsageError, WrongPassword

_FILE_LIMIT = 1024 * 1024
"""Bytes of the largest key file. That is 10,000 identities."""

_PEM = b"-----BEGIN"
"""What a PEM file begins with, such as an SSH key."""

StrPath = str | os.PathLike[str]


@frozen(kw_only=True)
class IdentityFile:
    """A key file.

    `shown`: its path, for messages. `identities`: what it contains, unless it is locked. `unlock`: takes the passphrase
    of a locked file, and returns the identities; raises `WrongPassword` or `UsageError`. `label`: how a record names
    the public key of a locked file, so that nobody is asked in vain; empty if that is not known.
    """

    shown: str
    identities: tuple[str, ...] = field(default=(), repr=False)
    unlock: Callable[[str], tuple[str, ...]] | None = field(default=None, repr=False)
    label: str = ""


def read_identity_file(path: StrPath, *, notice: Callable[[str], None] | None = None) -> IdentityFile:
    """Read a file of identities, one per line besides blank lines and `#` comments, or a private SSH key.

    Args:
        path: The file; `~` is expanded.
        notice: Is called with one line if others may read the file.

    Raises:
        UsageError: The file cannot be read, or a line is invalid. The message names file and line, never the content.
        ConfigInvalid: The path begins with `~`, and there is no home directory.
    """
    expanded = expand_home(path, "identity", instead="give the key file as an absolute path")
    shown = repr(os.fspath(expanded))
    data, mode = read_small_file(expanded, f"the identity file {shown}", limit=_FILE_LIMIT)
    if notice is not None and stat.S_ISREG(mode) and mode & 0o077:
        allowed = stat.S_IMODE(mode)
        notice(f"the identity file {shown} is open to other users (mode {allowed:04o}); run: chmod 600 {shown}")
    if data.startswith(AGE_MAGIC.partition(b"/")[0]) or is_armored(data):
        if not _may_take_a_passphrase(data):
            raise _without_passphrase(shown)
        return IdentityFile(shown=shown, unlock=lambda passphrase: _decrypted(data, passphrase, shown))
    pem = data.removeprefix(codecs.BOM_UTF8).lstrip()
    if pem.startswith(_PEM):
        return _ssh_key(pem, shown)
    return IdentityFile(shown=shown, identities=_identities(data, shown))


def _identities(data: bytes, shown: str) -> tuple[str, ...]:
    text = utf8_text(data)
    if text is None:
        raise UsageError(f"{shown} is not an identity file: it is not UTF-8 text")
    identities = []
    for number, line in enumerate(text.split("\n"), 1):
        key = line.strip()
        if not key or key.startswith("#"):
            continue
        if key.startswith(_PEM.decode()):
            raise _several_keys(shown)
        identities.append(check_identity(key, f"{shown}, line {number}"))
    if not identities:
        raise UsageError(f"{shown} contains no identity, that is, no line that starts with AGE-SECRET-KEY-1")
    return tuple(dict.fromkeys(identities))


def _may_take_a_passphrase(data: bytes) -> bool:
    """Whether nobody would be asked in vain; a damaged file says what is wrong when it is decrypted."""
    try:
        head = b"".join(dearmored(data, io.BytesIO())) if is_armored(data) else data
        return any(stanza.kind == SCRYPT for stanza in parse_header(head)[0].stanzas)
    except PayloadError:
        return True


def _without_passphrase(shown: str) -> UsageError:
    return UsageError(
        f"the key file {shown} is itself encrypted, and not with a passphrase; decrypt it first: age -d -o key.txt "
        f"-i OTHER {shown}"
    )


def _several_keys(shown: str) -> UsageError:
    return UsageError(
        f"the key file {shown} contains an SSH key and something else; give the SSH key a file of its own"
    )


def _decrypted(data: bytes, passphrase: str, shown: str) -> tuple[str, ...]:
    """The identities in a file that `age -p` has encrypted."""
    from bakthat.adapters.encryption.age import AgeCipher

    try:
        with AgeCipher().unsealing(io.BytesIO(data), Keys(passphrase=passphrase)) as reader:
            content = reader.read()
    except WrongPassword as error:
        raise WrongPassword(f"the key file {shown}: {error}") from None
    except PayloadError as error:
        raise UsageError(f"the key file {shown} cannot be decrypted: {error}") from None
    if content.startswith(_PEM):
        inner = _ssh_key(content, shown)
        if inner.unlock is not None:
            raise UsageError(f"the SSH key in the encrypted file {shown} is itself encrypted; encrypt it once")
        return inner.identities
    return _identities(content, shown)


def _ssh_key(pem: bytes, shown: str) -> IdentityFile:
    from bakthat.adapters.encryption.ssh_keys import (
        PassphraseNeeded,
        WrongPassphrase,
        parse_private_key,
        private_pem,
        public_key_of_locked,
        public_line,
    )

    if pem.partition(b"-----END")[2].partition(b"\n")[2].strip():
        raise _several_keys(shown)

    def unlock(passphrase: str) -> tuple[str, ...]:

        try:
            return (private_pem(parse_private_key(pem, passphrase_bytes(passphrase))),)
        except WrongPassphrase:
            raise WrongPassword(f"the passphrase does not open the key file {shown}") from None
        except ValueError as error:
            raise UsageError(f"the key file {shown} cannot be used: {error}") from None

    try:
        return IdentityFile(shown=shown, identities=(private_pem(parse_private_key(pem)),))
    except PassphraseNeeded:
        key = public_key_of_locked(pem)
        return IdentityFile(shown=shown, unlock=unlock, label=label(public_line(key)) if key is not None else "")
    except ValueError as error:
        raise UsageError(f"the key file {shown} cannot be used: {error}") from None
