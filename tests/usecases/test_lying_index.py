"""An index that lies leads to an error or to nothing, never out of the target, and never to another file's content."""

from __future__ import annotations

import gzip
import hashlib
import io
import tarfile
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from attrs import evolve

from bakthat.adapters.compression.gzip_compressor import GzipCompressor
from bakthat.domain.archive_index import IndexEntry
from bakthat.domain.backup_metadata import Increment
from bakthat.errors import BackupNotFound, BakthatError, PayloadDamaged
from bakthat.testing.toolbox import Toolbox
from bakthat.usecases.list_archive import ListRequest, list_archive
from bakthat.usecases.read_file import ReadRequest, read_file
from bakthat.usecases.restore import RestoreRequest, restore
from bakthat.usecases.sync import sync
from tests.fixtures.nights import make_site, night

NAME = "big.20260102030405.tgz"

BLOCK = 16 * 1024
"""Small blocks, so that a part of a small archive is less than half of it."""

Lie = Callable[[list[IndexEntry]], Sequence[IndexEntry]]


def header(name: str, content: bytes = b"") -> bytes:
    """A member as a tar has it."""
    member = tarfile.TarInfo(name)
    member.size = len(content)
    return member.tobuf() + content + bytes(-len(content) % 512)


def a_tar() -> tuple[bytes, list[IndexEntry]]:
    """A tar of some files, one of which has another tar in it, and its true entries."""
    stream = bytearray()
    entries = []
    inside = header("../evil.txt", b"evil") + header("big/secret.txt", b"from inside")
    for name, content in [("big/a.txt", b"a"), ("big/secret.txt", b"secret"), ("big/image.tar", inside)]:
        entries.append(IndexEntry(name, "file", len(content), 0, None, None, 0o644, 0, 0, "", len(stream)))
        stream += header(name, content)
    for number in range(40):
        name, content = f"big/{number}.bin", bytes([number]) * 4_000
        entries.append(IndexEntry(name, "file", len(content), 0, None, None, 0o644, 0, 0, "", len(stream)))
        stream += header(name, content)
    return bytes(stream + bytes(1024)), entries


def compressed(tar: bytes, entries: Sequence[IndexEntry]) -> bytes:
    """An archive with an index of these entries."""
    into = io.BytesIO()
    with GzipCompressor(block_size=BLOCK).compressing_with_index(into) as writer:
        writer.stream.write(tar)
        for entry in entries:
            writer.on_entry(entry)
    return into.getvalue()


def stored(lie: Lie) -> Toolbox:
    """A store with an archive whose index lies."""
    tar, entries = a_tar()
    box = Toolbox()
    box.stores["s3"].put(NAME, io.BytesIO(compressed(tar, lie(entries))))
    sync("s3", box.tools)
    return box


def stored_chain(place: Path, lie: Lie) -> Toolbox:
    """A store with a full backup whose index lies, and one that continues it, whose record has no hash of it."""
    box, tree = Toolbox(), make_site(place)
    full, newest = night(box, tree), night(box, tree)
    with box.stores["s3"].open(full.stored_filename) as reader:
        tar = gzip.decompress(reader.read())
    content = compressed(tar, lie(list(box.tools.tar.entries(io.BytesIO(tar)))))
    box.stores["s3"].put(full.stored_filename, io.BytesIO(content), replace=True)
    sha256 = hashlib.sha256(content).hexdigest()
    box.repo.replace(evolve(full, size=len(content), metadata=full.metadata.changed(sha256=sha256)))
    increment = Increment(base=full.stored_filename, full=full.stored_filename, depth=1).as_metadata()
    box.repo.replace(evolve(newest, metadata=newest.metadata.changed(incremental=increment)))
    return box


def read(box: Toolbox, path: str) -> bytes:
    with read_file(ReadRequest(name="big", destination="s3", path=path), box.tools) as found:
        return found.content.read()


def moved(path: str, offset: int) -> Lie:
    """The entry of this path says that it is at another place."""

    def lie(entries: list[IndexEntry]) -> Sequence[IndexEntry]:
        others = [entry for entry in entries if entry.path != path]
        (one,) = [entry for entry in entries if entry.path == path]
        return sorted([*others, one._replace(offset=offset)], key=lambda entry: entry.offset)

    return lie


def exchanged(one: str, other: str) -> Lie:
    """The entry of each of two paths says that it is the other one."""
    names = {one: other, other: one}
    return lambda entries: [entry._replace(path=names.get(entry.path, entry.path)) for entry in entries]


def offset_of(path: str) -> int:
    return next(entry.offset for entry in a_tar()[1] if entry.path == path)


INSIDE = offset_of("big/image.tar") + 512
"""Where the first member of the tar in the tar begins."""


def test_the_true_index_is_believed() -> None:
    box = stored(lambda entries: entries)
    assert read(box, "secret.txt") == b"secret"


def test_another_files_content_is_not_given_out() -> None:
    box = stored(exchanged("big/a.txt", "big/secret.txt"))
    with pytest.raises(PayloadDamaged, match="where something else is; it is damaged"):
        read(box, "secret.txt")


@pytest.mark.parametrize("full_check", [False, True])
@pytest.mark.parametrize(
    "lie",
    [exchanged("site/index", "site/large"), lambda entries: moved("site/index", entries[-1].offset + 512)(entries)],
    ids=["another file", "no member"],
)
def test_in_a_chain_another_files_content_is_not_given_out_either(tmp_path: Path, lie: Lie, full_check: bool) -> None:
    box = stored_chain(tmp_path, lie)
    request = ReadRequest(name="site", destination="s3", path="index", full_check=full_check)
    with pytest.raises(PayloadDamaged, match=r"site\.20260103030405\.tgz: "), read_file(request, box.tools) as found:
        found.content.read()


@pytest.mark.parametrize("offset", [INSIDE, INSIDE + 512, INSIDE - 512 + 4096])
def test_a_position_that_is_not_a_member_is_damage(offset: int) -> None:
    box = stored(moved("big/a.txt", offset))
    with pytest.raises(PayloadDamaged):
        read(box, "a.txt")


@pytest.mark.parametrize("offset", [INSIDE, INSIDE + 512, INSIDE + 1024])
def test_a_restore_of_a_part_leaves_the_target_as_it_is(tmp_path: Path, offset: int) -> None:
    box = stored(moved("big/a.txt", offset))
    (tmp_path / "target").mkdir()
    with pytest.raises((PayloadDamaged, BackupNotFound)):
        restore(RestoreRequest(name="big", destination="s3", target=tmp_path / "target", only=("a.txt",)), box.tools)
    assert [path.name for path in tmp_path.rglob("*")] == ["target"]


@pytest.mark.parametrize("path", ["../evil", "/etc/passwd", "big/../../evil", ""])
def test_a_path_that_leaves_the_archive_is_damage(path: str) -> None:
    box = stored(lambda entries: [entries[0]._replace(path=path), *entries[1:]])
    with (
        pytest.raises(PayloadDamaged, match=NAME),
        list_archive(ListRequest(name="big", destination="s3"), box.tools) as listing,
    ):
        list(listing.entries)


@pytest.mark.parametrize("offset", [1, 2**40, -512])
def test_a_position_outside_of_the_archive_is_damage(offset: int) -> None:
    box = stored(lambda entries: [entries[0], entries[1]._replace(offset=offset), *entries[2:]])
    with pytest.raises(PayloadDamaged, match=NAME):
        read(box, "secret.txt")


def test_a_file_that_the_index_leaves_out_is_not_there() -> None:
    box = stored(lambda entries: entries[2:])
    with pytest.raises(BackupNotFound):
        read(box, "a.txt")


def test_an_entry_that_is_there_twice_leads_to_the_last() -> None:
    def lie(entries: list[IndexEntry]) -> Sequence[IndexEntry]:
        return [entries[0], entries[1]._replace(path="big/a.txt"), *entries[2:]]

    box = stored(lie)
    with pytest.raises(BakthatError):
        read(box, "a.txt")
