"""The Python face of bakthat: `open_profile` gives a `Bakthat`, whose methods are the verbs."""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from pathlib import Path

from bakthat.domain.backup import Backup, split_tags
from bakthat.domain.interval import parse_interval
from bakthat.domain.payload import Keys
from bakthat.domain.profile import Profile
from bakthat.domain.progress import Progress
from bakthat.domain.query import Query
from bakthat.domain.rotation import Plan, RotationPolicy, policy_from
from bakthat.entrypoints.keys import Ask, opening_keys, sealing_keys
from bakthat.entrypoints.wiring import build_tools, ignore, open_config, utc_now
from bakthat.ports.config_source import ConfigSource
from bakthat.ports.metadata_repo import MetadataRepo
from bakthat.ports.object_store import ObjectStore
from bakthat.ports.payload import Cipher
from bakthat.usecases.backup import BackupRequest
from bakthat.usecases.backup import backup as make_backup
from bakthat.usecases.delete import DeleteRequest
from bakthat.usecases.delete import delete as delete_backup
from bakthat.usecases.restore import Restored, RestoreRequest
from bakthat.usecases.restore import restore as restore_backup
from bakthat.usecases.retention import Retention
from bakthat.usecases.retention import remove_older_than as remove_older
from bakthat.usecases.retention import rotate_backups as rotate
from bakthat.usecases.show import show as show_backups
from bakthat.usecases.sync import SyncReport
from bakthat.usecases.sync import sync as sync_with_store
from bakthat.usecases.tools import Tools
from bakthat.usecases.verify import Verified
from bakthat.usecases.verify import verify as verify_backups

log = logging.getLogger("bakthat")

AnyPath = str | os.PathLike[str]


def log_notice(text: str) -> None:
    """A notice for a person, as a warning of the logger `bakthat`."""
    log.warning("%s", text)


def open_profile(
    profile: str | Profile = "default",
    *,
    config: AnyPath | ConfigSource | None = None,
    store: ObjectStore | None = None,
    stores: Mapping[str, ObjectStore] | None = None,
    repo: MetadataRepo | None = None,
    cipher: Cipher | None = None,
    clock: Callable[[], datetime] = utc_now,
    host: Callable[[], str] = socket.gethostname,
    environment: Mapping[str, str] = os.environ,
    notice: Callable[[str], None] = log_notice,
    progress: Callable[[Progress], None] = ignore,
) -> Bakthat:
    """The verbs for one profile. Nothing is opened, created or contacted yet.

    profile: a name in the configuration, or the settings themselves.
    config: a file, which must exist, or any `ConfigSource`; None is `~/.bakthat.yml`, which need not exist.
    store: takes the place of the profile's default destination; `stores`: of destinations by name.
    repo, cipher, clock, host, environment: take the place of what the profile and the machine would give.
    notice: takes lines for a person; by default they are warnings of the logger `bakthat`.

    Raises `ProfileNotFound`, `ConfigInvalid`.
    """
    if not isinstance(profile, Profile):
        source = config if isinstance(config, ConfigSource) else None
        if source is None:
            source = open_config(os.fspath(config) if config is not None else None, notice=notice)  # type: ignore[arg-type]
        profile = source.load(profile)
    handed_in = dict(stores or {})
    if store is not None:
        handed_in[profile.default_destination] = store
    tools = build_tools(
        profile,
        stores=handed_in,
        repo=repo,
        cipher=cipher,
        clock=clock,
        host=host,
        notice=notice,
        progress=progress,
    )
    return Bakthat(profile, tools, environment=environment)


class Bakthat:
    """The verbs, for one profile and its tools. Never prompts, prints, exits, or configures logging.

    `destination` is a name (`s3`, `local`, …); None is the profile's default destination.
    """

    def __init__(self, profile: Profile, tools: Tools, *, environment: Mapping[str, str] = os.environ) -> None:
        self.profile = profile
        self.tools = tools
        self._environment = environment

    def __repr__(self) -> str:
        return f"Bakthat(profile={self.profile.name!r})"

    def backup(
        self,
        filename: AnyPath = ".",
        destination: str | None = None,
        *,
        name: str | None = None,
        tags: str | Sequence[str] = (),
        password: str | None = None,
        recipients: Sequence[str] = (),
        excludes: Sequence[str] = (),
        ask: Ask | None = None,
    ) -> Backup:
        """Back up a file or a directory into one archive, and give back its record.

        name: of the series; by default the base name of `filename`. tags: text separated by white space, or a list.
        password: "" means no password whatever the environment says; None leaves it to BAKTHAT_PASSWORD and the
        profile. recipients: age public keys; they exclude a password. excludes: gitignore patterns.
        ask: called for a password if none is found elsewhere.

        The record's `is_incomplete` tells whether files could not be read as they were. Raises `SourceError`,
        `InvalidName`, `UsageError`, `ConfigError`, `StoreError`, `DatabaseError`; nothing is stored then, unless the
        message says so.
        """
        keys = sealing_keys(
            self.profile, password=password, recipients=recipients, ask=ask, environment=self._environment
        )
        request = BackupRequest(
            source=Path(filename),
            destination=self._destination(destination),
            name=name,
            tags=split_tags(list(tags) if not isinstance(tags, str) else tags),
            keys=keys,
            excludes=tuple(excludes),
            compress=self.profile.compress,
        )
        return make_backup(request, self.tools)

    def restore(
        self,
        filename: str,
        destination: str | None = None,
        *,
        target: AnyPath = ".",
        overwrite: bool = False,
        password: str | None = None,
        identities: Sequence[AnyPath] = (),
        only: Sequence[str] = (),
        ask: Ask | None = None,
    ) -> Backup:
        """Restore a backup into the directory `target`, all or nothing, and give back its record.

        filename: a stored filename, a series (its newest backup), or a series and the start of a date. identities:
        age key files. only: gitignore patterns, relative to the backup's root.

        Raises `BackupNotFound`, `AmbiguousName`, `TargetExists`, `PasswordNeeded`, `WrongPassword`, `PayloadDamaged`,
        `StoreError`; nothing has changed in `target` then.
        """
        return self.restore_with_report(
            filename,
            destination,
            target=target,
            overwrite=overwrite,
            password=password,
            identities=identities,
            only=only,
            ask=ask,
        ).backup

    def restore_with_report(
        self,
        filename: str,
        destination: str | None = None,
        *,
        target: AnyPath = ".",
        overwrite: bool = False,
        password: str | None = None,
        identities: Sequence[AnyPath] = (),
        only: Sequence[str] = (),
        ask: Ask | None = None,
    ) -> Restored:
        """As `restore`, and tells what now stands in the target."""
        request = RestoreRequest(
            name=filename,
            destination=self._destination(destination),
            target=Path(target),
            overwrite=overwrite,
            only=tuple(only),
            keys=self._opening(password, identities, ask),
        )
        return restore_backup(request, self.tools)

    def show(
        self,
        query: str = "",
        destination: str | None = None,
        *,
        tags: str | Sequence[str] = (),
        deleted: bool = False,
    ) -> list[Backup]:
        """The backups in this profile's database whose series or stored filename contains `query`, newest first; of
        all destinations, unless one is named. tags: every one of them. deleted: those that are deleted, too."""
        return show_backups(
            Query(
                text=query,
                backend=destination,
                tags=split_tags(list(tags) if not isinstance(tags, str) else tags),
                deleted=deleted,
            ),
            self.tools.repo,
        )

    def delete(self, filename: str, destination: str | None = None, *, dry_run: bool = False) -> Backup:
        """Delete one backup, chosen as `restore` does, and give back its record. dry_run: only tell which it is.

        Raises `BackupNotFound`, `AmbiguousName`, `StoreError`; the record then still stands, and deleting again
        finishes.
        """
        request = DeleteRequest(name=filename, destination=self._destination(destination), dry_run=dry_run)
        return delete_backup(request, self.tools)

    def remove_older_than(
        self, filename: str, interval: str, destination: str | None = None, *, dry_run: bool = False
    ) -> list[Backup]:
        """Delete the backups of exactly this series that are older than an interval such as `3M2D8h20m5s`, never the
        newest; give back the records of what is gone.

        Raises `InvalidInterval`, `BackupNotFound`, and at the end the first error of a deletion that failed.
        """
        done = self.remove_older_than_with_report(filename, interval, destination, dry_run=dry_run)
        return _removed(done)

    def remove_older_than_with_report(
        self,
        filename: str,
        interval: str,
        destination: str | None = None,
        *,
        dry_run: bool = False,
        on_plan: Callable[[Plan], None] = ignore,
    ) -> Retention:
        """As `remove_older_than`, and tells what was kept and why, and what could not be deleted."""
        return remove_older(
            filename,
            self._destination(destination),
            parse_interval(interval),
            self.tools,
            dry_run=dry_run,
            on_plan=on_plan,
        )

    def rotate_backups(
        self,
        filename: str,
        destination: str | None = None,
        *,
        policy: RotationPolicy | None = None,
        dry_run: bool = False,
    ) -> list[Backup]:
        """Delete what the policy (None: the profile's `rotation`) does not keep of exactly this series; give back the
        records of what is gone.

        Raises `InvalidPolicy`, `BackupNotFound`, and at the end the first error of a deletion that failed.
        """
        return _removed(self.rotate_backups_with_report(filename, destination, policy=policy, dry_run=dry_run))

    def rotate_backups_with_report(
        self,
        filename: str,
        destination: str | None = None,
        *,
        policy: RotationPolicy | None = None,
        dry_run: bool = False,
        on_plan: Callable[[Plan], None] = ignore,
    ) -> Retention:
        """As `rotate_backups`, and tells what was kept and why, and what could not be deleted."""
        if policy is None:
            policy = policy_from(self.profile.rotation, where=f"profile {self.profile.name!r}")
        return rotate(filename, self._destination(destination), policy, self.tools, dry_run=dry_run, on_plan=on_plan)

    def sync(self, destination: str | None = None, *, dry_run: bool = False) -> SyncReport:
        """Make the database agree with the store, in which nothing is ever changed. Raises `StoreError`."""
        return sync_with_store(self._destination(destination), self.tools, dry_run=dry_run)

    def verify(
        self,
        filename: str | None = None,
        destination: str | None = None,
        *,
        quick: bool = False,
        password: str | None = None,
        identities: Sequence[AnyPath] = (),
        ask: Ask | None = None,
        on_verified: Callable[[Verified], None] = ignore,
    ) -> list[Verified]:
        """Check a backup, chosen as `restore` does, or with None every one of the destination, without writing a file.
        The results are also in the records (`metadata["verified"]`).

        Raises `BackupNotFound`; a backup that is not good is a result with an `error`.
        """
        return verify_backups(
            filename,
            self._destination(destination),
            self.tools,
            quick=quick,
            keys=self._opening(password, identities, ask),
            on_verified=on_verified,
        )

    def _opening(
        self, password: str | None, identities: Sequence[AnyPath], ask: Ask | None
    ) -> Callable[[Backup], Keys]:
        return lambda backup: opening_keys(
            backup,
            self.profile,
            password=password,
            identities=[os.fspath(path) for path in identities],
            ask=ask,
            environment=self._environment,
            notice=self.tools.notice,
        )

    def _destination(self, destination: str | None) -> str:
        return destination if destination is not None else self.profile.default_destination


def _removed(done: Retention) -> list[Backup]:
    if done.failed:
        raise done.failed[0][1]
    return list(done.removed)
