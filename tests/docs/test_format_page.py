"""A stranger's reader, written from docs/format.md alone with the standard library and pyrage, reads our archives."""

from __future__ import annotations

import base64
import gzip
import io
import json
import os
import re
import struct
import tarfile
import zlib
from datetime import UTC, datetime
from itertools import accumulate
from pathlib import Path
from typing import Any

import pyrage
import pytest

from bakthat.adapters.compression import gzip_index
from bakthat.adapters.encryption.age import AgeCipher
from bakthat.adapters.encryption.key_files import KeyPair, keygen
from bakthat.domain import archive_index
from bakthat.domain.archive_index import IndexEntry, read_index
from bakthat.domain.payload import Keys
from tests.fixtures.indexed_archive import indexed, tar_stream

PAGE = (Path(__file__).parents[2] / "docs" / "format.md").read_text()


class StrangersReader:
    """What the page describes, and nothing else."""

    def __init__(self, name: str, stored: bytes, identity: str = "") -> None:
        if name.endswith(".enc"):
            stored = pyrage.decrypt(stored, [pyrage.x25519.Identity.from_str(identity)])
        self.gz = stored
        self.index: list[bytes] = []
        fields, end = self.member(len(stored) - 66)
        assert end == len(stored)
        version, flags, position, packed, plain, crc = struct.unpack("<HHQQQI", fields[b"BF"])
        assert (version, flags) == (1, 0)
        content, at = b"", position
        while len(content) < packed:
            fields, at = self.member(at)
            content += fields[b"BI"]
        lines = gzip.decompress(content)
        assert (len(lines), zlib.crc32(lines)) == (plain, crc)
        head, *rest = (json.loads(line) for line in lines.splitlines())
        self.block_size = head["block_size"]
        count = -(-head["blocks"] // 1000)
        self.lengths: list[int] = [length for line in rest[:count] for length in line]
        assert sum(self.lengths) == head["packed_size"] == position
        self.entries: list[dict[str, Any]] = []
        for line in rest[count:]:
            rows = len(line["path"])
            columns = {name: values if isinstance(values, list) else [values] * rows for name, values in line.items()}
            columns["offset"] = list(accumulate(columns["offset"]))
            self.entries += [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
        self.ends = [*(entry["offset"] for entry in self.entries[1:]), head["plain_size"]]

    def member(self, at: int) -> tuple[dict[bytes, bytes], int]:
        """The subfields of a member's header, and where the next member begins."""
        assert self.gz[at : at + 4] == b"\x1f\x8b\x08\x04"
        (size,) = struct.unpack_from("<H", self.gz, at + 10)
        fields, place = {}, at + 12
        while place < at + 12 + size:
            name, length = struct.unpack_from("<2sH", self.gz, place)
            fields[name] = self.gz[place + 4 : place + 4 + length]
            place += 4 + length
        return fields, at + struct.unpack("<I", fields[b"BK"])[0]

    def paths(self) -> list[bytes]:
        return [as_bytes(entry["path"]) for entry in self.entries]

    def read(self, path: bytes) -> bytes:
        place = self.paths().index(path)
        start, stop = self.entries[place]["offset"], self.ends[place]
        first, last = start // self.block_size, (stop - 1) // self.block_size
        begin = sum(self.lengths[:first])
        plain = gzip.decompress(self.gz[begin : begin + sum(self.lengths[first : last + 1])])
        part = plain[start - first * self.block_size : stop - first * self.block_size]
        with tarfile.open(fileobj=io.BytesIO(part + bytes(1024))) as tar:
            file = tar.extractfile(tar.next() or pytest.fail("no member"))
            return file.read() if file else b""


def as_bytes(path: Any) -> bytes:
    return base64.b64decode(path["base64"]) if isinstance(path, dict) else path.encode()


FILES = [("été", b"small"), ("large", os.urandom(3_000_000)), ("zeros", bytes(2_000_000)), ("empty", b"")]
FILES += [(f"many/{number}", os.urandom(100)) for number in range(1500)]
PLAIN, ENTRIES = tar_stream(FILES)


@pytest.fixture(scope="module")
def pair() -> KeyPair:
    return keygen(clock=lambda: datetime(2026, 1, 1, tzinfo=UTC))


@pytest.mark.parametrize("encrypted", [False, True])
def test_a_reader_written_from_the_page_lists_an_archive_and_reads_its_files(encrypted: bool, pair: KeyPair) -> None:
    stored, name = indexed(PLAIN, ENTRIES), "root.20260102030405.tgz"
    if encrypted:
        into = io.BytesIO()
        with AgeCipher().sealing(into, Keys(recipients=(pair.recipient,))) as writer:
            writer.write(stored)
        stored, name = into.getvalue(), f"{name}.enc"
    reader = StrangersReader(name, stored, pair.identity)
    assert reader.paths() == [entry.path.encode() for entry in ENTRIES]
    for path, content in FILES:
        assert reader.read(f"root/{path}".encode()) == content


def test_the_reader_decodes_paths_that_are_not_utf8() -> None:
    entry = ENTRIES[0]._replace(path="root/caf\udce9")
    assert StrangersReader("root.20260102030405.tgz", indexed(PLAIN, [entry])).paths() == [b"root/caf\xe9"]


def test_the_example_is_an_index() -> None:
    (example,) = re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL)
    index = read_index(lambda: example.encode().splitlines(keepends=True))
    assert [(entry.path, oct(entry.mode)) for entry in index.entries()] == [
        ("photos", "0o755"),
        ("photos/a.jpg", "0o644"),
    ]


def test_the_numbers_of_the_page_are_those_of_the_code() -> None:
    numbers = {
        "15,988": gzip_index.LONGEST_EXTRA - gzip_index.EXTRA_SIZE,
        "16,000": gzip_index.LONGEST_EXTRA,
        "66 bytes": gzip_index.FOOTER_SIZE,
        "134,217,728": archive_index.PACKED_LIMIT,
        "4,294,967,296": archive_index.PLAIN_LIMIT,
    }
    for text, number in numbers.items():
        assert text in PAGE
        assert int(re.sub(r"\D", "", text)) == number
    assert archive_index.LINE_LIMIT == 2**20
    assert [f"`{name}`" for name in IndexEntry._fields if f"`{name}`" not in PAGE] == []
