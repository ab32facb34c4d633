"""What a backup leaves out, what it says of it, and what a dry run tells."""

from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path

import pytest

from bakthat.domain.exclusions import OwnThings
from bakthat.domain.query import Query
from bakthat.errors import InvalidName, SourceError, UsageError
from bakthat.testing.toolbox import Toolbox
from bakthat.usecases.backup import BackupRequest, backup
from bakthat.usecases.backup_survey import survey_backup
from bakthat.usecases.exclusions import ExclusionRequest

NAME = "site.20260102030405.tgz"


def request(source: Path, *, on_excluded=None, **exclusions) -> BackupRequest:
    return BackupRequest(
        source=source, destination="s3", exclusions=ExclusionRequest(**exclusions), on_excluded=on_excluded
    )


def stored_names(box: Toolbox, name: str = NAME) -> list[str]:
    with box.stores["s3"].open(name) as reader, tarfile.open(fileobj=io.BytesIO(reader.read())) as archive:
        return [member.name.removeprefix("site/") for member in archive if member.isfile()]


def test_record_and_catalog_entry_count_what_was_left_out_by_what_left_it_out(box: Toolbox, tree: Path) -> None:
    (tree / ".gitignore").write_text("pages/\n*.tmp\n")
    (tree / "a.tmp").touch()
    (tree / "b.log").touch()
    made = backup(request(tree, patterns=["*.log"]), box.tools)
    assert made.metadata["excluded"] == {"entries": 3, "by": {".gitignore": 2, "--exclude": 1}}
    with box.stores["s3"].open(f"bakthat_catalog/{NAME}.json") as entry:
        assert json.load(entry)["metadata"]["excluded"] == made.metadata["excluded"]
    assert stored_names(box) == [".gitignore", "index.html"]


def test_where_nothing_is_left_out_the_record_says_nothing(box: Toolbox, tree: Path) -> None:
    assert "excluded" not in backup(request(tree, patterns=["*.absent"]), box.tools).metadata


def test_each_entry_that_is_left_out_is_passed_on_with_the_line_that_does_it(box: Toolbox, tree: Path) -> None:
    (tree / ".bakthatexclude").write_text("# none\n\npages\n")
    told: list[tuple[str, str]] = []
    backup(request(tree, on_excluded=lambda *what: told.append(what), patterns=["/index.html"]), box.tools)
    assert sorted(told) == [
        (f"{tree}/index.html", "--exclude"),
        (f"{tree}/pages", f"{tree}/.bakthatexclude, line 3"),
    ]


def test_patterns_of_the_user_decide_over_files_and_files_over_the_sources_own(box: Toolbox, tree: Path) -> None:
    for name in ("a.log", "b.log", "c.log"):
        (tree / name).touch()
    (tree / ".gitignore").write_text("*.log\n/pages\n")
    (tree.parent / "first").write_bytes(b"\xef\xbb\xbf!a.log\r\n!b.log\r\n")
    (tree.parent / "second").write_text("b.log\n!c.log")
    files = [tree.parent / "first", tree.parent / "second"]
    made = backup(request(tree, files=files, patterns=["c.log"]), box.tools)
    assert stored_names(box) == [".gitignore", "a.log", "index.html"]
    assert made.metadata["excluded"]["by"] == {".gitignore": 1, "--exclude-from": 1, "--exclude": 1}


def test_gitignore_can_be_ignored(box: Toolbox, tree: Path) -> None:
    (tree / ".gitignore").write_text("*\n")
    made = backup(request(tree, gitignore=False), box.tools)
    assert stored_names(box) == [".gitignore", "index.html", "pages/about.html"]
    assert "excluded" not in made.metadata


def test_a_backup_without_a_file_warns_and_says_what_left_them_out(box: Toolbox, tree: Path) -> None:
    (tree / ".gitignore").write_text("*\n")
    made = backup(request(tree), box.tools)
    assert made.metadata["counts"]["files"] == 0
    assert box.notices == [f"{NAME} contains no files; left out were 3 by .gitignore"]


def test_a_backup_of_an_empty_directory_warns_too(box: Toolbox, tmp_path: Path) -> None:
    (tmp_path / "site").mkdir()
    backup(request(tmp_path / "site"), box.tools)
    assert box.notices == [f"{NAME} contains no files"]


def test_a_single_file_is_backed_up_whatever_the_patterns_say(box: Toolbox, tree: Path) -> None:
    made = backup(request(tree / "index.html", patterns=["*"]), box.tools)
    assert made.metadata["counts"]["files"] == 1
    assert box.notices == []


def test_a_file_of_patterns_that_cannot_be_used_stops_the_backup(box: Toolbox, tree: Path) -> None:
    (tree / ".gitignore").write_bytes(b"\xff")
    with pytest.raises(SourceError, match="UTF-8"):
        backup(request(tree), box.tools)
    with pytest.raises(UsageError, match="absent"):
        backup(request(tree / "index.html", files=[tree / "absent"]), box.tools)
    assert box.keys_in("s3") == []


def test_bakthats_own_things_below_the_source_are_left_out_and_named(box: Toolbox, tree: Path) -> None:
    box.own = OwnThings(paths=(str(tree / "pages"),))
    made = backup(request(tree), box.tools)
    assert stored_names(box) == ["index.html"]
    assert made.metadata["excluded"] == {"entries": 1, "by": {"bakthat": 1}, "own": [str(tree / "pages")]}


def test_the_folder_of_another_destination_is_backed_up_with_a_notice_and_without_its_objects(
    box: Toolbox, tree: Path
) -> None:
    (tree / "db.20260101000000.tgz").touch()
    box.own = OwnThings(folder=str(tree), is_store=True, destinations=frozenset({"local"}))
    made = backup(request(tree), box.tools)
    assert stored_names(box) == ["index.html", "pages/about.html"]
    assert made.metadata["excluded"] == {"entries": 1, "by": {"bakthat": 1}, "own": [str(tree)]}
    assert [str(tree) in notice for notice in box.notices] == [True]


def test_a_source_in_such_a_folder_is_backed_up_whole_with_a_notice(box: Toolbox, tree: Path) -> None:
    (tree / "db.20260101000000.tgz").touch()
    box.own = OwnThings(folder=str(tree.parent), destinations=frozenset({"s3"}))
    made = backup(request(tree), box.tools)
    assert "db.20260101000000.tgz" in stored_names(box)
    assert "excluded" not in made.metadata
    assert len(box.notices) == 1


@pytest.mark.parametrize("verb", [backup, survey_backup])
def test_a_folder_is_not_backed_up_into_itself(box: Toolbox, tree: Path, verb) -> None:
    box.own = OwnThings(folder=str(tree), is_store=True, destinations=frozenset({"s3"}))
    with pytest.raises(UsageError, match=r"is the folder of the destination 's3' itself"):
        verb(request(tree), box.tools)
    assert box.keys_in("s3") == []


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "/etc", "a\0b"])
def test_a_marker_is_the_name_of_an_entry(box: Toolbox, tree: Path, name: str) -> None:
    with pytest.raises(UsageError, match="`exclude_if_present=`"):
        backup(request(tree, if_present=[name]), box.tools)


def test_a_size_is_not_negative(box: Toolbox, tree: Path) -> None:
    with pytest.raises(UsageError, match="`exclude_larger_than=-1`"):
        backup(request(tree, larger_than=-1), box.tools)


def test_the_options_are_counted_by_their_names(box: Toolbox, tree: Path) -> None:
    (tree / "pages" / ".nobackup").touch()
    made = backup(request(tree, if_present=[".nobackup"], larger_than=5), box.tools)
    assert stored_names(box) == ["pages/.nobackup"]
    by = {"--exclude-if-present": 1, "--exclude-larger-than": 1}
    assert made.metadata["excluded"] == {"entries": 2, "by": by}


# a dry run


def test_a_dry_run_gives_the_record_as_it_would_be_and_stores_nothing(box: Toolbox, tree: Path) -> None:
    (tree / ".gitignore").write_text("pages\n")
    told: list[tuple[str, str]] = []
    wanted = request(tree, on_excluded=lambda *what: told.append(what))
    would = survey_backup(wanted, box.tools)
    assert (would.stored_filename, would.size, would.metadata["dry_run"]) == (NAME, 0, True)
    assert told == [(f"{tree}/pages", f"{tree}/.gitignore, line 1")]
    assert box.keys_in("s3") == []
    assert list(box.repo.find(Query(deleted=True))) == []
    made = backup(wanted, box.tools)
    assert made.stored_filename == NAME
    for fact in ("counts", "excluded", "source", "root", "client", "compression"):
        assert would.metadata[fact] == made.metadata[fact]


def test_a_dry_run_needs_no_destination(box: Toolbox, tree: Path) -> None:
    box.stores.clear()
    assert survey_backup(request(tree), box.tools).metadata["counts"]["files"] == 2


def test_a_dry_run_refuses_what_a_backup_would(box: Toolbox, tree: Path) -> None:
    with pytest.raises(InvalidName):
        survey_backup(BackupRequest(source=tree, destination="s3", name="a/b"), box.tools)
    with pytest.raises(SourceError):
        survey_backup(request(tree / "absent"), box.tools)
    (tree / ".bakthatexclude").symlink_to("/etc/shadow")
    with pytest.raises(SourceError, match="symbolic link"):
        survey_backup(request(tree), box.tools)


def test_a_dry_run_warns_of_a_backup_without_a_file(box: Toolbox, tree: Path) -> None:
    survey_backup(request(tree, patterns=["*"]), box.tools)
    assert box.notices == ["a backup of site contains no files; left out were 2 by --exclude"]
