"""`Profile`: one set of settings, as the configuration file holds it under a name."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from attrs import evolve, field, frozen

from bakthat.domain.backup import Owner, backend_hash
from bakthat.domain.selector import nearest
from bakthat.domain.settings import checked
from bakthat.errors import ConfigInvalid

DEFAULT_REGION = "us-east-1"
DEFAULT_LOCAL_PATH = "~/.bakthat/store"
DEFAULT_DATABASE = "~/.bakthat.sqlite"


@frozen(kw_only=True)
class Profile:
    """The settings of design §8; a key that is absent from the file has its default here.

    access_key, secret_key: None leaves credentials to boto3's chain; they never show in `repr`.
    part_size: bytes, None lets parts grow with the stream. max_concurrency: requests in flight at once.
    region_name, endpoint_url: None leaves them to AWS's environment and files, see `bakthat.adapters.aws.settings`; and
        without a word there to `DEFAULT_REGION` and Amazon.
    addressing_style: where a request has the bucket's name, `path` | `virtual` (before the host's) | `auto`, which is
        also None.
    checksums: `when_supported` | `when_required`; None means `when_required` with `endpoint_url`, else
        `when_supported`.
    gitignore: whether a source's `.gitignore` says what to leave out.
    exclude_caches, exclude_if_present, exclude_larger_than (bytes), one_file_system: see
        `bakthat.domain.exclusions.Exclusions`.
    rotation: as the file has it; `bakthat.domain.rotation` reads it.
    local_path, database, identity: as written; `~` is expanded by who opens them.

    A value may be written as in a file (`part_size="16MiB"`, a list of `recipients`). Raises `ConfigInvalid`, which
    names the key, for an unknown key and for a value of a wrong type.
    """

    name: str = "default"
    access_key: str | None = field(default=None, repr=False)
    secret_key: str | None = field(default=None, repr=False)
    region_name: str | None = None
    s3_bucket: str | None = None
    glacier_vault: str | None = None
    default_destination: str = "s3"
    compress: bool = True
    gitignore: bool = True
    exclude_caches: bool = False
    exclude_if_present: tuple[str, ...] = ()
    exclude_larger_than: int | None = None
    one_file_system: bool = False
    host: str | None = None
    """What backups are recorded as being of, in the place of the machine's host name."""
    rotation: Mapping[str, Any] | None = None
    endpoint_url: str | None = field(default=None, repr=False)
    addressing_style: str | None = None
    s3_prefix: str = ""
    storage_class: str | None = None
    glacier_storage_class: str | None = None
    aws_profile: str | None = None
    local_path: str = DEFAULT_LOCAL_PATH
    database: str = field(default=DEFAULT_DATABASE, repr=False)
    recipients: tuple[str, ...] = ()
    identity: str | None = None
    password_command: str | tuple[str, ...] | None = field(default=None, repr=False)
    part_size: int | None = None
    max_concurrency: int = 4
    checksums: str | None = None
    hooks: Mapping[str, Any] | None = field(default=None, repr=False)
    """Commands to run when a verb has ended: see `bakthat.adapters.commands.hooks`."""
    pass_environment: bool = False
    """Whether hooks and the password command get AWS's secrets from the environment."""
    stores: Mapping[str, Any] = field(factory=dict, repr=False)
    """The settings of third-party stores, by the store's name."""
    extra: Mapping[str, Any] = field(factory=dict, repr=False)
    """Keys of the file that bakthat does not know: kept when the profile is saved."""

    def __attrs_post_init__(self) -> None:
        wrong = []
        for key, kind in Profile.__annotations__.items():
            value = getattr(self, key)
            try:
                fits = checked(key, kind, value)
            except ValueError as error:
                wrong.append(f"{key}: {error}")
                continue
            if fits is not value:
                object.__setattr__(self, key, fits)
        if wrong:
            name = self.name if isinstance(self.name, str) else "default"
            raise ConfigInvalid(f"profile {name!r}: {'; '.join(wrong)}")


def _only_known_settings(made_by_attrs: Callable[..., None]) -> Callable[..., None]:
    """Python's own error for an unknown keyword names no similar one, and is none of ours."""

    @functools.wraps(made_by_attrs)
    def init(self: Profile, **settings: Any) -> None:
        known = Profile.__annotations__
        unknown = [f"unknown key {key!r}{_similar(key, known)}" for key in settings if key not in known]
        if unknown:
            raise ConfigInvalid(f"profile {settings.get('name', 'default')!r}: {'; '.join(unknown)}")
        made_by_attrs(self, **settings)

    return init


def _similar(key: str, known: Iterable[str]) -> str:
    near = nearest(key, known, most=1)
    return f" (did you mean {near[0]!r}?)" if near else ""


Profile.__init__ = _only_known_settings(Profile.__init__)  # type: ignore[method-assign]


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
            f"profile {profile.name!r} names no s3_bucket; run `bakthat configure`, or use the local folder: -d local"
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
            f"profile {profile.name!r} has nothing for -d glacier; set s3_bucket and glacier_storage_class "
            "(DEEP_ARCHIVE or GLACIER), or glacier_vault where you have a vault"
        )
    return evolve(s3_owner(profile), backend="glacier", is_part=False)
