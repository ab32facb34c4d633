"""Key files: as `age-keygen` writes them, encrypted by `age -p`, and SSH keys with a passphrase."""

from __future__ import annotations

import base64
import io
import os
import random
import subprocess
import sys
import warnings
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import dsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from bakthat.adapters.encryption.age import AgeCipher
from bakthat.adapters.encryption.identity_files import read_identity_file
from bakthat.adapters.encryption.key_files import keygen, recipient_of
from bakthat.domain.payload import Keys
from bakthat.domain.recipients import label
from bakthat.errors import UsageError, WrongPassword
from tests.fixtures import age_program
from tests.fixtures.held_secrets import held_by
from tests.fixtures.ssh_keygen import make_ssh_key

PAIR = keygen(clock=lambda: datetime(2026, 3, 1, tzinfo=UTC), random=random.Random(1).randbytes)
OTHER = keygen(clock=lambda: datetime(2026, 3, 1, tzinfo=UTC), random=random.Random(2).randbytes)
PASSPHRASE = "open sesame"


def sealed(plain: bytes, keys: Keys) -> bytes:
    into = io.BytesIO()
    with AgeCipher(work_factor=4).sealing(into, keys) as writer:
        writer.write(plain)
    return into.getvalue()


def armored(data: bytes) -> bytes:
    name = b"AGE ENCRYPTED FILE-----\n"
    text = base64.encodebytes(data).replace(b"\n", b"")
    lines = b"".join(text[start : start + 64] + b"\n" for start in range(0, len(text), 64))
    return b"-----BEGIN " + name + lines + b"-----END " + name


LOCKED = sealed(PAIR.as_text().encode(), Keys(passphrase=PASSPHRASE))


@pytest.fixture
def key_file(tmp_path):
    def write(content: str | bytes, mode: int = 0o600) -> Path:
        path = tmp_path / "key.txt"
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        path.chmod(mode)
        return path

    return write


def test_what_age_keygen_wrote_is_read(tmp_path):
    age_program.run([age_program.program("age-keygen"), "-o", str(tmp_path / "key")])
    (identity,) = read_identity_file(tmp_path / "key").identities
    assert identity == (tmp_path / "key").read_text().splitlines()[2]


def test_several_identities_with_comments_blank_lines_and_other_line_ends_are_read_in_order(key_file):
    text = f"# mine\r\n\r\n{OTHER.identity}\r\n  # not mine\n\n  {PAIR.identity}  \n{OTHER.identity}"
    assert read_identity_file(key_file(text)).identities == (OTHER.identity, PAIR.identity)


def test_a_tilde_is_the_home_directory():
    with pytest.raises(UsageError, match=repr(os.path.expanduser("~/no such key"))):
        read_identity_file("~/no such key")


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("", "contains no identity"),
        ("# only a comment\n", "contains no identity"),
        (f"# a comment\n\n{PAIR.identity[:-1]}Q\n", "key.txt', line 3: .*checksum"),
        (f"{PAIR.identity}\n{PAIR.identity[:40]}\n", "key.txt', line 2: .*checksum"),
        (f"{PAIR.identity.lower()}\n", "line 1: .*does not start with AGE-SECRET-KEY-1"),
        (f"{PAIR.recipient}\n", r"line 1: .*public key \(age1…\)"),
        ("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5 me@here\n", r"line 1: .*public key of an SSH key; .*without \.pub"),
        ("AGE-PLUGIN-YUBIKEY-1QQPQQQQQQ\n", "line 1: .*plug-in"),
        ("AGE-SECRET-KEY-PQ-1XX76JRA\n", "line 1: .*checksum"),
        ("hunter2\n", "line 1: .*does not start with AGE-SECRET-KEY-1"),
        ("-----BEGIN OPENSSH PRIVATE KEY-----\nb3Bl", "malformed private key"),
        (b"\xff\xfe\x00", "not UTF-8"),
        (PAIR.identity.encode() + b"\xff", "not UTF-8"),
        (b"#" * (1024 * 1024 + 1), "larger than"),
    ],
)
def test_a_file_that_is_not_what_it_should_be_says_where_and_why(key_file, content, reason):
    with pytest.raises(UsageError, match=reason) as refusal:
        read_identity_file(key_file(content))
    assert "\n" not in str(refusal.value)
    assert PAIR.identity not in held_by(refusal.value)


def test_a_bom_before_the_text_is_ignored(key_file):
    assert read_identity_file(key_file(f"\ufeff{PAIR.identity}\n")).identities == (PAIR.identity,)


def test_an_identity_file_that_is_missing_or_a_directory_is_named(tmp_path):
    with pytest.raises(UsageError, match=r"none' does not exist"):
        read_identity_file(tmp_path / "none")
    with pytest.raises(UsageError, match="cannot be read: Is a directory"):
        read_identity_file(tmp_path)
    with pytest.raises(UsageError, match="cannot be read: the path contains a NUL"):
        read_identity_file("a\0b")


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o666, 0o610])
def test_a_file_that_others_may_read_gives_one_notice_and_is_read(key_file, mode):
    notices = []
    assert read_identity_file(key_file(PAIR.as_text(), mode), notice=notices.append).identities == (PAIR.identity,)
    (notice,) = notices
    assert f"(mode {mode:04o}); run: chmod 600 " in notice
    assert "key.txt" in notice


def test_a_file_that_others_may_not_read_gives_no_notice(key_file):
    notices = []
    read_identity_file(key_file(PAIR.as_text(), 0o600), notice=notices.append)
    read_identity_file(key_file(PAIR.as_text(), 0o400), notice=notices.append)
    assert notices == []


def test_a_pipe_is_a_file_too_and_nobody_else_s():
    notices = []
    read_end, write_end = os.pipe()
    with os.fdopen(read_end), os.fdopen(write_end, "w") as writer:
        writer.write(PAIR.as_text())
        writer.close()
        assert read_identity_file(f"/dev/fd/{read_end}", notice=notices.append).identities == (PAIR.identity,)
    assert notices == []


# encrypted with a passphrase


@pytest.mark.parametrize("content", [LOCKED, armored(LOCKED)], ids=["binary", "armored"])
def test_a_file_that_is_encrypted_with_a_passphrase_is_read_with_it(key_file, content):
    file = read_identity_file(key_file(content))
    assert (file.identities, file.label) == ((), "")
    assert file.unlock is not None
    assert file.unlock(PASSPHRASE) == (PAIR.identity,)
    with pytest.raises(WrongPassword, match=r"key\.txt': the password does not open it") as refusal:
        file.unlock("another")
    assert "another" not in held_by(refusal.value)


def test_what_age_p_writes_is_read(tmp_path):
    (tmp_path / "key").write_text(PAIR.as_text())
    age_program.encrypt_with_password(tmp_path / "key", PASSPHRASE, tmp_path / "key.age")
    file = read_identity_file(tmp_path / "key.age")
    assert file.unlock is not None
    assert file.unlock(PASSPHRASE) == (PAIR.identity,)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (sealed(b"hunter2", Keys(passphrase=PASSPHRASE)), "line 1: not a usable identity"),
        (LOCKED[:-1], "cannot be decrypted: .*cut short"),
        (b"-----BEGIN AGE ENCRYPTED FILE-----\nYWdl", "cannot be decrypted: .*armor"),
    ],
    ids=["no key inside", "cut short", "armor cut short"],
)
def test_an_encrypted_file_that_cannot_be_used_says_why(key_file, content, reason):
    file = read_identity_file(key_file(content))
    assert file.unlock is not None
    with pytest.raises(UsageError, match=rf"key\.txt'.*{reason}"):
        file.unlock(PASSPHRASE)


@pytest.mark.parametrize("is_armored", [False, True], ids=["binary", "armored"])
def test_nobody_is_asked_for_the_passphrase_of_a_file_that_has_none(key_file, is_armored):
    content = sealed(PAIR.as_text().encode(), Keys(recipients=(PAIR.recipient,)))
    if is_armored:
        content = age_program.run([age_program.program(), "-a", "-r", PAIR.recipient], stdin=b"a key")
    with pytest.raises(UsageError, match=r"key\.txt' is itself encrypted, and not with a passphrase; decrypt it first"):
        read_identity_file(key_file(content))


@pytest.mark.parametrize("before", [b"", b"\xef\xbb\xbf", b"\r\n \n"], ids=["nothing", "bom", "blank lines"])
def test_an_ssh_key_may_have_what_an_editor_puts_around_it(tmp_path, key_file, before):
    key = make_ssh_key(tmp_path / "key")
    (identity,) = read_identity_file(key_file(before + key.path.read_bytes().rstrip() + b"\r\n\n")).identities
    assert key.public.startswith(recipient_of(identity))


@pytest.mark.parametrize("is_first", [True, False], ids=["first", "last"])
@pytest.mark.parametrize("other", ["age", "ssh"])
def test_an_ssh_key_beside_another_key_is_not_read_as_if_it_were_alone(tmp_path, key_file, is_first, other):
    ssh = make_ssh_key(tmp_path / "key").path.read_text()
    two = [ssh, PAIR.as_text() if other == "age" else make_ssh_key(tmp_path / "other").path.read_text()]
    with pytest.raises(UsageError, match="give the SSH key a file of its own") as refusal:
        read_identity_file(key_file("".join(two if is_first else reversed(two))))
    assert PAIR.identity not in held_by(refusal.value)


def test_an_ssh_key_within_an_encrypted_file_is_read_unless_it_is_encrypted_twice(tmp_path, key_file):
    plain, locked = make_ssh_key(tmp_path / "plain"), make_ssh_key(tmp_path / "locked", passphrase=PASSPHRASE)
    file = read_identity_file(key_file(sealed(plain.path.read_bytes(), Keys(passphrase=PASSPHRASE))))
    assert file.unlock is not None
    (identity,) = file.unlock(PASSPHRASE)
    assert plain.public.startswith(recipient_of(identity))
    file = read_identity_file(key_file(sealed(locked.path.read_bytes(), Keys(passphrase=PASSPHRASE))))
    assert file.unlock is not None
    with pytest.raises(UsageError, match="itself encrypted"):
        file.unlock(PASSPHRASE)


@pytest.mark.parametrize(
    ("kind", "options", "is_labelled"),
    [
        ("ed25519", (), True),
        ("rsa", ("-b", "2048"), True),
        ("rsa", ("-b", "2048", "-m", "PEM"), False),
        ("rsa", ("-b", "2048", "-m", "PKCS8"), False),
    ],
    ids=["ed25519", "rsa", "rsa PEM", "rsa PKCS8"],
)
def test_an_encrypted_ssh_key_is_read_with_its_passphrase_and_names_its_public_key(
    tmp_path, kind, options, is_labelled
):
    key = make_ssh_key(tmp_path / "key", kind, passphrase=PASSPHRASE, options=options)
    file = read_identity_file(key.path)
    assert file.label == (label(key.public) if is_labelled else "")
    assert file.unlock is not None
    with pytest.raises(WrongPassword, match="the passphrase does not open the key file"):
        file.unlock("another")
    (identity,) = file.unlock(PASSPHRASE)
    assert recipient_of(identity) == " ".join(key.public.split()[:2])


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"-----BEGIN OPENSSH PRIVATE KEY-----\nb3Bl", "malformed private key"),
        (b"-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n", "malformed private key"),
    ],
    ids=["cut short", "a certificate"],
)
def test_a_pem_file_that_is_not_a_usable_key_says_so(key_file, content, reason):
    with pytest.raises(UsageError, match=f"key.txt' cannot be used: it is a {reason}"):
        read_identity_file(key_file(content))


def test_a_damaged_ssh_key_that_takes_rounds_without_end_is_refused_at_once(tmp_path):
    key = make_ssh_key(tmp_path / "key", passphrase=PASSPHRASE)
    body = base64.b64decode(b"".join(key.path.read_bytes().splitlines()[1:-1]))
    at = body.index(b"bcrypt") + len(b"bcrypt") + 4 + 4 + 16  # behind the lengths of the options and of the salt
    assert body[at : at + 4] == bytes([0, 0, 0, 1])
    text = base64.encodebytes(body[:at] + b"\xff" + body[at + 1 :])
    name = b"OPENSSH PRIVATE KEY-----\n"
    key.path.write_bytes(b"-----BEGIN " + name + text + b"-----END " + name)
    file = read_identity_file(key.path)
    assert file.unlock is not None
    with pytest.raises(UsageError, match="more than 4096 rounds of bcrypt"):
        file.unlock(PASSPHRASE)


def test_without_bcrypt_an_encrypted_ssh_key_is_a_line_that_says_what_to_install(tmp_path):
    key = make_ssh_key(tmp_path / "key", passphrase=PASSPHRASE)
    # A module of the name None is one that is not installed.
    program = (
        "import sys; sys.modules['bcrypt'] = None\n"
        "from bakthat.adapters.encryption.identity_files import read_identity_file\n"
        f"read_identity_file({str(key.path)!r}).unlock({PASSPHRASE!r})"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.stderr.splitlines()[-1].startswith("bakthat.errors.UsageError: the key file ")
    assert done.stderr.endswith("run: pip install bcrypt\n")


def test_an_ssh_key_of_another_kind_says_so(tmp_path):
    with pytest.raises(UsageError, match="it takes Ed25519 and RSA"):
        read_identity_file(make_ssh_key(tmp_path / "key", "ecdsa").path)


def test_an_ssh_key_of_the_old_kind_dsa_gives_no_warning_of_python(key_file):
    """Made by a library, since ssh-keygen no longer makes one."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pem = dsa.generate_private_key(1024).private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption())
    with warnings.catch_warnings(), pytest.raises(UsageError, match="it takes Ed25519 and RSA"):
        warnings.simplefilter("error")
        read_identity_file(key_file(pem))


def test_a_key_file_shows_no_secret(tmp_path):
    key = make_ssh_key(tmp_path / "key")
    assert "PRIVATE KEY" not in repr(read_identity_file(key.path))
