"""What the errors of services, of botocore and of the network become."""

from __future__ import annotations

import socket
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

from bakthat.adapters.aws.errors import translated
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
        (refused("PreconditionFailed", 412), ObjectExists, "already exists"),
        (refused("412", 412), ObjectExists, "already exists"),
        (refused("", 412, ""), ObjectExists, "already exists"),
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
def test_an_error_of_a_service_becomes_an_error_of_bakthat(error: ClientError, kind: type[BakthatError], says: str):
    with pytest.raises(BakthatError, match=f"^the thing: .*{says}") as caught, translated("the thing"):
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
            "cannot resolve the host name of s3.example.org",
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
def test_a_failed_connection_becomes_an_error_of_bakthat(error: Exception, kind: type[BakthatError], says: str):
    with pytest.raises(BakthatError, match=f"^the thing: .*{says}") as caught, translated("the thing"):
        raise error
    assert type(caught.value) is kind
    assert "hidden" not in str(caught.value)


def test_given_meanings_of_codes_take_precedence():
    codes = {"NoSuchKey": (StoreError, "is elsewhere")}
    with pytest.raises(StoreError, match=r"^it: is elsewhere$"), translated("it", codes):
        raise refused("NoSuchKey", 404)


def test_an_error_whose_xml_has_a_namespace_is_understood():
    response: Any = {"Error": {"Code": "", "Message": ""}, "Code": "NoSuchKey", "Message": "No."}
    response["ResponseMetadata"] = {"HTTPStatusCode": 404}
    with pytest.raises(ObjectNotFound), translated("it"):
        raise ClientError(response, "GetObject")


def test_other_errors_are_not_translated():
    with pytest.raises(KeyError), translated("it"):
        raise KeyError
