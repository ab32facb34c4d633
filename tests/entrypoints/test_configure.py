"""`configure` and `configure_backups_rotation`, with answers piped in."""

from __future__ import annotations

import yaml

from bakthat import Profile, open_profile
from bakthat.adapters.aws.s3 import s3_client
from bakthat.testing.toolbox import SteppedClock
from tests.fixtures.command_line import CommandLine
from tests.fixtures.s3_servers import s3_profile
from tests.fixtures.terminal import Seen, on_terminal


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


FOLDER = [("Where do they go?", "local"), ("Folder", "~/disk")]
PLAIN = [("Encrypt with", "none")]
COMPRESSION = [("Compression", "")]
NO_ROTATION = [("Thin out", "no")]


def configured(command: CommandLine, *answers: tuple[str, str]) -> Seen:
    seen = on_terminal(command, "configure", answers=[(f"{question}", answer) for question, answer in answers])
    assert seen.unasked == (), seen.text
    return seen


def test_a_terminal_is_asked_for_the_destination_first_and_for_nothing_that_it_does_not_need(
    bakthat_command: CommandLine,
) -> None:
    seen = configured(bakthat_command, *FOLDER, *PLAIN, *COMPRESSION, *NO_ROTATION)
    assert seen.code == 0
    assert "AWS" not in seen.text
    assert saved(bakthat_command) == {"default": {"local_path": "~/disk", "default_destination": "local"}}


def test_the_destination_is_tried_and_nothing_stays_there(bakthat_command: CommandLine) -> None:
    seen = configured(bakthat_command, *FOLDER, *PLAIN, *COMPRESSION, *NO_ROTATION)
    assert "Wrote, read and deleted a test object" in " ".join(seen.text.split())
    assert [path.name for path in (bakthat_command.home / "disk").iterdir()] == [".bakthat-store"]  # the store's own


def test_a_destination_that_cannot_be_written_is_an_error_and_the_settings_are_saved(
    bakthat_command: CommandLine,
) -> None:
    (bakthat_command.home / "disk").write_text("a file")
    seen = configured(bakthat_command, *FOLDER, *PLAIN, *COMPRESSION, *NO_ROTATION)
    assert seen.code == 4
    assert saved(bakthat_command)["default"]["local_path"] == "~/disk"


def test_the_next_step_is_shown(bakthat_command: CommandLine) -> None:
    seen = configured(bakthat_command, *FOLDER, *PLAIN, *COMPRESSION, *NO_ROTATION)
    assert "bakthat backup DIR" in seen.text
    assert "rotate-backups" not in seen.text


def test_a_rotation_is_asked_for(bakthat_command: CommandLine) -> None:
    asked = [("Thin out", "yes"), ("Number of days", "10"), ("Number of weeks", ""), ("Number of months", "")]
    seen = configured(bakthat_command, *FOLDER, *PLAIN, *COMPRESSION, *asked)
    rotation = saved(bakthat_command)["default"]["rotation"]
    assert (rotation["days"], rotation["weeks"], rotation["months"]) == (10, 4, 6)
    assert "bakthat rotate-backups NAME" in seen.text


def test_a_new_key_pair_is_written_and_its_copy_asked_for(bakthat_command: CommandLine) -> None:
    key = [("Encrypt with", "key"), ("Public key", ""), ("New file", "")]
    seen = configured(bakthat_command, *FOLDER, *key, *COMPRESSION, *NO_ROTATION)
    profile = saved(bakthat_command)["default"]
    key_file = bakthat_command.home / ".bakthat.key"
    assert profile["recipients"][0] in key_file.read_text()
    assert profile["identity"] == "~/.bakthat.key"
    assert key_file.stat().st_mode & 0o777 == 0o600
    assert "Keep a copy of ~/.bakthat.key" in " ".join(seen.text.split())
    assert "AGE-SECRET-KEY" not in seen.text


def test_a_public_key_is_checked_when_it_is_typed(bakthat_command: CommandLine) -> None:
    recipient = "age1zvkyg2lqzraa2lnjvqej32nkuu0ues2s82hzrye869xeexvn73equnujwj"
    key = [("Encrypt with", "key"), ("Public key", "age1wrong"), ("Public key", recipient), ("private key", "")]
    configured(bakthat_command, *FOLDER, *key, *COMPRESSION, *NO_ROTATION)
    assert saved(bakthat_command)["default"]["recipients"] == [recipient]


def test_a_file_of_public_keys_is_an_answer_too(bakthat_command: CommandLine) -> None:
    (bakthat_command.home / "key.pub").write_text("age1zvkyg2lqzraa2lnjvqej32nkuu0ues2s82hzrye869xeexvn73equnujwj\n")
    (bakthat_command.home / "words").write_text("hello\n")
    key = [("Encrypt with", "KEY"), *(("Public key", answer) for answer in ("~/nowhere", "~/words", "~/key.pub"))]
    key += [("private key", "~/nowhere"), ("private key", "~/key")]
    (bakthat_command.home / "key").write_text("AGE-SECRET-KEY-1…")
    seen = configured(bakthat_command, *FOLDER, *key, *COMPRESSION, *NO_ROTATION)
    text = " ".join(seen.text.split())
    assert "This is neither a file nor a public key" in text
    assert f"This file: '{bakthat_command.home}/words', line 1: not a usable recipient" in text
    profile = saved(bakthat_command)["default"]
    assert (profile["recipients_file"], profile.get("recipients")) == ("~/key.pub", None)
    assert profile["identity"] == "~/key"
    assert "There is no file ~/nowhere." in text


def test_choices_may_be_typed_in_capitals(bakthat_command: CommandLine) -> None:
    configured(bakthat_command, ("Where do they go?", "LOCAL"), FOLDER[1], *PLAIN, *COMPRESSION, *NO_ROTATION)
    assert saved(bakthat_command)["default"]["default_destination"] == "local"


def test_a_key_file_is_never_overwritten(bakthat_command: CommandLine) -> None:
    (bakthat_command.home / ".bakthat.key").write_text("precious")
    key = [("Encrypt with", "key"), ("Public key", ""), ("New file", ""), ("New file", "~/other.key")]
    configured(bakthat_command, *FOLDER, *key, *COMPRESSION, *NO_ROTATION)
    assert (bakthat_command.home / ".bakthat.key").read_text() == "precious"
    assert (bakthat_command.home / "other.key").exists()


def test_an_s3_bucket_is_asked_for_with_its_service_and_tried(bakthat_command: CommandLine, seaweedfs_url: str) -> None:
    made = s3_profile(seaweedfs_url)
    seen = configured(
        bakthat_command,
        ("Where do they go?", "s3"),
        ("S3 bucket name", str(made.s3_bucket)),
        ("Endpoint URL", str(made.endpoint_url)),
        ("Region", ""),
        ("AWS access key", str(made.access_key)),
        ("AWS secret key", str(made.secret_key)),
        ("Encrypt with", "password"),
        ("File with the password", ""),
        *COMPRESSION,
        *NO_ROTATION,
    )
    assert seen.code == 0
    assert "Wrote, read and deleted a test object" in " ".join(seen.text.split())
    assert str(made.secret_key) not in seen.text
    assert "Folder" not in seen.text
    client = s3_client(made)
    assert client.list_objects_v2(Bucket=made.s3_bucket)["KeyCount"] == 0
    client.close()


def test_an_archive_class_is_asked_for_where_there_is_no_vault(bakthat_command: CommandLine, moto_url: str) -> None:
    made = s3_profile(moto_url)
    configured(
        bakthat_command,
        ("Where do they go?", "glacier"),
        ("Glacier vault name", ""),
        ("S3 bucket name", str(made.s3_bucket)),
        ("Endpoint URL", str(made.endpoint_url)),
        ("Region", ""),
        ("AWS access key", str(made.access_key)),
        ("AWS secret key", str(made.secret_key)),
        ("Archive class", "DEEP_ARCHIVE"),
        *PLAIN,
        *COMPRESSION,
        *NO_ROTATION,
    )
    assert saved(bakthat_command)["default"]["glacier_storage_class"] == "DEEP_ARCHIVE"


def test_what_is_set_is_offered_again(bakthat_command: CommandLine) -> None:
    recipient = "age1zvkyg2lqzraa2lnjvqej32nkuu0ues2s82hzrye869xeexvn73equnujwj"
    before = {
        "default_destination": "local",
        "local_path": "~/disk",
        "recipients": [recipient],
        "rotation": {"days": 3},
        "hooks": {"failure": "true"},
    }
    bakthat_command.configure({"default": before})
    answers = [("Where do they go?", ""), ("Folder", ""), ("Encrypt with", ""), ("Keep age1", ""), ("Compression", "")]
    configured(bakthat_command, *answers)
    assert saved(bakthat_command)["default"] == before


def test_the_compression_is_asked_for_on_a_terminal_until_it_is_one(bakthat_command: CommandLine) -> None:
    bakthat_command.configure({"default": {"compress": False, "default_destination": "local"}})
    answers = [("Compression", "zip"), ("Compression", "zstd:9")]
    seen = configured(bakthat_command, *FOLDER, *PLAIN, *answers, *NO_ROTATION)
    assert "Compression (gzip, zstd, zstd:1 to zstd:19, none) [none]:" in " ".join(seen.text.split())
    assert "Expected gzip, zstd or none" in seen.text
    profile = saved(bakthat_command)["default"]
    assert (profile["compress"], profile["compression"]) == (True, "zstd:9")


def test_piped_answers_of_1_0_keep_the_compression(bakthat_command: CommandLine) -> None:
    bakthat_command.configure({"default": {"compress": False, "default_destination": "local"}})
    assert bakthat_command("configure", answers="\n" * 7).code == 0
    assert saved(bakthat_command)["default"]["compress"] is False
    assert bakthat_command("show").code == 0


def test_rotation_is_asked_shown_and_saved_beside_what_was_there(bakthat_command: CommandLine) -> None:
    bakthat_command.configure({"default": {"rotation": {"years": 2}, "compress": True, "default_destination": "local"}})
    (bakthat_command.here / "site").mkdir()
    home = bakthat_command.home
    there = Profile(local_path=str(home / ".bakthat" / "store"), database=str(home / ".bakthat.sqlite"))
    bk = open_profile(there, clock=SteppedClock(), environment={})  # of one day, whenever the test runs
    for _ in range(3):
        bk.backup(bakthat_command.here / "site", "local", password="")
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


def test_how_to_make_a_missing_password_file_is_shown(bakthat_command: CommandLine) -> None:
    encryption = [("Encrypt with", "password"), ("File with the password", "~/secret")]
    seen = configured(bakthat_command, *FOLDER, *encryption, *COMPRESSION, *NO_ROTATION)
    assert saved(bakthat_command)["default"]["password_file"] == "~/secret"
    assert "chmod 600 ~/secret" in seen.text
