"""Age files in text form. The vectors of `test_age_vectors` say what is valid; here is what else a reader has to do."""

from __future__ import annotations

import base64
import io
import random
import subprocess
import tracemalloc
from datetime import UTC, datetime

import pytest

from bakthat.adapters.encryption.age import AgeCipher
from bakthat.adapters.encryption.age_armor import FIRST_LINE, dearmored
from bakthat.adapters.encryption.detecting import DetectingCipher
from bakthat.adapters.encryption.key_files import keygen
from bakthat.domain.payload import Keys
from bakthat.errors import PayloadDamaged
from bakthat.ports.random_access import BytesAccess
from bakthat.ports.salvage import Hole
from tests.fixtures import age_program

PAIR = keygen(clock=lambda: datetime(2026, 3, 1, tzinfo=UTC), random=random.Random(1).randbytes)
KEYS = Keys(recipients=(PAIR.recipient,), identities=(PAIR.identity,))
CHUNK = 64 * 1024
PLAIN = random.Random(1).randbytes(5 * CHUNK)


def armored(data: bytes, end: bytes = b"\n") -> bytes:
    text = base64.b64encode(data)
    lines = [text[start : start + 64] for start in range(0, len(text), 64)]
    return b"".join(line + end for line in (FIRST_LINE, *lines, b"-----END AGE ENCRYPTED FILE-----"))


def sealed(plain: bytes) -> bytes:
    into = io.BytesIO()
    with AgeCipher().sealing(into, KEYS) as writer:
        writer.write(plain)
    return into.getvalue()


SEALED = sealed(PLAIN)


@pytest.mark.parametrize("end", [b"\n", b"\r\n"], ids=["LF", "CRLF"])
def test_a_large_file_in_text_form_is_decrypted_whatever_its_first_bytes_are_read_by(end):
    for cipher in (AgeCipher(), DetectingCipher()):
        with cipher.unsealing(io.BytesIO(b" \n" + armored(SEALED, end)), KEYS) as reader:
            assert reader.read() == PLAIN


def test_what_the_age_program_writes_in_text_form_is_decrypted(tmp_path):
    command = [age_program.program(), "-a", "-r", PAIR.recipient]
    text = subprocess.run(command, input=PLAIN, capture_output=True, check=True).stdout
    with AgeCipher().unsealing(io.BytesIO(text), KEYS) as reader:
        assert reader.read() == PLAIN


def test_a_file_in_text_form_can_only_be_read_from_its_beginning():
    assert DetectingCipher().random_access(BytesAccess(armored(SEALED)), KEYS) is None


def test_lines_with_different_ends_are_read():
    lines = armored(SEALED).split(b"\n")
    mixed = b"".join(line + (b"\n", b"\r\n")[number % 2] for number, line in enumerate(lines[:-1]))
    assert b"".join(dearmored(mixed, io.BytesIO())) == SEALED


def test_white_space_before_and_after_may_be_in_long_lines_up_to_a_kibibyte():
    text = armored(SEALED[:1000])
    assert (
        b"".join(dearmored(b" " * 500 + b"\r\n" + b"\t" * 400 + b"\n", io.BytesIO(text + b" " * 1000))) == SEALED[:1000]
    )
    for before, after in ((b" " * 1024 + b"\n", b""), (b"", b" " * 1024)):
        with pytest.raises(PayloadDamaged):
            list(dearmored(before, io.BytesIO(text + after)))


@pytest.mark.parametrize("kind", ["LF", "CRLF"])
def test_a_carriage_return_within_a_line_is_damage(kind):
    lines = armored(SEALED, b"\n" if kind == "LF" else b"\r\n").split(b"\n")
    for number in range(10, 14):
        lines[number] = lines[number][:5] + b"\r" + lines[number][6:]
    with pytest.raises(PayloadDamaged, match="line 11"):
        list(dearmored(b"", io.BytesIO(b"\n".join(lines))))


@pytest.mark.parametrize("place", [0.0, 0.3, 0.99])
def test_a_damage_is_named_by_its_line_and_nothing_after_it_comes_out(place):
    lines = armored(SEALED).split(b"\n")
    number = 1 + int(place * (len(lines) - 3))
    lines[number] = b"!" + lines[number][1:]
    released = bytearray()
    with pytest.raises(PayloadDamaged, match=f"line {number + 1}: "):
        for piece in dearmored(b"", io.BytesIO(b"\n".join(lines))):
            released += piece
    assert SEALED.startswith(bytes(released))


def test_a_text_that_is_cut_short_is_damage_wherever_it_is_cut():
    text = armored(SEALED[:1000])
    for kept in range(0, len(text) - 1):
        with pytest.raises(PayloadDamaged):
            list(dearmored(b"", io.BytesIO(text[:kept])))


@pytest.mark.parametrize(
    "endless",
    [b"A" * 64, b" ", b"\n", b"AAAA\n", b"A" * 64 + b"\n" + b"=" * 64 + b"\n"],
    ids=["no line feed", "spaces", "blank lines", "short lines", "padding"],
)
@pytest.mark.parametrize("begins", ["with its first line", "at once"])
def test_an_endless_text_takes_little_memory_and_is_refused_at_once(endless, begins):
    class Endless(io.RawIOBase):
        taken = 0

        def read(self, size: int = -1, /) -> bytes:
            self.taken += size
            assert self.taken < 16 * 2**20, "reads on and on"
            return (endless * (size // len(endless) + 1))[:size]

    tracemalloc.start()
    with pytest.raises(PayloadDamaged):
        list(dearmored(FIRST_LINE + b"\n" if begins == "with its first line" else b"", Endless()))  # type: ignore[arg-type]
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 4 * 2**20


@pytest.mark.parametrize("line", [0, -2], ids=["first", "last"])
def test_a_damaged_text_is_salvaged_although_its_first_or_last_line_is_damaged(line):
    lines = armored(SEALED).split(b"\n")
    lines[line] = lines[line][:7] + b"?" + lines[line][8:]
    with DetectingCipher().salvaging(io.BytesIO(b"\n".join(lines)), KEYS) as parts:
        assert b"".join(part for part in parts if isinstance(part, bytes)) == PLAIN


@pytest.mark.parametrize("damage", ["a letter", "a line feed", "a line is missing"])
def test_of_a_damaged_text_all_other_chunks_are_salvaged(damage):
    lines = armored(SEALED).split(b"\n")
    middle = len(lines) // 2
    match damage:
        case "a letter":
            lines[middle] = b"!" + lines[middle][1:]
        case "a line feed":
            lines[middle : middle + 2] = [lines[middle] + b"x" + lines[middle + 1]]
        case "a line is missing":
            lines[middle] = b""
    with AgeCipher().salvaging(io.BytesIO(b"\n".join(lines)), KEYS) as parts:
        found = list(parts)
    holes = [part.length for part in found if isinstance(part, Hole)]
    plain = b"".join(part for part in found if isinstance(part, bytes))
    if damage != "a line is missing":  # what comes behind is displaced then
        assert holes == [CHUNK]
        assert plain == PLAIN[: 2 * CHUNK] + PLAIN[3 * CHUNK :]
    else:
        assert plain == PLAIN[: 2 * CHUNK]
