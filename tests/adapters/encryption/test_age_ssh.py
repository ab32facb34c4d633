"""SSH keys as age takes them, checked against the age program, which defines them."""

from __future__ import annotations

import io
import random
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key

from bakthat.adapters.encryption.age import AgeCipher
from bakthat.adapters.encryption.age_header import Stanza, build_header, parse_header
from bakthat.adapters.encryption.age_keys import parse_identity, wrap_to_recipients
from bakthat.adapters.encryption.age_primitives import to_base64
from bakthat.adapters.encryption.ed25519_points import montgomery_u
from bakthat.adapters.encryption.identity_files import read_identity_file
from bakthat.adapters.encryption.key_files import check_recipient, recipient_of
from bakthat.adapters.encryption.ssh_keys import private_pem
from bakthat.domain.payload import Keys
from bakthat.errors import PayloadDamaged, UsageError, WrongPassword
from tests.fixtures import age_program
from tests.fixtures.held_secrets import held_by
from tests.fixtures.ssh_keygen import SshKey, make_ssh_key

PLAIN = random.Random(1).randbytes(100_000)
ED25519 = private_pem(Ed25519PrivateKey.from_private_bytes(bytes(range(32))))
OTHER = private_pem(Ed25519PrivateKey.from_private_bytes(bytes(32)))
RSA = private_pem(generate_private_key(65537, 2048))
FORMS = {
    "ed25519": ("ed25519", ()),
    "rsa": ("rsa", ("-b", "2048")),
    "rsa PEM": ("rsa", ("-b", "2048", "-m", "PEM")),
    "rsa PKCS8": ("rsa", ("-b", "2048", "-m", "PKCS8")),
}


def sealed(plain: bytes, *recipients: str) -> bytes:
    into = io.BytesIO()
    with AgeCipher().sealing(into, Keys(recipients=recipients)) as writer:
        writer.write(plain)
    return into.getvalue()


def opened(file: bytes, *identities: str) -> bytes:
    with AgeCipher().unsealing(io.BytesIO(file), Keys(identities=identities)) as reader:
        return reader.read()


@pytest.fixture(scope="module", params=FORMS)
def ssh_key(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> SshKey:
    kind, options = FORMS[request.param]
    return make_ssh_key(tmp_path_factory.mktemp("ssh") / "key", kind, options=options)


def test_the_age_program_decrypts_what_is_encrypted_here_to_an_ssh_key(ssh_key: SshKey, tmp_path: Path) -> None:
    (tmp_path / "sealed").write_bytes(sealed(PLAIN, ssh_key.public))
    age_program.decrypt(tmp_path / "sealed", ssh_key.path, tmp_path / "plain")
    assert (tmp_path / "plain").read_bytes() == PLAIN


def test_what_the_age_program_encrypts_to_an_ssh_key_is_decrypted_here(ssh_key: SshKey, tmp_path: Path) -> None:
    (tmp_path / "plain").write_bytes(PLAIN)
    age_program.encrypt(tmp_path / "plain", [ssh_key.public], tmp_path / "sealed")
    assert opened((tmp_path / "sealed").read_bytes(), *read_identity_file(ssh_key.path).identities) == PLAIN


def test_a_private_key_with_other_line_ends_is_read(ssh_key: SshKey, tmp_path: Path) -> None:
    (tmp_path / "key").write_bytes(ssh_key.path.read_bytes().replace(b"\n", b"\r\n"))
    (identity,) = read_identity_file(tmp_path / "key").identities
    assert ssh_key.public.startswith(recipient_of(identity))


def test_a_recipient_is_the_key_without_its_comment_and_white_space(ssh_key: SshKey) -> None:
    (identity,) = read_identity_file(ssh_key.path).identities
    kind, key, _ = ssh_key.public.split()
    assert recipient_of(identity) == f"{kind} {key}"
    for text in (ssh_key.public, f"{kind}\t{key}\r\n", f"  {kind}  {key}  a comment of words"):
        assert check_recipient(text, "-r") == f"{kind} {key}"


def test_keys_of_all_kinds_open_what_is_encrypted_to_them_together() -> None:
    file = sealed(b"plain", recipient_of(ED25519), recipient_of(RSA))
    assert [stanza.kind for stanza in parse_header(file)[0].stanzas] == ["ssh-ed25519", "ssh-rsa"]
    assert opened(file, ED25519) == opened(file, OTHER, RSA) == b"plain"


def test_the_error_of_a_key_that_does_not_fit_has_the_fingerprints_of_those_that_would() -> None:
    file = sealed(b"plain", recipient_of(ED25519))
    with pytest.raises(WrongPassword, match=r"encrypted to other keys \(ssh-ed25519 SHA256:[A-Za-z0-9+/]{5}…\)"):
        opened(file, OTHER, RSA)


@pytest.mark.parametrize("identity", [ED25519, RSA], ids=["ed25519", "rsa"])
def test_a_stanza_that_was_altered_is_refused_whichever_byte_it_was(identity: str) -> None:
    (stanza,) = wrap_to_recipients(bytes(16), [recipient_of(identity)], random.Random(1).randbytes)
    key = parse_identity(identity)
    for at in range(0, len(stanza.body), 5):
        body = bytearray(stanza.body)
        body[at] ^= 1
        assert key.unwrap(Stanza(kind=stanza.kind, arguments=stanza.arguments, body=bytes(body))) is None


@pytest.mark.parametrize(
    ("identity", "change"),
    [
        (ED25519, {"arguments": ()}),
        (ED25519, {"arguments": ("tag!",)}),
        (ED25519, {"arguments": ("same", to_base64(bytes(31)))}),
        (ED25519, {"arguments": ("same", to_base64(bytes(32)))}),
        (ED25519, {"arguments": ("same", "A" * 42 + "B")}),
        (ED25519, {"body": bytes(33)}),
        (RSA, {"arguments": ()}),
        (RSA, {"arguments": ("same", "another")}),
    ],
    ids=["nothing", "no share", "short", "low order", "not canonical", "long body", "rsa: nothing", "rsa: more"],
)
def test_a_stanza_that_is_malformed_is_damage(identity: str, change: dict[str, tuple[str, ...] | bytes]) -> None:
    (stanza,) = wrap_to_recipients(bytes(16), [recipient_of(identity)], random.Random(1).randbytes)
    arguments = change.get("arguments", stanza.arguments)
    assert isinstance(arguments, tuple)
    arguments = tuple(stanza.arguments[0] if text == "same" else text for text in arguments)
    body = change.get("body", stanza.body)
    header = build_header(bytes(16), [Stanza(kind=stanza.kind, arguments=arguments, body=body)])
    with pytest.raises(PayloadDamaged):
        opened(header + bytes(32), identity)


def test_a_file_key_of_another_length_is_damage() -> None:
    (stanza,) = wrap_to_recipients(bytes(17), [recipient_of(RSA)], random.Random(1).randbytes)
    with pytest.raises(PayloadDamaged, match="wrong length"):
        parse_identity(RSA).unwrap(stanza)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("ssh-ed25519", "malformed"),
        ("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAh7fQTTAl0f", "malformed"),
        ("ssh-rsa AAAAC3NzaC1lZDI1NTE5AAAAIAh7fQTTAl0fmNpTGqBsmO0+Hkbh6ktDZfrIGQeJvGEk", "malformed"),
        ("ssh-dss AAAAB3NzaC1kc3MAAAA=", "kind that age does not encrypt to"),
        ("ecdsa-sha2-nistp256 AAAAE2VjZHNh", "kind that age does not encrypt to"),
        (ED25519, "it is a private key; the recipient is the line in the .pub file"),
        (f"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI{'A' * 43}", "low order|not a point"),
        (f"{recipient_of(ED25519)}\n{recipient_of(OTHER)}", "several lines; name a file"),
        (f'command="x" {recipient_of(ED25519)}', "does not start with age1 or ssh-"),
    ],
    ids=["alone", "cut short", "another kind inside", "dss", "ecdsa", "private", "zeros", "two", "options"],
)
def test_an_ssh_recipient_that_cannot_be_used_says_why(text: str, reason: str) -> None:
    with pytest.raises(UsageError, match=f"^-r: not a usable recipient: .*({reason})"):
        check_recipient(text, "-r")


def test_an_rsa_key_that_is_too_weak_is_refused_as_age_refuses_it(tmp_path: Path) -> None:
    weak = make_ssh_key(tmp_path / "key", "rsa", options=("-b", "1024"))
    with pytest.raises(UsageError, match="RSA key of 1024 bits; less than 2048"):
        check_recipient(weak.public, "-r")
    with pytest.raises(AssertionError, match="RSA key size is too small"):
        age_program.encrypt(weak.path, [weak.public], tmp_path / "sealed")


def test_the_point_of_a_key_is_that_of_its_private_half() -> None:
    for seed in range(20):
        key = Ed25519PrivateKey.from_private_bytes(random.Random(seed).randbytes(32))
        pem = parse_identity(private_pem(key))
        (stanza,) = wrap_to_recipients(bytes(16), [str(pem.recipient)], random.Random(seed).randbytes)
        assert pem.unwrap(stanza) == bytes(16)
        assert len(montgomery_u(key.public_key().public_bytes_raw())) == 32


def test_bytes_that_are_no_point_of_the_curve_are_refused() -> None:
    with pytest.raises(ValueError, match="not a point"):
        montgomery_u((2).to_bytes(32, "little"))


def test_a_private_ssh_key_shows_nowhere() -> None:
    assert "PRIVATE" not in repr(parse_identity(ED25519)) + repr(Keys(identities=(ED25519,)))
    broken = ED25519.replace("b3BlbnNzaC1rZXktdjE", "b3BlbnNzaC1rZXktdjF")
    with pytest.raises(UsageError, match="malformed private key") as refusal:
        opened(sealed(b"plain", recipient_of(OTHER)), broken)
    assert ED25519.splitlines()[2][:30] not in held_by(refusal.value)
