"""The page about containers: what it runs is run, with the image's variables, and folders in the place of volumes."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from bakthat.adapters.encryption.key_files import keygen, write_key_file
from bakthat.testing.toolbox import SteppedClock
from tests.fixtures.command_line import CommandLine, Said
from tests.fixtures.dockerfile import ROOT, stages
from tests.fixtures.s3_servers import s3_profile

PAGE = (ROOT / "docs" / "containers.md").read_text()
PAIR = keygen(clock=SteppedClock())
FINAL = stages()[-1]


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


BUILD, BACKUP, RESTORE = blocks("sh")
COMPOSE, JOBS, KUBERNETES = blocks("yaml")


class Host:
    """A machine with containers: `docker run` as the page has it."""

    def __init__(self, run: CommandLine, root: Path, bucket: Mapping[str, str]) -> None:
        self._run = run
        self._root = root
        (text,) = blocks("ini")
        self._env_file = dict(line.split("=", 1) for line in text.splitlines())
        assert self._env_file["BAKTHAT_RECIPIENTS"] == "age1..."
        self._env_file |= {**bucket, "BAKTHAT_RECIPIENTS": PAIR.recipient}

    def place(self, name: str) -> Path:
        """The folder for a volume, or for a path of the machine."""
        place = self._root / "machine" / name.lstrip("./")
        place.parent.mkdir(parents=True, exist_ok=True)
        return place

    def docker(self, command: str) -> Said:
        """Run `docker run … bakthat ARGUMENTS`."""
        words = shlex.split(command)
        assert words[:2] == ["docker", "run"]
        volumes, given = {}, {}
        options = iter(words[2:])
        for option in options:
            match option:
                case "--rm":
                    continue
                case "--env-file":
                    assert next(options) == "bakthat.env"
                    given |= self._env_file
                case "-e":
                    name, value = next(options).split("=", 1)
                    given[name] = value
                case "-v":
                    source, target = next(options).removesuffix(":ro").split(":")
                    volumes[target] = self.place(source)
                case _:
                    assert option == "bakthat"
                    return self.container(volumes, given, list(options))
        raise AssertionError(f"no image in {command}")

    def container(self, volumes: Mapping[str, Path], given: Mapping[str, str], arguments: list[str]) -> Said:
        """Run the image: its variables, those that are given, and its volumes."""
        own = {target: self.place(f"anonymous{target}") for target in FINAL.words("VOLUME")}
        all_volumes = {**own, **volumes}
        for volume in all_volumes.values():
            if not volume.exists():  # as Docker does
                volume.mkdir(parents=True)

        def inside(text: str) -> str:
            target = next((target for target in all_volumes if text == target or text.startswith(f"{target}/")), None)
            return text if target is None else text.replace(target, str(all_volumes[target]), 1)

        self._run.environment = {
            name: inside(value) for name, value in {**FINAL.environment, **given}.items() if name != "XDG_CACHE_HOME"
        }
        return self._run(*map(inside, arguments))


@pytest.fixture
def host(bakthat_command: CommandLine, tmp_path: Path, moto_url: str) -> Host:
    profile = s3_profile(moto_url)
    bucket = {
        "BAKTHAT_S3_BUCKET": str(profile.s3_bucket),
        "AWS_ACCESS_KEY_ID": str(profile.access_key),
        "AWS_SECRET_ACCESS_KEY": str(profile.secret_key),
        "AWS_ENDPOINT_URL": moto_url,
    }
    host = Host(bakthat_command, tmp_path, bucket)
    host.place("/srv/site").mkdir()
    (host.place("/srv/site") / "index.html").write_text("<h1>hello</h1>")
    return host


def test_the_image_is_built_from_the_checkout() -> None:
    assert BUILD == "docker build -t bakthat .\n"


def commands(block: str) -> list[str]:
    return block.replace("\\\n", " ").splitlines()


def test_a_site_is_backed_up_rotated_shown_and_restored(host: Host) -> None:
    backup, rotate, show = commands(BACKUP)
    made = host.docker(backup)
    assert (made.code, made.out.endswith(".tgz.enc\n")) == (0, True), made.err
    assert host.docker(rotate).code == 0
    assert made.out.strip().removesuffix(".tgz.enc") in host.docker(show).out
    write_key_file(host.place("/root/bakthat.key"), PAIR)
    (restore,) = commands(RESTORE)
    restored = host.docker(restore)
    assert restored.code == 0, restored.err
    assert (host.place("/srv/restored") / "site" / "index.html").read_text() == "<h1>hello</h1>"


def test_compose_runs_the_jobs(host: Host) -> None:
    compose: dict[str, Any] = yaml.safe_load(COMPOSE)
    service = compose["services"]["backup"]
    assert service["env_file"] == "bakthat.env"
    assert set(compose["volumes"]) == {"bakthat", "bakthat-cache"}
    host.place("./jobs.yml").write_text(JOBS.replace("/data/site", str(host.place("/srv/site"))))
    host.place("./jobs.yml").chmod(0o600)
    volumes = " ".join(f"-v {volume}" for volume in service["volumes"])
    variables = " ".join(f"-e {name}={value}" for name, value in service["environment"].items())
    said = host.docker(
        f"docker run --env-file bakthat.env {variables} {volumes} bakthat {' '.join(service['command'])}"
    )
    assert (said.code, said.out, said.err) == (0, "", "")
    assert "site.2" in host.docker(commands(BACKUP)[2]).out


def test_the_cron_job_of_kubernetes_backs_up(host: Host) -> None:
    pod = yaml.safe_load(KUBERNETES)["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    mounts = {mount["name"]: mount["mountPath"] for mount in container["volumeMounts"]}
    assert mounts.keys() == {volume["name"] for volume in pod["volumes"]}
    volumes = f"-v state:{mounts['state']} -v cache:{mounts['cache']} -v /srv/site:{mounts['site']}:ro"
    said = host.docker(f"docker run --env-file bakthat.env {volumes} bakthat {' '.join(container['args'])}")
    assert (said.code, said.out.endswith(".tgz.enc\n")) == (0, True), said.err
