"""The endpoint and the region that a profile leaves to AWS's own settings, and all that follows from them."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest

from bakthat.adapters.aws.glacier import GlacierArchiveStore
from bakthat.adapters.aws.s3 import S3ObjectStore, s3_client
from bakthat.adapters.aws.s3_archive_class import S3ColdStore
from bakthat.adapters.aws.settings import owner_of_glacier, owner_of_s3, resolved
from bakthat.domain.profile import Profile
from bakthat.errors import ConfigError, ConfigInvalid
from bakthat.testing.faulty_proxy import FaultyProxy
from tests.fixtures.s3_servers import ACCESS_KEY, SECRET_KEY, s3_profile

KEYS = {"access_key": ACCESS_KEY, "secret_key": SECRET_KEY}

CONFIG = """\
[default]
region = eu-north-1

[profile nas]
region = garage
endpoint_url = http://nas.example:3900

[profile several]
region = eu-north-1
endpoint_url = http://all.example
services = mine

[profile ignoring]
region = eu-north-1
endpoint_url = http://ignored.example
ignore_configured_endpoint_urls = true

[services mine]
s3 =
  endpoint_url = http://objects.example
"""

CASES: dict[str, tuple[dict[str, str], dict[str, Any]]] = {
    "nothing": ({}, {}),
    "the profile's own": ({"AWS_ENDPOINT_URL": "http://a.example"}, {"endpoint_url": "http://own.example"}),
    "AWS_ENDPOINT_URL": ({"AWS_ENDPOINT_URL": "http://a.example"}, {}),
    "AWS_ENDPOINT_URL_S3": ({"AWS_ENDPOINT_URL": "http://a.example", "AWS_ENDPOINT_URL_S3": "http://b.example"}, {}),
    "that of another service": ({"AWS_ENDPOINT_URL_GLACIER": "http://c.example"}, {}),
    "of AWS_PROFILE": ({"AWS_PROFILE": "nas"}, {}),
    "of aws_profile": ({}, {"aws_profile": "nas"}),
    "aws_profile before AWS_PROFILE": ({"AWS_PROFILE": "nas"}, {"aws_profile": "several"}),
    "a section of services": ({"AWS_PROFILE": "several"}, {}),
    "the environment before the file": ({"AWS_PROFILE": "several", "AWS_ENDPOINT_URL": "http://a.example"}, {}),
    "ignored by the environment": (
        {"AWS_ENDPOINT_URL": "http://a.example", "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "true"},
        {},
    ),
    "ignored by the file": ({"AWS_PROFILE": "ignoring"}, {}),
    "AWS_DEFAULT_REGION": ({"AWS_DEFAULT_REGION": "eu-west-3"}, {"aws_profile": "nas"}),
    "the profile's region": ({"AWS_DEFAULT_REGION": "eu-west-3"}, {"region_name": "us-west-2"}),
}

PROGRAM = """
import json, os, sys
import boto3
from bakthat.adapters.aws.settings import resolved
from bakthat.domain.profile import Profile

def found(environment, settings, service):
    os.environ.update(environment)
    try:
        ours = resolved(Profile(**settings), service)
        session = boto3.Session(profile_name=settings.get("aws_profile"))
        theirs = session.client(
            service, region_name=settings.get("region_name"), endpoint_url=settings.get("endpoint_url")
        ).meta
        return [[ours.endpoint_url, ours.region_name], [theirs.endpoint_url, theirs.region_name]]
    finally:
        for name in environment:
            del os.environ[name]

cases = json.load(sys.stdin)
print(json.dumps({
    name: {service: found(*case, service) for service in ("s3", "glacier")} for name, case in cases.items()
}))
"""


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """For each case: what bakthat finds, and what boto3 does, with the same files and environment."""
    home = tmp_path_factory.mktemp("home")
    (home / ".aws").mkdir()
    (home / ".aws" / "config").write_text(CONFIG)
    plain = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        env={**plain, "HOME": str(home)},
        input=json.dumps(CASES),
        capture_output=True,
        text=True,
        check=True,
    )
    found: dict[str, dict[str, Any]] = json.loads(done.stdout)
    return found


@pytest.mark.parametrize("service", ["s3", "glacier"])
@pytest.mark.parametrize("case", CASES)
def test_endpoint_and_region_are_those_that_boto3_finds(
    answers: dict[str, dict[str, Any]], case: str, service: str
) -> None:
    (endpoint, region), theirs = answers[case][service]
    is_amazons = ".amazonaws.com" in theirs[0]
    assert [None if is_amazons else theirs[0], theirs[1]] == [endpoint, region]


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> pytest.MonkeyPatch:
    """An environment without any setting of AWS's, and an empty home."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    return monkeypatch


def test_without_any_setting_it_is_amazon_in_us_east_1(bare: pytest.MonkeyPatch) -> None:
    found = resolved(Profile(), "s3")
    assert (found.endpoint_url, found.region_name) == (None, "us-east-1")


def test_aws_region_is_used_where_boto3_finds_none(bare: pytest.MonkeyPatch) -> None:
    bare.setenv("AWS_REGION", "eu-west-1")
    assert resolved(Profile(), "s3").region_name == "eu-west-1"


def test_a_region_in_the_credentials_file_is_found_as_by_boto3(bare: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / ".aws").mkdir()
    (tmp_path / ".aws" / "credentials").write_text("[default]\nregion = eu-south-1\n")
    assert resolved(Profile(), "s3").region_name == "eu-south-1"


def test_a_missing_aws_profile_is_named(bare: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / ".aws").mkdir()
    (tmp_path / ".aws" / "config").write_text(CONFIG)
    with pytest.raises(ConfigError, match="'nobody' is not in ~/.aws; correct aws_profile"):
        owner_of_s3(Profile(s3_bucket="attic", aws_profile="nobody"))


@pytest.mark.parametrize("endpoint", ["ftp://me:hidden@nas", "nas:9000", "hidden"])
def test_an_endpoint_of_the_environment_that_is_not_a_url_is_an_error(bare: pytest.MonkeyPatch, endpoint: str) -> None:
    bare.setenv("AWS_ENDPOINT_URL", endpoint)
    with pytest.raises(ConfigInvalid, match=r"AWS_ENDPOINT_URL.* must look like https://host") as caught:
        owner_of_s3(Profile(s3_bucket="attic"))
    assert "hidden" not in str(caught.value)


def test_an_unusable_endpoint_is_an_error_that_does_not_show_its_query(bare: pytest.MonkeyPatch) -> None:
    store = S3ObjectStore.from_profile(
        Profile(**KEYS, s3_bucket="attic", endpoint_url="http://127.0.0.1:1/?key=hidden")
    )
    with pytest.raises(ConfigInvalid, match="no request can be made to this endpoint_url") as caught:
        store.stat("k")
    assert "hidden" not in str(caught.value)


# what follows


def test_the_location_is_at_the_endpoint_of_the_environment(bare: pytest.MonkeyPatch) -> None:
    bare.setenv("AWS_ENDPOINT_URL", "http://nas.example:9000")
    profile = Profile(**KEYS, s3_bucket="attic", glacier_storage_class="GLACIER")
    location = "s3://attic?endpoint=nas.example:9000"
    assert owner_of_s3(profile).location == location
    assert owner_of_glacier(profile).location == location
    assert S3ObjectStore.from_profile(profile).location == location
    assert S3ColdStore.from_profile(profile).location == location
    assert owner_of_s3(profile).formerly == ("s3://attic",)


def test_the_vault_is_in_the_region_of_the_environment(bare: pytest.MonkeyPatch) -> None:
    bare.setenv("AWS_DEFAULT_REGION", "eu-west-3")
    profile = Profile(**KEYS, glacier_vault="attic")
    assert owner_of_glacier(profile).location == "glacier://eu-west-3/attic"
    assert owner_of_glacier(profile).formerly == ("glacier://us-east-1/attic",)
    assert GlacierArchiveStore.from_profile(profile).location == "glacier://eu-west-3/attic"


@pytest.mark.parametrize("settings", [{}, {"endpoint_url": "http://nas.example"}, {"region_name": "eu-west-1"}])
def test_without_such_settings_the_location_is_unchanged(bare: pytest.MonkeyPatch, settings: dict[str, str]) -> None:
    profile = Profile(s3_bucket="attic", glacier_vault="attic", **settings)
    assert (owner_of_s3(profile).formerly, owner_of_glacier(profile).formerly) == ((), ())


@pytest.mark.parametrize(
    ("endpoint", "url"),
    [
        ("http://127.0.0.1:9", "http://127.0.0.1:9/attic/k?"),
        ("http://localhost:9", "http://localhost:9/attic/k?"),
        ("https://s3.eu-west-1.amazonaws.com", "https://s3.eu-west-1.amazonaws.com/attic/k?"),
    ],
)
def test_the_bucket_is_in_the_path_at_the_endpoint_of_the_environment(
    bare: pytest.MonkeyPatch, endpoint: str, url: str
) -> None:
    bare.setenv("AWS_ENDPOINT_URL", endpoint)
    store = S3ObjectStore.from_profile(Profile(**KEYS, s3_bucket="attic"))
    assert store.presign("k", 60).startswith(url)


def test_checksums_follow_the_endpoint_of_the_environment(bare: pytest.MonkeyPatch) -> None:
    bare.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    config = s3_client(Profile(**KEYS, s3_bucket="attic")).meta.config
    assert config.request_checksum_calculation == "when_required"


def test_a_service_of_the_environment_is_not_trusted_like_amazon(bare: pytest.MonkeyPatch, moto_url: str) -> None:
    bucket = s3_profile(moto_url).s3_bucket
    with FaultyProxy(moto_url) as proxy:
        bare.setenv("AWS_ENDPOINT_URL", proxy.url)
        S3ObjectStore.from_profile(Profile(**KEYS, s3_bucket=bucket)).put("k", io.BytesIO(b"x"))
        assert "HeadObject" in proxy.operations, "as no write to Amazon asks"


def test_requests_are_signed_for_the_region_of_the_aws_profile(
    bare: pytest.MonkeyPatch, tmp_path: Path, moto_url: str
) -> None:
    (tmp_path / ".aws").mkdir()
    (tmp_path / ".aws" / "config").write_text("[profile nas]\nregion = garage\n")
    store = S3ObjectStore.from_profile(s3_profile(moto_url, aws_profile="nas"))
    assert "%2Fgarage%2Fs3%2F" in store.presign("k", 60)


# addressing


@pytest.mark.parametrize(
    ("style", "endpoint", "url"),
    [
        ("virtual", "https://fra1.example.com", "https://attic.fra1.example.com/k?"),
        ("path", "https://fra1.example.com", "https://fra1.example.com/attic/k?"),
        ("auto", "https://fra1.example.com", "https://fra1.example.com/attic/k?"),
        ("path", None, "https://s3.amazonaws.com/attic/k?"),
        ("auto", None, "https://attic.s3.amazonaws.com/k?"),
        ("virtual", "http://127.0.0.1:9", "http://127.0.0.1:9/attic/k?"),
        ("auto", "https://x.example.co/storage/v1/s3", "https://x.example.co/storage/v1/s3/attic/k?"),
    ],
)
def test_the_addressing_style_decides_where_the_bucket_is_named(
    bare: pytest.MonkeyPatch, style: str, endpoint: str | None, url: str
) -> None:
    profile = Profile(**KEYS, s3_bucket="attic", endpoint_url=endpoint, addressing_style=style)
    assert S3ObjectStore.from_profile(profile).presign("k", 60).startswith(url)


def test_an_unknown_addressing_style_is_refused() -> None:
    with pytest.raises(ConfigInvalid, match="addressing_style: expected path, virtual or auto"):
        Profile(**KEYS, addressing_style="host")


# certificates


@pytest.mark.parametrize("of", ["AWS_CA_BUNDLE", "~/.aws/config"])
def test_a_missing_file_of_certificates_is_named(bare: pytest.MonkeyPatch, tmp_path: Path, of: str) -> None:
    if of == "AWS_CA_BUNDLE":
        bare.setenv("AWS_CA_BUNDLE", "c/dev/nosuch.pem")
    else:
        (tmp_path / ".aws").mkdir()
        (tmp_path / ".aws" / "config").write_text("[default]\nca_bundle = c/dev/nosuch.pem\n")
    with pytest.raises(ConfigInvalid, match=r"names c/dev/nosuch\.pem: there is no such file"):
        s3_client(Profile(**KEYS, s3_bucket="attic"))


def test_certificates_are_not_looked_for_where_there_is_no_tls(bare: pytest.MonkeyPatch) -> None:
    bare.setenv("AWS_CA_BUNDLE", "c/dev/nosuch.pem")
    s3_client(Profile(**KEYS, s3_bucket="attic", endpoint_url="http://127.0.0.1:9"))


# what it costs


@pytest.mark.parametrize(
    ("environment", "config", "imported"),
    [
        ({}, "", False),
        ({"AWS_ENDPOINT_URL": "http://nas.example", "AWS_DEFAULT_REGION": "eu-west-1"}, "", False),
        ({}, "[default]\nregion = eu-west-1\noutput = json\n", False),
        ({}, "[default]\nendpoint_url = http://nas.example\n", True),
    ],
)
def test_the_location_of_a_bucket_imports_botocore_only_where_its_files_name_an_endpoint(
    tmp_path: Path, environment: dict[str, str], config: str, imported: bool
) -> None:
    (tmp_path / ".aws").mkdir()
    (tmp_path / ".aws" / "config").write_text(config)
    program = textwrap.dedent(
        """
        import sys
        from bakthat.domain.profile import Profile
        from bakthat.entrypoints.destinations import owners_of
        owners_of(Profile(s3_bucket="attic"))
        print("botocore" in sys.modules, "boto3" in sys.modules and "botocore" not in sys.modules)
        """
    )
    plain = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={**plain, "HOME": str(tmp_path), **environment},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == [str(imported), "False"]
