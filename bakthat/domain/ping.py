"""Pings: what a monitoring service gets, and where (the protocol of healthchecks.io)."""

from __future__ import annotations

import enum
import re

LONGEST_BODY = 10_000
"""Characters of a text that is sent."""

_PATH_SIGNS = {"/", "\\"}

_UP_TO = re.compile(r"(?=[:;,)](?:\s|$))|$")
"""Where the path that a text names ends at the latest: at the sign that closes a part of a sentence."""


class Ping(enum.StrEnum):
    """What has happened; the value is appended to the path of the URL."""

    START = "/start"
    SUCCESS = ""
    FAIL = "/fail"


def ping_url(url: str, ping: Ping) -> str:
    """The URL for this event. A query stays at the end: `https://hc.example.org/UUID/fail?create=1`."""
    match = re.match(r"[^?#]*", url)
    path = match[0] if match else ""
    rest = url[len(path) :].partition("#")[0]
    return f"{path.rstrip('/')}{ping}{rest}" if ping else f"{path}{rest}"


def without_paths(text: str) -> str:
    """The text in one line, with `…` in place of each path and URL, and of what follows it up to the next colon, comma,
    semicolon or bracket: a path may contain spaces."""
    line = " ".join(text[: 2 * LONGEST_BODY].split())
    found: list[str] = []
    place = 0
    for word in re.finditer(r"\S+", line):
        if word.start() < place or not _PATH_SIGNS & set(word[0]):
            continue
        end = _UP_TO.search(line, word.start())
        found.append(line[place : word.start()] + "…")
        place = end.start() if end else len(line)
    return ("".join(found) + line[place:])[:LONGEST_BODY]
