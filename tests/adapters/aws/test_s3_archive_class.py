"""Buckets as archive stores: the contract on moto, held back so that nothing is ready before the test says so."""

from __future__ import annotations

import io
import itertools
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from attrs import evolve
from botocore.stub import Stubber
from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.moto_api import state_manager
from moto.s3.models import s3_backends

from bakthat.adapters.aws.s3 import s3_client
from bakthat.adapters.aws.s3_archive_class import S3ColdStore
from bakthat.domain.objects import ArchiveId, JobId, Tier
from bakthat.domain.profile import Profile
from bakthat.errors import (
    BakthatError,
    ConfigInvalid,
    ObjectExists,
    ObjectNotFound,
    RetrievalExpired,
    RetrievalPending,
    StoreError,
    StoreUnavailable,
    UsageError,
)
from bakthat.ports.archive_store import ArchiveStore
from bakthat.testing.archive_store_contract import ArchiveStoreContract, Turn
from bakthat.testing.deviations import setting
from bakthat.testing.faulty_proxy import Fault, FaultyProxy, answering
from tests.fixtures.s3_servers import s3_profile

NAME = "site.20260102000000.tgz"
_numbers = itertools.count(1)
PROFILE = Profile(access_key="moto", secret_key="moto", s3_bucket="bucket")


class Bucket:
    """moto's bucket, whose retrievals are under way until `finish`."""

    def __init__(self, client: Any, name: str) -> None:
        self.client = client
        self.name = name
        self.retrieved: list[dict[str, Any]] = []
        client.create_bucket(Bucket=name)
        client.meta.events.register("provide-client-params.s3.RestoreObject", self._written_down)
        client.meta.events.register("after-call.s3.RestoreObject", self._held_back)

    def _written_down(self, params: dict[str, Any], **_: Any) -> None:
        self.retrieved.append(params)

    def _held_back(self, http_response: Any, **_: Any) -> None:
        if http_response.status_code == 202:
            self._object(self.retrieved[-1]["Key"])._status = "IN_PROGRESS"

    def _object(self, key: str) -> Any:
        return s3_backends[DEFAULT_ACCOUNT_ID]["aws"].buckets[self.name].keys[key]

    def finish(self, key: str) -> None:
        self._object(key)._status = "RESTORED"

    def expire(self, key: str) -> None:
        self._object(key).set_expiry(None)

    def freeze(self, key: str, storage_class: str) -> None:
        """As a lifecycle rule does."""
        self._object(key).set_storage_class(storage_class)

    def put(self, key: str, content: bytes = b"content", storage_class: str = "STANDARD") -> None:
        self.client.put_object(Bucket=self.name, Key=key, Body=content, StorageClass=storage_class)


@pytest.fixture(scope="module")
def retrievals_wait() -> Iterator[None]:
    """moto makes no archive readable by itself."""
    state_manager.set_transition("s3::keyrestore", {"progression": "manual", "times": 1_000_000_000})
    yield
    state_manager.unset_transition("s3::keyrestore")


@pytest.fixture(scope="module")
def client(moto_url: str, retrievals_wait: None) -> Any:
    return s3_client(evolve(PROFILE, endpoint_url=moto_url))


@pytest.fixture
def bucket(client: Any) -> Iterator[Bucket]:
    made = Bucket(client, f"cold-{next(_numbers)}")
    yield made
    client.meta.events.unregister("provide-client-params.s3.RestoreObject", made._written_down)
    client.meta.events.unregister("after-call.s3.RestoreObject", made._held_back)


@pytest.fixture
def store(bucket: Bucket) -> S3ColdStore:
    return made(bucket)


def made(bucket: Bucket, storage_class: str | None = "GLACIER", **more: Any) -> S3ColdStore:
    return S3ColdStore(bucket.client, bucket.name, storage_class=storage_class, amazon=True, **more)


def upload(store: S3ColdStore, content: bytes = b"content", description: str = NAME) -> ArchiveId:
    return store.upload(io.BytesIO(content), description=description)


class _OnMoto(ArchiveStoreContract):
    lists_at_once = True
    many = 12
    large = 9 * 1024 * 1024 + 17
    """Bytes of two parts, and of two ranges."""

    @pytest.fixture
    def finish(self, bucket: Bucket) -> Turn:
        def finish(job: JobId) -> None:
            if job != "listing":
                bucket.finish(job)

        return finish

    @pytest.fixture
    def expire(self, bucket: Bucket) -> Turn:
        return bucket.expire


class TestGlacierClass(_OnMoto):
    @pytest.fixture
    def store(self, bucket: Bucket) -> ArchiveStore:
        return made(bucket)


class TestDeepArchiveClass(_OnMoto):
    @pytest.fixture
    def store(self, bucket: Bucket) -> ArchiveStore:
        return made(bucket, "DEEP_ARCHIVE", prefix="")


class TestDeepArchiveClassInProcess(_OnMoto):
    """In-process moto. Its requests are made one after the other, as the contract makes them."""

    @pytest.fixture
    def client(self, moto_in_process: None, retrievals_wait: None) -> Any:
        return s3_client(PROFILE)

    @pytest.fixture
    def store(self, bucket: Bucket) -> ArchiveStore:
        return made(bucket, "DEEP_ARCHIVE")


# uploading


def test_an_archive_is_stored_under_its_stored_filename_in_its_class(store: S3ColdStore, bucket: Bucket) -> None:
    archive_id = upload(store, description=f'{NAME} {{"bakthat":1,"tags":["db"]}}')
    assert archive_id == NAME
    assert bucket.client.head_object(Bucket=bucket.name, Key=NAME)["StorageClass"] == "GLACIER"


def test_the_prefix_is_not_part_of_the_id(bucket: Bucket) -> None:
    store = made(bucket, prefix="backups")
    assert upload(store) == NAME
    bucket.client.head_object(Bucket=bucket.name, Key=f"backups/{NAME}")
    assert store.request(ArchiveId(NAME)) == NAME
    assert [info.archive_id for info in store.inventory(store.request_inventory())] == [NAME]


def test_a_large_archive_is_stored_in_its_class(store: S3ColdStore, bucket: Bucket) -> None:
    upload(store, bytes(20 << 20))
    assert bucket.client.head_object(Bucket=bucket.name, Key=NAME)["StorageClass"] == "GLACIER"


def test_a_name_that_is_taken_is_refused(store: S3ColdStore) -> None:
    upload(store)
    with pytest.raises(ObjectExists, match=NAME):
        upload(store)


def test_a_description_without_a_stored_filename_is_refused(store: S3ColdStore) -> None:
    with pytest.raises(UsageError, match="stored filename"):
        upload(store, description="photos")


# retrieving


@pytest.mark.parametrize("tier", list(Tier))
def test_a_retrieval_is_requested_in_its_tier_and_for_a_week(store: S3ColdStore, bucket: Bucket, tier: Tier) -> None:
    store.request(upload(store), tier=tier)
    assert [asked["RestoreRequest"] for asked in bucket.retrieved] == [
        {"GlacierJobParameters": {"Tier": tier.capitalize()}, "Days": 7}
    ]


def test_how_long_a_copy_stays_can_be_chosen(bucket: Bucket) -> None:
    store = made(bucket, days=2)
    store.request(upload(store))
    assert bucket.retrieved[0]["RestoreRequest"]["Days"] == 2


def test_a_retrieval_that_another_machine_requested_is_found(store: S3ColdStore, bucket: Bucket) -> None:
    store.request(upload(store))
    assert made(bucket).request(ArchiveId(NAME)) == NAME
    assert len(bucket.retrieved) == 1


def test_a_running_retrieval_can_be_expedited(store: S3ColdStore, bucket: Bucket) -> None:
    store.request(upload(store), tier=Tier.BULK)
    store.request(ArchiveId(NAME), tier=Tier.STANDARD)
    store.request(ArchiveId(NAME), tier=Tier.EXPEDITED)
    assert [asked["RestoreRequest"]["GlacierJobParameters"]["Tier"] for asked in bucket.retrieved] == [
        "Bulk",
        "Expedited",
    ]


def test_a_ready_retrieval_is_not_requested_again(store: S3ColdStore, bucket: Bucket) -> None:
    store.request(upload(store))
    bucket.finish(NAME)
    store.request(ArchiveId(NAME), tier=Tier.EXPEDITED)
    assert len(bucket.retrieved) == 1


def test_deep_archive_has_no_expedited_tier_and_says_what_it_has(bucket: Bucket) -> None:
    store = made(bucket, "DEEP_ARCHIVE")
    upload(store)
    with pytest.raises(
        UsageError, match="is in DEEP_ARCHIVE, which has no expedited tier; use `tier='standard'` or `tier='bulk'`"
    ):
        store.request(ArchiveId(NAME), tier=Tier.EXPEDITED)
    assert not bucket.retrieved


@pytest.mark.parametrize(
    ("storage_class", "words"), [("GLACIER", "after 3 to 5 hours"), ("DEEP_ARCHIVE", "within 12 hours")]
)
def test_a_pending_retrieval_names_the_usual_wait_of_its_class(bucket: Bucket, storage_class: str, words: str) -> None:
    store = made(bucket, storage_class)
    job = store.request(upload(store))
    with pytest.raises(RetrievalPending, match=f"{NAME}: .*usually ready {words}"), store.open(job):
        pass


def test_an_archive_without_a_retrieval_cannot_be_read(store: S3ColdStore) -> None:
    job = JobId(upload(store))
    with pytest.raises(RetrievalExpired, match="request it again"), store.open(job):
        pass


def test_an_archive_that_another_program_deleted_is_not_found(store: S3ColdStore) -> None:
    job = store.request(upload(store))
    store.delete(ArchiveId(NAME))
    with pytest.raises(ObjectNotFound, match=NAME), store.open(job):
        pass


# the ordinary destination, frozen by a lifecycle rule


@pytest.mark.parametrize("storage_class", ["GLACIER", "DEEP_ARCHIVE"])
def test_an_object_that_a_lifecycle_rule_archived_can_be_retrieved(bucket: Bucket, storage_class: str) -> None:
    store = made(bucket, None)
    bucket.put(NAME)
    bucket.freeze(NAME, storage_class)
    job = store.request(ArchiveId(NAME))
    with pytest.raises(RetrievalPending), store.open(job):
        pass
    bucket.finish(NAME)
    with store.open(job) as reader:
        assert reader.read() == b"content"


@pytest.mark.parametrize("storage_class", ["STANDARD", "STANDARD_IA", "GLACIER_IR", "INTELLIGENT_TIERING"])
def test_an_object_in_another_class_is_read_without_a_retrieval(bucket: Bucket, storage_class: str) -> None:
    store = made(bucket, None)
    bucket.put(NAME, storage_class=storage_class)
    with store.open(store.request(ArchiveId(NAME))) as reader:
        assert reader.read() == b"content"
    assert not bucket.retrieved


# answers that moto does not give


def answered(store: S3ColdStore, head: dict[str, Any]) -> Stubber:
    stub = Stubber(store._client)
    stub.add_response("head_object", head)
    return stub


@pytest.mark.parametrize("code", ["RestoreAlreadyInProgress", "InvalidObjectState"])
def test_a_retrieval_that_was_requested_a_moment_ago_is_not_an_error(code: str) -> None:
    store = S3ColdStore.from_profile(PROFILE_GLACIER)
    with answered(store, {"StorageClass": "GLACIER"}) as stub:
        stub.add_client_error("restore_object", code, http_status_code=409)
        assert store.request(ArchiveId(NAME)) == NAME
        stub.assert_no_pending_responses()


@pytest.mark.parametrize(
    ("code", "status", "kind", "says"),
    [
        ("GlacierExpeditedRetrievalNotAvailable", 503, StoreUnavailable, "`tier='standard'`"),
        ("MethodNotAllowed", 405, StoreError, "cannot retrieve"),
        ("NotImplemented", 501, StoreError, "cannot retrieve"),
        ("405", 405, StoreError, "cannot retrieve"),
    ],
)
def test_a_refused_retrieval_says_what_to_do(code: str, status: int, kind: type[BakthatError], says: str) -> None:
    store = S3ColdStore.from_profile(PROFILE_GLACIER)
    with answered(store, {"StorageClass": "GLACIER"}) as stub:
        stub.add_client_error("restore_object", code, http_status_code=status)
        with pytest.raises(kind, match=f"{NAME}: .*{says}"):
            store.request(ArchiveId(NAME))


@pytest.mark.parametrize("status", [405, 501])
def test_where_the_class_is_a_label_the_object_is_read_at_once(client: Any, moto_url: str, status: int) -> None:
    with FaultyProxy(moto_url) as proxy:
        profile = s3_profile(proxy.url, glacier_storage_class="GLACIER")
        client.put_object(Bucket=profile.s3_bucket, Key=NAME, Body=b"content")  # moto takes the class seriously
        proxy.inject(Fault("RestoreObject", answering(status), times=None))
        proxy.inject(Fault("HeadObject", setting({"x-amz-storage-class": "GLACIER"}), times=None))
        store = S3ColdStore.from_profile(profile)
        with store.open(store.request(ArchiveId(NAME))) as reader:
            assert reader.read() == b"content"


def test_the_class_of_a_real_service_is_a_label(seaweedfs_url: str) -> None:
    store = S3ColdStore.from_profile(s3_profile(seaweedfs_url, glacier_storage_class="DEEP_ARCHIVE"))
    with store.open(store.request(upload(store))) as reader:
        assert reader.read() == b"content"


def test_an_object_that_can_be_neither_retrieved_nor_read_is_an_error(client: Any, moto_url: str) -> None:
    with FaultyProxy(moto_url) as proxy:
        profile = s3_profile(proxy.url, glacier_storage_class="GLACIER")
        client.put_object(Bucket=profile.s3_bucket, Key=NAME, Body=b"content", StorageClass="GLACIER")
        proxy.inject(Fault("RestoreObject", answering(405), times=None))
        with pytest.raises(StoreError, match=f"{NAME}: this service cannot retrieve from an archive class"):
            S3ColdStore.from_profile(profile).request(ArchiveId(NAME))


def test_an_object_of_intelligent_tiering_stays_readable_after_a_retrieval() -> None:
    store = S3ColdStore.of_bucket(PROFILE)
    frozen = {"StorageClass": "INTELLIGENT_TIERING", "ArchiveStatus": "DEEP_ARCHIVE_ACCESS"}
    with answered(store, frozen) as stub:
        asked = {"GlacierJobParameters": {"Tier": "Bulk"}}
        stub.add_response("restore_object", {}, {"Bucket": "bucket", "Key": NAME, "RestoreRequest": asked})
        job = store.request(ArchiveId(NAME), tier=Tier.BULK)
        stub.add_response("head_object", {**frozen, "Restore": 'ongoing-request="true"'})
        with pytest.raises(RetrievalPending, match="within 12 hours"), store.open(job):
            pass


def test_a_copy_that_expires_between_two_requests_has_expired() -> None:
    store = S3ColdStore.from_profile(PROFILE_GLACIER)
    with answered(store, {"StorageClass": "GLACIER", "Restore": 'ongoing-request="false", expiry-date="…"'}) as stub:
        stub.add_client_error("get_object", "InvalidObjectState", http_status_code=403)
        with pytest.raises(RetrievalExpired, match=NAME), store.open(JobId(NAME)):
            pass


# the inventory


def test_the_inventory_lists_archives_and_nothing_else(store: S3ColdStore, bucket: Bucket) -> None:
    upload(store)
    bucket.put(f"bakthat_catalog/{NAME}.json")
    bucket.put("bakthat_glacier_inventory")
    bucket.put("other.20260102000000.tgz")
    deep = "deep.20260102000000.tgz"
    bucket.put(deep, storage_class="DEEP_ARCHIVE")
    infos = list(store.inventory(store.request_inventory()))
    assert [(info.archive_id, info.description) for info in infos] == [(deep, deep), (NAME, NAME)]
    assert abs(infos[0].created - datetime.now(UTC)) < timedelta(minutes=5)


# settings

PROFILE_GLACIER = Profile(access_key="k", secret_key="s", s3_bucket="bucket", glacier_storage_class="GLACIER")


@pytest.mark.parametrize(("storage_class", "days"), [("GLACIER", 90), ("DEEP_ARCHIVE", 180)])
def test_a_profile_names_bucket_and_class(storage_class: str, days: int) -> None:
    profile = Profile(
        access_key="AKIAKEY", secret_key="SECRET", s3_bucket="b", s3_prefix="p", glacier_storage_class=storage_class
    )
    store = S3ColdStore.from_profile(profile)
    assert (store.location, store.minimum_days) == ("s3://b/p", days)
    assert repr(store) == "S3ColdStore('s3://b/p')"


@pytest.mark.parametrize("storage_class", [None, "STANDARD", "GLACIER_IR", "FROZEN"])
def test_a_class_that_needs_no_retrieval_is_refused(storage_class: str | None) -> None:
    profile = Profile(s3_bucket="b", glacier_storage_class=storage_class)
    with pytest.raises(ConfigInvalid, match="glacier_storage_class must be one of GLACIER, DEEP_ARCHIVE"):
        S3ColdStore.from_profile(profile)


@pytest.mark.parametrize(("storage_class", "days"), [(None, 0), ("STANDARD_IA", 30), ("GLACIER_IR", 90)])
def test_the_ordinary_destination_has_its_own_class_and_minimum(storage_class: str | None, days: int) -> None:
    store = S3ColdStore.of_bucket(Profile(access_key="k", secret_key="s", s3_bucket="b", storage_class=storage_class))
    assert (store.location, store.minimum_days) == ("s3://b", days)
