"""`make fast` runs its tests in forked workers and reports exactly what came of each."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from attrs import define

ROOT = Path(__file__).parents[2]

MIXED = """
import os, signal, threading, warnings
from pathlib import Path
import pytest

@pytest.fixture(autouse=True)
def note(request):
    with open("ran", "a") as file:
        file.write(request.node.name + "\\n")

@pytest.fixture
def broken():
    raise RuntimeError("no such thing")

@pytest.fixture
def broken_afterwards():
    yield
    raise RuntimeError("cannot be removed")

@pytest.mark.parametrize("number", range(20))
def test_passes(number, tmp_path):
    assert not list(tmp_path.iterdir())

def test_fails():
    print("said before it failed")
    assert [1, 2] == [1, 3]

def test_has_no_fixture(broken):
    pass

def test_cannot_clean_up(broken_afterwards):
    pass

def test_is_expected_to_fail():
    pytest.xfail("known")

def test_ends_its_process():
    os._exit(0)

def test_is_killed():
    os.kill(os.getpid(), signal.SIGKILL)

def test_warns():
    warnings.warn("deprecated")

def test_fails_in_a_thread():
    thread = threading.Thread(target=lambda: 1 / 0)
    thread.start()
    thread.join()

def test_runs_after_those_that_ended_their_process():
    pass
"""


@define
class Run:
    code: int
    out: str
    ran: list[str]

    def outcome(self, test: str) -> list[str]:
        """The outcomes that the summary has for this test."""
        lines = [line.split() for line in self.out.splitlines() if f"::{test}" in line]
        return [words[0] for words in lines if len(words) > 1 and words[1].endswith(f"::{test}")]


def run(folder: Path, module: str, *arguments: str) -> Run:
    (folder / "test_it.py").write_text(textwrap.dedent(module))
    (folder / "pytest.ini").write_text("[pytest]\nfilterwarnings = error\n")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-rA", "-p", "tests.fixtures.forked_workers", *arguments],
        cwd=folder, env={**os.environ, "PYTHONPATH": str(ROOT), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip
    ran = folder / "ran"
    return Run(done.returncode, done.stdout + done.stderr, ran.read_text().splitlines() if ran.exists() else [])


@pytest.fixture(scope="module")
def mixed(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return run(tmp_path_factory.mktemp("mixed"), MIXED)


def test_every_test_runs_once(mixed: Run) -> None:
    assert len(mixed.ran) == len(set(mixed.ran)) == 29


def test_the_counts_are_those_of_one_process(mixed: Run) -> None:
    assert mixed.out.splitlines()[-1].startswith("5 failed, 22 passed, 1 xfailed, 2 errors in ")
    assert mixed.code == 1


@pytest.mark.parametrize(
    ("test", "outcome"),
    [
        ("test_passes[7]", ["PASSED"]),
        ("test_fails", ["FAILED"]),
        ("test_has_no_fixture", ["ERROR"]),
        ("test_cannot_clean_up", ["PASSED", "ERROR"]),
        ("test_is_expected_to_fail", ["XFAIL"]),
        ("test_ends_its_process", ["FAILED"]),
        ("test_is_killed", ["FAILED"]),
        ("test_warns", ["FAILED"]),
        ("test_fails_in_a_thread", ["FAILED"]),
        ("test_runs_after_those_that_ended_their_process", ["PASSED"]),
    ],
)
def test_each_outcome_is_reported(mixed: Run, test: str, outcome: list[str]) -> None:
    assert sorted(mixed.outcome(test)) == sorted(outcome), mixed.out


@pytest.mark.parametrize("text", ["assert [1, 2] == [1, 3]", "said before it failed", "no such thing", "ended with -9"])
def test_a_failure_says_why(mixed: Run, text: str) -> None:
    assert text in mixed.out


def test_an_exception_in_a_finalizer_after_the_last_test_fails_the_run(tmp_path: Path) -> None:
    done = run(
        tmp_path,
        """
        class Cycle:
            def __init__(self):
                self.me = self

            def __del__(self):
                raise ValueError("lost")

        def test_leaves_garbage():
            Cycle()
        """,
    )
    assert "ValueError: lost" in done.out
    assert done.code == 1


def test_a_module_that_cannot_be_imported_fails_the_run(tmp_path: Path) -> None:
    done = run(tmp_path, "import nothing_of_this_name")
    assert "nothing_of_this_name" in done.out
    assert done.code == 2


def test_the_first_failure_stops_the_run_if_asked(tmp_path: Path) -> None:
    done = run(
        tmp_path,
        """
        import pytest

        @pytest.mark.parametrize("number", range(500))
        def test_fails(number):
            assert False
        """,
        "-x",
    )
    assert "1 failed in" in done.out
    assert done.code == 1
