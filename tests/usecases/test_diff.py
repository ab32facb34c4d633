"""`diff`: what differs between the contents of two backups."""

from __future__ import annotations

import io
import os
import tarfile
from pathlib import Path

import pytest

from bakthat.domain.backup import Backup
from bakthat.domain.payload import Keys
from bakthat.errors import BackupNotFound, NotEncrypted, PasswordNeeded, WrongPassword
from bakthat.testing.toolbox import Toolbox
from bakthat.usecases.backup import BackupRequest, backup
from bakthat.usecases.diff import Compared, DiffRequest, diff
from bakthat.usecases.sync import sync

SECRET = Keys(passphrase="secret")


def back_up(box: Toolbox, tree: Path, **changes) -> Backup:
    box.clock.forward(hours=1)
    return backup(BackupRequest(source=tree, destination="s3", **changes), box.tools)


def compared(box: Toolbox, name: str, other: str | None = None, **changes) -> Compared:
    return diff(DiffRequest(name=name, other=other, destination="s3", **changes), box.tools)


def told(result: Compared) -> list[tuple[str, str]]:
    return [(str(one.change), one.path) for one in result.differences]


def test_a_backup_is_compared_with_the_one_before_it(box: Toolbox, tree: Path) -> None:
    back_up(box, tree)
    second = back_up(box, tree)
    (tree / "index.html").unlink()
    (tree / "pages" / "new.html").touch()
    third = back_up(box, tree)
    result = compared(box, "site")
    assert (result.before, result.after) == (second, third)
    assert told(result) == [("removed", "index.html"), ("added", "pages/new.html")]
    assert told(compared(box, second.stored_filename)) == []


def test_two_backups_are_compared_in_the_order_in_which_they_are_named(box: Toolbox, tree: Path) -> None:
    first = back_up(box, tree)
    (tree / "index.html").unlink()
    second = back_up(box, tree)
    assert told(compared(box, first.stored_filename, second.stored_filename)) == [("removed", "index.html")]
    assert told(compared(box, second.stored_filename, first.stored_filename)) == [("added", "index.html")]


def test_the_backup_before_is_of_the_same_host_and_path(box: Toolbox, tree: Path) -> None:
    first = back_up(box, tree)
    box.host = "other"
    back_up(box, tree)
    box.host = "host"
    back_up(box, tree)
    assert compared(box, "site").before == first
    with pytest.raises(BackupNotFound, match="no backup before it of the same host and path"):
        compared(box, "site", host="other")


def test_backups_of_different_series_are_compared_below_their_roots(box: Toolbox, tree: Path, tmp_path: Path) -> None:
    one = back_up(box, tree)
    copy = tmp_path / "copy"
    os.rename(tree, copy)
    other = back_up(box, copy)
    assert told(compared(box, one.stored_filename, other.stored_filename)) == []


def test_hard_links_are_compared_by_what_they_stand_for(box: Toolbox, tree: Path) -> None:
    os.link(tree / "index.html", tree / "z.html")
    back_up(box, tree)
    os.link(tree / "index.html", tree / "a.html")
    back_up(box, tree)
    assert told(compared(box, "site")) == [("added", "a.html")]


def test_encrypted_backups_need_their_keys(box: Toolbox, tree: Path) -> None:
    back_up(box, tree, keys=SECRET)
    back_up(box, tree, keys=SECRET)
    assert told(compared(box, "site", keys=lambda _: SECRET)) == []
    with pytest.raises(PasswordNeeded):
        compared(box, "site")
    with pytest.raises(WrongPassword):
        compared(box, "site", keys=lambda _: Keys(passphrase="another"))


def test_a_plain_backup_of_an_encrypted_series_is_refused(box: Toolbox, tree: Path) -> None:
    back_up(box, tree, keys=SECRET)
    back_up(box, tree)
    with pytest.raises(NotEncrypted):
        compared(box, "site", keys=lambda _: SECRET)
    assert told(compared(box, "site", keys=lambda _: SECRET, allow_plain=True)) == []


def test_an_archive_without_an_index_is_compared_with_one_that_has_it(box: Toolbox, tree: Path) -> None:
    into = io.BytesIO()
    with tarfile.open(fileobj=into, mode="w:gz", format=tarfile.PAX_FORMAT) as archive:
        archive.add(tree, arcname="site")
    into.seek(0)
    box.stores["s3"].put("site.20251231000000.tgz", into)
    sync("s3", box.tools)
    (tree / "pages" / "about.html").unlink()
    made = back_up(box, tree)
    assert told(compared(box, "site.20251231000000.tgz", made.stored_filename)) == [("removed", "pages/about.html")]


def test_an_unknown_backup_is_not_found(box: Toolbox, tree: Path) -> None:
    back_up(box, tree)
    with pytest.raises(BackupNotFound):
        compared(box, "site", "nothing")
