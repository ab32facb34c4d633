"""Wrong adapters, each of which has to fail the test of the shipped contract that is named at it."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from types import ModuleType
from typing import TypeVar
from xml.etree import ElementTree

from bakthat.errors import StoreError

ROOT = Path(__file__).parent.parent.parent
K = TypeVar("K", bound=type)

PYTEST = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]

ACCIDENTS = ("TypeError", "AttributeError", "NameError", "ImportError", "fixture")
"""How a wrong adapter's own mistakes look; falling by one of these proves nothing."""


def terse() -> dict[str, str]:
    """The environment without what tells pytest that it runs in CI: there it compares megabytes line by line to explain
    a failure in full, which takes minutes."""
    return {name: value for name, value in os.environ.items() if name not in {"CI", "BUILD_NUMBER"}}


def falls_by(test: str) -> Callable[[K], K]:
    """Says which test of the contract is to catch this adapter."""

    def marked(kind: K) -> K:
        kind.falls_by = test
        return kind

    return marked


class OfOneThread(io.BytesIO):
    """A reader that can be read by the thread that opened it alone, as what holds a connection of `sqlite3` is."""

    def __init__(self, content: bytes) -> None:
        super().__init__(content)
        self._thread = threading.get_ident()

    def read(self, size: int | None = -1, /) -> bytes:
        if threading.get_ident() != self._thread:
            raise StoreError("made in another thread")
        return super().read(size)


def wrong_ones(module: Mapping[str, object]) -> dict[str, str]:
    """The wrong adapters among the names of a module, and the test that each is to fail."""
    kinds = {name: vars(kind).get("falls_by") for name, kind in module.items() if isinstance(kind, type)}
    return {name: test for name, test in kinds.items() if test is not None}


def right_ones(module: Mapping[str, object]) -> list[str]:
    """What the wrong ones are made from."""
    return [name for name, kind in module.items() if isinstance(kind, type) and name.startswith("Right")]


def falling(module: ModuleType, report: Path) -> dict[str, list[str]]:
    """Run every wrong adapter against its test, and the right ones against all, in a pytest of its own. Gives the first
    lines of the failures by the adapter's name; an adapter that survives has none."""
    expected = wrong_ones(vars(module))
    tests = [f"{module.__file__}::Test{name}::{test}" for name, test in expected.items()]
    right = right_ones(vars(module))
    tests += [f"{module.__file__}::Test{name}" for name in right]
    command = [*PYTEST, f"--junitxml={report}", *tests]
    done = subprocess.run(command, cwd=ROOT, env=terse(), capture_output=True, text=True, check=False, timeout=600)
    assert done.returncode == 1, done.stdout + done.stderr  # 1: tests were run, and some failed
    fell: dict[str, list[str]] = {name: [] for name in [*expected, *right]}
    for case in ElementTree.parse(report).iter("testcase"):
        name = case.attrib["classname"].rsplit(".Test", 1)[-1]
        fell[name] += [fault.attrib["message"] for fault in case if fault.tag in {"failure", "error"}]
    return fell


def survivors(fell: dict[str, list[str]]) -> list[str]:
    """Those that passed their test, or failed it for another reason than their fault."""
    return [
        name for name, failures in fell.items() if not any(not failure.startswith(ACCIDENTS) for failure in failures)
    ]
