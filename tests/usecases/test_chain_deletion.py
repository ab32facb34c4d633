"""Deleting and retention never leave an incremental backup without what it needs."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from attrs import evolve

from bakthat.domain.backup import Backup
from bakthat.domain.query import Query
from bakthat.domain.rotation import RotationPolicy
from bakthat.errors import DeletionRefused, StoreUnavailable
from bakthat.testing.faulty import Fault, FaultyObjectStore
from bakthat.testing.toolbox import Toolbox
from bakthat.usecases.backup import BackupRequest, backup
from bakthat.usecases.delete import DeleteRequest, delete, deletion_candidate
from bakthat.usecases.restore import RestoreRequest, restore
from bakthat.usecases.retention import remove_older_than, rotate_backups
from tests.fixtures.tree_histories import snapshot


def left(box: Toolbox) -> list[str]:
    return [row.stored_filename for row in box.repo.find(Query())]


def names(backups: list[Backup]) -> list[str]:
    return [one.stored_filename for one in backups]


def test_retention_keeps_what_a_kept_backup_needs(
    box: Toolbox, nights: list[Backup], chained_tree: Path, tmp_path: Path
) -> None:
    report = rotate_backups("site", "s3", RotationPolicy(last=1), box.tools)
    assert report.removed == ()
    assert [decision.reasons for decision in report.plan.keep[1:]] == [(f"needed by {nights[3].stored_filename}",)] * 3
    target = tmp_path / "restored"
    restore(RestoreRequest(name="site", destination="s3", target=target), box.tools)
    assert snapshot(target / "site") == snapshot(chained_tree)


def test_a_whole_chain_is_dropped_the_newest_first(box: Toolbox, nights: list[Backup], chained_tree: Path) -> None:
    box.clock.forward(days=1)
    full = backup(BackupRequest(source=chained_tree, destination="s3"), box.tools)
    report = remove_older_than("site", "s3", timedelta(hours=12), box.tools)
    assert names(list(report.removed)) == names(nights[::-1])
    assert left(box) == [full.stored_filename]


def test_a_base_stays_if_what_needs_it_cannot_be_deleted(
    box: Toolbox, nights: list[Backup], chained_tree: Path
) -> None:
    box.clock.forward(days=1)
    backup(BackupRequest(source=chained_tree, destination="s3"), box.tools)
    box.stores["s3"] = FaultyObjectStore(box.stores["s3"], Fault(method="delete", key=nights[2].stored_filename))
    report = remove_older_than("site", "s3", timedelta(hours=12), box.tools)
    assert names(list(report.removed)) == [nights[3].stored_filename]
    assert names([one for one, _ in report.failed]) == names(nights[2::-1])
    assert f"{nights[2].stored_filename} needs it, and is still there" in str(report.failed[1][1])


def test_a_backup_that_others_need_is_not_deleted(box: Toolbox, nights: list[Backup]) -> None:
    with pytest.raises(DeletionRefused) as caught:
        delete(DeleteRequest(name=nights[1].stored_filename, destination="s3"), box.tools)
    assert str(caught.value) == (
        f"{nights[1].stored_filename} is needed by {nights[2].stored_filename} and {nights[3].stored_filename}; "
        "nothing was deleted; add `with_dependents=True` to delete them, too"
    )
    assert len(left(box)) == 4


def test_a_dry_run_refuses_what_the_deletion_would_refuse(box: Toolbox, nights: list[Backup]) -> None:
    with pytest.raises(DeletionRefused):
        delete(DeleteRequest(name=nights[0].stored_filename, destination="s3", dry_run=True), box.tools)


def test_the_newest_of_a_chain_is_deleted_alone(box: Toolbox, nights: list[Backup]) -> None:
    delete(DeleteRequest(name="site", destination="s3"), box.tools)
    assert left(box) == names(nights[2::-1])


def test_a_backup_is_not_deleted_that_one_without_a_record_may_need(box: Toolbox, nights: list[Backup]) -> None:
    bare = evolve(nights[3], metadata=nights[3].metadata.without("incremental"))
    box.repo.replace(bare)
    refusal = (
        f"{nights[2].stored_filename} may be needed by {bare.stored_filename}, whose record does not say what it "
        "continues; nothing was deleted; delete that one first"
    )
    for with_dependents in (False, True):
        with pytest.raises(DeletionRefused, match=refusal):
            delete(
                DeleteRequest(name=nights[2].stored_filename, destination="s3", with_dependents=with_dependents),
                box.tools,
            )
    delete(DeleteRequest(name=bare.stored_filename, destination="s3"), box.tools)
    delete(DeleteRequest(name=nights[2].stored_filename, destination="s3"), box.tools)
    assert left(box)[:2] == names([nights[1], nights[0]])


def test_with_dependents_the_newest_goes_first(box: Toolbox, nights: list[Backup]) -> None:
    gone: list[Backup] = []
    name = nights[1].stored_filename
    request = DeleteRequest(name=name, destination="s3", with_dependents=True, on_removed=gone.append)
    assert delete(request, box.tools).stored_filename == name
    assert names(gone) == names([nights[3], nights[2], nights[1]])
    assert left(box) == [nights[0].stored_filename]


def test_what_an_interrupted_deletion_leaves_can_be_restored(
    box: Toolbox, nights: list[Backup], tmp_path: Path
) -> None:
    box.stores["s3"] = FaultyObjectStore(box.stores["s3"], Fault(method="delete", key=nights[2].stored_filename))
    request = DeleteRequest(name=nights[0].stored_filename, destination="s3", with_dependents=True)
    with pytest.raises(StoreUnavailable):
        delete(request, box.tools)
    assert left(box) == names(nights[2::-1])
    restore(RestoreRequest(name="site", destination="s3", target=tmp_path / "restored"), box.tools)


def test_the_only_complete_chain_is_the_last_complete_backup(box: Toolbox, nights: list[Backup]) -> None:
    request = DeleteRequest(name=nights[0].stored_filename, destination="s3", with_dependents=True)
    assert deletion_candidate(request, box.tools).is_last_complete


def test_with_dependents_the_last_complete_backup_is_spared(box: Toolbox, nights: list[Backup]) -> None:
    request = DeleteRequest(
        name=nights[0].stored_filename, destination="s3", with_dependents=True, spare_last_complete=True
    )
    with pytest.raises(DeletionRefused, match="last complete"):
        delete(request, box.tools)
    assert len(left(box)) == 4
