"""What the services' errors become, and how long a client is patient."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import urllib3.exceptions
from botocore.exceptions import (
    ClientError,
    ConnectionClosedError,
    ConnectTimeoutError,
    CredentialRetrievalError,
    EndpointConnectionError,
    NoCredentialsError,
    ReadTimeoutError,
    SSLError,
    UnauthorizedSSOTokenError,
)
from botocore.parsers import ResponseParserError

from bakthat.adapters.aws import client as aws
from bakthat.adapters.aws.s3 import s3_client
from bakthat.domain.profile import Profile
from bakthat.errors import (
    AccessDenied,
    BakthatError,
    ConfigError,
    ConfigInvalid,
    CredentialsRefused,
    ObjectArchived,
    ObjectExists,
    ObjectNotFound,
    StoreError,
    StoreUnavailable,
)
from tests.fixtures.held_secrets import held_by


def refused(
    code: str,
    status: int,
    message: str = "No.",
    *,
    headers: dict[str, str] | None = None,
    operation: str = "GetObject",
    **error: str,
):
    """What botocore raises for an answer with an error in it."""
    metadata = {"HTTPStatusCode": status, "HTTPHeaders": headers or {}, "RetryAttempts": 0}
    response: Any = {"Error": {"Code": code, "Message": message, **error}, "ResponseMetadata": metadata}
    return ClientError(response, operation)


@pytest.mark.parametrize(
    ("error", "kind", "says"),
    [
        (refused("NoSuchKey", 404), ObjectNotFound, "not found"),
        (refused("404", 404, operation="HeadObject"), ObjectNotFound, "not found"),
        (refused("404", 404), StoreError, "check endpoint_url"),
        (refused("ResourceNotFoundException", 404), ObjectNotFound, "not found"),
        (
            refused("NoSuchBucket", 404, BucketName="attic"),
            StoreError,
            "'attic' does not exist; correct s3_bucket, or run `bakthat configure`",
        ),
        (refused("NoSuchBucket", 404), StoreError, "run `bakthat configure` to create it"),
        (refused("InvalidObjectState", 403), ObjectArchived, "must be retrieved"),
        (refused("PreconditionFailed", 412), ObjectExists, "exists already"),
        (refused("412", 412), ObjectExists, "exists already"),
        (refused("", 412, ""), ObjectExists, "exists already"),
        (refused("InvalidDigest", 400), StoreUnavailable, "arrived damaged"),
        (refused("ConditionalRequestConflict", 409), StoreUnavailable, "someone else at this moment"),
        (refused("AccessDenied", 403, "not authorized to s3:PutObject"), AccessDenied, "s3:PutObject.*docs/iam.md"),
        (refused("403", 403, "Forbidden"), AccessDenied, "Forbidden"),
        (refused("UnauthorizedAccess", 401), AccessDenied, "lack this permission"),
        (
            refused("InvalidAccessKeyId", 403),
            CredentialsRefused,
            "access key or secret key is wrong.*AWS_ACCESS_KEY_ID",
        ),
        (refused("SignatureDoesNotMatch", 403), CredentialsRefused, "access key or secret key is wrong"),
        (refused("UnrecognizedClientException", 400), CredentialsRefused, "access key or secret key is wrong"),
        (refused("ExpiredToken", 400), CredentialsRefused, "expired.*renew"),
        (refused("RequestTimeTooSkewed", 403), CredentialsRefused, "clock is wrong; set it"),
        (
            refused("RequestTimeTooSkewed", 403, ServerTime="2026-01-02T03:04:05Z"),
            CredentialsRefused,
            "2026-01-02T03:04:05Z",
        ),
        (
            refused("PermanentRedirect", 301, headers={"x-amz-bucket-region": "eu-west-1"}),
            ConfigError,
            "set region_name to eu-west-1",
        ),
        (refused("AuthorizationHeaderMalformed", 400, Region="eu-north-1"), ConfigError, "region_name to eu-north-1"),
        (refused("301", 301), ConfigError, "correct region_name or endpoint_url"),
        (refused("SlowDown", 503), StoreUnavailable, "SlowDown"),
        (refused("InternalError", 500), StoreUnavailable, "try again later"),
        (refused("503", 503), StoreUnavailable, "try again later"),
        (refused("ThrottlingException", 400), StoreUnavailable, "ThrottlingException"),
        (refused("RequestTimeout", 400), StoreUnavailable, "RequestTimeout"),
        (refused("RequestRateLimitExceeded", 400), StoreUnavailable, "try again later"),
        (refused("BadDigest", 400), StoreUnavailable, "arrived damaged"),
        (refused("Teapot", 418, "short\nand stout"), StoreError, r"refused \(Teapot: short and stout\)"),
        (refused("", 418, ""), StoreError, "HTTP 418"),
        (refused("400", 400, "Bad Request"), StoreError, "check region_name, and whether the credentials have expired"),
        (refused("400", 400, operation="HeadObject"), StoreError, "check region_name, and whether the credentials"),
        (refused("405", 405, operation="PutObject"), StoreError, "check endpoint_url"),
        (refused("302", 302, operation="ListObjectsV2"), StoreError, "check endpoint_url"),
        (refused("405", 405, operation="HeadObject"), StoreError, "refused"),
        (refused("413", 413, operation="UploadPart"), StoreError, "too large for a proxy.*part_size"),
        (refused("InvalidStorageClass", 400), ConfigInvalid, "correct storage_class"),
        (refused("InvalidArgument", 400, "unknown storage class COLD"), ConfigInvalid, "correct storage_class"),
        (refused("InvalidArgument", 400, "", operation="PutObject"), StoreError, "check storage_class"),
        (refused("InvalidArgument", 400, "", operation="GetObject"), StoreError, r"refused \(InvalidArgument\)$"),
        (refused("QuotaExceeded", 403), StoreError, r"no space or quota is left \(QuotaExceeded: No.\)"),
        (refused("XMinioStorageFull", 507), StoreError, "no space or quota is left"),
        (refused("XMinioAdminBucketQuotaExceeded", 400), StoreError, "no space or quota is left"),
        (refused("AccessDenied", 403, "Cannot upload files, storage cap exceeded."), StoreError, "no space or quota"),
        (refused("AccessDenied", 403, "Access Denied because object protected by object lock."), StoreError, "Lock"),
        (refused("InvalidRequest", 400, "Object is WORM protected and cannot be overwritten"), StoreError, "Lock"),
        (refused("AccessDenied", 403, "retention in force", operation="DeleteObject"), StoreError, "Object Lock"),
        (
            refused(
                "InvalidRequest", 400, "Content-MD5 is required with Object Lock parameters", operation="PutObject"
            ),
            StoreError,
            "the service refused",
        ),
        (refused("AccountProblem", 403, "Pay your bill."), AccessDenied, r"Pay your bill.\)$"),
    ],
)
def test_an_answer_that_is_an_error_becomes_one_of_ours(error: ClientError, kind: type[BakthatError], says: str):
    with pytest.raises(BakthatError, match=f"^the thing: .*{says}") as caught, aws.translated("the thing"):
        raise error
    assert type(caught.value) is kind
    assert caught.value.__cause__ is error


URL = "https://AKIA:hidden@s3.example.org:9000/bucket/key?X-Amz-Signature=hidden"


@pytest.mark.parametrize(
    ("error", "kind", "says"),
    [
        (NoCredentialsError(), CredentialsRefused, "no credentials.*bakthat configure"),
        (
            CredentialRetrievalError(provider="custom-process", error_msg="hidden"),
            CredentialsRefused,
            "from custom-process",
        ),
        (UnauthorizedSSOTokenError(), CredentialsRefused, "renew"),
        (
            EndpointConnectionError(endpoint_url=URL, error="x"),
            StoreUnavailable,
            "connect to s3.example.org:9000; check",
        ),
        (
            EndpointConnectionError(
                endpoint_url=URL, error=urllib3.exceptions.NameResolutionError("h", None, socket.gaierror(8, "no"))
            ),
            StoreUnavailable,
            "no address is known of s3.example.org",
        ),
        (ConnectTimeoutError(endpoint_url=URL), StoreUnavailable, "s3.example.org:9000 does not answer"),
        (ReadTimeoutError(endpoint_url=URL), StoreUnavailable, "s3.example.org:9000 does not answer"),
        (ConnectionClosedError(endpoint_url=URL), StoreUnavailable, "connection to s3.example.org:9000 broke"),
        (SSLError(endpoint_url=URL, error="hidden"), StoreError, "TLS failed.*AWS_CA_BUNDLE"),
        (urllib3.exceptions.ProtocolError("hidden"), StoreUnavailable, "the connection broke"),
        (ConnectionResetError(104, "reset"), StoreUnavailable, "the connection broke"),
        (TimeoutError("hidden"), StoreUnavailable, "the connection broke"),
        (OSError(28, "No space left on device"), StoreError, "No space left on device"),
        (ResponseParserError("<html>"), StoreError, "check endpoint_url"),
    ],
)
def test_a_request_without_an_answer_becomes_one_of_ours(error: Exception, kind: type[BakthatError], says: str):
    with pytest.raises(BakthatError, match=f"^the thing: .*{says}") as caught, aws.translated("the thing"):
        raise error
    assert type(caught.value) is kind
    assert "hidden" not in str(caught.value)


def test_a_service_may_give_its_own_codes_a_meaning_first():
    codes = {"NoSuchKey": (StoreError, "is elsewhere")}
    with pytest.raises(StoreError, match=r"^it: is elsewhere$"), aws.translated("it", codes):
        raise refused("NoSuchKey", 404)


def test_an_error_whose_xml_has_a_namespace_is_read_as_well():
    response: Any = {"Error": {"Code": "", "Message": ""}, "Code": "NoSuchKey", "Message": "No."}
    response["ResponseMetadata"] = {"HTTPStatusCode": 404}
    with pytest.raises(ObjectNotFound), aws.translated("it"):
        raise ClientError(response, "GetObject")


def test_errors_that_are_no_services_pass_as_they_are():
    with pytest.raises(KeyError), aws.translated("it"):
        raise KeyError


# the client


@pytest.mark.parametrize(
    ("settings", "kind", "says"),
    [
        ({"access_key": "a"}, ConfigInvalid, "lacks secret_key"),
        ({"secret_key": "b"}, ConfigInvalid, "lacks access_key"),
        ({"endpoint_url": "localhost:9000"}, ConfigInvalid, "endpoint_url: expected a URL"),
        ({"endpoint_url": "ftp//user:hidden@x y"}, ConfigInvalid, "endpoint_url: expected a URL"),
        ({"endpoint_url": "http://user:hidden@x y"}, ConfigInvalid, "endpoint_url .* must look like"),
        ({"region_name": "no region"}, ConfigInvalid, "correct region_name"),
        ({"aws_profile": "nobody-has-this"}, ConfigError, "'nobody-has-this' is not in ~/.aws"),
        ({"checksums": "sometimes"}, ConfigInvalid, "checksums: expected when_supported or when_required"),
    ],
)
def test_settings_that_cannot_be_used_are_named(settings: dict[str, Any], kind: type[BakthatError], says: str):
    with pytest.raises(kind, match=says) as caught:
        aws.client("s3", Profile(**settings))
    assert "hidden" not in held_by(caught.value)


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, "when_supported"),
        ({"endpoint_url": "http://127.0.0.1:1"}, "when_required"),
        ({"endpoint_url": "http://127.0.0.1:1", "checksums": "when_supported"}, "when_supported"),
        ({"checksums": "when_required"}, "when_required"),
    ],
)
def test_the_sdks_checksums_are_the_default_at_amazon_only(settings: dict[str, Any], expected: str):
    config = aws.client("s3", Profile(**settings)).meta.config
    assert (config.request_checksum_calculation, config.response_checksum_validation) == (expected, expected)


def test_limits_and_retries_are_set_and_may_be_set_otherwise():
    profile = Profile(endpoint_url="http://127.0.0.1:1", max_concurrency=7)
    config = aws.client("s3", profile, read_timeout=3).meta.config
    assert (config.connect_timeout, config.read_timeout, config.max_pool_connections) == (aws.CONNECT_TIMEOUT, 3, 11)
    assert config.retries == {"mode": "standard", "total_max_attempts": aws.ATTEMPTS}


def test_a_client_shows_no_secret():
    made = aws.client("s3", Profile(access_key="AKIA", secret_key="hidden", endpoint_url="http://127.0.0.1:1"))
    assert "hidden" not in repr(made) + repr(made.meta.config)


KEYS = {"AWS_ACCESS_KEY_ID": "AKIAENV", "AWS_SECRET_ACCESS_KEY": "hidden"}
SHARED = "[work]\naws_access_key_id = AKIAFILE\naws_secret_access_key = hidden\n"


@pytest.mark.parametrize(
    ("settings", "environment", "found"),
    [
        ("", {}, "CredentialsRefused: s3://attic: k: no credentials were found"),
        ("", KEYS, "X-Amz-Credential=AKIAENV%2F"),
        ("access_key='AKIAOWN', secret_key='x'", KEYS, "X-Amz-Credential=AKIAOWN%2F"),
        ("aws_profile='work'", {}, "X-Amz-Credential=AKIAFILE%2F"),
        ("", {"AWS_PROFILE": "work"}, "X-Amz-Credential=AKIAFILE%2F"),
    ],
)
def test_credentials_come_from_the_profile_or_from_the_usual_chain(
    settings: str, environment: dict[str, str], found: str, tmp_path: Path
):
    (tmp_path / ".aws").mkdir()
    (tmp_path / ".aws" / "credentials").write_text(SHARED)
    program = (
        "from bakthat.adapters.aws.s3 import S3ObjectStore; from bakthat.domain.profile import Profile\n"
        f"print(S3ObjectStore.from_profile(Profile(s3_bucket='attic', {settings})).presign('k', 60))"
    )
    ours = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "AWS_EC2_METADATA_DISABLED": "true", **environment}
    done = subprocess.run([sys.executable, "-c", program], env=ours, capture_output=True, text=True)
    assert found in done.stdout + done.stderr


# patience


def test_an_endpoint_that_refuses_is_named_after_a_few_attempts():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    made = s3_client(_at(port), retries={"mode": "standard", "total_max_attempts": 3})
    with pytest.raises(StoreUnavailable, match=f"cannot connect to 127.0.0.1:{port}"), aws.translated("it"):
        made.get_object(Bucket="attic", Key="k")


def test_an_endpoint_that_never_answers_is_asked_once_only():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        made = s3_client(_at(port), read_timeout=0.4)
        begun = time.monotonic()
        with pytest.raises(StoreUnavailable, match=f"127.0.0.1:{port} does not answer"), aws.translated("it"):
            made.get_object(Bucket="attic", Key="k")
        assert time.monotonic() - begun < 5
        made.close()


def test_a_dead_endpoint_costs_about_a_minute_at_most():
    assert aws.READ_TIMEOUT + aws.CONNECT_TIMEOUT <= 60


def test_a_timeout_is_retried_only_within_the_time_that_an_endpoint_is_given():
    now = 0.0
    patience = aws.Patience(lambda: now)
    timeout = ReadTimeoutError(endpoint_url="http://x")
    assert patience(caught_exception=timeout) is False
    assert patience(response=("an answer", {})) is None
    now = aws.PATIENCE - 1
    assert patience(caught_exception=timeout) is None
    now = aws.PATIENCE + 1
    assert patience(caught_exception=timeout) is False
    assert patience(caught_exception=ConnectionClosedError(endpoint_url="http://x")) is None


def _at(port: int) -> Profile:
    return Profile(access_key="AKIA", secret_key="hidden", endpoint_url=f"http://127.0.0.1:{port}")
