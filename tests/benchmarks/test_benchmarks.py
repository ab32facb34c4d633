"""The benchmarks run: what they measure is not looked at here."""

from __future__ import annotations

import importlib
import json
import os
import pkgutil
import sys
from pathlib import Path

import pytest

import benchmarks
from benchmarks import rotation_plan
from benchmarks.__main__ import main
from benchmarks.data_sets import data_set
from benchmarks.inside import main as inside
from benchmarks.measured import CommandFailed, measured
from benchmarks.nights import main as nights
from benchmarks.rows import main as rows

ENVIRONMENT = {"PATH": os.environ["PATH"]}


def test_every_benchmark_can_be_imported() -> None:
    names = {module.name for module in pkgutil.iter_modules(benchmarks.__path__)}

    assert {"inside", "memory", "nights", "startup", "rows", "rotation_plan"} <= names
    for name in names:
        importlib.import_module(f"benchmarks.{name}")


def test_the_smallest_comparison_runs_into_a_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = tmp_path / "found.json"
    options = ["--sets", "b", "--scale", "tiny", "--repeat", "1", "--peers", "bakthat,recipient", "--folder"]

    assert main([*options, "--data", str(tmp_path / "data"), "--json", str(found)]) == 0

    runs = json.loads(found.read_text())
    assert [run["contender"] for run in runs] == ["bakthat", "bakthat, recipient"]
    assert all(run["backup"]["left"] == run["restore"]["left"] == [] for run in runs)
    assert "| bakthat, recipient |" in capsys.readouterr().out


def test_the_cost_of_rows_is_reported(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert rows(["--rows", "10", "--without-s3", "--data", str(tmp_path)]) == 0

    assert "| sync of a folder, the second" in capsys.readouterr().out


def test_looking_inside_is_measured_at_the_smallest_sizes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sizes = ["--sizes", "0.005", "--entries", "20", "--backups", "1", "--repeat", "1"]
    inside([*sizes, "--data", str(tmp_path)])
    out = capsys.readouterr().out
    for row in ("cat 1 file", "restore 1,000 files", "ls, cached", "find, all cached", "stored MB"):
        assert f"| {row} " in out
    assert list(tmp_path.iterdir()) == []


def test_incremental_backups_are_measured_at_the_smallest_sizes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sizes = ["--sets", "b", "--scale", "tiny", "--nights", "1", "--repeat", "1"]
    nights([*sizes, "--data", str(tmp_path)])
    out = capsys.readouterr().out
    for row in ("| unchanged", "| 50 files changed", "| restore of the chain", "| restore of a full one"):
        assert row in out
    assert [path.name for path in tmp_path.iterdir()] == ["b-tiny"]


def test_a_data_set_is_made_once(tmp_path: Path) -> None:
    first = data_set("c", "tiny", tmp_path)
    made = first.source.stat()

    assert data_set("c", "tiny", tmp_path) == first
    assert (first.files, first.size) == (1, made.st_size)
    assert first.source.stat().st_mtime_ns == made.st_mtime_ns


def test_memory_time_and_temporary_files_of_a_whole_process_tree_are_seen(tmp_path: Path) -> None:
    child = "import tempfile, time; held = bytearray(80 << 20); file = tempfile.TemporaryFile(); "
    child += "file.write(bytes(1 << 20)); file.flush(); time.sleep(0.4); sum(range(2_000_000))"
    parent = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}], check=True)"

    took = measured([sys.executable, "-c", parent], environment=ENVIRONMENT, scratch=tmp_path)

    assert took.memory > 80 << 20
    assert took.cpu > 0.01
    assert took.wall > 0.4
    assert took.temporary == 1 << 20
    assert took.left == ()


def test_a_command_that_fails_says_why(tmp_path: Path) -> None:
    with pytest.raises(CommandFailed, match="exit code 3\nno luck"):
        measured(["sh", "-c", "echo no luck >&2; exit 3"], environment=ENVIRONMENT, scratch=tmp_path)


def test_a_plan_of_rotation_is_timed() -> None:
    assert rotation_plan.seconds(rotation_plan.POLICIES[0], rotation_plan.hourly(10)) >= 0
