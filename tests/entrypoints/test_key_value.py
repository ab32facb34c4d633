"""`KeyValue`: JSON values in a store, today's and those of 2013."""

from __future__ import annotations

import gzip
import io
import json
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from bakthat import Bakthat, KeyValue, Profile, open_profile
from bakthat.adapters.memory.metadata_repo import MemoryRepo
from bakthat.adapters.memory.object_store import MemoryObjectStore
from bakthat.domain.backup import Backup, backend_hash, from_epoch
from bakthat.errors import BackupNotFound, InvalidName, PayloadDamaged, UsageError, WrongPassword
from tests.fixtures.beefish_2013 import encrypt
from tests.fixtures.held_secrets import held_by
from tests.fixtures.s3_servers import SECRET_KEY, s3_profile


@pytest.fixture
def values(bakthat: Bakthat) -> KeyValue:
    return KeyValue(bakthat=bakthat)


def of_2013(store: MemoryObjectStore, repo: MemoryRepo, key: str, content: bytes, **metadata: bool) -> None:
    """What 2013's `set_key` left in bucket and database."""
    store.put(key, io.BytesIO(content))
    repo.add(
        Backup(
            backend="s3",
            backend_hash=backend_hash(None, store.location),
            backup_date=from_epoch(1362512175),
            filename=key,
            stored_filename=key,
            size=len(content),
            last_updated=from_epoch(1362512175),
            metadata={"KeyValue": True, "is_enc": False, "is_gzipped": False, **metadata},
        )
    )


@pytest.mark.parametrize("value", [None, 1, "text", ["a", {"b": 2}], {"any": "json", "ü": [1.5, True]}])
@pytest.mark.parametrize("compress", [True, False])
def test_a_value_comes_back(values: KeyValue, value: object, compress: bool) -> None:
    values.set_key("k", value, compress=compress)
    assert values.get_key("k") == value


def test_a_value_is_replaced(values: KeyValue, bakthat: Bakthat) -> None:
    values.set_key("k", 1)
    values.set_key("k", 2)
    assert values.get_key("k") == 2
    assert len(bakthat.show()) == 1


def test_an_encrypted_value_opens_with_its_password(values: KeyValue, store: MemoryObjectStore) -> None:
    values.set_key("k", {"secret": "value"}, password="pw")
    with store.open("k") as reader:
        assert reader.read().startswith(b"age-encryption.org/v1\n")
    assert values.get_key("k", password="pw") == {"secret": "value"}
    with pytest.raises(WrongPassword):
        values.get_key("k", password="other")


def test_an_absent_key_gives_the_default(values: KeyValue) -> None:
    assert values.get_key("k") is None
    assert values.get_key("k", default=3) == 3


def test_a_deleted_key_is_gone_and_can_be_set_again(values: KeyValue, bakthat: Bakthat) -> None:
    values.set_key("k", 1)
    assert values.delete_key("k") is True
    assert values.delete_key("k") is False
    assert (values.get_key("k"), bakthat.show()) == (None, [])
    values.set_key("k", 2)
    assert values.get_key("k") == 2


def test_show_lists_and_restore_brings_a_value(values: KeyValue, bakthat: Bakthat, tmp_path: Path) -> None:
    values.set_key("settings", {"a": 1})
    assert [backup.filename for backup in bakthat.show("sett")] == ["settings"]
    bakthat.restore("settings", target=tmp_path)
    assert json.loads((tmp_path / "settings").read_text()) == {"a": 1}


def test_sync_finds_a_value_on_a_new_machine(values: KeyValue, bakthat: Bakthat, store: MemoryObjectStore) -> None:
    values.set_key("folder/settings", {"a": 1})
    values.set_key("gone", 1)
    values.delete_key("gone")
    elsewhere = open_profile(Profile(), store=store, repo=MemoryRepo())
    elsewhere.sync()
    (found,), (known,) = elsewhere.show(), bakthat.show()
    assert found.with_metadata(found.last_updated, stored_at=None) == known
    assert KeyValue(bakthat=elsewhere).get_key("folder/settings") == {"a": 1}


def test_what_json_cannot_hold_is_refused(values: KeyValue) -> None:
    with pytest.raises(UsageError, match="JSON"):
        values.set_key("k", {1, 2})


def test_a_key_that_could_leave_the_store_is_refused(values: KeyValue) -> None:
    with pytest.raises(InvalidName):
        values.set_key("../k", 1)


def test_a_store_that_cannot_sign_says_so(values: KeyValue) -> None:
    values.set_key("k", 1)
    with pytest.raises(UsageError, match="URL"):
        values.get_key_url("k", 60)
    with pytest.raises(BackupNotFound):
        values.get_key_url("absent", 60)


def test_a_damaged_value_is_an_error(values: KeyValue, store: MemoryObjectStore) -> None:
    values.set_key("k", 1)
    store.put("k", io.BytesIO(b"noise"), replace=True)
    with pytest.raises(PayloadDamaged):
        values.get_key("k")


def test_the_error_of_an_invalid_value_does_not_keep_it(
    values: KeyValue, store: MemoryObjectStore, repo: MemoryRepo
) -> None:
    of_2013(store, repo, "k", b'{"pin": 4711')
    with pytest.raises(PayloadDamaged, match="is not a value") as caught:
        values.get_key("k")
    assert "4711" not in held_by(caught.value)


def test_values_of_2013_are_read(values: KeyValue, store: MemoryObjectStore, repo: MemoryRepo) -> None:
    of_2013(store, repo, "plain", b'{"a": 1}')
    of_2013(store, repo, "zipped", gzip.compress(b'{"a": 2}'), is_gzipped=True)
    of_2013(store, repo, "sealed", encrypt(gzip.compress(b'{"a": 3}'), b"password"), is_gzipped=True, is_enc=True)
    assert [values.get_key("plain"), values.get_key("zipped")] == [{"a": 1}, {"a": 2}]
    assert values.get_key("sealed", password="password") == {"a": 3}


@pytest.mark.parametrize("compress", [True, False])
def test_anyone_with_the_url_can_read_the_stored_bytes(seaweedfs_url: str, repo: MemoryRepo, compress: bool) -> None:
    values = KeyValue(bakthat=open_profile(s3_profile(seaweedfs_url, s3_prefix="a prefix"), repo=repo))
    values.set_key("a key/ü", {"any": "json"}, compress=compress)
    url = values.get_key_url("a key/ü", 60)
    assert SECRET_KEY not in url
    with urllib.request.urlopen(url) as answer:
        stored = answer.read()
    assert json.loads(gzip.decompress(stored) if compress else stored) == {"any": "json"}


def test_a_url_is_refused_when_it_was_altered(seaweedfs_url: str, repo: MemoryRepo) -> None:
    values = KeyValue(bakthat=open_profile(s3_profile(seaweedfs_url), repo=repo))
    values.set_key("k", 1)
    values.set_key("other", 2)
    url = values.get_key_url("k", 60).replace("/k?", "/other?")
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(url)
    with caught.value as refusal:
        assert refusal.code == 403


def test_a_value_can_neither_replace_nor_take_away_a_backup(
    values: KeyValue, bakthat: Bakthat, store: MemoryObjectStore, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("content")
    made = bakthat.backup(tmp_path / "file", password="")
    for key in (made.stored_filename, "unknown.20260102030405.tgz", f"bakthat_catalog/{made.stored_filename}.json"):
        with pytest.raises(InvalidName):
            values.set_key(key, 1)
        with pytest.raises(InvalidName):
            values.delete_key(key)
    assert store.stat(made.stored_filename).size == made.size


# Limits: a value is held in memory


def test_a_value_that_inflates_to_more_than_any_is_refused(
    values: KeyValue, store: MemoryObjectStore, repo: MemoryRepo
) -> None:
    """1.9 MB that would be 2 GB."""
    bomb = gzip.compress(b"[" + b" " * 10_000_000, mtime=0) + gzip.compress(b" " * 100_000_000, mtime=0) * 19
    of_2013(store, repo, "bomb", bomb, is_gzipped=True)
    with pytest.raises(PayloadDamaged, match="larger than a value can be"):
        values.get_key("bomb")


def test_a_value_that_is_stored_in_more_bytes_than_any_is_refused(
    values: KeyValue, store: MemoryObjectStore, repo: MemoryRepo
) -> None:
    of_2013(store, repo, "long", b" " * (18 * 1024 * 1024))
    with pytest.raises(PayloadDamaged, match="larger than a value can be"):
        values.get_key("long")


def test_a_value_that_could_not_be_read_again_is_not_stored(values: KeyValue, store: MemoryObjectStore) -> None:
    with pytest.raises(UsageError, match="back it up as a file"):
        values.set_key("long", "x" * (16 * 1024 * 1024))
    assert list(store.list()) == []


def test_a_value_nested_beyond_measure_is_damaged(values: KeyValue, store: MemoryObjectStore, repo: MemoryRepo) -> None:
    of_2013(store, repo, "deep", b"[" * 100_000)
    with pytest.raises(PayloadDamaged, match="deep"):
        values.get_key("deep")
