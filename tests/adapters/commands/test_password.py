"""The password that a command prints: its first line, or an error that shows nothing of it."""

from __future__ import annotations

import os
import subprocess
import sys
import time

import pytest

from bakthat.adapters.commands.password import run_password_command
from bakthat.errors import ConfigError
from tests.fixtures.held_secrets import held_by


def python(code: str) -> list[str]:
    """A command that runs this."""
    return [sys.executable, "-c", code]


@pytest.mark.parametrize(
    ("printed", "password"),
    [
        ("s3cret\\n", "s3cret"),
        ("s3cret", "s3cret"),
        ("s3cret\\r\\n", "s3cret"),
        ("s3cret\\nuser: me\\nurl: x\\n", "s3cret"),
        ("  two words \\n", "  two words "),
        ("pässword\\n", "pässword"),
        ("\\357\\273\\277s3cret\\r\\n", "s3cret"),
    ],
)
def test_the_password_is_the_first_line_as_it_stands(printed, password):
    assert run_password_command(["printf", printed]) == password


def test_text_is_split_into_words_and_no_shell_runs(tmp_path):
    assert run_password_command("echo 'two  words' $HOME ; | > ~ `id`") == "two  words $HOME ; | > ~ `id`"


def test_a_shell_may_be_asked_for():
    assert run_password_command("sh -c 'echo one; echo two >&2 2>/dev/null' ") == "one"


@pytest.mark.parametrize(
    ("command", "reason"),
    [
        ("", "is empty"),
        ("   ", "is empty"),
        ([], "is empty"),
        ([""], "is empty"),
        ("echo 'S3CRET", "quotation mark in it is not closed"),
        ("S3CRET", "no such program on the PATH"),
        ("/nowhere/S3CRET --x", "cannot be run: no such file"),
        ("/etc/passwd", "cannot be run: Permission denied"),
        (["echo", "S3CRET\0"], "cannot be run: it contains a NUL byte"),
        (["sh", "-c", "echo S3CRET; exit 3"], "ended with exit code 3"),
        (["sh", "-c", "echo S3CRET; kill -9 $$"], "ended by signal 9"),
        (["true"], "printed no password"),
        (["printf", "\\nS3CRET\\n"], "first line is empty"),
        (["printf", "S3CRET\\377\\n"], "not UTF-8"),
        (["printf", "\\357\\273\\277\\n"], "first line is empty"),
        (["printf", "S3C\\000RET\\n"], "printed a NUL, which no password can contain; is its output UTF-16"),
        (["printf", "S\\0003\\000C\\000\\n\\000"], "printed a NUL"),
        (["\ud800S3CRET"], "not a program|cannot be run"),
        (["sh", "-c", "yes S3CRET"], "printed more than"),
    ],
)
def test_a_command_that_gives_no_password_says_why_in_one_line_without_a_word_of_it(command, reason):
    with pytest.raises(ConfigError, match=reason) as refusal:
        run_password_command(command)
    error = refusal.value
    assert "\n" not in str(error)
    assert "S3CRET" not in held_by(error)


@pytest.mark.parametrize("code", ["import time; time.sleep(60)", "import os, time; os.close(1); time.sleep(60)",
                                  "import time; print('S3CRET', flush=True); time.sleep(60)"])  # fmt: skip
def test_a_command_that_hangs_is_ended(code):
    before = time.monotonic()
    with pytest.raises(ConfigError, match=r"not finished after 0.5 s") as refusal:
        run_password_command(python(code), time_limit=0.5)
    assert time.monotonic() - before < 30
    assert "S3CRET" not in held_by(refusal.value)


def test_a_hanging_commands_own_children_do_not_keep_us_waiting():
    before = time.monotonic()
    with pytest.raises(ConfigError, match="not finished after"):
        run_password_command(["sh", "-c", "sleep 60 & echo S3CRET"], time_limit=0.5)
    assert time.monotonic() - before < 30


def test_its_complaints_go_to_our_stderr_and_its_input_is_empty():
    ours = (
        "from bakthat.adapters.commands.password import run_password_command as run; "
        "print(run(['sh', '-c', 'echo gpg: no such key >&2; echo got=$(cat)']))"
    )
    done = subprocess.run(
        python(ours), input=b"the input of somebody's loop", capture_output=True, check=True, timeout=300
    )
    assert done.stderr == b"gpg: no such key\n"
    assert done.stdout == b"got=\n"


def test_no_pipe_or_process_is_left_behind():
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(3):
        run_password_command("echo x")
        with pytest.raises(ConfigError):
            run_password_command("false")
    assert len(os.listdir("/proc/self/fd")) == before
