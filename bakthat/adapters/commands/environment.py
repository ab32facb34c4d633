"""The environment of the programs that bakthat starts for a profile: hooks and the password command."""

from __future__ import annotations

from collections.abc import Mapping

_OURS = ("BAKTHAT_PASSWORD", "BAKTHAT_ACCESS_KEY", "BAKTHAT_SECRET_KEY", "BAKTHAT_PING")
"""Prefixes: `BAKTHAT_PASSWORD_FILE` is also removed. A hook that runs bakthat must not ping as well."""

_AWS = (
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_SECURITY_TOKEN",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN",
    "AWS_BEARER_TOKEN",
)
"""The secrets that botocore's credential providers read, and its older name for the session token. The access key id is
removed with its secret: alone it is an error in every AWS SDK. Paths of files (`AWS_WEB_IDENTITY_TOKEN_FILE`) stay."""


def child_environment(environment: Mapping[str, str], *, with_aws: bool = False) -> dict[str, str]:
    """The variables without bakthat's secrets, and without those of AWS unless `with_aws`."""
    secret = _OURS if with_aws else _OURS + _AWS
    return {name: value for name, value in environment.items() if not name.startswith(secret)}
