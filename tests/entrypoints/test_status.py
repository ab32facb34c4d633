"""`bakthat status` and `bk.status()`."""

from __future__ import annotations

import json
import subprocess
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from bakthat import Profile, open_profile
from bakthat.adapters.memory.job_locks import MemoryJobLocks
from bakthat.adapters.memory.metadata_repo import MemoryRepo
from bakthat.adapters.memory.object_store import MemoryObjectStore
from bakthat.domain.status import StatusReport
from bakthat.entrypoints.status_table import table
from bakthat.errors import InvalidInterval
from bakthat.testing.toolbox import SteppedClock
from tests.fixtures.command_line import CommandLine
from tests.fixtures.status_reports import expected, made, report


@pytest.fixture
def opened(store: MemoryObjectStore, repo: MemoryRepo, clock: SteppedClock):
    def opened(jobs: dict[str, Any], **settings: Any):
        return open_profile(
            Profile(jobs=jobs, **settings),
            stores={"s3": store, "copies": MemoryObjectStore("memory://copies", clock=clock)},
            repo=repo,
            clock=clock,
            host=lambda: "host",
            environment={},
            locks=MemoryJobLocks(),
        )

    return opened


# the library


def test_a_job_is_late_before_its_first_run_and_when_its_age_is_over(opened, clock: SteppedClock, tree: Path) -> None:
    bk = opened({"site": {"source": str(tree), "max_age": "26h"}})

    def late() -> bool:
        (status,) = bk.status().series
        return status.is_late

    never = late()
    bk.run_jobs()
    fresh = late()
    clock.forward(hours=27)
    assert (never, fresh, late()) == (True, False, True)


def test_a_job_is_looked_for_under_its_own_host_and_in_its_own_destination(opened, tree: Path) -> None:
    jobs = {"site": {"source": str(tree), "host": "web1", "destination": "copies"}}
    bk = opened(jobs)
    bk.backup(tree)
    bk.run_jobs()
    found = {(one.origin.host, one.destination, one.job) for one in bk.status().series}
    assert found == {("host", "s3", None), ("web1", "copies", "site")}


def test_an_age_may_be_text_or_a_timedelta(opened, clock: SteppedClock, tree: Path) -> None:
    bk = opened({})
    bk.backup(tree)
    clock.forward(hours=2)
    found = [bk.status(max_age=age).is_good for age in ("3h", timedelta(hours=3), "1h", timedelta(hours=1))]
    assert found == [True, True, False, False]
    for wrong in ("soon", timedelta()):
        with pytest.raises(InvalidInterval):
            bk.status(max_age=wrong)


def test_a_verification_is_in_the_report(opened, tree: Path) -> None:
    bk = opened({"site": {"source": str(tree), "verify_every": "1D"}})
    bk.run_jobs()
    result = bk.status()
    assert isinstance(result, StatusReport)
    assert str(result.series[0].verification.level) == "opens"


# the command


@pytest.fixture
def run(bakthat_command: CommandLine) -> CommandLine:
    site = bakthat_command.here / "site"
    site.mkdir()
    (site / "index.html").write_text("hello")
    jobs = {"site": {"source": str(site), "max_age": "26h"}}
    bakthat_command.configure({"default": {"default_destination": "local", "host": "web1", "jobs": jobs}})
    return bakthat_command


def test_status_says_what_is_late_and_ends_with_1(run: CommandLine) -> None:
    said = run("status")
    assert (said.code, said.lines[1].split()[:2]) == (1, ["LATE", "site"])
    assert said.err.splitlines() == [
        f"bakthat: site of web1:{run.here}/site: late: there is no backup yet",
        "1 series, 0 backups, 0 B: 1 of 1 not good (profile default).",
    ]


def test_status_is_about_one_profile_and_says_so(run: CommandLine) -> None:
    run.configure({"default": {"default_destination": "local"}, "work": {"local_path": str(run.home / "work")}})
    run("backup", "site", "--prompt", "no", "-p", "work")
    said = run("status")
    assert (said.code, said.out) == (0, "")
    assert said.err == "No backups in the stores of profile default, and no jobs. `bakthat show` lists all profiles.\n"
    assert run("status", "-p", "work").err.endswith(": all good (profile work).\n")


def test_status_of_good_backups_ends_with_0_and_is_quiet_if_asked(run: CommandLine) -> None:
    run("run")
    said, quiet = run("status"), run("status", "-q")
    assert (said.code, said.lines[1].split()[:2]) == (0, ["ok", "site"])
    assert said.err.endswith(": all good (profile default).\n")
    assert (quiet.code, quiet.out, quiet.err) == (0, "", "")


def test_status_has_json(run: CommandLine) -> None:
    never = json.loads(run("status", "--json").out)
    run("run")
    told = json.loads(run("status", "--json").out)
    assert (never["version"], never["good"], told["good"], told["number"]) == (1, False, True, 1)
    assert (never["series"][0]["newest"], never["series"][0]["problems"]) == (None, ["late: there is no backup yet"])
    (site,) = told["series"]
    assert (site["series"], site["job"], site["max_age_seconds"], site["late"]) == ("site", "site", 93_600, False)
    assert site["origin"] == {"host": "web1", "source": str(run.here / "site"), "unknown": False}
    assert site["newest"]["filename"] == "site"


def test_status_writes_metrics_and_a_page_readable_by_all(run: CommandLine) -> None:
    said = run("status", "-q", "--prometheus", "bakthat.prom", "--html", "status.html")
    assert said.code == 1
    files = {name: run.here / name for name in ("bakthat.prom", "status.html")}
    assert {path.stat().st_mode & 0o777 for path in files.values()} == {0o644}
    assert "bakthat_status_good{" in files["bakthat.prom"].read_text()
    assert "late: there is no backup yet" in files["status.html"].read_text()
    assert sorted(path.name for path in run.here.iterdir()) == ["bakthat.prom", "site", "status.html"]


def test_a_file_that_cannot_be_written_is_one_line(run: CommandLine) -> None:
    said = run("status", "-q", "--prometheus", "nowhere/bakthat.prom")
    assert said.code == 2
    assert said.err.splitlines()[-1] == (
        "bakthat: --prometheus: 'nowhere/bakthat.prom' cannot be written: No such file or directory"
    )


def test_a_wrong_age_is_an_error_of_usage(run: CommandLine) -> None:
    assert run("status", "--max-age", "26").code == 2


# the table


def test_the_table_of_long_names_fits_80_columns() -> None:
    found = report(
        made(3, series="a-rather-long-name-of-a-series.sql", source="/srv/some/where/deep/down"),
        made(3, series="etc"),
        jobs=[expected("mail", source="/var/mail")],
    )
    lines = table(found, width=80, header=True)
    assert max(map(len, lines)) <= 80
    assert [line.split()[0] for line in lines] == ["SERIES", "LATE", "ok", "ok"]
    assert "a-rather-long-name-of-a-series.sql" in "\n".join(table(found, width=None, header=True))


def test_a_file_that_cannot_be_written_does_not_keep_the_other_from_being_written(run: CommandLine) -> None:
    said = run("status", "--prometheus", "nowhere/x", "--html", "status.html")
    assert (said.code, said.lines[1].split()[0]) == (2, "LATE")
    assert "late: there is no backup yet" in (run.here / "status.html").read_text()
    assert run("status", "--prometheus", "bakthat.prom", "--html", "nowhere/x").code == 2
    assert "bakthat_status_good{" in (run.here / "bakthat.prom").read_text()


def test_the_files_are_written_also_if_the_output_is_lost(run: CommandLine) -> None:
    command = run.command("status", "--prometheus", "bakthat.prom")
    with open("/dev/full", "w") as full:
        assert subprocess.run(command, stdout=full, stderr=-1, env=run.env(), cwd=run.here, check=False).returncode == 1
    assert "bakthat_status_good{" in (run.here / "bakthat.prom").read_text()


def test_a_destination_of_a_job_that_there_is_not_names_the_job(run: CommandLine) -> None:
    run.configure(
        {"default": {"default_destination": "local", "jobs": {"etc": {"source": "/etc", "destination": "s"}}}}
    )
    said = run("status")
    assert (said.code, said.err.split(":")[:2]) == (2, ["bakthat", " job etc"])
