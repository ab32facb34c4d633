"""Recipients as texts: their kinds, and how records name them."""

from __future__ import annotations

import pytest

from bakthat.domain.backup_metadata import BackupMetadata
from bakthat.domain.payload import Keys
from bakthat.domain.recipients import is_mixed, label

ED25519 = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAh7fQTTAl0fmNpTGqBsmO0+Hkbh6ktDZfrIGQeJvGEk"
ED25519_LABEL = "ssh-ed25519 SHA256:oQMV1JPshF/cM6YPmgPVOwPE0X2IyrFcBnuiYo5K/6U"
CLASSIC = "age1zvkyg2lqzraa2lnjvqej32nkuu0ues2s82hzrye869xeexvn73equnujwj"
POST_QUANTUM = f"age1pq1{'x' * 1952}"


@pytest.mark.parametrize(
    ("recipient", "shown"),
    [
        (CLASSIC, CLASSIC),
        (POST_QUANTUM, f"age1pq1{'x' * 55}..."),
        (ED25519, ED25519_LABEL),
        (f"{ED25519} me@laptop", ED25519_LABEL),
        ("ssh-rsa not Base64", "ssh-rsa (malformed)"),
    ],
    ids=["X25519", "post-quantum", "SSH", "SSH with a comment", "malformed"],
)
def test_a_label_is_short_and_recognizable(recipient, shown):
    assert label(recipient) == shown


@pytest.mark.parametrize(
    ("recipients", "scheme"),
    [
        ((CLASSIC,), "age-x25519"),
        ((POST_QUANTUM, POST_QUANTUM), "age-mlkem768x25519"),
        ((ED25519,), "age-ssh-ed25519"),
        ((CLASSIC, ED25519), "age-recipients"),
    ],
    ids=["classic", "post-quantum", "SSH", "several"],
)
def test_a_record_has_the_kind_and_the_labels_of_the_recipients(recipients, scheme):
    metadata = BackupMetadata.of(encryption=Keys(recipients=recipients).as_metadata())
    assert metadata.encryption_scheme == scheme
    assert metadata.is_encrypted_to_recipients
    assert metadata.recipients == tuple(map(label, recipients))


def test_a_password_has_no_recipients():
    metadata = BackupMetadata.of(encryption=Keys(passphrase="secret").as_metadata())
    assert not metadata.is_encrypted_to_recipients
    assert metadata.recipients == ()


def test_recipients_of_a_wrong_type_count_as_unknown():
    assert BackupMetadata.of(encryption={"recipients": "age1x"}).recipients == ()
    assert BackupMetadata.of(encryption={"recipients": [1, "age1x"]}).recipients == ("age1x",)


def test_only_post_quantum_recipients_and_others_are_a_mixture():
    assert not is_mixed(())
    assert not is_mixed((CLASSIC, ED25519))
    assert not is_mixed((POST_QUANTUM, POST_QUANTUM))
    assert is_mixed((POST_QUANTUM, ED25519))
