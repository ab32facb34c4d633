"""`bakthat[testing]` is pytest alone: nothing of `bakthat.testing` needs more."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

ROOT = Path(__file__).parents[2]
EXTRAS = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
IMPORT_ALL = """
import importlib, pkgutil, sys

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in sys.argv[1:]:
            raise ModuleNotFoundError(f"{name} is not installed")

sys.meta_path.insert(0, Absent())
import bakthat.testing
for module in pkgutil.walk_packages(bakthat.testing.__path__, "bakthat.testing."):
    importlib.import_module(module.name)
    print(module.name)
"""


def named(requirement: str) -> str:
    """The name of the distribution that this requirement is for."""
    return re.split(r"[^\w-]", requirement, maxsplit=1)[0].lower()


def test_the_extra_is_pytest_alone() -> None:
    assert [named(requirement) for requirement in EXTRAS["testing"]] == ["pytest"]


def test_what_ships_for_tests_needs_no_other_package_of_ours() -> None:
    ours = {named(requirement) for requirement in EXTRAS["test"]} - {"pytest"}
    absent = [module for module, names in packages_distributions().items() if ours & {name.lower() for name in names}]
    assert {"hypothesis", "moto"} <= set(absent)
    done = subprocess.run([sys.executable, "-c", IMPORT_ALL, *absent], capture_output=True, text=True, check=False)
    assert done.stderr == ""
    assert "bakthat.testing.metadata_repo_contract" in done.stdout.split()
