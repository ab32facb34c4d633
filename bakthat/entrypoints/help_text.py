"""How help is laid out: lines break between words, and never after the hyphen of an option."""

from __future__ import annotations

from collections.abc import Iterable

import click

_HYPHEN = "\u2011"
"""A hyphen after which no line breaks. It stands for the others while click wraps the text."""


class HelpFormatter(click.HelpFormatter):
    """click's, whose lines break between words only."""

    def write(self, string: str) -> None:
        super().write(string.replace(_HYPHEN, "-"))

    def write_usage(self, prog: str, args: str = "", prefix: str | None = None) -> None:
        super().write_usage(prog, _kept_together(args), prefix)

    def write_text(self, text: str) -> None:
        super().write_text(_kept_together(text))

    def write_dl(self, rows: Iterable[tuple[str, str]], col_max: int = 30, col_spacing: int = 2) -> None:
        kept = [(_kept_together(first), _kept_together(second)) for first, second in rows]
        super().write_dl(kept, col_max, col_spacing)


class Context(click.Context):
    """Of every command."""

    formatter_class = HelpFormatter


def _kept_together(text: str) -> str:
    return text.replace("-", _HYPHEN)
