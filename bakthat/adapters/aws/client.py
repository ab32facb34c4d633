"""`client`: a boto3 client of one AWS service, with bakthat's timeouts and retries.

botocore retries what may be retried (a 503, a broken connection, a timeout); `ATTEMPTS` and `Patience` say how often.
What is left after that comes out as an error, which `bakthat.adapters.aws.errors` translates.
"""

from __future__ import annotations

import functools
import math
import os
import time
from collections.abc import Callable
from typing import Any

import boto3
import botocore.config
import botocore.loaders
import botocore.session
from botocore.exceptions import BotoCoreError, ConnectTimeoutError, ReadTimeoutError

from bakthat.adapters.aws.errors import translated
from bakthat.adapters.aws.settings import resolved
from bakthat.domain.profile import Profile
from bakthat.errors import ConfigInvalid

CONNECT_TIMEOUT = 10.0
"""Seconds for each address of a host. urllib3 also limits each send of a request's body by it, so it is not shorter: a
line that stalls for some seconds must not end a backup."""

READ_TIMEOUT = 40.0
"""Seconds to wait for the next byte of an answer. With `PATIENCE`, it limits the time that a dead endpoint costs."""

ATTEMPTS = 8
"""Attempts of one request, the first included. botocore pauses 50 ms after the first (1 s if the service says that it
is throttling), then twice as long each time, up to 20 s: eight attempts survive the restart of a proxy, and about a
minute of throttling."""

PATIENCE = 100.0
"""Seconds after the last answer of an endpoint, from which on a timeout is not retried."""


def client(service: str, profile: Profile, **config: Any) -> Any:
    """Return a boto3 client. It is thread-safe, and has sent nothing yet.

    Each client has a session of its own: a shared session keeps the credentials that it found first, and a patch that
    begins later (moto's, for example) does not reach it.

    Endpoint and region are those of `resolved`. The credentials are the profile's keys, else those of boto3's own chain
    (`aws_profile`, environment, shared files, SSO, roles).

    Args:
        service: `s3` or `glacier`.
        profile: Whose settings the client has.
        config: Further settings of `botocore.config.Config`; they override those made here.

    Raises:
        ConfigError: A setting is invalid.
    """
    profile = resolved(profile, service)
    if bool(profile.access_key) != bool(profile.secret_key):
        missing = "secret_key" if profile.access_key else "access_key"
        raise ConfigInvalid(f"profile {profile.name!r} lacks {missing}; give both keys, or none for boto3's own chain")
    checksums = profile.checksums or ("when_required" if profile.endpoint_url else "when_supported")
    settings: dict[str, Any] = {
        "connect_timeout": CONNECT_TIMEOUT,
        "read_timeout": READ_TIMEOUT,
        "retries": {"mode": "standard", "total_max_attempts": ATTEMPTS},
        # One connection for each request in flight, and a few for listings and the like.
        "max_pool_connections": profile.max_concurrency + 4,
        "request_checksum_calculation": checksums,
        "response_checksum_validation": checksums,
        **config,
    }
    with translated(f"profile {profile.name!r}"):
        try:
            core = botocore.session.Session(profile=profile.aws_profile)
            core.register_component("data_loader", _loader(core.get_config_variable("data_path")))
            _check_authorities(core.get_config_variable("ca_bundle"), profile.endpoint_url)
            session: Any = boto3.Session(botocore_session=core)
            made = session.client(
                service,
                region_name=profile.region_name,
                endpoint_url=profile.endpoint_url or None,
                aws_access_key_id=profile.access_key or None,
                aws_secret_access_key=profile.secret_key or None,
                config=botocore.config.Config(**settings),
            )
        except BotoCoreError:  # some of them are ValueErrors as well
            raise
        except ValueError:
            made = None
        if made is None:
            # Not while botocore's error is handled: it repeats the whole URL, which may hold a password.
            raise ConfigInvalid(
                f"profile {profile.name!r}: endpoint_url (of the profile, AWS_ENDPOINT_URL or ~/.aws/config) must look "
                "like https://host or http://host:port"
            )
    events: Any = made.meta.events
    event = f"needs-retry.{made.meta.service_model.service_id.hyphenize()}"
    events.register_first(event, Patience())
    return made


def _check_authorities(path: object, endpoint_url: str | None) -> None:
    """Raise `ConfigInvalid` if the file of trusted certificates does not exist.

    Otherwise the first request would fail, with the same error as for a certificate that is not trusted.
    """
    if path and not (endpoint_url or "").startswith("http://") and not os.path.isfile(str(path)):
        raise ConfigInvalid(f"AWS_CA_BUNDLE, or ca_bundle in ~/.aws/config, names {path}: there is no such file")


@functools.cache
def _loader(data_path: str | None) -> botocore.loaders.Loader:
    """Return a loader that keeps the parsed service descriptions: the second client takes 10 ms instead of 60."""
    paths = [os.path.expanduser(os.path.expandvars(path)) for path in (data_path or "").split(os.pathsep) if path]
    return botocore.loaders.Loader(extra_search_paths=paths)


class Patience:
    """Ends the retries of timeouts if the endpoint has not answered for `PATIENCE` seconds, or never.

    A host that drops packets then costs `CONNECT_TIMEOUT` for each of its addresses, and one that accepts and stays
    silent costs `READ_TIMEOUT`, not `ATTEMPTS` times as much. An endpoint that has just answered gets time to recover.
    """

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._answered = -math.inf

    def __call__(self, response: Any = None, caught_exception: BaseException | None = None, **_: Any) -> bool | None:
        """Handle botocore's event `needs-retry`: False ends the retries, None leaves the decision to botocore."""
        now = self._monotonic()
        if response is not None:
            self._answered = now
        elif isinstance(caught_exception, (ConnectTimeoutError, ReadTimeoutError)) and now - self._answered > PATIENCE:
            return False
        return None
