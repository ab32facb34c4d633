"""Backups in an archive store: retrievals, from any machine, with an inventory that cannot be lost."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
from attrs import evolve

from bakthat.adapters.memory.metadata_repo import MemoryRepo
from bakthat.domain.backup import Backup
from bakthat.domain.objects import ArchiveId, Tier
from bakthat.domain.query import Query
from bakthat.errors import ConfigInvalid, DatabaseError, ObjectNotFound, RetrievalPending
from bakthat.testing.faulty import Fault, FaultyObjectStore
from bakthat.testing.toolbox import Toolbox
from bakthat.usecases.backup import BackupRequest, backup
from bakthat.usecases.delete import DeleteRequest, delete
from bakthat.usecases.glacier_inventory import (
    backup_inventory,
    restore_inventory,
    show_local_inventory,
    show_saved_inventory,
)
from bakthat.usecases.restore import RestoreRequest, restore
from bakthat.usecases.sync import sync

NAME = "site.20260102030405.tgz"


def back_up(box: Toolbox, tree: Path) -> Backup:
    return backup(BackupRequest(source=tree, destination="glacier", tags=("web",)), box.tools)


def bring_back(box: Toolbox, target: Path, **changes) -> Backup:
    request = RestoreRequest(name="site", destination="glacier", target=target, **changes)
    return restore(request, box.tools).backup


def without_bucket(box: Toolbox) -> Toolbox:
    return Toolbox(stores={"local": box.stores["local"]}, archives=box.archives, clock=box.clock)


def on_another_machine(box: Toolbox) -> Toolbox:
    return Toolbox(stores=dict(box.stores), archives=box.archives, clock=box.clock, host="other")


# the retrieval


def test_the_first_restore_asks_and_says_when_to_come_back(box: Toolbox, tree: Path, tmp_path: Path) -> None:
    back_up(box, tree)
    with pytest.raises(
        RetrievalPending,
        match=f"{NAME}: retrieval requested at 03:04 UTC, usually ready after 3 to 5 hours; run restore",
    ):
        bring_back(box, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_later_restore_finishes(box: Toolbox, tree: Path, tmp_path: Path) -> None:
    back_up(box, tree)
    with pytest.raises(RetrievalPending):
        bring_back(box, tmp_path / "out")
    box.clock.forward(hours=6)
    bring_back(box, tmp_path / "out")
    assert (tmp_path / "out" / "site" / "index.html").read_text() == "<h1>hello</h1>"


def test_a_restore_too_early_reports_when_the_retrieval_was_requested(box: Toolbox, tree: Path, tmp_path: Path) -> None:
    back_up(box, tree)
    for _ in range(2):
        with pytest.raises(RetrievalPending, match="03:04 UTC"):
            bring_back(box, tmp_path / "out")
        box.clock.forward(hours=1)


def test_an_expired_retrieval_is_asked_for_again(box: Toolbox, tree: Path, tmp_path: Path) -> None:
    back_up(box, tree)
    with pytest.raises(RetrievalPending):
        bring_back(box, tmp_path / "out")
    box.clock.forward(days=3)
    with pytest.raises(RetrievalPending, match="requested at"):
        bring_back(box, tmp_path / "out")
    assert "expired" in box.notices[-1]


def test_a_faster_tier_begins_anew(box: Toolbox, tree: Path, tmp_path: Path) -> None:
    back_up(box, tree)
    with pytest.raises(RetrievalPending, match="bulk"):
        bring_back(box, tmp_path / "out", tier=Tier.BULK)
    with pytest.raises(RetrievalPending, match="expedited"):
        bring_back(box, tmp_path / "out", tier=Tier.EXPEDITED)
    box.clock.forward(minutes=6)
    assert bring_back(box, tmp_path / "out").stored_filename == NAME


def test_wait_looks_again_until_it_is_ready(box: Toolbox, tree: Path, tmp_path: Path) -> None:
    back_up(box, tree)
    before = box.clock.now
    bring_back(box, tmp_path / "out", wait=True)
    assert 5 <= (box.clock.now - before).total_seconds() / 3600 < 6
    assert "checking again in" in box.notices[0]


def test_ctrl_c_while_waiting_says_that_the_retrieval_continues(box: Toolbox, tree: Path, tmp_path: Path) -> None:
    back_up(box, tree)

    def interrupt(_: float) -> None:
        raise KeyboardInterrupt

    request = RestoreRequest(name="site", destination="glacier", target=tmp_path, wait=True)
    with pytest.raises(KeyboardInterrupt):
        restore(request, evolve(box.tools, sleep=interrupt))
    assert "retrieval continues" in box.notices[-1]


def test_the_database_lost_between_two_restores(box: Toolbox, tree: Path, tmp_path: Path) -> None:
    back_up(box, tree)
    with pytest.raises(RetrievalPending):
        bring_back(box, tmp_path / "out")
    box.clock.forward(hours=6)
    box.repo = MemoryRepo()
    sync("glacier", box.tools)
    assert bring_back(box, tmp_path / "out").tags == ("web",)


def test_another_machine_finishes_what_one_began(box: Toolbox, tree: Path, tmp_path: Path) -> None:
    other = on_another_machine(box)
    back_up(box, tree)
    with pytest.raises(RetrievalPending):
        bring_back(box, tmp_path / "out")
    box.clock.forward(hours=6)
    sync("glacier", other.tools)
    assert bring_back(other, tmp_path / "out").stored_filename == NAME


# the inventory


def test_a_backup_saves_the_inventory_to_the_bucket(box: Toolbox, tree: Path) -> None:
    made = back_up(box, tree)
    saved = show_saved_inventory("glacier", box.tools)
    assert saved == show_local_inventory(box.tools) == {NAME: made.metadata["archive_id"]}


def test_an_inventory_that_cannot_be_saved_is_a_warning_that_names_the_command(box: Toolbox, tree: Path) -> None:
    box.stores["s3"] = FaultyObjectStore(box.stores["s3"], Fault(method="put", key="bakthat_glacier"))
    back_up(box, tree)
    assert "bakthat glacier-inventory save" in box.notices[0]
    assert list(backup_inventory("glacier", box.tools)) == [NAME]


def test_a_lost_copy_is_written_again_and_a_lost_database_is_loaded(box: Toolbox, tree: Path) -> None:
    back_up(box, tree)
    box.stores["s3"].delete("bakthat_glacier_inventory")
    backup_inventory("glacier", box.tools)
    box.repo = MemoryRepo()
    assert list(restore_inventory("glacier", box.tools)) == list(show_local_inventory(box.tools)) == [NAME]


def test_restoring_the_inventory_drops_nothing(box: Toolbox, tree: Path) -> None:
    back_up(box, tree)
    box.stores["s3"].put("bakthat_glacier_inventory", io.BytesIO(b'{"x": "1"}'), replace=True)
    assert restore_inventory("glacier", box.tools) == {"x": "1"}
    assert sorted(show_local_inventory(box.tools)) == [NAME, "x"]


def test_the_list_form_of_2013_is_read(box: Toolbox) -> None:
    old = json.dumps([{"filename": "a.20130101000000.tgz", "archive_id": "id1"}]).encode()
    box.stores["s3"].put("bakthat_glacier_inventory", io.BytesIO(old))
    assert show_saved_inventory("glacier", box.tools) == {"a.20130101000000.tgz": "id1"}


def test_a_corrupted_copy_does_not_stop_a_backup_and_is_left_as_it_is(box: Toolbox, tree: Path) -> None:
    box.stores["s3"].put("bakthat_glacier_inventory", io.BytesIO(b"{broken"))
    back_up(box, tree)
    with box.stores["s3"].open("bakthat_glacier_inventory") as reader:
        assert reader.read() == b"{broken"
    assert "glacier-inventory save" in box.notices[0]


def test_a_backup_stands_without_permission_for_the_bucket(box: Toolbox, tree: Path) -> None:
    box.stores["s3"] = FaultyObjectStore(
        box.stores["s3"], Fault(method="put", times=99), Fault(method="open", times=99)
    )
    made = back_up(box, tree)
    assert [row.stored_filename for row in box.repo.find(Query())] == [made.stored_filename]
    assert len(box.notices) == 3  # of the inventory, the index and the entry


def test_without_a_bucket_the_commands_say_what_is_missing(box: Toolbox) -> None:
    with pytest.raises(ConfigInvalid, match="s3_bucket"):
        show_saved_inventory("glacier", without_bucket(box).tools)


def test_two_machines_keep_each_others_archives_in_the_copy(box: Toolbox, tree: Path) -> None:
    other = on_another_machine(box)
    back_up(box, tree)
    box.clock.forward(seconds=1)
    back_up(other, tree)
    assert len(show_saved_inventory("glacier", box.tools)) == 2


# deleting


def test_deleting_removes_archive_entry_and_inventory(box: Toolbox, tree: Path) -> None:
    back_up(box, tree)
    delete(DeleteRequest(name="site", destination="glacier"), box.tools)
    assert (show_local_inventory(box.tools), show_saved_inventory("glacier", box.tools)) == ({}, {})
    assert box.keys_in("s3") == ["bakthat_glacier_inventory"]
    assert list(box.repo.find(Query())) == []


@pytest.mark.parametrize(("age", "expected"), [(0, "90 more days"), (89, "1 more day"), (90, None), (400, None)])
def test_deleting_before_the_minimum_age_warns_with_the_days(
    box: Toolbox, tree: Path, age: int, expected: str | None
) -> None:
    back_up(box, tree)
    box.clock.forward(days=age)
    delete(DeleteRequest(name="site", destination="glacier"), box.tools)
    assert [expected in notice for notice in box.notices] == ([True] if expected else [])


def test_an_archive_deleted_behind_our_back_is_reported_on_restore(box: Toolbox, tree: Path, tmp_path: Path) -> None:
    made = back_up(box, tree)
    box.archives.delete(made.metadata["archive_id"])
    with pytest.raises(ObjectNotFound):
        bring_back(box, tmp_path / "out")


def test_an_archive_of_which_nobody_knows_the_id_names_the_way_out(box: Toolbox, tree: Path, tmp_path: Path) -> None:
    made = back_up(box, tree)
    box.repo.replace(made.with_metadata(box.clock(), archive_id=None))
    box.repo.forget_archive(NAME)
    box.stores["s3"].delete("bakthat_glacier_inventory")
    with pytest.raises(ObjectNotFound, match=r"run `glacier_inventory.load\(\)`, or `sync"):
        bring_back(box, tmp_path / "out")


# sync


def test_sync_from_the_bucket_brings_every_record_back(box: Toolbox, tree: Path) -> None:
    made = back_up(box, tree)
    box.repo = MemoryRepo()
    sync("glacier", box.tools)
    (row,) = box.repo.find(Query())
    assert row.with_metadata(row.last_updated, stored_at=None) == made


def test_sync_without_a_bucket_asks_the_vault_and_reads_its_list_later(box: Toolbox, tree: Path) -> None:
    alone = without_bucket(box)
    back_up(alone, tree)
    alone.repo = MemoryRepo()
    with pytest.raises(RetrievalPending, match="run sync again"):
        sync("glacier", alone.tools)
    alone.clock.forward(hours=6)
    sync("glacier", alone.tools)
    (row,) = alone.repo.find(Query())
    assert (row.stored_filename, row.tags, row.metadata["client"]) == (NAME, ("web",), "host")


def test_what_a_vaults_old_list_does_not_hold_yet_is_not_gone(box: Toolbox, tree: Path) -> None:
    alone = without_bucket(box)
    with pytest.raises(RetrievalPending):
        sync("glacier", alone.tools)
    back_up(alone, tree)
    alone.clock.forward(hours=6)
    assert sync("glacier", alone.tools).vanished == ()


def test_syncing_s3_leaves_the_archives_of_glacier_in_the_same_bucket_alone(box: Toolbox, tree: Path) -> None:
    back_up(box, tree)
    assert sync("s3", box.tools).added == ()


def test_syncing_s3_leaves_them_alone_even_if_the_copy_has_lost_them(box: Toolbox, tree: Path) -> None:
    box.archives.location = box.stores["s3"].location  # an archive class of the same bucket
    back_up(box, tree)
    box.stores["s3"].put(NAME, io.BytesIO(b"cold"))
    box.stores["s3"].delete("bakthat_glacier_inventory")
    assert sync("s3", box.tools).added == ()


@pytest.mark.parametrize("synced", [True, False])
def test_what_another_machine_deleted_does_not_come_back_with_the_next_backup(
    box: Toolbox, tree: Path, synced: bool
) -> None:
    kept = back_up(box, tree)
    box.clock.forward(minutes=1)
    deleted = back_up(box, tree)
    other = on_another_machine(box)
    sync("glacier", other.tools)
    delete(DeleteRequest(name=deleted.stored_filename, destination="glacier"), other.tools)
    if synced:
        sync("glacier", box.tools)
    box.clock.forward(minutes=1)
    newest = back_up(box, tree)
    sync("glacier", box.tools)
    assert [row.stored_filename for row in box.repo.find(Query())] == [newest.stored_filename, kept.stored_filename]


def test_an_archive_of_2013_that_only_this_database_knows_is_not_gone(box: Toolbox, tree: Path) -> None:
    made = back_up(box, tree)
    box.repo = MemoryRepo([evolve(made, metadata={"is_enc": False})])
    box.repo.remember_archive(NAME, made.metadata["archive_id"])
    box.stores["s3"].delete(f"bakthat_catalog/{NAME}.json")
    other = on_another_machine(box)
    box.stores["s3"].put("bakthat_glacier_inventory", io.BytesIO(b"{}"), replace=True)
    box.clock.forward(minutes=1)
    back_up(other, tree)
    assert sync("glacier", box.tools).vanished == ()


def test_a_backup_whose_id_the_database_cannot_take_is_found_by_sync(box: Toolbox, tree: Path) -> None:
    class LockedRepo(MemoryRepo):
        def remember_archive(self, stored_filename, archive_id):
            raise DatabaseError("locked")

        def add(self, backup):
            raise DatabaseError("locked")

    back_up(on_another_machine(box), tree)
    box.clock.forward(minutes=1)
    box.repo = LockedRepo()
    with pytest.raises(DatabaseError, match="is stored, but not in the database"):
        back_up(box, tree)
    box.repo = MemoryRepo()
    assert len(sync("glacier", box.tools).added) == 2


def test_an_archive_known_from_the_inventory_alone_is_restored(box: Toolbox, tree: Path, tmp_path: Path) -> None:
    """As after a loss of the database, with 2013's archives: no entry tells their size."""
    back_up(box, tree)
    box.stores["s3"].delete(f"bakthat_catalog/{NAME}.json")
    box.repo = MemoryRepo()
    sync("glacier", box.tools)
    bring_back(box, tmp_path / "out", wait=True)
    assert (tmp_path / "out" / "site" / "index.html").read_text() == "<h1>hello</h1>"


def test_the_records_own_id_comes_before_the_inventory_of_several_vaults(box: Toolbox, tree: Path) -> None:
    made = back_up(box, tree)
    box.repo.remember_archive(NAME, ArchiveId("of another vault"))
    delete(DeleteRequest(name=NAME, destination="glacier"), box.tools)
    with pytest.raises(ObjectNotFound):
        box.archives.request(ArchiveId(made.metadata["archive_id"]))
