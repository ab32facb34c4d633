"""What a terminal shows: its size, how wide a text is in it, and where a line may break."""

from __future__ import annotations

import os
import re
import textwrap
from typing import TextIO

_LEAST_WIDTH = 40
"""Columns. A narrower terminal, or one that says 0, is treated as this wide."""

ELLIPSIS = "…"

_COMMAND = re.compile(r"`[^`]+`")
_SPACE = "\ue000"
"""Stands for a space at which no line breaks: a character for private use."""


def is_terminal(stream: TextIO | None) -> bool:
    """Whether a person reads the stream on a terminal."""
    try:
        return stream is not None and stream.isatty()
    except ValueError:  # it is closed
        return False


def size_of(stream: TextIO) -> tuple[int, int]:
    """Return the columns and lines of the stream's terminal; COLUMNS and LINES go before what it says."""
    try:
        columns, lines = os.get_terminal_size(stream.fileno())
    except (OSError, ValueError):
        columns, lines = 80, 24
    return max(_number("COLUMNS") or columns or 80, _LEAST_WIDTH), _number("LINES") or lines or 24


def _number(variable: str) -> int:
    value = os.environ.get(variable, "")
    return int(value) if value.isascii() and value.isdigit() and len(value) < 6 else 0


def cells(text: str) -> int:
    """Return how many columns the text takes: two for each wide character."""
    if text.isascii():
        return len(text)
    from rich.cells import cell_len

    return cell_len(text)


def padded(text: str, width: int, *, right: bool = False) -> str:
    """Return the text with spaces, as wide as `width` or wider; `right`: they are before it."""
    spaces = " " * (width - cells(text))
    return spaces + text if right else text + spaces


def cut(text: str, width: int) -> str:
    """Return the text, or as much of its beginning as fits `width` with an ellipsis."""
    if cells(text) <= width:
        return text
    kept = text
    while kept and cells(kept) + 1 > width:
        kept = kept[:-1]
    return kept + ELLIPSIS


def cut_inside(text: str, width: int, keep: int) -> str:
    """Return the text, or its beginning and its last `keep` characters with an ellipsis between them."""
    if cells(text) <= width:
        return text
    tail = text[-keep:] if keep else ""
    if cells(tail) + 2 > width:
        return cut(text, width)
    return cut(text, width - cells(tail)) + tail


def wrapped(text: str, width: int, indent: str = "") -> list[str]:
    """Return the text in lines of at most `width`, broken between words only: a longer word has a line of its own, and
    a command in backquotes is one word. `indent` is before every line but the first."""
    if cells(text) <= width:
        return [text]
    lines = textwrap.wrap(
        _COMMAND.sub(lambda found: found[0].replace(" ", _SPACE) if cells(found[0]) < width else found[0], text),
        width,
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
        expand_tabs=False,
        replace_whitespace=False,
    )
    return [line.replace(_SPACE, " ") for line in lines] or [text]
