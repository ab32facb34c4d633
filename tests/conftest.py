"""Fixtures that more than one folder of tests uses live in `tests/fixtures/`, one module per thing that they start."""

from __future__ import annotations

import os

from hypothesis import settings

# CI tries the same examples every time, so that what fails there fails here; elsewhere new ones are looked for.
settings.register_profile("ci", derandomize=True)
if os.environ.get("CI"):
    settings.load_profile("ci")

pytest_plugins = [
    "tests.fixtures.command_line",
    "tests.fixtures.machine",
    "tests.fixtures.s3_servers",
    "tests.fixtures.postgresql",
]
