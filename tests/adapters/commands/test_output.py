"""What a program writes is read to its end, and only a program that succeeds has an end."""

from __future__ import annotations

import os
import sys
import threading
from pathlib import Path

import pytest

from bakthat.adapters.commands.output import CommandOutput
from bakthat.errors import SourceError, UsageError

SECRET = "hunter2"


def output(*command: str, **options) -> CommandOutput:
    return CommandOutput(command, environment=os.environ, **options)


def sh(script: str, **options) -> CommandOutput:
    return output("sh", "-c", f"{script} # {SECRET}", **options)


def read(command: CommandOutput) -> bytes:
    with command as reader:
        return reader.read()


def test_the_output_is_read_to_its_end():
    assert read(output("seq", "1000000")) == b"".join(b"%d\n" % number for number in range(1, 1_000_001))


def test_a_read_gives_at_most_what_it_is_asked_for():
    with sh("printf abcdef") as reader:
        assert (reader.read(4), reader.read(0), reader.read(4), reader.read(4)) == (b"abcd", b"", b"ef", b"")


def test_a_buffer_is_filled():
    buffer = bytearray(4)
    with sh("printf abcdef") as reader:
        assert reader.readinto(buffer) == 4
    assert buffer == b"abcd"


def test_no_shell_runs():
    assert read(output("echo", "$HOME | `id` > x")) == b"$HOME | `id` > x\n"


def test_stdin_is_empty():
    assert read(sh("cat; echo end")) == b"end\n"


def test_stderr_passes_through(capfd: pytest.CaptureFixture[str]):
    read(sh("echo a complaint >&2"))
    assert capfd.readouterr().err == "a complaint\n"


def test_the_environment_is_the_one_that_was_given():
    assert read(CommandOutput(["/usr/bin/env"], environment={"A": "b"})) == b"A=b\n"


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        ("exit 3", "sh failed with exit status 3"),
        ("echo some output; exit 1", "sh failed with exit status 1"),
        ("echo some output; kill -9 $$", "sh was ended by SIGKILL"),
        ("exec >&-; sleep 0.2; exit 4", "sh failed with exit status 4"),
        ("sleep 3 & exit 5", "sh failed with exit status 5"),
    ],
)
def test_a_program_that_fails_is_an_error_that_names_it_and_its_status(script, reason):
    with pytest.raises(SourceError, match=f"^{reason}; nothing was stored$") as raised:
        read(sh(script))
    assert SECRET not in repr(raised.value.__context__)


def test_an_error_comes_after_the_last_byte():
    with sh("printf abc; exit 3") as reader:
        assert reader.read(10) == b"abc"
        with pytest.raises(SourceError):
            reader.read(10)


def test_a_program_may_close_its_output_and_go_on():
    assert read(sh("echo all; exec >&-; sleep 0.2")) == b"all\n"


def test_an_output_that_a_process_of_the_program_holds_open_is_not_known_to_be_whole():
    with pytest.raises(SourceError, match="sh has ended, but a process that it started keeps its output open"):
        read(sh("echo some; sleep 3 & exit 0", silence_limit=0.1))


def test_what_a_process_of_the_program_writes_belongs_to_the_output():
    assert read(sh("(sleep 0.2; echo late) & echo early; exit 0")) == b"early\nlate\n"


def test_a_program_that_is_not_there_is_an_error_before_anything_else():
    with pytest.raises(UsageError, match="^pg_dumpp: no such file") as raised:
        read(output("/no/such/pg_dumpp", SECRET))
    assert raised.value.__context__ is None


def test_a_file_that_is_not_a_program_is_an_error(tmp_path: Path):
    (tmp_path / "text").write_text("text")
    with pytest.raises(UsageError, match="^text cannot be run: Permission denied"):
        read(output(str(tmp_path / "text")))


@pytest.mark.parametrize("words", [[], [""], "pg_dump shop"])
def test_a_command_is_a_list_of_words(words):
    with pytest.raises(UsageError, match="a list of words"):
        CommandOutput(words, environment={})


def test_a_nul_byte_is_an_error():
    with pytest.raises(UsageError, match="NUL"):
        read(output("echo", "a\0b"))


def test_a_program_that_is_left_is_ended_and_no_zombie_remains():
    with output(sys.executable, "-c", "import os, time; print(os.getpid(), flush=True); time.sleep(1000)") as reader:
        pid = int(reader.read(100))
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_a_program_that_ignores_the_polite_signal_is_killed():
    code = (
        "import os, signal, time; signal.signal(15, signal.SIG_IGN); print(os.getpid(), flush=True); time.sleep(1000)"
    )
    command = output(sys.executable, "-c", code, kill_after=0.1)
    with command as reader:
        pid = int(reader.read(100))
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_a_read_that_waits_returns_when_the_program_is_stopped():
    command = sh("exec sleep 1000")
    failed: list[BaseException] = []
    with command as reader:

        def wait() -> None:
            try:
                reader.read(1)
            except SourceError as error:
                failed.append(error)

        waiting = threading.Thread(target=wait)
        waiting.start()
        command.stop()
        waiting.join(60)
    assert [str(error) for error in failed] == ["sh was ended by SIGTERM; nothing was stored"]
