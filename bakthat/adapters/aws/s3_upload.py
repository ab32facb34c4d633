"""`Uploader`: stores one object, whole or not at all, from a stream of unknown length.

    read the first part
    the stream ended in it  -> one PutObject                        (s3_object_write)
    else: CreateMultipartUpload; in a loop read a part and send it, several at once;
          CompleteMultipartUpload makes the object visible          (s3_multipart)
    any exception, Ctrl-C included -> stop the parts in flight, wait for them, AbortMultipartUpload

s3_writer sends each request, and repeats it without a header that the service does not support.
"""

from __future__ import annotations

from datetime import datetime
from typing import BinaryIO

from attrs import frozen

from bakthat.adapters.aws.s3_bucket import Bucket
from bakthat.adapters.aws.s3_multipart import Multipart
from bakthat.adapters.aws.s3_object_write import ObjectWrite
from bakthat.adapters.aws.s3_part_sizes import plan_parts
from bakthat.adapters.aws.s3_writer import Writer
from bakthat.ports.streams import fill

_SMALL_BUFFER = 256 * 1024
"""Bytes of the first buffer. It only grows to a part's size if the object does: most objects are catalog entries."""

_EARLY = 4
"""If the hint is at least this many parts, the upload is created before the first part is full."""


@frozen(kw_only=True)
class Uploaded:
    """A stored object. `size`: bytes. `modified`: in UTC. `locked_until`: as it was requested."""

    size: int
    modified: datetime
    locked_until: datetime | None = None


class Uploader:
    """Stores objects in one bucket, and remembers which features its service refused.

    Every object has a random `put-id` in its metadata. If the answer to a write is lost, the repeated write finds the
    object of the first one, and recognises it by that id. By size and ETag it could be another writer's equal bytes.
    """

    def __init__(self, bucket: Bucket) -> None:
        self.bucket = bucket
        self.writer = Writer(bucket)

    def upload(self, key: str, what: str, body: BinaryIO, *, replace: bool, size_hint: int | None) -> Uploaded:
        """Store an object, as `ObjectStore.put`. `key`: with the prefix. `what`: names the object in messages."""
        bucket = self.bucket
        plan = plan_parts(
            max_concurrency=bucket.max_concurrency,
            part_size=bucket.part_size,
            size_hint=size_hint,
            equal=None if bucket.trusted else bucket.equal_parts,
        )
        target = ObjectWrite(self.writer, key, what, replace)
        multipart = Multipart(target, plan)
        try:
            if size_hint is not None and size_hint >= _EARLY * plan.first:
                multipart.begin()
            buffer, filled = _first_part(body, plan.first)
            if filled < plan.first:
                multipart.abort()
                modified = target.put(memoryview(buffer)[:filled])
                return Uploaded(size=filled, modified=modified, locked_until=target.locked_until)
            size = multipart.send_all(buffer, body)
            return Uploaded(size=size, modified=multipart.complete(), locked_until=target.locked_until)
        except BaseException:
            multipart.abort()
            raise
        finally:
            multipart.close()


def _first_part(body: BinaryIO, size: int) -> tuple[bytearray, int]:
    """Return a buffer with the first bytes of the body, and how many these are: `size`, or fewer if the body ends."""
    buffer = bytearray(min(size, _SMALL_BUFFER))
    filled = fill(body, memoryview(buffer))
    while filled == len(buffer) < size:
        larger = bytearray(min(size, 4 * len(buffer)))
        larger[:filled] = buffer
        buffer = larger
        filled += fill(body, memoryview(buffer)[filled:])
    return buffer, filled
