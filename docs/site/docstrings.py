"""The docstrings of bakthat, as Sphinx reads them.

They are written for readers of the source: code is in single backquotes, and an example is indented by four spaces.
Sphinx wants reStructuredText: double backquotes, and a directive before the example.
"""

from __future__ import annotations

import ast
import re
import textwrap
from collections.abc import Sequence

_SECTION = re.compile(r"^(Args|Returns|Raises|Yields):$")
_SPAN = re.compile(r"(``.+?``|`[^`\n]+?`)")
_LISTED = re.compile(r"^(\s*)(`?[\w*]+`?(?:, `?[\w*]+`?)*):(?= )")


def as_rst(lines: Sequence[str]) -> list[str]:
    """The lines of a docstring in reStructuredText, with its sections (`Args:`) as they are."""
    converted: list[str] = []
    in_section = False
    number = 0
    while number < len(lines):
        line = lines[number]
        is_indented = line.startswith(" ")
        if line.strip() and not is_indented:
            in_section = _SECTION.match(line) is not None
        if is_indented and not in_section:
            if number and lines[number - 1].strip():
                line = line.lstrip()  # the continuation of a line
            else:
                block = _indented(lines, number)
                converted += [f".. code-block:: {_language(block)}", "", *block]
                number += len(block)
                continue
        converted.append(_inline(line, in_section))
        number += 1
    return converted


def _indented(lines: Sequence[str], start: int) -> list[str]:
    """The lines from `start` that are indented or blank."""
    end = start
    while end < len(lines) and (lines[end].startswith(" ") or not lines[end].strip()):
        end += 1
    return list(lines[start:end])


def _language(block: Sequence[str]) -> str:
    try:
        ast.parse(textwrap.dedent("\n".join(block)))
    except SyntaxError:
        return "text"
    return "python"


def _inline(line: str, in_section: bool) -> str:
    if in_section:
        line = _LISTED.sub(lambda match: match[1] + match[2].replace("`", "") + ":", line)
    return "".join(_code(part) if number % 2 else _text(part) for number, part in enumerate(_SPAN.split(line)))


def _code(span: str) -> str:
    # The empty escape lets a letter follow, as in `Backup`s.
    return f"``{span.strip('`').strip()}``\\ "


def _text(text: str) -> str:
    return re.sub(r"([*|\\])", r"\\\1", re.sub(r"(\w)_(?!\w)", r"\1\\_", text))
