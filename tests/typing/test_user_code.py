"""The public API is typed for those who use it: a sample of their code and the example store, under `mypy --strict`."""

from __future__ import annotations

import subprocess
import sys
from importlib import resources
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent


def test_a_users_code_is_accepted_and_its_mistakes_are_not(tmp_path: Path) -> None:
    files = [str(Path(__file__).with_name("user_code.py")), str(ROOT / "examples/bakthat-sqlite/bakthat_sqlite.py")]
    command = [sys.executable, "-m", "mypy", "--strict", "--config-file=", f"--cache-dir={tmp_path}"]
    # What lies behind bakthat's types is not the user's: `make types` checks it.
    command += ["--follow-imports=silent", "--ignore-missing-imports"]
    done = subprocess.run([*command, *files], cwd=ROOT, capture_output=True, text=True, check=False, timeout=300)
    assert (done.returncode, done.stdout, done.stderr) == (0, "Success: no issues found in 2 source files\n", "")


def test_the_package_says_that_it_is_typed() -> None:
    assert resources.files("bakthat").joinpath("py.typed").is_file()
