"""Salvages a damaged age file: each chunk that is authentic, and a hole for each that is not.

Every chunk is authenticated by itself, with its number, so that no byte comes out that was not encrypted with the file
key, and none in a wrong place. What must be whole is the stanza of the key that is given, and the nonce
behind the header: without them there is no payload key.

The MAC of the header is not required here. It protects the other stanzas, which nobody reads, and a file key that comes
out of a stanza is authenticated by that stanza.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from bakthat.adapters.encryption.age_armor import is_damaged_armor
from bakthat.adapters.encryption.age_header import HEADER_LIMIT, Header, Stanza, parse_header, parse_stanzas
from bakthat.adapters.encryption.age_keys import parse_identities, unwrap
from bakthat.adapters.encryption.age_primitives import NONCE_SIZE, TAG_SIZE
from bakthat.adapters.encryption.age_stream import CHUNK, ChunkSource, chunk_nonce, payload_key
from bakthat.domain.payload import Keys
from bakthat.errors import PayloadDamaged, PayloadError, WrongPassword
from bakthat.ports.salvage import Hole, Part, Verdict

_LAST_LINE = b"\n--- "
_LAST_LINE_LENGTH = len(_LAST_LINE) + 43 + 1
"""Bytes of the last line with the line feeds around it: the MAC is 43 digits of Base64."""
_MAC = re.compile(rb"(?=[0-9A-Za-z+/]{43}\n)")
_STANZA = b"-> "
_COLUMNS = 64
_LONGEST_STANZA = 100
"""Lines. Those of age's own kinds have two."""
_KINDS = (b"-> X25519 ", b"-> scrypt ", b"-> mlkem768x25519 ", b"-> ssh-ed25519 ", b"-> ssh-rsa ")


def is_damaged_age(first_bytes: bytes) -> bool:
    """Whether a file that begins with these bytes is an age file whose first line is damaged."""
    return any(kind in first_bytes for kind in _KINDS) or is_damaged_armor(first_bytes)


def salvage_age(source: ChunkSource, keys: Keys) -> Iterator[Part]:
    """Return the parts of the plain stream. The header is read at once.

    Raises:
        PasswordNeeded, WrongPassword: As `AgeCipher.unsealing`.
        PayloadDamaged: The header cannot be read, so nothing can.
    """
    head = source.head()
    stanzas, length = _stanzas(head)
    file_key = _file_key(stanzas, keys)
    nonce = head[length : length + NONCE_SIZE]
    if len(nonce) < NONCE_SIZE:
        raise PayloadDamaged("the encrypted file is cut short after its header; nothing of it can be read")
    source.skip(length + NONCE_SIZE)
    return _chunks(source, ChaCha20Poly1305(payload_key(file_key, nonce)))


def _stanzas(head: bytes) -> tuple[list[Stanza], int]:
    """The stanzas of the header that can be read, and its length."""
    try:
        header, length = parse_header(head)
        return list(header.stanzas), length
    except PayloadDamaged as error:
        mark = _find_last_line(head[:HEADER_LIMIT])
        lines = head[head.find(_STANZA) : mark].split(b"\n") if mark > 0 else []
        stanzas = [
            stanza for at in range(len(lines)) if (stanza := _stanza(lines[at : at + _LONGEST_STANZA])) is not None
        ]
        # Only what is whole shows that a password stands alone, as `unwrap` demands.
        is_alone = len(stanzas) == 1 and bytes(stanzas[0]) == b"\n".join([*lines, b""])
        if not stanzas or (any(stanza.kind == "scrypt" for stanza in stanzas) and not is_alone):
            raise PayloadDamaged(f"{error}; without its header, nothing of it can be read") from error
        return stanzas, mark + _LAST_LINE_LENGTH


def _stanza(lines: list[bytes]) -> Stanza | None:
    """The stanza that these lines begin with; None if they begin with none."""
    if not lines[0].startswith(_STANZA):
        return None
    length = next((at for at, line in enumerate(lines[1:], 2) if len(line) < _COLUMNS), 0)
    with contextlib.suppress(PayloadDamaged):
        return parse_stanzas(lines[:length])[0]
    return None


def _find_last_line(head: bytes) -> int:
    """Where the line feed before the header's last line is, also if one of the bytes around is damaged; -1 if it is not
    found."""
    mark = head.find(_LAST_LINE)
    if mark >= 0:
        return mark
    for mac in _MAC.finditer(head):
        start = mac.start() - len(_LAST_LINE)
        before = head[max(0, start) : mac.start()]
        if sum(byte == known for byte, known in zip(before, _LAST_LINE, strict=False)) == len(_LAST_LINE) - 1:
            return start
    return -1


def _file_key(stanzas: list[Stanza], keys: Keys) -> bytes:
    if len(stanzas) > 1 and any(stanza.kind == "scrypt" for stanza in stanzas):
        raise PayloadDamaged("the age header is damaged: a password together with other recipients")
    failure: PayloadError | None = None
    identities = parse_identities(keys)  # once: a header may have 10,000 stanzas
    for stanza in stanzas:
        try:
            return unwrap(Header(stanzas=(stanza,), authenticated=b"", mac=b""), keys, parsed=identities)
        except WrongPassword as error:
            failure = error
        except PayloadDamaged as error:
            failure = failure or error
    raise type(failure or WrongPassword())(
        f"{failure}; if the key is the right one, the header is damaged where it wraps the file's key, and nothing of "
        "it can be read"
    )


def _chunks(source: ChunkSource, aead: ChaCha20Poly1305) -> Iterator[Part]:
    number = 0
    more = True
    while more:
        chunk, more = source.take_chunk()
        size = len(chunk) - TAG_SIZE
        if size < 0 or (not size and number):
            yield Hole(None)  # the end, which a marked chunk would have proved, or a part of it
            return
        is_last = False
        plain = _decrypted(aead, number, chunk, last=False) if size == CHUNK else None
        if plain is None:
            plain = _decrypted(aead, number, chunk, last=True)
            is_last = plain is not None
        if plain is None:
            # A shorter chunk was the last one, or was cut: how long it was, nobody knows.
            yield Hole(size if size == CHUNK else None)
        elif plain:
            yield plain
            yield Verdict.GOOD
        if is_last:
            return
        if plain is not None and not more:
            yield Hole(None)  # cut between two chunks
        number += 1


def _decrypted(aead: ChaCha20Poly1305, number: int, chunk: memoryview, *, last: bool) -> bytes | None:
    try:
        return aead.decrypt(chunk_nonce(number, last=last), chunk, None)
    except InvalidTag:
        return None
