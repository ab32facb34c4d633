"""`read_password_file`: the password in a file, such as a secret that a container or a systemd unit gets."""

from __future__ import annotations

import codecs
import stat
from collections.abc import Callable

from bakthat.adapters.filesystem.home import expand_home
from bakthat.adapters.filesystem.small_file import read_small_file, utf8_text
from bakthat.domain.callbacks import ignore
from bakthat.errors import UsageError

_LIMIT = 64 * 1024
"""Bytes. A larger file was not meant to be a password."""


def read_password_file(path: str, where: str, *, notice: Callable[[str], None] = ignore) -> str:
    """Return the content of the file without one line ending at its end, and without a BOM.

    Args:
        path: The file, or a pipe; `~` is expanded.
        where: What names the file (`--password-file`); begins each message.
        notice: Called if every user of the machine may read the file.

    Raises:
        UsageError: The file cannot be read, is empty, or is not one line of text. No message has a part of the content,
            nor has the context of the exception.
        ConfigInvalid: The path begins with `~`, and there is no home directory.
    """
    expanded = expand_home(path, where)
    shown = repr(expanded)
    data, mode = read_small_file(expanded, f"{where}: {shown}", limit=_LIMIT)
    if stat.S_ISREG(mode) and mode & stat.S_IROTH:
        notice(f"{where}: every user may read {shown} (mode {stat.S_IMODE(mode):04o}); run: chmod 600 {shown}")
    line = data.removeprefix(codecs.BOM_UTF8).removesuffix(b"\n").removesuffix(b"\r")
    if not line:
        raise UsageError(f"{where}: {shown} is empty; it must contain the password")
    if b"\n" in line:
        raise UsageError(f"{where}: {shown} has several lines; it must contain the password, and nothing else")
    if b"\0" in line:
        raise UsageError(f"{where}: {shown} contains a NUL, which no password can; is it UTF-16?")
    password = utf8_text(line)
    if password is None:
        raise UsageError(f"{where}: {shown} is not UTF-8 text")
    return password
