"""The page on ransomware: every claim names a test, and what an attacker can do with stolen keys is tried here."""

from __future__ import annotations

import ast
import io
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve, frozen
from botocore.exceptions import ClientError

from bakthat import Bakthat, Profile, open_profile
from bakthat.adapters.aws.s3 import s3_client
from bakthat.adapters.config.yaml_file import YamlConfig
from bakthat.adapters.memory.metadata_repo import MemoryRepo
from bakthat.errors import AccessDenied, PayloadDamaged, StoreError
from tests.fixtures.s3_servers import administrator, s3_profile

TESTS = Path(__file__).parents[1]
PAGE = (TESTS.parent / "docs" / "ransomware.md").read_text()
ROWS = [line for line in PAGE.splitlines() if line.startswith("| c")]
NAMED = sorted(set(re.findall(r"`([\w/]+\.py)::(\w+)`", PAGE)))


@pytest.mark.parametrize("row", ROWS, ids=range(len(ROWS)))
def test_every_claim_names_its_test(row: str) -> None:
    claim, shown_by = row.strip("| ").rsplit(" | ", 1)
    assert claim.startswith(("can ", "cannot "))
    assert claim.endswith(".")
    assert re.fullmatch(r"`[\w/]+\.py::\w+`(, `[\w/]+\.py::\w+`)*", shown_by)


@pytest.mark.parametrize(("path", "name"), NAMED)
def test_every_test_that_is_named_is_there(path: str, name: str) -> None:
    functions = [node for node in ast.parse((TESTS / path).read_text()).body if isinstance(node, ast.FunctionDef)]
    assert [function.name for function in functions].count(name) == 1


def test_there_are_claims_about_each_of_the_three() -> None:
    sections = re.split(r"^## ", PAGE, flags=re.MULTILINE)[1:]
    assert [section.splitlines()[0] for section in sections if "| shown by |" in section] == [
        "A machine that can only add",
        "Object Lock",
        "A second copy",
    ]
    assert len(ROWS) >= 15


@pytest.mark.parametrize(
    "block", re.findall(r"^```yaml\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE), ids=["add", "lock"]
)
def test_the_settings_are_read_without_a_notice(block: str, tmp_path: Path) -> None:
    (tmp_path / "config.yml").write_text(block.replace("[age1...]", "[]"))
    (tmp_path / "config.yml").chmod(0o600)
    notices: list[str] = []
    YamlConfig(tmp_path / "config.yml", notice=notices.append).load("default")
    assert notices == []


@frozen
class Victim:
    """A machine with a backup in a bucket with Object Lock. `attack`: a client with the machine's keys, which may
    delete. `owner`: a client of the account's owner."""

    bk: Bakthat
    name: str
    bucket: str
    attack: Any
    owner: Any

    def versions(self, key: str | None = None) -> list[str]:
        """The ids of the versions, newest first."""
        found = self.owner.list_object_versions(Bucket=self.bucket, Prefix=key or self.name)
        return [version["VersionId"] for version in found.get("Versions", [])]

    def on_a_new_machine(self) -> Bakthat:
        return open_profile(self.bk.profile, repo=MemoryRepo(), environment={}, notice=lambda _: None)


@pytest.fixture
def victim(seaweedfs_url: str, tmp_path: Path) -> Callable[[str], Victim]:
    """SeaweedFS honours Object Lock, also against the owner's keys."""

    def attacked(mode: str) -> Victim:
        profile = s3_profile(seaweedfs_url, bucket=False, object_lock={"mode": mode, "days": 30})
        owner = administrator(seaweedfs_url)
        owner.create_bucket(Bucket=profile.s3_bucket, ObjectLockEnabledForBucket=True)
        bk = open_profile(profile, repo=MemoryRepo(), environment={}, notice=lambda _: None)
        (tmp_path / "site").mkdir()
        (tmp_path / "site" / "a.txt").write_text("precious")
        made = bk.backup(tmp_path / "site", password="")
        return Victim(bk, made.stored_filename, str(profile.s3_bucket), s3_client(profile), owner)

    return attacked


def is_restored(bk: Bakthat, target: Path) -> bool:
    bk.restore("site", target=target)
    return (target / "site" / "a.txt").read_text() == "precious"


@pytest.mark.parametrize("mode", ["governance", "compliance"])
def test_a_locked_version_cannot_be_deleted(victim: Callable[[str], Victim], mode: str) -> None:
    found = victim(mode)
    (version,) = found.versions()
    with pytest.raises(ClientError, match="AccessDenied"):
        found.attack.delete_object(Bucket=found.bucket, Key=found.name, VersionId=version)
    assert found.versions() == [version]


def test_a_lock_of_compliance_cannot_be_shortened(victim: Callable[[str], Victim]) -> None:
    found = victim("compliance")
    soon = {"Mode": "COMPLIANCE", "RetainUntilDate": datetime.now(UTC) + timedelta(days=1)}
    with pytest.raises(ClientError, match="AccessDenied"):
        found.attack.put_object_retention(
            Bucket=found.bucket, Key=found.name, Retention=soon, BypassGovernanceRetention=True
        )


def test_a_hidden_archive_is_restored_when_its_marker_is_removed(
    victim: Callable[[str], Victim], tmp_path: Path
) -> None:
    found = victim("governance")
    found.attack.delete_object(Bucket=found.bucket, Key=found.name)
    found.bk.sync()
    assert found.bk.show() == []
    (marker,) = found.owner.list_object_versions(Bucket=found.bucket, Prefix=found.name)["DeleteMarkers"]
    found.owner.delete_object(Bucket=found.bucket, Key=found.name, VersionId=marker["VersionId"])
    found.bk.sync()
    assert is_restored(found.bk, tmp_path / "out")


def test_without_entries_a_new_machine_finds_and_restores_the_archives(
    victim: Callable[[str], Victim], tmp_path: Path
) -> None:
    found = victim("governance")
    found.attack.delete_object(Bucket=found.bucket, Key=f"bakthat_catalog/{found.name}.json")
    fresh = found.on_a_new_machine()
    fresh.sync()
    assert [row.stored_filename for row in fresh.show()] == [found.name]
    assert is_restored(fresh, tmp_path / "out")


def test_what_was_written_over_an_archive_is_not_restored(victim: Callable[[str], Victim], tmp_path: Path) -> None:
    found = victim("governance")
    found.attack.put_object(Bucket=found.bucket, Key=found.name, Body=b"encrypted by an attacker")
    with pytest.raises((PayloadDamaged, StoreError)):
        found.bk.restore("site", target=tmp_path / "out")
    assert not (tmp_path / "out" / "site").exists()


def test_an_archive_that_was_written_over_is_in_the_version_before(
    victim: Callable[[str], Victim], tmp_path: Path
) -> None:
    found = victim("governance")
    (version,) = found.versions()
    found.attack.put_object(Bucket=found.bucket, Key=found.name, Body=b"encrypted by an attacker")
    newest = next(one for one in found.versions() if one != version)
    found.owner.delete_object(Bucket=found.bucket, Key=found.name, VersionId=newest)
    assert is_restored(found.bk, tmp_path / "out")


def test_other_keys_do_not_reach_the_second_copy(seaweedfs_url: str, tmp_path: Path) -> None:
    """The keys of the first place are no keys of the second one."""
    first, second = s3_profile(seaweedfs_url), s3_profile(seaweedfs_url)
    repo = MemoryRepo()
    bk = open_profile(first, repo=repo, environment={}, notice=lambda _: None)
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "a.txt").write_text("precious")
    made = bk.backup(tmp_path / "site", password="")
    offsite = open_profile(second, repo=repo, environment={}, notice=lambda _: None)
    bk.copy(to="s3", to_profile=offsite)
    stolen: Profile = evolve(second, secret_key="the-key-of-the-first-place")
    with pytest.raises(AccessDenied):
        open_profile(stolen, repo=repo, environment={}, notice=lambda _: None).delete("site")
    administrator(seaweedfs_url).delete_object(Bucket=first.s3_bucket, Key=made.stored_filename)
    administrator(seaweedfs_url).put_object(Bucket=first.s3_bucket, Key="x", Body=io.BytesIO(b"x"))
    assert is_restored(offsite, tmp_path / "out")
