"""`Uploader`: one object into a bucket, whole or not at all, from a stream of unknown length.

    read the first part
    the stream ended in it  -> one PutObject                        (s3_object_write)
    else: CreateMultipartUpload; in a loop read a part and send it, several at once;
          CompleteMultipartUpload makes the object visible          (s3_multipart)
    any exception, Ctrl-C included -> stop the parts in flight, wait for them, AbortMultipartUpload

What a single request sends, and sends again without what a service does not support, is in s3_writer.
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
"""Bytes of the first buffer, which grows to a part's size only if the object does: most objects are catalog entries."""

_EARLY = 4
"""With a hint of so many parts, the upload is begun before the first part is full."""


@frozen(kw_only=True)
class Uploaded:
    """An object that was stored. `size`: bytes. `modified`: aware UTC."""

    size: int
    modified: datetime


class Uploader:
    """Puts objects into one bucket, and remembers what its service turned out not to support.

    Every object carries a random `put-id` in its metadata: a write that was sent again because its answer was lost
    meets its own first copy, and knows it by that id. Size and ETag would not tell it from another's equal bytes.
    """

    def __init__(self, bucket: Bucket) -> None:
        self.bucket = bucket
        self._writer = Writer(bucket)

    def upload(self, key: str, what: str, body: BinaryIO, *, replace: bool, size_hint: int | None) -> Uploaded:
        """As `ObjectStore.put`. `key`: with the prefix. `what`: names the object in messages."""
        bucket = self.bucket
        plan = plan_parts(
            max_concurrency=bucket.max_concurrency,
            part_size=bucket.part_size,
            size_hint=size_hint,
            equal=None if bucket.trusted else bucket.equal_parts,
        )
        target = ObjectWrite(self._writer, key, what, replace)
        multipart = Multipart(target, plan)
        try:
            if size_hint is not None and size_hint >= _EARLY * plan.first:
                multipart.begin()
            buffer, filled = _first_part(body, plan.first)
            if filled < plan.first:
                multipart.abort()
                return Uploaded(size=filled, modified=target.put(memoryview(buffer)[:filled]))
            size = multipart.send_all(buffer, body)
            return Uploaded(size=size, modified=multipart.complete())
        except BaseException:
            multipart.abort()
            raise
        finally:
            multipart.close()


def _first_part(body: BinaryIO, size: int) -> tuple[bytearray, int]:
    """A buffer with the beginning of the body, and how much of it is filled: all of `size` unless the body ends."""
    buffer = bytearray(min(size, _SMALL_BUFFER))
    filled = fill(body, memoryview(buffer))
    while filled == len(buffer) < size:
        larger = bytearray(min(size, 4 * len(buffer)))
        larger[:filled] = buffer
        buffer = larger
        filled += fill(body, memoryview(buffer)[filled:])
    return buffer, filled
