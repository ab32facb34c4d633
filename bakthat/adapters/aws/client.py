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
"""Seconds for each address of a host. urllib3 also uses it as the limit of each send of a request's body, which is
why it is not shorter: a line that stalls for some seconds must not end a backup."""

READ_TIMEOUT = 40.0
"""Seconds without a byte of an answer. Together with `PATIENCE` it bounds what a dead endpoint costs."""

ATTEMPTS = 8
"""Of one request, the first included. botocore's pauses between them begin at 50 ms (1 s where the service says that
it is throttling) and double up to 20 s: eight attempts ride out a restarted proxy and about a minute of throttling."""

PATIENCE = 100.0
"""Seconds since the last answer of an endpoint, after which a timeout is not retried any more."""


def client(service: str, profile: Profile, **config: Any) -> Any:
    """A boto3 client of the service, thread-safe, which has sent nothing yet.

    Each client comes from a session of its own: a shared one keeps the credentials that it found first, and patches
    that begin after it was made (moto's, for example) do not reach it.

    Endpoint and region: as `resolved` finds them. Credentials: the profile's keys, else boto3's own chain
    (`aws_profile`, environment, shared files, SSO, roles). `config`: further settings of `botocore.config.Config`,
    which win over those made here. Raises `ConfigError`.
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
        # one per request in flight, and a few for what goes on beside them
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
    """Raise `ConfigInvalid` if the certificates to trust are to come from a file that is not there: the error of the
    first request would not tell that from a certificate that is not trusted."""
    if path and not (endpoint_url or "").startswith("http://") and not os.path.isfile(str(path)):
        raise ConfigInvalid(f"AWS_CA_BUNDLE, or ca_bundle in ~/.aws/config, names {path}: there is no such file")


@functools.cache
def _loader(data_path: str | None) -> botocore.loaders.Loader:
    """Keep the parsed service descriptions for all clients: the second client takes 10 ms instead of 60."""
    paths = [os.path.expanduser(os.path.expandvars(path)) for path in (data_path or "").split(os.pathsep) if path]
    return botocore.loaders.Loader(extra_search_paths=paths)


class Patience:
    """Retries no timeout of an endpoint that has not answered anything for `PATIENCE` seconds, or ever.

    So a host that drops packets costs `CONNECT_TIMEOUT` for each of its addresses, one that accepts and stays silent
    `READ_TIMEOUT`, and not `ATTEMPTS` times that; but an endpoint that has just answered is given time to come back.
    """

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._answered = -math.inf

    def __call__(self, response: Any = None, caught_exception: BaseException | None = None, **_: Any) -> bool | None:
        """A handler of botocore's `needs-retry`: False ends the retries, None leaves it to the standard ones."""
        now = self._monotonic()
        if response is not None:
            self._answered = now
        elif isinstance(caught_exception, (ConnectTimeoutError, ReadTimeoutError)) and now - self._answered > PATIENCE:
            return False
        return None
