"""The verb of the library for damaged backups: `salvage`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from bakthat.domain.backup import Backup
from bakthat.domain.objects import Tier
from bakthat.entrypoints.destinations import locate
from bakthat.entrypoints.keys import Ask
from bakthat.entrypoints.library.opened_profile import AnyPath, OpenedProfile, listed
from bakthat.entrypoints.library.restore_verbs import tier_of
from bakthat.errors import PayloadDamaged
from bakthat.usecases.salvage import Salvaged, SalvageRequest, salvage_stored
from bakthat.usecases.salvage import salvage as salvage_backup
from bakthat.usecases.streams.password_check import head_of
from bakthat.usecases.tools import Tools


class SalvageVerbs(OpenedProfile):
    """Salvaging damaged backups."""

    def salvage(
        self,
        filename: str | Backup,
        destination: str | None = None,
        *,
        host: str | None = None,
        target: AnyPath = ".",
        allow_plain: bool = False,
        password: str | None = None,
        identities: Sequence[AnyPath] = (),
        only: Sequence[str] = (),
        xattrs: bool | None = None,
        tier: Tier | str | None = None,
        wait: bool = False,
        ask: Ask | None = None,
    ) -> Salvaged:
        """Bring back what can be had of a damaged backup, into the new directory `NAME.salvaged` in `target`.

        A file that is whole gets its own name. One with holes is `NAME.partial`, with zeros in the holes; one that is
        all there, but that nothing proves to be right, is `NAME.unverified`. Nothing that is there is replaced.

        For listeners and hooks it is a restore; one that brought back less than everything has failed.

        Args:
            filename, destination, host, target, allow_plain, password, identities, only, xattrs, tier, wait, ask: As of
                `restore`.

        Returns:
            What is whole, partial, unverified and missing, and whether that is everything.

        Raises:
            TargetExists: There is something called `NAME.salvaged` already.
            PayloadDamaged: The header of the encryption is damaged, so that nothing can be decrypted.
            BackupNotFound, AmbiguousName, NotEncrypted, PasswordNeeded, WrongPassword, RetrievalPending, StoreError: As
                `restore`. Nothing has changed in `target` then.
        """

        def carry_out(tools: Tools) -> Salvaged:
            request = SalvageRequest(
                name=filename,
                destination=self._place(destination, filename),
                host=host,
                target=Path(target),
                allow_plain=allow_plain,
                only=listed(only),
                xattrs=xattrs if xattrs is not None else self.profile.xattrs,
                tier=tier_of(tier),
                wait=wait,
                keys=self._opening(password, identities, ask),
            )
            return salvage_backup(request, tools)

        return self._run("restore", carry_out, reported=lambda done: done.backup, failure=_failure)

    def salvage_from(
        self,
        place: str,
        *,
        target: AnyPath = ".",
        password: str | None = None,
        identities: Sequence[AnyPath] = (),
        only: Sequence[str] = (),
        xattrs: bool | None = None,
        ask: Ask | None = None,
    ) -> Salvaged:
        """Salvage one archive from where it is, without database and catalog: only credentials are needed.

        Args:
            place: `s3://bucket/key`, a file's path, or a URL that an installed package opens.
            target, password, identities, only, xattrs, ask: As of `restore`.

        Raises:
            BakthatError: As `salvage`.
        """

        def carry_out(tools: Tools) -> Salvaged:
            objects, key = locate(place, self.profile)
            request = SalvageRequest(
                name=key,
                destination="",
                target=Path(target),
                only=listed(only),
                xattrs=xattrs if xattrs is not None else self.profile.xattrs,
                keys=self._opening(password, identities, ask, head=lambda _: head_of(objects, key)),
            )
            return salvage_stored(objects, key, request, tools)

        return self._run("restore", carry_out, reported=lambda done: done.backup, failure=_failure)


def _failure(done: Salvaged) -> PayloadDamaged | None:
    if done.is_complete:
        return None
    return PayloadDamaged(f"{done.backup.stored_filename} is damaged, and was salvaged as far as possible")
