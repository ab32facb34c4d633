"""What lies at a path, judged by its content."""

from __future__ import annotations

import gzip
import io
import os
import socket
import subprocess
import tarfile
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from bakthat.adapters.compression.gzip_compressor import GzipCompressor
from bakthat.adapters.packing.writing.source import examine, open_file
from bakthat.domain.payload import SourceKind
from bakthat.errors import SourceError


def tar(dialect: int = tarfile.PAX_FORMAT, name: str = "file") -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w", format=dialect) as archive:
        info = tarfile.TarInfo(name)
        info.size = 1000
        archive.addfile(info, io.BytesIO(bytes(1000)))
    return stream.getvalue()


def by_bakthat(data: bytes) -> bytes:
    stream = io.BytesIO()
    with GzipCompressor().compressing(stream) as writer:
        writer.write(data)
    return stream.getvalue()


def signed_sum(block: bytes) -> bytes:
    """The header as some old tars made it, which summed signed characters."""
    blank = block[:148] + b" " * 8 + block[156:512]
    total = sum(byte - 256 if byte > 127 else byte for byte in blank)
    return block[:148] + b"%06o\0 " % total + block[156:]


V7 = signed_sum(tar(tarfile.USTAR_FORMAT)[:257] + bytes(255))


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(gzip.compress(tar()), id="pax"),
        pytest.param(gzip.compress(tar(tarfile.GNU_FORMAT, "n" * 150)), id="gnu"),
        pytest.param(gzip.compress(tar(tarfile.USTAR_FORMAT)), id="ustar"),
        pytest.param(gzip.compress(V7), id="without magic"),
        pytest.param(gzip.compress(signed_sum(tar(tarfile.GNU_FORMAT, "é"))), id="signed checksum"),
        pytest.param(by_bakthat(tar()), id="bakthat's own"),
        pytest.param(b"".join(gzip.compress(tar()[at : at + 100]) for at in range(0, 1024, 100)), id="tiny members"),
    ],
)
def test_a_gzipped_tar_is_a_packed_file_whatever_it_is_called(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "holiday.jpg").write_bytes(content)
    assert examine(tmp_path / "holiday.jpg") is SourceKind.PACKED_FILE


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"plain text", id="text"),
        pytest.param(tar(), id="bare tar"),
        pytest.param(gzip.compress(b"select * from t;" * 100), id="gzipped dump"),
        pytest.param(gzip.compress(b"short"), id="gzipped, shorter than a block"),
        pytest.param(gzip.compress(bytes(10240)), id="gzipped zeros"),
        pytest.param(gzip.compress(tar())[:20], id="cut short"),
        pytest.param(b"\x1f\x8b\x08" + b"garbage" * 100, id="garbage"),
        pytest.param(gzip.compress(b"x" * 148 + b"777777\0 " + b"y" * 400), id="wrong checksum"),
        pytest.param(gzip.compress(b"x" * 148 + b"\xb2\xff____\0 " + b"y" * 400), id="no checksum"),
    ],
)
def test_a_file_with_any_other_content_is_a_file_whatever_it_is_called(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "site.tgz").write_bytes(content)
    assert examine(tmp_path / "site.tgz") is SourceKind.FILE


def test_a_directory_is_a_directory_also_through_a_link(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    assert examine(tmp_path / "real") is SourceKind.DIRECTORY
    assert examine(tmp_path / "link") is SourceKind.DIRECTORY


def test_only_the_beginning_of_a_file_is_read(tmp_path: Path) -> None:
    with open(tmp_path / "huge", "wb") as file:
        file.truncate(2**40)
    assert examine(tmp_path / "huge") is SourceKind.FILE


def test_a_path_where_nothing_is_is_named(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="gone.*no such file or directory"):
        examine(tmp_path / "gone")


def test_a_link_to_nothing_is_named_with_what_it_points_to(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("gone")
    with pytest.raises(SourceError, match="link is a symbolic link to gone, which does not exist"):
        examine(tmp_path / "link")


def test_a_link_to_itself_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("link")
    with pytest.raises(SourceError, match="link"):
        examine(tmp_path / "link")


@pytest.mark.parametrize("path", ["a\0b", "n" * 300, "/dev/null/x"])
def test_a_path_that_cannot_be_is_an_error(path: str) -> None:
    with pytest.raises(SourceError):
        examine(Path(path))


def test_the_message_is_one_line_whatever_the_name(tmp_path: Path) -> None:
    with pytest.raises(SourceError) as caught:
        examine(tmp_path / "a\n\x1b[31mb\udcff")
    assert str(caught.value).isprintable()


def test_a_device_is_refused() -> None:
    with pytest.raises(SourceError, match="/dev/null is a device"):
        examine(Path("/dev/null"))


def test_a_socket_is_refused() -> None:
    # The name of a socket has at most 107 bytes, so that it cannot lie just anywhere.
    with tempfile.TemporaryDirectory() as folder, socket.socket(socket.AF_UNIX) as server:
        server.bind(f"{folder}/s")
        with pytest.raises(SourceError, match="is a socket"):
            examine(Path(folder, "s"))


@pytest.mark.parametrize("look", [examine, open_file])
def test_a_fifo_is_refused_and_not_waited_for(tmp_path: Path, look: Callable[[Path], object]) -> None:
    os.mkfifo(tmp_path / "pipe")
    errors: list[BaseException] = []

    def run() -> None:
        try:
            look(tmp_path / "pipe")
        except SourceError as error:
            errors.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(60)
    assert not thread.is_alive()
    assert "is a fifo" in str(errors[0])


SCRIPT = """
import sys
from pathlib import Path
from bakthat.adapters.packing.writing.source import examine
from bakthat.errors import SourceError
for name in sys.argv[1:]:
    try:
        print(examine(Path(name)))
    except SourceError as error:
        print(error)
"""


def test_what_cannot_be_read_is_an_error_before_anything_begins(
    tmp_path: Path, unprivileged: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    (tmp_path / "file").write_bytes(b"x")
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").chmod(0)
    (tmp_path / "folder").chmod(0)
    run = unprivileged("-c", SCRIPT, str(tmp_path / "file"), str(tmp_path / "folder"))
    assert run.stdout.splitlines() == [
        f"{tmp_path}/file cannot be backed up: permission denied",
        f"{tmp_path}/folder cannot be backed up: permission denied",
    ]
