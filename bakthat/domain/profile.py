"""`Profile`: one set of settings, as the configuration file holds it under a name."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Protocol

from attrs import Factory, evolve, field, fields, frozen, resolve_types

from bakthat.domain import settings
from bakthat.domain.backup import Owner, backend_hash
from bakthat.domain.compression_choice import CompressionChoice, parse_compression
from bakthat.domain.increment_policy import checked_setting, setting_of_text
from bakthat.domain.object_lock import ObjectLock, object_lock_from
from bakthat.domain.selector import nearest
from bakthat.domain.settings import checked, checked_by, read_by
from bakthat.errors import ConfigInvalid

DEFAULT_REGION = "us-east-1"
DEFAULT_LOCAL_PATH = "~/.bakthat/store"
DEFAULT_DATABASE = "~/.bakthat.sqlite"


class _Places(Protocol):
    @property
    def s3_bucket(self) -> str | None: ...
    @property
    def glacier_vault(self) -> str | None: ...
    @property
    def local_path(self) -> str: ...


def implied_destination(places: _Places) -> str:
    """Return the default destination of a profile that names none: `local` if its only place is `local_path`."""
    has_only_folder = places.local_path != DEFAULT_LOCAL_PATH and not places.s3_bucket and not places.glacier_vault
    return "local" if has_only_folder else "s3"


@frozen(kw_only=True)
class Profile:
    """The settings of one profile; a key that is absent from the file has its default here.

    A value may be written as in a file (`part_size="16MiB"`, a list of `recipients`). A new setting is a field here,
    whose type says what it may be; if that is not enough, it names a check of `bakthat.domain.settings`.

    Raises:
        ConfigInvalid: An unknown key, or a value of a wrong type. The message names the key.
    """

    name: str = "default"
    access_key: str | None = field(default=None, repr=False)
    """None leaves credentials to boto3's chain. Secrets never show in `repr`."""
    secret_key: str | None = field(default=None, repr=False)
    """None leaves credentials to boto3's chain."""
    region_name: str | None = None
    """None leaves it to AWS's environment and files (`bakthat.adapters.aws.settings`), else `DEFAULT_REGION`."""
    s3_bucket: str | None = None
    glacier_vault: str | None = None
    compression: str | None = field(default=None, metadata=checked_by(settings.compression))
    """`gzip`, `zstd`, `zstd:1` to `zstd:19`, or `none`. None leaves it to `compress`: see `compression_choice`."""
    compress: bool = True
    """As 2013 said it: false is the compression `none`."""
    gitignore: bool = True
    """Whether a source's `.gitignore` says what to leave out."""
    exclude_caches: bool = False
    """This and the next three: see `bakthat.domain.exclusions.Exclusions`."""
    exclude_if_present: tuple[str, ...] = ()
    exclude_larger_than: int | None = field(default=None, metadata=checked_by(settings.size))
    """Bytes."""
    one_file_system: bool = False
    xattrs: bool = True
    """Whether backups keep, and restores give back, extended attributes, access control lists and the like."""
    incremental: Mapping[str, Any] | bool | None = field(
        default=None, metadata={**checked_by(checked_setting), **read_by(setting_of_text)}
    )
    """Whether backups of directories store what changed, and when a full one is made: see
    `bakthat.domain.increment_policy`."""
    host: str | None = None
    """The host that backups are recorded as being of; None means the machine's host name."""
    rotation: Mapping[str, Any] | None = field(default=None, metadata=settings.read_by(settings.numbers_by_name))
    """As the file has it; `bakthat.domain.rotation` reads it."""
    endpoint_url: str | None = field(default=None, repr=False, metadata=checked_by(settings.url))
    """None leaves it to AWS's environment and files, else Amazon."""
    addressing_style: str | None = field(default=None, metadata=checked_by(settings.addressing_style))
    """Where a request has the bucket's name: `path`, `virtual` (before the host's), `auto`, which is also None."""
    s3_prefix: str = ""
    storage_class: str | None = None
    glacier_storage_class: str | None = None
    aws_profile: str | None = None
    local_path: str = field(default=DEFAULT_LOCAL_PATH, metadata=checked_by(settings.path))
    """As written, here and in `database`, `recipients_file` and `identity`; `~` is expanded when it is opened."""
    default_destination: str = field(default=Factory(implied_destination, takes_self=True))
    database: str = field(default=DEFAULT_DATABASE, repr=False, metadata=checked_by(settings.path))
    recipients: tuple[str, ...] = ()
    recipients_file: str | None = field(default=None, metadata=checked_by(settings.path))
    """A file of further recipients, one per line."""
    allow_mixed_recipients: bool = False
    """Whether post-quantum recipients may be together with others."""
    identity: str | None = field(default=None, metadata=checked_by(settings.path))
    password_command: str | tuple[str, ...] | None = field(default=None, repr=False)
    password_file: str | None = field(default=None, metadata=checked_by(settings.path))
    """A file whose only line is the password; either this or `password_command`."""
    part_size: int | None = field(default=None, metadata=checked_by(settings.part_size))
    """Bytes; None lets parts grow with the stream."""
    max_concurrency: int = 4
    """Requests in flight at once."""
    checksums: str | None = field(default=None, metadata=checked_by(settings.checksums))
    """`when_supported` or `when_required`; None means `when_required` with `endpoint_url`, else `when_supported`."""
    sse: str | None = field(default=None, metadata=checked_by(settings.sse))
    """How the service encrypts objects: `AES256` or `aws:kms`. None means as the bucket says."""
    kms_key_id: str | None = None
    """With `aws:kms`: the key; None means the account's key for S3."""
    object_lock: Mapping[str, Any] | None = field(default=None, metadata=checked_by(settings.object_lock))
    """The mode and the days of the lock of new archives; see `lock`."""
    limit_upload: int | None = field(default=None, metadata=checked_by(settings.rate))
    """Bytes a second."""
    limit_download: int | None = field(default=None, metadata=checked_by(settings.rate))
    """Bytes a second."""
    hooks: Mapping[str, Any] | None = field(default=None, repr=False)
    """Commands to run when a verb has ended: see `bakthat.adapters.commands.hooks`."""
    pass_environment: bool = False
    """Whether hooks and the password command get AWS's secrets from the environment."""
    ping: str | None = field(default=None, repr=False, metadata=checked_by(settings.url))
    """A secret: who knows the URL can report a backup that was never made. See `bakthat.domain.ping`."""
    jobs: Mapping[str, Any] = field(factory=dict, repr=False)
    """As the file has it; `bakthat.domain.job` reads it."""
    stores: Mapping[str, Any] = field(factory=dict, repr=False)
    """The settings of third-party stores, by the store's name."""
    extra: Mapping[str, Any] = field(factory=dict, repr=False)
    """Keys of the file that bakthat does not know: kept when the profile is saved."""

    def __attrs_post_init__(self) -> None:
        wrong = []
        for setting in fields(Profile):
            value = getattr(self, setting.name)
            try:
                fits = checked(setting, value)
            except ValueError as error:
                wrong.append(f"{setting.name}: {error}")
                continue
            if fits is not value:
                object.__setattr__(self, setting.name, fits)
        if not wrong and not self.compress and self.compression not in (None, "none"):
            wrong.append(f"compression: `{self.compression}` contradicts `compress: false`; remove one of them")
        if not wrong and self.password_command and self.password_file:
            wrong.append("password_file: there is a password_command as well; remove one of them")
        if not wrong and self.kms_key_id and self.sse != "aws:kms":
            wrong.append("kms_key_id: it needs `sse: aws:kms`")
        if wrong:
            name = self.name if isinstance(self.name, str) else "default"
            raise ConfigInvalid(f"profile {name!r}: {'; '.join(wrong)}")

    @property
    def lock(self) -> ObjectLock | None:
        """The lock of new archives, by `object_lock`."""
        return None if self.object_lock is None else object_lock_from(self.object_lock)

    @property
    def compression_choice(self) -> CompressionChoice:
        """How backups are compressed, by `compression` or else by `compress`."""
        return parse_compression(self.compression or ("gzip" if self.compress else "none"))


resolve_types(Profile)  # `checked` looks at the types of the fields


def _only_known_settings(made_by_attrs: Callable[..., None]) -> Callable[..., None]:
    """Raise an error of ours for an unknown keyword, with the nearest known one; Python's own has neither."""

    @functools.wraps(made_by_attrs)
    def init(self: Profile, **given: Any) -> None:
        known = Profile.__annotations__
        unknown = [f"unknown key {key!r}{_similar(key, known)}" for key in given if key not in known]
        if unknown:
            raise ConfigInvalid(f"profile {given.get('name', 'default')!r}: {'; '.join(unknown)}")
        made_by_attrs(self, **given)

    return init


def _similar(key: str, known: Iterable[str]) -> str:
    near = nearest(key, known, most=1)
    return f" (did you mean {near[0]!r}?)" if near else ""


Profile.__init__ = _only_known_settings(Profile.__init__)  # type: ignore[method-assign]


def overlaid(profile: Profile, settings: Mapping[str, Any]) -> Profile:
    """Return the profile with these settings in place of its own. A setting of its own that contradicts one of them
    gives way: `compress: false` to `compression: zstd`, and `password_file` to a `password_command`. A profile that had
    no place gets its default destination by these settings.

    Raises:
        ConfigInvalid: A value is invalid, or two of these settings contradict each other.
    """
    own: dict[str, Any] = {}
    if settings.get("compression") not in (None, "none"):
        own["compress"] = True
    if "compress" in settings and (profile.compression == "none") is bool(settings["compress"]):
        own["compression"] = None
    for one, other in (("password_command", "password_file"), ("password_file", "password_command")):
        if settings.get(one):
            own[other] = None
    changed = evolve(profile, **{**own, **settings})
    if "default_destination" in settings or not lacks_place(profile):
        return changed
    return evolve(changed, default_destination=implied_destination(changed))


def lacks_place(profile: Profile) -> bool:
    """Whether the profile does not say where its default destination is."""
    return profile.default_destination == "s3" and not profile.s3_bucket


def normal_prefix(prefix: str) -> str:
    """A key prefix without a slash at its start, and with one at its end unless it is empty."""
    stripped = prefix.strip("/")
    return f"{stripped}/" if stripped else ""


def endpoint_host(endpoint_url: str) -> str:
    """Host and port of an endpoint's URL, without scheme, user, path, query or a secret."""
    rest = endpoint_url.split("://", 1)[-1]
    return re.split("[/?#]", rest, maxsplit=1)[0].rsplit("@", 1)[-1].lower()


def endpoint_place(endpoint_url: str) -> str:
    """Host, port and path of an endpoint's URL: two services behind one host differ by the path."""
    rest = re.split("[?#]", endpoint_url.split("://", 1)[-1], maxsplit=1)[0]
    _, slash, path = rest.partition("/")
    return (endpoint_host(endpoint_url) + slash + path).rstrip("/")


def s3_location(bucket: str, prefix: str = "", endpoint_url: str | None = None) -> str:
    """`s3://bucket/prefix`, and `s3://bucket/prefix?endpoint=host:port/path` for a store that is not Amazon's, since
    two services may hold buckets of one name."""
    path = normal_prefix(prefix).rstrip("/")
    place = f"s3://{bucket}/{path}" if path else f"s3://{bucket}"
    return f"{place}?endpoint={endpoint_place(endpoint_url)}" if endpoint_url else place


def former_s3_location(profile: Profile) -> str:
    """The location that 1.0 recorded: by the profile's own text, and without the path of the endpoint."""
    host = endpoint_host(profile.endpoint_url) if profile.endpoint_url else None
    return s3_location(profile.s3_bucket or "", profile.s3_prefix, host)


def s3_owner(profile: Profile) -> Owner:
    """The owner of what the profile's `s3` destination holds. Raises `ConfigInvalid` if it names no bucket."""
    bucket = profile.s3_bucket
    if not bucket:
        raise ConfigInvalid(
            f"profile {profile.name!r} names no s3_bucket; run `bakthat configure`, or use the local folder: "
            "`destination='local'`"
        )
    if (
        profile.endpoint_url
        and endpoint_place(profile.endpoint_url) == f"{endpoint_host(profile.endpoint_url)}/{bucket}"
    ):
        raise ConfigInvalid(
            f"profile {profile.name!r}: endpoint_url ends with the bucket's name; remove /{bucket} from it"
        )
    return Owner(
        backend="s3",
        location=s3_location(bucket, profile.s3_prefix, profile.endpoint_url),
        backend_hash=backend_hash(profile.access_key, bucket),
        is_part=bool(normal_prefix(profile.s3_prefix)),
    )


def glacier_location(region_name: str, vault: str, endpoint_url: str | None = None) -> str:
    """`glacier://region/vault`, and `glacier://region/vault?endpoint=host:port` for a service that is not Amazon's."""
    place = f"glacier://{region_name}/{vault}"
    return f"{place}?endpoint={endpoint_place(endpoint_url)}" if endpoint_url else place


def former_glacier_location(profile: Profile) -> str:
    """As `former_s3_location`."""
    if not profile.glacier_vault:
        return former_s3_location(profile)
    host = endpoint_host(profile.endpoint_url) if profile.endpoint_url else None
    return glacier_location(profile.region_name or DEFAULT_REGION, profile.glacier_vault, host)


def glacier_owner(profile: Profile) -> Owner:
    """The owner of what the profile's `glacier` destination holds: its vault, else its bucket with
    `glacier_storage_class`. Raises `ConfigInvalid` if it names neither."""
    if profile.glacier_vault:
        return Owner(
            backend="glacier",
            location=glacier_location(
                profile.region_name or DEFAULT_REGION, profile.glacier_vault, profile.endpoint_url
            ),
            backend_hash=backend_hash(profile.access_key, profile.glacier_vault),
        )
    if not profile.glacier_storage_class or not profile.s3_bucket:
        raise ConfigInvalid(
            f"profile {profile.name!r} has nothing for `destination='glacier'`; set s3_bucket and "
            "glacier_storage_class (DEEP_ARCHIVE or GLACIER), or glacier_vault if you have a vault"
        )
    return evolve(s3_owner(profile), backend="glacier", is_part=False)
