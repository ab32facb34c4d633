"""The package of docs/adapters.md, as its users have it: installed into a new environment, tested and used there."""

from __future__ import annotations

import os
import shutil
import subprocess
import sysconfig
import venv
from importlib import metadata
from pathlib import Path

import pytest
from attrs import frozen

EXAMPLE = Path(__file__).parent.parent.parent / "examples" / "bakthat-sqlite"


@frozen
class Environment:
    """A virtual environment. `home`: the home directory of what is run in it; `here`: the current one."""

    python: Path
    home: Path
    here: Path

    def run(self, *arguments: str, code: int = 0) -> str:
        """Run `python …`, and give what it printed. Fails on another exit code."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("BAKTHAT_", "PYTHON"))}
        done = subprocess.run(
            [str(self.python), *arguments],
            cwd=self.here,
            env={**kept, "HOME": str(self.home)},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout + done.stderr

    def bakthat(self, *arguments: str, code: int = 0) -> str:
        return self.run("-m", "bakthat", *arguments, code=code)


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """A new environment with the example in it, made by pip from its pyproject.toml.

    Without network: what the example needs (bakthat, pytest, and hatchling to build it) is lent by the environment of
    these tests, through a `.pth` file. The example itself is only in the new one.
    """
    root = tmp_path_factory.mktemp("environment")
    venv.create(root / "venv", with_pip=False, symlinks=True)
    python = root / "venv" / "bin" / "python"
    paths = sysconfig.get_paths(vars={"base": str(root / "venv"), "platbase": str(root / "venv")})
    lent = [f"import site; site.addsitedir({folder!r})" for folder in {*_site_packages()}]
    (Path(paths["purelib"]) / "lent.pth").write_text("\n".join(lent) + "\n")
    shutil.copytree(EXAMPLE, root / "bakthat-sqlite", ignore=shutil.ignore_patterns("__pycache__"))
    (root / "home").mkdir()
    made = Environment(python, root / "home", root)
    made.run("-m", "pip", "install", "--quiet", "--no-index", "--no-build-isolation", "./bakthat-sqlite")
    return made


def _site_packages() -> list[str]:
    here = sysconfig.get_paths()
    return [here["purelib"], here["platlib"]]


def test_it_is_installed_there_and_not_here(environment: Environment) -> None:
    assert str(environment.python.parent.parent) in environment.run(
        "-c", "import bakthat_sqlite as m; print(m.__file__)"
    )
    assert not metadata.entry_points(group="bakthat.stores", name="sqlite")


def test_its_suite_passes(environment: Environment) -> None:
    said = environment.run("-m", "pytest", "-q", "-p", "no:cacheprovider", "bakthat-sqlite")
    assert " passed" in said
    assert "failed" not in said


def test_the_command_line_backs_up_and_restores_through_it(environment: Environment) -> None:
    (environment.home / ".bakthat.yml").write_text("default:\n  stores:\n    sqlite:\n      path: ~/backups.sqlite\n")
    site = environment.here / "site"
    site.mkdir()
    (site / "index.html").write_text("<h1>hello</h1>")

    environment.bakthat("backup", "site", "-d", "sqlite", "--prompt", "no")
    assert "site." in environment.bakthat("show", "site", "-d", "sqlite")
    environment.bakthat("verify", "site", "-d", "sqlite")
    environment.bakthat("restore", "site", "-d", "sqlite", "--target", "restored")
    assert (environment.here / "restored" / "site" / "index.html").read_text() == "<h1>hello</h1>"

    stored = environment.bakthat("show", "site", "-d", "sqlite").split()[-1]
    url = f"sqlite://{environment.home}/backups.sqlite/{stored}"
    (environment.here / "empty.yml").write_text("")
    environment.bakthat("restore", "-c", "empty.yml", "--from", url, "--target", "by_url")
    assert (environment.here / "by_url" / "site" / "index.html").read_text() == "<h1>hello</h1>"

    (environment.home / ".bakthat.sqlite").unlink()
    environment.bakthat("sync", "-d", "sqlite")
    assert "site." in environment.bakthat("show", "site")
    environment.bakthat("delete", "site", "-d", "sqlite", "--yes")
    assert "no such backup" in environment.bakthat("restore", "site", "-d", "sqlite", code=1)


def test_without_its_settings_it_says_what_is_missing(environment: Environment) -> None:
    (environment.home / "empty.yml").write_text("default: {}\n")
    said = environment.bakthat("backup", "-c", "home/empty.yml", "home", "-d", "sqlite", code=2)
    assert "stores: sqlite: path is missing" in said


def test_a_wrong_name_suggests_it(environment: Environment) -> None:
    (environment.home / "empty.yml").write_text("default: {}\n")
    said = environment.bakthat("backup", "-c", "home/empty.yml", "home", "-d", "sqlit", code=2)
    assert "did you mean sqlite?" in said
