"""Checks, before a backup is opened, whether it is plain although its series is encrypted."""

from __future__ import annotations

from attrs import define, field

from bakthat.domain.backup import Backup
from bakthat.domain.plain_backup import encrypted_before
from bakthat.domain.query import Query
from bakthat.errors import NotEncrypted
from bakthat.usecases.destinations.base import Destination
from bakthat.usecases.tools import Tools


@define
class PlainGuard:
    """Refuses plain backups of encrypted series in a destination: see `encrypted_before`. Queries the database once per
    series."""

    destination: Destination
    tools: Tools
    _series: dict[str, list[Backup]] = field(factory=dict, init=False)

    def check(self, backup: Backup) -> None:
        """Raises `NotEncrypted`."""
        if backup.is_encrypted:
            return
        earlier = encrypted_before(backup, self._evidence(backup.filename))
        if earlier is not None:
            raise NotEncrypted(
                f"{backup.stored_filename} is not encrypted, but {earlier.stored_filename} before it is: somebody else "
                "may have stored it; if it is yours, use `allow_plain=True`"
            )

    def _evidence(self, filename: str) -> list[Backup]:
        """The backups of the series; empty if none is encrypted."""
        if filename not in self._series:
            owners = (self.destination.owner,)
            query = Query(filename=filename, backend=self.destination.name, owners=owners, deleted=True)
            rows = list(self.tools.repo.find(query))
            self._series[filename] = rows if any(row.is_encrypted for row in rows) else []
        return self._series[filename]
