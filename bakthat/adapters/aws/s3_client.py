"""`s3_client`: a client of S3 with the settings of a profile, and what its stores take from the profile."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

from botocore.parsers import ResponseParserError

from bakthat.adapters.aws.client import client
from bakthat.adapters.aws.errors import Redirected
from bakthat.adapters.aws.settings import resolved
from bakthat.domain.profile import Profile, endpoint_host, endpoint_place


def settings_of(profile: Profile) -> dict[str, Any]:
    """Return the arguments that every store of a bucket takes from a profile."""
    return {
        "prefix": profile.s3_prefix,
        "part_size": profile.part_size,
        "max_concurrency": profile.max_concurrency,
        "amazon": is_amazon(profile.endpoint_url),
        "sse": profile.sse,
        "kms_key_id": profile.kms_key_id,
        "lock": profile.lock,
    }


def s3_client(profile: Profile, **config: Any) -> Any:
    """Return a client of S3 with the settings of this store.

    The body of a request is not part of its signature; a checksum is, and TLS protects the rest. Hashing the body as
    well costs more than everything else about a part (docs/decisions/0021). No request waits for `100 Continue`, which
    botocore would request before each part, at the price of a round trip.
    """
    profile = resolved(profile, "s3")
    style = profile.addressing_style or "auto"
    s3: dict[str, Any] = {"payload_signing_enabled": False}
    if style != "auto":
        s3["addressing_style"] = style
    elif not profile.endpoint_url and "." not in (profile.s3_bucket or ""):
        # botocore's default, but set explicitly it also makes presigned URLs for the bucket's region. A bucket with a
        # dot matches no certificate, and another service may not answer to host names that begin with a bucket.
        s3["addressing_style"] = "virtual"
    made = client("s3", profile, **{"signature_version": "s3v4", "s3": s3, **config})
    made.meta.events.register_first("request-created.s3", _without_expect)
    # By this name it is called before botocore's own check of answers, which is registered for "before-parse.s3.*".
    made.meta.events.register_first("before-parse.*.CompleteMultipartUpload", _without_leading_space)
    # The asterisk puts it before botocore's handlers that would begin to retry.
    made.meta.events.register_first("needs-retry.s3.*", _refuse_web_site)
    return made


def account_of(profile: Profile) -> Hashable:
    """What says that two profiles reach the same service with the same credentials."""
    service = "amazon" if is_amazon(profile.endpoint_url) else endpoint_place(profile.endpoint_url or "")
    return service, profile.access_key, profile.secret_key, profile.aws_profile


def is_amazon(endpoint_url: str | None) -> bool:
    """Whether an endpoint is Amazon's own. None is."""
    if not endpoint_url:
        return True
    host = endpoint_host(endpoint_url).rsplit(":", 1)[0]
    return host.endswith((".amazonaws.com", ".amazonaws.com.cn"))


def _without_leading_space(response_dict: dict[str, Any], **_: Any) -> None:
    """Remove leading white space, which services send while they assemble the parts. Some send it before the XML
    declaration, where XML does not allow it."""
    response_dict["body"] = response_dict["body"].lstrip()


def _without_expect(request: Any, **_: Any) -> None:
    del request.headers["Expect"]


def _refuse_web_site(response: tuple[Any, dict[str, Any]] | None = None, operation: Any = None, **_: Any) -> None:
    """Raise `ResponseParserError` for the answer of a web site.

    botocore takes an HTML page for a failure of S3, since it is not XML, and retries for a minute. It follows a
    redirection, and is redirected again, until Python's stack overflows. S3 only redirects to another region, and names
    it.
    """
    if response is None:
        return
    http, parsed = response
    status = getattr(http.raw, "status", http.status_code)  # botocore has changed `status_code`
    if 300 <= status < 400:
        code = str(parsed.get("Error", {}).get("Code") or "")
        if code in {"", str(status)} and "x-amz-bucket-region" not in http.headers:
            raise Redirected(http.headers.get("location") or "")
    # Not the answers that are read as streams, nor a completion, whose sender finds out whether it was carried out.
    if status < 300 and "Body" not in parsed and operation.name != "CompleteMultipartUpload":
        start = http.content.lstrip()[:16].lower()
        if start and (not start.startswith(b"<") or start.startswith((b"<html", b"<!doctype html"))):
            raise ResponseParserError("this is a web page")
