"""Jobs from the library and on the command line: what is run, reported, hooked and pinged."""

from __future__ import annotations

import inspect
import json
import re
import shlex
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest

from bakthat import Bakthat, Events, Profile, open_profile
from bakthat.adapters.encryption.age import AgeCipher
from bakthat.adapters.locks.lock_files import LockFiles
from bakthat.adapters.memory.job_locks import MemoryJobLocks
from bakthat.adapters.memory.metadata_repo import MemoryRepo
from bakthat.adapters.memory.object_store import MemoryObjectStore
from bakthat.adapters.memory.pinger import MemoryPinger
from bakthat.domain.job import SETTINGS
from bakthat.domain.query import Query
from bakthat.errors import ConfigError, ConfigInvalid, InvalidPolicy, SourceError
from bakthat.testing.toolbox import SteppedClock
from bakthat.usecases.run_job import JobOutcome
from tests.fixtures.command_line import CommandLine

PING = "https://hc.example.org/0b4b8a0e-secret"

Open = Callable[..., Bakthat]


@pytest.fixture
def pinger() -> MemoryPinger:
    return MemoryPinger()


@pytest.fixture
def opened(store: MemoryObjectStore, repo: MemoryRepo, clock: SteppedClock, pinger: MemoryPinger) -> Open:
    """A profile with jobs over stores in memory."""

    def opened(jobs: dict[str, Any], *, more: dict[str, Any] | None = None, **settings: Any) -> Bakthat:
        return open_profile(
            Profile(jobs=jobs, **settings),
            store=store,
            repo=repo,
            clock=clock,
            host=lambda: "host",
            **{"locks": MemoryJobLocks(), "environment": {}, "pinger": pinger, **(more or {})},
        )

    return opened


@pytest.fixture
def gone(tmp_path: Path) -> str:
    return str(tmp_path / "gone")


def series(repo: MemoryRepo) -> list[str]:
    return sorted(backup.filename for backup in repo.find(Query()))


# what is run


def test_jobs_are_run_with_their_own_settings(opened: Open, repo: MemoryRepo, tree: Path) -> None:
    jobs = {
        "site": {"source": str(tree), "compression": "none", "tags": ["web"], "exclude": ["*.html"]},
        "words": {"command": ["echo", "hello"], "name": "words.txt", "host": "db1"},
    }
    site, words = (run.backup for run in opened(jobs).run_jobs().jobs)
    assert site is not None
    assert (site.stored_filename, site.tags) == ("site.20260102030405.tar", ("web",))
    assert site.metadata["counts"]["files"] == 0
    assert words is not None
    assert (words.filename, words.source, words.host) == ("words.txt", "-", "db1")


def test_only_the_named_jobs_are_run(opened: Open, repo: MemoryRepo, tree: Path) -> None:
    opened({"a": {"source": str(tree), "name": "a"}, "b": {"source": str(tree), "name": "b"}}).run_jobs(["b"])
    assert series(repo) == ["b"]


def test_a_job_that_fails_does_not_stop_the_others(opened: Open, repo: MemoryRepo, tree: Path, gone: str) -> None:
    seen: list[str] = []
    bk = opened({"gone": {"source": gone}, "site": {"source": str(tree)}})
    runs = bk.run_jobs(on_job=lambda run: seen.append(run.job))
    assert [str(run.outcome) for run in runs.jobs] == ["failure", "success"]
    assert isinstance(runs.error, SourceError)
    assert (seen, series(repo)) == (["gone", "site"], ["site"])


def test_a_job_thins_out_only_its_own_origin(opened: Open, repo: MemoryRepo, clock: SteppedClock, tree: Path) -> None:
    for host in ("other", "host"):
        for _ in range(3):
            opened({"site": {"source": str(tree), "host": host}}).run_jobs()
            clock.forward(days=1)
    runs = opened({"site": {"source": str(tree), "rotation": {"last": 1}}}).run_jobs()
    assert runs.jobs[0].retention is not None
    assert {one.host for one in runs.jobs[0].retention.removed} == {"host"}
    assert len(runs.jobs[0].retention.removed) == 3


def test_rotate_backups_uses_the_rotation_of_a_job_for_its_origin(
    opened: Open, clock: SteppedClock, tree: Path
) -> None:
    job = {"source": str(tree), "rotation": None}
    for host in ("other", "host"):
        for _ in range(3):
            opened({"site": {**job, "host": host}}).run_jobs()
            clock.forward(days=1)
    bk = opened({"site": {**job, "rotation": {"last": 3}}}, rotation={"days": 1})
    assert {one.host for one in bk.rotate_backups("site")} == {"other"}
    assert bk.rotate_all_backups().removed == ()


def test_rotate_all_without_any_rotation_is_refused(opened: Open) -> None:
    with pytest.raises(InvalidPolicy, match="no rotation is set"):
        opened({}).rotate_all_backups()


def test_a_job_that_is_running_is_not_run_again(opened: Open, repo: MemoryRepo, tree: Path) -> None:
    events = Events()
    bk = opened({"site": {"source": str(tree)}}, more={"events": events})
    inner = []
    events.before_backup += lambda _: inner.append(bk.run_jobs().jobs[0].outcome)
    outer = bk.run_jobs()
    assert (inner, outer.jobs[0].outcome) == ([JobOutcome.RUNNING], JobOutcome.SUCCESS)
    assert len(series(repo)) == 1


def test_two_jobs_run_at_the_same_time(opened: Open, repo: MemoryRepo, tree: Path) -> None:
    bk = opened({"a": {"source": str(tree), "name": "a"}, "b": {"source": str(tree), "name": "b"}})
    threads = [threading.Thread(target=bk.run_jobs, args=([name],)) for name in "ab"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert series(repo) == ["a", "b"]


def test_a_job_that_has_lost_its_password_does_not_go_on_without(opened: Open, repo: MemoryRepo, tree: Path) -> None:
    jobs = {"site": {"source": str(tree)}}
    more = {"environment": {"BAKTHAT_PASSWORD": "secret"}, "cipher": AgeCipher(work_factor=1)}
    opened(jobs, more=more).run_jobs()
    runs = opened(jobs).run_jobs()
    assert "the backups of site are encrypted, and there is no password" in str(runs.error)
    assert len(series(repo)) == 1


def test_every_option_of_a_backup_is_a_key_of_jobs() -> None:
    """A new one is usually a setting of a profile, and so a key of jobs by itself."""
    of_a_caller = {"self", "filename", "password", "recorded_source", "ask", "on_excluded", "dry_run", "full"}
    names = {"excludes": "exclude", "recipients_files": "recipients_file"}
    options = {names.get(name, name) for name in inspect.signature(Bakthat.backup).parameters} - of_a_caller
    keys = {"name", "destination", "tags", "exclude", "exclude_from", *SETTINGS}
    assert options - keys == set()


def test_a_job_may_make_incremental_backups(
    opened: Open, clock: SteppedClock, tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    bk = opened({"site": {"source": str(tree), "incremental": True, "rotation": {"days": 3}, "verify_every": "1D"}})
    names = []
    for _ in range(2):
        (done,) = bk.run_jobs().jobs
        assert done.backup is not None
        names.append(done.backup.stored_filename)
        clock.forward(days=1)
    assert names == ["site.20260102030405.tgz", "site.20260103030405.inc.tgz"]
    assert done.outcome is JobOutcome.SUCCESS


def test_a_mistake_in_a_job_is_found_when_the_profile_is_opened(opened: Open) -> None:
    with pytest.raises(ConfigInvalid, match=r"jobs\.etc: unknown key 'sorce'"):
        opened({"etc": {"sorce": "/etc"}})
    with pytest.raises(ConfigInvalid, match=r"jobs\.etc: hooks has an unknown key 'sucess'"):
        opened({"etc": {"source": "/etc", "hooks": {"sucess": "x"}}})


def test_the_progress_of_each_job_has_stages_of_its_own(opened: Open, tree: Path) -> None:
    stages: list[str] = []
    jobs = {name: {"source": str(tree), "name": name} for name in "ab"}
    opened(jobs, more={"progress": lambda report: stages.append(report.stage)}).run_jobs()
    assert {"a: backing up", "b: backing up"} <= set(stages)


# events and hooks


def test_listeners_get_the_run_and_its_steps(opened: Open, tree: Path, gone: str) -> None:
    events, heard = Events(), []
    for name in ("before_run", "before_backup", "on_backup", "on_rotate_backups", "on_verify", "on_run", "on_failure"):
        event = getattr(events, name)
        event += lambda *_, name=name: heard.append(name)
    job = {"source": str(tree), "rotation": {"days": 1}, "verify_every": "1D"}
    opened({"site": job}, more={"events": events}).run_jobs()
    assert heard == ["before_run", "before_backup", "on_backup", "on_rotate_backups", "on_verify", "on_run"]
    heard.clear()
    opened({"gone": {"source": gone}}, more={"events": events}).run_jobs()
    assert heard == ["before_run", "before_backup", "on_failure", "on_failure"]  # of `backup`, and of `run`


def noting(log: Path, name: str) -> list[str]:
    code = "import json, sys; open(sys.argv[1], 'a').write(json.dumps([sys.argv[2], json.load(sys.stdin)]) + '\\n')"
    return [sys.executable, "-c", code, str(log), name]


def test_the_hook_of_run_gets_the_facts_of_all_jobs_and_that_of_a_job_its_own(
    opened: Open, tree: Path, gone: str, tmp_path: Path
) -> None:
    log = tmp_path / "log"
    jobs = {
        "gone": {"source": gone, "hooks": {"run": {"failure": noting(log, "own")}}},
        "site": {"source": str(tree), "rotation": {"days": 1}, "verify_every": "1D"},
    }
    opened(jobs, hooks={"run": {"success": noting(log, "good"), "failure": noting(log, "bad")}}).run_jobs()
    (own, one), (bad, every) = map(json.loads, log.read_text().splitlines())
    assert (own, bad) == ("own", "bad")
    assert (one["verb"], one["outcome"], one["job"], "gone" in one["error"]) == ("run", "failure", "gone", True)
    assert (every["verb"], every["outcome"], "gone" in every["error"]) == ("run", "failure", True)
    assert [(job["job"], job["outcome"]) for job in every["jobs"]] == [("gone", "failure"), ("site", "success")]
    assert every["jobs"][1]["backup"]["filename"] == "site"
    assert (every["jobs"][1]["backups"], every["jobs"][1]["verified"][0]["level"]) == ([], "opens")


# pings


def test_a_job_pings_its_start_and_its_end_once(opened: Open, pinger: MemoryPinger, tree: Path) -> None:
    opened({"site": {"source": str(tree), "ping": f"{PING}?create=1", "verify_every": "1D"}}).run_jobs()
    (started, nothing), (ended, text) = pinger.sent
    assert (started, nothing, ended) == (f"{PING}/start?create=1", "", f"{PING}?create=1")
    assert re.fullmatch(
        r"site\.20260102030405\.tgz: 1 file \(14 B\), \d+ B stored, not encrypted; verified: good", text
    )


def test_a_failed_job_pings_fail_without_a_path(opened: Open, pinger: MemoryPinger, gone: str) -> None:
    opened({"site": {"source": gone, "ping": PING}}).run_jobs()
    assert pinger.sent[-1] == (f"{PING}/fail", "…: no such file or directory")


def test_the_ping_of_the_profile_reports_the_whole_run(
    opened: Open, pinger: MemoryPinger, tree: Path, gone: str
) -> None:
    opened({"bad": {"source": gone}, "site": {"source": str(tree)}}, ping=PING).run_jobs()
    (started, _), (ended, text) = pinger.sent
    assert (started, ended) == (f"{PING}/start", f"{PING}/fail")
    assert [line.split(":")[:2] for line in text.splitlines()] == [
        ["bad", " FAILED"],
        ["site", " site.20260102030405.tgz"],
    ]


def test_an_interrupted_run_pings_fail(opened: Open, pinger: MemoryPinger, tree: Path) -> None:
    events = Events()

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    events.before_backup += interrupt
    bk = opened({"site": {"source": str(tree), "ping": f"{PING}2"}}, ping=PING, more={"events": events})
    with pytest.raises(KeyboardInterrupt):
        bk.run_jobs()
    assert pinger.sent == [
        (f"{PING}/start", ""),
        (f"{PING}2/start", ""),
        (f"{PING}2/fail", "stopped by SIGINT"),
        (f"{PING}/fail", "stopped by SIGINT"),
    ]


def test_a_job_that_gets_no_lock_does_not_stop_the_others(opened: Open, pinger: MemoryPinger, tree: Path) -> None:
    class Full(MemoryJobLocks):
        """Has no room for the file of one lock."""

        def hold(self, name: str, scope: str = "") -> AbstractContextManager[bool]:
            if name == "default.new":
                raise ConfigError("no lock for the job: No space left on device")
            return super().hold(name, scope)

    jobs = {"new": {"source": str(tree), "name": "new", "ping": PING}, "site": {"source": str(tree)}}
    runs = opened(jobs, more={"locks": Full()}).run_jobs()
    assert [run.outcome for run in runs.jobs] == [JobOutcome.FAILURE, JobOutcome.SUCCESS]
    assert pinger.sent == [(f"{PING}/fail", "no lock for the job: No space left on device")]


def test_backup_pings_as_run_does(opened: Open, pinger: MemoryPinger, tree: Path, gone: str) -> None:
    bk = opened({}, ping=PING)
    bk.backup(tree)
    bk.backup(tree, dry_run=True)
    bk.verify("site")
    with pytest.raises(SourceError):
        bk.backup(gone)
    assert [url.removeprefix(PING) for url, _ in pinger.sent] == ["/start", "", "/start", "/fail"]


@pytest.mark.parametrize("by_job", [True, False], ids=["run", "backup"])
def test_an_incomplete_backup_pings_fail(opened: Open, pinger: MemoryPinger, tmp_path: Path, by_job: bool) -> None:
    source = tmp_path / "vanishing"
    source.mkdir()
    (source / "a").write_bytes(b"x" * 3_000_000)
    (source / "b").write_bytes(b"y")
    events = Events()
    events.on_progress += lambda *_: (source / "b").unlink(missing_ok=True)
    bk = opened({"v": {"source": str(source)}}, ping=PING, more={"events": events})
    if by_job:
        assert bk.run_jobs().is_incomplete
    else:
        assert bk.backup(source).is_incomplete
    url, text = pinger.sent[-1]
    assert (url, "incomplete (1 file)" in text) == (f"{PING}/fail", True)


def test_a_ping_that_fails_is_a_notice_without_its_url(opened: Open, tree: Path) -> None:
    notices: list[str] = []
    more = {"pinger": MemoryPinger("no answer within 10 seconds"), "notice": notices.append}
    runs = opened({"site": {"source": str(tree), "ping": PING}}, more=more).run_jobs()
    assert runs.jobs[0].outcome is JobOutcome.SUCCESS
    assert notices == ["the ping of job 'site' failed: no answer within 10 seconds"] * 2


def test_a_job_that_is_running_does_not_ping_its_end(opened: Open, pinger: MemoryPinger, tree: Path) -> None:
    locks = MemoryJobLocks()
    bk = opened({"site": {"source": str(tree)}}, ping=PING, more={"locks": locks})
    with locks.hold("default.site", bk.profile.database):
        bk.run_jobs()
    assert [url for url, _ in pinger.sent] == [f"{PING}/start"]


def test_a_ping_is_in_no_repr(opened: Open, tree: Path) -> None:
    bk = opened({"site": {"source": str(tree), "ping": PING}}, ping=PING)
    assert "secret" not in f"{bk!r}{bk.profile!r}{bk._pings!r}{bk._jobs!r}"


# the command


@pytest.fixture
def run(bakthat_command: CommandLine) -> CommandLine:
    site = bakthat_command.here / "site"
    site.mkdir()
    (site / "index.html").write_text("hello")
    return bakthat_command


def configure(run: CommandLine, jobs: dict[str, Any], **settings: Any) -> None:
    run.configure({"default": {"default_destination": "local", "jobs": jobs, **settings}})


def test_run_prints_a_line_for_each_job(run: CommandLine) -> None:
    configure(run, {"site": {"source": str(run.here / "site")}, "words": {"command": "echo hello", "name": "words"}})
    said = run("run")
    assert (said.code, said.err) == (0, "")
    assert [line.split(":")[0] for line in said.lines] == ["site", "words"]
    assert run("run", "site", "-q").out == ""


def test_the_exit_code_is_that_of_the_first_job_that_failed(run: CommandLine) -> None:
    jobs = {"bad": {"command": "false", "name": "x"}, "wrong": {"source": "/etc", "destination": "nowhere"}}
    configure(run, {**jobs, "site": {"source": str(run.here / "site")}})
    said = run("run")
    assert (said.code, len(said.lines)) == (1, 1)
    assert said.err.splitlines()[0] == "bakthat: bad: FAILED: false failed with exit status 1; nothing was stored"
    assert run("run", "wrong", "bad").code == 2


@pytest.mark.parametrize("output", ["/dev/full", "a pipe that nobody reads"])
def test_a_run_whose_output_is_lost_makes_all_backups(run: CommandLine, output: str) -> None:
    configure(run, {name: {"source": str(run.here / "site"), "name": name} for name in ("a", "b")})
    command = f"{shlex.join(run.command('run'))} " + ("> /dev/full" if output == "/dev/full" else "| true")
    done = subprocess.run(
        ["bash", "-c", f"set -o pipefail; {command}"], env=run.env(), cwd=run.here, stderr=-1, text=True, check=False
    )
    assert done.returncode == (1 if output == "/dev/full" else 141)
    assert len(done.stderr.splitlines()) == (1 if output == "/dev/full" else 0)
    assert sorted(line.split("\t")[-1].split(".")[0] for line in run("show", "-q").lines) == ["a", "b"]


def test_a_run_that_sigterm_ends_says_so_to_hooks(run: CommandLine) -> None:
    told = run.home / "told"
    hooks = {"run": {"failure": ["sh", "-c", f"cat > {told}"]}}
    waiting = f"touch {run.home / 'started'}; exec sleep 60"
    configure(run, {"slow": {"command": ["sh", "-c", waiting], "name": "x"}}, hooks=hooks)
    process = subprocess.Popen(run.command("run"), env=run.env(), stderr=subprocess.PIPE, text=True)
    while not (run.home / "started").exists():
        time.sleep(0.01)
    process.terminate()
    _, said = process.communicate()
    assert (process.returncode, said) == (143, "bakthat: stopped by SIGTERM\n")
    assert json.loads(told.read_text())["error"] == "stopped by SIGTERM"


def test_a_job_that_is_running_ends_with_75_and_says_so(run: CommandLine) -> None:
    configure(run, {"site": {"source": str(run.here / "site")}})
    locks = LockFiles(run.home / ".local" / "state" / "bakthat" / "locks")
    with locks.hold("default.site", "~/.bakthat.sqlite"):
        said = run("run")
    assert (said.code, said.out) == (75, "")
    assert said.err == "bakthat: site: another run of this job is under way\n"
    assert run("run").code == 0


def test_run_has_json(run: CommandLine) -> None:
    configure(run, {"site": {"source": str(run.here / "site")}, "bad": {"command": "false", "name": "x"}})
    said = run("run", "--json")
    told = json.loads(said.out)
    assert (said.code, told["version"]) == (1, 1)
    assert [(job["job"], job["outcome"]) for job in told["jobs"]] == [("bad", "failure"), ("site", "success")]
    assert told["jobs"][1]["backup"]["filename"] == "site"


def test_a_mistake_in_a_job_is_one_line_of_any_command(run: CommandLine) -> None:
    configure(run, {"site": {"source": "site"}})
    said = run("verify", "--all")
    assert (said.code, len(said.err.splitlines())) == (2, 1)
    assert "jobs.site: source: expected an absolute path" in said.err


@pytest.mark.parametrize(
    ("settings", "arguments", "words"),
    [
        ({"jobs": {"site": {"source": "site"}}}, ["status", "--json"], "jobs.site: source: expected an absolute path"),
        ({"jobs": {"site": {"source": "/s", "hooks": {"x": "y"}}}}, ["ls", "x"], "jobs.site: hooks has an unknown"),
        ({"hooks": {"sucess": "x"}}, ["ls", "x"], "hooks has an unknown"),
        ({"rotation": {"dayz": 7}}, ["rotate-backups", "x"], "rotation has an unknown"),
        ({"jobs": {}}, ["run"], "has no jobs"),
        ({"jobs": {"site": {"source": "/s"}}}, ["run", "sit"], "has no job 'sit', did you mean 'site'?"),
    ],
    ids=["job", "hooks of a job", "hooks", "rotation", "no jobs", "no such job"],
)
def test_a_mistake_in_the_settings_names_the_file(
    run: CommandLine, settings: dict[str, Any], arguments: list[str], words: str
) -> None:
    run.configure({"default": {"default_destination": "local", **settings}})
    said = run(*arguments)
    assert said.code == 2
    assert f"{run.home}/.bakthat.yml: profile 'default'" in said.err
    assert words in said.err


def test_configure_leaves_jobs_and_their_comments_alone(run: CommandLine) -> None:
    path = run.home / ".bakthat.yml"
    jobs = "  jobs:  # nightly\n    etc: {source: /etc, max_age: 26h}  # the settings\n    # not yet: www\n"
    path.write_text(f"default:\n  default_destination: local\n{jobs}  s3_prefix: x\n")
    path.chmod(0o600)
    said = run("configure_backups_rotation", answers="7\n4\n12\n5\nyes\n")
    assert said.code == 0, said.err
    assert jobs in path.read_text()
    assert "days: 7" in path.read_text()
