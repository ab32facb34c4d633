"""`backup -` and `backup --stdin-from-command`, and the same in the library."""

from __future__ import annotations

import gzip
import io
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import bakthat as library
from bakthat import Bakthat
from bakthat.adapters.memory.object_store import MemoryObjectStore
from bakthat.errors import InvalidName, SourceError, UsageError
from tests.fixtures.command_line import CommandLine
from tests.fixtures.terminal import on_terminal

PLAIN = ("-d", "local", "--prompt", "no")
SECRET = "hunter2"


def left_in_the_store(command: CommandLine) -> list[str]:
    store = command.home / ".bakthat" / "store"
    paths = [path for path in store.rglob("*") if path.is_file()] if store.exists() else []
    return sorted(path.name for path in paths if path.name != ".bakthat-store")


def from_command(command: CommandLine, *words: str, **environment: str):
    return command("backup", "--stdin-from-command", "--name", "shop.sql", *PLAIN, "--", *words, **environment)


# Standard input


def test_standard_input_is_backed_up_and_comes_back_as_a_file(bakthat_command: CommandLine) -> None:
    said = bakthat_command("backup", "-", "--name", "shop.sql", *PLAIN, answers="CREATE TABLE x();\n")
    assert said.code == 0
    assert re.fullmatch(r"shop\.sql\.\d{14}\.gz", said.out.strip())
    assert re.search(r"Backed up a stream \(18 B\) to local ~/\.bakthat/store: .*, not encrypted\.", said.err)
    assert bakthat_command("verify", "shop.sql", "-d", "local").code == 0
    assert bakthat_command("restore", "shop.sql", "-d", "local").out == "./shop.sql\n"
    assert (bakthat_command.here / "shop.sql").read_text() == "CREATE TABLE x();\n"


def test_gunzip_reads_what_is_stored(bakthat_command: CommandLine) -> None:
    name = bakthat_command("backup", "-", "--name", "x", *PLAIN, answers="all of it").out.strip()
    path = bakthat_command.home / ".bakthat" / "store" / name
    assert subprocess.run(["gunzip", "-c", path], capture_output=True, check=True).stdout == b"all of it"


def test_a_password_from_the_environment_encrypts_a_stream(bakthat_command: CommandLine) -> None:
    secret = {"BAKTHAT_PASSWORD": "secret"}
    said = bakthat_command("backup", "-", "--name", "x", "-d", "local", answers="content", **secret)
    assert said.out.strip().endswith(".gz.enc")
    assert bakthat_command("restore", "x", "-d", "local", **secret).code == 0
    assert (bakthat_command.here / "x").read_text() == "content"


def test_a_file_that_is_called_dash_is_named_by_a_path(bakthat_command: CommandLine) -> None:
    (bakthat_command.here / "-").write_text("a file")
    assert re.fullmatch(r"-\.\d{14}\.tgz", bakthat_command("backup", "./-", *PLAIN).out.strip())


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["-", *PLAIN], "a stream has no name; give it one with --name, such as --name shop.sql"),
        (["--stdin-from-command", *PLAIN, "--", "true"], "a stream has no name; give it one with --name"),
        (["-", "--name", "a/b", *PLAIN], "'a/b' holds a slash or a control character; choose another name with --name"),
        (["-", "--name", "", *PLAIN], "'' cannot be the name of a backup; choose one with --name"),
        (["-", "--name", "x", "--exclude", "a", *PLAIN], "--exclude is for files and directories"),
        (["-", "--name", "x", "--exclude-from", "a", *PLAIN], "--exclude-from is for files and directories"),
        (["-", "--name", "x", "--exclude-caches", *PLAIN], "--exclude-caches is for files and directories"),
        (["-", "--name", "x", "--exclude-if-present", "a", *PLAIN], "--exclude-if-present is for files"),
        (["-", "--name", "x", "--exclude-larger-than", "1", *PLAIN], "--exclude-larger-than is for files"),
        (["-", "--name", "x", "--one-file-system", *PLAIN], "--one-file-system is for files and directories"),
        (["-", "--name", "x", "--no-gitignore", *PLAIN], "--no-gitignore is for files and directories"),
        (["-", "--name", "x", "--dry-run", *PLAIN], "--dry-run is for files and directories"),
        (["-", "--name", "x", "-d", "local"], "standard input is the backup, so it cannot be asked for a password"),
        (["-", "--name", "x", "-d", "elsewhere"], "there is no destination 'elsewhere'"),
        (["--stdin-from-command", "--name", "x", *PLAIN], "--stdin-from-command requires a command after `--`"),
        (["-", "--stdin-from-command", "--name", "x", *PLAIN, "--", "true"], "are two sources; use one"),
        (["-", "more", "--name", "x", *PLAIN], "Got unexpected extra argument (more)"),
        (["--stdin-from-command", "--name", "x", *PLAIN, "--", "pg_dumpp"], "pg_dumpp: no such program on the PATH"),
    ],
)
def test_bad_input_is_one_clear_line_and_stores_nothing(
    bakthat_command: CommandLine, arguments: list[str], reason: str
) -> None:
    said = bakthat_command("backup", *arguments, answers="content")
    assert said.code == 2
    assert said.err.startswith("bakthat: ")
    assert reason in said.err
    assert len([line for line in said.err.splitlines() if not line.startswith("See `")]) == 1
    assert left_in_the_store(bakthat_command) == []


def test_a_terminal_as_standard_input_is_refused(bakthat_command: CommandLine) -> None:
    controller, terminal = os.openpty()
    done = subprocess.run(
        bakthat_command.command("backup", "-", "--name", "x", *PLAIN),
        stdin=terminal,
        capture_output=True,
        text=True,
        env=bakthat_command.env(),
        cwd=bakthat_command.here,
        check=False,
        timeout=300,
    )
    os.close(terminal)
    os.close(controller)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("bakthat: standard input is a terminal; pipe in what to back up")


def test_an_empty_standard_input_is_a_backup_of_nothing_and_a_notice(bakthat_command: CommandLine) -> None:
    done = subprocess.run(
        bakthat_command.command("backup", "-", "--name", "x", *PLAIN),
        stdin=subprocess.DEVNULL, capture_output=True, text=True, env=bakthat_command.env(), check=False,
    )  # fmt: skip
    assert done.returncode == 0
    assert "the stream was empty, so this is a backup of 0 bytes" in done.stderr


def test_a_closed_standard_input_is_refused(bakthat_command: CommandLine) -> None:
    command = " ".join(bakthat_command.command("backup", "-", "--name", "x", *PLAIN))
    done = subprocess.run(
        f"{command} <&-", shell=True, capture_output=True, text=True, env=bakthat_command.env(), check=False
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("bakthat: standard input is closed")
    assert left_in_the_store(bakthat_command) == []


def test_a_standard_input_that_cannot_be_read_is_one_clear_line(bakthat_command: CommandLine) -> None:
    command = " ".join(bakthat_command.command("backup", "-", "--name", "x", *PLAIN))
    done = subprocess.run(
        f"{command} 0>written-to", shell=True, capture_output=True, text=True, env=bakthat_command.env(),
        cwd=bakthat_command.here, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert done.stderr == "bakthat: the stream cannot be read: Bad file descriptor; nothing was stored\n"
    assert left_in_the_store(bakthat_command) == []


def test_an_empty_standard_input_is_a_backup_of_0_bytes_and_a_notice(bakthat_command: CommandLine) -> None:
    said = bakthat_command("backup", "-", "--name", "x", *PLAIN, "-q", answers="")
    assert said.code == 0
    assert said.err == f"bakthat: {said.out.strip()}: the stream was empty, so this is a backup of 0 bytes\n"


def test_ctrl_c_while_standard_input_is_silent_ends_the_program_and_stores_nothing(
    bakthat_command: CommandLine,
) -> None:
    with subprocess.Popen(
        bakthat_command.command("backup", "-", "--name", "x", *PLAIN),
        stdin=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=bakthat_command.env(),
        cwd=bakthat_command.here,
    ) as running:
        store = bakthat_command.home / ".bakthat" / "store"
        while not store.exists() and running.poll() is None:
            time.sleep(0.005)
        running.send_signal(signal.SIGINT)
        # Standard input stays open.
        assert running.wait(60) == 130
        assert running.stderr is not None
        assert running.stderr.read().strip() == "bakthat: stopped"
    assert left_in_the_store(bakthat_command) == []


# Commands


def test_the_output_of_a_command_is_backed_up(bakthat_command: CommandLine) -> None:
    assert from_command(bakthat_command, "sh", "-c", "seq 3; echo complaint >&2").code == 0
    bakthat_command("restore", "shop.sql", "-d", "local")
    assert (bakthat_command.here / "shop.sql").read_text() == "1\n2\n3\n"


def test_the_stderr_of_a_command_passes_through(bakthat_command: CommandLine) -> None:
    assert "complaint\n" in from_command(bakthat_command, "sh", "-c", "echo complaint >&2").err


def test_the_record_has_the_name_of_the_program_and_none_of_its_arguments(bakthat_command: CommandLine) -> None:
    from_command(bakthat_command, "/bin/echo", f"--password={SECRET}")
    (record,) = json.loads(bakthat_command("show", "--json").out)["backups"]
    assert (record["metadata"]["command"], record["metadata"]["source"]) == ("echo", "-")
    files = [path for path in bakthat_command.home.rglob("*") if path.is_file() and path.suffix != ".gz"]
    assert not any(SECRET.encode() in path.read_bytes() for path in files)


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        ("exit 7", "sh failed with exit status 7"),
        ("head -c 50000000 /dev/urandom; exit 7", "sh failed with exit status 7"),
        ("head -c 50000000 /dev/urandom; kill -9 $$", "sh was ended by SIGKILL"),
    ],
)
def test_a_command_that_fails_leaves_nothing_in_the_store(
    bakthat_command: CommandLine, script: str, reason: str
) -> None:
    said = from_command(bakthat_command, "sh", "-c", f"{script} # {SECRET}")
    assert (said.code, said.out) == (1, "")
    assert said.err == f"bakthat: {reason}; nothing was stored\n"
    assert left_in_the_store(bakthat_command) == []
    assert bakthat_command("show").out == ""


def test_a_command_sees_no_password_of_bakthat_and_keeps_what_it_needs_for_aws(bakthat_command: CommandLine) -> None:
    said = bakthat_command(
        *("backup", "--stdin-from-command", "--name", "env", "-d", "local", "--", "env"),
        BAKTHAT_PASSWORD="secret",
        AWS_SECRET_ACCESS_KEY="aws-secret",
    )
    assert said.code == 0
    bakthat_command("restore", "env", "-d", "local", BAKTHAT_PASSWORD="secret")
    variables = (bakthat_command.here / "env").read_text()
    assert "BAKTHAT_PASSWORD" not in variables
    assert "AWS_SECRET_ACCESS_KEY=aws-secret" in variables


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_the_command_too(bakthat_command: CommandLine, number: int, code: int) -> None:
    script = (
        "import os, time; open('pid.part', 'w').write(str(os.getpid())); os.rename('pid.part', 'pid'); time.sleep(1000)"
    )
    running = subprocess.Popen(
        bakthat_command.command(
            *("backup", "--stdin-from-command", "--name", "x", *PLAIN, "--", sys.executable, "-c", script)
        ),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=bakthat_command.env(),
        cwd=bakthat_command.here,
    )
    path = bakthat_command.here / "pid"
    while not path.exists() and running.poll() is None:
        time.sleep(0.005)
    running.send_signal(number)
    running.communicate(timeout=60)
    assert running.returncode == code
    with pytest.raises(ProcessLookupError):
        os.kill(int(path.read_text()), 0)
    assert left_in_the_store(bakthat_command) == []


# The library


def test_the_library_backs_up_a_file_object(bakthat: Bakthat, store: MemoryObjectStore) -> None:
    file = io.BytesIO(b"content")
    made = bakthat.backup_stream(file, name="x.bin", tags="daily")
    assert (made.filename, made.tags, made.source, file.closed) == ("x.bin", ("daily",), "-", False)
    with store.open(made.stored_filename) as reader:
        assert gzip.decompress(reader.read()) == b"content"


def test_the_library_backs_up_the_output_of_a_command(bakthat: Bakthat, tmp_path: Path) -> None:
    made = bakthat.backup_command(["printf", "%s", "content"], name="x", password="secret")
    assert (made.metadata.command, made.is_encrypted) == ("printf", True)
    bakthat.restore("x", target=tmp_path, password="secret")
    assert (tmp_path / "x").read_bytes() == b"content"


def test_the_library_raises_for_a_command_that_fails(bakthat: Bakthat, store: MemoryObjectStore) -> None:
    with pytest.raises(SourceError, match="false failed with exit status 1"):
        bakthat.backup_command(["false"], name="x")
    assert list(store.list()) == []
    assert bakthat.show() == []


def test_a_command_in_one_text_is_refused(bakthat: Bakthat) -> None:
    with pytest.raises(UsageError, match="a list of words"):
        bakthat.backup_command("pg_dump shop", name="x")


def test_a_wrong_name_is_refused_before_the_command_runs(bakthat: Bakthat, tmp_path: Path) -> None:
    with pytest.raises(InvalidName):
        bakthat.backup_command(["touch", str(tmp_path / "ran")], name="a/b")
    assert not (tmp_path / "ran").exists()


def test_nobody_is_asked_for_a_password_in_vain(bakthat: Bakthat) -> None:
    def ask() -> str:
        raise AssertionError

    with pytest.raises(InvalidName):
        bakthat.backup_stream(io.BytesIO(), name="a/b", ask=ask)


def test_the_events_and_the_functions_of_the_module_have_streams_too(tmp_path: Path) -> None:
    conf = {"default_destination": "local", "local_path": str(tmp_path / "store"), "database": str(tmp_path / "db")}
    events = library.Events()
    heard: list[str] = []
    events.on_backup += lambda session, made: heard.append(made.filename)
    library.backup_stream(io.BytesIO(b"content"), name="one", conf=conf, events=events)
    library.backup_command(["printf", "content"], name="two", conf=conf, events=events)
    assert heard == ["one", "two"]


def test_a_missing_program_is_reported_before_a_password_is_asked_for(bakthat_command: CommandLine) -> None:
    seen = on_terminal(
        bakthat_command, "backup", "-d", "local", "--name", "x", "--stdin-from-command", "--", "pg_dumpp", "shop"
    )
    assert seen.code == 2
    assert seen.text == "bakthat: pg_dumpp: no such program on the PATH; it is run without a shell\n"
