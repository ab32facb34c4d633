"""File names as text that is safe to display."""

from __future__ import annotations

import os


def printable(name: bytes | str) -> str:
    """The name for a message: one line, no control character, no escape sequence, encodable in UTF-8. Other characters,
    such as a line feed or a byte that is not UTF-8, are escaped as in Python (`\\n`, `\\udcff`)."""
    text = os.fsdecode(name)
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode("ascii") for char in text)
