"""`VaultUploads`: archives into a vault, in one request or in parts.

    read up to 1 MiB
    the stream ended in it -> one UploadArchive
    else: InitiateMultipartUpload; in a loop read a part, hash it and send it, several at once;
          CompleteMultipartUpload with the tree hash of the whole makes the archive
    any exception, Ctrl-C included -> wait for the parts in flight, AbortMultipartUpload

From the service's developer guide:

- The tree hash of a part is in a header before the part's bytes. So a part stays in memory until it has arrived, and
  can be sent again. Parts have one size, fixed when the upload is initiated: a power of two from 1 MiB to 4 GiB. There
  are at most 10,000. `part_size_for` chooses the size.
- CompleteMultipartUpload may be repeated, and returns the same archive. UploadArchive may not: repeated after a lost
  answer, it makes a second archive whose id is unknown. Only archives under a mebibyte are uploaded like that.
- An archive has at least one byte.
"""

from __future__ import annotations

import io
from collections import deque
from collections.abc import Iterable
from concurrent.futures import Future
from functools import partial
from typing import BinaryIO, NoReturn

from bakthat.adapters.aws.client import READ_TIMEOUT
from bakthat.adapters.aws.daemon_threads import Workers
from bakthat.adapters.aws.glacier_tree_hash import joined, tree_hash
from bakthat.adapters.aws.glacier_vault import Vault
from bakthat.domain.archive_description import LIMIT
from bakthat.domain.objects import ArchiveId
from bakthat.errors import BakthatError, ConfigError, StoreUnavailable, UsageError
from bakthat.ports.streams import read_up_to

MIB = 1 << 20

SINGLE_CALL = MIB
"""Bytes from which on an archive is uploaded in parts, because then the last step may be repeated."""

MOST_PARTS = 10_000
"""Parts of one upload (developer guide, "Uploading Large Archives in Parts")."""

LARGEST_PART = 4096 * MIB
"""The most bytes of a part."""

SMALLEST_PART = 8 * MIB
"""The default bytes of a part: 10,000 of them are 78 GiB."""

UNHINTED_PART = 64 * MIB
"""Bytes of a part if the archive's size is unknown: 10,000 of them are 625 GiB, and two are held at once."""

BUFFERED = 128 * MIB
"""Bytes of parts in memory at once, or one part if that is more."""

_CHUNK = MIB


def part_size_for(size_hint: int | None) -> int:
    """Return the bytes of each part of an archive of about this size: the smallest power of two, from 8 MiB on, of
    which 10,000 parts hold twice as much. Without a hint 64 MiB, for archives up to 625 GiB."""
    if size_hint is None:
        return UNHINTED_PART
    return power_of_two(max(SMALLEST_PART, -(-2 * size_hint // MOST_PARTS)))


def power_of_two(size: int) -> int:
    """Return the smallest part size that the service accepts, and that is not smaller than `size`."""
    return min(max(MIB, 1 << (size - 1).bit_length()), LARGEST_PART)


class VaultUploads:
    """Uploads into one vault.

    Args:
        part_size: Bytes of each part, rounded up to a power of two; None chooses by the size of each archive.
        max_concurrency: Parts of one upload in flight at once.
        most_parts: The most parts of one upload.
        buffered: Bytes of parts in memory at once, or one part if that is more.
    """

    def __init__(
        self, vault: Vault, *, part_size: int | None, max_concurrency: int, most_parts: int, buffered: int
    ) -> None:
        self._vault = vault
        self._part_size = power_of_two(part_size) if part_size is not None else None
        self._concurrency = max_concurrency
        self._most_parts = most_parts
        self._buffered = buffered

    def upload(self, body: BinaryIO, *, description: str, size_hint: int | None) -> ArchiveId:
        """Store an archive, as `ArchiveStore.upload`."""
        if len(description) > LIMIT or any(not " " <= char <= "~" for char in description):
            raise UsageError(f"{self._vault.location}: a description is at most {LIMIT} printable ASCII characters")
        head = read_up_to(body, SINGLE_CALL)
        if not head:
            raise UsageError(
                f"{self._vault.location}: a vault keeps no empty archive; store the file with `compress: true`"
            )
        if len(head) < SINGLE_CALL:
            return self._upload_at_once(head, description)
        return self._upload_in_parts(head, body, description, self._part_size or part_size_for(size_hint))

    def _upload_at_once(self, content: bytes, description: str) -> ArchiveId:
        with self._vault.asking("upload"):
            answer = self._vault.ask(
                self._vault.client.upload_archive,
                archiveDescription=description,
                checksum=tree_hash(content).hex(),
                body=content,
            )
        return ArchiveId(answer.text("archiveId"))

    def _upload_in_parts(self, head: bytes, body: BinaryIO, description: str, part_size: int) -> ArchiveId:
        upload_id = self._begin(description, part_size)
        try:
            hashes, size = self._send_parts(upload_id, head, body, part_size)
            return self._complete(upload_id, joined(hashes), size)
        except BaseException:
            self._abort(upload_id)
            raise

    def _begin(self, description: str, part_size: int) -> str:
        try:
            with self._vault.asking("upload"):
                answer = self._vault.ask(
                    self._vault.client.initiate_multipart_upload,
                    archiveDescription=description,
                    partSize=str(part_size),
                )
        except StoreUnavailable:
            self._abort_unknown(description, known=None)
            raise
        upload_id = answer.text("uploadId")
        if answer.resent:
            self._abort_unknown(description, known=upload_id)
        return upload_id

    def _abort_unknown(self, description: str, known: str | None) -> None:
        """Abort uploads of this archive that were initiated by a request whose answer was lost. If that fails, the
        service drops them after a day."""
        try:
            with self._vault.asking("upload"):
                pages = self._vault.pages("list_multipart_uploads")
                uploads = [upload for page in pages for upload in page.items("UploadsList")]
                same = [
                    upload.text("MultipartUploadId")
                    for upload in uploads
                    if upload.maybe_text("ArchiveDescription") == description
                    and upload.text("MultipartUploadId") != known
                ]
                empty = [
                    name
                    for name in same
                    if not self._vault.ask(self._vault.client.list_parts, uploadId=name).items("Parts")
                ]
        except BakthatError:
            return
        for upload_id in empty:
            self._abort(upload_id)

    def _send_parts(self, upload_id: str, head: bytes, body: BinaryIO, part_size: int) -> tuple[list[bytes], int]:
        """Send all parts. Return their tree hashes, and the bytes of all."""
        buffers = max(1, min(self._concurrency + 1, self._buffered // part_size))
        hashes: list[bytes] = []
        in_flight: deque[tuple[Future[bytes], io.BytesIO]] = deque()
        size = 0

        def arrived() -> io.BytesIO:
            future, buffer = in_flight.popleft()
            hashes.append(future.result())
            return buffer

        workers = Workers(max(1, buffers - 1), "glacier-part")
        try:
            filled = part_size
            while filled == part_size:
                # Buffers are reused: to free and allocate them again fragments the heap, which takes more memory.
                buffer = arrived() if len(in_flight) == buffers else io.BytesIO()
                filled = _fill(buffer, head, body, part_size)
                head = b""
                _raise_failed(future for future, _ in in_flight)
                if filled and size == self._most_parts * part_size:
                    self._refuse_more(part_size)
                if filled:
                    send = partial(self._send_part, upload_id, size, buffer, filled)
                    in_flight.append((workers.submit(send), buffer))
                size += filled
            while in_flight:
                arrived()
        except BaseException:
            # The service refuses a part that arrives after the abort. Still, let those in flight end first.
            workers.close(wait=READ_TIMEOUT)
            raise
        workers.close(wait=0)
        return hashes, size

    def _send_part(self, upload_id: str, start: int, part: io.BytesIO, size: int) -> bytes:
        with part.getbuffer() as content:
            hashed = tree_hash(content)
        gone = StoreUnavailable(f"{self._vault.location}: the service has dropped the upload; run the backup again")
        with self._vault.asking("upload", absent=gone):
            self._vault.ask(
                self._vault.client.upload_multipart_part,
                uploadId=upload_id,
                checksum=hashed.hex(),
                range=f"bytes {start}-{start + size - 1}/*",
                body=part,
            )
        return hashed

    def _refuse_more(self, part_size: int) -> NoReturn:
        held = f"{self._most_parts:,} parts of {part_size // MIB} MiB hold no more"
        if part_size == LARGEST_PART:
            raise ConfigError(f"{self._vault.location}: the archive is larger than a vault accepts ({held})")
        raise ConfigError(
            f"{self._vault.location}: the archive is too large: {held}; set a larger part_size in the profile"
        )

    def _complete(self, upload_id: str, hashed: bytes, size: int) -> ArchiveId:
        def complete() -> ArchiveId:
            with self._vault.asking("upload"):
                answer = self._vault.ask(
                    self._vault.client.complete_multipart_upload,
                    uploadId=upload_id,
                    archiveSize=str(size),
                    checksum=hashed.hex(),
                )
            return ArchiveId(answer.text("archiveId"))

        try:
            return complete()
        except StoreUnavailable:
            # It is unknown whether there is an archive. If the upload can be aborted, there is none.
            if self._abort(upload_id):
                raise
            return complete()

    def _abort(self, upload_id: str) -> bool:
        """Abort the upload. Return whether that succeeded; else the service drops it after a day without a part."""
        try:
            with self._vault.asking("upload"):
                self._vault.ask(self._vault.client.abort_multipart_upload, uploadId=upload_id)
        except BakthatError:
            return False
        return True


def _fill(buffer: io.BytesIO, head: bytes, body: BinaryIO, size: int) -> int:
    """Put `head` and the next bytes of the body into the buffer, up to `size` in all. Return how many these are."""
    buffer.seek(0)
    filled = buffer.write(head)
    while filled < size and (chunk := body.read(min(_CHUNK, size - filled))):
        filled += buffer.write(chunk)
    buffer.truncate(filled)
    buffer.seek(0)
    return filled


def _raise_failed(in_flight: Iterable[Future[bytes]]) -> None:
    """Raise the error of a part that has failed, instead of reading more."""
    for future in in_flight:
        if future.done():
            future.result()
