"""What a progress bar says, and what `-v` adds."""

from __future__ import annotations

import re
import threading
import time
from pathlib import Path

import pytest

from bakthat import Profile, open_profile
from bakthat.adapters.memory.metadata_repo import MemoryRepo
from bakthat.adapters.memory.object_store import MemoryObjectStore
from bakthat.domain.progress import Progress
from bakthat.entrypoints.progress_bar import amount, speed_words, time_words
from bakthat.errors import SourceError
from bakthat.usecases.storing.counted_total import DELAY, CountedTotal
from tests.fixtures.command_line import CommandLine
from tests.fixtures.terminal import on_terminal


def test_an_unknown_total_is_not_mentioned():
    assert amount(29_400_000, None) == "29.4 MB"
    assert amount(29_400_000, 1_200_000_000) == "29.4 MB of 1.2 GB"


@pytest.mark.parametrize(
    ("elapsed", "remaining", "words"),
    [
        (65.9, None, "1:05"),
        (65, 5, "0:05 left"),
        (65, 3_723, "1:02:03 left"),
        (None, None, ""),
    ],
    ids=["elapsed", "left", "hours", "nothing"],
)
def test_the_time_is_what_is_left_where_that_is_known(elapsed, remaining, words):
    assert time_words(elapsed, remaining) == words


def test_of_a_few_bytes_the_stored_size_is_named_instead_of_a_share(bakthat_command: CommandLine) -> None:
    (bakthat_command.here / "a").write_text("a")
    said = bakthat_command("backup", "a", "-d", "local", "--prompt", "no", "-v")
    assert re.search(r"; stored \d+ B with gzip; SHA-256 ", said.err)


def test_the_bar_of_a_job_that_has_ended_is_not_drawn_over_the_next_one(bakthat_command: CommandLine) -> None:
    (bakthat_command.here / "noise").write_bytes(bytes(3_000_000))
    noise = {"source": str(bakthat_command.here / "noise")}
    jobs = {"noise": noise, "words": {"command": ["sh", "-c", "sleep 0.5; echo said >&2; exit 3"], "name": "words"}}
    bakthat_command.configure({"default": {"default_destination": "local", "jobs": jobs}})
    seen = on_terminal(bakthat_command, "run")
    after = seen.text.split("not\n  encrypted")[-1].split("encrypted")[-1]
    assert "said" in after
    assert "noise: backing up" not in after


def test_a_speed_is_that_of_the_whole_and_none_at_the_beginning():
    assert speed_words(24_000_000, 2.0) == "12.0 MB/s"
    assert speed_words(24_000_000, 0.1) == ""
    assert speed_words(0, None) == ""


def wait_for_the_count() -> None:
    for thread in threading.enumerate():
        if thread.name == "bakthat-total":
            thread.join()


def test_a_total_is_counted_while_the_body_runs():
    with CountedTotal(lambda: 5, delay=0) as total:
        total.value()  # begins
        wait_for_the_count()
    assert total.value() == 5


def test_nothing_is_counted_for_a_body_that_is_done_at_once():
    with CountedTotal(lambda: 5, delay=3600) as total:
        assert total.value() is None
    assert total.value() is None


def test_a_source_that_cannot_be_counted_has_no_total():
    def count() -> int:
        raise SourceError("gone")

    with CountedTotal(count, delay=0) as total:
        total.value()  # begins
        wait_for_the_count()
    assert total.value() is None


def test_a_backup_that_takes_long_reports_its_total(tmp_path: Path):
    (tmp_path / "site").mkdir()
    for number in range(4):
        (tmp_path / "site" / str(number)).write_bytes(b"x" * 2_000_000)
    reports: list[Progress] = []

    def slowly(progress: Progress) -> None:
        if not reports:
            time.sleep(DELAY)
        reports.append(progress)
        wait_for_the_count()

    store = MemoryObjectStore("memory://s3")
    bakthat = open_profile(Profile(), stores={"s3": store}, repo=MemoryRepo(), environment={}, progress=slowly)
    bakthat.backup(tmp_path / "site")
    assert reports[-1] == Progress(stage="backing up", done=8_000_000, total=8_000_000)


@pytest.fixture
def site(bakthat_command: CommandLine) -> CommandLine:
    bakthat_command.configure({"default": {"default_destination": "local"}})
    (bakthat_command.here / "site").mkdir()
    (bakthat_command.here / "site" / "index.html").write_text("hello" * 100)
    return bakthat_command


def test_verbose_says_what_a_backup_has_read_and_how_it_is_stored(site: CommandLine):
    said = site("backup", "site", "-v", BAKTHAT_PASSWORD="secret")
    details = said.err.splitlines()[-1]
    assert re.fullmatch(
        r"Read 1 file, 1 directory in \d+\.\d s \(.*/s\); stored \d+ % of it with gzip; encrypted with a password; "
        r"SHA-256 [0-9a-f]{64}\.",
        details,
    )


def test_verbose_says_what_a_sync_has_found(site: CommandLine):
    stored = site("backup", "site", "--prompt", "no").lines[0]
    (site.home / ".bakthat.sqlite").unlink()
    said = site("sync", "-v")
    assert said.out == f"added\t{stored}\n"
    assert f"added {stored}: 20" in said.err
    assert "local ~/.bakthat/store: 1 backup in the database" in said.err


def test_many_backups_take_one_line_of_the_screen(site: CommandLine):
    for name in ("one", "two", "three"):
        site("backup", "site", "--prompt", "no", "--name", name)
    seen = on_terminal(site, "verify", "--all")
    # What takes a bar away goes up as many lines as the bar has.
    assert seen.text.count("\x1b[1A\x1b[2K\x1b[1A") == 0
    assert len(re.findall(r"good +\w+\.\d{14}", seen.text)) == 3
