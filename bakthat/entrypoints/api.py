"""The Python face of bakthat: `open_profile` gives a `Bakthat`, whose methods are the verbs."""

from __future__ import annotations

import logging
import os
import socket
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import TypeVar

from attrs import evolve

from bakthat.domain.archive_format import Compression
from bakthat.domain.backup import Backup, split_tags
from bakthat.domain.callbacks import ignore
from bakthat.domain.interval import parse_interval
from bakthat.domain.objects import Tier
from bakthat.domain.origin import GroupBy, Scope
from bakthat.domain.payload import Keys
from bakthat.domain.profile import Profile
from bakthat.domain.progress import Progress
from bakthat.domain.query import Query
from bakthat.domain.rotation import Plan, RotationPolicy, policy_from
from bakthat.domain.size import parse_size
from bakthat.entrypoints.destinations import destination_names, locate
from bakthat.entrypoints.hooks import Hooks, hooks_of
from bakthat.entrypoints.keys import Ask, opening_keys, sealing_keys
from bakthat.entrypoints.wiring import build_tools, open_config, utc_now
from bakthat.errors import BakthatError, RetrievalPending, UsageError
from bakthat.ports.archive_store import ArchiveStore
from bakthat.ports.config_source import ConfigSource
from bakthat.ports.metadata_repo import MetadataRepo
from bakthat.ports.object_store import ObjectStore
from bakthat.ports.payload import Cipher
from bakthat.usecases.backup import BackupRequest
from bakthat.usecases.backup import backup as make_backup
from bakthat.usecases.backup_survey import survey_backup
from bakthat.usecases.delete import DeleteRequest, DeletionCandidate, deletion_candidate
from bakthat.usecases.delete import delete as delete_backup
from bakthat.usecases.events import Events
from bakthat.usecases.exclusions import ExclusionRequest
from bakthat.usecases.restore import Restored, RestoreRequest, restore_stored
from bakthat.usecases.restore import restore as restore_backup
from bakthat.usecases.retention import Retention
from bakthat.usecases.retention import remove_older_than as remove_older
from bakthat.usecases.retention import rotate_backups as rotate
from bakthat.usecases.show import show as show_backups
from bakthat.usecases.sync import Synced, SyncReport
from bakthat.usecases.sync import sync as sync_with_store
from bakthat.usecases.tools import Tools
from bakthat.usecases.verify import Verified
from bakthat.usecases.verify import verify as verify_backups

log = logging.getLogger("bakthat")

T = TypeVar("T")
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
    archives: ArchiveStore | None = None,
    repo: MetadataRepo | None = None,
    cipher: Cipher | None = None,
    clock: Callable[[], datetime] = utc_now,
    host: Callable[[], str] = socket.gethostname,
    environment: Mapping[str, str] = os.environ,
    notice: Callable[[str], None] = log_notice,
    progress: Callable[[Progress], None] = ignore,
    events: Events | None = None,
    second_process: bool = False,
) -> Bakthat:
    """The verbs for one profile. Nothing is opened, created or contacted yet.

    profile: a name in the configuration, or the settings themselves.
    config: a file, which must exist, or any `ConfigSource`; None is `~/.bakthat.yml`, which need not exist.
    store: takes the place of the profile's default destination.
    stores: take the place of destinations, or add some, by name.
    archives: takes the place of the vault of `glacier`.
    repo, cipher, clock, environment: take the place of what the profile and the machine would give.
    host: names this machine where neither BAKTHAT_HOST nor the profile's `host` does.
    notice: takes lines for a person; by default they are warnings of the logger `bakthat`.
    progress: told how far a verb has come, often.
    events: whose listeners are told; new ones by default.
    second_process: a restore of many small files may start one, `sys.executable`, that makes part of them.

    Raises `ProfileNotFound`, `ConfigInvalid`.
    """
    every_profile: Callable[[], Iterable[Profile]] = tuple
    if not isinstance(profile, Profile):
        if not isinstance(config, ConfigSource):
            config = open_config(os.fspath(config) if config is not None else None, notice=notice)
        profile = config.load(profile)
        every_profile = config.readable_profiles
    handed_in = dict(stores or {})
    if store is not None:
        handed_in[profile.default_destination] = store
    tools = build_tools(
        profile,
        stores=handed_in,
        archives=archives,
        repo=repo,
        cipher=cipher,
        clock=clock,
        host=lambda: environment.get("BAKTHAT_HOST") or profile.host or host(),
        notice=notice,
        progress=progress,
        second_process=second_process,
        profiles=every_profile,
    )
    hooks = hooks_of(profile, environment, notice)
    return Bakthat(profile, tools, environment=environment, events=events, hooks=hooks)


class Bakthat:
    """The verbs, for one profile and its tools. Never prompts, prints, exits, or configures logging.

    `destination` is a name (`s3`, `local`, …); None is the profile's default destination.
    """

    def __init__(
        self,
        profile: Profile,
        tools: Tools,
        *,
        environment: Mapping[str, str] = os.environ,
        events: Events | None = None,
        hooks: Hooks | None = None,
        new_session: Callable[[], str] = lambda: str(uuid.uuid4()),
    ) -> None:
        """`open_profile` makes one.

        events: whose listeners are told.
        hooks: the profile's commands, run when a verb has ended.
        new_session: makes the id that ties the events of one call together.
        """
        self.profile = profile
        self.events = events if events is not None else Events()
        self._hooks = hooks
        self._tools = tools
        self._environment = environment
        self._new_session = new_session

    @property
    def tools(self) -> Tools:
        """What the verbs are handed."""
        return self._tools

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
        exclude_from: Sequence[AnyPath] = (),
        gitignore: bool | None = None,
        exclude_caches: bool | None = None,
        exclude_if_present: Sequence[str] | None = None,
        exclude_larger_than: int | str | None = None,
        one_file_system: bool | None = None,
        recorded_source: str | None = None,
        ask: Ask | None = None,
        on_excluded: Callable[[str, str], None] | None = None,
        dry_run: bool = False,
    ) -> Backup:
        """Back up a file or a directory into one archive, and give back its record.

        name: of the series; by default the base name of `filename`.
        tags: text separated by white space, or a list.
        password: "" means no password whatever the environment says; None leaves it to BAKTHAT_PASSWORD and the
        profile.
        recipients: age public keys, in the place of the profile's; they exclude a password.
        excludes: gitignore patterns, besides those of the source's own `.bakthatexclude`, else `.gitignore`.
        exclude_from: files of such patterns, which come before `excludes`; the last pattern that matches decides.
        gitignore: False ignores the source's `.gitignore`.
        exclude_caches: leave out what is in directories with a valid `CACHEDIR.TAG`, but for the tag.
        exclude_if_present: names; leave out what is in directories that hold one of them, but for it.
        exclude_larger_than: leave out larger files; bytes, or text such as `500M`.
        one_file_system: leave out what is mounted below the source. These five are the profile's where they are None.
        recorded_source: what the record says that the files come from, instead of their path; "" for nothing.
        ask: called for a password if none is found elsewhere.
        on_excluded: called with the path of each entry that is left out, and with what leaves it out.
        dry_run: walk through the source and give back the record as it would be, with `counts` and `excluded` in its
        metadata and a size of 0. No file is read, no store is contacted, nothing is stored or recorded.

        The record's `is_incomplete` tells whether files could not be read as they were. Raises `SourceError`,
        `InvalidName`, `UsageError`, `ConfigError`, `StoreError`, `DatabaseError`; nothing is stored then, unless the
        message says so.
        """
        profile = self.profile

        def requested() -> BackupRequest:
            if not os.fspath(filename):
                # As from an unset variable in a script, which must not become a backup of wherever it runs.
                raise UsageError("FILENAME is empty; leave it out to back up the current directory")
            larger_than = (
                parse_size(exclude_larger_than) if isinstance(exclude_larger_than, str) else exclude_larger_than
            )
            return BackupRequest(
                source=Path(filename),
                destination=self._destination(destination),
                name=name,
                tags=split_tags(list(tags) if not isinstance(tags, str) else tags),
                exclusions=ExclusionRequest(
                    patterns=tuple(excludes),
                    files=tuple(Path(path) for path in exclude_from),
                    gitignore=_given(gitignore, profile.gitignore),
                    caches=_given(exclude_caches, profile.exclude_caches),
                    if_present=tuple(_given(exclude_if_present, profile.exclude_if_present)),
                    larger_than=_given(larger_than, profile.exclude_larger_than),
                    one_file_system=_given(one_file_system, profile.one_file_system),
                ),
                on_excluded=on_excluded,
                compression=Compression.GZIP if profile.compress else Compression.NONE,
                recorded_source=recorded_source,
            )

        if dry_run:
            return survey_backup(requested(), self.tools)

        def carry_out(tools: Tools) -> Backup:
            request = requested()
            if ask is not None:
                # Nobody is asked for a password in vain.
                tools.examine(request.source)
                tools.destination(request.destination)
            keys = sealing_keys(
                self.profile, password=password, recipients=recipients, ask=ask, environment=self._environment
            )
            return make_backup(evolve(request, keys=keys), tools)

        return self._run("backup", carry_out)

    def restore(
        self,
        filename: str,
        destination: str | None = None,
        *,
        host: str | None = None,
        target: AnyPath = ".",
        overwrite: bool = False,
        allow_plain: bool = False,
        password: str | None = None,
        identities: Sequence[AnyPath] = (),
        only: Sequence[str] = (),
        tier: Tier | str | None = None,
        wait: bool = False,
        ask: Ask | None = None,
    ) -> Backup:
        """Restore a backup into the directory `target`, all or nothing, and give back its record.

        filename: a stored filename, a series (its newest backup), or a series and the start of a date.
        host: only a backup of this host; needed where several machines or directories share the name of a series.
        overwrite: replace what is there under the backup's own name, instead of raising `TargetExists`.
        allow_plain: restore a plain backup even where the one before it in its series is encrypted.
        password: of the backup; None leaves it to BAKTHAT_PASSWORD and the profile.
        identities: age key files, in the place of the profile's.
        only: gitignore patterns, relative to the backup's root; what none of them matches is left out.
        tier: how fast a backup in Glacier is wanted (`expedited`, `standard`, `bulk`).
        wait: until a backup in Glacier is there, instead of raising `RetrievalPending`.
        ask: called for a password if none is found elsewhere.

        Raises `BackupNotFound`, `AmbiguousName`, `NotEncrypted`, `TargetExists`, `PasswordNeeded`, `WrongPassword`,
        `PayloadDamaged`, `RetrievalPending`, `StoreError`; nothing has changed in `target` then.
        """
        return self.restore_with_report(
            filename,
            destination,
            host=host,
            target=target,
            overwrite=overwrite,
            allow_plain=allow_plain,
            password=password,
            identities=identities,
            only=only,
            tier=tier,
            wait=wait,
            ask=ask,
        ).backup

    def restore_with_report(
        self,
        filename: str,
        destination: str | None = None,
        *,
        host: str | None = None,
        target: AnyPath = ".",
        overwrite: bool = False,
        allow_plain: bool = False,
        password: str | None = None,
        identities: Sequence[AnyPath] = (),
        only: Sequence[str] = (),
        tier: Tier | str | None = None,
        wait: bool = False,
        ask: Ask | None = None,
    ) -> Restored:
        """As `restore`, and tells what now stands in the target."""

        def carry_out(tools: Tools) -> Restored:
            request = RestoreRequest(
                name=filename,
                destination=self._destination(destination),
                host=host,
                target=Path(target),
                overwrite=overwrite,
                allow_plain=allow_plain,
                only=tuple(only),
                tier=_tier(tier),
                wait=wait,
                keys=self._opening(password, identities, ask),
            )
            return restore_backup(request, tools)

        return self._run("restore", carry_out, told=lambda done: done.backup)

    def restore_from(
        self,
        place: str,
        *,
        target: AnyPath = ".",
        overwrite: bool = False,
        password: str | None = None,
        identities: Sequence[AnyPath] = (),
        only: Sequence[str] = (),
        ask: Ask | None = None,
    ) -> Restored:
        """Restore `s3://bucket/key`, a file's path, or a URL that an installed package opens, without database and
        catalog: only credentials are needed. Raises as `restore` does."""

        def carry_out(tools: Tools) -> Restored:
            objects, key = locate(place, self.profile)
            request = RestoreRequest(
                name=key,
                destination="",
                target=Path(target),
                overwrite=overwrite,
                only=tuple(only),
                keys=self._opening(password, identities, ask),
            )
            return restore_stored(objects, key, request, tools)

        return self._run("restore", carry_out, told=lambda done: done.backup)

    def show(
        self,
        query: str = "",
        destination: str | None = None,
        *,
        tags: str | Sequence[str] = (),
        deleted: bool = False,
    ) -> list[Backup]:
        """The backups in this profile's database whose series or stored filename contains `query`, newest first; of
        all destinations, unless one is named.

        tags: every one of them.
        deleted: those that are deleted, too.
        """
        return show_backups(
            Query(
                text=query,
                backend=destination,
                tags=split_tags(list(tags) if not isinstance(tags, str) else tags),
                deleted=deleted,
            ),
            self.tools.repo,
        )

    def delete(
        self,
        filename: str,
        destination: str | None = None,
        *,
        host: str | None = None,
        dry_run: bool = False,
        spare_last_complete: bool = False,
    ) -> Backup:
        """Delete one backup, chosen as `restore` does, and give back its record.

        host: only a backup of this host.
        dry_run: only tell which it is.
        spare_last_complete: raise `DeletionRefused` instead of deleting the only complete backup of an origin.

        Raises `BackupNotFound`, `AmbiguousName`, `StoreError`; the record then still stands, and deleting again
        finishes.
        """
        request = DeleteRequest(
            name=filename,
            destination=self._destination(destination),
            host=host,
            dry_run=dry_run,
            spare_last_complete=spare_last_complete,
        )
        if dry_run:
            return delete_backup(request, self.tools)
        return self._run("delete", lambda tools: delete_backup(request, tools))

    def about_to_delete(
        self, filename: str, destination: str | None = None, *, host: str | None = None
    ) -> DeletionCandidate:
        """What `delete` would delete, and what there is beside it; for a question to a person. Raises as `delete`."""
        return deletion_candidate(
            DeleteRequest(name=filename, destination=self._destination(destination), host=host), self.tools
        )

    def remove_older_than(
        self,
        filename: str,
        interval: str,
        destination: str | None = None,
        *,
        group_by: GroupBy | str = GroupBy.HOST_AND_SOURCE,
        host: str | None = None,
        source: str | None = None,
        dry_run: bool = False,
    ) -> list[Backup]:
        """Delete the backups of exactly this series that are older than an interval such as `3M2D8h20m5s`, of no origin
        the newest; give back the records of what is gone, oldest first. dry_run: of what would go; nothing is deleted.

        group_by, host, source: as of `rotate_backups`.

        Raises `InvalidInterval`, `BackupNotFound`, and at the end the first error of a deletion that failed.
        """
        done = self.remove_older_than_with_report(
            filename, interval, destination, group_by=group_by, host=host, source=source, dry_run=dry_run
        )
        return _removed(done, dry_run)

    def remove_older_than_with_report(
        self,
        filename: str,
        interval: str,
        destination: str | None = None,
        *,
        group_by: GroupBy | str = GroupBy.HOST_AND_SOURCE,
        host: str | None = None,
        source: str | None = None,
        dry_run: bool = False,
        on_plan: Callable[[Plan], None] = ignore,
    ) -> Retention:
        """As `remove_older_than`, and tells what was kept and why, and what could not be deleted.

        on_plan: sees what is kept and dropped before anything is deleted.
        """

        def carry_out(tools: Tools) -> Retention:
            age, place = parse_interval(interval), self._destination(destination)
            scope = _scope(group_by, host, source)
            return remove_older(filename, place, age, tools, scope=scope, dry_run=dry_run, on_plan=on_plan)

        return self._retain("delete_older_than", dry_run, carry_out)

    def rotate_backups(
        self,
        filename: str,
        destination: str | None = None,
        *,
        policy: RotationPolicy | None = None,
        group_by: GroupBy | str = GroupBy.HOST_AND_SOURCE,
        host: str | None = None,
        source: str | None = None,
        dry_run: bool = False,
    ) -> list[Backup]:
        """Delete what the policy (None: the profile's `rotation`) does not keep of exactly this series; give back the
        records of what is gone, oldest first. dry_run: of what would go; nothing is deleted.

        group_by: what makes an origin, each of which is thinned by itself: `host,source`, `host`, `source`, or `none`.
        host, source: only origins of this host, of this path.

        Raises `InvalidPolicy`, `BackupNotFound`, and at the end the first error of a deletion that failed.
        """
        done = self.rotate_backups_with_report(
            filename, destination, policy=policy, group_by=group_by, host=host, source=source, dry_run=dry_run
        )
        return _removed(done, dry_run)

    def rotate_backups_with_report(
        self,
        filename: str,
        destination: str | None = None,
        *,
        policy: RotationPolicy | None = None,
        group_by: GroupBy | str = GroupBy.HOST_AND_SOURCE,
        host: str | None = None,
        source: str | None = None,
        dry_run: bool = False,
        on_plan: Callable[[Plan], None] = ignore,
    ) -> Retention:
        """As `rotate_backups`, and tells what was kept and why, and what could not be deleted.

        on_plan: sees what is kept and dropped before anything is deleted.
        """

        def carry_out(tools: Tools) -> Retention:
            chosen = policy
            if chosen is None:
                chosen = policy_from(self.profile.rotation, where=f"profile {self.profile.name!r}")
            scope, place = _scope(group_by, host, source), self._destination(destination)
            return rotate(filename, place, chosen, tools, scope=scope, dry_run=dry_run, on_plan=on_plan)

        return self._retain("rotate_backups", dry_run, carry_out)

    def sync(self, destination: str | None = None, *, dry_run: bool = False) -> SyncReport:
        """Make the database agree with the store, in which nothing is ever changed. Raises `StoreError`."""
        synced = self.sync_all([self._destination(destination)], dry_run=dry_run)
        for error in synced.failures.values():
            raise error
        return next(iter(synced.reports.values()))

    def sync_all(self, destinations: Sequence[str] = (), *, dry_run: bool = False) -> Synced:
        """As `sync`, for each of the destinations, by default all that the profile names. A store that fails does not
        stop the rest: see the result. Hooks run once, for all of them together."""
        synced = Synced()
        session = self._new_session()

        def sync_one(name: str) -> SyncReport:
            if dry_run:
                return sync_with_store(name, self.tools, dry_run=True)
            return self._told_of("sync", session, lambda tools: sync_with_store(name, tools))

        try:
            for name in destinations or destination_names(self.profile):
                try:
                    synced.reports[name] = sync_one(name)
                except BakthatError as error:
                    synced.failures[name] = error
        except BaseException as error:
            self._end("sync", session, synced, error)
            raise
        if not dry_run:
            self._end("sync", session, synced, _first([], synced.failures.values()))
        return synced

    def verify(
        self,
        filename: str | None = None,
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
        """Check a backup, chosen as `restore` does, or with None every one of the destination, without writing a file.
        The results are also in the records (`metadata["verified"]`).

        host: only backups of this host.
        quick: only whether it is there, and of the right size.
        allow_plain: a plain backup is no error even where the one before it in its series is encrypted.
        on_verified: told each result as it comes.

        Raises `BackupNotFound`; a backup that is not good is a result with an `error`.
        """

        def carry_out(tools: Tools) -> list[Verified]:
            return verify_backups(
                filename,
                self._destination(destination),
                tools,
                host=host,
                quick=quick,
                allow_plain=allow_plain,
                keys=self._opening(password, identities, ask),
                on_verified=on_verified,
            )

        return self._run("verify", carry_out, failure=_first_error)

    def value_keys(self, password: str | None) -> Keys:
        """What seals and opens values of `KeyValue`: the password, if there is one."""
        return Keys(passphrase=password or None)

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

    def _run(
        self,
        verb: str,
        carry_out: Callable[[Tools], T],
        *,
        told: Callable[[T], object] = lambda done: done,
        failure: Callable[[T], BaseException | None] = lambda _: None,
    ) -> T:
        """Carry out a verb between its two events, and run the profile's command for how it ended. `told` makes what
        the listeners of `on_…` get; `failure` finds what went wrong although the verb returned."""
        session = self._new_session()
        try:
            done = self._told_of(verb, session, carry_out, told=told, failure=failure)
        except BaseException as error:
            self._end(verb, session, None, error)
            raise
        self._end(verb, session, done, failure(done))
        return done

    def _told_of(
        self,
        verb: str,
        session: str,
        carry_out: Callable[[Tools], T],
        *,
        told: Callable[[T], object] = lambda done: done,
        failure: Callable[[T], BaseException | None] = lambda _: None,
    ) -> T:
        """Carry out a verb between its two events."""
        self.events.tell_before(verb, session)
        try:
            done = carry_out(self._watched(session))
        except BaseException as error:
            self.events.on_failure(session, verb, error)
            raise
        failed = failure(done)
        if failed is not None:
            self.events.on_failure(session, verb, failed)
        else:
            self.events.tell_on(verb, session, told(done))
        return done

    def _end(self, verb: str, session: str, done: object, error: BaseException | None) -> None:
        if self._hooks is not None:
            self._hooks.ended(verb, session, done, error)

    def _retain(self, verb: str, dry_run: bool, carry_out: Callable[[Tools], Retention]) -> Retention:
        if dry_run:
            return carry_out(self.tools)
        return self._run(
            verb,
            carry_out,
            told=lambda done: list(done.removed),
            failure=lambda done: done.failed[0][1] if done.failed else None,
        )

    def _watched(self, session: str) -> Tools:
        """The tools, with progress told to the listeners too, if there are any."""
        if not len(self.events.on_progress):
            return self.tools

        def progress(report: Progress) -> None:
            self.tools.progress(report)
            self.events.on_progress(session, report)

        return evolve(self.tools, progress=progress)

    def _destination(self, destination: str | None) -> str:
        return destination if destination is not None else self.profile.default_destination


def _given(value: T | None, default: T) -> T:
    return value if value is not None else default


def _tier(tier: Tier | str | None) -> Tier | None:
    try:
        return Tier(tier) if tier is not None else None
    except ValueError:
        raise UsageError(f"there is no tier {tier!r}; choose one of {', '.join(Tier)}") from None


def _scope(group_by: GroupBy | str, host: str | None, source: str | None) -> Scope:
    try:
        grouping = GroupBy(group_by)
    except ValueError:
        known = ", ".join(f"`{known}`" for known in GroupBy)
        raise UsageError(f"there is no grouping {group_by!r}; choose one of {known}") from None
    # Records hold absolute paths; `-` is a stream.
    path = source if source in (None, "-") else os.path.abspath(source)
    return Scope(group_by=grouping, host=host, source=path)


def _removed(done: Retention, dry_run: bool) -> list[Backup]:
    if dry_run:
        return [decision.backup for decision in reversed(done.plan.drop)]
    if done.failed:
        raise done.failed[0][1]
    return list(done.removed)


def _first_error(results: list[Verified]) -> BakthatError | None:
    """The error of a backup that is not good; else of one that could not be checked, a pending retrieval last."""
    bad = [result.error for result in results if result.error is not None and result.is_bad]
    return _first(bad, [result.error for result in results if result.error is not None and not result.is_bad])


def _first(worst: Iterable[BakthatError], others: Iterable[BakthatError]) -> BakthatError | None:
    """The first of the worst, else of the others; a retrieval that is only pending last."""
    return next(iter([*worst, *sorted(others, key=lambda error: isinstance(error, RetrievalPending))]), None)
