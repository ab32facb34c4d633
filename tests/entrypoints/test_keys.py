"""Where keys come from, and in which order."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from bakthat.adapters.encryption.key_files import keygen, write_key_file
from bakthat.domain.backup import Backup
from bakthat.domain.payload import Keys
from bakthat.domain.profile import Profile
from bakthat.entrypoints.keys import decryption_keys, encryption_keys
from bakthat.errors import ConfigError, PasswordNeeded, UsageError
from bakthat.testing.toolbox import SteppedClock
from tests.domain.series import backup_at, utc
from tests.fixtures.ssh_keygen import make_ssh_key

PAIR, OTHER = keygen(clock=SteppedClock()), keygen(clock=SteppedClock())
POST_QUANTUM = keygen(clock=SteppedClock(), post_quantum=True)
COMMAND = (sys.executable, "-c", "print('from the command')")
ENVIRONMENT = {"BAKTHAT_PASSWORD": "from the environment"}


def sealed(scheme: str | None) -> Backup:
    encryption = {"encryption": {"scheme": scheme}} if scheme else {}
    return backup_at(utc(2026), stored_filename="site.20260102030405.tgz.enc", is_enc=True, **encryption)


def ask() -> str:
    return "from a person"


def never() -> str:
    raise AssertionError("asked")


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    write_key_file(tmp_path / "key", PAIR)
    return tmp_path / "key"


# sealing


def test_recipients_come_first_and_exclude_a_password() -> None:
    profile = Profile(recipients=(PAIR.recipient,), password_command=COMMAND)
    assert encryption_keys(profile, ask=never, environment=ENVIRONMENT) == Keys(recipients=(PAIR.recipient,))


def test_the_argument_comes_before_the_environment() -> None:
    keys = encryption_keys(Profile(), password="argument", ask=never, environment=ENVIRONMENT)
    assert keys.passphrase == "argument"


def test_the_environment_comes_before_the_command() -> None:
    keys = encryption_keys(Profile(password_command=COMMAND), ask=never, environment=ENVIRONMENT)
    assert keys.passphrase == "from the environment"


def test_the_command_comes_before_the_person() -> None:
    keys = encryption_keys(Profile(password_command=COMMAND), ask=never, environment={})
    assert keys.passphrase == "from the command"


@pytest.fixture
def password_file(tmp_path: Path) -> str:
    path = tmp_path / "password"
    path.touch(0o600)
    path.write_text("from a file\n")
    return str(path)


def test_the_variable_comes_before_the_file_that_another_variable_names(password_file: str) -> None:
    both = {**ENVIRONMENT, "BAKTHAT_PASSWORD_FILE": password_file}
    assert encryption_keys(Profile(), environment=both).passphrase == "from the environment"


def test_the_file_of_the_environment_comes_before_the_command(password_file: str) -> None:
    profile = Profile(password_command=(sys.executable, "-c", "raise SystemExit(1)"))
    environment = {"BAKTHAT_PASSWORD_FILE": password_file}
    assert encryption_keys(profile, ask=never, environment=environment).passphrase == "from a file"
    assert decryption_keys(sealed("age-scrypt"), profile, environment=environment).passphrase == "from a file"


def test_the_file_of_the_profile_comes_before_the_person_and_after_the_environment(password_file: str) -> None:
    profile = Profile(password_file=password_file)
    assert encryption_keys(profile, ask=never, environment={}).passphrase == "from a file"
    assert encryption_keys(profile, ask=never, environment=ENVIRONMENT).passphrase == "from the environment"
    other = Profile(password_file="/no/such/file")
    environment = {"BAKTHAT_PASSWORD_FILE": password_file}
    assert encryption_keys(other, ask=never, environment=environment).passphrase == "from a file"


def test_a_password_file_is_not_read_for_recipients() -> None:
    profile = Profile(recipients=(PAIR.recipient,), password_file="/no/such/file")
    environment = {"BAKTHAT_PASSWORD_FILE": "/no/such/file"}
    assert encryption_keys(profile, environment=environment) == Keys(recipients=(PAIR.recipient,))


def test_a_password_file_that_is_missing_is_an_error_and_no_plain_backup() -> None:
    with pytest.raises(UsageError, match="password_file of profile 'default': '/no/such/file' does not exist"):
        encryption_keys(Profile(password_file="/no/such/file"), environment={})
    with pytest.raises(UsageError, match="BAKTHAT_PASSWORD_FILE is set, but empty"):
        encryption_keys(Profile(), environment={"BAKTHAT_PASSWORD_FILE": ""})


def test_the_person_comes_last() -> None:
    assert encryption_keys(Profile(), ask=ask, environment={}).passphrase == "from a person"


def test_a_variable_that_is_set_but_empty_is_not_a_plain_backup() -> None:
    with pytest.raises(UsageError, match="empty"):
        encryption_keys(Profile(), environment={"BAKTHAT_PASSWORD": ""})
    assert not encryption_keys(Profile(), password="", environment={"BAKTHAT_PASSWORD": ""})


def test_nothing_at_all_means_plain() -> None:
    assert not encryption_keys(Profile(), environment={})


def test_a_blank_answer_means_plain() -> None:
    assert not encryption_keys(Profile(), ask=lambda: "", environment={})


def test_a_recipient_and_a_password_are_refused() -> None:
    with pytest.raises(UsageError, match="never both"):
        encryption_keys(Profile(), password="x", recipients=[PAIR.recipient], environment={})


def test_recipients_and_those_of_a_file_count_together(tmp_path: Path) -> None:
    (tmp_path / "team").write_text(f"# the team\n{OTHER.recipient}\n{PAIR.recipient}\n")
    both = Keys(recipients=(PAIR.recipient, OTHER.recipient))
    given = encryption_keys(
        Profile(recipients=("age1wrong",), recipients_file="/no/such/file"),
        recipients=[PAIR.recipient],
        recipients_files=[str(tmp_path / "team")],
        environment={},
    )
    configured = Profile(recipients=(PAIR.recipient,), recipients_file=str(tmp_path / "team"))
    assert given == both == encryption_keys(configured, environment={})


def test_a_file_of_recipients_alone_is_enough_and_excludes_a_password(tmp_path: Path) -> None:
    (tmp_path / "team").write_text(PAIR.recipient)
    profile = Profile(recipients_file=str(tmp_path / "team"))
    assert encryption_keys(profile, ask=never, environment=ENVIRONMENT) == Keys(recipients=(PAIR.recipient,))
    with pytest.raises(UsageError, match="never both"):
        encryption_keys(profile, password="x", environment={})
    with pytest.raises(UsageError, match="recipients_file of profile 'default': '/no/such/file' does not exist"):
        encryption_keys(Profile(recipients_file="/no/such/file"), environment={})


def test_post_quantum_and_classic_recipients_are_mixed_only_where_it_is_allowed() -> None:
    both = (PAIR.recipient, POST_QUANTUM.recipient)
    allowing = Profile(recipients=both, allow_mixed_recipients=True)
    with pytest.raises(UsageError, match="allow_mixed_recipients=True"):
        encryption_keys(Profile(recipients=both), environment={})
    with pytest.raises(UsageError, match="allow_mixed_recipients=True"):
        encryption_keys(allowing, allow_mixed_recipients=False, environment={})
    mixed = Keys(recipients=both, allow_mixed_recipients=True)
    assert encryption_keys(allowing, environment={}) == mixed
    assert encryption_keys(Profile(recipients=both), allow_mixed_recipients=True, environment={}) == mixed


def test_a_malformed_recipient_says_where_it_stands() -> None:
    with pytest.raises(UsageError, match="^`recipients=`"):
        encryption_keys(Profile(), recipients=["age1wrong"], environment={})
    with pytest.raises(UsageError, match="recipients of profile 'default'"):
        encryption_keys(Profile(recipients=("age1wrong",)), environment={})


def test_a_command_that_fails_is_an_error_and_no_plain_backup() -> None:
    profile = Profile(password_command=(sys.executable, "-c", "raise SystemExit(1)"))
    with pytest.raises(ConfigError):
        encryption_keys(profile, environment={})


# opening


def test_a_backup_to_recipients_wants_the_key_file_and_asks_nobody(key_file: Path) -> None:
    keys = decryption_keys(sealed("age-x25519"), Profile(identity=str(key_file)), ask=never, environment=ENVIRONMENT)
    assert keys == Keys(identities=(PAIR.identity,))


def test_a_given_key_file_comes_before_the_profiles(key_file: Path) -> None:
    keys = decryption_keys(
        sealed("age-x25519"), Profile(identity="/no/such/file"), identities=[str(key_file)], environment={}
    )
    assert keys.identities == (PAIR.identity,)


def test_a_backup_with_a_password_does_not_read_the_key_file() -> None:
    keys = decryption_keys(sealed("age-scrypt"), Profile(identity="/no/such/file"), ask=ask, environment={})
    assert keys == Keys(passphrase="from a person")


def test_the_environment_counts_for_restore_too() -> None:
    keys = decryption_keys(sealed("age-scrypt"), Profile(), ask=never, environment=ENVIRONMENT)
    assert keys.passphrase == "from the environment"


def test_when_nobody_knows_the_scheme_the_key_file_is_tried_and_nobody_asked(key_file: Path) -> None:
    keys = decryption_keys(sealed(None), Profile(identity=str(key_file)), ask=never, environment={})
    assert keys == Keys(identities=(PAIR.identity,))


def test_when_nobody_knows_the_scheme_and_there_is_no_key_file_a_person_is_asked() -> None:
    assert decryption_keys(sealed(None), Profile(), ask=ask, environment={}).passphrase == "from a person"


def test_what_is_given_for_the_call_counts_whatever_a_record_says(key_file: Path) -> None:
    keys = decryption_keys(sealed("age-scrypt"), Profile(), identities=[str(key_file)], ask=ask, environment={})
    assert keys == Keys(passphrase="from a person", identities=(PAIR.identity,))
    keys = decryption_keys(
        sealed("age-x25519"), Profile(identity=str(key_file)), password="given", ask=never, environment=ENVIRONMENT
    )
    assert keys == Keys(passphrase="given", identities=(PAIR.identity,))


def test_a_password_is_used_where_the_key_file_is_encrypted_and_nobody_can_be_asked(tmp_path: Path) -> None:
    key = make_ssh_key(tmp_path / "key", passphrase="sesame")
    notices: list[str] = []
    keys = decryption_keys(
        sealed(None), Profile(identity=str(key.path)), environment=ENVIRONMENT, notice=notices.append
    )
    assert keys == Keys(passphrase="from the environment")
    assert [notice.endswith("; the password is tried") for notice in notices] == [True]
    with pytest.raises(PasswordNeeded):
        decryption_keys(sealed(None), Profile(identity=str(key.path)), environment={})


def test_a_missing_key_file_is_an_error() -> None:
    with pytest.raises(UsageError, match="/no/such/file"):
        decryption_keys(sealed("age-x25519"), Profile(), identities=["/no/such/file"], environment={})


def test_secrets_do_not_show_in_repr() -> None:
    shown = repr(Keys(passphrase="secret", identities=("AGE-SECRET-KEY-1X",)))
    assert "secret" not in shown
    assert "AGE-SECRET" not in shown


@pytest.mark.parametrize("pass_environment", [False, True])
def test_the_password_command_gets_no_secret_from_the_environment(pass_environment: bool) -> None:
    code = "import json, os; print(json.dumps(sorted(os.environ)))"
    profile = Profile(password_command=(sys.executable, "-c", code), pass_environment=pass_environment)
    environment = {"BAKTHAT_SECRET_KEY": "s", "BAKTHAT_PASSWORD_FILE": "", "AWS_SECRET_ACCESS_KEY": "s", "LANG": "C"}
    printed = decryption_keys(sealed(None), profile, environment=environment).passphrase
    assert printed is not None
    given = {name for name in environment if f'"{name}"' in printed}
    assert given == ({"LANG", "AWS_SECRET_ACCESS_KEY"} if pass_environment else {"LANG"})
