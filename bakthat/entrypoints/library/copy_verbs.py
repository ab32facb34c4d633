"""The verb of the library that makes second copies."""

from __future__ import annotations

from collections.abc import Callable

from bakthat.domain.backup import Backup
from bakthat.domain.callbacks import ignore
from bakthat.domain.objects import Tier
from bakthat.domain.profile import Profile
from bakthat.entrypoints.library.opened_profile import OpenedProfile, series_name
from bakthat.entrypoints.library.record_verbs import first_error
from bakthat.entrypoints.library.restore_verbs import tier_of
from bakthat.errors import BakthatError, UsageError
from bakthat.usecases.copy import CopyReport, CopyRequest
from bakthat.usecases.copy import copy as copy_backups
from bakthat.usecases.copying.one_backup import Copied
from bakthat.usecases.tools import Tools


class CopyVerbs(OpenedProfile):
    """Copying backups to another place."""

    def copy(
        self,
        filename: str | Backup | None = None,
        destination: str | None = None,
        *,
        to: str,
        to_profile: str | Profile | OpenedProfile | None = None,
        series: str | None = None,
        host: str | None = None,
        tier: Tier | str | None = None,
        wait: bool = False,
        dry_run: bool = False,
        on_copied: Callable[[Copied], None] = ignore,
        on_failed: Callable[[Backup, BakthatError], None] = lambda _backup, _error: None,
    ) -> CopyReport:
        """Copy backups to another destination: the stored bytes as they are, never replacing anything. What is there
        already is not copied again.

        Args:
            filename: As of `restore`; None means every backup of the source, or of `series`.
            destination: The source, a name (`s3`, `local`, …); None means that of a record, else the profile's default.
            to: The target, a name among the destinations of `to_profile`.
            to_profile: A name in the configuration, settings, or an opened profile; None means this one. The rows of
                the copies go into its database.
            series: Only this one, exactly; without `filename`.
            host: Only backups of this host.
            tier, wait: As of `restore`, for a source in Glacier.
            dry_run: Only report what would be copied.
            on_copied, on_failed: Called with each result as it comes.

        Returns:
            What is at the target now. Without `filename`, a backup that fails does not stop the rest: it is in
            `CopyReport.failed`, with its error.

        Raises:
            BackupNotFound, AmbiguousName: There is no such backup.
            UsageError: Source and target are the same place.
            ObjectExists, PayloadDamaged, RetrievalPending, StoreError: Of the one backup; the target is unchanged,
                unless the message says otherwise.
        """
        target = self._tools_of(to_profile)

        def carry_out(tools: Tools) -> CopyReport:
            request = CopyRequest(
                name=filename,
                source=self._place(destination, filename),
                to=to,
                series=series_name(series) if series is not None else None,
                host=host,
                tier=tier_of(tier),
                wait=wait,
                dry_run=dry_run,
            )
            return copy_backups(request, tools, target, on_copied=on_copied, on_failed=on_failed)

        done = carry_out(self.tools) if dry_run else self._run("copy", carry_out, failure=error_of)
        if filename is not None:
            for _, error in done.failed:
                raise error
        return done

    def _tools_of(self, profile: str | Profile | OpenedProfile | None) -> Tools:
        """The tools of another profile; of this one for None."""
        if profile is None:
            return self.tools
        if isinstance(profile, OpenedProfile):
            return profile.tools
        if self._other_tools is None:
            raise UsageError("this profile was made without `open_profile`; give to_profile as an opened profile")
        return self._other_tools(profile)


def error_of(done: CopyReport) -> BakthatError | None:
    """The error of a copy that decides: a retrieval that is only pending comes last."""
    return first_error([], [error for _, error in done.failed])
