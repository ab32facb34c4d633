"""`cat`: one file out of a backup, by ranges where it has an index."""

from __future__ import annotations

import contextlib
import io
import os
import tarfile
from pathlib import Path

import pytest
from attrs import evolve

from bakthat.domain.archive_format import Compression
from bakthat.domain.backup import Backup
from bakthat.domain.payload import Keys
from bakthat.errors import BackupNotFound, PayloadDamaged, RetrievalPending, StoreError, UsageError, WrongPassword
from bakthat.ports.object_store import ObjectStore
from bakthat.testing.toolbox import Toolbox
from bakthat.usecases.backup import BackupRequest, backup
from bakthat.usecases.backup_stream import StreamRequest, backup_stream
from bakthat.usecases.destinations.object_store import ObjectDestination
from bakthat.usecases.destinations.stored_ranges import StoredRanges
from bakthat.usecases.read_file import ReadRequest, read_file
from bakthat.usecases.sync import sync

SECRET = Keys(passphrase="secret")

BLOCK = 64 * 1024
"""A small archive has several blocks of this size, as a large one has of 1 MiB."""


@pytest.fixture
def box() -> Toolbox:
    return Toolbox(block_size=BLOCK)


@pytest.fixture(scope="module")
def big(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("sources") / "big"
    (root / "deep" / "er").mkdir(parents=True)
    for number in range(4):
        (root / f"{number}.bin").write_bytes(os.urandom(10_000))
    (root / "deep" / "er" / "note.txt").write_text("a note")
    (root / "deep" / "empty").write_bytes(b"")
    (root / "link").symlink_to("deep/er/note.txt")
    (root / "deep" / "up").symlink_to("../0.bin")
    (root / "twice").symlink_to("link")
    (root / "round").symlink_to("about")
    (root / "about").symlink_to("round")
    (root / "to-a-directory").symlink_to("deep")
    (root / "outside").symlink_to("/etc/passwd")
    (root / "above").symlink_to("../../etc/passwd")
    (root / "dead").symlink_to("nothing")
    (root / "roundabout").symlink_to("to-a-directory/../link")
    os.mkfifo(root / "fifo")
    os.link(root / "3.bin", root / "zz-another-name.bin")
    with (root / "holes.img").open("wb") as file:
        file.truncate(300_000)
        file.seek(100_000)
        file.write(b"in the middle")
    return root


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory whose archive has several blocks."""
    root = tmp_path_factory.mktemp("large") / "big"
    root.mkdir()
    for number in range(6):
        (root / f"{number}.bin").write_bytes(os.urandom(200_000))
    (root / "note.txt").write_text("a note")
    return root


def back_up(box: Toolbox, source: Path, **changes) -> Backup:
    return backup(BackupRequest(**{"source": source, "destination": "s3", **changes}), box.tools)


def content(box: Toolbox, path: str | None, name: str = "big", **changes) -> bytes:
    request = ReadRequest(**{"name": name, "destination": "s3", "path": path, **changes})
    with read_file(request, box.tools) as found:
        return found.content.read()


FORMS = {
    "indexed": ({}, {}),
    "encrypted": ({"keys": SECRET}, {"keys": lambda _: SECRET}),
    "without-index": ({"compression": Compression.NONE}, {}),
    "full-check": ({}, {"full_check": True}),
}


@pytest.fixture(scope="module")
def stored(big: Path) -> dict[str, Toolbox]:
    """A backup of `big` in each form. No test changes them."""
    boxes = {}
    for form, (changes, _) in FORMS.items():
        boxes[form] = Toolbox(block_size=BLOCK)
        back_up(boxes[form], big, **changes)
    return boxes


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    "path",
    ["0.bin", "3.bin", "zz-another-name.bin", "deep/er/note.txt", "deep/empty", "holes.img", "./deep//er/note.txt"],
)
def test_a_file_is_read_as_it_was(stored: dict[str, Toolbox], big: Path, form: str, path: str) -> None:
    assert content(stored[form], path, **FORMS[form][1]) == (big / path).read_bytes()


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("path", ["link", "deep/up", "twice"])
def test_a_symbolic_link_gives_what_it_names_in_the_archive(
    stored: dict[str, Toolbox], big: Path, form: str, path: str
) -> None:
    assert content(stored[form], path, **FORMS[form][1]) == (big / path).read_bytes()


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    ("path", "error", "reason"),
    [
        ("outside", BackupNotFound, "outside is a symbolic link to /etc/passwd, which is not in the backup"),
        ("above", BackupNotFound, "above is a symbolic link to ../../etc/passwd, which is not in the backup"),
        ("roundabout", BackupNotFound, "is a symbolic link to to-a-directory/../link, which only a restore can follow"),
        ("dead", BackupNotFound, "dead is a symbolic link to nothing, which is not in the backup"),
        ("round", BackupNotFound, "round is a link to itself"),
        ("deep", UsageError, "deep is a directory; name a file in it"),
        ("to-a-directory", UsageError, "deep is a directory"),
        ("fifo", UsageError, "fifo is a device or a fifo, which has no content"),
        ("to-a-directory/er/x", BackupNotFound, "to-a-directory is a symbolic link to deep, .*; name deep/er/x"),
        ("above/x", BackupNotFound, r"above is a symbolic link to \.\./\.\./etc/passwd, which is not followed$"),
        ("deep/note.txt", BackupNotFound, r"deep/note.txt: no such file in big\.\d+\.\w+"),
        ("note.txt", BackupNotFound, "no such file"),
        ("big/0.bin", BackupNotFound, "no such file"),
        (None, UsageError, "big is a directory; name a file in it"),
        ("", UsageError, "give the path of a file"),
        ("../0.bin", UsageError, "give the path of a file"),
        ("/etc/passwd", UsageError, "give the path of a file"),
        (".", UsageError, "give the path of a file"),
    ],
)
def test_what_cannot_be_read_is_one_clear_error(
    stored: dict[str, Toolbox], form: str, path: str | None, error: type[Exception], reason: str
) -> None:
    with pytest.raises(error, match=reason):
        content(stored[form], path, **FORMS[form][1])


def test_a_misspelt_path_is_answered_with_a_similar_one(stored: dict[str, Toolbox]) -> None:
    box = stored["indexed"]
    with pytest.raises(BackupNotFound, match=r"did you mean deep/er/note\.txt or "):
        content(box, "deep/er/node.txt")


def test_a_directory_is_not_suggested_to_be_read(stored: dict[str, Toolbox]) -> None:
    with pytest.raises(BackupNotFound) as caught:
        content(stored["indexed"], "big/er")
    assert "did you mean big" not in str(caught.value)


def test_the_entry_is_that_of_the_content(stored: dict[str, Toolbox]) -> None:
    with read_file(ReadRequest(name="big", destination="s3", path="link"), stored["indexed"].tools) as found:
        assert (found.entry.path, found.entry.size) == ("deep/er/note.txt", 6)


# Backups of one file


@pytest.mark.parametrize("compression", list(Compression))
@pytest.mark.parametrize("path", [None, "notes.txt"])
def test_the_only_file_needs_no_path(box: Toolbox, tmp_path: Path, compression: Compression, path: str | None) -> None:
    (tmp_path / "notes.txt").write_text("notes")
    back_up(box, tmp_path / "notes.txt", compression=compression)
    assert content(box, path, "notes.txt") == b"notes"


@pytest.mark.parametrize("compression", list(Compression))
@pytest.mark.parametrize("keys", [Keys(), SECRET])
def test_a_stream_is_read(box: Toolbox, compression: Compression, keys: Keys) -> None:
    stream = contextlib.nullcontext(io.BytesIO(b"x" * 300_000))
    request = StreamRequest(name="shop.sql", destination="s3", content=stream, compression=compression, keys=keys)
    backup_stream(request, box.tools)
    assert content(box, None, "shop.sql", keys=lambda _: keys) == b"x" * 300_000


def test_another_path_in_a_backup_of_one_file_is_an_error(box: Toolbox, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("notes")
    back_up(box, tmp_path / "notes.txt", compression=Compression.NONE)
    with pytest.raises(BackupNotFound, match=r"is the single file notes\.txt; it has no other\.txt"):
        content(box, "other.txt", "notes.txt")


# How much is read


class Measured(ObjectDestination):
    """Remembers what was read by ranges."""

    opened: StoredRanges | None = None

    def open_ranges(self, backup, known):
        self.opened = super().open_ranges(backup, known)
        return self.opened


@pytest.mark.parametrize("keys", [Keys(), SECRET])
def test_a_small_file_costs_little_of_a_large_archive(box: Toolbox, large: Path, keys: Keys) -> None:
    made = back_up(box, large, keys=keys)
    plain = box.destination("s3")
    assert isinstance(plain, ObjectDestination)
    measured = Measured(plain.owner, plain.objects)
    tools = box.tools
    request = ReadRequest(name="big", destination="s3", path="note.txt", keys=lambda _: keys)
    with read_file(request, evolve(tools, destination=lambda _: measured)) as found:
        assert found.content.read() == b"a note"
    assert measured.opened is not None
    assert measured.opened.bytes_read < made.size / 3


# Other programs' archives


def foreign(box: Toolbox, add) -> None:
    into = io.BytesIO()
    with tarfile.open(fileobj=into, mode="w:gz") as archive:
        add(archive)
    box.stores["s3"].put("big.20120102030405.tgz", io.BytesIO(into.getvalue()))
    sync("s3", box.tools)


def test_an_archive_of_another_program_is_read_with_a_notice(box: Toolbox, big: Path) -> None:
    foreign(box, lambda archive: archive.add(big, "big"))
    assert content(box, "zz-another-name.bin") == (big / "3.bin").read_bytes()
    assert set(box.notices) == {
        "big.20120102030405.tgz is read from beginning to end, which takes longer than with an index"
    }


def test_a_path_that_an_archive_has_twice_is_not_passed_off_as_the_last_one(box: Toolbox) -> None:
    def add(archive: tarfile.TarFile) -> None:
        for text in (b"first", b"second"):
            member = tarfile.TarInfo("big/a")
            member.size = len(text)
            archive.addfile(member, io.BytesIO(text))

    foreign(box, add)
    with pytest.raises(PayloadDamaged, match="has a twice"):
        content(box, "a")


# Faults


def damaged(box: Toolbox, made: Backup, position: int) -> None:
    with box.stores["s3"].open(made.stored_filename) as reader:
        changed = bytearray(reader.read())
    changed[position] ^= 1
    box.stores["s3"].put(made.stored_filename, io.BytesIO(bytes(changed)), replace=True)


@pytest.mark.parametrize("keys", [Keys(), SECRET])
def test_damage_where_the_file_is_is_found_and_elsewhere_it_does_no_harm(box: Toolbox, large: Path, keys: Keys) -> None:
    made = back_up(box, large, keys=keys)
    damaged(box, made, made.size // 2)
    errors = []
    for number in range(6):
        path = f"{number}.bin"
        try:
            same = content(box, path, keys=lambda _: keys) == (large / path).read_bytes()
        except PayloadDamaged as error:
            errors.append(str(error))
        else:
            assert same
    assert 1 <= len(errors) <= 2
    assert all(made.stored_filename in error for error in errors)


def test_a_full_check_finds_damage_anywhere(box: Toolbox, large: Path) -> None:
    made = back_up(box, large)
    damaged(box, made, 1_000_000)
    with pytest.raises(PayloadDamaged):
        content(box, "0.bin", full_check=True)


def test_a_wrong_key_is_reported_before_anything_is_read(stored: dict[str, Toolbox]) -> None:
    with pytest.raises(WrongPassword):
        content(stored["encrypted"], "0.bin", keys=lambda _: Keys(passphrase="wrong"))


@pytest.fixture(scope="module")
def huge(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with a file that is larger than what is read ahead."""
    root = tmp_path_factory.mktemp("huge") / "big"
    root.mkdir()
    (root / "5.bin").write_bytes(bytes(9 * 1024 * 1024) + os.urandom(500_000))
    return root


def test_an_object_that_is_replaced_meanwhile_is_an_error(huge: Path) -> None:
    box = Toolbox()
    made = back_up(box, huge)
    store: ObjectStore = box.stores["s3"]
    with store.open(made.stored_filename) as reader:
        same = reader.read()
    request = ReadRequest(name="big", destination="s3", path="5.bin")
    with pytest.raises(StoreError, match="was replaced"), read_file(request, box.tools) as found:
        found.content.read(10)
        store.put(made.stored_filename, io.BytesIO(same), replace=True)
        found.content.read()


def test_an_object_that_is_deleted_meanwhile_is_an_error(huge: Path) -> None:
    box = Toolbox()
    made = back_up(box, huge)
    request = ReadRequest(name="big", destination="s3", path="5.bin")
    with pytest.raises(StoreError), read_file(request, box.tools) as found:
        found.content.read(10)
        box.stores["s3"].delete(made.stored_filename)
        found.content.read()


def test_a_file_in_a_vault_is_read_once_it_is_retrieved(box: Toolbox, big: Path) -> None:
    back_up(box, big, destination="glacier")
    with pytest.raises(RetrievalPending):
        content(box, "0.bin", destination="glacier")
    assert content(box, "0.bin", destination="glacier", wait=True) == (big / "0.bin").read_bytes()


def test_what_is_not_read_to_its_end_is_not_an_error(stored: dict[str, Toolbox]) -> None:
    box = stored["indexed"]
    for full_check in (False, True):
        request = ReadRequest(name="big", destination="s3", path="0.bin", full_check=full_check)
        with read_file(request, box.tools) as found:
            assert len(found.content.read(10)) == 10
