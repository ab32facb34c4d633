"""What is published works without this checkout: the wheel backs up and restores, the sdist tests itself."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests.fixtures.packages import build, environment, unpacked


def run(*command: str | Path, cwd: Path, home: Path) -> str:
    """What it prints; a failure fails the test."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("BAKTHAT_", "AWS_", "PYTHON", "MAKE", "MFLAGS"))
    }
    done = subprocess.run(
        command, cwd=cwd, env={**kept, "HOME": str(home)}, capture_output=True, text=True, check=False, timeout=300
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture
def home(tmp_path: Path) -> Path:
    path = tmp_path / "home"
    path.mkdir()
    return path


def test_the_wheel_needs_no_more_than_it_declares_and_restores_what_it_backed_up(
    sdist: Path, tmp_path: Path, home: Path
) -> None:
    """The wheel is built from the sdist, as an installer does it."""
    here = environment(tmp_path / "env")
    here.install(build("wheel", unpacked(sdist, tmp_path / "sdist"), tmp_path))
    assert str(here.folder) in run(here.python, "-c", "import bakthat; print(bakthat.__file__)", cwd=home, home=home)

    (home / "photos").mkdir()
    (home / "photos" / "cat.jpg").write_bytes(b"cat")
    command = here.folder / "bin" / "bakthat"
    run(command, "backup", "photos", "-d", "local", "--prompt", "no", cwd=home, home=home)
    run(command, "restore", "photos", "-d", "local", "--target", tmp_path / "target", cwd=home, home=home)
    assert (here.folder / "share" / "man" / "man1" / "bakthat.1").is_file()
    assert (tmp_path / "target" / "photos" / "cat.jpg").read_bytes() == b"cat"


def test_the_sdist_installs_itself_and_runs_its_tests(sdist: Path, tmp_path: Path, home: Path) -> None:
    here = environment(tmp_path / "env", extras=("test", "postgres"))
    here.install(sdist)
    checkout = unpacked(sdist, tmp_path / "sdist")
    part = ["tests/domain", "tests/usecases/test_backup.py"]
    part += ["tests/docs/test_links.py", "tests/docs/test_architecture.py"]
    said = run(here.python, "-m", "pytest", "-q", "-p", "no:cacheprovider", *part, cwd=checkout, home=home)
    assert " passed in " in said.splitlines()[-1]


def test_make_check_finds_all_that_it_needs_in_the_sdist(sdist: Path, tmp_path: Path, home: Path) -> None:
    checkout = unpacked(sdist, tmp_path / "sdist")
    steps = run("make", "--dry-run", "check", cwd=checkout, home=home).splitlines()
    assert steps[-1].endswith("pytest -n 2")
    assert any("-c constraints.txt" in step for step in steps)
    assert os.access(checkout / "tests" / "install-programs", os.X_OK)
