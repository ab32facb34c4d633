"""A signal ends bakthat also where a file system does not respond."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.fixtures.command_line import CommandLine
from tests.fixtures.held import HOLD, end_of_held


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_process_that_a_file_system_holds_is_ended_by_a_signal(tmp_path: Path, number: signal.Signals) -> None:
    script = f"""{HOLD}
import signal
from bakthat.entrypoints.signals import end_if_signals_are_not_handled
signal.signal({number:d}, lambda *_: None)
end_if_signals_are_not_handled([{number:d}], patience=0.2)
hold(sys.argv[1])
"""
    fifo = tmp_path / "fifo"
    code, err = end_of_held([sys.executable, "-c", script, str(fifo)], number, fifo)
    assert (code, err) == (128 + number, f"bakthat: ended by {number.name}, while a file system did not respond\n")


def test_a_command_that_a_file_system_holds_is_ended_by_a_signal(bakthat_command: CommandLine, tmp_path: Path) -> None:
    info = tmp_path / "held-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: held\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[bakthat.stores]\nheld = held_store:make\n")
    fifo = tmp_path / "fifo"
    (tmp_path / "held_store.py").write_text(f"{HOLD}\ndef make(profile):\n    hold({str(fifo)!r})\n")
    command = bakthat_command.command("backup", str(bakthat_command.here), "-d", "held", "--prompt", "no")
    code, err = end_of_held(command, signal.SIGTERM, fifo, {**bakthat_command.env(), "PYTHONPATH": str(tmp_path)})
    assert (code, err) == (143, "bakthat: ended by SIGTERM, while a file system did not respond\n")


def test_a_thread_that_is_held_does_not_keep_the_process_from_ending_after_a_signal() -> None:
    script = """
import signal, sys, threading
from bakthat.entrypoints.signals import end_after
threading.Thread(target=threading.Event().wait).start()
end_after(signal.SIGTERM, patience=0.2)
sys.exit(1)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (143, "", "")


def test_a_signal_that_is_heard_ends_nothing() -> None:
    script = """
import signal, time
from bakthat.entrypoints.signals import end_if_signals_are_not_handled
heard = []
signal.signal(signal.SIGTERM, lambda *_: heard.append(1))
end_if_signals_are_not_handled([signal.SIGTERM], patience=0.1)
signal.raise_signal(signal.SIGTERM)
time.sleep(0.5)
print(len(heard))
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "1\n", "")
