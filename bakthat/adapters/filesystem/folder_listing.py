"""Lists the files below a folder as keys. An invalid name or unreadable folder is skipped and named."""

from __future__ import annotations

import os
from collections.abc import Callable

from bakthat.adapters.filesystem.printable import printable
from bakthat.domain.object_key import MAX_KEY_BYTES

_MOST_NAMED = 10
_NAME_SHOWN = 80


def keys_below(folder: str, prefix: str, is_hidden: Callable[[str], bool], notice: Callable[[str], None]) -> list[str]:
    """The paths below the folder that start with the prefix, `/`-separated, in no particular order. Names for which
    `is_hidden` are left out. Unreadable folders, such as another user's, and paths longer than a key may be are skipped
    with a notice. Raises `OSError` if the folder itself cannot be read."""
    keys: list[str] = []
    left_out: list[str] = []
    pending = [""]
    while pending:
        base = pending.pop()
        try:
            with os.scandir(f"{folder}/{base}") as entries:
                for entry in entries:
                    key = base + entry.name
                    is_folder = entry.is_dir(follow_symlinks=False)
                    reached = f"{key}/" if is_folder else key
                    if not reached.startswith(prefix) and not (is_folder and prefix.startswith(reached)):
                        continue
                    if len(os.fsencode(reached)) > MAX_KEY_BYTES:
                        left_out.append(f"{_shown(key)} is longer than a key may be and is not listed")
                    elif is_folder:
                        pending.append(reached)
                    elif not is_hidden(entry.name) and _is_text(key):
                        keys.append(key)
        except (FileNotFoundError, NotADirectoryError):
            if not base:
                raise
            # deleted meanwhile
        except OSError as error:
            if not base:
                raise
            left_out.append(f"{_shown(base)} cannot be read, and its contents are not listed: {error.strerror}")
    for line in left_out[:_MOST_NAMED]:
        notice(f"{folder}: {line}")
    if len(left_out) > _MOST_NAMED:
        notice(f"{folder}: {len(left_out) - _MOST_NAMED} more files and folders are not listed")
    return keys


def _shown(key: str) -> str:
    shown = printable(key)
    return shown if len(shown) <= _NAME_SHOWN else f"{shown[:_NAME_SHOWN]}…"


def _is_text(key: str) -> bool:
    try:
        key.encode()
    except UnicodeEncodeError:
        return False
    return True
