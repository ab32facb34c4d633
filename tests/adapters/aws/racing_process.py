"""Two machines without a common database that back up one name in one second, round after round.

`python -m tests.adapters.aws.racing_process URL BUCKET NUMBER ROUNDS SIZE` is one of the machines. In each round it
waits for a line on its standard input, then backs up a file of its own, whose first byte is its number. It prints, as
JSON, the stored filename of each round.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

from bakthat import Profile, open_profile
from bakthat.adapters.memory.metadata_repo import MemoryRepo
from bakthat.errors import BakthatError

START = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def when(number: int) -> datetime:
    """The second in which a round begins, far enough from the next one's."""
    return START + timedelta(minutes=5 * number)


def race(profile: Profile, *, rounds: int, size: int) -> list[tuple[str, str]]:
    """What two such processes, started together in each round, report: a pair of stored filenames a round."""
    command = [sys.executable, "-m", "tests.adapters.aws.racing_process", profile.endpoint_url, profile.s3_bucket]
    machines = [
        subprocess.Popen(
            [*command, str(number), str(rounds), str(size)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={
                **os.environ,
                "AWS_ACCESS_KEY_ID": profile.access_key,
                "AWS_SECRET_ACCESS_KEY": profile.secret_key,
            },
        )
        for number in (0, 1)
    ]
    told: list[tuple[str, str]] = []
    try:
        for _ in range(rounds):
            for machine in machines:
                _line(machine)  # it is ready
            for machine in machines:
                machine.stdin.write("go\n")
                machine.stdin.flush()
            first, second = (json.loads(_line(machine)) for machine in machines)
            told.append((first, second))
    finally:
        for machine in machines:
            machine.stdin.close()
            machine.stdout.close()
            if machine.wait(timeout=300):
                machine.kill()
    return told


def _line(machine: subprocess.Popen[str]) -> str:
    line = machine.stdout.readline()
    assert line, "the process ended early"
    return line


def lost(profile: Profile, told: list[tuple[str, str]]) -> list[str]:
    """The backups that were reported as stored and are not there, or hold the other machine's file."""
    bk = open_profile(profile, repo=MemoryRepo(), environment={}, notice=lambda _: None)
    bk.sync("s3")
    missing: list[str] = []
    with tempfile.TemporaryDirectory() as folder:
        for number, pair in enumerate(told):
            for machine, name in enumerate(pair):
                target = Path(folder, f"{number}-{machine}")
                target.mkdir()
                try:
                    bk.restore(name, "s3", target=target)
                    content = (target / "data").read_bytes()
                except BakthatError:
                    content = b""
                if content[:1] != b"%d" % machine:
                    missing.append(name)
    return missing


def main(url: str, bucket: str, number: int, rounds: int, size: int) -> None:
    now = START
    profile = Profile(endpoint_url=url, s3_bucket=bucket)
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder, "data")
        source.write_bytes(b"%d" % number + os.urandom(size))
        for each in range(rounds):
            now = when(each)
            bk = open_profile(
                profile, repo=MemoryRepo(), environment={}, clock=lambda now=now: now, notice=lambda _: None
            )
            print("ready", flush=True)
            if not sys.stdin.readline():
                return
            made = bk.backup(source, "s3", password="")
            print(json.dumps(made.stored_filename), flush=True)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], *map(int, sys.argv[3:]))
