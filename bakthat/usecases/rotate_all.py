"""`rotate_all`: retention of every series of a destination."""

from __future__ import annotations

from collections.abc import Callable

from attrs import define, field

from bakthat.domain.backup import Backup
from bakthat.errors import AccessDenied, BakthatError, CredentialsRefused
from bakthat.usecases.destinations.base import Destination
from bakthat.usecases.retention import OriginNotFound, Retention
from bakthat.usecases.syncing.series import recorded_series_names, series_names
from bakthat.usecases.tools import Tools


@define(kw_only=True)
class RotatedSeries:
    """The results of thinning out several series, by name, and the errors of those that failed as a whole."""

    retentions: dict[str, Retention] = field(factory=dict)
    failures: dict[str, BakthatError] = field(factory=dict)

    @property
    def removed(self) -> tuple[Backup, ...]:
        """The deleted records of all series."""
        return tuple(backup for done in self.retentions.values() for backup in done.removed)

    @property
    def error(self) -> BakthatError | None:
        """The first error: of a series, else of a deletion."""
        of_deletions = (error for done in self.retentions.values() for _, error in done.failed)
        return next(iter(self.failures.values()), None) or next(of_deletions, None)


def rotate_all(destination_name: str, rotate_one: Callable[[str], Retention], tools: Tools) -> RotatedSeries:
    """Thin out every series in the database and in the store. A series that fails does not stop the rest; one without
    an origin that is to be thinned is left out.

    Raises `StoreError` for a listing that fails, `DatabaseError`, `ConfigError`.
    """
    done = RotatedSeries()
    for name in _names(tools.destination(destination_name), tools):
        try:
            done.retentions[name] = rotate_one(name)
        except OriginNotFound:
            continue
        except BakthatError as error:
            done.failures[name] = error
    return done


def _names(destination: Destination, tools: Tools) -> list[str]:
    try:
        return series_names(destination, tools)
    except CredentialsRefused:
        raise
    except AccessDenied as error:
        tools.notice(
            f"only series of the database are thinned, since {destination.owner.location} cannot be listed: {error}"
        )
        return recorded_series_names(destination, tools)
