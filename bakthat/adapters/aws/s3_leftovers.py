"""What killed writers leave in a bucket: uploads in parts that never ended, and claims of names (`s3_write_claim`)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

from botocore.exceptions import ClientError

from bakthat.adapters.aws import s3_write_claim
from bakthat.adapters.aws.answer import Answer, ask
from bakthat.adapters.aws.errors import code_of, is_bare, status_of, translated
from bakthat.adapters.aws.s3_listing import listed
from bakthat.domain.objects import Leftover
from bakthat.errors import CredentialsRefused, StoreError, StoreUnavailable, Unsupported

_CLAIM = "claim "
"""Begins the id of a claim, which is the key of an object; the id of an upload has no space."""

_NOT_THERE = frozenset({"MethodNotAllowed", "NotImplemented", "405", "501"})


def unfinished_uploads(
    client: Any, bucket: str, own: str, prefix: str, what: str, *, details: bool
) -> Iterator[Leftover]:
    """Yield the uploads in parts below a store's prefix `own`, whose keys then start with `prefix`.

    Raises:
        Unsupported: The service cannot list them.
    """
    for upload in _uploads(client, bucket, own + prefix, what):
        key, upload_id, started = upload.text("Key"), upload.text("UploadId"), upload.moment("Initiated")
        if not key.startswith(own + prefix):
            continue
        seen: tuple[datetime | None, int | None] | None = (None, None)
        if details:
            try:
                seen = _parts(client, {"Bucket": bucket, "Key": key, "UploadId": upload_id}, f"{what}: {key}", started)
            except (StoreUnavailable, CredentialsRefused):
                raise
            except StoreError:
                seen = (None, None)
        if seen is not None:  # else it has ended meanwhile
            yield Leftover(
                key=key.removeprefix(own), upload_id=upload_id, started=started, latest=seen[0], size=seen[1]
            )


def left_claims(client: Any, bucket: str, own: str, prefix: str, what: str) -> Iterator[Leftover]:
    """Yield the claims of names below a store's prefix."""
    folder = own + s3_write_claim.FOLDER
    for entry in listed(client, bucket, folder + prefix, what):
        whole, stored = entry.text("Key"), entry.moment("LastModified")
        yield Leftover(
            key=whole.removeprefix(folder).rpartition("/")[0] or whole.removeprefix(own),
            upload_id=_CLAIM + whole,
            started=stored,
            latest=stored,
            size=entry.maybe_number("Size"),
            is_of_bakthat=True,
        )


def remove_unfinished(client: Any, bucket: str, own: str, leftover: Leftover, what: str) -> None:
    """Abort the upload, or delete the claim. Does nothing if it is gone."""
    call: Callable[..., Any] = client.abort_multipart_upload
    request = {"Bucket": bucket, "Key": own + leftover.key, "UploadId": leftover.upload_id}
    if leftover.upload_id.startswith(_CLAIM):
        call, request = client.delete_object, {"Bucket": bucket, "Key": leftover.upload_id.removeprefix(_CLAIM)}
    with translated(what):
        try:
            ask(what, call, **request)
        except ClientError as error:
            if code_of(error) not in {"NoSuchUpload", "NoSuchKey"}:
                raise


def _uploads(client: Any, bucket: str, prefix: str, what: str) -> Iterator[Answer]:
    markers: dict[str, str] = {}
    seen: set[tuple[str, ...]] = {("", "")}
    while True:
        with translated(what):
            try:
                page = ask(what, client.list_multipart_uploads, Bucket=bucket, Prefix=prefix, **markers)
            except ClientError as error:
                if code_of(error) == "NoSuchUpload":
                    return  # rclone's answer where there are none
                if code_of(error) in _NOT_THERE or status_of(error) in {405, 501}:
                    raise Unsupported(_UNSUPPORTED.format(what)) from error
                if status_of(error) == 404 and is_bare(error):
                    raise Unsupported(_UNSUPPORTED.format(what)) from error
                raise
        # A service that does not know the request may answer it as a listing of objects.
        if not page.has("Bucket") and not page.has("MaxUploads") and not page.has("Uploads"):
            raise Unsupported(_UNSUPPORTED.format(what))
        uploads = page.items("Uploads")
        yield from uploads
        if not page.flag("IsTruncated"):
            return
        # SeaweedFS 4.48 does not say after which upload the next page begins.
        key, upload_id = page.maybe_text("NextKeyMarker"), page.maybe_text("NextUploadIdMarker")
        if not key and uploads:
            key, upload_id = uploads[-1].text("Key"), uploads[-1].text("UploadId")
        markers = {"KeyMarker": key or "", "UploadIdMarker": upload_id or ""}
        if tuple(markers.values()) in seen:
            raise StoreError(f"{what}: the listing of unfinished uploads does not continue; see docs/services.md")
        seen.add(tuple(markers.values()))


def _parts(client: Any, named: dict[str, str], what: str, started: datetime) -> tuple[datetime, int] | None:
    """When the newest part arrived, and the bytes of all; None if the upload is no longer there."""
    latest, size, marker = started, 0, 0
    while True:
        with translated(what):
            try:
                page = ask(what, client.list_parts, **named, **({"PartNumberMarker": marker} if marker else {}))
            except ClientError as error:
                if code_of(error) == "NoSuchUpload":
                    return None
                raise
        for part in page.items("Parts"):
            latest = max(latest, part.moment("LastModified"))
            size += part.number("Size")
        following = page.maybe_number("NextPartNumberMarker") or 0
        if not page.flag("IsTruncated"):
            return latest, size
        if following <= marker:
            raise StoreError(f"{what}: the listing of parts does not continue; see docs/services.md")
        marker = following


_UNSUPPORTED = (
    "{}: this service cannot list unfinished uploads; remove them with its own tools, or a lifecycle rule "
    "(AbortIncompleteMultipartUpload)"
)
