"""The dialogue of `bakthat configure`: asks for a profile's settings, saves them, and offers to create the bucket."""

from __future__ import annotations

from collections.abc import Callable

from attrs import evolve

from bakthat.domain.profile import Profile
from bakthat.entrypoints import terminal
from bakthat.entrypoints.wiring import DEFAULT_CONFIG, open_config_to_write
from bakthat.errors import AccessDenied, ProfileNotFound, StoreError
from bakthat.ports.config_source import ConfigSource


def configure_profile(config: str | None, name: str, *, notice: Callable[[str], None]) -> None:
    """Ask for the profile's settings, a blank answer keeps what is shown in brackets; then save them."""
    source = open_config_to_write(config, notice=notice)
    before = _load(source, name)
    terminal.tell(f"Settings of profile {name!r}; Enter keeps what stands in brackets, '-' removes it.")
    terminal.tell("Without an access key, credentials come from the environment, ~/.aws, SSO or the machine's role.")
    access_key = _ask("AWS access key", before.access_key)
    secret_key = _ask("AWS secret key", before.secret_key, secret=True) if access_key else None
    s3_bucket = _ask("S3 bucket name", before.s3_bucket)
    glacier_vault = _ask("Glacier vault name", before.glacier_vault)
    region_name = _ask("Region", before.region_name) or before.region_name
    endpoint_url = _ask("Endpoint URL of an S3-compatible store (blank for Amazon)", before.endpoint_url)
    local_path = _ask("Folder for -d local", before.local_path) or before.local_path
    fallback = before.default_destination if s3_bucket or before.default_destination != "s3" else "local"
    default_destination = _ask("Default destination (s3, glacier, local)", fallback) or fallback
    profile = evolve(
        before,
        access_key=access_key,
        secret_key=secret_key,
        s3_bucket=s3_bucket,
        glacier_vault=glacier_vault,
        region_name=region_name,
        endpoint_url=endpoint_url,
        local_path=local_path,
        default_destination=default_destination,
    )
    source.save(profile)
    terminal.tell(f"Saved profile {name!r} in {config or DEFAULT_CONFIG}.")
    if s3_bucket:
        _offer_bucket(profile)


def _load(source: ConfigSource, name: str) -> Profile:
    try:
        return source.load(name)
    except ProfileNotFound:
        return Profile(name=name)


def _ask(question: str, before: str | None, *, secret: bool = False) -> str | None:
    answer = terminal.ask_line(question, before or "", secret=secret)
    return None if answer in {"", "-"} else answer


def _offer_bucket(profile: Profile) -> None:
    """Say whether the bucket is there, and create it on a yes. Nothing else in bakthat creates one."""
    from bakthat.adapters.s3 import S3ObjectStore

    store = S3ObjectStore.from_profile(profile)
    try:
        there = store.bucket_exists()
    except AccessDenied:
        terminal.tell("These keys may not look at the bucket; a backup will tell whether they may write to it.")
        return
    except StoreError as error:
        terminal.tell(f"The bucket could not be looked at: {error}")
        return
    if there:
        terminal.tell(f"The bucket {profile.s3_bucket} is there.")
        return
    if terminal.ask_yes(f"There is no bucket {profile.s3_bucket}. Create it?", default=False):
        store.create_bucket()
        terminal.tell(f"Created the bucket {profile.s3_bucket}.")
