"""Limits of the line, as options and as settings."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from bakthat import Profile, open_profile
from bakthat.adapters.memory.object_store import MemoryObjectStore
from bakthat.entrypoints.wiring import build_tools
from bakthat.errors import ConfigInvalid
from tests.fixtures.command_line import CommandLine
from tests.fixtures.s3_servers import s3_profile


def test_a_backup_and_its_restore_take_limits(bakthat_command: CommandLine, tmp_path: Path) -> None:
    site = bakthat_command.here / "site"
    site.mkdir()
    (site / "a").write_text("a")
    stored = bakthat_command("backup", "site", "-d", "local", "--prompt", "no", "--limit-upload", "10M")
    assert stored.code == 0, stored.err
    out = tmp_path / "out"
    restored = bakthat_command("restore", "site", "-d", "local", "--target", str(out), "--limit-download", "10M")
    assert restored.code == 0, restored.err
    assert (out / "site" / "a").read_text() == "a"


@pytest.mark.parametrize(("limit", "words"), [("fast", "expected a size"), ("5", "expected at least 1K")])
def test_a_limit_that_cannot_be_meant_is_refused(bakthat_command: CommandLine, limit: str, words: str) -> None:
    backup = ["backup", ".", "-d", "local", "--prompt", "no"]
    said = bakthat_command(*backup, "--limit-upload", limit)
    assert (said.code, said.out) == (2, "")
    assert f"--limit-upload: {words}" in said.err
    assert f"BAKTHAT_LIMIT_UPLOAD: {words}" in bakthat_command(*backup, BAKTHAT_LIMIT_UPLOAD=limit).err


def test_a_limit_of_a_caller_replaces_that_of_the_profile() -> None:
    profile = Profile(limit_upload=1_000, limit_download=2_000)
    assert open_profile(profile, limit_upload="5M", environment={}).profile.limit_upload == 5_000_000
    with pytest.raises(ConfigInvalid, match="limit_upload"):
        open_profile(profile, limit_upload="0", environment={})


def test_the_limit_of_a_profile_reaches_its_bucket(moto_url: str) -> None:
    slept: list[float] = []
    catalog = build_tools(s3_profile(moto_url, limit_upload="1K"), sleep=slept.append).destination("s3").catalog
    assert catalog is not None
    catalog.put("k", io.BytesIO(bytes(100_000)))
    assert max(slept) == pytest.approx(100, abs=5)


def test_all_stores_of_a_profile_share_its_limits() -> None:
    slept: list[float] = []
    profile = Profile(database=":memory:", limit_upload=1_000, limit_download="2K")
    stores = {"one": MemoryObjectStore("memory://one"), "two": MemoryObjectStore("memory://two")}
    tools = build_tools(profile, sleep=slept.append, stores=stores)
    for name in stores:
        catalog = tools.destination(name).catalog
        assert catalog is not None
        catalog.put("k", io.BytesIO(bytes(100_000)))
    assert max(slept) == pytest.approx(200, abs=5)
