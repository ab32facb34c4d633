"""The tokens of a gitignore pattern: literal text, wildcards, character classes, slashes."""

from __future__ import annotations

import re
from typing import Final

from attrs import frozen


class Special:
    """A token or part of a pattern that is neither text nor a glob."""

    def __init__(self, shown: str) -> None:
        self._shown = shown

    def __repr__(self) -> str:
        return self._shown


DEEP: Final = Special("**")
"""Any number of directories."""

ANY_NAME: Final = Special("*")
"""Any one name."""

STAR: Final = Special("*")
"""Any characters of a name."""

ONE: Final = Special("?")
"""One character."""

SLASH: Final = Special("/")

ESCAPED_SLASH: Final = Special("\\/")


@frozen
class CharacterClass:
    """A character class, as a regular expression of one character."""

    expression: str


Token = str | CharacterClass | Special

_LITERAL = re.compile(r"[^\\*?\[/]+")


def tokens_of(text: str) -> list[Token] | None:
    """The pattern's text as literals, stars, slashes …; None if it never matches."""
    tokens: list[Token] = []
    first_wildcard = True
    at, end = 0, len(text)
    while at < end:
        char = text[at]
        if literal := _LITERAL.match(text, at):
            tokens.append(literal[0])
            at = literal.end()
        elif char == "/":
            tokens.append(SLASH)
            at += 1
        elif char == "*":
            after = at + 1 + text.startswith("*", at + 1)
            begins = first_wildcard or text[at - 1] == "/"
            ends = after == end or text[after] == "/" or text.startswith("\\/", after)
            tokens.append(DEEP if after - at > 1 and begins and ends else STAR)
            first_wildcard = False
            at = after
        elif char == "?":
            tokens.append(ONE)
            first_wildcard = False
            at += 1
        elif char == "\\":
            if at + 1 == end:
                return None
            tokens.append(ESCAPED_SLASH if text[at + 1] == "/" else text[at + 1])
            first_wildcard = False
            at += 2
        else:
            found = _class(text, at + 1)
            if found is None:
                return None
            tokens.append(CharacterClass(found[0]))
            first_wildcard = False
            at = found[1]
    return tokens


_POSIX_CLASSES = {
    "alnum": "0-9A-Za-z",
    "alpha": "A-Za-z",
    "blank": r"\ \t",
    "cntrl": r"\x00-\x1f\x7f",
    "digit": "0-9",
    "graph": r"\x21-\x7e",
    "lower": "a-z",
    "print": r"\x20-\x7e",
    "punct": r"\x21-\x2f\x3a-\x40\x5b-\x60\x7b-\x7e",
    "space": r"\t\n\r\ ",
    "upper": "A-Z",
    "xdigit": "0-9A-Fa-f",
}
"""Git's classes: ASCII only, and without vertical tab and form feed among the spaces."""


def _class(text: str, at: int) -> tuple[str, int] | None:
    """The class that begins after the bracket at `at`, and its end; None if it has no end."""
    negated = text[at : at + 1] in ("!", "^")
    at += negated
    members: dict[str, None] = {}
    before = ""  # the character that a following `-` may make the start of a range
    bracket = 0  # the next known closing bracket
    first = True
    while at < len(text) and (first or text[at] != "]"):
        first = False
        char = text[at]
        if char == "\\":
            at += 1
            if at == len(text):
                return None
            before = text[at]
            members[_escaped(before)] = None
        elif char == "-" and before and text[at + 1 : at + 2] not in ("", "]"):
            at += 1
            if text[at] == "\\":
                at += 1
                if at == len(text):
                    return None
            if before <= text[at]:
                members[f"{_escaped(before)}-{_escaped(text[at])}"] = None
            before = ""
        elif text.startswith("[:", at):
            if bracket < at + 2:
                bracket = text.find("]", at + 2)
            if bracket < 0:
                return None
            if text[bracket - 1] == ":" and bracket - 1 > at + 1:
                name = text[at + 2 : bracket - 1]
                if name not in _POSIX_CLASSES:
                    return None
                members[_POSIX_CLASSES[name]] = None
                before = ""
                at = bracket
            else:
                before = "["
                members[_escaped("[")] = None
        else:
            before = char
            members[_escaped(char)] = None
        at += 1
    if at >= len(text):
        return None
    if not members:
        return (r"[\x00-\U0010ffff]" if negated else r"[^\x00-\U0010ffff]"), at + 1
    return f"[{'^' if negated else ''}{''.join(members)}]", at + 1


def _escaped(char: str) -> str:
    return f"\\U{ord(char):08x}"
