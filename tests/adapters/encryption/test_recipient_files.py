"""Files of recipients, one in a line."""

from __future__ import annotations

import base64
import random
from datetime import UTC, datetime

import pytest

from bakthat.adapters.encryption.key_files import keygen
from bakthat.adapters.encryption.recipient_files import read_recipients
from bakthat.errors import UsageError
from tests.fixtures.held_secrets import held_by

PAIR, OTHER = (
    keygen(clock=lambda: datetime(2026, 3, 1, tzinfo=UTC), random=random.Random(seed).randbytes) for seed in (1, 2)
)


@pytest.fixture
def recipients_of(tmp_path):
    def read(content: str | bytes, notice=None):
        path = tmp_path / "team.txt"
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return read_recipients(path, "-R", notice=notice)

    return read


def test_recipients_are_read_in_order_with_comments_blank_lines_and_other_line_ends(recipients_of):
    text = f"\ufeff# the team\r\n\r\n{OTHER.recipient}\r\n# me\n  {PAIR.recipient}\n{OTHER.recipient}"
    assert recipients_of(text) == (OTHER.recipient, PAIR.recipient)


ED25519 = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAOhB7/zzhC+HXDdGOdLwJln5NYwm6UNXx3chmQSVTG4"
KIND = "sk-ssh-ed25519@openssh.com"
SECURITY_KEY = f"{KIND} {base64.b64encode(len(KIND).to_bytes(4) + KIND.encode() + bytes(40)).decode()}"


def test_ssh_keys_of_other_kinds_are_passed_over_with_a_notice_as_age_does(recipients_of):
    notices = []
    assert recipients_of(f"{SECURITY_KEY} token\n{ED25519} me@laptop\n", notices.append) == (ED25519,)
    (notice,) = notices
    assert "line 1: a key of the kind sk-ssh-ed25519@openssh.com is passed over" in notice


def test_a_file_of_only_other_kinds_of_keys_has_no_recipient(recipients_of):
    with pytest.raises(UsageError, match="contains no recipient"):
        recipients_of(SECURITY_KEY, lambda _: None)


def test_a_line_of_authorized_keys_with_options_is_refused_as_age_refuses_it(recipients_of):
    with pytest.raises(UsageError, match=r"line 2: not a usable recipient"):
        recipients_of(f'{ED25519}\nfrom="10.0.0.1" {ED25519}\n')


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("# nobody\n\n", "team.txt' contains no recipient"),
        (f"{PAIR.recipient}\n{PAIR.recipient[:-1]}\n", "team.txt', line 2: .*checksum"),
        (f"# key\n{PAIR.identity}\n", "team.txt', line 2: .*secret key"),
        (f"x{PAIR.identity}\n", "team.txt', line 1: .*secret key"),
        ("a" * 8193, "line 1: longer than 8192"),
        (PAIR.identity.encode() + b"\xff", "not UTF-8"),
        (b"#" * (16 * 1024 * 1024 + 1), "larger than"),
    ],
    ids=["none", "mistyped", "a secret", "a longer secret", "a long line", "binary", "huge"],
)
def test_a_file_that_is_not_one_of_recipients_says_where_and_why_and_shows_nothing_of_it(
    recipients_of, content, reason
):
    with pytest.raises(UsageError, match=f"^-R: .*{reason}") as refusal:
        recipients_of(content)
    assert PAIR.identity[20:40] not in held_by(refusal.value)


@pytest.mark.parametrize(("mode", "is_noticed"), [(0o644, False), (0o600, False), (0o664, True), (0o646, True)])
def test_a_file_that_other_users_may_change_gives_a_notice(tmp_path, mode, is_noticed):
    path = tmp_path / "team.txt"
    path.write_text(PAIR.recipient)
    path.chmod(mode)
    notices = []
    assert read_recipients(path, "-R", notice=notices.append) == (PAIR.recipient,)
    assert [f"(mode {mode:04o}), and add a key of theirs; run: chmod go-w" in notice for notice in notices] == (
        [True] if is_noticed else []
    )


def test_a_file_that_is_missing_or_a_directory_is_named(tmp_path):
    with pytest.raises(UsageError, match=r"-R: .*none' does not exist"):
        read_recipients(tmp_path / "none", "-R")
    with pytest.raises(UsageError, match="cannot be read: Is a directory"):
        read_recipients(tmp_path, "-R")
