"""The verbs of the library that are about records: `show`, `delete` and `sync`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import timedelta

from bakthat.domain.backup import Backup, Owner, split_tags
from bakthat.domain.callbacks import ignore
from bakthat.domain.interval import interval_of
from bakthat.domain.query import Query
from bakthat.entrypoints.destinations import destination_names, owners_of
from bakthat.entrypoints.library.opened_profile import OpenedProfile, listed, text_of
from bakthat.errors import BakthatError, RetrievalPending
from bakthat.usecases.delete import DeleteRequest, DeletionCandidate, deletion_candidate
from bakthat.usecases.delete import delete as delete_backup
from bakthat.usecases.show import show as show_backups
from bakthat.usecases.sync import Synced, SyncReport
from bakthat.usecases.sync import sync as sync_with_store


class RecordVerbs(OpenedProfile):
    """Listing, deleting and finding backups again."""

    def show(
        self,
        query: str = "",
        destination: str | None = None,
        *,
        tags: str | Sequence[str] = (),
        since: str | timedelta | None = None,
        host: str | None = None,
        deleted: bool = False,
        everything: bool = False,
    ) -> list[Backup]:
        """List the backups in the stores of this profile, newest first, as `bakthat show -p PROFILE` does.

        Only the database is read. The stores are those that the profile names, and those that `open_profile` was given.

        Args:
            query: Part of the series or of the stored filename.
            destination: Only of this one; None means all.
            tags: Only backups that have every one of them.
            since: Only backups that are at most so old: `7D`, or a `timedelta`.
            host: Only backups of this host.
            deleted: Also those that are deleted.
            everything: Whatever the profile's database has, also of other profiles that use it, and of stores that the
                profile does not name any more.

        Raises:
            InvalidInterval, DatabaseError: Nothing can be listed.
        """
        return show_backups(
            Query(
                text=text_of(query, "a query is a part of a name"),
                backend=destination,
                tags=split_tags(list(tags) if not isinstance(tags, str) else tags),
                deleted=deleted,
                owners=None if everything else self._owners(),
            ),
            self.tools.repo,
            since=self.tools.clock() - interval_of(since) if since is not None else None,
            host=host,
        )

    def _owners(self) -> tuple[Owner, ...]:
        handed_in = [self.tools.destination(name).owner for name in self._handed_in]
        return (*handed_in, *owners_of(self.profile, self.tools.notice))

    def delete(
        self,
        filename: str | Backup,
        destination: str | None = None,
        *,
        host: str | None = None,
        dry_run: bool = False,
        spare_last_complete: bool = False,
        with_dependents: bool = False,
        on_removed: Callable[[Backup], None] = ignore,
    ) -> Backup:
        """Delete one backup, chosen as `restore` chooses it.

        Args:
            filename, destination: As of `restore`.
            host: Only a backup of this host.
            dry_run: Only return which it is.
            spare_last_complete: Raise `DeletionRefused` instead of deleting the only complete backup of an origin.
            with_dependents: Also delete the incremental backups that cannot be restored without it, before it.
            on_removed: Called with the record of each backup that was deleted.

        Returns:
            Its record.

        Raises:
            BackupNotFound, AmbiguousName: No backup was chosen.
            DeletionRefused: Incremental backups need it, and `with_dependents` was not given.
            StoreError: The record still exists, and deleting again completes the work.
        """
        request = DeleteRequest(
            name=filename,
            destination=self._place(destination, filename),
            host=host,
            dry_run=dry_run,
            spare_last_complete=spare_last_complete,
            with_dependents=with_dependents,
            on_removed=on_removed,
        )
        if dry_run:
            return delete_backup(request, self.tools)
        return self._run("delete", lambda tools: delete_backup(request, tools))

    def about_to_delete(
        self, filename: str | Backup, destination: str | None = None, *, host: str | None = None
    ) -> DeletionCandidate:
        """Return what `delete` would delete, with the facts for a confirmation. Raises as `delete`."""
        return deletion_candidate(
            DeleteRequest(name=filename, destination=self._place(destination, filename), host=host), self.tools
        )

    def sync(self, destination: str | None = None, *, dry_run: bool = False) -> SyncReport:
        """Update the database from the stores, as `bakthat sync` does. Stores are never changed.

        Args:
            destination: Its name (`s3`, `local`, …); None means every destination that the profile names, or that
                `open_profile` was given.
            dry_run: Only report what would change.

        Returns:
            What changed, in all of them together. `sync_all` has a report for each.

        Raises:
            StoreError: The first failure, after all other destinations were synced. The records of the one that failed
                are unchanged.
        """
        synced = self.sync_all([destination] if destination is not None else [], dry_run=dry_run)
        for error in synced.failures.values():
            raise error
        return synced.together

    def sync_all(self, destinations: Sequence[str] = (), *, dry_run: bool = False) -> Synced:
        """Sync several destinations; hooks run once, for all of them together.

        Args:
            destinations: Their names; by default all that the profile names, or that `open_profile` was given.
            dry_run: Only report what would change.

        Returns:
            A report or a failure for each. A store that fails does not stop the rest.
        """
        synced = Synced()
        session = self._new_session()

        def sync_one(name: str) -> SyncReport:
            if dry_run:
                return sync_with_store(name, self.tools, dry_run=True)
            return self._between_events("sync", session, lambda tools: sync_with_store(name, tools))

        try:
            for name in listed(destinations) or dict.fromkeys((*destination_names(self.profile), *self._handed_in)):
                try:
                    synced.reports[name] = sync_one(name)
                except BakthatError as error:
                    synced.failures[name] = error
        except BaseException as error:
            self._run_hooks("sync", session, synced, error)
            raise
        if not dry_run:
            self._run_hooks("sync", session, synced, first_error([], synced.failures.values()))
        return synced


def first_error(worst: Iterable[BakthatError], others: Iterable[BakthatError]) -> BakthatError | None:
    """Return the first of the worst, else of the others; a retrieval that is only pending last."""
    return next(iter([*worst, *sorted(others, key=lambda error: isinstance(error, RetrievalPending))]), None)
