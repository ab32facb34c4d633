"""The Python face: every verb, with ports handed in."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import get_args, get_type_hints

import pytest
from attrs import evolve

import bakthat as library
from bakthat import Bakthat, Profile, RotationPolicy, open_profile
from bakthat.adapters.encryption.key_files import keygen, write_key_file
from bakthat.adapters.memory.archive_store import MemoryArchiveStore
from bakthat.adapters.memory.config_source import MemoryConfig
from bakthat.adapters.memory.metadata_repo import MemoryRepo
from bakthat.adapters.memory.object_store import MemoryObjectStore
from bakthat.errors import (
    ConfigError,
    InvalidInterval,
    InvalidPolicy,
    ProfileNotFound,
    SourceError,
    StoreUnavailable,
    UnknownDestination,
    UsageError,
)
from bakthat.testing.faulty import Fault, FaultyObjectStore
from bakthat.testing.toolbox import SteppedClock
from tests.fixtures.quick_cipher import quick_cipher


def test_the_life_of_a_backup(bakthat: Bakthat, tree: Path, tmp_path: Path) -> None:
    made = bakthat.backup(tree, tags="web daily")
    assert bakthat.show("sit") == [made]
    assert bakthat.restore("site", target=tmp_path / "out") == made
    assert (tmp_path / "out" / "site" / "index.html").read_text() == "<h1>hello</h1>"
    assert bakthat.verify("site")[0].error is None
    assert bakthat.delete("site").is_deleted
    assert bakthat.show() == []


def test_tags_are_text_or_a_list(bakthat: Bakthat, tree: Path) -> None:
    assert bakthat.backup(tree, tags=["a", "b"]).tags == bakthat.backup(tree, tags="a b").tags == ("a", "b")


def test_a_password_encrypts_and_decrypts(bakthat: Bakthat, tree: Path, tmp_path: Path) -> None:
    made = bakthat.backup(tree, password="secret")
    assert made.is_encrypted
    bakthat.restore("site", target=tmp_path / "out", password="secret")


def test_an_empty_password_means_plain_whatever_the_environment_says(
    store: MemoryObjectStore, repo: MemoryRepo, tree: Path
) -> None:
    bakthat = open_profile(Profile(), store=store, repo=repo, environment={"BAKTHAT_PASSWORD": "secret"})
    assert not bakthat.backup(tree, password="").is_encrypted
    assert bakthat.backup(tree).is_encrypted


def test_removing_by_age_gives_back_what_is_gone(bakthat: Bakthat, clock: SteppedClock, tree: Path) -> None:
    old = bakthat.backup(tree)
    clock.forward(days=40)
    bakthat.backup(tree)
    assert [gone.stored_filename for gone in bakthat.remove_older_than("site", "1M")] == [old.stored_filename]


def test_a_wrong_interval_is_refused_before_anything_is_opened(bakthat: Bakthat) -> None:
    with pytest.raises(InvalidInterval):
        bakthat.remove_older_than("site", "3X", "no such destination")


def test_rotation_uses_the_profiles_policy(bakthat: Bakthat, clock: SteppedClock, tree: Path) -> None:
    for _ in range(4):
        bakthat.backup(tree)
        clock.forward(days=1)
    assert len(bakthat.rotate_backups("site")) == 2
    assert len(bakthat.show()) == 2


def test_a_dry_run_gives_what_would_go_and_deletes_nothing(bakthat: Bakthat, clock: SteppedClock, tree: Path) -> None:
    for _ in range(4):
        bakthat.backup(tree)
        clock.forward(days=1)
    would_rotate = bakthat.rotate_backups("site", dry_run=True)
    would_remove = bakthat.remove_older_than("site", "1D", dry_run=True)
    assert len(bakthat.show()) == 4
    removed = bakthat.remove_older_than("site", "1D")
    assert [one.stored_filename for one in would_remove] == [one.stored_filename for one in removed]
    assert [one.stored_filename for one in would_rotate] == [one.stored_filename for one in removed[:2]]


def test_a_policy_of_ones_own_takes_the_place_of_the_profiles(
    bakthat: Bakthat, clock: SteppedClock, tree: Path
) -> None:
    for _ in range(4):
        bakthat.backup(tree)
        clock.forward(days=1)
    assert len(bakthat.rotate_backups("site", policy=RotationPolicy(days=3))) == 1


def test_a_tier_is_named(bakthat: Bakthat, tree: Path) -> None:
    bakthat.backup(tree)
    with pytest.raises(UsageError, match="choose one of expedited, standard, bulk"):
        bakthat.restore("site", tier="fast")


def test_without_a_policy_rotation_is_refused(store: MemoryObjectStore, repo: MemoryRepo, tree: Path) -> None:
    bakthat = open_profile(Profile(), store=store, repo=repo)
    bakthat.backup(tree)
    with pytest.raises(InvalidPolicy, match="configure-backups-rotation"):
        bakthat.rotate_backups("site")


def test_sync_finds_everything_again(bakthat: Bakthat, store: MemoryObjectStore, tree: Path) -> None:
    made = bakthat.backup(tree)
    elsewhere = open_profile(Profile(), store=store, repo=MemoryRepo())
    (added,) = elsewhere.sync().added
    # The store's own date of an archive is what only other machines' rows have.
    assert added.metadata["stored_at"]
    assert evolve(added, metadata={**added.metadata, "stored_at": None}) == evolve(
        made, metadata={**made.metadata, "stored_at": None}
    )
    assert elsewhere.show() == [added]


def test_a_profile_comes_from_any_config_source(store: MemoryObjectStore) -> None:
    config = MemoryConfig([Profile(name="default"), Profile(name="other", compress=False)])
    assert open_profile("other", config=config, store=store).profile.compress is False
    with pytest.raises(ProfileNotFound):
        open_profile("absent", config=config)


def test_an_unknown_destination_suggests_the_nearest(bakthat: Bakthat, tree: Path) -> None:
    with pytest.raises(UnknownDestination, match="did you mean local"):
        bakthat.backup(tree, "locale")


@pytest.mark.parametrize(("source", "destination"), [("absent", "s3"), ("site", "nowhere"), ("site", "glacier")])
def test_nobody_is_asked_for_a_password_in_vain(bakthat: Bakthat, tree: Path, source: str, destination: str) -> None:
    asked: list[str] = []

    def ask() -> str:
        asked.append("password")
        return ""

    with pytest.raises((SourceError, ConfigError)):
        bakthat.backup(tree.parent / source, destination, ask=ask)
    assert asked == []


def test_restore_from_a_file_needs_no_record(
    bakthat: Bakthat, store: MemoryObjectStore, tree: Path, tmp_path: Path
) -> None:
    made = bakthat.backup(tree, password="secret")
    with store.open(made.stored_filename) as reader:
        (tmp_path / made.stored_filename).write_bytes(reader.read())
    elsewhere = open_profile(
        Profile(), store=MemoryObjectStore(), repo=MemoryRepo(), cipher=quick_cipher(), environment={}
    )
    elsewhere.restore_from(str(tmp_path / made.stored_filename), target=tmp_path / "out", password="secret")
    assert (tmp_path / "out" / "site" / "index.html").read_text() == "<h1>hello</h1>"


@pytest.mark.parametrize("place", ["s3://", "s3://bucket", "s3://bucket/", "/"])
def test_a_place_that_is_not_an_object_is_refused(bakthat: Bakthat, place: str) -> None:
    with pytest.raises(UsageError):
        bakthat.restore_from(place)


def test_a_single_text_counts_as_a_list_of_one(bakthat: Bakthat, tree: Path, tmp_path: Path) -> None:
    (tree / "a.jpg").write_text("a")
    (tmp_path / "patterns").write_text("*.txt")
    made = bakthat.backup(tree, excludes="*.jpg", exclude_from=str(tmp_path / "patterns"), exclude_if_present="mark")
    assert [entry.path for entry in bakthat.ls(made, only="*.html")] == ["index.html"]
    assert [entry.path for entry in bakthat.ls(made)] == ["index.html"]
    bakthat.restore(made, target=tmp_path / "out", only="index.html")
    assert os.listdir(tmp_path / "out" / "site") == ["index.html"]
    key = tmp_path / "key"
    pair = keygen(clock=SteppedClock())
    write_key_file(key, pair)
    sealed = bakthat.backup(tree, name="sealed", recipients=pair.recipient)
    assert bakthat.verify(sealed, identities=str(key))[0].level == "opens"
    assert bakthat.verify(sealed, identities=key)[0].level == "opens"  # type: ignore[arg-type]
    assert list(bakthat.sync_all("s3").reports) == ["s3"]


def test_what_cannot_be_meant_is_a_type_error_that_says_what_was_expected(bakthat: Bakthat) -> None:
    with pytest.raises(TypeError, match=r"a profile is chosen by its name, or given as `Profile\(\*\*settings\)`"):
        open_profile({"s3_bucket": "my-backups"})  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="an interval is text such as '7D', or a timedelta, not 5"):
        bakthat.remove_older_than("site", 5)  # type: ignore[arg-type]
    with pytest.raises(
        TypeError, match=r"a policy is a `RotationPolicy`, such as RotationPolicy\(days=7, weeks=4\), not"
    ):
        bakthat.rotate_backups("site", policy={"days": 7})  # type: ignore[arg-type]


def test_a_profile_is_a_context_manager(bakthat: Bakthat, tree: Path) -> None:
    with bakthat as bk:
        made = bk.backup(tree)
    assert bakthat.show() == [made]


def test_an_age_is_text_or_a_timedelta(bakthat: Bakthat, clock: SteppedClock, tree: Path) -> None:
    old = bakthat.backup(tree)
    clock.forward(days=40)
    bakthat.backup(tree)
    would = bakthat.remove_older_than("site", "30D", dry_run=True)
    assert [one.stored_filename for one in would] == [old.stored_filename]
    assert bakthat.remove_older_than("site", timedelta(days=30), dry_run=True) == would


@pytest.mark.parametrize("age", [timedelta(0), timedelta(days=-1), timedelta(days=400_000)], ids=["0", "minus", "long"])
def test_a_timedelta_has_the_limits_of_an_interval(bakthat: Bakthat, tree: Path, age: timedelta) -> None:
    bakthat.backup(tree)
    with pytest.raises(InvalidInterval, match="longer than 0 and at most 1000 years"):
        bakthat.remove_older_than("site", age)
    with pytest.raises(InvalidInterval, match="longer than 0 and at most 1000 years"):
        bakthat.find("*.html", since=age)


def test_sync_without_a_name_syncs_every_destination(clock: SteppedClock, tree: Path) -> None:
    stores = {
        "s3": MemoryObjectStore("memory://s3", clock=clock),
        "nas": MemoryObjectStore("memory://nas", clock=clock),
    }
    one = open_profile(Profile(), stores=stores, repo=MemoryRepo(), clock=clock, environment={})
    one.backup(tree)
    one.backup(tree, "nas")
    other = open_profile(Profile(), stores=stores, repo=MemoryRepo(), environment={})
    assert {made.backend for made in other.sync().added} == {"s3", "nas"}


def test_sync_of_every_destination_raises_the_failure_of_one_after_the_others(clock: SteppedClock, tree: Path) -> None:
    broken = FaultyObjectStore(
        MemoryObjectStore("memory://s3"), Fault(method="list", error=lambda: StoreUnavailable("down"))
    )
    nas = MemoryObjectStore("memory://nas", clock=clock)
    open_profile(Profile(), stores={"nas": nas}, repo=MemoryRepo(), environment={}).backup(tree, "nas")
    other = open_profile(Profile(), stores={"s3": broken, "nas": nas}, repo=MemoryRepo(), environment={})
    with pytest.raises(StoreUnavailable, match="down"):
        other.sync()
    assert [made.backend for made in other.show()] == ["nas"]


def test_show_lists_the_backups_in_the_stores_of_the_profile(repo: MemoryRepo, tree: Path) -> None:
    bucket = MemoryObjectStore("memory://work")
    made = open_profile(Profile(name="work"), store=bucket, repo=repo, environment={}).backup(tree)
    home = open_profile(Profile(name="home"), store=MemoryObjectStore("memory://home"), repo=repo, environment={})
    assert home.show() == []
    assert home.show(everything=True) == [made]


def test_show_lists_backups_of_a_host_that_are_young_enough(
    store: MemoryObjectStore, repo: MemoryRepo, clock: SteppedClock, tree: Path
) -> None:
    made = []
    for host in ("web1", "web2"):
        of_host = open_profile(Profile(host=host), store=store, repo=repo, clock=clock, environment={})
        made.append(of_host.backup(tree))
        clock.forward(days=2)
    assert of_host.show(host="web1") == [made[0]]
    assert of_host.show(since="3D") == of_host.show(since=timedelta(days=3)) == [made[1]]


def test_the_inventory_of_a_vault_is_saved_and_loaded(clock: SteppedClock, tree: Path) -> None:
    bucket, vault = MemoryObjectStore("memory://s3", clock=clock), MemoryArchiveStore(clock=clock)
    profile = Profile(s3_bucket="bucket", glacier_vault="vault")
    one = open_profile(profile, store=bucket, archives=vault, repo=MemoryRepo(), clock=clock, environment={})
    made = one.backup(tree, "glacier")
    known = one.glacier_inventory.show_local()
    assert list(known) == [made.stored_filename]
    assert one.glacier_inventory.save() == one.glacier_inventory.show() == known
    other = open_profile(profile, store=bucket, archives=vault, repo=MemoryRepo(), clock=clock, environment={})
    assert other.glacier_inventory.show_local() == {}
    assert other.glacier_inventory.load() == known
    assert other.glacier_inventory.show_local() == known


def test_the_public_names_are_these() -> None:
    assert sorted(library.__all__) == [
        "Backup",
        "BakHelper",
        "Bakthat",
        "CleanedUp",
        "CleanupReport",
        "Compared",
        "Contents",
        "Copied",
        "CopyReport",
        "Decision",
        "DeletionCandidate",
        "Difference",
        "Events",
        "FoundFile",
        "GroupBy",
        "IndexEntry",
        "JobOutcome",
        "JobRun",
        "JobRuns",
        "KeyValue",
        "Leftover",
        "Level",
        "Plan",
        "Profile",
        "Progress",
        "Restored",
        "Retention",
        "RotatedSeries",
        "RotationPolicy",
        "SalvageReport",
        "Salvaged",
        "SeriesStatus",
        "StatusReport",
        "SyncReport",
        "Synced",
        "Tier",
        "UnpackReport",
        "VaultInventory",
        "Verification",
        "Verified",
        "backup",
        "backup_command",
        "backup_stream",
        "delete",
        "delete_older_than",
        "errors",
        "open_profile",
        "remove_older_than",
        "restore",
        "rotate_backups",
        "show",
        "sync",
        "verify",
    ]


@pytest.mark.parametrize("name", library.__all__)
def test_every_public_name_is_there_and_documented(name: str) -> None:
    assert getattr(library, name).__doc__


def test_the_verbs_of_a_profile_are_these() -> None:
    names = [name for name in dir(Bakthat) if not name.startswith("_")]
    assert sorted(names) == [
        "about_to_delete",
        "backup",
        "backup_command",
        "backup_stream",
        "cleanup",
        "cleanup_all",
        "copy",
        "delete",
        "diff",
        "find",
        "glacier_inventory",
        "ls",
        "open_file",
        "remove_older_than",
        "remove_older_than_with_report",
        "restore",
        "restore_from",
        "restore_with_report",
        "rotate_all_backups",
        "rotate_backups",
        "rotate_backups_with_report",
        "run_jobs",
        "salvage",
        "salvage_from",
        "show",
        "status",
        "sync",
        "sync_all",
        "tools",
        "value_keys",
        "verify",
    ]


def classes_in(annotation: object) -> set[type]:
    """The classes of bakthat in an annotation, also within others: `list[Verified]`."""
    found = {annotation} if isinstance(annotation, type) and annotation.__module__.startswith("bakthat.") else set()
    return found.union(*(classes_in(part) for part in get_args(annotation)))


def test_the_results_of_all_verbs_are_public_types() -> None:
    public = {getattr(library, name) for name in library.__all__ if name != "errors"}
    hidden: set[str] = set()
    for name in dir(Bakthat):
        member = getattr(Bakthat, name)
        if not name.startswith("_") and name not in {"tools", "value_keys"} and callable(member):
            result = get_type_hints(member, vars(sys.modules[member.__module__]))["return"]
            hidden |= {f"{name}: {kind.__name__}" for kind in classes_in(result) - public}
    assert hidden == set()


def test_importing_bakthat_imports_nothing_else() -> None:
    code = "import sys, bakthat; print({'boto3', 'peewee', 'yaml', 'cryptography', 'click'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"


def test_opening_a_profile_creates_nothing(tmp_path: Path) -> None:
    code = "import bakthat; bakthat.open_profile(); bakthat.show()"
    subprocess.run([sys.executable, "-c", code], env={**os.environ, "HOME": str(tmp_path)}, check=True)
    assert list(tmp_path.iterdir()) == []
