"""Power cuts on a real mount: a file system in user space that forgets what was not synced.

    python -m tests.campaigns.forgetful_disk --rounds 200 --seed 1

needs `pip install mfusepy`, libfuse 3, `/dev/fuse` and a user who may mount. Each round runs one command on such a
mount, cuts the power at a random call that changes or syncs something, forgets, mounts what is left and looks at it.
The first failure ends the campaign with exit code 1; a traceback of a command that met the failing disk does so at its
end. `--seed` and `--only ROUND` make the same choices again, though the number of calls may differ a little.
`--without fsync` or `--without syncfs` takes the call out of the command, to show that the campaign finds that out.

What is on the disk: the bytes of a file after `fsync` or `fdatasync` of the file, the names in a directory after
`fsync` of the directory, everything after `syncfs`. Modes are on the disk at once; other attributes are forgotten. A
cut leaves what was synced, and of the rest nothing, everything, the changes of names up to one of them (as a journal
does), or any of them; of the bytes that were not synced the old, the new, or some blocks of each.

FUSE does not tell a file system in user space of `syncfs`: Linux answers it alone, with success. So the command is run
with a `sync_file_system` that makes the true call, and then reads an extended attribute that only means "syncfs".
There is no O_TMPFILE either: files are written under a temporary name. In half of the rounds the mount has direct I/O,
which forbids shared memory maps, so that SQLite has a rollback journal; else it has a log (WAL).

`tests/fixtures/power_cut.py` is the other model of a disk, which the test command uses.
"""

from __future__ import annotations

import argparse
import errno
import multiprocessing
import os
import pickle
import random
import select
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import mfusepy
import yaml
from attrs import define, field

from bakthat.entrypoints.api import open_profile
from tests.entrypoints.test_power_cuts import (
    NEW,
    OLD,
    Machine,
    back_up,
    change_photos,
    check_rows_and_archives,
    contents,
    folder_answers,
    new_machine,
    photos,
)
from tests.fixtures.power_cut import read_tree

BLOCK = 512
SYNCFS = "user.forgetful.syncfs"
NOREPLACE, EXCHANGE = 1, 2

TELL_OF_SYNCFS = f"""
import os
from bakthat.adapters.filesystem import linux, staging
def told(fd, really=linux.sync_file_system):
    really(fd)
    os.getxattr(fd, {SYNCFS!r})
staging.sync_file_system = told
"""
WITHOUT = {
    "": "",
    "fsync": "import os; os.fsync = lambda fd: None\n",
    "syncfs": "staging.sync_file_system = lambda fd: None\n",
}


# What is in memory and what is on the disk


@define(eq=False)
class Node:
    """A file (`data`), a directory (`names`) or a symbolic link (`target`); as programs see it, and on the disk."""

    number: int
    mode: int
    data: bytearray = field(factory=bytearray)
    disk: bytes = b""
    names: dict[str, Node] = field(factory=dict)
    names_on_disk: dict[str, Node] = field(factory=dict)
    pending: list[Change] = field(factory=list)
    """Changes of the names that are not on the disk."""
    target: str = ""
    changed: int = field(factory=time.time_ns)

    @property
    def is_directory(self) -> bool:
        return stat.S_ISDIR(self.mode)

    def sync(self) -> None:
        self.disk = bytes(self.data)
        self.names_on_disk = dict(self.names)
        self.pending.clear()


@define(eq=False)
class Change:
    """New meanings of names, which come together: (directory, name, node or None for removed)."""

    number: int
    names: tuple[tuple[Node, str, Node | None], ...]


@define(eq=False)
class Disk:
    root: Node = field(factory=lambda: Node(1, stat.S_IFDIR | 0o755))
    numbers: int = 1
    changes: int = 0

    def make(self, mode: int) -> Node:
        self.numbers += 1
        return Node(self.numbers, mode)

    def change(self, *names: tuple[Node, str, Node | None]) -> None:
        self.changes += 1
        change = Change(self.changes, names)
        for directory, name, node in names:
            if node is None:
                directory.names.pop(name)
            else:
                directory.names[name] = node
            directory.changed = time.time_ns()
            if change not in directory.pending:
                directory.pending.append(change)

    def nodes(self) -> list[Node]:
        """All that has a name, in memory or on the disk."""
        seen: dict[int, Node] = {}
        to_do = [self.root]
        while to_do:
            node = to_do.pop()
            if id(node) not in seen:
                seen[id(node)] = node
                to_do += [*node.names.values(), *node.names_on_disk.values()]
        return list(seen.values())

    def sync(self) -> None:
        for node in self.nodes():
            node.sync()

    def cut(self, kind: str, chance: random.Random) -> None:
        """Forget what a cut takes; all that is left is on the disk."""
        nodes = self.nodes()
        pending = sorted({id(c): c for node in nodes for c in node.pending}.values(), key=lambda c: c.number)
        if kind == "everything":
            kept = pending
        elif kind == "journal":
            kept = pending[: chance.randint(0, len(pending))]
        elif kind == "any":
            kept = [change for change in pending if chance.random() < 0.5]
        else:
            kept = []
        for change in kept:
            for directory, name, node in change.names:
                if change not in directory.pending:
                    continue  # on the disk
                if node is None:
                    directory.names_on_disk.pop(name, None)
                else:
                    directory.names_on_disk[name] = node
        for node in nodes:
            node.data = bytearray(_some_blocks(node, kind, chance))
            node.names = dict(node.names_on_disk)
        self.sync()


def _some_blocks(node: Node, kind: str, chance: random.Random) -> bytes:
    choice = {"nothing": "old", "everything": "new"}.get(kind) or chance.choice(["old", "new", "some"])
    old, new = node.disk, bytes(node.data)
    if choice != "some" or old == new:
        return new if choice == "new" else old
    size = chance.choice([len(old), len(new)])
    found = b"".join(
        chance.choice([old, new])[at : at + BLOCK].ljust(BLOCK, b"\0") for at in range(0, size, BLOCK)
    )  # fmt: skip
    return found[:size]


# The file system


@define(eq=False)
class Forgetful(mfusepy.Operations):
    disk: Disk
    cut_at: int = 0
    """The call, of those that change or sync something, from which on everything fails; 0 for none."""
    on_cut: Callable[[], None] = lambda: None
    calls: int = 0
    in_use: dict[int, Node] = field(factory=dict)
    handles: int = 0
    use_ns = True
    flag_nopath = flag_nullpath_ok = True

    @property
    def is_cut(self) -> bool:
        return 0 < self.cut_at <= self.calls

    def step(self) -> None:
        """Before a call that changes or syncs something."""
        if not self.is_cut:
            self.calls += 1
            if self.is_cut:
                self.on_cut()
        self.look()

    def look(self) -> None:
        if self.is_cut:
            raise mfusepy.FuseOSError(errno.EIO)

    # Where

    def node(self, path: str | None, fh: int | None = None) -> Node:
        self.look()
        if fh:
            return self.in_use[fh]
        assert path is not None
        here = self.disk.root
        for part in path.split("/"):
            if part:
                if part not in here.names:
                    raise mfusepy.FuseOSError(errno.ENOENT if here.is_directory else errno.ENOTDIR)
                here = here.names[part]
        return here

    def place(self, path: str) -> tuple[Node, str]:
        folder, _, name = path.rpartition("/")
        return self.node(folder), name

    def opened(self, node: Node) -> int:
        self.handles += 1
        self.in_use[self.handles] = node
        return self.handles

    # Looks

    def getattr(self, path: str | None, fh: int | None = None) -> dict[str, Any]:
        node = self.node(path, fh)
        links = sum(node in each.names.values() for each in self.disk.nodes() if each.is_directory)
        return {
            "st_mode": node.mode, "st_ino": node.number, "st_nlink": 2 if node.is_directory else links,
            "st_size": len(node.target or node.data), "st_mtime": node.changed, "st_ctime": node.changed,
            "st_atime": node.changed, "st_uid": os.getuid(), "st_gid": os.getgid(),
            "st_blocks": len(node.data) // 512 + 1,
        }  # fmt: skip

    def readdir(self, path: str | None, fh: int) -> list[Any]:
        names = [
            (name, {"st_mode": node.mode, "st_ino": node.number}, 0) for name, node in self.node(path, fh).names.items()
        ]
        return [".", "..", *names]

    def readlink(self, path: str) -> str:
        return self.node(path).target

    def statfs(self, path: str) -> dict[str, int]:
        self.look()
        return {
            "f_bsize": 4096,
            "f_frsize": 4096,
            "f_blocks": 1 << 20,
            "f_bfree": 1 << 20,
            "f_bavail": 1 << 20,
            "f_namemax": 255,
        }

    def opendir(self, path: str) -> int:
        return self.opened(self.node(path))

    def open(self, path: str, flags: int) -> int:
        return self.opened(self.node(path))

    def read(self, path: str | None, size: int, offset: int, fh: int) -> bytes:
        return bytes(self.node(path, fh).data[offset : offset + size])

    def listxattr(self, path: str) -> list[str]:
        self.look()
        return []

    def getxattr(self, path: str, name: str, position: int = 0) -> bytes:
        if name == SYNCFS:
            self.step()
            self.disk.sync()
            return b""
        self.look()
        raise mfusepy.FuseOSError(errno.ENODATA)

    # Changes

    def create(self, path: str, mode: int) -> int:
        return self.opened(self.made(path, stat.S_IFREG | stat.S_IMODE(mode)))

    def made(self, path: str, mode: int) -> Node:
        self.step()
        folder, name = self.place(path)
        if name in folder.names:
            raise mfusepy.FuseOSError(errno.EEXIST)
        node = self.disk.make(mode)
        self.disk.change((folder, name, node))
        return node

    def mknod(self, path: str, mode: int, dev: int) -> int:
        self.made(path, mode)
        return 0

    def mkdir(self, path: str, mode: int) -> int:
        self.made(path, stat.S_IFDIR | stat.S_IMODE(mode))
        return 0

    def symlink(self, target: str, source: str) -> int:
        self.made(target, stat.S_IFLNK | 0o777).target = source
        return 0

    def link(self, target: str, source: str) -> int:
        self.step()
        folder, name = self.place(target)
        if name in folder.names:
            raise mfusepy.FuseOSError(errno.EEXIST)
        self.disk.change((folder, name, self.node(source)))
        return 0

    def unlink(self, path: str) -> int:
        self.step()
        self.node(path)
        self.disk.change((*self.place(path), None))
        return 0

    def rmdir(self, path: str) -> int:
        self.step()
        if self.node(path).names:
            raise mfusepy.FuseOSError(errno.ENOTEMPTY)
        self.disk.change((*self.place(path), None))
        return 0

    def rename(self, old: str, new: str, flags: int = 0) -> int:
        self.step()
        moved, (from_folder, from_name), (to_folder, to_name) = self.node(old), self.place(old), self.place(new)
        there = to_folder.names.get(to_name)
        if flags == EXCHANGE:
            if there is None:
                raise mfusepy.FuseOSError(errno.ENOENT)
            self.disk.change((from_folder, from_name, there), (to_folder, to_name, moved))
            return 0
        if flags not in (0, NOREPLACE):
            raise mfusepy.FuseOSError(errno.EINVAL)
        if there is not None and (flags == NOREPLACE or there.names):
            raise mfusepy.FuseOSError(errno.EEXIST if flags == NOREPLACE else errno.ENOTEMPTY)
        if there is not moved:
            self.disk.change((from_folder, from_name, None), (to_folder, to_name, moved))
        return 0

    def chmod(self, path: str, mode: int) -> int:
        self.step()
        node = self.node(path)
        node.mode = stat.S_IFMT(node.mode) | stat.S_IMODE(mode)
        return 0

    def chown(self, path: str, uid: int, gid: int) -> int:
        self.step()
        return 0

    def utimens(self, path: str, times: tuple[int, int] | None = None) -> int:
        self.step()
        self.node(path).changed = times[1] if times else time.time_ns()
        return 0

    def truncate(self, path: str | None, length: int, fh: int | None = None) -> int:
        self.step()
        node = self.node(path, fh)
        del node.data[length:]
        node.data.extend(bytes(length - len(node.data)))
        node.changed = time.time_ns()
        return 0

    def write(self, path: str | None, data: bytes, offset: int, fh: int) -> int:
        self.step()
        node = self.node(path, fh)
        node.data.extend(bytes(max(0, offset - len(node.data))))
        node.data[offset : offset + len(data)] = data
        node.changed = time.time_ns()
        return len(data)

    # Syncs

    def fsync(self, path: str | None, datasync: int, fh: int) -> int:
        self.step()
        self.node(path, fh).sync()
        return 0

    fsyncdir = fsync

    def flush(self, path: str | None, fh: int) -> int:
        self.look()
        return 0

    def release(self, path: str | None, fh: int) -> int:
        self.in_use.pop(fh, None)
        return 0

    releasedir = release


class Mount(mfusepy.FUSE):
    """mfusepy's, which drops the flags of a rename."""

    def rename_fuse_3(self, old: bytes, new: bytes, flags: int) -> int:
        return self.operations.rename(os.fsdecode(old), os.fsdecode(new), flags)

    def truncate_fuse_3(self, path: bytes | None, length: int, fip: Any) -> int:
        return self.ftruncate(path, length, fip)


def _serve(operations: Forgetful, folder: Path, direct: bool, cut: Any, result: Path) -> None:
    os.setpgid(0, 0)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    operations.on_cut = lambda: os.write(cut, b"!") and None
    Mount(
        operations, str(folder), foreground=True, nothreads=True, fsname="forgetful", encoding="utf-8", use_ino=True,
        hard_remove=True, attr_timeout=0, entry_timeout=0, negative_timeout=0, direct_io=direct,
    )  # fmt: skip
    result.write_bytes(pickle.dumps((operations.disk, operations.calls)))


@define
class Mounted:
    """What a mount tells: `is_cut()` while it is mounted, `disk` and `calls` afterwards."""

    cut: int
    disk: Disk = field(factory=Disk)
    calls: int = 0

    def is_cut(self, seconds: float) -> bool:
        return bool(select.select([self.cut], [], [], seconds)[0])


@contextmanager
def mounted(disk: Disk, folder: Path, *, direct: bool, cut_at: int = 0) -> Iterator[Mounted]:
    read, write = os.pipe()
    result = folder.parent / "result"
    result.unlink(missing_ok=True)
    server = multiprocessing.get_context("fork").Process(
        target=_serve, args=(Forgetful(disk, cut_at), folder, direct, write, result)
    )
    server.start()
    made = Mounted(read)
    try:
        until = time.monotonic() + 10
        while not os.path.ismount(folder):
            assert server.is_alive(), "cannot mount: FUSE gave up"
            assert time.monotonic() < until, "cannot mount in 10 seconds"
            time.sleep(0.01)
        yield made
    finally:
        subprocess.run(["fusermount3", "-u", "-z", str(folder)], check=False, capture_output=True)
        server.join(10)
        if server.is_alive():
            server.kill()
        os.close(read)
        os.close(write)
    made.disk, made.calls = pickle.loads(result.read_bytes())


# The commands and their laws


@define
class Verb:
    prepare: Callable[[Machine], Any]
    """Before the cut, all on the disk. What it gives is handed to the other two."""
    arguments: Callable[[Any], list[str]]
    told: str
    check: Callable[[Machine, Any, bool], None]
    answers: Callable[[Machine], str] = lambda machine: ""


def _prepare_backup(machine: Machine) -> str:
    first = back_up(machine)
    change_photos(machine)
    return first.stored_filename


def _check_backup(machine: Machine, first: str, told: bool) -> None:
    check_rows_and_archives(machine, [OLD, NEW])
    rows = [row.stored_filename for row in machine.rows()]
    assert first in rows, "the first backup is lost"
    assert len(rows) == 2 or not told, "told, and lost"


def _prepare_delete(machine: Machine) -> tuple[str, str]:
    kept = back_up(machine)
    change_photos(machine)
    return kept.stored_filename, back_up(machine).stored_filename


def _check_delete(machine: Machine, names: tuple[str, str], told: bool) -> None:
    kept, doomed = names
    archives, rows = machine.archives(), {row.stored_filename for row in machine.rows()}
    assert photos(archives[kept]) == OLD
    assert kept in rows
    assert doomed not in archives or photos(archives[doomed]) == NEW
    if told:
        assert doomed not in archives, "told, and still there"
        assert doomed not in rows, "told, and the row is there"
    elif doomed in rows and doomed not in archives:
        # The documented exception: deleting again finishes it.
        open_profile(config=machine.config).delete(doomed)
        assert {row.stored_filename for row in machine.rows()} == {kept}
    check_rows_and_archives(machine, [OLD, NEW])


def _prepare_restore(machine: Machine) -> tuple[Any, Any]:
    back_up(machine)
    in_archive = contents(read_tree(machine.folder / "photos"))
    change_photos(machine)
    (machine.folder / "other").write_text("not in the backup")
    return in_archive, contents(read_tree(machine.folder / "photos"))


def _check_restore(machine: Machine, trees: tuple[Any, Any], told: bool) -> None:
    in_archive, in_target = trees
    there = contents(read_tree(machine.folder / "photos"))
    assert there == in_archive or (there == in_target and not told), f"neither old nor new: {there}"
    assert (machine.folder / "other").read_text() == "not in the backup"
    check_rows_and_archives(machine, [OLD])
    open_profile(config=machine.config).restore("photos", target=machine.folder, overwrite=True)
    assert contents(read_tree(machine.folder / "photos")) == in_archive
    assert not list(machine.folder.glob(".bakthat-restore-*")), "what the cut left is not swept"


def _prepare_configure(machine: Machine) -> Any:
    back_up(machine)
    return yaml.safe_load(machine.config.read_text())


def _check_configure(machine: Machine, old: Any, told: bool) -> None:
    there = yaml.safe_load(machine.config.read_text())
    new = {"default": {**old["default"], "local_path": str(machine.folder / "elsewhere")}}
    assert there == new or (there == old and not told), f"neither old nor new: {there}"
    assert stat.S_IMODE(machine.config.stat().st_mode) == 0o600
    check_rows_and_archives(machine, [OLD])


VERBS = {
    "backup": Verb(
        _prepare_backup, lambda _: ["backup", "photos", "-d", "local", "--prompt", "no"], "photos.20", _check_backup
    ),
    "delete": Verb(_prepare_delete, lambda names: ["delete", names[1]], "Deleted", _check_delete),
    "restore": Verb(
        _prepare_restore, lambda _: ["restore", "photos", "--target", ".", "--overwrite"], "Restored", _check_restore
    ),
    "configure": Verb(
        _prepare_configure, lambda _: ["configure"], "Saved", _check_configure,
        answers=lambda machine: folder_answers(machine.folder / "elsewhere"),
    ),
}  # fmt: skip


def check_after(machine: Machine) -> None:
    """The next backup works, and `verify --all` says good."""
    bakthat = open_profile(config=machine.config)
    made = bakthat.backup(machine.folder / "photos")
    verified = {each.backup.stored_filename: each.error for each in bakthat.verify()}
    assert made.stored_filename in verified
    assert not any(verified.values()), f"verify: {verified}"


# Rounds


@define
class Campaign:
    folder: Path
    without: str = ""
    tracebacks: dict[str, str] = field(factory=dict)
    """Of commands that met a disk that fails, by the last line."""
    prepared: dict[tuple[str, bool], tuple[bytes, Any, int]] = field(factory=dict)
    """By command and kind of mount: the disk before the command, what was prepared, and how many calls it makes."""

    @property
    def mount(self) -> Path:
        return self.folder / "mount"

    @property
    def machine(self) -> Machine:
        environment = {**os.environ, "HOME": str(self.mount), "PYTHONPATH": str(Path(__file__).parents[2])}
        return Machine(self.mount, self.folder / "calls", environment)

    def child(self, verb: Verb, prepared: Any) -> subprocess.Popen[str]:
        code = TELL_OF_SYNCFS + WITHOUT[self.without] + "from bakthat.entrypoints.cli import main\nmain()"
        command = [sys.executable, "-c", code, *verb.arguments(prepared), "-c", "bakthat.yml"]
        (self.folder / "answers").write_text(verb.answers(self.machine))
        with (self.folder / "answers").open() as answers, (self.folder / "output").open("w") as output:
            return subprocess.Popen(
                command, cwd=self.mount, env=self.machine.environment, stdin=answers, stdout=output,
                stderr=subprocess.STDOUT, text=True,
            )  # fmt: skip

    def start(self, name: str, direct: bool) -> tuple[Disk, Any, int]:
        """The disk before the command, with a first good backup."""
        verb = VERBS[name]
        if (name, direct) not in self.prepared:
            with mounted(Disk(), self.mount, direct=direct) as before:
                new_machine(self.mount, self.folder / "calls")
                given = verb.prepare(self.machine)
            before.disk.sync()
            kept = pickle.dumps(before.disk)
            with mounted(before.disk, self.mount, direct=direct):
                assert self.child(verb, given).wait(60) == 0, self.output()
                assert self.was_told(verb), self.output()
                verb.check(self.machine, given, True)
                check_after(self.machine)
            # Once more, to count the calls of the command alone
            with mounted(pickle.loads(kept), self.mount, direct=direct) as whole:
                assert self.child(verb, given).wait(60) == 0, self.output()
            self.prepared[name, direct] = kept, given, whole.calls
        kept, given, calls = self.prepared[name, direct]
        return pickle.loads(kept), given, calls

    def output(self) -> str:
        output = self.folder / "output"
        return output.read_text() if output.exists() else ""

    def was_told(self, verb: Verb) -> bool:
        """Whether success was reported; an error's line begins with the program's name."""
        return any(verb.told in line for line in self.output().splitlines() if not line.startswith("bakthat:"))

    def run(self, number: int, seed: int) -> None:
        chance = random.Random(f"{seed} {number}")
        name = chance.choice(list(VERBS))
        direct = chance.random() < 0.5
        kind = chance.choice(["nothing", "everything", "journal", "any"])
        kill_at_once = chance.random() < 0.5
        disk, given, calls = self.start(name, direct)
        # Often just after the end: what was reported must be on the disk
        cut_at = calls + 10 if chance.random() < 0.2 else chance.randint(1, calls + 1)
        verb = VERBS[name]
        print(f"round {number}: {name} {'direct' if direct else 'cached'} cut at {cut_at} of {calls}, ", end="")
        print(f"{'killed' if kill_at_once else 'answered EIO'}, of the rest {kind}", end="", flush=True)
        with mounted(disk, self.mount, direct=direct, cut_at=cut_at) as cut:
            child = self.child(verb, given)
            until = time.monotonic() + 60
            while child.poll() is None and not cut.is_cut(0.05):
                assert time.monotonic() < until, f"the command hangs: {self.output()}"
            if kill_at_once:
                child.kill()
            try:
                child.wait(30)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()
                raise AssertionError("the command hangs on a disk that fails") from None
        traceback = "Traceback" in self.output()
        told = child.returncode == 0 or (child.returncode == -signal.SIGKILL and self.was_told(verb))
        cut.disk.cut(kind, chance)
        with mounted(cut.disk, self.mount, direct=direct):
            verb.check(self.machine, given, told)
            check_after(self.machine)
        print(f": {'told, ' if told else ''}good{', but a traceback' if traceback else ''}", flush=True)
        if traceback:
            lines = self.output().splitlines()
            inner = [line.strip() for line in lines if "/bakthat/" in line and "line" in line][-1:]
            self.tracebacks[f"{name}: {lines[-1]} {' '.join(inner)}"] = self.output()


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=100)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 32))
    parser.add_argument("--only", type=int, help="this round alone")
    parser.add_argument("--seconds", type=float, default=float("inf"), help="begin no round after this time")
    parser.add_argument("--without", choices=list(WITHOUT), default="")
    chosen = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # and unmount
    print(f"seed {chosen.seed}")
    folder = Path(tempfile.mkdtemp(prefix="forgetful-"))
    (folder / "mount").mkdir()
    campaign = Campaign(folder, chosen.without)
    begun, done = time.monotonic(), 0
    try:
        for number in [chosen.only] if chosen.only is not None else range(chosen.rounds):
            if time.monotonic() - begun > chosen.seconds:
                break
            try:
                campaign.run(number, chosen.seed)
            except Exception as error:
                print(f"\nfailed: {error!r}\noutput: {campaign.output()}\nseed {chosen.seed}, --only {number}")
                raise SystemExit(1) from error
            done += 1
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    for last_line in campaign.tracebacks:
        print(f"a traceback: {last_line}")
    print(f"{done} rounds, seed {chosen.seed}: {'tracebacks' if campaign.tracebacks else 'all good'}")
    raise SystemExit(1 if campaign.tracebacks else 0)


if __name__ == "__main__":
    main()
