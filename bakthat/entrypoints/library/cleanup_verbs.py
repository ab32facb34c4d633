"""The verb of the library that removes what killed backups left."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from bakthat.domain.interval import interval_of
from bakthat.domain.leftovers import USUAL_AGE
from bakthat.entrypoints.destinations import destination_names
from bakthat.entrypoints.library.opened_profile import OpenedProfile, listed
from bakthat.entrypoints.library.record_verbs import first_error
from bakthat.errors import BakthatError
from bakthat.usecases.cleanup import CleanedUp, CleanupReport
from bakthat.usecases.cleanup import cleanup as clean_up
from bakthat.usecases.tools import Tools


class CleanupVerbs(OpenedProfile):
    """Removing unfinished uploads."""

    def cleanup(
        self,
        destination: str | None = None,
        *,
        older_than: str | timedelta = USUAL_AGE,
        dry_run: bool = False,
    ) -> CleanupReport:
        """Remove unfinished uploads of bakthat, and what killed backups left in a folder. No backup is touched.

        Args:
            destination: Its name (`s3`, `local`, …); None means all that the profile names.
            older_than: How long nothing was added to an upload, as `7D` or a `timedelta`. A running backup must not be
                older.
            dry_run: Only report what would be removed.

        Returns:
            What is gone, and what is left, and why. Uploads of other programs are left.

        Raises:
            InvalidInterval: `older_than` is not an interval. One of 0 would take uploads that are under way.
            Unsupported: The service cannot list unfinished uploads.
            StoreError: The first error, after all others were tried.
        """
        chosen = [destination] if destination is not None else []
        done = self.cleanup_all(chosen, older_than=older_than, dry_run=dry_run)
        error = cleanup_error(done)
        if error is not None:
            raise error
        return done.together

    def cleanup_all(
        self, destinations: Sequence[str] = (), *, older_than: str | timedelta = USUAL_AGE, dry_run: bool = False
    ) -> CleanedUp:
        """Clean up several destinations; one that fails does not stop the rest.

        Args:
            destinations: Their names; by default all that the profile names.
            older_than, dry_run: As of `cleanup`.
        """
        age = interval_of(older_than)
        names = list(listed(destinations) or destination_names(self.profile))

        def carry_out(tools: Tools) -> CleanedUp:
            done = CleanedUp()
            for name in names:
                try:
                    done.reports[name] = clean_up(name, tools, older_than=age, dry_run=dry_run)
                except BakthatError as error:
                    done.failures[name] = error
            return done

        return carry_out(self.tools) if dry_run else self._run("cleanup", carry_out, failure=cleanup_error)


def cleanup_error(done: CleanedUp) -> BakthatError | None:
    """The error that decides about the exit code."""
    failed = [error for report in done.reports.values() for _, error in report.failed]
    return first_error([*done.failures.values()], failed)
