"""`find`: in which backups a file is."""

from __future__ import annotations

import io
import tarfile
from datetime import timedelta
from pathlib import Path

import pytest

from bakthat.domain.backup import Backup
from bakthat.domain.payload import Keys
from bakthat.errors import BackupNotFound, StoreUnavailable, UsageError
from bakthat.testing.faulty import Fault, FaultyObjectStore
from bakthat.testing.toolbox import Toolbox
from bakthat.usecases.backup import BackupRequest, backup
from bakthat.usecases.find import FindRequest, find
from bakthat.usecases.sync import sync

SECRET = Keys(passphrase="secret")


def back_up(box: Toolbox, tree: Path, **changes) -> Backup:
    box.clock.forward(hours=1)
    destination = changes.pop("destination", "s3")
    return backup(BackupRequest(source=tree, destination=destination, **changes), box.tools)


def found(box: Toolbox, *patterns: str, **changes) -> list[tuple[str, str]]:
    request = FindRequest(**{"destination": "s3", "patterns": patterns, **changes})
    return [(one.backup.stored_filename, one.entry.path) for one in find(request, box.tools, on_unopened=fails)]


def fails(backup, error):
    raise AssertionError(f"{backup.stored_filename}: {error}")


def unopened(box: Toolbox, *patterns: str, **changes) -> tuple[list[str], dict[str, str]]:
    told: dict[str, str] = {}
    request = FindRequest(**{"destination": "s3", "patterns": patterns, **changes})

    def note(backup, error):
        told[backup.stored_filename] = str(error)

    files = find(request, box.tools, on_unopened=note)
    return [one.backup.stored_filename for one in files], told


def test_a_file_is_found_where_it_changed_newest_first(box: Toolbox, tree: Path) -> None:
    back_up(box, tree)
    second = back_up(box, tree)
    (tree / "index.html").write_text("<h1>a new version</h1>")
    third = back_up(box, tree)
    expected = [(third.stored_filename, "index.html"), (second.stored_filename, "index.html")]
    assert found(box, "index.html") == expected


def test_every_backup_that_has_the_file_is_named_on_request(box: Toolbox, tree: Path) -> None:
    made = [back_up(box, tree).stored_filename for _ in range(3)]
    assert [name for name, _ in found(box, "index.html", all_versions=True)] == made[::-1]


def test_the_same_version_on_another_host_is_another_one(box: Toolbox, tree: Path) -> None:
    back_up(box, tree)
    box.host = "other"
    back_up(box, tree)
    assert len(found(box, "index.html")) == 2
    assert len(found(box, "index.html", host="other")) == 1


def test_a_pattern_names_paths_below_the_root_and_not_what_is_in_a_directory_that_it_names(
    box: Toolbox, tree: Path
) -> None:
    back_up(box, tree)
    assert [path for _, path in found(box, "pages")] == ["pages"]
    assert [path for _, path in found(box, "pages/*.html")] == ["pages/about.html"]
    assert sorted(path for _, path in found(box, "*.html")) == ["index.html", "pages/about.html"]
    assert [path for _, path in found(box, "*.html", "!about.html")] == ["index.html"]
    assert found(box, "site") == []


def test_the_search_is_limited_to_a_series_and_to_an_age(box: Toolbox, tree: Path) -> None:
    back_up(box, tree, name="old")
    box.clock.forward(days=10)
    new = back_up(box, tree, name="new")
    assert [name for name, _ in found(box, "index.html", since=timedelta(days=3))] == [new.stored_filename]
    assert [name for name, _ in found(box, "index.html", series="new")] == [new.stored_filename]
    assert found(box, "index.html", series="old", since=timedelta(days=3)) == []


def test_a_single_file_is_found_by_its_name(box: Toolbox, tree: Path) -> None:
    made = back_up(box, tree / "index.html")
    assert found(box, "*.html") == [(made.stored_filename, "index.html")]


def test_only_the_destination_that_is_meant_is_searched(box: Toolbox, tree: Path) -> None:
    back_up(box, tree, destination="local")
    with pytest.raises(BackupNotFound, match="no backup in s3"):
        found(box, "index.html")


@pytest.mark.parametrize("pattern", ["", "#note", "!"])
def test_a_pattern_that_names_nothing_is_refused_at_once(box: Toolbox, tree: Path, pattern: str) -> None:
    back_up(box, tree)
    request = FindRequest(patterns=(pattern,), destination="s3")
    with pytest.raises(UsageError):
        find(request, box.tools, on_unopened=fails)


def test_a_series_without_backups_is_refused_at_once(box: Toolbox, tree: Path) -> None:
    back_up(box, tree)
    request = FindRequest(patterns=("x",), destination="s3", series="nothing")
    with pytest.raises(BackupNotFound, match="no backup of nothing"):
        find(request, box.tools, on_unopened=fails)


def test_backups_that_cannot_be_opened_are_reported_and_the_search_goes_on(box: Toolbox, tree: Path) -> None:
    plain = back_up(box, tree, name="plain")
    wrong = back_up(box, tree, name="wrong", keys=SECRET)
    gone = back_up(box, tree, name="gone")
    box.stores["s3"].delete(gone.stored_filename)
    names, told = unopened(box, "index.html", keys=lambda _: Keys(passphrase="another"))
    assert names == [plain.stored_filename]
    assert sorted(told) == sorted([wrong.stored_filename, gone.stored_filename])
    assert all(reason for reason in told.values())


def test_a_plain_backup_of_an_encrypted_series_is_not_believed(box: Toolbox, tree: Path) -> None:
    sealed = back_up(box, tree, keys=SECRET)
    plain = back_up(box, tree)
    names, told = unopened(box, "index.html", keys=lambda _: SECRET)
    assert (names, list(told)) == ([sealed.stored_filename], [plain.stored_filename])
    names, told = unopened(box, "index.html", keys=lambda _: SECRET, allow_plain=True)
    assert (names, told) == ([plain.stored_filename], {})


def test_a_store_that_fails_ends_the_search(box: Toolbox, tree: Path) -> None:
    back_up(box, tree)
    fault = Fault(method="stat", error=lambda: StoreUnavailable("s3: no answer"))
    box.stores["s3"] = FaultyObjectStore(box.stores["s3"], fault)
    with pytest.raises(StoreUnavailable):
        found(box, "index.html")


def test_an_archive_in_glacier_is_searched_by_the_copy_of_its_index_and_never_retrieved(
    box: Toolbox, tree: Path
) -> None:
    made = back_up(box, tree, destination="glacier")
    assert found(box, "index.html", destination="glacier") == [(made.stored_filename, "index.html")]
    box.stores["s3"].delete(f"bakthat_catalog/{made.stored_filename}.index")
    names, told = unopened(box, "index.html", destination="glacier")
    assert names == []
    assert "retrieved" in told[made.stored_filename]
    assert box.repo.job(made.stored_filename) is None


def test_an_archive_of_another_program_is_read_from_beginning_to_end_which_is_a_notice(
    box: Toolbox, tree: Path
) -> None:
    into = io.BytesIO()
    with tarfile.open(fileobj=into, mode="w:gz") as archive:
        archive.add(tree, arcname="./site")
    into.seek(0)
    box.stores["s3"].put("site.20260102030405.tgz", into)
    sync("s3", box.tools)
    assert found(box, "about.html") == [("site.20260102030405.tgz", "pages/about.html")]
    assert any("no index" in notice for notice in box.notices)


def test_how_far_the_search_is_comes_in_backups(box: Toolbox, tree: Path) -> None:
    for _ in range(3):
        back_up(box, tree)
    box.progress.clear()
    found(box, "index.html")
    steps = [(step.done, step.total) for step in box.progress if step.unit == "backups"]
    assert steps == [(0, 3), (1, 3), (2, 3), (3, 3)]
