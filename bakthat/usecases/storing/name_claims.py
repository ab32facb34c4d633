"""Claims names in the database before anything is stored under them."""

from __future__ import annotations

from bakthat.domain.name_claim import NameClaim
from bakthat.domain.stored_name import StoredName
from bakthat.errors import DatabaseError
from bakthat.usecases.tools import Tools


class NameClaims:
    """Claims names, so that two backups of a series in the same second have different dates before either is stored.

    A second is claimed as a whole, by the name of a plain gzip archive: `site.DATE.tgz` and `site.DATE.tgz.enc` would
    be two objects, but nothing could tell which of them is the newer backup.

    An unusable database does not stop a backup: then only the store can refuse an existing name, as for machines
    without a common database.
    """

    def __init__(self, tools: Tools) -> None:
        self._tools = tools
        self._usable = True

    def claim(self, name: StoredName) -> bool:
        """Whether the second of this name was free in every destination: several may keep their catalog in one
        bucket."""
        of_the_second = StoredName(series=name.series, when=name.when)
        return all(self._claim(str(one)) for one in dict.fromkeys((of_the_second, name)))

    def _claim(self, stored_filename: str) -> bool:
        tools = self._tools
        if not self._usable:
            return True
        claim = NameClaim(stored_filename=stored_filename, host=tools.host(), pid=tools.pid(), claimed_at=tools.clock())
        try:
            return tools.repo.claim_name(claim)
        except DatabaseError as error:
            self._usable = False
            tools.notice(f"{error}; the backup continues without the database")
            return True
