"""A client: its settings and credentials, and how long it is patient."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ConnectionClosedError, ReadTimeoutError

from bakthat.adapters.aws import client as aws
from bakthat.adapters.aws.errors import translated
from bakthat.adapters.aws.s3 import s3_client
from bakthat.domain.profile import Profile
from bakthat.errors import BakthatError, ConfigError, ConfigInvalid, StoreUnavailable
from tests.fixtures.held_secrets import held_by


@pytest.mark.parametrize(
    ("settings", "kind", "says"),
    [
        ({"access_key": "a"}, ConfigInvalid, "lacks secret_key"),
        ({"secret_key": "b"}, ConfigInvalid, "lacks access_key"),
        ({"endpoint_url": "localhost:9000"}, ConfigInvalid, "endpoint_url: expected a URL"),
        ({"endpoint_url": "ftp//user:hidden@x y"}, ConfigInvalid, "endpoint_url: expected a URL"),
        ({"endpoint_url": "http://user:hidden@x y"}, ConfigInvalid, "endpoint_url .* must look like"),
        ({"region_name": "no region"}, ConfigInvalid, "correct region_name"),
        ({"aws_profile": "nobody-has-this"}, ConfigError, "'nobody-has-this' is not in ~/.aws"),
        ({"checksums": "sometimes"}, ConfigInvalid, "checksums: expected when_supported or when_required"),
    ],
)
def test_an_invalid_setting_is_named(settings: dict[str, Any], kind: type[BakthatError], says: str):
    with pytest.raises(kind, match=says) as caught:
        aws.client("s3", Profile(**settings))
    assert "hidden" not in held_by(caught.value)


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, "when_supported"),
        ({"endpoint_url": "http://127.0.0.1:1"}, "when_required"),
        ({"endpoint_url": "http://127.0.0.1:1", "checksums": "when_supported"}, "when_supported"),
        ({"checksums": "when_required"}, "when_required"),
    ],
)
def test_the_sdks_checksums_are_the_default_at_amazon_only(settings: dict[str, Any], expected: str):
    config = aws.client("s3", Profile(**settings)).meta.config
    assert (config.request_checksum_calculation, config.response_checksum_validation) == (expected, expected)


def test_timeouts_and_retries_are_set_and_can_be_overridden():
    profile = Profile(endpoint_url="http://127.0.0.1:1", max_concurrency=7)
    config = aws.client("s3", profile, read_timeout=3).meta.config
    assert (config.connect_timeout, config.read_timeout, config.max_pool_connections) == (aws.CONNECT_TIMEOUT, 3, 11)
    assert config.retries == {"mode": "standard", "total_max_attempts": aws.ATTEMPTS}


def test_a_client_shows_no_secret():
    made = aws.client("s3", Profile(access_key="AKIA", secret_key="hidden", endpoint_url="http://127.0.0.1:1"))
    assert "hidden" not in repr(made) + repr(made.meta.config)


KEYS = {"AWS_ACCESS_KEY_ID": "AKIAENV", "AWS_SECRET_ACCESS_KEY": "hidden"}
SHARED = "[work]\naws_access_key_id = AKIAFILE\naws_secret_access_key = hidden\n"


@pytest.mark.parametrize(
    ("settings", "environment", "found"),
    [
        ("", {}, "CredentialsRefused: s3://attic: k: no credentials were found"),
        ("", KEYS, "X-Amz-Credential=AKIAENV%2F"),
        ("access_key='AKIAOWN', secret_key='x'", KEYS, "X-Amz-Credential=AKIAOWN%2F"),
        ("aws_profile='work'", {}, "X-Amz-Credential=AKIAFILE%2F"),
        ("", {"AWS_PROFILE": "work"}, "X-Amz-Credential=AKIAFILE%2F"),
    ],
)
def test_credentials_come_from_the_profile_or_from_the_usual_chain(
    settings: str, environment: dict[str, str], found: str, tmp_path: Path
):
    (tmp_path / ".aws").mkdir()
    (tmp_path / ".aws" / "credentials").write_text(SHARED)
    program = (
        "from bakthat.adapters.aws.s3 import S3ObjectStore; from bakthat.domain.profile import Profile\n"
        f"print(S3ObjectStore.from_profile(Profile(s3_bucket='attic', {settings})).presign('k', 60))"
    )
    ours = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "AWS_EC2_METADATA_DISABLED": "true", **environment}
    done = subprocess.run([sys.executable, "-c", program], env=ours, capture_output=True, text=True)
    assert found in done.stdout + done.stderr


# patience


def test_an_endpoint_that_refuses_is_named_after_a_few_attempts():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # nobody listens, and nobody else can
        port = taken.getsockname()[1]
        made = s3_client(_at(port), retries={"mode": "standard", "total_max_attempts": 3})
        with pytest.raises(StoreUnavailable, match=f"cannot connect to 127.0.0.1:{port}"), translated("it"):
            made.get_object(Bucket="attic", Key="k")


def test_a_timeout_of_an_endpoint_that_never_answered_is_not_retried():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        made = s3_client(_at(port), read_timeout=0.4)
        with pytest.raises(StoreUnavailable, match=f"127.0.0.1:{port} does not answer"), translated("it"):
            made.get_object(Bucket="attic", Key="k")
        made.close()
        listener.setblocking(False)
        listener.accept()[0].close()
        with pytest.raises(BlockingIOError):
            listener.accept()


def test_a_dead_endpoint_costs_about_a_minute_at_most():
    assert aws.READ_TIMEOUT + aws.CONNECT_TIMEOUT <= 60


def test_a_timeout_is_retried_only_for_some_time_after_the_last_answer():
    now = 0.0
    patience = aws.Patience(lambda: now)
    timeout = ReadTimeoutError(endpoint_url="http://x")
    assert patience(caught_exception=timeout) is False
    assert patience(response=("an answer", {})) is None
    now = aws.PATIENCE - 1
    assert patience(caught_exception=timeout) is None
    now = aws.PATIENCE + 1
    assert patience(caught_exception=timeout) is False
    assert patience(caught_exception=ConnectionClosedError(endpoint_url="http://x")) is None


def _at(port: int) -> Profile:
    return Profile(access_key="AKIA", secret_key="hidden", endpoint_url=f"http://127.0.0.1:{port}")
