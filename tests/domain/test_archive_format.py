"""The format of a backup's stored bytes, by its record and by its name."""

from __future__ import annotations

import pytest

from bakthat.domain.archive_format import (
    INCREMENTAL,
    SUFFIXES,
    ArchiveFormat,
    Compression,
    Container,
    StorageForm,
    format_of_suffix,
    is_incremental_suffix,
    storage_form,
    suffix_of_changed_name,
)
from bakthat.domain.backup import Backup
from bakthat.domain.payload import SourceKind
from tests.domain.series import utc

TGZ = ArchiveFormat(Container.TAR, Compression.GZIP)
TAR = ArchiveFormat(Container.TAR, Compression.NONE)
FILE = ArchiveFormat(Container.FILE, Compression.NONE)
GZ = ArchiveFormat(Container.STREAM, Compression.GZIP)
STREAM = ArchiveFormat(Container.STREAM, Compression.NONE)


def a_backup(stored_filename: str, **metadata) -> Backup:
    return Backup(
        backend="s3",
        backup_date=utc(2026),
        filename="mydir",
        stored_filename=stored_filename,
        size=1,
        last_updated=utc(2026),
        metadata=metadata,
    )


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_the_form_of_a_suffix_has_that_suffix(suffix):
    form = StorageForm(format=format_of_suffix(suffix), incremental=is_incremental_suffix(suffix))
    assert form.suffix == suffix
    assert form.format.suffix == suffix.removeprefix(INCREMENTAL)


def test_only_a_tar_is_incremental():
    incremental = [suffix for suffix in SUFFIXES if is_incremental_suffix(suffix)]
    assert sorted(incremental) == [".inc.tar", ".inc.tar.zst", ".inc.tgz"]
    assert {format_of_suffix(suffix).container for suffix in incremental} == {Container.TAR}


def test_no_suffix_means_a_file():
    assert format_of_suffix("") == FILE


def test_a_longer_suffix_is_tried_before_one_that_it_ends_in():
    assert list(SUFFIXES) == sorted(SUFFIXES, key=len, reverse=True)


@pytest.mark.parametrize(
    ("kind", "compression", "expected", "suffix"),
    [
        (SourceKind.DIRECTORY, Compression.GZIP, TGZ, ".tgz"),
        (SourceKind.DIRECTORY, Compression.NONE, TAR, ".tar"),
        (SourceKind.FILE, Compression.GZIP, TGZ, ".tgz"),
        (SourceKind.FILE, Compression.NONE, FILE, ""),
        (SourceKind.PACKED_FILE, Compression.GZIP, FILE, ".tgz"),
        (SourceKind.PACKED_FILE, Compression.NONE, FILE, ""),
    ],
)
def test_the_kind_of_source_and_the_compression_decide_how_it_is_stored(kind, compression, expected, suffix):
    form = storage_form(kind, compression)
    assert (form.format, form.suffix) == (expected, suffix)
    assert form.packed_by_source is (suffix == ".tgz" and expected == FILE)


@pytest.mark.parametrize(
    ("name", "metadata", "expected"),
    [
        ("mydir.20260102030405.tgz", {}, TGZ),
        ("mydir20120927110000.tgz.enc", {}, TGZ),
        ("mydir.20260102030405.tar", {}, TAR),
        ("mydir.20260102030405.inc.tgz.enc", {}, TGZ),
        ("mydir.20260102030405.inc.tgz", {"container": "tar"}, TGZ),
        ("mydir.20260102030405.inc.tar", {"container": "tar"}, TAR),
        ("renamed.inc.tgz", {}, TGZ),
        ("shop.sql.20260102030405.gz.enc", {}, GZ),
        ("notes.txt.20260102030405", {}, FILE),
        ("mydir.20260102030405.tgz", {"packed_by_source": True}, FILE),
        ("mydir.20260102030405.tgz", {"container": "file"}, FILE),
        ("shop.sql.20260102030405", {"container": "stream"}, STREAM),
        ("shop.sql.20260102030405.gz", {"container": "stream"}, GZ),
        ("key", {"KeyValue": True}, FILE),
        ("key", {"KeyValue": True, "is_gzipped": True}, ArchiveFormat(Container.FILE, Compression.GZIP)),
        ("renamed.tgz", {}, TGZ),
        ("renamed.tar.enc", {}, TAR),
        ("dump.sql.gz", {}, FILE),
        ("renamed", {}, FILE),
    ],
)
def test_the_record_decides_what_a_backup_is_and_else_its_name(name, metadata, expected):
    assert a_backup(name, **metadata).format == expected


@pytest.mark.parametrize("container", ["stream", "tar", "zip", 1, None, ["tar"]])
@pytest.mark.parametrize(("name", "expected"), [("a.20260102030405.tgz", TGZ), ("a.20260102030405.gz", GZ)])
def test_a_record_that_contradicts_the_name_does_not_decide(name, container, expected):
    assert a_backup(name, container=container).format == expected


@pytest.mark.parametrize(
    ("name", "suffix"), [("a.tgz", ".tgz"), ("a.tar.enc", ".tar"), ("a.gz", ""), ("a.tar.gz", ""), ("a", "")]
)
def test_of_a_changed_name_only_the_suffix_of_a_tar_counts(name, suffix):
    assert suffix_of_changed_name(name) == suffix


@pytest.mark.parametrize("root", [None, "", 1, "\udcff", ["x"]])
def test_a_root_that_no_file_can_have_is_unknown(root):
    assert a_backup("a.20260102030405.tgz", root=root).root is None
