"""The page is followed, block by block, with the real `age` and `tar`, on files as bakthat stores them."""

from __future__ import annotations

import hashlib
import io
import os
import re
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Sequence
from contextlib import nullcontext
from datetime import UTC, datetime
from pathlib import Path

import pytest

from bakthat.adapters.compression.gzip_compressor import GzipCompressor
from bakthat.adapters.compression.zstd_compressor import ZstdCompressor
from bakthat.adapters.encryption import key_files
from bakthat.adapters.encryption.age import AgeCipher
from bakthat.adapters.packing.tar_packer import TarPacker
from bakthat.domain import catalog, stored_name
from bakthat.domain.backup import Backup
from bakthat.domain.catalog import CatalogEntry
from bakthat.domain.payload import Keys
from bakthat.ports.payload import Compressor
from tests.fixtures import age_program
from tests.fixtures.extended import xattrs

PAGE = Path(__file__).parent.parent.parent / "docs" / "restore-without-bakthat.md"
DATA = Path(__file__).parent.parent / "data"
PASSWORD = "correct horse 2013"

BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL)
SHELL = [text for language, text in BLOCKS if language == "sh"]
# The aws program is not among what bakthat or its tests install, and an account is not either; what these blocks do is
# one download each, which the fixture stands for. Everything behind it is run.
DOWNLOADS = [text for text in SHELL if text.startswith("aws ")]
FOLLOWED = [text for text in SHELL if text not in DOWNLOADS]


def store(source: Path, keys: Keys, *, gzipped: bool, compressor: Compressor | None = None) -> bytes:
    """The bytes that a backup of the source has in the store."""
    into = io.BytesIO()
    cipher, compressor = AgeCipher(work_factor=10), compressor or GzipCompressor()
    with cipher.sealing(into, keys) if keys else nullcontext(into) as sealed:
        if not gzipped:
            TarPacker().pack(source, sealed)
        else:
            with compressor.compressing_with_index(sealed) as packed:
                TarPacker().pack(source, packed.stream, on_entry=packed.on_entry)
    return into.getvalue()


@pytest.fixture
def downloads(tmp_path):
    """A directory with what the page's first steps downloaded, and the key file."""
    source = tmp_path / "source" / "photos"
    (source / "2025").mkdir(parents=True)
    (source / "2025" / "été.jpg").write_bytes(b"\xff\xd8\xff" * 100_000)
    (source / "note.txt").write_text("hello\n")
    (source / "note.txt").chmod(0o640)
    os.setxattr(source / "note.txt", "user.comment", b"important")
    (source / "latest").symlink_to("2025/été.jpg")
    here = tmp_path / "downloads"
    here.mkdir()
    pair = key_files.keygen(clock=lambda: datetime(2026, 1, 1, tzinfo=UTC))
    key_files.write_key_file(here / "key.txt", pair)
    to_key = Keys(recipients=(pair.recipient,))
    by_password = store(source, Keys(passphrase=PASSWORD), gzipped=True)
    (here / "photos.20260102030405.tgz.enc").write_bytes(by_password)
    (here / "photos.20260203040506.tgz.enc").write_bytes(store(source, to_key, gzipped=True))
    (here / "photos.20260304050607.tgz").write_bytes(store(source, Keys(), gzipped=True))
    (here / "photos.20260506070809.tar.enc").write_bytes(store(source, to_key, gzipped=False))
    for name, keys in (("20260607080910.tar.zst", Keys()), ("20260708091011.tar.zst.enc", to_key)):
        (here / f"photos.{name}").write_bytes(store(source, keys, gzipped=True, compressor=ZstdCompressor()))
    shutil.copy(DATA / "beefish_0.2.1.tgz.enc", here / "photos.20130305193615.tgz.enc")
    entry = here / catalog.key_of("photos.20260102030405.tgz.enc")
    entry.parent.mkdir()
    entry.write_bytes(entry_of("photos.20260102030405.tgz.enc", by_password))
    return here


def entry_of(stored_filename: str, stored: bytes) -> bytes:
    when = stored_name.parse(stored_filename).when
    metadata = {"is_enc": True, "sha256": hashlib.sha256(stored).hexdigest(), "encryption": {"scheme": "age-scrypt"}}
    backup = Backup(
        backend="s3", backup_date=when, last_updated=when, filename="photos", stored_filename=stored_filename,
        size=len(stored), metadata=metadata,
    )  # fmt: skip
    return CatalogEntry(backup=backup).dumps()


def follow(text: str, here: Path, typed: Sequence[str] = ()) -> str:
    """Run a block in a shell that ends at the first failure. Gives what the terminal showed."""
    # The page's python3 is one that has `cryptography`.
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    command = ["env", f"PATH={path}", "sh", "-eu", "-c", text]
    return age_program.run_with_terminal(command, typed=typed, prompt=b"pass", cwd=here)


def assert_same_tree(one: Path, other: Path) -> None:
    def listing(root: Path):
        return [
            (path.relative_to(root), path.lstat().st_mode, path.is_symlink() or path.is_dir() or path.read_bytes())
            for path in sorted(root.rglob("*"))
        ]

    assert listing(one) == listing(other)
    assert len(listing(one)) == 4


def test_a_backup_by_password_or_key_is_restored_by_following_the_page(downloads):
    source = downloads.parent / "source"
    checked, by_password, by_key, unpacked, with_attributes, at_once, of_zstd, _ = FOLLOWED
    assert "photos.20260102030405.tgz.enc: OK" in follow(checked, downloads)

    follow(by_password, downloads, typed=[PASSWORD])
    assert "photos/note.txt" in follow(unpacked, downloads)
    assert_same_tree(downloads / "restored" / "photos", source / "photos")

    shutil.rmtree(downloads / "restored")
    (downloads / "photos.tgz").unlink()
    follow(by_key, downloads)
    follow(unpacked, downloads)
    assert_same_tree(downloads / "restored" / "photos", source / "photos")

    shutil.rmtree(downloads / "restored" / "photos")
    follow(with_attributes, downloads)
    assert_same_tree(downloads / "restored" / "photos", source / "photos")
    assert xattrs(downloads / "restored" / "photos" / "note.txt") == xattrs(source / "photos" / "note.txt") != {}

    follow(at_once, downloads)
    assert_same_tree(downloads / "plain" / "photos", source / "photos")
    assert_same_tree(downloads / "encrypted" / "photos", source / "photos")

    follow(of_zstd, downloads)
    assert_same_tree(downloads / "zstd-plain" / "photos", source / "photos")
    assert_same_tree(downloads / "zstd-encrypted" / "photos", source / "photos")


def test_a_file_of_2013_is_opened_by_the_page_s_program(downloads):
    program, _ = (text for language, text in BLOCKS if language == "python")
    (downloads / "open2013.py").write_text(program)
    assert "photos/note.txt" in follow(FOLLOWED[-1], downloads, typed=[PASSWORD])


def test_the_page_s_program_reads_an_archive_from_a_stream_which_tarfile_alone_does_not(downloads):
    _, program = (text for language, text in BLOCKS if language == "python")
    archive = (downloads / "photos.20260304050607.tgz").read_bytes()
    done = subprocess.run([sys.executable, "-c", program], input=archive, capture_output=True, check=True, timeout=300)
    assert b"photos/2025/\xc3\xa9t\xc3\xa9.jpg 300000" in done.stdout.splitlines()
    # Python before 3.11.3 stumbles over its own error: '_Stream' object has no attribute 'exception'.
    with pytest.raises((tarfile.ReadError, AttributeError), match="invalid compressed data|'exception'"):
        tarfile.open(fileobj=io.BytesIO(archive), mode="r|gz").close()


def test_a_download_that_is_damaged_does_not_match_its_catalog_entry(downloads):
    stored = downloads / "photos.20260102030405.tgz.enc"
    stored.write_bytes(stored.read_bytes()[:-1])
    with pytest.raises(AssertionError, match="FAILED"):
        follow(FOLLOWED[0], downloads)


def test_every_block_is_followed_but_those_that_only_download():
    assert len(FOLLOWED) == 8
    assert len(DOWNLOADS) == 2
    for text in DOWNLOADS:
        assert all(line.startswith("aws ") for line in text.splitlines())
    assert {language for language, _ in BLOCKS} == {"sh", "python"}


def test_every_name_on_the_page_is_one_that_bakthat_gives():
    names = set(re.findall(r"photos\.\d{14}[.a-z]*(?:enc|tgz|tar|zst)\b", PAGE.read_text()))
    assert len(names) >= 5
    assert all(str(stored_name.parse(name)) == name for name in names)
    assert catalog.key_of("photos.20260102030405.tgz.enc") in PAGE.read_text()
