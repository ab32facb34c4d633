"""The header of an age file: a version line, a stanza for each recipient, and a MAC (C2SP age specification, "Header").

This is the grammar alone. What a stanza wraps, and how, is in `age_keys`.
"""

from __future__ import annotations

import re

from attrs import frozen
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.hmac import HMAC

from bakthat.adapters.encryption.age_armor import FIRST_LINE
from bakthat.adapters.encryption.age_primitives import NONCE_SIZE, from_base64, hkdf, to_base64
from bakthat.domain.payload import AGE_MAGIC
from bakthat.errors import PayloadDamaged, UsageError

MAGIC = AGE_MAGIC
"""What every file encrypted here begins with."""

HEADER_LIMIT = 15 * (64 * 1024 + 16)
"""Bytes of the longest header: some 10,000 recipients, and it fits into the buffer of the chunks. The format sets no
limit; memory does."""

_FAMILY = b"age-encryption.org/"
_COLUMNS = 64
_LAST_LINE = b"\n---"
"""How the last line begins. No other line does: Base64 has no hyphen."""
_ARGUMENT = re.compile(rb"[!-~]+")


def resembles(first_bytes: bytes) -> bool:
    """Whether `AgeCipher` has to decrypt a file that begins with these bytes, or has to say why it cannot: an age file
    of any version or in text form, or one that was cut short within its first line."""
    start = first_bytes.lstrip()
    return any(first_bytes.startswith(name) or name.startswith(first_bytes) for name in (_FAMILY, FIRST_LINE)) or (
        not start or start.startswith(FIRST_LINE) or (len(start) < len(FIRST_LINE) and FIRST_LINE.startswith(start))
    )


@frozen(kw_only=True)
class Stanza:
    """One recipient's way to the file key. body: the wrapped key."""

    kind: str
    arguments: tuple[str, ...] = ()
    body: bytes

    def __bytes__(self) -> bytes:
        # The last line of a body is shorter than 64 columns, if need be empty.
        text = to_base64(self.body)
        lines = [text[start : start + _COLUMNS] for start in range(0, len(text) + 1, _COLUMNS)]
        return "".join(f"{line}\n" for line in (" ".join(("->", self.kind, *self.arguments)), *lines)).encode()


@frozen(kw_only=True)
class Header:
    """authenticated: the bytes that the MAC is computed over."""

    stanzas: tuple[Stanza, ...]
    authenticated: bytes
    mac: bytes


def build_header(file_key: bytes, stanzas: list[Stanza]) -> bytes:
    """Return the header with these stanzas, and its MAC. Raises `UsageError` if they are too many."""
    authenticated = MAGIC + b"".join(bytes(stanza) for stanza in stanzas) + b"---"
    header = authenticated + f" {to_base64(_header_mac(file_key, authenticated).finalize())}\n".encode()
    if len(header) > HEADER_LIMIT:
        raise UsageError(f"{len(stanzas)} recipients are too many: the header takes more than {HEADER_LIMIT} bytes")
    return header


def parse_header(head: bytes) -> tuple[Header, int]:
    """Return the header that a file begins with, and its length in bytes.

    The grammar is strict, so that a header has one form only.

    Raises:
        PayloadDamaged: The header is invalid, cut short or too long.
    """
    if not head.startswith(MAGIC):
        raise PayloadDamaged(_not_this_form(head))
    mark = head.find(_LAST_LINE)
    end = head.find(b"\n", mark + 1)
    if mark < 0 or end < 0 or end >= HEADER_LIMIT:
        raise PayloadDamaged(f"the age header is cut short, or longer than {HEADER_LIMIT} bytes")
    _, *lines, last = head[:end].split(b"\n")
    mac = from_base64(last.removeprefix(b"--- "))
    if mac is None or len(mac) != 32 or not last.startswith(b"--- "):
        raise PayloadDamaged("the age header is damaged in its last line: no MAC")
    stanzas = parse_stanzas(lines)
    return Header(stanzas=tuple(stanzas), authenticated=head[: mark + 4], mac=mac), end + 1


def parse_stanzas(lines: list[bytes]) -> list[Stanza]:
    """Return the stanzas in these lines of a header, the first of which is its second one. Raises `PayloadDamaged`."""
    stanzas: list[Stanza] = []
    opening: list[bytes] = []
    body: list[bytes] = []
    for number, line in enumerate(lines, 2):
        if not opening:
            arrow, *opening = line.split(b" ")
            if arrow != b"->" or not opening or not all(map(_ARGUMENT.fullmatch, opening)):
                raise PayloadDamaged(f"the age header is damaged in line {number}: a recipient starts with '-> '")
            continue
        part = from_base64(line) if len(line) <= _COLUMNS else None
        if part is None:
            raise PayloadDamaged(f"the age header is damaged in line {number}: not Base64 of up to {_COLUMNS} columns")
        body.append(part)
        if len(line) < _COLUMNS:
            kind, *arguments = (argument.decode("ascii") for argument in opening)
            stanzas.append(Stanza(kind=kind, arguments=tuple(arguments), body=b"".join(body)))
            opening, body = [], []
    if opening or not stanzas:
        raise PayloadDamaged("the age header is damaged: its last recipient is incomplete, or it has none")
    return stanzas


def has_whole_header(head: bytes) -> bool:
    """Whether these first bytes of a file contain its whole header and the nonce of the payload behind it."""
    mark = head.find(_LAST_LINE)
    end = head.find(b"\n", mark + 1)
    return mark >= 0 and end >= 0 and len(head) > end + NONCE_SIZE


def check_mac(header: Header, file_key: bytes) -> None:
    """Raise `PayloadDamaged` if the header is not the one that this file key belongs to."""
    try:
        _header_mac(file_key, header.authenticated).verify(header.mac)
    except InvalidSignature:
        raise PayloadDamaged("the age header has been altered: its MAC is wrong") from None


def _not_this_form(head: bytes) -> str:
    if not head:
        return "the encrypted file is empty"
    if MAGIC.startswith(head) or FIRST_LINE.startswith(head):
        return "the age header is cut short"
    if head.startswith(_FAMILY):
        return "an age file of another version than v1, or damaged in its first line; a newer `age -d` may open it"
    return "not an age file: it does not begin with age-encryption.org/v1"


def _header_mac(file_key: bytes, authenticated: bytes) -> HMAC:
    mac = HMAC(hkdf(file_key, salt=b"", info=b"header"), SHA256())
    mac.update(authenticated)
    return mac
