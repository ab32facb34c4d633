"""The verbs of the library that read backups whole: `restore` and `verify`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from bakthat.domain.backup import Backup
from bakthat.domain.callbacks import ignore
from bakthat.domain.objects import Tier
from bakthat.entrypoints.destinations import locate
from bakthat.entrypoints.keys import Ask
from bakthat.entrypoints.library.opened_profile import AnyPath, OpenedProfile, listed, short_form
from bakthat.entrypoints.library.record_verbs import first_error
from bakthat.errors import BakthatError, UsageError
from bakthat.usecases.restore import Restored, RestoreRequest, restore_stored
from bakthat.usecases.restore import restore as restore_backup
from bakthat.usecases.streams.password_check import head_of
from bakthat.usecases.tools import Tools
from bakthat.usecases.verify import Verified
from bakthat.usecases.verify import verify as verify_backups


class RestoreVerbs(OpenedProfile):
    """Restoring and verifying backups."""

    def restore_with_report(
        self,
        filename: str | Backup,
        destination: str | None = None,
        *,
        host: str | None = None,
        target: AnyPath = ".",
        overwrite: bool = False,
        allow_plain: bool = False,
        password: str | None = None,
        identities: Sequence[AnyPath] = (),
        only: Sequence[str] = (),
        full_check: bool = False,
        xattrs: bool | None = None,
        tier: Tier | str | None = None,
        wait: bool = False,
        ask: Ask | None = None,
    ) -> Restored:
        """As `restore`, with a result that also contains the roots in the target."""

        def carry_out(tools: Tools) -> Restored:
            request = RestoreRequest(
                name=filename,
                destination=self._place(destination, filename),
                host=host,
                target=Path(target),
                overwrite=overwrite,
                allow_plain=allow_plain,
                only=listed(only),
                full_check=full_check,
                xattrs=xattrs if xattrs is not None else self.profile.xattrs,
                tier=tier_of(tier),
                wait=wait,
                keys=self._opening(password, identities, ask),
            )
            return restore_backup(request, tools)

        return self._run("restore", carry_out, reported=lambda done: done.backup)

    restore = short_form(
        restore_with_report,
        lambda done: done.backup,
        returns=Backup,
        doc="""Restore a backup into the directory `target`, all or nothing.

        Args:
            filename: A stored filename, a series (its newest backup), or a series and the start of a date; or the
                record of a backup, as `backup` and `show` return it.
            destination: Its name (`s3`, `local`, …); None means that of a record, else the profile's default.
            host: Only a backup of this host; needed where several machines or directories share the name of a series.
            target: The directory.
            overwrite: Replace an existing entry with the backup's own name, instead of raising `TargetExists`.
            allow_plain: Restore a plain backup even if the one before it in its series is encrypted.
            password: Of the backup; None leaves it to BAKTHAT_PASSWORD and the profile.
            identities: age key files, in place of the profile's.
            only: gitignore patterns, relative to the backup's root; what none of them matches is left out.
            full_check: With `only`: read the whole archive, and check its SHA-256.
            xattrs: Restore extended attributes, access control lists, file capabilities and SELinux labels; None means
                the profile's setting. Without them, permissions are narrowed where a list was.
            tier: The speed of a retrieval from Glacier (`expedited`, `standard`, `bulk`).
            wait: Wait until a backup in Glacier is readable, instead of raising `RetrievalPending`.
            ask: Called for a password if none is found elsewhere.

        Returns:
            The record of the restored backup.

        Raises:
            BackupNotFound, AmbiguousName, NotEncrypted, TargetExists, PasswordNeeded, WrongPassword, PayloadDamaged,
                RetrievalPending, StoreError: `target` is unchanged then.
        """,
    )

    def restore_from(
        self,
        place: str,
        *,
        target: AnyPath = ".",
        overwrite: bool = False,
        password: str | None = None,
        identities: Sequence[AnyPath] = (),
        only: Sequence[str] = (),
        xattrs: bool | None = None,
        ask: Ask | None = None,
    ) -> Restored:
        """Restore one archive from where it is, without database and catalog: only credentials are needed.

        Args:
            place: `s3://bucket/key`, a file's path, or a URL that an installed package opens.
            target, overwrite, password, identities, only, xattrs, ask: As of `restore`.

        Raises:
            BakthatError: As `restore`.
        """

        def carry_out(tools: Tools) -> Restored:
            objects, key = locate(place, self.profile)
            request = RestoreRequest(
                name=key,
                destination="",
                target=Path(target),
                overwrite=overwrite,
                only=listed(only),
                xattrs=xattrs if xattrs is not None else self.profile.xattrs,
                keys=self._opening(password, identities, ask, head=lambda _: head_of(objects, key)),
            )
            return restore_stored(objects, key, request, tools)

        return self._run("restore", carry_out, reported=lambda done: done.backup)

    def verify(
        self,
        filename: str | Backup | None = None,
        destination: str | None = None,
        *,
        host: str | None = None,
        quick: bool = False,
        allow_plain: bool = False,
        password: str | None = None,
        identities: Sequence[AnyPath] = (),
        ask: Ask | None = None,
        on_verified: Callable[[Verified], None] = ignore,
    ) -> list[Verified]:
        """Check backups without writing a file.

        Args:
            filename, destination: As of `restore`; None as `filename` means every backup of the destination.
            host: Only backups of this host.
            quick: Check only existence and size.
            allow_plain: Accept a plain backup even if the one before it in its series is encrypted.
            password, identities, ask: As of `restore`.
            on_verified: Called with each result as it comes.

        Returns:
            The results, which are also in the records (`metadata["verified"]`). A backup that is not good is a result
            with an `error`.

        Raises:
            BackupNotFound: There is no such backup.
        """

        def carry_out(tools: Tools) -> list[Verified]:
            return verify_backups(
                filename,
                self._place(destination, filename),
                tools,
                host=host,
                quick=quick,
                allow_plain=allow_plain,
                keys=self._opening(password, identities, ask),
                on_verified=on_verified,
            )

        return self._run("verify", carry_out, failure=_error_of)


def tier_of(tier: Tier | str | None) -> Tier | None:
    """Return the tier of this name. Raises `UsageError`."""
    try:
        return Tier(tier) if tier is not None else None
    except ValueError:
        raise UsageError(f"there is no tier {tier!r}; choose one of {', '.join(Tier)}") from None


def _error_of(results: list[Verified]) -> BakthatError | None:
    """Return the error of a backup that is not good; else of one that could not be checked."""
    bad = [result.error for result in results if result.error is not None and result.is_bad]
    unchecked = [result.error for result in results if result.error is not None and not result.is_bad]
    return first_error(bad, unchecked)
