"""How entries of archives are shown, whatever their names are."""

from __future__ import annotations

import base64
import json
import os

import pytest

from bakthat.domain.archive_index import IndexEntry
from bakthat.domain.content_diff import differences
from bakthat.entrypoints.contents_report import (
    difference_json,
    difference_line,
    entry_json,
    long_line,
    name_line,
    path_json,
    shown_path,
)

NOON = 1_767_355_200_000_000_000  # 2026-01-02 12:00 UTC


def entry(path, kind="file", size=0, link="", mtime_ns=NOON, mode=0o644):
    return IndexEntry(path, kind, size, mtime_ns, None, None, mode, 1000, 100, link, 0)


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        (b"a b", "a b"),
        ("ü".encode(), "ü"),
        (b"a\nb", r"a\nb"),
        (b"tab\t", r"tab\t"),
        (b"\x1b[31m", r"\x1b[31m"),
        (b"\xff\xfe", r"\xff\xfe"),
        ("\u202e".encode(), r"\u202e"),
    ],
)
def test_no_name_can_steer_a_terminal_or_take_two_lines(name, shown):
    assert shown_path(os.fsdecode(name)) == shown


def test_a_directory_has_a_slash_at_its_end():
    assert name_line(entry("a/b", "directory")) == "a/b/"


@pytest.mark.parametrize(
    ("given", "line"),
    [
        (entry("a", size=1234), "-rw-r--r-- 1000/100           1234 2026-01-02 12:00 a"),
        (entry("a", "directory", mode=0o2755), "drwxr-sr-x 1000/100              0 2026-01-02 12:00 a/"),
        (
            entry("a", "symlink", link="b\n", mode=0o777),
            r"lrwxrwxrwx 1000/100              0 2026-01-02 12:00 a -> b\n",
        ),
        (entry("a", "hardlink", link="x/b"), "-rw-r--r-- 1000/100              0 2026-01-02 12:00 a link to x/b"),
        (entry("a", "fifo"), "prw-r--r-- 1000/100              0 2026-01-02 12:00 a"),
        (entry("a", mtime_ns=10**22), "-rw-r--r-- 1000/100              0    9999999999960 a"),
    ],
)
def test_a_long_line_is_as_tar_and_ls_have_it(given, line):
    assert long_line(given) == line


def test_json_has_the_bytes_of_a_path_that_is_not_utf_8():
    path = os.fsdecode(b"a\xff\n")
    assert path_json(path) == {"path": "a\\xff\n", "path_base64": base64.b64encode(b"a\xff\n").decode()}
    assert path_json("ü") == {"path": "ü"}
    assert path_json(path, "link").keys() == {"link", "link_base64"}


def test_json_of_an_entry_has_all_that_is_known():
    assert json.loads(json.dumps(entry_json(entry("a", size=5)))) == {
        "path": "a",
        "type": "file",
        "size": 5,
        "mtime": "2026-01-02T12:00:00Z",
        "mtime_ns": NOON,
        "mode": "0644",
        "uid": 1000,
        "gid": 100,
    }
    assert entry_json(entry("a", "symlink", link="b"))["link"] == "b"
    assert entry_json(entry("a", mtime_ns=10**22))["mtime"] is None


def test_a_difference_is_a_line_of_words_separated_by_tabs():
    before = [entry("a", size=1), entry("d", "directory"), entry("same")]
    after = [entry("a", size=2, mode=0o600), entry("n\n"), entry("same")]
    found = list(differences(before, after))
    assert [difference_line(one) for one in found] == ["changed\ta\tsize, mode", "removed\td/", "added\tn\\n"]
    assert difference_json(found[0])["before"] == {
        "type": "file",
        "size": 1,
        "mtime": "2026-01-02T12:00:00Z",
        "mode": "0644",
    }
    assert [(difference_json(one)["before"], difference_json(one)["after"]) for one in found[1:]] == [
        ({"type": "directory", "size": 0, "mtime": None, "mode": "0644"}, None),
        (None, {"type": "file", "size": 0, "mtime": "2026-01-02T12:00:00Z", "mode": "0644"}),
    ]
