"""`configure` and `configure_backups_rotation`, with answers piped in."""

from __future__ import annotations

import time

import yaml

from bakthat.adapters.aws.s3 import s3_client
from tests.fixtures.age_program import run_with_terminal
from tests.fixtures.command_line import CommandLine
from tests.fixtures.s3_servers import s3_profile


def saved(bakthat_command: CommandLine) -> dict:
    return yaml.safe_load((bakthat_command.home / ".bakthat.yml").read_text())


def test_a_folder_needs_eight_answers(bakthat_command: CommandLine) -> None:
    answers = "\n".join(["", "", "", "", "", str(bakthat_command.home / "disk"), "local", ""])
    said = bakthat_command("configure", answers=answers)
    assert said.code == 0, said.err
    assert saved(bakthat_command) == {
        "default": {"local_path": str(bakthat_command.home / "disk"), "default_destination": "local"}
    }
    assert (bakthat_command.home / ".bakthat.yml").stat().st_mode & 0o777 == 0o600


def test_answers_that_run_out_save_nothing(bakthat_command: CommandLine) -> None:
    said = bakthat_command("configure", answers="key\n")
    assert said.code == 2
    assert "no answer to" in said.err
    assert bakthat_command.files() == []


def test_an_answer_that_no_later_command_could_read_is_asked_for_again(bakthat_command: CommandLine) -> None:
    answers = ["", "", "", "", "127.0.0.1:9000", "http://127.0.0.1:9000", "", "locl", "local"]
    said = bakthat_command("configure", answers="\n".join(answers) + "\n")
    assert said.code == 0, said.err
    assert "begins with https://" in said.err
    assert "Please give s3 or glacier or local." in said.err
    assert saved(bakthat_command) == {
        "default": {"endpoint_url": "http://127.0.0.1:9000", "default_destination": "local"}
    }
    assert bakthat_command("configure", answers="\n" * 7).code == 0


def test_a_class_that_is_not_an_archive_class_is_asked_for_again(bakthat_command: CommandLine, moto_url: str) -> None:
    made = s3_profile(moto_url)
    answers = [made.access_key, made.secret_key, made.s3_bucket, "", "", made.endpoint_url]
    said = bakthat_command("configure", answers="\n".join([*map(str, answers), "STANDARD", "GLACIER", "", "", ""]))
    assert said.code == 0, said.err
    assert "Please give GLACIER or DEEP_ARCHIVE." in said.err
    assert saved(bakthat_command)["default"]["glacier_storage_class"] == "GLACIER"


def test_a_bucket_is_created_on_a_yes(bakthat_command: CommandLine, seaweedfs_url: str) -> None:
    made = s3_profile(seaweedfs_url, bucket=False)
    answers = [made.access_key, made.secret_key, made.s3_bucket, "", "", made.endpoint_url, "", "", "s3", "yes"]
    said = bakthat_command("configure", answers="\n".join(map(str, answers)) + "\n")
    assert said.code == 0, said.err
    assert f"Created the bucket {made.s3_bucket}." in said.err
    assert made.secret_key not in said.out + said.err
    client = s3_client(made)
    client.head_bucket(Bucket=made.s3_bucket)
    client.close()


def test_no_bucket_is_created_on_a_no(bakthat_command: CommandLine, moto_url: str) -> None:
    made = s3_profile(moto_url, bucket=False)
    answers = [made.access_key, made.secret_key, made.s3_bucket, "", "", made.endpoint_url, "", "", "s3", "no"]
    assert bakthat_command("configure", answers="\n".join(map(str, answers)) + "\n").code == 0
    client = s3_client(made)
    assert made.s3_bucket not in [bucket["Name"] for bucket in client.list_buckets()["Buckets"]]
    client.close()


def test_a_vault_is_created_on_a_yes(bakthat_command: CommandLine, moto_url: str) -> None:
    answers = ["key", "secret", "", "attic", "", moto_url, "", "local", "yes"]
    said = bakthat_command("configure", answers="\n".join(answers) + "\n")
    assert (said.code, "The vault attic exists." in said.err) == (0, True), said.err


def test_what_is_in_brackets_is_kept_and_a_dash_removes(bakthat_command: CommandLine) -> None:
    bakthat_command.configure(
        {
            "default": {"glacier_vault": "attic", "storage_class": "STANDARD_IA", "unknown": 1},
            "other": {"compress": False},
        }
    )
    said = bakthat_command("configure", answers="\n".join(["", "", "-", "", "", "", "local", ""]))
    assert said.code == 0, said.err
    assert saved(bakthat_command) == {
        "default": {
            "glacier_vault": None,
            "storage_class": "STANDARD_IA",
            "unknown": 1,
            "default_destination": "local",
        },
        "other": {"compress": False},
    }


def test_the_compression_is_asked_for_on_a_terminal_until_it_is_one(bakthat_command: CommandLine) -> None:
    bakthat_command.configure({"default": {"compress": False, "default_destination": "local"}})
    shown = run_with_terminal(
        bakthat_command.command("configure"),
        typed=["", "", "", "", "", "", "", "zip", "zstd:9"],
        prompt=b": ",
        cwd=bakthat_command.here,
        env=bakthat_command.env(),
    )
    assert "Compression (gzip, zstd, zstd:1 to zstd:19, none) [none]:" in shown
    assert "Expected gzip, zstd or none" in shown
    assert saved(bakthat_command)["default"] == {
        "compress": True,
        "default_destination": "local",
        "compression": "zstd:9",
    }


def test_piped_answers_of_1_0_keep_the_compression(bakthat_command: CommandLine) -> None:
    bakthat_command.configure({"default": {"compress": False, "default_destination": "local"}})
    assert bakthat_command("configure", answers="\n" * 7).code == 0
    assert saved(bakthat_command)["default"]["compress"] is False
    assert bakthat_command("show").code == 0


def test_rotation_is_asked_shown_and_saved_beside_what_was_there(bakthat_command: CommandLine) -> None:
    bakthat_command.configure({"default": {"rotation": {"years": 2}, "compress": True, "default_destination": "local"}})
    (bakthat_command.here / "site").mkdir()
    for _ in range(3):
        bakthat_command("backup", "site", "-d", "local", "--prompt", "no")
    time.sleep(2.1)  # three backups of one second are dated up to two seconds ahead, and what lies ahead is kept
    said = bakthat_command("configure_backups_rotation", answers="1\n0\n0\nSunday\nyes\n")
    assert said.code == 0, said.err
    assert "site" in said.err
    assert "keeps 2" in said.err
    assert saved(bakthat_command)["default"]["rotation"] == {
        "years": 2,
        "days": 1,
        "weeks": 0,
        "months": 0,
        "first_week_day": 6,
    }


def test_a_rotation_that_keeps_nothing_is_refused(bakthat_command: CommandLine) -> None:
    said = bakthat_command("configure_backups_rotation", answers="0\n0\n0\n\nyes\n")
    assert said.code == 2
    assert bakthat_command.files() == []


def test_a_no_saves_nothing(bakthat_command: CommandLine) -> None:
    said = bakthat_command("configure_backups_rotation", answers="7\n4\n6\n\nno\n")
    assert (said.code, bakthat_command.files()) == (0, [])


def test_an_answer_that_is_not_a_number_is_asked_again(bakthat_command: CommandLine) -> None:
    said = bakthat_command("configure_backups_rotation", answers="many\n7\n4\n6\nsomeday\nmonday\nyes\n")
    assert said.code == 0, said.err
    assert saved(bakthat_command)["default"]["rotation"]["first_week_day"] == 0
