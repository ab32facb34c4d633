"""One pattern of the gitignore grammar, read as git reads it: `read_pattern`.

The rules are those of gitignore(5). The odd cases follow wildmatch.c and dir.c; a property test compares both:

- A pattern without a slash, other than at its end, matches names in every directory; any other matches paths from the
  top.
- `**` crosses directories only as a whole part of a path. But what precedes the first wildcard is compared and cut off
  first, so that the `**` of `/foo**/bar` counts as a whole part, too.
- In a character class `]` is literal as its first character, `-` as its first or last one; `!` and `^` negate.
- A class without an end or with an unknown `[:name:]`, or a backslash at the end: the pattern never matches.

A part of a path is matched chunk by chunk between its stars, each at the first place where it fits. A chunk has a fixed
width, so this finds every match, and no choice is ever taken back.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from operator import methodcaller
from typing import Final

from attrs import frozen

MAX_NAME = 255
"""Characters that a name can have (NAME_MAX of Linux, in bytes). A part that needs more matches nothing."""

MAX_PATTERN = 64 * 1024
"""Characters of a pattern, several stars counted as two: as many as a path has at most in a backup. A longer one is
taken for one that never matches."""

Match = Callable[[str], object]
"""Takes a name; true, in the way of Python, if it matches."""


class Special:
    """A part of a pattern that is neither text nor a glob."""

    def __init__(self, shown: str) -> None:
        self._shown = shown

    def __repr__(self) -> str:
        return self._shown


DEEP: Final = Special("**")
"""Any number of directories."""

ANY_NAME: Final = Special("*")
"""Any one name."""


@frozen
class Glob:
    """A name with wildcards. matches: decides. suffix: of a `*suffix`, else empty."""

    matches: Match
    suffix: str = ""


Part = str | Glob | Special
"""Of a path: the name itself, or what decides about one, or `DEEP`."""


@frozen(kw_only=True)
class Pattern:
    """A pattern that can match.

    takes_back: it begins with `!`.
    only_directories: it ends with a slash.
    name: for a pattern that matches names in every directory: the one that it matches.
    paths: for any other: the paths from the top that it matches; more than one where git reads it in two ways.
    """

    takes_back: bool
    only_directories: bool
    name: Part | None = None
    paths: tuple[tuple[Part, ...], ...] = ()


def read_pattern(line: str) -> Pattern | None:
    """The pattern in a line without its end; None for a comment, a blank line, and what never matches."""
    if line.startswith("#"):
        return None
    text = _without_trailing_spaces(line)
    takes_back = text.startswith("!")
    text = text[1:] if takes_back else text
    only_directories = text.endswith("/")
    text = text[:-1] if only_directories else text
    text = _MANY_STARS.sub("**", text)
    if not 0 < len(text) <= MAX_PATTERN:
        return None
    tokens = _tokens(text.removeprefix("/"))
    if tokens is None:
        return None
    if "/" not in text:
        name = _part(tokens)
        if name is None:
            return None
        return Pattern(takes_back=takes_back, only_directories=only_directories, name=name)
    paths = [_parts(names) for names in _readings([], [], tokens)]
    possible = tuple(path for path in paths if path is not None)
    if not possible:
        return None
    if len(possible) == 1:
        match possible[0]:
            case (deep, part) if deep is DEEP and part is not DEEP:  # `**/name`
                return Pattern(takes_back=takes_back, only_directories=only_directories, name=part)
            case (any_name, deep) if any_name is ANY_NAME and deep is DEEP:  # `/**`
                return Pattern(takes_back=takes_back, only_directories=only_directories, name=ANY_NAME)
    return Pattern(takes_back=takes_back, only_directories=only_directories, paths=possible)


_MANY_STARS = re.compile(r"\*{3,}")


def _without_trailing_spaces(line: str) -> str:
    """The line without the spaces at its end; one after a backslash stays."""
    text = line.rstrip(" ")
    if len(text) < len(line) and (len(text) - len(text.rstrip("\\"))) % 2:
        return text + " "
    return text


# -- tokens ------------------------------------------------------------------------------------------------------------

_STAR: Final = Special("*")
_ONE: Final = Special("?")
_SLASH: Final = Special("/")
_ESCAPED_SLASH: Final = Special("\\/")


@frozen
class _Class:
    """A character class, as a regular expression of one character."""

    expression: str


_Token = str | _Class | Special

_LITERAL = re.compile(r"[^\\*?\[/]+")


def _tokens(text: str) -> list[_Token] | None:
    """The pattern's text as literals, stars, slashes …; None if it never matches."""
    tokens: list[_Token] = []
    first_wildcard = True
    at, end = 0, len(text)
    while at < end:
        char = text[at]
        if literal := _LITERAL.match(text, at):
            tokens.append(literal[0])
            at = literal.end()
        elif char == "/":
            tokens.append(_SLASH)
            at += 1
        elif char == "*":
            after = at + 1 + text.startswith("*", at + 1)
            begins = first_wildcard or text[at - 1] == "/"
            ends = after == end or text[after] == "/" or text.startswith("\\/", after)
            tokens.append(DEEP if after - at > 1 and begins and ends else _STAR)
            first_wildcard = False
            at = after
        elif char == "?":
            tokens.append(_ONE)
            first_wildcard = False
            at += 1
        elif char == "\\":
            if at + 1 == end:
                return None
            tokens.append(_ESCAPED_SLASH if text[at + 1] == "/" else text[at + 1])
            first_wildcard = False
            at += 2
        else:
            found = _class(text, at + 1)
            if found is None:
                return None
            tokens.append(_Class(found[0]))
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
"""As git has them: of ASCII only, and without the vertical tab and the form feed among spaces."""


def _class(text: str, at: int) -> tuple[str, int] | None:
    """The class that begins after the bracket at `at`, and where it ends; None if it never does."""
    negated = text[at : at + 1] in ("!", "^")
    at += negated
    members: dict[str, None] = {}
    before = ""  # the character that a following `-` may make the start of a range
    bracket = 0  # the next closing one that is known
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


# -- parts of a path ---------------------------------------------------------------------------------------------------

_Name = list[_Token] | Special


def _readings(done: list[_Name], current: list[_Token], tokens: list[_Token]) -> list[list[_Name]]:
    """The tokens, cut at their slashes, after the names that are `done` and the beginning of the current one. Two
    readings where a `**` follows the beginning of a name: `/foo**/bar` matches `foobar`, and `foo*`, then `bar`
    anywhere below."""
    done, current = list(done), list(current)
    at = 0
    while at < len(tokens):
        token = tokens[at]
        at += 1
        if token is _SLASH or token is _ESCAPED_SLASH:
            done.append(current)
            current = []
        elif token is not DEEP:
            current.append(token)
        elif at == len(tokens):
            done += [[*current, _STAR], DEEP] if current else [ANY_NAME, DEEP]
            return [done]
        else:
            slash = tokens[at]
            at += 1
            if not current:
                done += [DEEP] if slash is _SLASH else [ANY_NAME, DEEP]
                continue
            while slash is _SLASH and tokens[at : at + 2] == [DEEP, _SLASH]:  # once is as good
                at += 2
            below = _readings([*done, [*current, _STAR], DEEP], [], tokens[at:])
            return below if slash is _ESCAPED_SLASH else below + _readings(done, current, tokens[at:])
    return [[*done, current]]


def _parts(names: list[_Name]) -> tuple[Part, ...] | None:
    parts: list[Part] = []
    for name in names:
        part = name if isinstance(name, Special) else _part(name)
        if part is None:
            return None
        if not (part is DEEP and parts and parts[-1] is DEEP):
            parts.append(part)
    return tuple(parts)


def _part(tokens: list[_Token]) -> Part | None:
    """What matches a name; None if nothing can."""
    if _is_text(tokens):
        return _text(tokens) if 0 < len(_text(tokens)) <= MAX_NAME else None
    chunks: list[list[_Token]] = [[]]
    for token in tokens:
        if token is _STAR or token is DEEP:
            chunks.append([])
        else:
            chunks[-1].append(token)
    widths = [sum(len(token) if isinstance(token, str) else 1 for token in chunk) for chunk in chunks]
    if sum(widths) > MAX_NAME:
        return None
    if len(chunks) > 1 and not any(widths):
        return ANY_NAME
    first, last = chunks[0], chunks[-1]
    if len(chunks) == 2 and not first and _is_text(last):
        return Glob(methodcaller("endswith", _text(last)), suffix=_text(last))
    if len(chunks) == 2 and not last and _is_text(first):
        return Glob(methodcaller("startswith", _text(first)))
    expressions = ["".join(map(_expression, chunk)) for chunk in chunks]
    expression = expressions[0]
    if len(chunks) > 1:
        # Atomic groups: the first place where a chunk fits is kept.
        expression += "".join(f"(?>.*?{chunk})" for chunk in expressions[1:-1] if chunk)
        expression += f"(?=.{{{widths[-1]}}}).*+(?<={expressions[-1]})" if expressions[-1] else ".*+"
    return Glob(re.compile(expression, re.DOTALL).fullmatch)


def _is_text(tokens: list[_Token]) -> bool:
    return all(isinstance(token, str) for token in tokens)


def _text(tokens: list[_Token]) -> str:
    return "".join(token for token in tokens if isinstance(token, str))


def _expression(token: _Token) -> str:
    if isinstance(token, str):
        return re.escape(token)
    return token.expression if isinstance(token, _Class) else "."
