"""The password, the private key and the plain bytes are nowhere but where they belong."""

from __future__ import annotations

import gzip
import io
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from bakthat import Bakthat, KeyValue, Profile, open_profile
from bakthat.adapters.memory.metadata_repo import MemoryRepo
from bakthat.adapters.memory.object_store import MemoryObjectStore
from bakthat.errors import BakthatError
from bakthat.ports.object_store import ObjectStore
from bakthat.testing.faulty import Fault, FaultyObjectStore
from tests.fixtures.beefish_2013 import encrypt
from tests.fixtures.command_line import CommandLine
from tests.fixtures.held_secrets import held_by
from tests.fixtures.quick_cipher import quick_cipher

PASSWORD = "correct-horse-battery-staple"
PLAIN = "the-plain-words-of-the-file"


@pytest.fixture
def diary(bakthat_command: CommandLine) -> Path:
    root = bakthat_command.here / "diary"
    root.mkdir()
    for number in range(2000):
        (root / f"{number}").write_text(f"{PLAIN} {number}\n" * 50)
    return root


def everything_below(*roots: Path) -> bytes:
    files = [path for root in roots for path in root.rglob("*") if path.is_file()]
    return b"".join(path.read_bytes() + str(path).encode() for path in files)


def run_watched(command: CommandLine, *arguments: str, **environment: str) -> tuple[str, set[bytes]]:
    """All that was printed, and every command line in the process list meanwhile."""
    running = subprocess.Popen(
        command.command(*arguments),
        env={**command.env(), **environment},
        cwd=command.here,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    seen: set[bytes] = set()
    while running.poll() is None:
        for entry in os.listdir("/proc"):
            if entry.isdigit():
                try:
                    seen.add(Path(f"/proc/{entry}/cmdline").read_bytes())
                except OSError:
                    continue
    printed, _ = running.communicate()
    assert running.returncode == 0, printed
    return printed, seen


def test_a_password_shows_nowhere(bakthat_command: CommandLine, diary: Path, tmp_path: Path) -> None:
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    bakthat_command.environment = {"TMPDIR": str(temporary), "BAKTHAT_PASSWORD": PASSWORD}
    said, seen = run_watched(bakthat_command, "backup", "diary", "-d", "local", "-v", "--json")
    again, seen_again = run_watched(bakthat_command, "restore", "diary", "-d", "local", "-v", "--target", "out")
    stored = everything_below(bakthat_command.home, temporary)
    assert PASSWORD not in said + again
    assert PASSWORD.encode() not in stored
    assert PASSWORD.encode() not in b"".join(seen | seen_again)


def test_plain_bytes_are_nowhere_but_in_the_source(bakthat_command: CommandLine, diary: Path, tmp_path: Path) -> None:
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    bakthat_command.environment = {"TMPDIR": str(temporary), "BAKTHAT_PASSWORD": PASSWORD}
    said, _ = run_watched(bakthat_command, "backup", "diary", "-d", "local", "-v")
    assert PLAIN not in said
    assert PLAIN.encode() not in everything_below(bakthat_command.home, temporary)


def test_a_password_command_keeps_what_it_prints_to_itself(bakthat_command: CommandLine, diary: Path) -> None:
    secret = bakthat_command.here / "secret"
    secret.write_text(PASSWORD + "\n")
    bakthat_command.configure({"default": {"password_command": ["cat", str(secret)]}})
    said, seen = run_watched(bakthat_command, "backup", "diary", "-d", "local", "-v")
    assert said.splitlines()[0].endswith(".tgz.enc") or ".tgz.enc" in said
    assert PASSWORD not in said
    assert PASSWORD.encode() not in b"".join(seen)
    assert PASSWORD.encode() not in everything_below(bakthat_command.home)


def test_a_private_key_stays_in_its_file(bakthat_command: CommandLine, diary: Path) -> None:
    recipient = bakthat_command("keygen", "-o", "key").out.strip()
    identity = (bakthat_command.here / "key").read_text().splitlines()[-1]
    said, seen = run_watched(bakthat_command, "backup", "diary", "-d", "local", "-v", "-r", recipient)
    again, seen_again = run_watched(
        bakthat_command, "restore", "diary", "-d", "local", "-v", "-i", "key", "--target", "out"
    )
    assert identity not in said + again
    assert identity.encode() not in b"".join(seen | seen_again)
    assert identity.encode() not in everything_below(bakthat_command.home)


def test_access_keys_show_in_no_error(bakthat_command: CommandLine, diary: Path, moto_url: str) -> None:
    bakthat_command.configure(
        {
            "default": {
                "access_key": "AKIAVISIBLEACCESSKEY",
                "secret_key": "the/secret/of/the/access/key",
                "s3_bucket": "no-such-bucket-here",
                "endpoint_url": moto_url,
            }
        }
    )
    said = bakthat_command("backup", "diary", "--prompt", "no", "-v")
    assert said.code == 4
    assert "the/secret" not in said.out + said.err


def test_a_profile_shows_no_secret() -> None:
    code = "from bakthat.domain.profile import Profile; print(repr(Profile(access_key='AK', secret_key='SK')))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "SK" not in done.stdout


# what stays behind an exception


def failing(method: str) -> Callable[[MemoryObjectStore], ObjectStore]:
    return lambda store: FaultyObjectStore(store, Fault(method=method))


def damaged(store: MemoryObjectStore) -> ObjectStore:
    for info in list(store.list()):
        if info.key.endswith(".enc"):
            with store.open(info.key) as reader:
                content = reader.read()
            store.put(info.key, io.BytesIO(content[:-20] + bytes(20)), replace=True)
    return store


def of_2013(store: MemoryObjectStore) -> ObjectStore:
    for info in list(store.list()):
        if info.key.endswith(".enc"):
            store.put(info.key, io.BytesIO(encrypt(gzip.compress(b"no tar" * 99), PASSWORD.encode())), replace=True)
    return store


@pytest.mark.parametrize(
    ("change", "call"),
    [
        (failing("put"), lambda bakthat, tree: bakthat.backup(tree, password=PASSWORD)),
        (failing("open"), lambda bakthat, tree: bakthat.restore("diary", password=PASSWORD)),
        (damaged, lambda bakthat, tree: bakthat.restore("diary", password=PASSWORD)),
        (of_2013, lambda bakthat, tree: bakthat.restore("diary", password=PASSWORD)),
        (lambda store: store, lambda bakthat, tree: bakthat.restore("diary", password=f"{PASSWORD}x")),
        (lambda store: store, lambda bakthat, tree: bakthat.restore("diary", password=f"{PASSWORD}\ud800")),
        (lambda store: store, lambda bakthat, tree: bakthat.backup(tree, password=PASSWORD, recipients=["age1x"])),
        (lambda store: store, lambda bakthat, tree: bakthat.backup(tree / "none", password=PASSWORD)),
        (failing("put"), lambda bakthat, tree: KeyValue(bakthat=bakthat).set_key("k", 1, password=PASSWORD)),
        (lambda store: store, lambda bakthat, tree: KeyValue(bakthat=bakthat).set_key("k", {1j}, password=PASSWORD)),
    ],
)
def test_no_exception_holds_the_password(
    tmp_path: Path,
    change: Callable[[MemoryObjectStore], ObjectStore],
    call: Callable[[Bakthat, Path], object],
) -> None:
    tree = tmp_path / "diary"
    tree.mkdir()
    (tree / "page").write_text(PLAIN)
    store, repo = MemoryObjectStore("memory://s3"), MemoryRepo()
    profile = Profile(secret_key=PASSWORD, access_key="AKIA")
    cipher = quick_cipher()
    open_profile(profile, store=store, repo=repo, cipher=cipher, environment={}).backup(tree, password=PASSWORD)
    environment = {"BAKTHAT_PASSWORD": PASSWORD}
    bakthat = open_profile(profile, store=change(store), repo=repo, cipher=cipher, environment=environment)
    with pytest.raises(BakthatError) as caught:
        call(bakthat, tree)
    assert PASSWORD not in held_by(caught.value)
