"""The page on excludes: what its transcript shows is what comes out."""

from __future__ import annotations

import re
import shlex
import subprocess
from pathlib import Path

from tests.fixtures.command_line import CommandLine

PAGE = (Path(__file__).parents[2] / "docs" / "excludes.md").read_text()


def blocks(kind: str) -> list[str]:
    return re.findall(rf"^```{kind}\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)


def test_the_transcript_is_what_comes_out(bakthat_command: CommandLine) -> None:
    proj = bakthat_command.here / "proj"
    (proj / ".git").mkdir(parents=True)
    for name, text in ((".gitignore", "*.o\n"), ("main.c", "int main;\n"), ("main.o", "o"), ("notes.txt", "x" * 19)):
        (proj / name).write_text(text)
    [transcript] = blocks("console")
    for step in re.split(r"^\$ ", transcript, flags=re.MULTILINE)[1:]:
        command, _, expected = step.partition("\n")
        program, *arguments = shlex.split(command)
        if program == "bakthat":
            done = bakthat_command(*arguments)
            assert done.out + done.err == expected
        else:
            said = subprocess.run([program, *arguments], cwd=bakthat_command.here, capture_output=True, text=True)
            assert said.stdout == expected


def test_the_list_for_spreadsheets_keeps_spreadsheets_alone(bakthat_command: CommandLine) -> None:
    source = bakthat_command.here / "office"
    (source / "a" / "b").mkdir(parents=True)
    for name in ("top.xlsx", "top.txt", "a/b/deep.xlsx", "a/x.doc"):
        (source / name).touch()
    [patterns] = blocks("gitignore")
    (source / ".bakthatexclude").write_text(patterns)
    done = bakthat_command("backup", "office", "-d", "local", "--prompt", "no", "--dry-run", "-v")
    left_out = re.findall(r"^left out: (\S+)", done.err, re.MULTILINE)
    assert sorted(left_out) == ["office/.bakthatexclude", "office/a/x.doc", "office/top.txt"]
