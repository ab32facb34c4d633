"""The command line against S3 and Glacier: what a person reads when a service refuses, or wants them to wait."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from bakthat.adapters.aws.glacier import GlacierArchiveStore
from bakthat.testing.faulty_proxy import FaultyProxy
from tests.fixtures.command_line import CommandLine, Said
from tests.fixtures.glacier_jobs import GlacierJobs
from tests.fixtures.s3_servers import administrator, s3_profile


def configure(command: CommandLine, url: str, **changes: object) -> dict[str, object]:
    made = s3_profile(url)
    names = ("access_key", "secret_key", "s3_bucket", "endpoint_url")
    settings = {**{name: getattr(made, name) for name in names}, **changes}
    command.configure({"default": settings})
    return settings


def is_one_clear_line(said: Said, code: int, *words: str) -> None:
    assert (said.code, said.out) == (code, "")
    assert [line for line in said.err.splitlines() if line.startswith("bakthat: ")] == said.err.splitlines(), said.err
    for word in words:
        assert word in said.err


def back_up(command: CommandLine) -> Said:
    return command("backup", "site", "--prompt", "no")


def test_wrong_keys(bakthat_command: CommandLine, site: Path, seaweedfs_url: str) -> None:
    configure(bakthat_command, seaweedfs_url, secret_key="wrong")
    is_one_clear_line(back_up(bakthat_command), 4, "key")
    assert bakthat_command("show").out == ""


def test_no_keys_at_all(bakthat_command: CommandLine, site: Path, moto_url: str) -> None:
    configure(bakthat_command, moto_url, access_key=None, secret_key=None)
    bakthat_command.environment = {"AWS_EC2_METADATA_DISABLED": "true"}
    is_one_clear_line(back_up(bakthat_command), 4, "bakthat configure")


def test_no_such_bucket(bakthat_command: CommandLine, site: Path, moto_url: str) -> None:
    configure(bakthat_command, moto_url, s3_bucket="no-such-bucket")
    is_one_clear_line(back_up(bakthat_command), 4, "no-such-bucket", "bakthat configure")


def test_an_endpoint_where_nobody_listens(bakthat_command: CommandLine, site: Path, moto_url: str) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    configure(bakthat_command, moto_url, endpoint_url=f"http://127.0.0.1:{port}")
    is_one_clear_line(back_up(bakthat_command), 4, str(port))


def test_restore_from_the_bucket_alone(bakthat_command: CommandLine, site: Path, seaweedfs_url: str) -> None:
    settings = configure(bakthat_command, seaweedfs_url, s3_prefix="machines/one")
    stored = back_up(bakthat_command).out.strip()
    (bakthat_command.home / ".bakthat.sqlite").unlink()
    place = f"s3://{settings['s3_bucket']}/machines/one/{stored}"
    assert bakthat_command("restore", "--from", place, "--target", "out").code == 0
    assert (bakthat_command.here / "out" / "site" / "index.html").read_text() == "<h1>hello</h1>"


def test_a_backup_in_a_bucket_is_looked_into_without_restoring_it(
    bakthat_command: CommandLine, site: Path, seaweedfs_url: str
) -> None:
    configure(bakthat_command, seaweedfs_url, **bakthat_command.key_pair())
    (site / "photo.jpg").write_bytes(os.urandom(3_000_000))
    stored = bakthat_command("backup", "site", "-q").out.strip()
    listed = bakthat_command("ls", "site")
    assert (listed.code, listed.lines, listed.err) == (0, ["index.html", "photo.jpg"], "")
    read = bakthat_command("cat", "site", "index.html")
    assert (read.code, read.out, read.err) == (0, "<h1>hello</h1>", "")
    found = bakthat_command("find", "*.jpg")
    assert (found.code, found.out.split("\t")[0]) == (0, stored)
    part = bakthat_command("restore", "site", "--only", "*.html", "--target", "out", "-q")
    assert (part.code, part.err) == (0, "")
    assert sorted(os.listdir(bakthat_command.here / "out" / "site")) == ["index.html"]


def test_an_archive_that_vanished_is_one_clear_line(
    bakthat_command: CommandLine, site: Path, seaweedfs_url: str
) -> None:
    settings = configure(bakthat_command, seaweedfs_url)
    stored = back_up(bakthat_command).out.strip()
    administrator(seaweedfs_url).delete_object(Bucket=settings["s3_bucket"], Key=stored)
    for command in (["ls", "site"], ["cat", "site", "index.html"]):
        is_one_clear_line(bakthat_command(*command), 4, stored, "bakthat sync")
    said = bakthat_command("find", "index.html")
    assert (said.code, said.out) == (5, "")


def test_the_key_of_somebody_else(bakthat_command: CommandLine, site: Path, moto_url: str) -> None:
    configure(bakthat_command, moto_url)
    recipient = bakthat_command("keygen", "-o", "mine").out.strip()
    bakthat_command("keygen", "-o", "theirs")
    bakthat_command("backup", "site", "-r", recipient)
    said = bakthat_command("restore", "site", "--target", "out", "-i", "theirs")
    is_one_clear_line(said, 5, "site.")
    assert not (bakthat_command.here / "out").exists()


def test_a_key_file_that_others_can_read_is_warned_about(
    bakthat_command: CommandLine, site: Path, moto_url: str
) -> None:
    configure(bakthat_command, moto_url)
    recipient = bakthat_command("keygen", "-o", "key").out.strip()
    (bakthat_command.here / "key").chmod(0o644)
    bakthat_command("backup", "site", "-r", recipient)
    said = bakthat_command("restore", "site", "--target", "out", "-i", "key")
    assert said.code == 0
    assert "chmod" in said.err


def test_glacier_says_when_to_come_back_and_exits_with_75(
    bakthat_command: CommandLine, site: Path, moto_url: str
) -> None:
    GlacierArchiveStore.from_profile(s3_profile(moto_url, glacier_vault="attic-cli")).create_vault()
    with FaultyProxy(moto_url) as proxy:
        configure(bakthat_command, proxy.url, glacier_vault="attic-cli")
        jobs = GlacierJobs("attic-cli", proxy)
        jobs.hold()
        stored = bakthat_command("backup", "site", "-d", "glacier", "--prompt", "no").out.strip()
        said = bakthat_command("restore", "site", "-d", "glacier", "--target", "out", "--tier", "expedited")
        is_one_clear_line(said, 75, stored, "expedited", "usually ready", "run restore again")
        local = bakthat_command("show_local_glacier_inventory")
        assert local.out.startswith(f"{stored}\t")
        assert bakthat_command("show-glacier-inventory").out == local.out
        assert bakthat_command("backup_glacier_inventory").out == local.out
        assert bakthat_command("restore_glacier_inventory").out == ""
        jobs.finish(seconds=2)
        waited = bakthat_command("restore", "site", "-d", "glacier", "--target", "out", "--tier", "expedited", "--wait")
        assert waited.code == 0, waited.err
        gone = bakthat_command("delete", "site", "-d", "glacier", "--yes")
        assert "billed for 90 more days" in gone.err


def test_show_says_when_a_backup_was_verified(bakthat_command: CommandLine, site: Path, moto_url: str) -> None:
    configure(bakthat_command, moto_url)
    back_up(bakthat_command)
    assert "[never verified]" in bakthat_command("show", "-v").out
    bakthat_command("verify", "site")
    assert ": opens]" in bakthat_command("show", "-v").out


@pytest.mark.parametrize("server", ["moto", "seaweedfs", "local"])
def test_rotation_of_one_series_leaves_its_neighbours_alone(
    bakthat_command: CommandLine, site: Path, request: pytest.FixtureRequest, server: str
) -> None:
    rotation = {"rotation": {"last": 1}}
    if server == "local":
        bakthat_command.configure({"default": {"default_destination": "local", **rotation}})
    else:
        configure(bakthat_command, request.getfixturevalue(f"{server}_url"), **rotation)
    for name in ("db", "db", "db", "mydb", "db2", "db.old", "mydb", "db2", "db.old"):
        assert bakthat_command("backup", "site", "--prompt", "no", "--name", name, "-q").code == 0
    # The policy keeps the newest and nothing else of `db`.
    said = bakthat_command("rotate_backups", "db")
    assert said.code == 0, said.err
    names = [line.split("\t")[3].rsplit(".", 2)[0] for line in bakthat_command("show").lines]
    assert sorted(names) == ["db", "db.old", "db.old", "db2", "db2", "mydb", "mydb"]
    assert bakthat_command("sync", "--dry-run").out == ""


@pytest.mark.parametrize("service", ["moto_url", "seaweedfs_url"])
def test_a_command_that_fails_leaves_no_object_and_no_unfinished_upload(
    bakthat_command: CommandLine, service: str, request: pytest.FixtureRequest
) -> None:
    url = request.getfixturevalue(service)
    settings = configure(bakthat_command, url)
    script = "head -c 40000000 /dev/urandom; exit 9"
    said = bakthat_command(
        *("backup", "--stdin-from-command", "--name", "dump", "--prompt", "no", "--", "sh", "-c", script)
    )
    is_one_clear_line(said, 1, "sh failed with exit status 9; nothing was stored")
    client = administrator(url)
    assert not client.list_objects_v2(Bucket=settings["s3_bucket"]).get("Contents")
    assert not client.list_multipart_uploads(Bucket=settings["s3_bucket"]).get("Uploads")


def test_a_stream_goes_to_s3_and_comes_back(bakthat_command: CommandLine, seaweedfs_url: str) -> None:
    configure(bakthat_command, seaweedfs_url)
    content = "a line\n" * 3_000_000
    assert bakthat_command("backup", "-", "--name", "dump", "--prompt", "no", answers=content).code == 0
    assert bakthat_command("cat", "dump").out == content
    assert bakthat_command("restore", "dump").code == 0
    assert (bakthat_command.here / "dump").read_text() == content
