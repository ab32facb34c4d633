"""`status` reads the database: which records belong to which store."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from attrs import evolve

from bakthat.domain.backup import Owner
from bakthat.testing.toolbox import Toolbox
from bakthat.usecases.backup import BackupRequest, backup
from bakthat.usecases.status import StatusRequest, status


def owner(box: Toolbox, name: str) -> Owner:
    return box.destination(name).owner


def test_each_store_is_reported_by_itself(box: Toolbox, tree: Path) -> None:
    for name in ("s3", "local"):
        backup(BackupRequest(source=tree, destination=name), box.tools)
        box.clock.forward(days=1)
    report = status(StatusRequest(owners=[owner(box, "s3"), owner(box, "local")], max_age=timedelta(days=1)), box.tools)
    assert [(one.destination, one.number, one.is_late) for one in report.series] == [
        ("s3", 1, True),
        ("local", 1, False),
    ]


def test_other_stores_are_left_out(box: Toolbox, tree: Path) -> None:
    backup(BackupRequest(source=tree, destination="s3"), box.tools)
    assert status(StatusRequest(owners=[owner(box, "local")]), box.tools).series == ()


def test_two_owners_of_one_location_are_one_store(box: Toolbox, tree: Path) -> None:
    backup(BackupRequest(source=tree, destination="s3"), box.tools)
    s3 = owner(box, "s3")
    report = status(StatusRequest(owners=[s3, evolve(s3, backend_hash="another key")]), box.tools)
    assert [one.number for one in report.series] == [1]
