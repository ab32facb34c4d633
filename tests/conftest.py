"""Fixtures that more than one folder of tests uses live in `tests/fixtures/`, one module per thing that they start.

Those modules are imported for every run, `make fast` as well: what takes long to import (boto3, psycopg) is imported by
the fixture that uses it.

Hypothesis tries the same examples each time, and no example has a time limit: whether a run passes depends neither on
luck nor on the load of the machine. `--hypothesis-seed=7` tries others.
"""

from __future__ import annotations

import gc
import signal

import pytest

pytest_plugins = [
    "tests.fixtures.chromium",
    "tests.fixtures.command_line",
    "tests.fixtures.empty_home",
    "tests.fixtures.machine",
    "tests.fixtures.s3_servers",
    "tests.fixtures.packages",
    "tests.fixtures.postgresql",
]

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # As a script's `make check &` starts it; what the tests start would ignore Ctrl-C, too, and rightly so
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_configure(config: pytest.Config) -> None:
    """Set the defaults of hypothesis, where its plugin is loaded (`make fast` loads none)."""
    if not config.pluginmanager.has_plugin("hypothesispytest") or config.getoption("--hypothesis-profile"):
        return
    from hypothesis import HealthCheck, settings

    seeded = config.getoption("--hypothesis-seed") is not None
    settings.register_profile(
        "bakthat",
        database=None,
        deadline=None,
        derandomize=not seeded,
        print_blob=True,
        suppress_health_check=[HealthCheck.too_slow],
    )
    settings.load_profile("bakthat")


def pytest_collection_finish() -> None:
    """What thousands of tests are made of stays to the end: the garbage collector need not look at it each time."""
    if gc.isenabled():
        gc.collect()
    gc.freeze()
