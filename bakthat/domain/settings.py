"""What a setting may be. Each check gives the value as `Profile` has it, or raises ValueError that says what was
expected."""

from __future__ import annotations

import contextlib
import datetime
import re
from collections.abc import Callable, Mapping
from typing import Any

from bakthat.domain.size import parse_size
from bakthat.errors import UsageError

PART_SIZES = (5 * 2**20, 5 * 2**30)
"""S3's limits of a part, in bytes (AWS: multipart upload limits)."""

_URL = re.compile(r"https?://([^/?#]*@)?(\[[0-9a-f:.]+\]|[^][/?#:@]+)(:[0-9]*)?([/?#]|$)", re.IGNORECASE)
"""Scheme, perhaps a user, a host or an IPv6 address, perhaps a port, and whatever comes then (RFC 3986)."""

_UNITS = {"": 1, "B": 1, "KIB": 2**10, "MIB": 2**20, "GIB": 2**30, "KB": 10**3, "MB": 10**6, "GB": 10**9}


def checked(key: str, kind: str, value: object) -> Any:
    """The value of the setting `key`, whose type in `Profile` is written `kind`. None is fine where that says so."""
    if value is None and kind.endswith("| None"):
        return None
    return _BY_KEY.get(key, _BY_KIND[kind.removesuffix(" | None")])(value)


def _text(value: object) -> str:
    if isinstance(value, str):
        return value
    if not isinstance(value, int | float | datetime.date):
        raise ValueError(f"expected text, found {kind_of(value)}")  # noqa: TRY004 - one kind of error
    # 012345 is 5349 in YAML, and 2026-01-02 a date: what was meant is lost, so nothing is guessed.
    raise ValueError(f"expected text, found {kind_of(value)}: put it in quotes")


def _yes_or_no(value: object) -> bool:
    if isinstance(value, bool):
        return value
    if value == 0:
        return False  # `compress: 0`, as 2013 took it
    raise ValueError(f"expected true or false, found {kind_of(value)}")


def _texts(value: object) -> tuple[str, ...]:
    if isinstance(value, str):
        return (value,)
    if isinstance(value, list | tuple) and all(isinstance(item, str) and item for item in value):
        return tuple(value)
    raise ValueError("expected a list of texts")


def _mapping(value: object) -> Mapping[str, Any]:
    if isinstance(value, Mapping):
        return value
    raise ValueError(f"expected settings (`name: value` lines below it), found {kind_of(value)}")


def _path(value: object) -> str:
    # os.PathLike, and without it: the domain knows no system.
    as_path = getattr(value, "__fspath__", None)
    return _text(as_path() if as_path is not None else value)


def _url(value: object) -> str:
    url = _text(value)
    if _URL.match(url):
        return url
    raise ValueError("expected a URL that begins with https:// or http://")


def _command(value: object) -> str | tuple[str, ...]:
    if isinstance(value, str):
        return value
    if isinstance(value, list | tuple) and value and all(isinstance(item, str) for item in value) and value[0]:
        return tuple(value)
    raise ValueError("expected a command: a text, or a list of texts")


def _part_size(value: object) -> int:
    size = value
    if isinstance(value, str):
        match = re.fullmatch(r"\s*([0-9]{1,12})\s*([A-Za-z]*)\s*", value)
        size = int(match[1]) * _UNITS[match[2].upper()] if match and match[2].upper() in _UNITS else None
    if isinstance(size, int) and not isinstance(size, bool) and PART_SIZES[0] <= size <= PART_SIZES[1]:
        return size
    raise ValueError("expected a size from 5MiB to 5GiB: a number of bytes, or a text such as 16MiB")


def _size(value: object) -> int:
    if isinstance(value, str):
        with contextlib.suppress(UsageError):
            return parse_size(value)
    elif isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return value
    raise ValueError("expected a size: a number of bytes, or a text such as 500M or 16MiB")


def _count(value: object) -> int:
    if isinstance(value, int) and not isinstance(value, bool) and value >= 1:
        return value
    raise ValueError("expected a whole number from 1")


def _checksums(value: object) -> str:
    if value in ("when_supported", "when_required"):
        return str(value)
    raise ValueError("expected when_supported or when_required")


def _addressing_style(value: object) -> str:
    """`https://host/bucket/key`; `https://bucket.host/key`; and the second one at Amazon, the first one elsewhere."""
    if value in ("path", "virtual", "auto"):
        return str(value)
    raise ValueError("expected path, virtual or auto")


def kind_of(value: object) -> str:
    """What a value is, never the value itself: it may be a secret."""
    match value:
        case None:
            return "nothing"
        case bool():
            return "true or false"
        case int() | float():
            return "a number"
        case str():
            return "text"
        case datetime.date():
            return "a date"
        case list() | tuple():
            return "a list"
        case Mapping():
            return "a mapping"
        case _:
            return f"a {type(value).__name__}"


_BY_KIND: Mapping[str, Callable[[object], Any]] = {
    "str": _text,
    "bool": _yes_or_no,
    "int": _count,
    "tuple[str, ...]": _texts,
    "str | tuple[str, ...]": _command,
    "Mapping[str, Any]": _mapping,
}
"""The types that a setting has in `Profile`, as they are written there."""

_BY_KEY: Mapping[str, Callable[[object], Any]] = {
    "local_path": _path,
    "database": _path,
    "identity": _path,
    "endpoint_url": _url,
    "part_size": _part_size,
    "exclude_larger_than": _size,
    "checksums": _checksums,
    "addressing_style": _addressing_style,
}
