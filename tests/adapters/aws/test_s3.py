"""The S3 store beside uploads and downloads: listing, deleting, buckets, URLs, and what a user gets wrong."""

from __future__ import annotations

import io
import urllib.request
from collections.abc import Callable
from typing import Any

import pytest

from bakthat.adapters.aws.errors import translated
from bakthat.adapters.aws.s3 import S3ObjectStore
from bakthat.adapters.aws.s3_client import is_amazon
from bakthat.domain.profile import Profile
from bakthat.errors import (
    AccessDenied,
    ConfigInvalid,
    InvalidName,
    StoreError,
    StoreUnavailable,
    UsageError,
)
from bakthat.testing.deviations import has
from bakthat.testing.faulty_proxy import (
    Answer,
    Fault,
    Forward,
    Request,
    answering,
    lose_the_answer,
)
from bakthat.testing.object_store_contract import some_bytes
from tests.fixtures.s3_rig import PART, RANGE, Rig
from tests.fixtures.s3_servers import SECRET_KEY, administrator, fresh_store, s3_profile, shared_bucket

FOREVER = None
LARGE = some_bytes(3 * RANGE + 17)


def test_reading_and_deleting_send_no_other_request(rig: Rig):
    rig.direct.put("k", io.BytesIO(LARGE))
    store = rig.store()
    with store.open("k") as reader:
        assert reader.read() == LARGE
    etags = [has("if-match")(request) for request in rig.proxy.requests]
    assert etags == [False, True, True, True], "each range is of the same object"
    store.stat("k")
    list(store.list())
    store.delete("k")
    assert sorted(rig.proxy.operations) == ["DeleteObject", *["GetObject"] * 4, "HeadObject", "ListObjectsV2"]


# listing and deleting


def test_an_error_on_a_later_page_is_raised_by_the_iteration(rig: Rig):
    for number in range(5):
        rig.direct.put(str(number), io.BytesIO(b""))
    rig.proxy.inject(Fault("ListObjectsV2", answering(403, "AccessDenied"), skip=1, times=FOREVER))
    listing = rig.store(page=2, amazon=True).list()
    assert [next(listing).key, next(listing).key] == ["0", "1"]
    with pytest.raises(AccessDenied):
        next(listing)


def test_objects_whose_names_are_not_keys_are_not_listed(moto_rig: Rig):
    for name in ("folder/", "a//b", "../out", "fine"):
        moto_rig.upstream.put_object(Bucket=moto_rig.bucket, Key=moto_rig.prefix + name, Body=b"")
    assert [info.key for info in moto_rig.direct.list()] == ["fine"]


def test_a_refused_deletion_is_an_error(rig: Rig):
    rig.proxy.inject(Fault("DeleteObject", answering(403, "AccessDenied")))
    with pytest.raises(AccessDenied):
        rig.store().delete("k")


def test_a_deletion_whose_answer_is_lost_is_a_success(rig: Rig):
    rig.direct.put("k", io.BytesIO(b"x"))
    rig.proxy.inject(Fault("DeleteObject", lose_the_answer))
    rig.store().delete("k")
    assert rig.is_empty


# what a user gets wrong


USES: dict[str, Callable[[S3ObjectStore], object]] = {
    "put": lambda store: store.put("k", io.BytesIO(b"x")),
    "open": lambda store: store.open("k").__enter__(),
    "list": lambda store: list(store.list()),
    "delete": lambda store: store.delete("k"),
}


@pytest.mark.parametrize("use", USES)
def test_a_missing_bucket_is_named_with_the_way_out(seaweedfs_url: str, use: str):
    profile = s3_profile(seaweedfs_url, bucket=False)
    says = f"'{profile.s3_bucket}' does not exist; correct s3_bucket, or run `bakthat configure`"
    with pytest.raises(StoreError, match=says) as caught:
        USES[use](S3ObjectStore.from_profile(profile))
    assert type(caught.value) is StoreError


@pytest.mark.parametrize("use", USES)
@pytest.mark.parametrize("wrong", [{"secret_key": "another"}, {"access_key": "AKIANOBODY"}])
def test_wrong_access_keys_are_an_error_that_does_not_show_them(seaweedfs_url: str, use: str, wrong: dict[str, str]):
    profile = s3_profile(seaweedfs_url, bucket=False, s3_bucket=shared_bucket(seaweedfs_url), **wrong)
    store = S3ObjectStore.from_profile(profile)
    with pytest.raises(AccessDenied) as caught:
        USES[use](store)
    shown = f"{caught.value} {store!r} {profile!r}"
    assert not [secret for secret in (SECRET_KEY, "another", "AKIANOBODY") if secret in shown]


def test_an_invalid_name_of_a_bucket_is_an_error():
    store = S3ObjectStore.from_profile(
        Profile(access_key="a", secret_key="b", s3_bucket="no bucket", endpoint_url="http://127.0.0.1:1")
    )
    with pytest.raises(ConfigInvalid, match="correct s3_bucket"):
        store.stat("k")


def test_a_profile_without_a_bucket_is_refused_before_anything_is_sent():
    with pytest.raises(ConfigInvalid, match="names no s3_bucket"):
        S3ObjectStore.from_profile(Profile())


@pytest.mark.parametrize("settings", [{"part_size": PART - 1}, {"part_size": 5 * 2**30 + 1}, {"max_concurrency": 0}])
def test_sizes_that_s3_does_not_accept_are_refused_before_anything_is_sent(settings: dict[str, int]):
    with pytest.raises(ConfigInvalid, match=next(iter(settings))):
        S3ObjectStore.from_profile(Profile(s3_bucket="attic", **settings))


def test_a_key_too_long_together_with_its_prefix_is_refused(seaweedfs_url: str):
    with pytest.raises(InvalidName, match="too long"):
        fresh_store(seaweedfs_url, prefix="p" * 100).stat("k" * 1000)


def test_a_web_server_that_is_not_s3_is_an_error(rig: Rig):
    page = answering(404, headers={"Content-Type": "text/html"})

    def html(request: Request, forward: Forward) -> Answer:
        answer = page(request, forward)
        answer.body = b"<html><body>Welcome"
        return answer

    rig.proxy.inject(Fault("*", html, times=FOREVER))
    with pytest.raises(StoreError, match="check endpoint_url"):
        rig.get()


# buckets, URLs, addresses


def test_configure_finds_and_creates_the_bucket(seaweedfs_url: str):
    store = S3ObjectStore.from_profile(s3_profile(seaweedfs_url, bucket=False))
    assert not store.bucket_exists()
    store.create_bucket()
    store.create_bucket()
    assert store.bucket_exists()
    store.put("k", io.BytesIO(b"x"))


def test_a_bucket_of_amazons_is_created_in_its_region(moto_url: str):
    name = s3_profile(moto_url, bucket=False).s3_bucket or ""
    S3ObjectStore(administrator(moto_url), name, region="eu-west-1", amazon=True).create_bucket()
    assert administrator(moto_url).get_bucket_location(Bucket=name)["LocationConstraint"] == "eu-west-1"


def test_a_bucket_of_somebody_else_is_an_error(rig: Rig):
    rig.proxy.inject(Fault("CreateBucket", answering(409, "BucketAlreadyExists")))
    with pytest.raises(StoreError, match="taken by somebody else; choose another s3_bucket"):
        rig.store().create_bucket()


def test_a_bucket_that_must_not_be_listed_is_access_denied(rig: Rig):
    rig.proxy.inject(Fault("ListObjectsV2", answering(403, "AccessDenied")))
    with pytest.raises(AccessDenied):
        rig.store().bucket_exists()


def test_anyone_with_a_presigned_url_can_read_the_object(seaweedfs_url: str):
    store = fresh_store(seaweedfs_url)
    store.put("a key/ü", io.BytesIO(b"shared"))
    with urllib.request.urlopen(store.presign("a key/ü", 60)) as answer:
        assert answer.read() == b"shared"
    upload = urllib.request.Request(store.presign("new", 60, "PUT"), data=b"theirs", method="PUT")
    with urllib.request.urlopen(upload):
        assert store.stat("new").size == 6


@pytest.mark.parametrize(("seconds", "method"), [(0, "GET"), (604_801, "GET"), (60, "DELETE")])
def test_an_invalid_presigned_url_is_refused(seaweedfs_url: str, seconds: int, method: str):
    with pytest.raises(UsageError):
        fresh_store(seaweedfs_url).presign("k", seconds, method)


@pytest.mark.parametrize(
    ("settings", "url"),
    [
        ({"s3_bucket": "attic"}, "https://attic.s3.amazonaws.com/k?"),
        ({"s3_bucket": "attic", "region_name": "eu-west-1"}, "https://attic.s3.eu-west-1.amazonaws.com/k?"),
        ({"s3_bucket": "my.attic"}, "https://s3.amazonaws.com/my.attic/k?"),
        ({"s3_bucket": "attic", "endpoint_url": "http://10.0.0.1:9000"}, "http://10.0.0.1:9000/attic/k?"),
        ({"s3_bucket": "attic", "endpoint_url": "https://nas.example"}, "https://nas.example/attic/k?"),
    ],
)
def test_the_bucket_is_in_the_path_where_it_cannot_be_in_the_host_name(settings: dict[str, str], url: str):
    store = S3ObjectStore.from_profile(Profile(access_key="AKIA", secret_key="x", **settings))
    assert store.presign("k", 60).startswith(url)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        (None, True),
        ("", True),
        ("https://s3.eu-west-1.amazonaws.com", True),
        ("https://bucket.vpce-1.s3.cn-north-1.vpce.amazonaws.com.cn:443/", True),
        ("http://127.0.0.1:8333", False),
        ("https://amazonaws.com.example.org", False),
    ],
)
def test_amazons_own_endpoints_are_recognised(url: str | None, expected: bool):
    assert is_amazon(url) is expected


def test_errors_of_an_iteration_are_translated():
    def pages() -> Any:
        yield 1
        raise ConnectionResetError

    with pytest.raises(StoreUnavailable, match="^it: "), translated("it"):
        list(pages())
