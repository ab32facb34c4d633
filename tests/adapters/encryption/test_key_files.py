"""Key pairs as age-keygen writes them, and keys as text."""

from __future__ import annotations

import os
import random
import stat
from datetime import UTC, datetime, timedelta, timezone

import pytest

from bakthat.adapters.encryption.identity_files import read_identity_file
from bakthat.adapters.encryption.key_files import (
    check_identity,
    check_recipient,
    keygen,
    recipient_of,
    write_key_file,
)
from bakthat.errors import TargetExists, UsageError
from tests.fixtures import age_program

NOON = datetime(2026, 3, 1, 12, 0, 5, 123456, tzinfo=UTC)
PAIR = keygen(clock=lambda: NOON, random=random.Random(1).randbytes)


# ---- making keys


def test_a_key_pair_reads_as_age_keygen_writes_it():
    assert PAIR.as_text() == (f"# created: 2026-03-01T12:00:05Z\n# public key: {PAIR.recipient}\n{PAIR.identity}\n")


def test_local_time_is_written_with_its_offset():
    pair = keygen(clock=lambda: NOON.astimezone(timezone(timedelta(hours=5, minutes=30))))
    assert pair.as_text().startswith("# created: 2026-03-01T17:30:05+05:30\n")


def test_a_key_file_has_the_lines_of_age_keygen_s(tmp_path):
    age_program.run([age_program.program("age-keygen"), "-o", str(tmp_path / "theirs")])
    write_key_file(tmp_path / "ours", PAIR)
    theirs, ours = ((tmp_path / name).read_text().split("\n") for name in ("theirs", "ours"))
    assert [len(line) for line in theirs] == [len(line) for line in ours]
    assert [line[:12] for line in theirs] == [line[:12] for line in ours]
    assert (tmp_path / "theirs").stat().st_mode == (tmp_path / "ours").stat().st_mode


def test_age_keygen_derives_the_same_recipient_from_our_key_file(tmp_path):
    write_key_file(tmp_path / "key", PAIR)
    told = age_program.run([age_program.program("age-keygen"), "-y", str(tmp_path / "key")]).decode()
    assert told == f"{PAIR.recipient}\n"
    assert recipient_of(PAIR.identity) == PAIR.recipient


def test_two_key_pairs_differ():
    assert keygen(clock=lambda: NOON).identity != keygen(clock=lambda: NOON).identity


def test_a_key_file_can_be_read_by_nobody_else_whatever_the_umask(tmp_path):
    before = os.umask(0)
    try:
        write_key_file(tmp_path / "key", PAIR)
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "key").stat().st_mode) == 0o600


@pytest.mark.parametrize("kind", ["file", "link to nowhere", "directory"])
def test_a_key_file_never_replaces_anything(tmp_path, kind):
    path = tmp_path / "key"
    match kind:
        case "file":
            path.write_text("somebody's key")
        case "link to nowhere":
            path.symlink_to(tmp_path / "elsewhere")
        case "directory":
            path.mkdir()
    with pytest.raises(TargetExists, match="never overwritten"):
        write_key_file(path, PAIR)
    assert kind != "file" or path.read_text() == "somebody's key"
    assert not (tmp_path / "elsewhere").exists()


def test_a_place_that_cannot_be_written_is_named(tmp_path):
    with pytest.raises(UsageError, match=r"nowhere/key' cannot be written: No such file or directory"):
        write_key_file(tmp_path / "nowhere" / "key", PAIR)


def test_a_key_file_that_does_not_fit_on_the_disk_is_not_left_behind_half_written(tmp_path):
    class Unwritable:
        identity = recipient = "x"

        def as_text(self) -> str:
            raise OSError(28, "No space left on device")

    with pytest.raises(UsageError, match="No space left"):
        write_key_file(tmp_path / "key", Unwritable())  # type: ignore[arg-type]
    assert list(tmp_path.iterdir()) == []


# ---- keys as text


def test_a_good_key_comes_back_without_the_space_around_it():
    assert check_recipient(f" {PAIR.recipient}\n", "-r") == PAIR.recipient
    assert check_identity(f" {PAIR.identity}\n", "key.txt, line 1") == PAIR.identity


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "does not start with age1"),
        ("age1", "too short"),
        (PAIR.recipient[:-1], "checksum"),
        (PAIR.recipient.upper(), "does not start with age1"),
        (PAIR.identity, "secret key; the recipient is"),
        (PAIR.identity.lower(), "secret key; the recipient is"),
        ("ssh-ed25519 AAAAC3Nz someone@example.org", "malformed SSH key"),
    ],
)
def test_a_recipient_that_cannot_be_used_says_where_it_stands_and_why(text, reason):
    with pytest.raises(UsageError, match=f"^recipients of profile 'x': .*{reason}"):
        check_recipient(text, "recipients of profile 'x'")


def test_no_secret_is_repeated(tmp_path):
    secret = PAIR.identity[:-1] + "Q"
    (tmp_path / "one").write_text(f"{secret}\n")
    (tmp_path / "other").write_text(f"-{secret}\n")
    shown = [repr(PAIR), str(PAIR)]
    for attempt in (
        lambda: check_recipient(secret, "-r"),
        lambda: check_identity(secret, "x"),
        lambda: recipient_of(secret),
        lambda: read_identity_file(tmp_path / "one"),
        lambda: read_identity_file(tmp_path / "other"),
    ):
        with pytest.raises(UsageError) as refusal:
            attempt()
        shown.append(f"{refusal.value} {refusal.value!r} {refusal.value.__cause__!r} {refusal.value.__context__!r}")
    assert not [text for text in shown if secret[20:40] in text]
