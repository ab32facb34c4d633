"""Fixtures that more than one folder of tests uses live in `tests/fixtures/`, one module per thing that they start.

Those modules are imported for every run, `make fast` as well: what takes long to import (boto3, psycopg) is imported by
the fixture that uses it. Where the variable `CI` is set, hypothesis loads its own profile
`ci`: the same examples each time.
"""

from __future__ import annotations

import gc
import signal

pytest_plugins = [
    "tests.fixtures.chromium",
    "tests.fixtures.command_line",
    "tests.fixtures.machine",
    "tests.fixtures.s3_servers",
    "tests.fixtures.packages",
    "tests.fixtures.postgresql",
]

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # As a script's `make check &` starts it; what the tests start would ignore Ctrl-C, too, and rightly so
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_finish() -> None:
    """What thousands of tests are made of stays to the end: the garbage collector need not look at it each time."""
    gc.collect()
    gc.freeze()
