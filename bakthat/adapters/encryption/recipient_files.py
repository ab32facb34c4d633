"""Files of recipients, as `age -R` takes them: one per line, blank lines, and comments that begin with `#`."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable

from bakthat.adapters.encryption.age_keys import parse_recipient
from bakthat.adapters.encryption.ssh_keys import foreign_kind
from bakthat.adapters.filesystem.home import expand_home
from bakthat.errors import UsageError

_FILE_LIMIT = 16 * 1024 * 1024
_LINE_LIMIT = 8 * 1024
"""Bytes, as the age program has them, and sshd of a line."""

StrPath = str | os.PathLike[str]


def read_recipients(path: StrPath, where: str, *, notice: Callable[[str], None] | None = None) -> tuple[str, ...]:
    """Return the recipients in a file, in their canonical form, each once.

    Args:
        path: The file; `~` is expanded.
        where: What named it: `-R`, or a key of a profile.
        notice: Is called with one line for each SSH key of a kind that cannot be encrypted to, which is passed over;
            and if other users may change the file.

    Raises:
        UsageError: The file cannot be read, a line is invalid, or there is no recipient. The message names file and
            line, and nothing of the content, which may be a secret.
        ConfigInvalid: The path begins with `~`, and there is no home directory.
    """
    expanded = expand_home(path, "recipients file", instead="give the file as an absolute path")
    shown = repr(os.fspath(expanded))
    text, mode = _read(expanded, where)
    if notice is not None and stat.S_ISREG(mode) and mode & 0o022:
        allowed = stat.S_IMODE(mode)
        notice(
            f"{where}: other users may change {shown} (mode {allowed:04o}), and add a key of theirs; run: chmod go-w "
            f"{shown}"
        )
    found: list[str] = []
    for number, line in enumerate(text.split("\n"), 1):
        recipient = line.strip()
        if not recipient or recipient.startswith("#"):
            continue
        place = f"{where}: {shown}, line {number}"
        if len(recipient) > _LINE_LIMIT:
            raise UsageError(f"{place}: longer than {_LINE_LIMIT} characters, which no recipient is")
        try:
            found.append(str(parse_recipient(recipient)))
        except ValueError as error:
            kind = foreign_kind(recipient)
            if kind is not None and notice is not None:
                notice(f"{place}: a key of the kind {kind} is passed over; age takes ssh-ed25519 and ssh-rsa")
                continue
            raise UsageError(f"{place}: not a usable recipient: {error}") from None
    if not found:
        raise UsageError(f"{where}: {shown} contains no recipient, that is, no line such as age1…")
    return tuple(dict.fromkeys(found))


def _read(path: str, where: str) -> tuple[str, int]:
    """Return the text of the file, and its mode."""
    shown = repr(path)
    try:
        with open(path, "rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            data = file.read(_FILE_LIMIT + 1)
    except OSError as error:
        raise UsageError(f"{where}: {shown} cannot be read: {error.strerror}") from None
    if len(data) > _FILE_LIMIT:
        raise UsageError(f"{where}: {shown} is not a recipients file: it is larger than {_FILE_LIMIT} bytes")
    try:
        return data.decode("utf-8-sig"), mode
    except UnicodeDecodeError:
        pass  # its error has the whole content, and would be kept as the context
    raise UsageError(f"{where}: {shown} is not a recipients file: it is not UTF-8 text")
