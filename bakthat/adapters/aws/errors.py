"""`translated`: errors of botocore, urllib3 and sockets as those of `bakthat.errors`."""

from __future__ import annotations

import re
import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import urllib3.exceptions
from botocore.exceptions import BotoCoreError, ClientError
from botocore.parsers import ResponseParserError

from bakthat.domain.profile import endpoint_host
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

Codes = Mapping[str, tuple[type[BakthatError], str]]
"""A service's error codes, each with the error to raise and the message that follows the name of the thing."""

_GIVE_KEYS = "give access_key and secret_key (`bakthat configure`), aws_profile, or AWS_ACCESS_KEY_ID with its secret"

_NO_CREDENTIALS = frozenset({"NoCredentialsError", "PartialCredentialsError", "NoAuthTokenError"})
_CREDENTIALS_FAILED = frozenset(
    {
        "CredentialRetrievalError",
        "LoginError",
        "MetadataRetrievalError",
        "RefreshWithMFAUnsupportedError",
        "SSOError",
        "TokenRetrievalError",
    }
)
_WRONG_KEYS = frozenset(
    {
        "InvalidAccessKeyId",
        "InvalidClientTokenId",
        "InvalidSecurity",
        "InvalidSignatureException",
        "SignatureDoesNotMatch",
        "UnrecognizedClientException",
    }
)
_EXPIRED = frozenset({"ExpiredToken", "ExpiredTokenException", "InvalidToken", "TokenRefreshRequired"})
_SKEWED = frozenset({"RequestTimeTooSkewed", "RequestExpired", "InvalidSignatureTime"})
_NOT_FOUND = frozenset({"404", "NoSuchKey", "NotFound", "ResourceNotFoundException"})
_WRONG_REGION = frozenset(
    {"301", "AuthorizationHeaderMalformed", "IllegalLocationConstraintException", "PermanentRedirect", "Redirect"}
)
_DAMAGED = frozenset({"BadDigest", "InvalidDigest", "XAmzContentChecksumMismatch"})
_BUSY = frozenset(
    {
        "InternalError",
        "OperationAborted",
        "RequestRateLimitExceeded",
        "RequestTimeout",
        "RequestTimeoutException",
        "ServiceUnavailable",
        "ServiceUnavailableException",
        "SlowDown",
        "Throttling",
        "ThrottlingException",
        "TooManyRequestsException",
    }
)
_BUSY_STATUS = frozenset({429, 500, 502, 503, 504})
_DENIED = frozenset({"", "401", "403", "AccessDenied", "AccessDeniedException", "Forbidden", "UnauthorizedAccess"})

_FULL_CODES = re.compile("quota|storagefull|insufficientstorage", re.IGNORECASE)
"""Ceph, Scaleway: QuotaExceeded (403); MinIO: XMinioAdminBucketQuotaExceeded (400), XMinioStorageFull (507)."""

_FULL_MESSAGES = re.compile(r"\bquota\b|\bcap exceeded\b|storage limit|no space left", re.IGNORECASE)
"""Backblaze B2: AccessDenied, "Cannot upload files, storage cap exceeded"."""

_LOCKED_CODES = frozenset({"FileImmutable", "ObjectLocked"})
_LOCKED_MESSAGES = re.compile(r"object[- ]?lock|\bworm\b|retention|legal hold", re.IGNORECASE)
"""Amazon: "object protected by object lock"; MinIO: "Object is WORM protected and cannot be overwritten"."""


class Redirected(ResponseParserError):
    """The server is not the service, and redirects to `location` (a URL, empty if unknown)."""

    def __init__(self, location: str) -> None:
        self.location = location
        super().__init__("redirected")


@contextmanager
def translated(what: str, codes: Codes | None = None) -> Iterator[None]:
    """Around a request, a read or one step of an iteration: raise errors of botocore, urllib3 and sockets as those of
    `bakthat.errors`.

    Args:
        what: Begins the message, and names the object or the store.
        codes: Meanings of codes that take precedence over those known here.
    """
    try:
        yield
    except (ClientError, BotoCoreError, ResponseParserError, urllib3.exceptions.HTTPError, OSError) as error:
        raise translation(error, what, codes) from error


def translation(error: Exception, what: str, codes: Codes | None = None) -> BakthatError:
    """Return the matching error of `bakthat.errors`. Its text has no credential, no query of a URL, and no header."""
    if isinstance(error, ClientError):
        return _answered(error, what, codes or {})
    if isinstance(error, BotoCoreError):
        return _not_answered(error, what)
    if isinstance(error, Redirected):
        # Without path and query, which may hold a secret.
        scheme, _, rest = error.location.partition("://")
        place = f" to {scheme}://{endpoint_host(rest)}" if rest else ""
        return StoreError(f"{what}: the server at this address is not S3, it redirects{place}; check endpoint_url")
    if isinstance(error, ResponseParserError):
        return _no_such_service(what)
    if isinstance(error, ssl.SSLError):
        return _untrusted(what)
    if isinstance(error, (ConnectionError, TimeoutError, urllib3.exceptions.HTTPError)):
        return StoreUnavailable(f"{what}: the connection broke ({type(error).__name__}); try again later")
    reason = error.strerror if isinstance(error, OSError) else None
    return StoreError(f"{what}: {reason or type(error).__name__}")


def code_of(error: ClientError) -> str:
    """Return the service's code, such as `NoSuchKey`; `404` or the like for an answer without a body."""
    # If the error's XML has a namespace, botocore does not put its fields below "Error".
    return str(error.response.get("Error", {}).get("Code") or error.response.get("Code") or "")


def status_of(error: ClientError) -> int:
    """Return the HTTP status of the answer, 0 if there was none."""
    return int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))


def is_bare(error: ClientError) -> bool:
    """Whether the answer has a status, but no code of the service: an answer to HEAD, a proxy's page, a web site."""
    return code_of(error) in {"", str(status_of(error))}


def _answered(error: ClientError, what: str, codes: Codes) -> BakthatError:
    """Return the error for an answer that is an error."""
    code, status = code_of(error), status_of(error)
    says = _says(error)
    if code in codes:
        kind, text = codes[code]
        return kind(f"{what}: {text}")
    if code == "NoSuchBucket":
        bucket = error.response["Error"].get("BucketName")
        named = f"the bucket {bucket!r}" if bucket else "the bucket"
        return StoreError(f"{what}: {named} does not exist; correct s3_bucket, or run `bakthat configure` to create it")
    if is_bare(error) and (bare := _bare(error, what)) is not None:
        return bare
    if code in _NOT_FOUND:
        return ObjectNotFound(f"{what}: not found")
    if code == "InvalidObjectState":
        return ObjectArchived(f"{what}: is in an archive class and must be retrieved before it can be read")
    if code == "PreconditionFailed" or (status == 412 and is_bare(error)):
        return ObjectExists(f"{what}: already exists")
    if code == "ConditionalRequestConflict":
        return StoreUnavailable(f"{what}: is being written by someone else at this moment; try again")
    if code in _SKEWED:
        theirs = error.response["Error"].get("ServerTime")
        clock = f" (the service's says {theirs})" if theirs else ""
        return CredentialsRefused(f"{what}: this machine's clock is wrong{clock}; set it and try again")
    if code in _EXPIRED:
        return CredentialsRefused(f"{what}: the temporary credentials have expired or are invalid ({code}); renew them")
    if code in _WRONG_KEYS:
        return CredentialsRefused(f"{what}: the access key or secret key is wrong ({code}); {_GIVE_KEYS}")
    if code in _WRONG_REGION or status == 301:
        region = _right_region(error)
        correct = f"set region_name to {region}" if region else "correct region_name or endpoint_url"
        return ConfigError(f"{what}: this is the wrong region or endpoint ({code}); {correct}")
    if code == "InvalidStorageClass" or (status == 400 and "storage class" in says.lower()):
        return ConfigInvalid(
            f"{what}: the service does not know this storage class ({says}); correct storage_class or "
            "glacier_storage_class"
        )
    if code == says == "InvalidArgument" and error.operation_name in {"PutObject", "CreateMultipartUpload"}:
        # Ceph's answer to a storage class that it does not know
        return StoreError(f"{what}: the service refused ({says}) without a reason; check storage_class, if it is set")
    if is_locked(error):
        return StoreError(f"{what}: protected by Object Lock ({says}); it can be deleted when its retention ends")
    if status == 507 or _FULL_CODES.search(code) or (400 <= status < 500 and _FULL_MESSAGES.search(says)):
        return StoreError(f"{what}: no space or quota is left ({says}); delete old backups, or raise the quota")
    if status in {401, 403} and code not in _DENIED:
        return AccessDenied(f"{what}: access denied ({says})")
    if status in {401, 403}:
        return AccessDenied(f"{what}: access denied ({says}); the credentials lack this permission, see docs/iam.md")
    if code in _DAMAGED:
        return StoreUnavailable(f"{what}: arrived damaged at the service ({code}); try again")
    if code in _BUSY or status in _BUSY_STATUS:
        return StoreUnavailable(f"{what}: the service cannot answer at the moment ({says}); try again later")
    return StoreError(f"{what}: the service refused ({says})")


def is_locked(error: ClientError) -> bool:
    """Whether the service refused because Object Lock or a legal hold protects the object."""
    if code_of(error) in _LOCKED_CODES:
        return True
    says = _says(error)
    # A refused write may also be about the headers that a bucket with Object Lock demands.
    protects = error.operation_name.startswith("Delete") or re.search(r"\bworm\b|\bprotected\b", says, re.IGNORECASE)
    return bool(protects and status_of(error) in {400, 403, 409, 423} and _LOCKED_MESSAGES.search(says))


def _bare(error: ClientError, what: str) -> BakthatError | None:
    """Return the error for a status without a code; None if the status means the same with and without one."""
    status = status_of(error)
    if status == 400:
        return StoreError(
            f"{what}: the service refused without a reason (HTTP 400); check region_name, and whether the credentials "
            "have expired"
        )
    if status == 413:
        return StoreError(
            f"{what}: the request is too large for a proxy on the way (HTTP 413); set a smaller part_size"
        )
    # Only an answer to HEAD has no body. A service that refuses something else with these statuses sends a code.
    if status in {302, 303, 404, 405, 410, 501} and not error.operation_name.startswith("Head"):
        return _no_such_service(what)
    return None


def _not_answered(error: BotoCoreError, what: str) -> BakthatError:
    """Return the error for a request that botocore could not send, or whose answer it could not use."""
    kinds = {kind.__name__ for kind in type(error).__mro__}
    details: Mapping[str, Any] = getattr(error, "kwargs", {})
    url = str(details.get("endpoint_url") or "")
    endpoint = endpoint_host(url) if url else "the endpoint"
    if kinds & _NO_CREDENTIALS:
        return CredentialsRefused(f"{what}: no credentials were found; {_GIVE_KEYS}")
    if kinds & _CREDENTIALS_FAILED:
        # Not the error's text: it may repeat the output of a credential process.
        provider = details.get("provider")
        source = f" from {provider}" if provider else ""
        return CredentialsRefused(
            f"{what}: credentials{source} could not be obtained ({type(error).__name__}); renew them"
        )
    if "ProfileNotFound" in kinds:
        return ConfigError(f"{what}: the AWS profile {details.get('profile')!r} is not in ~/.aws; correct aws_profile")
    if "ConfigParseError" in kinds:
        return ConfigError(f"{what}: {details.get('path')} cannot be read as an AWS configuration; correct it")
    if kinds & {"InvalidRegionError", "UnknownRegionError", "NoRegionError"}:
        return ConfigInvalid(f"{what}: {details.get('region_name')!r} is not a region; correct region_name")
    if "EndpointResolutionError" in kinds:
        # Not botocore's message: it repeats the URL, which may hold a secret.
        return ConfigInvalid(f"{what}: no request can be made to this endpoint_url; it must look like https://host")
    if "ParamValidationError" in kinds and "bucket name" in str(error):
        return ConfigInvalid(f"{what}: not a valid bucket name; correct s3_bucket")
    if "SSLError" in kinds:
        return _untrusted(f"{what}: {endpoint}")
    if "ProxyConnectionError" in kinds:
        return StoreUnavailable(f"{what}: the proxy of HTTP_PROXY or HTTPS_PROXY does not answer")
    if "EndpointConnectionError" in kinds:
        # By name, since urllib3 1 has no such class.
        if type(details.get("error")).__name__ == "NameResolutionError":
            return StoreUnavailable(
                f"{what}: cannot resolve the host name of {endpoint}; check endpoint_url and the network"
            )
        return StoreUnavailable(f"{what}: cannot connect to {endpoint}; check endpoint_url and the network")
    if kinds & {"ConnectTimeoutError", "ReadTimeoutError"}:
        return StoreUnavailable(f"{what}: {endpoint} does not answer; check endpoint_url and the network")
    if "FlexibleChecksumError" in kinds:
        return StoreUnavailable(
            f"{what}: what arrived does not match the service's checksum; try again, and if it happens again, set "
            "checksums to when_required"
        )
    if kinds & {"ConnectionError", "HTTPClientError", "IncompleteReadError"}:
        return StoreUnavailable(f"{what}: the connection to {endpoint} broke ({type(error).__name__}); try again later")
    return StoreError(f"{what}: {type(error).__name__}: {_one_line(str(error))}")


def _no_such_service(what: str) -> BakthatError:
    return StoreError(f"{what}: the server at this address does not answer as this service does; check endpoint_url")


def _untrusted(what: str) -> BakthatError:
    return StoreError(
        f"{what}: TLS failed, the certificate may not be trusted; "
        "set AWS_CA_BUNDLE to your authority's certificates, or correct endpoint_url"
    )


def _right_region(error: ClientError) -> str | None:
    headers = error.response.get("ResponseMetadata", {}).get("HTTPHeaders", {})
    region = headers.get("x-amz-bucket-region") or error.response.get("Error", {}).get("Region")
    return str(region) if region else None


def _says(error: ClientError) -> str:
    """Return code and message as the service sent them, on one line."""
    code, message = code_of(error), _one_line(str(error.response.get("Error", {}).get("Message") or ""))
    return f"{code}: {message}" if message and message != code else code or f"HTTP {status_of(error)}"


def _one_line(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= 300 else f"{line[:299]}…"
