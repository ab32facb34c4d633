"""The endpoint and the region of AWS's own settings (environment and `~/.aws`), where the profile sets none.

boto3 would find them by itself. They are looked up here, before a client is built, since other things depend on them as
well: the location that backups are recorded under, whether a service is trusted like Amazon's, the addressing style,
the checksums.

`show` needs the location, and must not spend the time to import boto3. So botocore is asked only if one of AWS's files
mentions the setting.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from attrs import evolve

from bakthat.domain.backup import Owner
from bakthat.domain.profile import (
    DEFAULT_REGION,
    Profile,
    former_glacier_location,
    former_s3_location,
    glacier_owner,
    s3_owner,
)
from bakthat.errors import ConfigInvalid

_FILES = (("AWS_CONFIG_FILE", "~/.aws/config"), ("AWS_SHARED_CREDENTIALS_FILE", "~/.aws/credentials"))


def with_endpoint(profile: Profile, service: str) -> Profile:
    """Return the profile with the endpoint of its client: its own, else that of AWS's settings, else none.

    Args:
        service: `s3` or `glacier`; each may have its own endpoint.

    Raises:
        ConfigError: The endpoint, or a file of AWS's settings, is invalid.
    """
    if profile.endpoint_url:
        return profile
    found = _endpoint(profile, service, os.environ)
    if found and not found.startswith(("https://", "http://")):
        # Not the value: it may hold a password.
        raise ConfigInvalid(
            f"profile {profile.name!r}: AWS_ENDPOINT_URL, or endpoint_url in ~/.aws/config, must look like "
            "https://host or http://host:port"
        )
    return evolve(profile, endpoint_url=found)


def resolved(profile: Profile, service: str) -> Profile:
    """Return the profile with the endpoint and the region of its client. Raises `ConfigError`."""
    return evolve(with_endpoint(profile, service), region_name=profile.region_name or _region(profile, os.environ))


def owner_of_s3(profile: Profile) -> Owner:
    """Return `s3_owner` of the endpoint that the client uses."""
    owner = s3_owner(with_endpoint(profile, "s3"))
    return _with_former(owner, former_s3_location(profile))


def owner_of_glacier(profile: Profile) -> Owner:
    """Return `glacier_owner` of the endpoint and the region that the client uses."""
    owner = glacier_owner(resolved(profile, "glacier") if profile.glacier_vault else with_endpoint(profile, "s3"))
    return _with_former(owner, former_glacier_location(profile))


def _with_former(owner: Owner, former: str) -> Owner:
    return evolve(owner, formerly=(former,)) if former != owner.location else owner


def _endpoint(profile: Profile, service: str, environ: Mapping[str, str]) -> str | None:
    """Find the endpoint as botocore does: https://docs.aws.amazon.com/sdkref/latest/guide/feature-ss-endpoints.html"""
    named = environ.get(f"AWS_ENDPOINT_URL_{service.upper()}") or environ.get("AWS_ENDPOINT_URL")
    ignored = environ.get("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS")
    if ignored is not None and ignored.lower() == "true":
        return None
    in_files = _mentioned("endpoint_url")
    if not named and not in_files:
        return None
    if not in_files:
        return named
    session = _session(profile)
    settings: Mapping[str, Any] = session.get_scoped_config()
    if ignored is None and str(settings.get("ignore_configured_endpoint_urls", "")).lower() == "true":
        return None
    services: Mapping[str, Any] = session.full_config.get("services", {}).get(settings.get("services"), {})
    of_service = services.get(service, {})
    own = of_service.get("endpoint_url") if isinstance(of_service, Mapping) else None
    return named or own or settings.get("endpoint_url")


def _region(profile: Profile, environ: Mapping[str, str]) -> str:
    region = environ.get("AWS_DEFAULT_REGION")
    if not region and _mentioned("region"):
        region = _session(profile).get_config_variable("region")
    # botocore does not read AWS_REGION; most other tools do.
    return str(region or environ.get("AWS_REGION") or DEFAULT_REGION)


def _mentioned(setting: str) -> bool:
    """Whether one of AWS's files contains this word."""
    for variable, usual in _FILES:
        path = os.path.expanduser(os.environ.get(variable) or usual)
        try:
            with open(path, encoding="utf-8", errors="replace") as file:
                if setting in file.read():
                    return True
        except OSError:
            continue  # botocore ignores a file that it cannot read
    return False


def _session(profile: Profile) -> Any:
    import botocore.session

    from bakthat.adapters.aws.errors import translated  # imports botocore, too

    with translated(f"profile {profile.name!r}"):
        session = botocore.session.Session(profile=profile.aws_profile)
        session.get_scoped_config()  # raises if the profile does not exist or the file is invalid
    return session
