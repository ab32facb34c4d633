"""What a setting may be: the checks of the fields of `Profile`."""

from __future__ import annotations

import contextlib
import datetime
import re
from collections.abc import Callable, Mapping
from types import NoneType, UnionType
from typing import Any, Protocol, get_args

from bakthat.domain.compression_choice import parse_compression
from bakthat.domain.interval import GRAMMAR, LONGEST, seconds_in
from bakthat.domain.object_lock import object_lock_from
from bakthat.domain.size import parse_size
from bakthat.errors import UsageError

PART_SIZES = (5 * 2**20, 5 * 2**30)
"""S3's limits of a part, in bytes (AWS: multipart upload limits)."""

_URL = re.compile(r"https?://([^/?#]*@)?(\[[0-9a-f:.]+\]|[^][/?#:@]+)(:(?P<port>[0-9]*))?([/?#]|$)", re.IGNORECASE)
"""Scheme, perhaps a user, a host or an IPv6 address, perhaps a port, and whatever comes then (RFC 3986)."""

_UNITS = {"": 1, "B": 1, "KIB": 2**10, "MIB": 2**20, "GIB": 2**30, "KB": 10**3, "MB": 10**6, "GB": 10**9}


_MOST_PORT = 65_535


Check = Callable[[object], Any]
"""Returns a setting as `Profile` has it. Raises ValueError, with a message that says what was expected."""

_CHECK = "bakthat: check"
_READ = "bakthat: read"


class Setting(Protocol):
    """A field of `Profile`: the part of `attrs.Attribute` that a check needs."""

    @property
    def type(self) -> Any:
        """The type of its value."""

    @property
    def metadata(self) -> Mapping[Any, Any]:
        """Perhaps with a check of its own (`checked_by`)."""


def checked_by(check: Check) -> Mapping[str, Check]:
    """Return the `metadata` of a field of `Profile` whose type does not say enough."""
    return {_CHECK: check}


def read_by(read: Callable[[str], Any]) -> Mapping[str, Callable[[str], Any]]:
    """Return the `metadata` of a field whose text in the environment has a form of its own."""
    return {_READ: read}


def checked(setting: Setting, value: object) -> Any:
    """Return the value of a field of `Profile`, checked by the field's own check, else by its type.

    Raises:
        ValueError: The value cannot be meant. The message never has the value, which may be a secret.
    """
    if value is None and NoneType in _types_with_none(setting):
        return None
    check: Check = setting.metadata.get(_CHECK) or _BY_TYPE[_types(setting)]
    return check(value)


def has_text(setting: Setting) -> bool:
    """Whether a value of this field can be written as one line of text, as a variable of the environment has it."""
    return _READ in setting.metadata or _types(setting) & {str, bool, int, tuple[str, ...]} != set()


def from_text(setting: Setting, text: str) -> Any:
    """Return the value of a field that a variable of the environment has, checked as that of a file.

    Text stays as it is written. A switch is `true`, `yes`, `on` or `1`, or `false`, `no`, `off` or `0`. The items of a
    list are separated by commas or line breaks.

    Raises:
        ValueError: As `checked`.
    """
    types = _types(setting)
    value: object = text
    if _READ in setting.metadata:
        value = setting.metadata[_READ](text)
    elif str in types:
        pass
    elif bool in types:
        is_on = switch(text)
        value = text if is_on is None else is_on
    elif int in types:
        value = int(text) if re.fullmatch(r"\s*[0-9]{1,18}\s*", text, re.ASCII) else text
    else:
        value = [item.strip() for item in re.split(r"[,\n]", text) if item.strip()]
    return checked(setting, value)


def _types_with_none(setting: Setting) -> tuple[Any, ...]:
    return get_args(setting.type) if isinstance(setting.type, UnionType) else (setting.type,)


def _types(setting: Setting) -> frozenset[object]:
    return frozenset(_types_with_none(setting)) - {NoneType}


_SWITCH = {**dict.fromkeys(("true", "yes", "on", "1"), True), **dict.fromkeys(("false", "no", "off", "0"), False)}
"""YAML's words, and those of shells."""


def switch(text: str) -> bool | None:
    """Return what a word for on or off means; None for any other text."""
    return _SWITCH.get(text.strip().lower())


def text(value: object) -> str:
    """Check a text."""
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


def texts(value: object) -> tuple[str, ...]:
    """Check a list of texts, or a single one."""
    if isinstance(value, str):
        return (value,)
    if isinstance(value, list | tuple) and all(isinstance(item, str) and item for item in value):
        return tuple(value)
    raise ValueError("expected a list of texts")


def _mapping(value: object) -> Mapping[str, Any]:
    if isinstance(value, Mapping):
        return value
    raise ValueError(f"expected settings (`name: value` lines below it), found {kind_of(value)}")


def path(value: object) -> str:
    """Check a path: text, or any `os.PathLike`."""
    # os.PathLike, and without it: the domain knows no system.
    as_path = getattr(value, "__fspath__", None)
    return text(as_path() if as_path is not None else value)


def url(value: object) -> str:
    """Check the URL of a service."""
    address = text(value)
    parts = _URL.match(address)
    if parts is None:
        raise ValueError("expected a URL that begins with https:// or http://")
    port = (parts["port"] or "").lstrip("0")
    if len(port) > len(str(_MOST_PORT)) or int(port or 0) > _MOST_PORT:
        raise ValueError(f"the port of the URL is above {_MOST_PORT}")
    return address


def command(value: object) -> str | tuple[str, ...]:
    """Check a program and its arguments."""
    if isinstance(value, str):
        return value
    if isinstance(value, list | tuple) and value and all(isinstance(item, str) for item in value) and value[0]:
        return tuple(value)
    raise ValueError("expected a command: a text, or a list of texts")


def part_size(value: object) -> int:
    """Check the size of an upload's parts: a number of bytes, or a text such as `16MiB`."""
    number = value
    if isinstance(value, str):
        match = re.fullmatch(r"\s*([0-9]{1,12})\s*([A-Za-z]*)\s*", value)
        number = int(match[1]) * _UNITS[match[2].upper()] if match and match[2].upper() in _UNITS else None
    if isinstance(number, int) and not isinstance(number, bool) and PART_SIZES[0] <= number <= PART_SIZES[1]:
        return number
    raise ValueError("expected a size from 5MiB to 5GiB: a number of bytes, or a text such as 16MiB")


def numbers_by_name(text: str) -> Mapping[str, str]:
    """Read `days=7 weeks=4`, as a variable of the environment has a mapping; commas and colons do as well."""
    found: dict[str, str] = {}
    for word in re.split(r"[\s,]+", re.sub(r"\s*([:=])\s*", r"\1", text).strip("{}, \t\r\n")):
        name, sign, value = re.split(r"([:=])", word, maxsplit=1) if re.search("[:=]", word) else (word, "", "")
        if not (name and sign and value) or name in found:
            raise ValueError("expected names and numbers: days=7 weeks=4 months=12")
        found[name] = value
    return found


def interval(value: object) -> datetime.timedelta:
    """Check a length of time, such as `26h`."""
    if isinstance(value, datetime.timedelta):
        if not datetime.timedelta() < value <= LONGEST:
            raise ValueError("an interval must be longer than 0, and at most 1000 years")
        return value
    if not isinstance(value, str):
        raise ValueError(f"expected text such as 26h or 30D, found {kind_of(value)}")  # noqa: TRY004 - one kind of error
    try:
        return datetime.timedelta(seconds=seconds_in(value))
    except ValueError as error:
        raise ValueError(f"{error}; {GRAMMAR}") from None


def size(value: object) -> int:
    """Check a number of bytes, or a text such as `500M`."""
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


def compression(value: object) -> str:
    """Check a compression, and perhaps its level."""
    return str(parse_compression(value if isinstance(value, str) else ""))


def object_lock(value: object) -> Mapping[str, Any]:
    """Check the section that locks new archives: `{mode: governance, days: 30}`."""
    lock = object_lock_from(_mapping(value))
    return {"mode": lock.mode, "days": lock.days}


LEAST_RATE = 1000
"""Bytes a second. Who writes `5` means 5 megabytes, and would wait for a day for each of them."""


def rate(value: object) -> int:
    """Check a number of bytes a second, at least `LEAST_RATE`: `5M` is 5,000,000."""
    found = size(value)
    if found < LEAST_RATE:
        raise ValueError(
            "expected at least 1K: a number without a unit is bytes a second, 5M is 5 megabytes; without the setting "
            "there is no limit"
        )
    return found


def sse(value: object) -> str:
    """Check how the service encrypts objects."""
    if value in ("AES256", "aws:kms"):
        return str(value)
    raise ValueError("expected AES256 or aws:kms")


def checksums(value: object) -> str:
    """Check when checksums are sent."""
    if value in ("when_supported", "when_required"):
        return str(value)
    raise ValueError("expected when_supported or when_required")


def addressing_style(value: object) -> str:
    """Check how objects are addressed: `https://host/bucket/key` (path), `https://bucket.host/key` (virtual), or the
    second at Amazon and the first elsewhere (auto)."""
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


_BY_TYPE: Mapping[frozenset[object], Check] = {
    frozenset({str}): text,
    frozenset({bool}): _yes_or_no,
    frozenset({int}): _count,
    frozenset({tuple[str, ...]}): texts,
    frozenset({str, tuple[str, ...]}): command,
    frozenset({Mapping[str, Any]}): _mapping,
}
"""The types that a field of `Profile` has, without None."""
