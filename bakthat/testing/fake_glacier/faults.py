"""`Faults`: the scripted faults of the fake service."""

from __future__ import annotations

import threading

from bakthat.testing.fake_glacier.http_messages import ServiceError
from bakthat.testing.fake_glacier.records import ACCOUNT


class Cut(Exception):
    """The connection ends here."""


class Faults:
    """The scripted faults. Tests call the methods up to `deny`; the server calls the others."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.clear()

    def clear(self) -> None:
        """Forget all faults, and what was counted."""
        with self.lock:
            self.closed_to_new_customers = False
            """Whether every call is refused, as for accounts without a vault since December 2025."""
            self.received = 0
            """Bytes of archives that have arrived, including uploads that were cut."""
            self.sent = 0
            """Bytes of archives that have been sent."""
            self._upload_cuts: list[int] = []
            self._download_cuts: list[int] = []
            self._damages: list[int] = []
            self._lost: dict[str, int] = {}
            self._refusals: dict[str, list[ServiceError]] = {}

    def cut_upload_at(self, size: int) -> None:
        """Break the connection, once, after so many more bytes of archives have arrived."""
        with self.lock:
            self._upload_cuts.append(self.received + size)

    def cut_download_at(self, size: int) -> None:
        """Break the connection, once, after so many more bytes of archives have been sent."""
        with self.lock:
            self._download_cuts.append(self.sent + size)

    def damage_download_at(self, size: int) -> None:
        """Send one wrong byte, once, after so many more bytes of archives."""
        with self.lock:
            self._damages.append(self.sent + size)

    def lose_answers(self, operation: str, times: int = 1) -> None:
        """Carry the operation (`InitiateMultipartUpload` …) out, and break the connection instead of answering."""
        with self.lock:
            self._lost[operation] = self._lost.get(operation, 0) + times

    def refuse(
        self,
        operation: str,
        *,
        times: int = 1,
        status: int = 500,
        code: str = "ServiceUnavailableException",
        message: str = "The service cannot complete the request.",
    ) -> None:
        """Answer the operation with an error, without carrying it out."""
        with self.lock:
            self._refusals.setdefault(operation, []).extend([ServiceError(status, code, message)] * times)

    def deny(self, operation: str, times: int = 1_000) -> None:
        """The credentials lack the permission for this operation."""
        self.refuse(
            operation,
            times=times,
            status=403,
            code="AccessDeniedException",
            message=f"User: arn:aws:iam::{ACCOUNT}:user/fake is not authorized to perform: glacier:{operation}",
        )

    def refusal(self, operation: str) -> ServiceError | None:
        with self.lock:
            if self.closed_to_new_customers:
                return ServiceError(
                    400, "NoLongerSupportedException", "Amazon Glacier is no longer available to new customers."
                )
            waiting = self._refusals.get(operation)
            return waiting.pop(0) if waiting else None

    def loses(self, operation: str) -> bool:
        with self.lock:
            left = self._lost.get(operation, 0)
            self._lost[operation] = max(0, left - 1)
            return left > 0

    def arrived(self, size: int) -> None:
        with self.lock:
            self.received += size
            if _taken(self._upload_cuts, self.received):
                raise Cut

    def leaving(self, chunk: bytes) -> tuple[bytes, bool]:
        """Return the bytes to send, and whether the connection ends after them."""
        with self.lock:
            before, self.sent = self.sent, self.sent + len(chunk)
            cut, damage = _taken(self._download_cuts, self.sent), _taken(self._damages, self.sent)
        if damage is not None:
            at = max(0, min(damage - before, len(chunk)) - 1)
            chunk = chunk[:at] + bytes([chunk[at] ^ 0xFF]) + chunk[at + 1 :]
        return (chunk[: max(0, cut - before)], True) if cut is not None else (chunk, False)


def _taken(positions: list[int], reached: int) -> int | None:
    """Remove and return the first position that has been reached."""
    for position in positions:
        if position <= reached:
            positions.remove(position)
            return position
    return None
