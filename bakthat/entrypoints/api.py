"""The Python API: `open_profile` returns a `Bakthat`, whose methods are the verbs."""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime

from attrs import evolve

from bakthat.domain.callbacks import ignore
from bakthat.domain.job import Job, jobs_of
from bakthat.domain.payload import Keys
from bakthat.domain.profile import Profile
from bakthat.domain.progress import Progress
from bakthat.domain.settings import rate
from bakthat.entrypoints.chosen_profile import chosen_profile
from bakthat.entrypoints.config_place import open_config
from bakthat.entrypoints.hooks import hooks_of
from bakthat.entrypoints.library.backup_verbs import BackupVerbs
from bakthat.entrypoints.library.cleanup_verbs import CleanupVerbs
from bakthat.entrypoints.library.content_verbs import ContentVerbs
from bakthat.entrypoints.library.copy_verbs import CopyVerbs
from bakthat.entrypoints.library.inventory_verbs import InventoryVerbs
from bakthat.entrypoints.library.job_verbs import JobVerbs
from bakthat.entrypoints.library.opened_profile import AnyPath, ProfileJobs
from bakthat.entrypoints.library.record_verbs import RecordVerbs
from bakthat.entrypoints.library.restore_verbs import RestoreVerbs
from bakthat.entrypoints.library.retention_verbs import RetentionVerbs
from bakthat.entrypoints.library.salvage_verbs import SalvageVerbs
from bakthat.entrypoints.pings import Pings
from bakthat.entrypoints.wiring import absolute_path, build_tools, lock_files, pings_of, utc_now
from bakthat.errors import ConfigInvalid, UsageError
from bakthat.ports.archive_store import ArchiveStore
from bakthat.ports.config_source import ConfigSource
from bakthat.ports.job_locks import JobLocks
from bakthat.ports.metadata_repo import MetadataRepo
from bakthat.ports.object_store import ObjectStore
from bakthat.ports.payload import Cipher
from bakthat.ports.pinger import Pinger
from bakthat.usecases.events import Events
from bakthat.usecases.tools import Tools

log = logging.getLogger("bakthat")


class Bakthat(
    JobVerbs,
    BackupVerbs,
    RestoreVerbs,
    SalvageVerbs,
    ContentVerbs,
    RecordVerbs,
    RetentionVerbs,
    CopyVerbs,
    CleanupVerbs,
    InventoryVerbs,
):
    """The verbs, for one profile and its tools. Never prompts, prints, exits, or configures logging.

    `destination` is a name (`s3`, `local`, …); None means the profile's default destination. Where a verb takes a list
    of texts or paths, a single one counts as a list of one.
    """

    def value_keys(self, password: str | None) -> Keys:
        """Return what encrypts and decrypts the values of `KeyValue`: the password, if there is one."""
        return Keys(passphrase=password or None)


def log_notice(text: str) -> None:
    """Log a notice as a warning of the logger `bakthat`."""
    log.warning("%s", text)


def open_profile(
    profile: str | Profile | None = None,
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
    ask_passphrase: Callable[[str], str] | None = None,
    pinger: Pinger | None = None,
    locks: JobLocks | None = None,
    limit_upload: str | int | None = None,
    limit_download: str | int | None = None,
    second_process: bool = False,
) -> Bakthat:
    """Open one profile, whose verbs are the methods of the result. Nothing is opened, created or contacted yet.

        with open_profile() as bk:
            bk.backup("photos")

    Nothing needs to be closed either, so the `with` may be left out.

    Args:
        profile: A name in the configuration, or the settings themselves; None means that of BAKTHAT_PROFILE, else
            `default`.
        config: A file, which must exist, or any `ConfigSource`; None means that of BAKTHAT_CONFIG, else the usual file
            (`~/.bakthat.yml`), which need not exist.
        store: Replaces the store of the profile's default destination.
        stores: Replace or add destinations, by name.
        archives: Replaces the vault of `glacier`.
        repo, cipher, clock: Replace those of the profile and the machine.
        environment: Its variables `BAKTHAT_<KEY>` stand before the keys of a profile that is named, not before those
            of a `Profile` that is passed. BAKTHAT_PASSWORD, BAKTHAT_PASSWORD_FILE and BAKTHAT_HOST apply to both.
        host: Names this machine if neither BAKTHAT_HOST nor the profile's `host` does.
        notice: Called with lines for the user; by default they are warnings of the logger `bakthat`.
        progress: Called often with the progress of a verb.
        events: The events whose listeners are called; new ones by default.
        ask_passphrase: Called for the passphrase of a key file that is encrypted (an SSH key, or by `age -p`), with the
            name of the file; at most three times a file. Without it, such a file is an error (`PasswordNeeded`).
        pinger: Sends the pings of the profile and its jobs.
        locks: Keep two runs of a job apart.
        limit_upload, limit_download: Bytes a second, such as `5M`, at least `1K`; they replace those of the profile.
        second_process: Ignored. In 1.0, a restore could start a second process for small files.

    Raises:
        ProfileNotFound, ConfigInvalid: The configuration has no such profile, or an invalid value.
    """
    every_profile: Callable[[], Iterable[Profile]] = tuple
    where: Callable[[str], str] = "profile {!r}".format
    if isinstance(profile, Mapping):
        raise TypeError("a profile is chosen by its name, or given as `Profile(**settings)`, not as a dict of settings")
    if not isinstance(profile, Profile):
        if not isinstance(config, ConfigSource):
            path = os.fspath(config) if config is not None else None
            config = open_config(path, environment=environment, notice=notice)
        profile = chosen_profile(config, profile, environment, notice=notice)
        every_profile, where = config.readable_profiles, config.where
    listeners = events if events is not None else Events()
    limits = {"limit_upload": limit_upload, "limit_download": limit_download}
    given = {name: _rate(name, limit) for name, limit in limits.items() if limit is not None}
    if given:
        profile = evolve(profile, **given)  # type: ignore[arg-type]
    handed_in = dict(stores or {})
    if store is not None:
        handed_in[profile.default_destination] = store
    of_file, begin = config, where(profile.name)

    def where_of(job: Job | None) -> str:
        return begin if job is None else f"{begin}: jobs.{job.name}"

    def opened(chosen: Profile, job: Job | None, jobs: Mapping[str, Job]) -> Bakthat:
        tools = build_tools(
            chosen,
            stores=handed_in,
            archives=archives,
            repo=repo,
            cipher=cipher,
            clock=clock,
            host=lambda: environment.get("BAKTHAT_HOST") or chosen.host or host(),
            notice=notice,
            progress=_progress(progress, job),
            profiles=every_profile,
        )

        def other_tools(other: str | Profile) -> Tools:
            """The tools of another profile. One that has the same database shares it."""
            if not isinstance(other, Profile):
                if not isinstance(of_file, ConfigSource):
                    raise UsageError(
                        f"{other!r} names a profile of a file, and this one is from none; give a `Profile`"
                    )
                other = of_file.load(other)
            return build_tools(
                evolve(other, **given),  # type: ignore[arg-type]
                repo=tools.repo if other.database == chosen.database else None,
                clock=clock,
                host=tools.host,
                notice=notice,
                progress=progress,
            )

        return Bakthat(
            chosen,
            tools,
            environment=environment,
            events=listeners,
            hooks=hooks_of(chosen, environment, notice, where=where_of(job)),
            pings=_pings(chosen, job, pinger, notice),
            jobs=ProfileJobs(
                by_name=jobs,
                locks=lambda: locks if locks is not None else lock_files(),
                open_job=lambda one: opened(one.profile, one, {}),
            ),
            ask_passphrase=ask_passphrase if job is None else None,  # a job never asks
            handed_in=[*handed_in, *(["glacier"] if archives is not None else [])],
            other_tools=other_tools,
            where=where_of(None),
        )

    jobs = jobs_of(profile, home=absolute_path, where=where_of(None))
    for job in jobs.values():
        hooks_of(job.profile, environment, notice, where=where_of(job))  # a mistake is reported now, not in the night
    return opened(profile, None, jobs)


def _rate(name: str, limit: str | int) -> int:
    """Return the limit of an argument. Raises `ConfigInvalid`, which names the argument."""
    try:
        return rate(limit)
    except ValueError as error:
        raise ConfigInvalid(f"`{name}=`: {error}") from None


def _progress(progress: Callable[[Progress], None], job: Job | None) -> Callable[[Progress], None]:
    """Return what is called with the progress of a job's verbs: their stages have its name, since those of two jobs are
    two stages."""
    if job is None or progress is ignore:
        return progress
    return lambda report: progress(evolve(report, stage=f"{job.name}: {report.stage}"))


def _pings(profile: Profile, job: Job | None, pinger: Pinger | None, notice: Callable[[str], None]) -> Pings | None:
    """Return what reports to the monitoring service; None if nothing does. That of the profile reports on each run as a
    whole: a job that succeeds must not hide that the one before it failed."""
    if job is None:
        return pings_of(profile, frozenset({"backup", "run"}), f"profile {profile.name!r}", pinger, notice)
    if "ping" in job.replaced:
        return pings_of(profile, frozenset({"run"}), f"job {job.name!r}", pinger, notice)
    return None
