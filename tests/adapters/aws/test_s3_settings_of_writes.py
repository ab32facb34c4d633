"""What a profile says about new objects: encryption by the service, locks, and limits of the line."""

from __future__ import annotations

import io
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from attrs import evolve

from bakthat import Bakthat, KeyValue, open_profile
from bakthat.adapters.aws.s3 import S3ObjectStore
from bakthat.adapters.aws.s3_part_sizes import MIB
from bakthat.adapters.memory.metadata_repo import MemoryRepo
from bakthat.adapters.rate_limit import Limits, RateLimit
from bakthat.domain.object_lock import ObjectLock
from bakthat.domain.objects import Lock
from bakthat.errors import ConfigInvalid, ObjectLocked, ObjectNotFound, StoreError
from bakthat.testing.object_store_contract import some_bytes
from tests.fixtures.s3_servers import administrator, fresh_store, s3_profile

PART = 5 * MIB
LARGE = some_bytes(PART + 1000)
GOVERNANCE = ObjectLock(mode="governance", days=30)


def head(store: S3ObjectStore, key: str = "k") -> dict[str, Any]:
    found = store._client.head_object(Bucket=store._bucket, Key=store._prefix + key)
    assert isinstance(found, dict)
    return found


def everything(store: S3ObjectStore) -> list[Any]:
    found = store._client.list_objects_v2(Bucket=store._bucket, Prefix=store._prefix)
    return list(found.get("Contents", []))


def read(store: S3ObjectStore, key: str = "k") -> bytes:
    with store.open(key) as reader:
        return reader.read()


# encryption by the service


@pytest.mark.parametrize("content", [b"small", LARGE], ids=["in one request", "in parts"])
@pytest.mark.parametrize(("sse", "key"), [("AES256", None), ("aws:kms", "alias/backups")], ids=["AES256", "aws:kms"])
def test_the_service_reports_the_encryption(moto_url: str, content: bytes, sse: str, key: str | None) -> None:
    store = fresh_store(moto_url, sse=sse, kms_key_id=key, part_size=PART)
    store.put("k", io.BytesIO(content))
    found = head(store)
    assert (found["ServerSideEncryption"], found.get("SSEKMSKeyId")) == (sse, key)
    assert read(store) == content


def test_a_copy_within_the_service_is_encrypted_as_its_target_says(moto_url: str) -> None:
    source = fresh_store(moto_url, account="one")
    target = fresh_store(moto_url, account="one", sse="aws:kms", kms_key_id="alias/backups")
    source.put("k", io.BytesIO(b"x"))
    assert target.copy_from("k", source, expected=source.stat("k")) is not None
    assert head(target)["ServerSideEncryption"] == "aws:kms"


def test_a_service_that_does_not_confirm_the_encryption_gives_one_notice(rclone_url: str) -> None:
    notices: list[str] = []
    store = fresh_store(rclone_url, sse="AES256", notice=notices.append)
    for key in ("one", "two"):
        store.put(key, io.BytesIO(b"x"))
    assert ["does not confirm the encryption AES256" in line for line in notices] == [True]


@pytest.fixture
def opened(moto_url: str) -> Bakthat:
    profile = s3_profile(moto_url, sse="AES256", object_lock={"mode": "compliance", "days": 30}, bucket=False)
    administrator(moto_url).create_bucket(Bucket=profile.s3_bucket, ObjectLockEnabledForBucket=True)
    return open_profile(profile, repo=MemoryRepo(), environment={})


def test_archives_are_locked_and_entries_and_values_are_not_and_all_are_encrypted(
    opened: Bakthat, moto_url: str, tmp_path: Any
) -> None:
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "a").write_text("a")
    made = opened.backup(tmp_path / "site", password="")
    KeyValue(bakthat=opened).set_key("key", 1, password="")
    client, bucket = administrator(moto_url), opened.profile.s3_bucket
    found = {}
    for entry in client.list_objects_v2(Bucket=bucket)["Contents"]:
        seen = client.head_object(Bucket=bucket, Key=entry["Key"])
        found[entry["Key"]] = (seen.get("ObjectLockMode"), seen.get("ServerSideEncryption"))
    assert found.pop(made.stored_filename) == ("COMPLIANCE", "AES256")
    assert len(found) == 3
    assert set(found.values()) == {(None, "AES256")}


# locks


@pytest.fixture(params=["moto_url", "seaweedfs_url"])
def locking(request: pytest.FixtureRequest) -> tuple[str, str]:
    """A server with Object Lock, and a bucket with it."""
    url = request.getfixturevalue(request.param)
    profile = s3_profile(url, bucket=False)
    administrator(url).create_bucket(Bucket=profile.s3_bucket, ObjectLockEnabledForBucket=True)
    assert profile.s3_bucket
    return url, profile.s3_bucket


def store_in(place: tuple[str, str], **settings: Any) -> S3ObjectStore:
    return S3ObjectStore(administrator(place[0]), place[1], **settings)


def test_an_object_is_locked_for_the_days_of_the_profile(locking: tuple[str, str]) -> None:
    now = datetime(2030, 1, 2, 3, 4, 5, tzinfo=UTC)
    store = store_in(locking, lock=GOVERNANCE, clock=lambda: now)
    made = store.put("k", io.BytesIO(b"x"))
    until = Lock(until=now + timedelta(days=30))
    assert (made.lock, store.stat("k").lock, store.lock_of("k")) == (until, until, until)
    assert head(store)["ObjectLockMode"] == "GOVERNANCE"


def test_an_object_in_parts_is_locked_from_its_creation(seaweedfs_url: str) -> None:
    profile = s3_profile(seaweedfs_url, bucket=False)
    administrator(seaweedfs_url).create_bucket(Bucket=profile.s3_bucket, ObjectLockEnabledForBucket=True)
    store = store_in((seaweedfs_url, str(profile.s3_bucket)), lock=GOVERNANCE, part_size=PART)
    made = store.put("k", io.BytesIO(LARGE))
    assert made.lock is not None
    assert made.lock == store.stat("k").lock
    assert read(store) == LARGE


def test_a_lock_that_the_service_loses_is_said_and_not_recorded(moto_url: str) -> None:
    """moto 5.2 forgets the lock of an upload in parts."""
    notices: list[str] = []
    profile = s3_profile(moto_url, bucket=False)
    administrator(moto_url).create_bucket(Bucket=profile.s3_bucket, ObjectLockEnabledForBucket=True)
    place = (moto_url, str(profile.s3_bucket))
    made = store_in(place, lock=GOVERNANCE, part_size=PART, notice=notices.append).put("k", io.BytesIO(LARGE))
    assert (made.lock, [line.endswith("the service has not locked it") for line in notices]) == (None, [True])


def test_a_service_that_keeps_no_versions_locks_nothing(rclone_url: str) -> None:
    """rclone stores the headers of a lock, and deletes the object all the same."""
    notices: list[str] = []
    made = fresh_store(rclone_url, lock=GOVERNANCE, notice=notices.append).put("k", io.BytesIO(b"x"))
    assert (made.lock, len(notices)) == (None, 1)


@pytest.mark.parametrize(
    ("url", "content"),
    [("moto_url", b"small"), ("seaweedfs_url", b"small"), ("seaweedfs_url", LARGE)],
    ids=["moto", "SeaweedFS", "SeaweedFS in parts"],  # moto 5.2 looks at whole objects only
)
def test_a_bucket_without_object_lock_is_one_clear_line(
    request: pytest.FixtureRequest, url: str, content: bytes
) -> None:
    store = fresh_store(request.getfixturevalue(url), lock=GOVERNANCE, part_size=PART, notice=lambda _: None)
    with pytest.raises(ConfigInvalid, match="Object Lock must be enabled when a bucket is made") as caught:
        store.put("k", io.BytesIO(content))
    assert "\n" not in str(caught.value)
    assert [found["Key"] for found in everything(store)] == [], "no claim of the name, either"


def test_a_bucket_with_object_lock_may_hold_an_object_without_one(seaweedfs_url: str) -> None:
    profile = s3_profile(seaweedfs_url, bucket=False)
    administrator(seaweedfs_url).create_bucket(Bucket=profile.s3_bucket, ObjectLockEnabledForBucket=True)
    store = store_in((seaweedfs_url, str(profile.s3_bucket)))
    store.put("k", io.BytesIO(b"x"))
    assert store.lock_of("k") is None


def test_an_object_without_a_lock_shows_none(locking: tuple[str, str]) -> None:
    store = store_in(locking)
    store.put("k", io.BytesIO(b"x"))
    assert store.stat("k").lock is None


def test_a_legal_hold_is_a_lock_without_an_end(locking: tuple[str, str]) -> None:
    store = store_in(locking)
    store.put("k", io.BytesIO(b"x"))
    store._client.put_object_legal_hold(Bucket=locking[1], Key="k", LegalHold={"Status": "ON"})
    assert store.stat("k").lock == Lock(until=None)


@pytest.mark.parametrize("lock", [GOVERNANCE, None], ids=["as it is locked", "as the profile locks"])
def test_a_lock_is_extended_and_never_shortened(locking: tuple[str, str], lock: ObjectLock | None) -> None:
    now = datetime(2030, 1, 2, 3, 4, 5, tzinfo=UTC)
    store_in(locking, lock=lock, clock=lambda: now).put("k", io.BytesIO(b"x"))
    store = store_in(locking, lock=GOVERNANCE if lock is None else None)
    for days in (60, 40):
        store.extend_lock("k", now + timedelta(days=days))
        assert store.lock_of("k") == Lock(until=now + timedelta(days=60))
    assert head(store)["ObjectLockMode"] == "GOVERNANCE"


def test_what_is_not_locked_cannot_be_extended_without_a_setting(locking: tuple[str, str]) -> None:
    store = store_in(locking)
    store.put("k", io.BytesIO(b"x"))
    with pytest.raises(StoreError, match="is not locked, and the profile has no object_lock"):
        store.extend_lock("k", datetime(2030, 1, 2, tzinfo=UTC))
    with pytest.raises(ObjectNotFound):
        store.extend_lock("missing", datetime(2030, 1, 2, tzinfo=UTC))


def test_a_delete_would_hide_a_locked_object_behind_a_marker(locking: tuple[str, str], tmp_path: Any) -> None:
    """So it is asked before, and the archive stays where it is."""
    url, bucket = locking
    profile = s3_profile(url, bucket=False, object_lock={"mode": "governance", "days": 30})
    bk = open_profile(evolve(profile, s3_bucket=bucket), repo=MemoryRepo(), environment={})
    (tmp_path / "site").mkdir()
    made = bk.backup(tmp_path / "site", password="")
    with pytest.raises(ObjectLocked, match="locked until"):
        bk.delete("site")
    versions = administrator(url).list_object_versions(Bucket=bucket, Prefix=made.stored_filename)
    assert (len(versions["Versions"]), versions.get("DeleteMarkers", [])) == (1, [])
    assert [row.stored_filename for row in bk.show()] == [made.stored_filename]


def test_create_bucket_enables_object_lock_for_a_profile_that_wants_it(moto_url: str) -> None:
    profile = s3_profile(moto_url, bucket=False, object_lock={"mode": "governance", "days": 1})
    store = S3ObjectStore.from_profile(profile)
    store.create_bucket()
    assert store.put("k", io.BytesIO(b"x")).lock is not None


# limits of the line


class Slept:
    """A clock that stands still, and the seconds that threads slept, one after the other's end."""

    def __init__(self, rate: int) -> None:
        self.last = 0.0
        self.limit = RateLimit(rate, clock=lambda: 0.0, sleep=self._sleep)

    def _sleep(self, seconds: float) -> None:
        self.last = max(self.last, seconds)


@pytest.mark.parametrize("content", [some_bytes(1_000_000), LARGE], ids=["in one request", "in parts"])
def test_an_upload_is_limited_across_its_parts(seaweedfs_url: str, content: bytes) -> None:
    slept = Slept(1_000_000)
    store = fresh_store(seaweedfs_url, part_size=PART, claims=False, limits=Limits(upload=slept.limit))
    store.put("k", io.BytesIO(content))
    assert slept.last == pytest.approx(len(content) / 1_000_000, abs=0.3)
    assert read(store) == content


def test_a_download_is_limited_across_its_ranges(seaweedfs_url: str) -> None:
    slept = Slept(1_000_000)
    content = some_bytes(9 * MIB)
    store = fresh_store(seaweedfs_url, limits=Limits(download=slept.limit))
    store.put("k", io.BytesIO(content))
    assert slept.last == 0
    assert read(store) == content
    assert slept.last == pytest.approx(len(content) / 1_000_000, abs=0.3)
