"""The name of one backup's object: `NAME.YYYYMMDDHHMMSS.tgz`, and everything that may be read from such a name."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from attrs import frozen

from bakthat.domain.archive_format import SUFFIXES, ArchiveFormat, format_of_suffix, is_incremental_suffix
from bakthat.errors import InvalidName

DATE_FORMAT = "%Y%m%d%H%M%S"

MAX_SERIES_BYTES = 200
"""A file name may hold 255 bytes (ext4, XFS, APFS); date, suffixes and the catalog's `.index` take 37 of them, and a
temporary name some more."""

_ENDS = rf"(?P<suffix>{'|'.join(map(re.escape, SUFFIXES))})(?P<enc>\.enc)?"

_DOTTED = re.compile(rf"(?P<series>.+)\.(?P<date>[0-9]{{14}}){_ENDS}", re.DOTALL)
_UNDOTTED = re.compile(rf"(?P<series>.+)(?P<date>[0-9]{{14}}){_ENDS}", re.DOTALL)
"""The form of versions before 2013's 0.4, without a dot before the date. It is tried last: a series may end in a
dot."""
_ENDS_OF_TYPED = re.compile(rf"(.+?)((?:{'|'.join(map(re.escape, SUFFIXES))})(?:\.enc)?)", re.DOTALL)


_SHOWN_DATE = re.compile(
    r"(?P<series>.*?)(?P<date>[0-9]{4}-[0-9]{2}(-[0-9]{2}([T ][0-9]{2}(:[0-9]{2}(:[0-9]{2}Z?)?)?)?)?)", re.DOTALL
)
"""A series, and a date as `show` and JSON print it, or the start of one: at least its month."""


@frozen(kw_only=True)
class StoredName:
    """The parts of a stored filename. `when`: aware UTC, whole seconds. `suffix`: one of `SUFFIXES`.

    `str()` gives the stored filename; `parse(str(name)) == name`. `dotted` is False only for names of before 0.4.
    """

    series: str
    when: datetime
    suffix: str = ".tgz"
    encrypted: bool = False
    dotted: bool = True

    @property
    def format(self) -> ArchiveFormat:
        """What the object is, as far as its name says so."""
        return format_of_suffix(self.suffix)

    @property
    def is_incremental(self) -> bool:
        """Whether the object contains only what changed since an earlier backup: `NAME.YYYYMMDDHHMMSS.inc.tgz`."""
        return is_incremental_suffix(self.suffix)

    def __str__(self) -> str:
        dot = "." if self.dotted else ""
        enc = ".enc" if self.encrypted else ""
        return f"{self.series}{dot}{self.when.astimezone(UTC).strftime(DATE_FORMAT).zfill(14)}{self.suffix}{enc}"


def parse(stored_filename: str) -> StoredName:
    """The parts of a stored filename, of today's form or of 2013's. Raises `InvalidName` if it is not one."""
    for pattern in (_DOTTED, _UNDOTTED):
        match = pattern.fullmatch(stored_filename)
        if match is None:
            continue
        try:
            # ISO's basic form, read in C: every listing reads every date, and `strptime` takes six times as long.
            when = datetime.fromisoformat(f"{match['date'][:8]}T{match['date'][8:]}Z")
        except ValueError:
            continue
        if pattern is _UNDOTTED and is_incremental_suffix(match["suffix"]):
            continue  # no version has written both forms
        return StoredName(
            series=match["series"],
            when=when,
            suffix=match["suffix"],
            encrypted=match["enc"] is not None,
            dotted=pattern is _DOTTED,
        )
    raise InvalidName(f"{stored_filename!r} is not a stored filename (NAME.YYYYMMDDHHMMSS.tgz)")


def is_stored_name(text: str) -> bool:
    """Whether the text is a stored filename (`parse`)."""
    try:
        parse(text)
    except InvalidName:
        return False
    return True


def check_series(name: str) -> str:
    """The name itself, if a series can have it: not empty, no `/`, no control character, at most 200 bytes of UTF-8,
    and not `.` or `..`. Raises `InvalidName` with the reason and the way out."""
    try:
        encoded = name.encode()
    except UnicodeEncodeError:
        raise InvalidName(f"{name!a} holds bytes that are not UTF-8; choose another name with `name=`") from None
    if not name or name in {".", ".."}:
        raise InvalidName(f"{name!r} cannot be the name of a backup; choose one with `name=`")
    if "/" in name or any(ord(c) < 32 or ord(c) == 127 for c in name):
        raise InvalidName(f"{name!r} holds a slash or a control character; choose another name with `name=`")
    if len(encoded) > MAX_SERIES_BYTES:
        raise InvalidName(f"{name!r} is longer than {MAX_SERIES_BYTES} bytes; choose a shorter name with `name=`")
    return name


def series_of(base_name: str) -> str:
    """The series name for a source's base name. Control characters and bytes that are not UTF-8 (`os.fsdecode` leaves
    them as lone surrogates) are written `%0A`, `%FF`, since no store takes them; the archive's members keep the true
    name. `/` has no base name and becomes `root`. Raises `InvalidName` for a name that is too long."""
    parts: list[str] = []
    for char in base_name:
        code = ord(char)
        if 0xDC80 <= code <= 0xDCFF:
            parts.append(f"%{code - 0xDC00:02X}")
        elif code < 32 or code == 127:
            parts.append(f"%{code:02X}")
        else:
            parts.append(char)
    return check_series("".join(parts) or "root")


@frozen(kw_only=True)
class NameAndDate:
    """One reading of a name such as `bak.2012` or `bak20120927.tgz.enc`: a series, the start of a date (4 to 14
    digits, so that `db2` is never read as the `db` of the year 2…), and the suffixes that were typed."""

    series: str
    date_start: str
    rest: str

    def fits(self, stored_filename: str) -> bool:
        """Whether a backup of the series with this stored filename is of a date that begins so, and ends as typed.

        The record's `filename` says which series it is of, not the stored filename: 2013 stored `dump.tar.gz` as
        `dump.20130305193615.tgz`, and what its helper backed up under the name of a temporary directory.
        """
        try:
            name = parse(stored_filename)
        except InvalidName:
            return False
        date = name.when.strftime(DATE_FORMAT).zfill(14)
        return date.startswith(self.date_start) and stored_filename.endswith(self.rest)


def readings(name: str) -> list[NameAndDate]:
    """Every way to read NAME as a series followed by the start of a date, with or without the dot: as in a stored
    filename, or as `show` prints dates (`etc.2026-11-24`, `etc.2026-11-24 03:04`, `etc.2026-11-24T03:04:05Z`)."""
    shown = _SHOWN_DATE.fullmatch(name)
    if shown is not None:
        date_start = re.sub(r"[^0-9]", "", shown["date"])
        return [NameAndDate(series=series, date_start=date_start, rest="") for series in _series(shown["series"])]
    match = _ENDS_OF_TYPED.fullmatch(name)
    if match is None:
        return []
    stem, rest = match.groups()
    digits = len(stem) - len(stem.rstrip("0123456789"))
    found: list[NameAndDate] = []
    for length in range(4, min(digits, 14) + 1):
        date_start = stem[-length:]
        found += [NameAndDate(series=one, date_start=date_start, rest=rest) for one in _series(stem[:-length])]
    return found


def _series(typed: str) -> list[str]:
    """The series that may be meant by what is typed before a date."""
    without_dot = [typed[:-1]] if typed.endswith(".") and len(typed) > 1 else []
    return [*([typed] if typed else []), *without_dot]
