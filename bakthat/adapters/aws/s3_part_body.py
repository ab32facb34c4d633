"""`PartBody`: the body of one request, and its CRC."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import CancelledError

from isal.isal_zlib import crc32

from bakthat.adapters.aws.s3_features import base64_text
from bakthat.adapters.rate_limit import RateLimit


class PartBody:
    """A request's body. botocore can send it, rewind it and send it again; another thread can stop it.

    urllib3 limits each single send by the connect timeout, so a slow line must not get megabytes at once. The chunks
    that `read` returns grow while the line is fast, and shrink while it is slow.
    """

    _FIRST, _LEAST, _MOST = 64 * 1024, 16 * 1024, 512 * 1024

    def __init__(
        self,
        view: memoryview,
        cancelled: threading.Event | None = None,
        limit: RateLimit | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.view = view
        self._monotonic = monotonic
        self._limit = limit
        self._cancelled = cancelled
        self._at = 0
        self._step = self._FIRST
        self._handed_out = monotonic()

    def __len__(self) -> int:
        return len(self.view)

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = 0) -> int:
        self._stop_if_cancelled()
        self._at = offset + (0, self._at, len(self.view))[whence]
        self._step = self._FIRST
        return self._at

    def read(self, size: int | None = -1) -> bytes | memoryview:
        """Return the next bytes; this object decides how many. Without a size, return the rest as `bytes`: moto's
        in-process responder reads a body like that, and accepts only `bytes`."""
        self._stop_if_cancelled()
        now = self._monotonic()
        took, self._handed_out = now - self._handed_out, now
        if took < 0.05:
            self._step = min(self._step * 2, self._MOST)
        elif took > 1:
            self._step = max(self._step // 2, self._LEAST)
        if size is None or size < 0:
            rest, self._at = bytes(self.view[self._at :]), len(self.view)
            self._pass_on(len(rest))
            return rest
        step = self._step if self._limit is None else min(self._step, self._limit.step)
        chunk = self.view[self._at : self._at + step]
        self._pass_on(len(chunk))
        self._at += len(chunk)
        return chunk

    def _pass_on(self, count: int) -> None:
        if self._limit is not None and count:
            self._limit.pass_on(count)
            self._stop_if_cancelled()
            self._handed_out = self._monotonic()  # the line is not slow because the limit is

    def _stop_if_cancelled(self) -> None:
        if self._cancelled is not None and self._cancelled.is_set():
            # botocore passes this error on. Any other would be taken for a broken connection, and retried.
            raise CancelledError


def crc(view: memoryview) -> str:
    """Return the CRC32 in the form of the header x-amz-checksum-crc32."""
    return base64_text(crc32(view).to_bytes(4, "big"))
