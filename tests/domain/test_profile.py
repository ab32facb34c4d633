"""The settings of a profile: their defaults, their forms, and errors that name the key."""

from __future__ import annotations

from pathlib import PurePosixPath

import pytest
from attrs import fields

from bakthat.domain.backup import backend_hash
from bakthat.domain.profile import (
    Profile,
    endpoint_host,
    former_s3_location,
    glacier_owner,
    normal_prefix,
    overlaid,
    s3_location,
    s3_owner,
)
from bakthat.domain.settings import checked
from bakthat.errors import ConfigInvalid
from tests.domain.series import backup_at, utc


def test_a_profile_without_settings_has_those_of_2013():
    profile = Profile()
    assert (profile.name, profile.region_name, profile.default_destination, profile.compress, profile.rotation) == (
        "default",
        None,
        "s3",
        True,
        None,
    )


@pytest.mark.parametrize(
    ("settings", "destination"),
    [
        ({"local_path": "/disk"}, "local"),
        ({"local_path": "/disk", "s3_bucket": "photos"}, "s3"),
        ({"local_path": "/disk", "glacier_vault": "photos"}, "s3"),
        ({"local_path": "/disk", "default_destination": "s3"}, "s3"),
    ],
)
def test_backups_go_to_the_folder_if_it_is_the_only_place(settings: dict[str, str], destination: str):
    assert Profile(**settings).default_destination == destination


@pytest.mark.parametrize(
    ("before", "settings", "destination"),
    [
        ({}, {"local_path": "/disk"}, "local"),
        ({"local_path": "/disk"}, {"s3_bucket": "photos"}, "local"),
        ({"s3_bucket": "photos"}, {"local_path": "/disk"}, "s3"),
        ({}, {"local_path": "/disk", "default_destination": "glacier"}, "glacier"),
    ],
)
def test_the_first_place_that_a_profile_gets_is_its_destination(
    before: dict[str, str], settings: dict[str, str], destination: str
):
    assert overlaid(Profile(**before), settings).default_destination == destination


def test_no_secret_shows_in_a_profile():
    profile = Profile(
        access_key="SECRET",
        secret_key="SECRET",
        endpoint_url="https://me:SECRET@host",
        database="postgresql://me:SECRET@host/bakthat",
        password_command="echo SECRET",
        hooks={"on_backup": "curl SECRET"},
        extra={"auth": "SECRET"},
    )
    assert "SECRET" not in repr(profile)


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"local_path": 5}, "local_path: expected text, found a number"),
        ({"local_path": None}, "local_path: expected text, found nothing"),
        ({"name": 5}, "name: expected text"),
        ({"compress": "no"}, "compress: expected true or false, found text"),
        ({"recipients": 5}, "recipients: expected a list of texts"),
        ({"recipients": ["age1", 5]}, "recipients: expected a list of texts"),
        ({"rotation": [7]}, "rotation: expected settings"),
        ({"hooks": "curl"}, "hooks: expected settings"),
        ({"stores": None}, "stores: expected settings"),
        ({"password_command": 5}, "password_command: expected a command"),
        ({"part_size": 5}, "part_size: expected a size from 5MiB"),
        ({"part_size": True}, "part_size: expected a size from 5MiB"),
        ({"max_concurrency": 0}, "max_concurrency: expected a whole number from 1"),
        ({"max_concurrency": None}, "max_concurrency: expected a whole number from 1"),
        ({"checksums": "never"}, "checksums: expected when_supported or when_required"),
        ({"endpoint_url": "s3.example.org"}, "endpoint_url: expected a URL"),
        ({"local_path": 5, "compress": "no"}, "compress: expected true or false, found text; local_path: expected"),
        ({"s3_bukcet": "attic"}, "unknown key 's3_bukcet' (did you mean 's3_bucket'?)"),
        ({"zzzzzz": 1}, "unknown key 'zzzzzz'"),
        ({"kms_key_id": "alias/backups", "sse": "AES256"}, "kms_key_id: it needs `sse: aws:kms`"),
        ({"limit_upload": 0}, "limit_upload: expected at least 1K"),
        ({"limit_download": 5}, "at least 1K: a number without a unit is bytes a second, 5M is 5 megabytes"),
        ({"limit_upload": "0.9K"}, "limit_upload: expected at least 1K"),
        ({"limit_upload": "fast"}, "limit_upload: expected a size"),
        ({"limit_download": "5Mbit"}, "limit_download: expected a size"),
    ],
)
def test_what_cannot_be_a_setting_is_an_error_that_names_the_key(settings, told):
    with pytest.raises(ConfigInvalid, match=r"^profile ") as caught:
        Profile(**settings)
    assert told in str(caught.value)


def test_an_error_names_the_profile_and_no_value():
    with pytest.raises(ConfigInvalid, match="^profile 'work': ") as caught:
        Profile(name="work", secret_key=5551234)
    assert "5551234" not in str(caught.value)
    with pytest.raises(ConfigInvalid, match="^profile 'work': unknown key 'secret'"):
        Profile(name="work", secret="SECRET")


@pytest.mark.parametrize(
    ("settings", "key", "value"),
    [
        ({"part_size": "16MiB"}, "part_size", 16 * 2**20),
        ({"recipients": ["age1a", "age1b"]}, "recipients", ("age1a", "age1b")),
        ({"recipients": "age1a"}, "recipients", ("age1a",)),
        ({"password_command": ["pass", "show"]}, "password_command", ("pass", "show")),
        ({"local_path": PurePosixPath("/mnt/disk")}, "local_path", "/mnt/disk"),
        ({"database": PurePosixPath("/mnt/db")}, "database", "/mnt/db"),
        ({"identity": PurePosixPath("/mnt/key")}, "identity", "/mnt/key"),
        ({"identity": None}, "identity", None),
        ({"limit_upload": "5M"}, "limit_upload", 5_000_000),
        ({"limit_download": "64KiB"}, "limit_download", 65_536),
        ({"limit_upload": 1000}, "limit_upload", 1000),
    ],
)
def test_a_setting_may_be_written_as_in_a_file(settings, key, value):
    assert getattr(Profile(**settings), key) == value


@pytest.mark.parametrize(
    "url",
    [
        "https://s3.example.org",
        "HTTP://127.0.0.1:9000/",
        "http://[::1]:9000",
        "https://me:p@ss@host/a/b",
        "https://host?x=y",
        "https://s3.example.org:",
        "http://x y",
    ],
)
def test_an_endpoint_is_a_url_with_a_host(url):
    assert Profile(endpoint_url=url).endpoint_url == url


@pytest.mark.parametrize("url", ["", "http://", "http:///x", "https://:9000", "http://[::1", "http:host", "ftp://host"])
def test_text_that_is_not_a_url_with_a_host_is_not_an_endpoint(url):
    with pytest.raises(ConfigInvalid, match="endpoint_url: expected a URL"):
        Profile(endpoint_url=url)


def test_every_setting_has_a_kind_that_can_be_checked():
    for setting in fields(Profile):
        assert checked(setting, getattr(Profile(), setting.name)) == getattr(Profile(), setting.name)


@pytest.mark.parametrize(
    ("written", "prefix"),
    [("", ""), ("/", ""), ("a", "a/"), ("a/", "a/"), ("/a/b/", "a/b/"), ("a/b", "a/b/")],
)
def test_a_prefix_has_no_slash_before_and_one_after(written, prefix):
    assert normal_prefix(written) == prefix
    assert normal_prefix(prefix) == prefix


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("https://s3.example.org", "s3.example.org"),
        ("http://127.0.0.1:8333/", "127.0.0.1:8333"),
        ("https://S3.Example.org/path/x", "s3.example.org"),
        ("https://user:SECRET@host:9000/x", "host:9000"),
        ("https://host?token=SECRET", "host"),
        ("https://host:9000#SECRET", "host:9000"),
        ("host:9000", "host:9000"),
        ("http://[::1]:9000", "[::1]:9000"),
    ],
)
def test_an_endpoint_is_identified_by_host_and_port(url, host):
    assert endpoint_host(url) == host


@pytest.mark.parametrize(
    ("arguments", "location"),
    [
        (("bucket",), "s3://bucket"),
        (("bucket", "/a/b/"), "s3://bucket/a/b"),
        (("bucket", "", "https://me:SECRET@host:9000"), "s3://bucket?endpoint=host:9000"),
        (("bucket", "a", "http://host"), "s3://bucket/a?endpoint=host"),
        (("bucket", "", "https://Host/"), "s3://bucket?endpoint=host"),
        (("bucket", "", "https://Host/storage/V1/s3/?token=SECRET#x"), "s3://bucket?endpoint=host/storage/V1/s3"),
    ],
)
def test_a_location_is_stable_and_without_a_secret(arguments, location):
    assert s3_location(*arguments) == location


@pytest.mark.parametrize("endpoint_url", ["https://host/bucket", "https://me@HOST:1/bucket/", "http://host/bucket?x"])
def test_an_endpoint_that_ends_with_the_bucket_is_refused(endpoint_url):
    with pytest.raises(ConfigInvalid, match="'work': endpoint_url ends with the bucket's name; remove /bucket from it"):
        s3_owner(Profile(name="work", s3_bucket="bucket", endpoint_url=endpoint_url))


@pytest.mark.parametrize(
    ("settings", "location"),
    [
        ({}, "s3://bucket"),
        ({"endpoint_url": "https://host/a/b"}, "s3://bucket?endpoint=host"),
        ({"s3_prefix": "p", "endpoint_url": "https://host:1"}, "s3://bucket/p?endpoint=host:1"),
    ],
)
def test_1_0_recorded_a_location_without_the_endpoints_path(settings, location):
    assert former_s3_location(Profile(s3_bucket="bucket", **settings)) == location


def test_the_owner_of_a_bucket_is_identified_by_location_and_by_2013s_hash():
    owner = s3_owner(Profile(access_key="AKIA", s3_bucket="bucket", s3_prefix="host1"))
    assert (owner.backend, owner.location) == ("s3", "s3://bucket/host1")
    assert owner.backend_hash == backend_hash("AKIA", "bucket")


@pytest.mark.parametrize("bucket", [None, ""])
def test_a_profile_without_a_bucket_names_the_way_out(bucket):
    with pytest.raises(ConfigInvalid, match="'work' names no s3_bucket; run `bakthat configure`"):
        s3_owner(Profile(name="work", s3_bucket=bucket))


@pytest.mark.parametrize(
    ("settings", "location", "container"),
    [
        ({"glacier_vault": "vault"}, "glacier://eu-west-1/vault", "vault"),
        ({"glacier_vault": "vault", "endpoint_url": "http://h:1/"}, "glacier://eu-west-1/vault?endpoint=h:1", "vault"),
        ({"glacier_vault": "vault", "glacier_storage_class": "GLACIER"}, "glacier://eu-west-1/vault", "vault"),
        ({"glacier_storage_class": "DEEP_ARCHIVE", "s3_prefix": "cold"}, "s3://bucket/cold", "bucket"),
    ],
)
def test_glacier_is_the_vault_if_there_is_one_else_a_class_of_the_bucket(settings, location, container):
    owner = glacier_owner(Profile(access_key="AKIA", region_name="eu-west-1", s3_bucket="bucket", **settings))
    assert (owner.backend, owner.location) == ("glacier", location)
    assert owner.backend_hash == backend_hash("AKIA", container)


@pytest.mark.parametrize("settings", [{}, {"s3_bucket": "bucket"}, {"glacier_storage_class": "GLACIER"}])
def test_a_profile_without_an_archive_says_what_to_set(settings):
    with pytest.raises(ConfigInvalid, match="'work' has nothing for `destination='glacier'`; set s3_bucket and"):
        glacier_owner(Profile(name="work", **settings))


def test_a_row_of_2013_lies_in_the_whole_bucket_and_not_under_a_prefix():
    row = backup_at(utc(2013, 3, 5), backend="s3", backend_hash=backend_hash("AKIA", "bucket"), metadata={})
    assert row.belongs_to(s3_owner(Profile(access_key="AKIA", s3_bucket="bucket")))
    assert not row.belongs_to(s3_owner(Profile(access_key="AKIA", s3_bucket="bucket", s3_prefix="host1")))
