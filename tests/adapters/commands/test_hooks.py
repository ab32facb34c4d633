"""The running of a hook: its output, its input and its time are bounded."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from bakthat.adapters.commands.hooks import OUTPUT_LIMIT, CommandHooks


class Ran:
    """A hook that was run for a backup, and what came of it."""

    def __init__(self, command: list[str], facts: dict[str, Any] | None = None, timeout: float = 60.0) -> None:
        self.printed = b""
        self.notices: list[str] = []
        hooks = CommandHooks(
            commands={("backup", "success"): command},
            timeout=timeout,
            environment=os.environ,
            notice=self.notices.append,
            relay=self._relay,
        )
        hooks.ended("backup", "success", facts if facts is not None else {})

    def _relay(self, output: bytes) -> None:
        self.printed += output


def test_what_a_hook_prints_is_passed_on() -> None:
    ran = Ran(["sh", "-c", "echo out; echo err >&2"])
    assert (ran.printed, ran.notices) == (b"out\nerr\n", [])


def test_a_hook_that_prints_without_end_is_cut_and_stopped() -> None:
    ran = Ran(["sh", "-c", "yes flood"], timeout=0.5)
    assert len(ran.printed) <= OUTPUT_LIMIT
    assert ran.notices == ["the hook sh was stopped after 0.5 seconds"]


def test_output_beyond_the_limit_is_dropped_and_said() -> None:
    ran = Ran([sys.executable, "-c", f"print('x' * {3 * OUTPUT_LIMIT}, end='')"])
    assert ran.printed == b"x" * OUTPUT_LIMIT
    (notice,) = ran.notices
    assert f"printed {3 * OUTPUT_LIMIT} bytes; all after the first {OUTPUT_LIMIT} were dropped" in notice


def test_facts_larger_than_a_pipe_are_written_while_output_is_read() -> None:
    code = "import sys; print('y' * 200_000); print(len(sys.stdin.read()))"
    ran = Ran([sys.executable, "-c", code], {"facts": "z" * 300_000})
    assert any("printed" in notice for notice in ran.notices)
    assert len(ran.notices) == 1


def test_facts_that_nobody_reads_are_not_a_failure() -> None:
    assert Ran(["sh", "-c", "exec <&-; sleep 0.1"], {"facts": "z" * 300_000}).notices == []


def test_a_hook_that_closes_its_output_may_read_on() -> None:
    assert Ran(["sh", "-c", "exec >&- 2>&-; cat"], {"facts": "z" * 300_000}).notices == [
        "the hook sh ended with exit code 1"
    ]


def test_what_a_hook_leaves_running_is_not_waited_for(tmp_path: Path) -> None:
    ran = Ran(["sh", "-c", "sleep 30 & echo started"], timeout=10)
    assert (ran.printed, ran.notices) == (b"started\n", [])


def test_what_a_hook_started_ends_with_it_when_its_time_is_up(tmp_path: Path) -> None:
    ran = Ran(["sh", "-c", f"sleep 600 & echo $! > {tmp_path}/pid; wait"], timeout=2)
    assert ran.notices == ["the hook sh was stopped after 2 seconds"]
    assert _ends_within((tmp_path / "pid").read_text().strip(), seconds=20)


def _ends_within(pid: str, *, seconds: float) -> bool:
    """Whether a process that was killed is gone, or a zombie that nobody has waited for, by then."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
        except (FileNotFoundError, ProcessLookupError):
            return True
        if state == "Z":
            return True
        time.sleep(0.05)
    return False


@pytest.mark.parametrize(("verb", "outcome"), [("backup", "failure"), ("verify", "success")])
def test_nothing_is_run_where_there_is_no_command(verb: str, outcome: str) -> None:
    notices: list[str] = []
    hooks = CommandHooks(commands={("backup", "success"): ["/no/such/program"]}, notice=notices.append)
    hooks.ended(verb, outcome, {})
    assert notices == []


def test_a_script_without_its_interpreter_is_not_said_to_be_missing(tmp_path: Path) -> None:
    script = tmp_path / "script"
    script.write_text("#!/no/such/interpreter\n")
    script.chmod(0o755)
    (line,) = Ran([str(script)]).notices
    assert line == f"the hook {script} could not be run: its first line names an interpreter that does not exist"
