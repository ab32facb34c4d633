"""The page about keys is followed, block by block, with the real `age` and `ssh-keygen`."""

from __future__ import annotations

import os
import re
import shutil
import sys
from pathlib import Path

import pytest

from tests.fixtures.age_program import run_with_terminal
from tests.fixtures.ssh_keygen import make_ssh_key

PAGE = (Path(__file__).parents[2] / "docs" / "keys.md").read_text()
BLOCKS = re.findall(r"^```sh\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
PASSPHRASE = "open sesame"


@pytest.fixture
def here(tmp_path: Path) -> Path:
    """A directory with `photos`, in a home with an SSH key and a configuration."""
    home, here = tmp_path / "home", tmp_path / "here"
    (home / ".ssh").mkdir(parents=True)
    make_ssh_key(home / ".ssh" / "id_ed25519")
    (home / ".bakthat.yml").write_text("default:\n  default_destination: local\n")
    (here / "photos").mkdir(parents=True)
    (here / "photos" / "one.jpg").write_bytes(b"\xff\xd8\xff" * 1000)
    return here


def follow(block: str, here: Path) -> str:
    """Run a block in a shell that ends at the first failure. Gives what the terminal showed."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("BAKTHAT_", "AWS_"))}
    bin_directory = here.parent / "bin"
    if not bin_directory.exists():
        bin_directory.mkdir()
        program = bin_directory / "bakthat"
        program.write_text(f'#!/bin/sh\nexec {sys.executable} -m bakthat "$@"\n')
        program.chmod(0o755)
    kept |= {"HOME": str(here.parent / "home"), "PATH": f"{bin_directory}{os.pathsep}{kept['PATH']}"}
    kept |= {"PYTHONPATH": str(Path(__file__).parents[2]), "BAKTHAT_PAGER": "cat"}
    typed = [PASSPHRASE] * 3 if block.startswith("age -p") else []
    return run_with_terminal(["sh", "-eu", "-c", block], typed=typed, prompt=b"passphrase", cwd=here, env=kept)


def test_the_page_is_followed_from_its_first_block_to_its_last(here: Path) -> None:
    store = here.parent / "home" / ".bakthat" / "store"
    *blocks, by_age = BLOCKS
    shown = []
    for block in blocks:
        shown.append(follow(block, here))
    restored = sorted(path.name for path in here.glob("restored*"))
    assert restored == [
        "restored", "restored-passphrase", "restored-pq", "restored-ssh", "restored-team",
    ]  # fmt: skip
    for name in restored:
        assert (here / name / "photos" / "one.jpg").read_bytes() == (here / "photos" / "one.jpg").read_bytes()
    on_paper = shown[-2].split()
    assert [len(line) for line in on_paper] == [74, 77]
    words = " ".join(shown[-1].split())  # the table is as wide as the terminal
    assert "encrypted to age1pq1" in words
    assert "encrypted to ssh-ed25519 SHA256:" in words

    of_key, _, of_ssh, _ = sorted(store.glob("photos.*.enc"))
    for name, source in zip(re.findall(r"photos\.\d{14}\.tgz\.enc", by_age), (of_key, of_ssh), strict=True):
        shutil.copy(source, here / name)
    follow(by_age, here)
    assert (here / "photos.tgz").read_bytes() == (here / "photos-ssh.tgz").read_bytes()


def test_every_message_of_the_table_is_one_that_bakthat_has() -> None:
    source = "".join(path.read_text() for path in (Path(__file__).parents[2] / "bakthat").rglob("*.py"))
    source = re.sub(r'"\s+f?"', "", source).replace("`", "")
    told = re.findall(r"^\| `(.*?)` \|", PAGE[PAGE.index("## When it says") :], re.MULTILINE)
    assert len(told) == 6
    for message in told:
        for part in filter(None, re.split(r"…|age1", message)):
            assert part.strip(" ;") in source, part
