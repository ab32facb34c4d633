"""Which key files are opened for a backup, and when somebody is asked for a passphrase."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from bakthat.adapters.encryption.age import AgeCipher
from bakthat.adapters.encryption.key_files import KeyPair, keygen, recipient_of, write_key_file
from bakthat.domain.backup import Backup
from bakthat.domain.payload import Keys
from bakthat.domain.recipients import label
from bakthat.entrypoints.key_ring import KeyRing
from bakthat.errors import PasswordNeeded, WrongPassword
from bakthat.testing.toolbox import SteppedClock
from tests.domain.series import backup_at, utc
from tests.fixtures.ssh_keygen import SshKey, make_ssh_key

PLAIN, OTHER = keygen(clock=SteppedClock()), keygen(clock=SteppedClock())


def backup_to(*recipients: str) -> Backup:
    encryption = Keys(recipients=recipients).as_metadata() if recipients else {}
    return backup_at(utc(2026), stored_filename="site.20260102030405.tgz.enc", is_enc=True, encryption=encryption)


class Person:
    """Answers each question with the next word; the last one again and again."""

    def __init__(self, *answers: str) -> None:
        self._answers = list(answers)
        self.asked: list[str] = []

    def __call__(self, shown: str) -> str:
        self.asked.append(Path(shown.strip("'")).name)
        return self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]


@pytest.fixture
def ssh(tmp_path: Path) -> SshKey:
    return make_ssh_key(tmp_path / "id_ed25519", passphrase="sesame")


@pytest.fixture
def plain(tmp_path: Path) -> str:
    write_key_file(tmp_path / "plain", PLAIN)
    return str(tmp_path / "plain")


def locked(path: Path, pair: KeyPair) -> str:
    with path.open("wb") as file, AgeCipher(work_factor=4).sealing(file, Keys(passphrase="sesame")) as writer:
        writer.write(pair.as_text().encode())
    path.chmod(0o600)
    return str(path)


def test_the_passphrase_of_a_key_that_fits_is_asked_for_once_for_all_backups(ssh: SshKey) -> None:
    person = Person("sesame")
    ring = KeyRing(person)
    for _ in range(2):
        (identity,) = ring.identities_for(backup_to(ssh.public), [str(ssh.path)])
        assert ssh.public.startswith(recipient_of(identity))
    assert person.asked == ["id_ed25519"]


def test_nobody_is_asked_where_another_key_is_the_recorded_one(ssh: SshKey, plain: str) -> None:
    person = Person("sesame")
    found = KeyRing(person).identities_for(backup_to(PLAIN.recipient, ssh.public), [str(ssh.path), plain])
    assert found == (PLAIN.identity,)
    assert person.asked == []


def test_of_several_encrypted_keys_only_those_that_may_fit_are_asked_for(ssh: SshKey, tmp_path: Path) -> None:
    person = Person("sesame")
    another = make_ssh_key(tmp_path / "another", passphrase="sesame")
    unknown = locked(tmp_path / "unknown.age", PLAIN)
    paths = [str(another.path), unknown, str(ssh.path)]
    assert PLAIN.identity in KeyRing(person).identities_for(backup_to(PLAIN.recipient), paths)
    assert person.asked == ["unknown.age"]


def test_the_recorded_key_is_asked_for_before_files_of_which_nobody_knows_the_key(ssh: SshKey, tmp_path: Path) -> None:
    person = Person("sesame")
    paths = [locked(tmp_path / "unknown.age", PLAIN), str(ssh.path)]
    assert len(KeyRing(person).identities_for(backup_to(ssh.public), paths)) == 1
    assert person.asked == ["id_ed25519"]


def test_a_key_that_the_record_does_not_name_is_asked_for_where_there_is_no_other(ssh: SshKey) -> None:
    person = Person("sesame")
    assert KeyRing(person).identities_for(backup_to(OTHER.recipient), [str(ssh.path)])
    assert person.asked == ["id_ed25519"]


def test_where_nobody_knows_the_recipients_all_keys_are_asked_for(ssh: SshKey, plain: str, tmp_path: Path) -> None:
    person = Person("sesame")
    paths = [plain, str(ssh.path), locked(tmp_path / "other.age", OTHER)]
    found = KeyRing(person).identities_for(backup_to(), paths)
    assert {label(recipient_of(key)) for key in found} == {PLAIN.recipient, label(ssh.public), OTHER.recipient}
    assert person.asked == ["id_ed25519", "other.age"]


def test_a_wrong_passphrase_may_be_given_twice_and_not_three_times(ssh: SshKey) -> None:
    notices: list[str] = []
    ring = KeyRing(Person("wrong", "wrong", "sesame"), notices.append)
    assert ring.identities_for(backup_to(ssh.public), [str(ssh.path)])
    assert [notice.rpartition("; ")[2] for notice in notices] == ["2 tries left", "1 try left"]
    person = Person("wrong")
    with pytest.raises(WrongPassword, match="id_ed25519'"):
        KeyRing(person).identities_for(backup_to(ssh.public), [str(ssh.path)])
    assert len(person.asked) == 3


def test_an_empty_passphrase_ends_it(ssh: SshKey) -> None:
    with pytest.raises(PasswordNeeded, match="no passphrase was given"):
        KeyRing(Person("")).identities_for(backup_to(ssh.public), [str(ssh.path)])


def test_a_wrong_passphrase_is_not_asked_for_again_with_the_next_backup(ssh: SshKey) -> None:
    person = Person("wrong")
    ring = KeyRing(person)
    for _ in range(3):
        with pytest.raises(WrongPassword):
            ring.identities_for(backup_to(ssh.public), [str(ssh.path)])
    assert len(person.asked) == 3


def test_an_empty_passphrase_leads_to_the_next_file(ssh: SshKey, tmp_path: Path) -> None:
    notices: list[str] = []
    ring = KeyRing(Person("", "sesame"), notices.append)
    assert ring.identities_for(backup_to(), [str(ssh.path), locked(tmp_path / "other.age", OTHER)]) == (OTHER.identity,)
    assert notices == [
        f"the key file {str(ssh.path)!r} is encrypted, and no passphrase was given; other keys are tried"
    ]


def test_where_nobody_can_be_asked_it_is_one_line_that_says_what_to_do(ssh: SshKey) -> None:
    with pytest.raises(PasswordNeeded, match=r"id_ed25519' is encrypted, and there is no terminal .*`identities=`"):
        KeyRing().identities_for(backup_to(ssh.public), [str(ssh.path)])


def test_where_nobody_can_be_asked_the_other_keys_are_used_with_a_notice(ssh: SshKey, plain: str) -> None:
    notices: list[str] = []
    found = KeyRing(notice=notices.append).identities_for(backup_to(), [plain, str(ssh.path)])
    assert found == (PLAIN.identity,)
    assert len(notices) == 1
    assert "id_ed25519' is encrypted, and there is no terminal" in notices[0]
    assert notices[0].endswith("; other keys are tried")


def test_the_cipher_opens_with_what_the_ring_gives(ssh: SshKey) -> None:
    into = io.BytesIO()
    with AgeCipher().sealing(into, Keys(recipients=(ssh.public,))) as writer:
        writer.write(b"plain")
    into.seek(0)
    identities = KeyRing(Person("sesame")).identities_for(backup_to(ssh.public), [str(ssh.path)])
    with AgeCipher().unsealing(into, Keys(identities=identities)) as reader:
        assert reader.read() == b"plain"
