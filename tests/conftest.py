"""Fixtures that more than one folder of tests uses live in `tests/fixtures/`, one module per thing that they start."""

from __future__ import annotations

pytest_plugins = [
    "tests.fixtures.command_line",
    "tests.fixtures.machine",
    "tests.fixtures.s3_servers",
    "tests.fixtures.postgresql",
]
