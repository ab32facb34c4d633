"""`Job`: a backup that a profile describes under `jobs`, so that `bakthat run` makes it."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Iterable, Mapping
from datetime import timedelta
from typing import Any

from attrs import evolve, field, fields_dict, frozen

from bakthat.domain.profile import Profile, overlaid
from bakthat.domain.rotation import RotationPolicy, policy_from
from bakthat.domain.selector import nearest
from bakthat.domain.settings import checked, interval, kind_of, path, text, texts
from bakthat.domain.settings import command as checked_command
from bakthat.domain.stored_name import check_series, series_of
from bakthat.errors import ConfigInvalid, InvalidName, InvalidPolicy

STREAM = "-"
"""The source in the record of a command's output."""

EARLY = timedelta(hours=1)
"""How much earlier than `verify_every` says a backup is verified again. A nightly run does not begin at the same second
each night; without this, `verify_every: 1D` would verify every other night."""

_NAME = re.compile(r"\w[\w.@+-]{0,99}")
"""What a job may be called. Its name is part of the name of a file, and a word on the command line."""

_ONLY_OF_A_PROFILE = frozenset(
    {
        *("name", "extra", "jobs", "stores", "database", "default_destination", "access_key", "secret_key"),
        *("aws_profile", "region_name", "endpoint_url", "addressing_style", "s3_bucket", "s3_prefix", "glacier_vault"),
        *("glacier_storage_class", "local_path"),
    }
)
"""Settings that say where the records and the stores are. Backups that a job put elsewhere would be out of sight for
every other command with this profile."""


def _series(value: object) -> str:
    try:
        return check_series(text(value))
    except InvalidName as error:
        raise ValueError(str(error).replace(" with `name=`", "")) from None


def _command(value: object) -> tuple[str, ...]:
    words = checked_command(value)
    if isinstance(words, str):
        try:
            words = tuple(shlex.split(words))
        except ValueError:
            raise ValueError("a quotation mark in it is not closed") from None
    if not words or any("\0" in word for word in words):
        raise ValueError("expected a program and its arguments, such as [pg_dump, shop]")
    return words


def _absolute(value: object) -> str:
    found = path(value)
    if found.startswith(("/", "~")):
        return found
    raise ValueError("expected an absolute path, or one that begins with ~: a job is not run in a certain directory")


def _files(value: object) -> tuple[str, ...]:
    return tuple(_absolute(item) for item in texts(value))


def _tags(value: object) -> tuple[str, ...]:
    return tuple(dict.fromkeys(word for tag in texts(value) for word in tag.split()))


_OWN: Mapping[str, Callable[[object], Any]] = {
    "source": _absolute,
    "command": _command,
    "name": _series,
    "destination": text,
    "tags": _tags,
    "exclude": texts,
    "exclude_from": _files,
    "verify_every": interval,
    "max_age": interval,
}
"""The keys that a job has besides the settings of a profile, with their checks."""

_OF_FILES = frozenset(
    {
        "exclude",
        "exclude_from",
        "gitignore",
        "exclude_caches",
        "exclude_if_present",
        "exclude_larger_than",
        "one_file_system",
        "xattrs",
        "incremental",
    }
)
"""Keys that mean nothing for the output of a command."""

SETTINGS = tuple(name for name in fields_dict(Profile) if name not in _ONLY_OF_A_PROFILE)
"""The settings of a profile that a job may replace: each new one by itself."""


@frozen(kw_only=True)
class Job:
    """A backup that `bakthat run` makes.

    name: under which the profile has it. profile: its settings, which are the profile's with those of the job.
    source: the file or directory, as written; command: the program whose output is backed up; one of them is None.
    series: of its backups. destination: where they go. rotation: None leaves them all.
    exclude, exclude_from: patterns, and files of patterns.
    verify_every: how old the last verification may become; None verifies nothing.
    max_age: how old the newest backup may become before it is late; None means that it is never late.
    replaced: the settings that the job has itself.
    """

    name: str
    profile: Profile = field(repr=False)
    source: str | None = None
    command: tuple[str, ...] | None = field(default=None, repr=False)
    series: str
    destination: str
    tags: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    exclude_from: tuple[str, ...] = ()
    rotation: RotationPolicy | None = None
    verify_every: timedelta | None = None
    max_age: timedelta | None = None
    replaced: frozenset[str] = frozenset()

    @property
    def recorded_source(self) -> str:
        """The source in the records of its backups."""
        return self.source if self.source is not None else STREAM

    def verification_is_due(self, since: timedelta | None) -> bool:
        """Whether to verify, this long after the last verification that found a backup good; None: there is none."""
        if self.verify_every is None:
            return False
        return since is None or since >= self.verify_every - min(EARLY, self.verify_every / 10)


def jobs_of(
    profile: Profile, *, home: Callable[[str], str] = lambda source: source, where: str | None = None
) -> dict[str, Job]:
    """Return the jobs of a profile by name, in the order of the file.

    Args:
        profile: Whose `jobs` they are.
        home: Makes paths absolute: the home directory in place of `~`.
        where: The profile comes from there, which begins the messages; by default its name.

    Raises:
        ConfigInvalid: A job cannot be used. The message names the profile, the job and the key.
    """
    where = f"{where or f'profile {profile.name!r}'}: jobs"
    jobs: dict[str, Job] = {}
    for name, section in profile.jobs.items():
        if not isinstance(name, str):
            raise ConfigInvalid(f"{where}: the name of a job is text, found {kind_of(name)}: put it in quotes")
        if not _NAME.fullmatch(name):
            raise ConfigInvalid(f"{where}: {name!r} is not the name of a job: letters, digits and . _ @ + -")
        job = _job(name, section, profile, f"{where}.{name}")
        jobs[name] = _with_absolute_paths(job, home, f"{where}.{name}")
    _check_apart(jobs.values(), where)
    return jobs


def chosen_jobs(jobs: Mapping[str, Job], names: Iterable[str], where: str) -> list[Job]:
    """Return the jobs of these names, each once; without a name all of them. Raises `ConfigInvalid` with a message
    that begins with `where`: the profile."""
    wanted = list(dict.fromkeys(names)) or list(jobs)
    if not wanted:
        raise ConfigInvalid(f"{where} has no jobs; describe them under `jobs`, as `etc: {{source: /etc}}`")
    for name in wanted:
        if name not in jobs:
            near = nearest(name, jobs, most=1)
            hint = f", did you mean {near[0]!r}?" if near else ""
            there = f"there are {', '.join(jobs)}" if jobs else "it has none"
            raise ConfigInvalid(f"{where} has no job {name!r}{hint} ({there})")
    return [jobs[name] for name in wanted]


def _job(name: str, section: object, profile: Profile, where: str) -> Job:
    if not isinstance(section, Mapping):
        raise ConfigInvalid(f"{where}: expected settings such as `source: /etc`, found {kind_of(section)}")
    own, replaced = _checked(section, where)
    if (own.get("source") is None) is (own.get("command") is None):
        which = "one of them" if own.get("source") is not None else "`source: /etc` or `command: [pg_dump, shop]`"
        raise ConfigInvalid(f"{where}: a job has a source or a command; give it {which}")
    of_files = [key for key in section if key in _OF_FILES]
    if own.get("command") is not None and of_files:
        raise ConfigInvalid(f"{where}: {of_files[0]} is for files and directories; remove it from a job with a command")
    try:
        settings = overlaid(profile, {**replaced, "jobs": {}})
    except ConfigInvalid as error:
        # What several settings are together; it begins with the profile's name.
        raise ConfigInvalid(f"{where}: {str(error).split(': ', 1)[-1]}") from None
    return Job(
        name=name,
        profile=settings,
        series=own.pop("name", None) or _series_of_source(own.get("source"), where),
        destination=own.pop("destination", None) or settings.default_destination,
        rotation=_rotation(settings, where),
        replaced=frozenset(replaced),
        **{key: value for key, value in own.items() if value is not None},
    )


def _with_absolute_paths(job: Job, home: Callable[[str], str], where: str) -> Job:
    try:
        source = None if job.source is None else home(job.source)
        return evolve(job, source=source, exclude_from=tuple(map(home, job.exclude_from)))
    except ConfigInvalid as error:
        raise ConfigInvalid(f"{where}: {error}") from None


def _checked(section: Mapping[Any, Any], where: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the job's own keys, and the settings that it replaces. None means the default, not the profile's value."""
    own: dict[str, Any] = {}
    replaced: dict[str, Any] = {}
    settings, defaults, wrong = fields_dict(Profile), Profile(), []
    for key, value in section.items():
        if key in _ONLY_OF_A_PROFILE and key not in _OWN:
            wrong.append(f"{key} is a setting of the whole profile; make another profile for another {key}")
            continue
        if key not in _OWN and key not in SETTINGS:
            near = nearest(key, [*_OWN, *SETTINGS], most=1) if isinstance(key, str) else []
            wrong.append(f"unknown key {key!r}" + (f" (did you mean {near[0]!r}?)" if near else ""))
            continue
        try:
            if key in _OWN:
                own[key] = None if value is None else _OWN[key](value)
            else:
                replaced[key] = getattr(defaults, key) if value is None else checked(settings[key], value)
        except ValueError as error:
            wrong.append(f"{key}: {error}")
    if wrong:
        raise ConfigInvalid(f"{where}: {'; '.join(wrong)}")
    return own, replaced


def _series_of_source(source: str | None, where: str) -> str:
    if source is None:
        raise ConfigInvalid(f"{where}: the output of a command needs a name, such as `name: shop.sql`")
    base_name = source.rstrip("/").rpartition("/")[2]
    if not base_name or base_name.startswith("~") or base_name in {".", ".."}:
        raise ConfigInvalid(f"{where}: this source has no name of its own; add `name:`")
    if base_name.endswith((".tgz", ".tar.gz")):
        raise ConfigInvalid(f"{where}: a source that is an archive needs a name for its series; add `name:`")
    return series_of(base_name)


def _rotation(settings: Profile, where: str) -> RotationPolicy | None:
    if not settings.rotation:
        return None
    try:
        return policy_from(settings.rotation, where=where)
    except InvalidPolicy as error:
        raise ConfigInvalid(str(error)) from None


def _check_apart(jobs: Iterable[Job], where: str) -> None:
    """Raises `ConfigInvalid` for two jobs whose backups could not be distinguished: one would thin out the other's."""
    seen: dict[tuple[object, ...], str] = {}
    for job in jobs:
        key = (job.series, job.recorded_source, job.destination, job.profile.host)
        other = seen.setdefault(key, job.name)
        if other != job.name:
            raise ConfigInvalid(
                f"{where}: {other} and {job.name} would make the same series {job.series!r}; give one of them another "
                "name, with `name:`"
            )
