"""Where pings go, and what they say."""

from __future__ import annotations

import pytest

from bakthat.domain.ping import LONGEST_BODY, Ping, ping_url, without_paths


@pytest.mark.parametrize(
    ("url", "start", "success", "fail"),
    [
        ("https://h/u", "https://h/u/start", "https://h/u", "https://h/u/fail"),
        ("https://h/u/", "https://h/u/start", "https://h/u/", "https://h/u/fail"),
        ("https://h/u?create=1", "https://h/u/start?create=1", "https://h/u?create=1", "https://h/u/fail?create=1"),
        ("https://h?a=/b", "https://h/start?a=/b", "https://h?a=/b", "https://h/fail?a=/b"),
    ],
    ids=["plain", "slash", "query", "query with a slash"],
)
def test_the_event_is_appended_to_the_path(url: str, start: str, success: str, fail: str) -> None:
    assert [ping_url(url, ping) for ping in (Ping.START, Ping.SUCCESS, Ping.FAIL)] == [start, success, fail]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("/srv/my photos: gone; nothing was stored", "…: gone; nothing was stored"),
        ("s3://bucket/x was refused: AccessDenied", "…: AccessDenied"),
        ("'/a b/c', which is to be kept, is gone", "…, which is to be kept, is gone"),
        ("the folder (/mnt/disk) is full", "the folder …) is full"),
        ("relative/path here", "…"),
        ("C:\\Users\\me is gone", "…"),
        ("pg_dump failed with exit status 1", "pg_dump failed with exit status 1"),
        ("two\nlines", "two lines"),
    ],
    ids=["path", "url", "quoted", "brackets", "relative", "windows", "none", "lines"],
)
def test_a_text_has_no_path(text: str, said: str) -> None:
    assert without_paths(text) == said


def test_a_text_is_cut() -> None:
    assert len(without_paths("x" * 20_000)) == LONGEST_BODY
