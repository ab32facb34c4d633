"""The page about schedules: its units are valid, and what they and the crontab run works with its configuration."""

from __future__ import annotations

import re
import shlex
import subprocess
from pathlib import Path

import pytest
import yaml

from tests.fixtures.command_line import CommandLine, Said

PAGE = (Path(__file__).parents[2] / "docs" / "scheduling.md").read_text()


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


SERVICE, TIMER = blocks("ini")


@pytest.fixture
def machine(bakthat_command: CommandLine, tmp_path: Path) -> CommandLine:
    """A machine whose /etc, /var and bucket are folders of this test, with the configuration of the page."""
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc" / "hosts").write_text("127.0.0.1 localhost")
    (text,) = blocks("yaml")
    config = yaml.safe_load(text)
    del config["default"]["password_file"]  # encrypting with a password takes a second
    config["default"]["jobs"]["shop"]["command"] = ["echo", "a dump"]
    config["default"]["default_destination"] = "local"
    place = tmp_path / "etc" / "config.yml"
    place.write_text(at(yaml.safe_dump(config), tmp_path))
    place.chmod(0o600)
    bakthat_command.environment["BAKTHAT_CONFIG"] = str(place)
    return bakthat_command


def at(text: str, root: Path) -> str:
    """The text with the places of the page below another root."""
    text = text.replace("/etc/bakthat", str(root / "etc")).replace("/var/", f"{root}/var/")
    return re.sub(r"\b(source: )/etc\b", rf"\1{root}/etc", text)


def run(command: str, machine: CommandLine) -> Said:
    """Run what a scheduler would."""
    program, *arguments = shlex.split(command)
    assert Path(program).name == "bakthat"
    return machine(*arguments)


def test_the_configuration_is_read_without_a_notice(bakthat_command: CommandLine) -> None:
    (text,) = blocks("yaml")
    path = bakthat_command.home / ".bakthat.yml"
    path.write_text(text.replace("/var/lib/bakthat", str(bakthat_command.home)))
    path.chmod(0o600)
    said = bakthat_command("show", "-q")
    assert (said.code, said.err) == (0, "")


def test_the_crontab_runs_the_jobs(machine: CommandLine) -> None:
    (crontab,) = blocks("cron")
    *variables, line, later = crontab.splitlines()
    assert dict(variable.split("=", 1) for variable in variables).keys() == {"PATH", "BAKTHAT_CONFIG", "MAILTO"}
    minute, hour, *_, command = line.split(None, 5)
    assert (minute, hour) == ("15", "2")
    said = run(command, machine)
    assert (said.code, said.out) == (0, "")
    assert [name.split(".2")[0] for name in stored(machine)] == ["etc", "shop.sql"]
    said = run(later.split(None, 5)[5], machine)
    assert (said.code, said.out, said.err) == (0, "", "")


def test_the_service_runs_the_jobs(machine: CommandLine) -> None:
    (command,) = re.findall(r"^ExecStart=(.*)$", SERVICE, re.MULTILINE)
    assert run(command, machine).code == 0
    assert len(stored(machine)) == 2


def stored(machine: CommandLine) -> list[str]:
    return sorted(path.name for path in (machine.home / ".bakthat" / "store").iterdir() if ".2" in path.name)


def test_systemd_finds_nothing_wrong_with_the_units(tmp_path: Path) -> None:
    program = tmp_path / "bakthat"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    (tmp_path / "bakthat.service").write_text(SERVICE.replace("/usr/local/bin/bakthat", str(program)))
    (tmp_path / "bakthat.timer").write_text(TIMER)
    units = [str(tmp_path / name) for name in ("bakthat.service", "bakthat.timer")]
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", *units],
        env={"PATH": "/usr/bin:/bin", "SYSTEMD_LOG_LEVEL": "warning", "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    about_ours = [
        line for line in (done.stdout + done.stderr).splitlines() if str(tmp_path) in line or "bakthat" in line
    ]
    assert (done.returncode, about_ours) == (0, [])


def test_the_timer_elapses_every_night(tmp_path: Path) -> None:
    (when,) = re.findall(r"^OnCalendar=(.*)$", TIMER, re.MULTILINE)
    done = subprocess.run(["systemd-analyze", "calendar", when], capture_output=True, text=True, check=True)
    assert "Normalized form: *-*-* 02:15:00" in done.stdout
