"""Whatever is killed, cut or raced: no row without an archive, no visible half, and the next backup just works."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest
import yaml

from bakthat import Bakthat, Profile, open_profile
from bakthat.adapters.database.peewee_repo import open_repo
from bakthat.adapters.local_folder import LocalObjectStore
from bakthat.domain.verification import Level
from bakthat.ports.object_store import ObjectStore
from tests.fixtures.command_line import CommandLine
from tests.fixtures.s3_servers import s3_profile

POINTS = 20


@pytest.fixture
def source(bakthat_command: CommandLine) -> Path:
    """Some 15 MB, partly compressible, in files small and large."""
    root = bakthat_command.here / "data"
    root.mkdir()
    for number in range(200):
        (root / f"small{number}").write_text(f"line {number}\n" * 500)
    (root / "large").write_bytes(os.urandom(14_000_000))
    return root


@pytest.fixture(params=["local", "s3"])
def profile(request: pytest.FixtureRequest, bakthat_command: CommandLine) -> Profile:
    """A profile whose default destination is a folder, or SeaweedFS; also in the configuration file."""
    settings: dict[str, object] = {"default_destination": request.param}
    if request.param == "s3":
        made = s3_profile(request.getfixturevalue("seaweedfs_url"))
        settings |= {
            name: getattr(made, name)
            for name in ("access_key", "secret_key", "s3_bucket", "endpoint_url", "region_name")
        }
        # Small parts, so that there are many moments between the first and the last.
        settings["part_size"] = 5 * 1024 * 1024
    bakthat_command.configure({"default": settings})
    config = yaml.safe_load((bakthat_command.home / ".bakthat.yml").read_text())
    return Profile(**config["default"])


@pytest.fixture
def bakthat(profile: Profile, bakthat_command: CommandLine) -> Bakthat:
    """The same store and database, seen from this process."""
    stores: dict[str, ObjectStore] = {}
    if profile.default_destination == "local":
        stores["local"] = LocalObjectStore(bakthat_command.home / ".bakthat" / "store")
    repo = open_repo(str(bakthat_command.home / ".bakthat.sqlite"))
    return open_profile(profile, stores=stores, repo=repo, environment={})


def start(bakthat_command: CommandLine, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        bakthat_command.command(*arguments),
        env=bakthat_command.env(),
        cwd=bakthat_command.here,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def whole_archives(bakthat: Bakthat) -> set[str]:
    """What the store holds, each read to its end; fails on half a backup."""
    bakthat.sync()
    names = {backup.stored_filename for backup in bakthat.show()}
    if names:
        assert {result.level for result in bakthat.verify(None)} == {Level.OPENS}
    return names


def test_kill_9_at_twenty_points_leaves_no_half_and_no_row_alone(
    bakthat_command: CommandLine, profile: Profile, bakthat: Bakthat, source: Path
) -> None:
    began = time.monotonic()
    assert bakthat_command("backup", "data", "--prompt", "no").code == 0
    duration = time.monotonic() - began
    for point in range(POINTS):
        after = duration * (point + 1) / POINTS
        bakthat_command.killed_after(after, "backup", "data", "--prompt", "no", "--name", f"k{point}")
        rows = {row.stored_filename for row in bakthat.show(f"k{point}")}
        there = {info.key for info in bakthat.tools.destination(profile.default_destination).objects.list(f"k{point}")}
        assert rows <= there
    assert len(whole_archives(bakthat)) >= 1
    assert bakthat_command("backup", "data", "--prompt", "no", "--name", "after").code == 0


def test_backups_of_one_name_at_once_are_all_kept(
    bakthat_command: CommandLine, profile: Profile, bakthat: Bakthat, source: Path
) -> None:
    running = [start(bakthat_command, "backup", "data", "--prompt", "no") for _ in range(4)]
    said = [process.communicate(timeout=120) for process in running]
    assert [err for process, (_, err) in zip(running, said, strict=True) if process.returncode] == []
    names = {out.strip() for out, _ in said}
    assert whole_archives(bakthat) == names
    if profile.default_destination == "local":
        # SeaweedFS 4.48 may let two conditional writes of one key pass at once; of equal content they are one backup.
        assert len(names) == 4


def test_a_restore_killed_half_way_leaves_the_old_files(
    bakthat_command: CommandLine, profile: Profile, source: Path
) -> None:
    bakthat_command("backup", "data", "--prompt", "no")
    target = bakthat_command.here / "out" / "data"
    target.mkdir(parents=True)
    (target / "mine").write_text("old")
    for delay in (0.02, 0.05, 0.1, 0.2):
        bakthat_command.killed_after(delay, "restore", "data", "--target", "out", "--overwrite")
        names = set(os.listdir(target))
        assert names == {"mine"} or names == set(os.listdir(source))
    assert bakthat_command("restore", "data", "--target", "out", "--overwrite").code == 0
    assert set(os.listdir(target)) == set(os.listdir(source))
    assert os.listdir(target.parent) == ["data"]


def test_ctrl_c_aborts_the_upload(bakthat_command: CommandLine, source: Path, seaweedfs_url: str) -> None:
    made = s3_profile(seaweedfs_url)
    bakthat_command.configure(
        {
            "default": {
                "access_key": made.access_key,
                "secret_key": made.secret_key,
                "s3_bucket": made.s3_bucket,
                "endpoint_url": made.endpoint_url,
                "part_size": 5 * 1024 * 1024,
            }
        }
    )
    (source / "huge").write_bytes(os.urandom(30_000_000))
    from bakthat.adapters.aws.s3 import s3_client

    client = s3_client(made)

    def uploads() -> list:
        return client.list_multipart_uploads(Bucket=made.s3_bucket).get("Uploads", [])

    running = start(bakthat_command, "backup", "data", "--prompt", "no", "--limit-upload", "300K")
    while not uploads() and running.poll() is None:
        time.sleep(0.01)
    assert running.poll() is None, "the backup was over before it could be interrupted"
    running.send_signal(signal.SIGINT)
    out, err = running.communicate(timeout=60)
    assert (running.returncode, out) == (130, "")
    assert "Traceback" not in err
    assert uploads() == []
    client.close()


def test_a_full_disk_is_reported_and_leaves_nothing(
    bakthat_command: CommandLine, source: Path, small_disk: Path
) -> None:
    bakthat_command.configure({"default": {"local_path": str(small_disk / "store")}})
    said = bakthat_command("backup", "data", "-d", "local", "--prompt", "no")
    assert said.code == 4
    assert "No space left" in said.err
    assert [path.name for path in small_disk.rglob("*") if path.is_file()] == [".bakthat-store"]
    assert bakthat_command("show").out == ""


def test_nothing_temporary_is_written(bakthat_command: CommandLine, source: Path, tmp_path: Path) -> None:
    """TMPDIR cannot be written to, and a backup and a restore do not mind."""
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    temporary.chmod(0)
    bakthat_command.environment = {"TMPDIR": str(temporary), "BAKTHAT_PASSWORD": "secret"}
    assert bakthat_command("backup", "data", "-d", "local").code == 0
    assert bakthat_command("restore", "data", "-d", "local", "--target", "out").code == 0
    temporary.chmod(0o700)
    assert list(temporary.iterdir()) == []
