"""Small files that people keep secrets and keys in: read whole, up to a limit."""

from __future__ import annotations

import contextlib
import os

from bakthat.errors import UsageError


def read_small_file(path: str, shown: str, *, limit: int) -> tuple[bytes, int]:
    """Return the content of a file or a pipe, and the mode of what was opened.

    Args:
        path: Without `~`.
        shown: Names the file in messages.
        limit: Bytes.

    Raises:
        UsageError: It cannot be read, or is larger. No message has a part of the content.
    """
    try:
        with open(path, "rb") as file:
            # Of the file that was opened, not of whatever has the name by now.
            mode = os.fstat(file.fileno()).st_mode
            data = file.read(limit + 1)
    except FileNotFoundError:
        raise UsageError(f"{shown} does not exist") from None
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "the path contains a NUL"
        raise UsageError(f"{shown} cannot be read: {reason}") from None
    if len(data) > limit:
        raise UsageError(f"{shown} is larger than {limit} bytes, which no such file is")
    return data, mode


def utf8_text(data: bytes) -> str | None:
    """Return the text without a BOM; None if it is not UTF-8.

    The decoder's error contains all of the data, so it must not become the context of an error of bakthat.
    """
    with contextlib.suppress(UnicodeDecodeError):
        return data.decode("utf-8-sig")
    return None
