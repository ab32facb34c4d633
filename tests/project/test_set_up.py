"""`make check` sets the machine up by itself, or says in one line what is missing, before any test."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from attrs import define

ROOT = Path(__file__).parents[2]

ORDINARY = ["cat", "dirname", "env", "mktemp", "rm", "sh", "sort", "tr", "true"]
"""What the script itself uses, and is on every machine."""


def listed() -> dict[str, str]:
    """The packages by program."""
    lines = [line.split() for line in (ROOT / "tests" / "programs.txt").read_text().splitlines()]
    return {line[0]: line[1] for line in lines if line and not line[0].startswith("#")}


@define
class Machine:
    """A machine that has exactly the programs in this folder; `log` holds what was asked of apt-get and sudo."""

    programs: Path
    log: Path

    def add(self, name: str, script: str = "exit 0") -> None:
        path = self.programs / name
        path.write_text(f"#!{shutil.which('sh')}\n{script}\n")
        path.chmod(0o755)

    def become(self, uid: int) -> None:
        self.add("id", f"echo {uid}")

    def add_apt_get(self, *brings: str, code: int = 0) -> None:
        """`brings`: the programs that are there after it was run."""
        made = "".join(f"echo 'exit 0' > {self.programs / name}; chmod +x {self.programs / name}\n" for name in brings)
        chmod = shutil.which("chmod")
        script = f'echo "apt-get $*" >> {self.log}\n' + made.replace("chmod", str(chmod)) + f"exit {code}"
        self.add("apt-get", script)

    def set_up(self, *only: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [ROOT / "tests" / "install-programs", *only],
            env={"PATH": str(self.programs)}, capture_output=True, text=True, check=False,
        )  # fmt: skip

    def asked(self) -> list[str]:
        return self.log.read_text().splitlines() if self.log.exists() else []


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """A machine with everything, but for apt-get and sudo, and an ordinary user."""
    made = Machine(tmp_path / "bin", tmp_path / "log")
    made.programs.mkdir()
    for name in {*ORDINARY, *listed()} - {"python3"}:
        path = shutil.which(name)
        assert path is not None, name
        (made.programs / name).symlink_to(path)
    made.add("python3", f'exec {sys.executable} "$@"')
    made.become(1000)
    return made


def test_with_everything_there_it_says_and_does_nothing(machine: Machine) -> None:
    machine.add_apt_get()
    done = machine.set_up()
    assert (done.returncode, done.stdout, done.stderr, machine.asked()) == (0, "", "", [])


def test_as_root_the_missing_packages_are_named_and_installed(machine: Machine) -> None:
    machine.become(0)
    for name in ("age", "age-keygen", "bsdtar"):
        (machine.programs / name).unlink()
    machine.add_apt_get("age", "age-keygen", "bsdtar")
    done = machine.set_up()
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "Installing from Debian's packages, for the tests: age libarchive-tools\n"
    assert [line for line in machine.asked() if "install" in line] == [
        "apt-get install -y -q --no-install-recommends age libarchive-tools"
    ]


def test_sudo_that_asks_for_no_password_is_used(machine: Machine) -> None:
    (machine.programs / "age").unlink()
    machine.add_apt_get("age")
    machine.add("sudo", f'echo "sudo $1" >> {machine.log}; shift; exec "$@"')
    assert machine.set_up().returncode == 0
    assert {"sudo -n", "apt-get install -y -q --no-install-recommends age"} <= set(machine.asked())


@pytest.mark.parametrize("sudo", [None, "exit 1"])
def test_an_ordinary_user_gets_one_line_that_names_what_to_install(machine: Machine, sudo: str | None) -> None:
    (machine.programs / "age").unlink()
    machine.add_apt_get("age")
    if sudo is not None:
        machine.add("sudo", sudo)
    done = machine.set_up()
    assert done.returncode == 1
    assert (done.stdout, machine.asked()) == ("", [])
    assert done.stderr == (
        "The tests need packages that are not installed; run as root: "
        "apt-get update && apt-get install --no-install-recommends age\n"
    )


def test_a_system_without_apt_get_gets_the_names_of_the_packages(machine: Machine) -> None:
    (machine.programs / "bsdtar").unlink()
    done = machine.set_up()
    assert done.returncode == 1
    assert re.fullmatch(r".*not installed: libarchive-tools\n", done.stderr)


def test_an_installation_that_fails_stops_everything(machine: Machine) -> None:
    machine.become(0)
    (machine.programs / "age").unlink()
    machine.add_apt_get(code=100)
    done = machine.set_up()
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith("apt-get failed (see above); install these packages")


def test_a_program_that_is_still_not_found_stops_everything(machine: Machine) -> None:
    machine.become(0)
    (machine.programs / "age").unlink()
    machine.add_apt_get()
    done = machine.set_up()
    assert (done.returncode, done.stderr) == (1, "Installed, but not found by way of PATH: age\n")


def test_the_environment_asks_for_python_alone(machine: Machine) -> None:
    (machine.programs / "age").unlink()
    assert machine.set_up("python3").returncode == 0


def test_a_python_without_venv_lacks_a_package(machine: Machine) -> None:
    machine.add("python3", "exit 1")
    machine.add_apt_get()
    assert machine.set_up("python3").stderr.endswith("apt-get install --no-install-recommends python3-venv\n")


def test_set_up_comes_before_everything_else_and_the_tests_last() -> None:
    text = (ROOT / "Makefile").read_text()
    (steps,) = re.findall(r"^check: (.*)$", text, re.MULTILINE)
    assert (steps.split()[0], steps.split()[-1]) == ("programs", "test")
