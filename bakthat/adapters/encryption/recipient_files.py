"""Files of recipients, as `age -R` takes them: one per line, blank lines, and comments that begin with `#`."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable

from bakthat.adapters.encryption.age_keys import parse_recipient
from bakthat.adapters.encryption.ssh_keys import foreign_kind
from bakthat.adapters.filesystem.home import expand_home
from bakthat.adapters.filesystem.small_file import read_small_file, utf8_text
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
    data, mode = read_small_file(expanded, f"{where}: {shown}", limit=_FILE_LIMIT)
    text = utf8_text(data)
    if text is None:
        raise UsageError(f"{where}: {shown} is not a recipients file: it is not UTF-8 text")
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
