"""The page about monitoring, block by block, by a reader with an empty home."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.fixtures.command_line import CommandLine, Said

PAGE = (Path(__file__).parents[2] / "docs" / "monitoring.md").read_text()


def blocks(heading: str, language: str) -> list[str]:
    section = re.search(rf"^## {heading}\n(.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL)
    assert section is not None
    return re.findall(rf"^```{language}\n(.*?)^```$", section[1], re.MULTILINE | re.DOTALL)


@pytest.fixture
def reader(bakthat_command: CommandLine) -> CommandLine:
    """A reader who has put the first example of the page into the configuration file."""
    path = bakthat_command.home / ".bakthat.yml"
    path.write_text(blocks("Jobs", "yaml")[0])
    path.chmod(0o600)
    return bakthat_command


def follow(block: str, reader: CommandLine) -> list[Said]:
    """Run each line of a block."""
    done = [reader(*line.split()[1:]) for line in block.splitlines()]
    assert [said.code for said in done] == [0] * len(done), done
    return done


def test_the_jobs_of_the_page_run(reader: CommandLine) -> None:
    (block,) = blocks("Jobs", "sh")
    every, words = follow(block, reader)
    assert [line.split(":")[0] for line in every.lines] == ["etc", "words"]
    assert [line.split(":")[0] for line in words.lines] == ["words"]


def test_every_configuration_of_the_page_is_read_without_a_notice(bakthat_command: CommandLine) -> None:
    examples = re.findall(r"^```yaml\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    assert len(examples) >= 2
    for example in examples:
        path = bakthat_command.home / ".bakthat.yml"
        path.write_text(example)
        path.chmod(0o600)
        said = bakthat_command("show", "-q")
        assert (said.code, said.err) == (0, "")


def test_the_crontab_of_the_page_runs(reader: CommandLine) -> None:
    (line,) = [line for line in blocks("Jobs", "text")[0].splitlines() if not line.startswith("#")]
    command = line.split(None, 5)[5]
    assert command.startswith("bakthat ")
    done = subprocess.run(
        ["sh", "-c", command.replace("bakthat", f"{sys.executable} -m bakthat", 1)],
        env={"HOME": str(reader.home), "PATH": os.environ["PATH"], "PYTHONPATH": str(Path(__file__).parents[2])},
        cwd="/",
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_the_status_of_the_page_is_good_after_a_run(reader: CommandLine) -> None:
    (block,) = blocks("Status", "sh")
    follow(block, reader)
    assert sorted(path.name for path in reader.here.iterdir()) == ["bakthat.prom", "status.html"]


def test_every_metric_has_its_row(reader: CommandLine) -> None:
    reader("run", "-q")
    reader("verify", "--all", "-q")
    reader("status", "-q", "--prometheus", "bakthat.prom")
    written = set(re.findall(r"^# TYPE (\w+)", (reader.here / "bakthat.prom").read_text(), re.MULTILINE))
    assert set(re.findall(r"^\| `(bakthat_\w+)`", PAGE, re.MULTILINE)) == written


def test_the_table_of_the_page_has_the_columns_of_the_command(reader: CommandLine) -> None:
    (example,) = blocks("Status", "console")
    assert example.splitlines()[1].split() == reader("status").lines[0].split()
