"""Parses one pattern of the gitignore grammar, as git does: `read_pattern`.

The rules are those of gitignore(5). The odd cases follow wildmatch.c and dir.c; a property test compares both:

- A pattern without a slash, other than at its end, matches names in every directory; any other matches paths from the
  top.
- `**` crosses directories only as a whole part of a path. But git first compares and cuts off the text before the first
  wildcard, so the `**` of `/foo**/bar` also counts as a whole part.
- In a character class `]` is literal as its first character, `-` as its first or last one; `!` and `^` negate.
- A class without an end or with an unknown `[:name:]`, or a backslash at the end: the pattern never matches.

A part of a path is matched chunk by chunk between its stars, each at the first place where it fits. A chunk has a fixed
width, so this finds every match without backtracking.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from operator import methodcaller

from attrs import frozen

from bakthat.domain.gitignore_tokens import (
    ANY_NAME,
    DEEP,
    ESCAPED_SLASH,
    SLASH,
    STAR,
    CharacterClass,
    Special,
    Token,
    tokens_of,
)

MAX_NAME = 255
"""The maximum length of a name in characters (NAME_MAX of Linux, in bytes). A part that needs more matches nothing."""

MAX_PATTERN = 64 * 1024
"""The maximum length of a pattern in characters, with several stars counted as two; it is that of a path in a backup. A
longer pattern never matches."""

Match = Callable[[str], object]
"""Takes a name; returns a true value if it matches."""


@frozen
class Glob:
    """A name with wildcards. `suffix`: of a `*suffix`, else empty."""

    matches: Match
    suffix: str = ""


Part = str | Glob | Special
"""A part of a path pattern: a literal name, wildcards, or `DEEP`."""


@frozen(kw_only=True)
class Pattern:
    """A pattern that can match.

    takes_back: it begins with `!`.
    only_directories: it ends with a slash.
    name: for a pattern that matches names in every directory: that name.
    paths: for any other: the paths from the top that it matches; more than one if git reads it in two ways.
    """

    takes_back: bool
    only_directories: bool
    name: Part | None = None
    paths: tuple[tuple[Part, ...], ...] = ()


def read_pattern(line: str) -> Pattern | None:
    """The pattern in a line without its line ending; None for a comment, a blank line, or one that never matches."""
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
    tokens = tokens_of(text.removeprefix("/"))
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
    """The line without trailing spaces; one after a backslash is kept."""
    text = line.rstrip(" ")
    if len(text) < len(line) and (len(text) - len(text.rstrip("\\"))) % 2:
        return text + " "
    return text


_Name = list[Token] | Special


def _readings(done: list[_Name], current: list[Token], tokens: list[Token]) -> list[list[_Name]]:
    """The tokens, split at their slashes, after the names that are `done` and the beginning of the current one. There
    are two readings if a `**` follows the beginning of a name: `/foo**/bar` matches `foobar`, and `foo*`, then `bar`
    anywhere below."""
    done, current = list(done), list(current)
    at = 0
    while at < len(tokens):
        token = tokens[at]
        at += 1
        if token is SLASH or token is ESCAPED_SLASH:
            done.append(current)
            current = []
        elif token is not DEEP:
            current.append(token)
        elif at == len(tokens):
            done += [[*current, STAR], DEEP] if current else [ANY_NAME, DEEP]
            return [done]
        else:
            slash = tokens[at]
            at += 1
            if not current:
                done += [DEEP] if slash is SLASH else [ANY_NAME, DEEP]
                continue
            while slash is SLASH and tokens[at : at + 2] == [DEEP, SLASH]:  # repeated ones are equivalent
                at += 2
            below = _readings([*done, [*current, STAR], DEEP], [], tokens[at:])
            return below if slash is ESCAPED_SLASH else below + _readings(done, current, tokens[at:])
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


def _part(tokens: list[Token]) -> Part | None:
    """The matcher of a name; None if it never matches."""
    if _is_text(tokens):
        return _text(tokens) if 0 < len(_text(tokens)) <= MAX_NAME else None
    chunks: list[list[Token]] = [[]]
    for token in tokens:
        if token is STAR or token is DEEP:
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


def _is_text(tokens: list[Token]) -> bool:
    return all(isinstance(token, str) for token in tokens)


def _text(tokens: list[Token]) -> str:
    return "".join(token for token in tokens if isinstance(token, str))


def _expression(token: Token) -> str:
    if isinstance(token, str):
        return re.escape(token)
    return token.expression if isinstance(token, CharacterClass) else "."
