"""`listed`: all objects of a bucket, or an error. After a listing that ends too early, `sync` would take backups for
deleted.

S3 has two versions of the request. The second continues with a token. Some services answer the second version as if it
were the first, without a token (older Ceph, Huawei OBS). Their listing is continued after the last key instead.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

from bakthat.adapters.aws.answer import Answer, ask
from bakthat.adapters.aws.errors import translated
from bakthat.errors import StoreError


def listed(client: Any, bucket: str, prefix: str, what: str, *, page_size: int = 1000) -> Iterator[Answer]:
    """Yield the entries (`Key`, `Size`, `LastModified`, …) of all keys with this prefix, in the service's order.

    Args:
        what: Names the store in messages.
        page_size: Keys of one request.

    Raises:
        StoreError: The server is not S3, or the listing says that there is more and cannot be continued.
    """
    request: dict[str, Any] = {"Bucket": bucket, "Prefix": prefix, "MaxKeys": page_size}
    call, onward, is_first_version = client.list_objects_v2, request, False
    pages: set[str] = set()  # the first key of each page so far
    onwards: set[str] = set()  # what was sent to continue
    count, last = 0, ""
    while True:
        with translated(what):
            page = ask(what, call, **onward)
        check_is_listing(page, what)
        entries = page.items("Contents")
        keys = [entry.text("Key") for entry in entries]
        if keys and keys[0] in pages:
            # The listing started again. The first version of the request may still continue after the key.
            if "StartAfter" not in onward:
                raise _incomplete(what, count)
            call, onward, is_first_version = client.list_objects, {**request, "Marker": last}, True
            continue
        pages.update(keys[:1])
        for entry, key in zip(entries, keys, strict=True):
            if not key.startswith(prefix):
                raise StoreError(f"{what}: the service lists {key!r}, which was not asked for; see docs/services.md")
            yield entry
        count += len(keys)
        is_full = len(keys) >= page_size
        token = page.maybe_text("NextContinuationToken")
        if not (page.flag("IsTruncated") or (not page.has("IsTruncated") and (token or is_full))):
            return
        token = page.maybe_text("NextMarker") if is_first_version else token
        if not token and not _ascends([last, *keys]):
            raise _incomplete(what, count)
        last = keys[-1] if keys else last
        if (token or last) in onwards:
            raise _incomplete(what, count)
        onwards.add(token or last)
        if is_first_version:
            onward = {**request, "Marker": token or last}
        else:
            onward = {**request, **({"ContinuationToken": token} if token else {"StartAfter": last})}


def entry_of(client: Any, where: dict[str, str], what: str) -> Answer:
    """Return the entry of one key. Raises `StoreError` if it is not listed."""
    for entry in listed(client, where["Bucket"], where["Key"], what):
        if entry.text("Key") == where["Key"]:
            return entry
    raise StoreError(f"{what}: the service knows this object, and does not list it; see docs/services.md")


def check_is_listing(page: Answer, what: str) -> None:
    """Raise `StoreError` for an answer without any field of a listing, such as an empty web page."""
    if not page.has("Name") and not page.has("IsTruncated"):
        raise StoreError(f"{what}: the answer is not a listing of S3; check endpoint_url")


def _ascends(keys: list[str]) -> bool:
    """Whether keys are in key order, without duplicates, so that all that is left comes after the last one."""
    return len(keys) > 1 and all(one.encode() < other.encode() for one, other in pairwise(keys))


def _incomplete(what: str, count: int) -> StoreError:
    keys = "1 key" if count == 1 else f"{count:,} keys"
    return StoreError(
        f"{what}: the listing does not continue after {keys}, though the service says that there are more; "
        "it is not complete (see docs/services.md)"
    )
