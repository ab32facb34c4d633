"""The module-level functions, under the names and in the argument order of the bakthat of 2013.

Each opens the profile and does one thing. `conf` is a dict of settings (the keys of a profile in the configuration
file) that replaces the file. `config` is a file. Scripts that do more than one thing, or pass in ports,
open the profile once with `bakthat.open_profile`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, BinaryIO

from bakthat.domain.backup import Backup
from bakthat.domain.objects import Tier
from bakthat.domain.origin import GroupBy
from bakthat.domain.rotation import RotationPolicy
from bakthat.entrypoints.api import Bakthat, log_notice, open_profile
from bakthat.entrypoints.library.opened_profile import AnyPath
from bakthat.entrypoints.wiring import profile_from
from bakthat.errors import UsageError
from bakthat.usecases.events import Events
from bakthat.usecases.sync import SyncReport
from bakthat.usecases.verify import Verified


def opened(
    profile: str | None, config: AnyPath | None, conf: Mapping[str, Any] | None, events: Events | None = None
) -> Bakthat:
    """Return the profile, from `conf` if it is given, else from the file and the environment. Raises `ConfigError`."""
    if conf is not None:
        return open_profile(profile_from(conf, name=profile or "default", notice=log_notice), events=events)
    return open_profile(profile, config=config, events=events)


def backup(
    filename: AnyPath = ".",
    destination: str | None = None,
    profile: str | None = None,
    config: AnyPath | None = None,
    prompt: str = "no",
    tags: str | Sequence[str] = (),
    *,
    password: str | None = None,
    recipients: Sequence[str] = (),
    recipients_files: Sequence[AnyPath] = (),
    allow_mixed_recipients: bool | None = None,
    custom_filename: str | None = None,
    excludes: Sequence[str] = (),
    exclude_from: Sequence[AnyPath] = (),
    gitignore: bool | None = None,
    exclude_caches: bool | None = None,
    exclude_if_present: Sequence[str] | None = None,
    exclude_larger_than: int | str | None = None,
    one_file_system: bool | None = None,
    xattrs: bool | None = None,
    compression: str | None = None,
    dry_run: bool = False,
    conf: Mapping[str, Any] | None = None,
    events: Events | None = None,
) -> Backup:
    """Back up a file or a directory: `Bakthat.backup`, which explains the other arguments.

    Args:
        prompt: For 2013's callers. The library never asks, so `"yes"` is refused (`UsageError`) where no password is
            given.
        password: "" means no encryption.
        custom_filename: The name of the series.
        conf: Settings in place of the configuration file's.
        events: Whose listeners are called.
    """
    bakthat = opened(profile, config, conf, events)
    return bakthat.backup(
        filename,
        destination,
        name=custom_filename,
        tags=tags,
        password=password,
        recipients=recipients,
        recipients_files=recipients_files,
        allow_mixed_recipients=allow_mixed_recipients,
        excludes=excludes,
        exclude_from=exclude_from,
        gitignore=gitignore,
        exclude_caches=exclude_caches,
        exclude_if_present=exclude_if_present,
        exclude_larger_than=exclude_larger_than,
        one_file_system=one_file_system,
        xattrs=xattrs,
        compression=compression,
        dry_run=dry_run,
        ask=_refuse if prompt == "yes" else None,
    )


def backup_stream(
    file: BinaryIO,
    destination: str | None = None,
    profile: str | None = None,
    config: AnyPath | None = None,
    *,
    name: str,
    tags: str | Sequence[str] = (),
    password: str | None = None,
    recipients: Sequence[str] = (),
    recipients_files: Sequence[AnyPath] = (),
    allow_mixed_recipients: bool | None = None,
    compression: str | None = None,
    conf: Mapping[str, Any] | None = None,
    events: Events | None = None,
) -> Backup:
    """Back up the bytes of a binary file to its end: `Bakthat.backup_stream`."""
    return opened(profile, config, conf, events).backup_stream(
        file,
        destination,
        name=name,
        tags=tags,
        password=password,
        recipients=recipients,
        recipients_files=recipients_files,
        allow_mixed_recipients=allow_mixed_recipients,
        compression=compression,
    )


def backup_command(
    command: Sequence[str],
    destination: str | None = None,
    profile: str | None = None,
    config: AnyPath | None = None,
    *,
    name: str,
    tags: str | Sequence[str] = (),
    password: str | None = None,
    recipients: Sequence[str] = (),
    recipients_files: Sequence[AnyPath] = (),
    allow_mixed_recipients: bool | None = None,
    compression: str | None = None,
    conf: Mapping[str, Any] | None = None,
    events: Events | None = None,
) -> Backup:
    """Run a program, and back up its standard output: `Bakthat.backup_command`."""
    return opened(profile, config, conf, events).backup_command(
        command,
        destination,
        name=name,
        tags=tags,
        password=password,
        recipients=recipients,
        recipients_files=recipients_files,
        allow_mixed_recipients=allow_mixed_recipients,
        compression=compression,
    )


def restore(
    filename: str | Backup,
    destination: str | None = None,
    profile: str | None = None,
    config: AnyPath | None = None,
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
    conf: Mapping[str, Any] | None = None,
    events: Events | None = None,
) -> Backup:
    """Restore a backup into `target`, by default the current directory: `Bakthat.restore`."""
    return opened(profile, config, conf, events).restore(
        filename,
        destination,
        host=host,
        target=target,
        overwrite=overwrite,
        allow_plain=allow_plain,
        password=password,
        identities=identities,
        only=only,
        full_check=full_check,
        xattrs=xattrs,
        tier=tier,
        wait=wait,
    )


def show(
    query: str = "",
    destination: str | None = None,
    tags: str | Sequence[str] = (),
    profile: str | None = None,
    config: AnyPath | None = None,
    *,
    conf: Mapping[str, Any] | None = None,
) -> list[Backup]:
    """Everything in the profile's database, newest first: `Bakthat.show`. Prints nothing."""
    return opened(profile, config, conf).show(query, destination or None, tags=tags, everything=True)


def delete(
    filename: str | Backup,
    destination: str | None = None,
    profile: str | None = None,
    config: AnyPath | None = None,
    *,
    host: str | None = None,
    dry_run: bool = False,
    conf: Mapping[str, Any] | None = None,
    events: Events | None = None,
) -> Backup:
    """Delete one backup: `Bakthat.delete`."""
    return opened(profile, config, conf, events).delete(filename, destination, host=host, dry_run=dry_run)


def remove_older_than(
    filename: str,
    interval: str | timedelta,
    profile: str | None = None,
    config: AnyPath | None = None,
    destination: str | None = None,
    *,
    group_by: GroupBy | str = GroupBy.HOST_AND_SOURCE,
    host: str | None = None,
    source: str | None = None,
    dry_run: bool = False,
    conf: Mapping[str, Any] | None = None,
    events: Events | None = None,
) -> list[Backup]:
    """Delete backups older than an interval such as `1M`: `Bakthat.remove_older_than`."""
    return opened(profile, config, conf, events).remove_older_than(
        filename, interval, destination, group_by=group_by, host=host, source=source, dry_run=dry_run
    )


delete_older_than = remove_older_than
"""2013's name."""


def rotate_backups(
    filename: str,
    destination: str | None = None,
    profile: str | None = None,
    config: AnyPath | None = None,
    *,
    policy: RotationPolicy | None = None,
    group_by: GroupBy | str = GroupBy.HOST_AND_SOURCE,
    host: str | None = None,
    source: str | None = None,
    dry_run: bool = False,
    conf: Mapping[str, Any] | None = None,
    events: Events | None = None,
) -> list[Backup]:
    """Thin out a series by the policy, or the profile's rotation: `Bakthat.rotate_backups`."""
    return opened(profile, config, conf, events).rotate_backups(
        filename,
        destination,
        policy=policy,
        group_by=group_by,
        host=host,
        source=source,
        dry_run=dry_run,
    )


def sync(
    destination: str | None = None,
    profile: str | None = None,
    config: AnyPath | None = None,
    *,
    dry_run: bool = False,
    conf: Mapping[str, Any] | None = None,
) -> SyncReport:
    """Update the database from one store, by default the profile's default destination: `Bakthat.sync`."""
    bakthat = opened(profile, config, conf)
    return bakthat.sync(destination or bakthat.profile.default_destination, dry_run=dry_run)


def verify(
    filename: str | Backup | None = None,
    destination: str | None = None,
    profile: str | None = None,
    config: AnyPath | None = None,
    *,
    host: str | None = None,
    quick: bool = False,
    allow_plain: bool = False,
    password: str | None = None,
    identities: Sequence[AnyPath] = (),
    conf: Mapping[str, Any] | None = None,
) -> list[Verified]:
    """Check a backup, or with None every one: `Bakthat.verify`."""
    return opened(profile, config, conf).verify(
        filename,
        destination,
        host=host,
        quick=quick,
        allow_plain=allow_plain,
        password=password,
        identities=identities,
    )


def _refuse() -> str:
    raise UsageError("prompt='yes', but the library never asks: give a password, or password='' for a plain backup")
