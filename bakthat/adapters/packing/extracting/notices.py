"""`Notices`: counts by reason what could not be restored exactly."""

from __future__ import annotations

from bakthat.adapters.filesystem.printable import printable
from bakthat.domain.payload import Problem

_MAX_REASONS = 100


class Notices:
    """One line for each reason, with the first path that it concerns and the number of the others. A hostile archive
    cannot fill memory or a log: beyond 100 reasons, further ones are only counted."""

    def __init__(self) -> None:
        self._reasons: dict[str, tuple[bytes, int]] = {}
        self._more = 0

    def add(self, reason: str, path: bytes) -> None:
        """Count one path for this reason."""
        first, count = self._reasons.get(reason, (path, 0))
        if count or len(self._reasons) < _MAX_REASONS:
            self._reasons[reason] = (first, count + 1)
        else:
            self._more += 1

    def problems(self) -> list[Problem]:
        """The lines, in the order in which the reasons occurred."""
        lines = [
            Problem(printable(path), reason if count == 1 else f"{reason} (and {count - 1} more)")
            for reason, (path, count) in self._reasons.items()
        ]
        if self._more:
            lines.append(Problem(lines[-1].path, f"and {self._more} more notices, of other kinds"))
        return lines
