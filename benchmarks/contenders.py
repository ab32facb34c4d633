"""The contenders: bakthat in four ways, and its alternatives. Each backs up to the same S3 server."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from attrs import field, frozen

from benchmarks.servers import ACCESS_KEY, SECRET_KEY

PASSWORD = "not a secret either"
PYTHONPATH = {"PYTHONPATH": str(Path(__file__).parent.parent)}
"""Lets `python -m` find this checkout from anywhere."""


@frozen(kw_only=True)
class Job:
    """One backup and its restore. `settings`: the settings of the bucket in bakthat's profile. `scratch`: an empty
    folder for files that the contender keeps between the two. `identity`: an age key file. `recipient`: its public
    key."""

    source: Path
    url: str
    bucket: str
    settings: Mapping[str, Any]
    scratch: Path
    identity: Path
    recipient: str


@frozen(kw_only=True)
class Command:
    """A command to run. `environment`: in addition to a minimal one."""

    arguments: Sequence[str]
    environment: Mapping[str, str] = field(factory=dict)


class Contender(ABC):
    """`name`: in the tables. `needs_s3`: it can store only there. `once`: so slow that it is measured once, however
    often the others are."""

    name: str
    needs_s3 = True
    once = False

    def missing(self) -> str | None:
        """The name of a missing program."""
        return None

    def prepare(self, job: Job) -> Command | None:
        """Set-up once per store; it is not measured."""
        return None

    @abstractmethod
    def backup(self, job: Job) -> Command: ...

    @abstractmethod
    def restore(self, job: Job, target: Path) -> Command:
        """Restores the source's directory, or its file, somewhere below the target."""


class Bakthat(Contender):
    """The command line, as a user has it."""

    needs_s3 = False
    python = sys.executable
    """The interpreter that runs it. The other packages of its environment matter: peewee imports psycopg if it is
    installed, which takes longer than the rest of the start."""

    def __init__(
        self, name: str, *, password: bool = False, recipient: bool = False, compression: str = "gzip"
    ) -> None:
        self.name = name
        self._compression = compression
        self._password = password
        self._recipient = recipient

    def backup(self, job: Job) -> Command:
        self._configure(job)
        sealing = ["-r", job.recipient] if self._recipient else []
        return self._command(job, "backup", str(job.source), "--name", "benchmark", "--prompt", "no", *sealing)

    def restore(self, job: Job, target: Path) -> Command:
        opening = ["-i", str(job.identity)] if self._recipient else []
        return self._command(job, "restore", "benchmark", "--target", str(target), *opening)

    def _configure(self, job: Job) -> None:
        settings = {"database": str(job.scratch / "bakthat.sqlite"), **job.settings}
        if self._compression != "gzip":  # which also a bakthat of before knows
            settings["compression"] = self._compression
        config = job.scratch / "bakthat.yml"
        config.touch(mode=0o600)
        config.write_text(json.dumps({"default": settings}))  # JSON is YAML

    def _command(self, job: Job, *arguments: str) -> Command:
        environment = {**PYTHONPATH, "BAKTHAT_CONFIG": str(job.scratch / "bakthat.yml")}
        if self._password:
            environment["BAKTHAT_PASSWORD"] = PASSWORD
        return Command(arguments=[self.python, "-m", "bakthat", *arguments, "-q"], environment=environment)


class Pipeline(Contender):
    """`tar`, programs that change its stream, and `aws s3 cp`. `packing` and `unpacking` are shell; they may use
    `$RECIPIENT` and `$IDENTITY`."""

    def __init__(self, packing: str, unpacking: str, *, once: bool = False) -> None:
        # Without the bars, which would end a cell of a table.
        self.name = f"tar, {packing.replace(' -r $RECIPIENT', '').replace(' | ', ', ')}, aws"
        self.once = once
        self._packing = packing
        self._unpacking = unpacking

    def missing(self) -> str | None:
        programs = [part.split()[0] for part in ("tar", *self._packing.split("|"))]
        absent = next((program for program in programs if shutil.which(program) is None), None)
        return absent or (None if aws() else "aws")

    def backup(self, job: Job) -> Command:
        tar = 'tar -C "$PARENT" -cf - "$NAME"'
        return self._shell(job, f'{tar} | {self._packing} | $AWS s3 cp --only-show-errors - "$OBJECT"')

    def restore(self, job: Job, target: Path) -> Command:
        tar = f"tar -C {shlex.quote(str(target))} -xf -"
        return self._shell(job, f'$AWS s3 cp --only-show-errors "$OBJECT" - | {self._unpacking} | {tar}')

    def _shell(self, job: Job, pipeline: str) -> Command:
        environment = {
            **_aws_settings(job),
            "AWS": shlex.join(aws() or ["aws"]),
            "PARENT": str(job.source.parent),
            "NAME": job.source.name,
            "OBJECT": f"s3://{job.bucket}/benchmark.tar.packed",
            "RECIPIENT": job.recipient,
            "IDENTITY": str(job.identity),
        }
        return Command(arguments=["bash", "-o", "pipefail", "-c", pipeline], environment=environment)


class Restic(Contender):
    """A repository with a password, created for each backup, so that it is empty."""

    name = "restic"

    def missing(self) -> str | None:
        return None if shutil.which("restic") else "restic"

    def prepare(self, job: Job) -> Command:
        return self._command(job, "init")

    def backup(self, job: Job) -> Command:
        return self._command(job, "backup", str(job.source))

    def restore(self, job: Job, target: Path) -> Command:
        return self._command(job, "restore", "latest", "--target", str(target))

    def _command(self, job: Job, *arguments: str) -> Command:
        environment = {
            **_aws_settings(job),
            "RESTIC_REPOSITORY": f"s3:{job.url}/{job.bucket}/restic",
            "RESTIC_PASSWORD": PASSWORD,
            "RESTIC_CACHE_DIR": str(job.scratch / "cache"),
        }
        return Command(arguments=["restic", "--quiet", *arguments], environment=environment)


class WayOf2013(Contender):
    """An emulation of bakthat 0.6, without encryption: see `benchmarks.way_of_2013`."""

    name = "the 2013 way"
    once = True

    def backup(self, job: Job) -> Command:
        return self._command(job, "backup", str(job.source))

    def restore(self, job: Job, target: Path) -> Command:
        return self._command(job, "restore", str(target))

    def _command(self, job: Job, verb: str, path: str) -> Command:
        arguments = [sys.executable, "-m", "benchmarks.way_of_2013", verb, path, job.url, job.bucket]
        return Command(arguments=arguments, environment={**PYTHONPATH, **_aws_settings(job)})


PLAIN = Bakthat("bakthat")
CONTENDERS: dict[str, Contender] = {
    "bakthat": PLAIN,
    "password": Bakthat("bakthat, password", password=True),
    "recipient": Bakthat("bakthat, recipient", recipient=True),
    "bakthat-zstd": Bakthat("bakthat, zstd, recipient", recipient=True, compression="zstd"),
    "zstd": Pipeline("zstd -T0 -q | age -r $RECIPIENT", "age -d -i $IDENTITY | zstd -q -dc"),
    "pigz": Pipeline("pigz | age -r $RECIPIENT", "age -d -i $IDENTITY | pigz -dc"),
    "gzip": Pipeline("gzip", "gzip -dc", once=True),
    "restic": Restic(),
    "2013": WayOf2013(),
}
"""The contenders by their names in `--peers`."""


def aws() -> list[str] | None:
    """How to run the AWS command line, None if it is not installed."""
    found = shutil.which("aws")
    if found:
        return [found]
    probe = subprocess.run([sys.executable, "-c", "import awscli"], capture_output=True, check=False)
    return [sys.executable, "-m", "awscli"] if probe.returncode == 0 else None


def base_environment(home: Path) -> dict[str, str]:
    """The environment of every command: an empty home, and nothing of the user who started the benchmark."""
    return {"PATH": os.environ["PATH"], "HOME": str(home), "LANG": "C.UTF-8"}


def new_identity(folder: Path) -> tuple[Path, str]:
    """A fresh age key file in this folder, and its public key."""
    path = folder / "identity.txt"
    path.unlink(missing_ok=True)
    command = [sys.executable, "-m", "bakthat", "keygen", "-q", "-o", str(path)]
    subprocess.run(command, check=True, capture_output=True, env={**base_environment(folder), **PYTHONPATH})
    public = re.search(r"public key: (age1\w+)", path.read_text())
    assert public is not None
    return path, public[1]


def _aws_settings(job: Job) -> dict[str, str]:
    return {
        "AWS_ACCESS_KEY_ID": ACCESS_KEY,
        "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": job.url,
        # As bakthat does with a store that is not Amazon's: no checksums beyond those that are asked for.
        "AWS_REQUEST_CHECKSUM_CALCULATION": "when_required",
        "AWS_RESPONSE_CHECKSUM_VALIDATION": "when_required",
        "AWS_EC2_METADATA_DISABLED": "true",
    }
