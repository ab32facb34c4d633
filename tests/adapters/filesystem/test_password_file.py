"""The password in a file."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from bakthat.adapters.filesystem.password_file import read_password_file
from bakthat.errors import ConfigInvalid, UsageError


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "password"
    path.touch(0o600)
    return path


@pytest.mark.parametrize(
    ("content", "password"),
    [
        (b"correct horse\n", "correct horse"),
        (b"correct horse", "correct horse"),
        (b"correct horse\r\n", "correct horse"),
        (b"\xef\xbb\xbfcorrect horse\n", "correct horse"),
        (b" spaces stay \n", " spaces stay "),
        ("gr\u00fc\u00dfe\n".encode(), "gr\u00fc\u00dfe"),
    ],
    ids=["a line", "no line ending", "Windows", "BOM", "spaces", "UTF-8"],
)
def test_one_line_ending_is_cut(file: Path, content: bytes, password: str) -> None:
    file.write_bytes(content)
    assert read_password_file(str(file), "--password-file") == password


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "is empty"),
        (b"\n", "is empty"),
        (b"hidden\nhidden\n", "has several lines"),
        (b"hidden\n\n", "has several lines"),
        (b"\0h\0i\0d\0d\0e\0n", "contains a NUL"),
        (b"hidden\xff", "is not UTF-8 text"),
        (b"hidden" * 20_000, "is larger than 65536 bytes"),
    ],
    ids=["empty", "blank", "two lines", "two line endings", "UTF-16", "Latin-1", "large"],
)
def test_an_invalid_password_file_is_refused_without_a_part_of_it(file: Path, content: bytes, told: str) -> None:
    file.write_bytes(content)
    with pytest.raises(UsageError, match=f"^--password-file: '{file}' {told}") as caught:
        read_password_file(str(file), "--password-file")
    assert "hidden" not in str(caught.value)
    assert caught.value.__context__ is None


def test_a_file_that_does_not_exist_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"^BAKTHAT_PASSWORD_FILE: '.*/none' does not exist"):
        read_password_file(str(tmp_path / "none"), "BAKTHAT_PASSWORD_FILE")


def test_a_directory_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be read: Is a directory"):
        read_password_file(str(tmp_path), "--password-file")


def test_a_home_directory_that_cannot_be_determined_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigInvalid, match="^--password-file: .* unknown user 'no-such-user'"):
        read_password_file("~no-such-user/password", "--password-file")


@pytest.mark.parametrize(
    ("mode", "told"), [(0o600, 0), (0o640, 0), (0o644, 1)], ids=["only its owner", "and its group", "everybody"]
)
def test_a_file_that_everybody_may_read_is_named(file: Path, mode: int, told: int) -> None:
    file.write_text("correct horse")
    file.chmod(mode)
    notices: list[str] = []
    read_password_file(str(file), "--password-file", notice=notices.append)
    run = f"--password-file: every user may read '{file}' (mode 0644); run: chmod 600 '{file}'"
    assert notices == [run] * told


def test_a_pipe_is_read_without_a_notice(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    with open(writing, "w") as pipe:
        pipe.write("correct horse\n")
    notices: list[str] = []
    with open(reading):
        assert read_password_file(f"/dev/fd/{reading}", "--password-file", notice=notices.append) == "correct horse"
    assert notices == []
