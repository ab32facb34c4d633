"""`measured`: runs a command and measures it with all its processes: time, memory, temporary files."""

from __future__ import annotations

import os
import resource
import select
import stat
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from attrs import field, frozen

_POLL = 0.05
"""Seconds between two samples of the processes: about 1 % of one core."""

_TICKS = os.sysconf("SC_CLK_TCK")


class CommandFailed(Exception):
    """A measured command ended with an exit code other than 0."""


@frozen(kw_only=True)
class Measured:
    """The resources that a command used.

    wall, cpu: seconds; cpu is user and system time of the command and all processes that it started and waited for.
    memory: bytes; the larger of the highest resident set of a single process, as the kernel recorded it, and of the
        highest sum over all processes alive at one moment, as seen every 50 ms (shared pages count more than once).
    temporary: bytes in TMPDIR, the most seen, those of open files without a name included; left: names still in it.
    touched_temporary: whether anything was ever created in TMPDIR, however short its life.
    others: CPU seconds that the machine spent on other work meanwhile, without the server of the backups. If they are
        many, the wall time is not meaningful.
    written: regular files that were open for writing at some moment, including those that no longer have a name.
    """

    wall: float
    cpu: float
    memory: int
    temporary: int
    left: tuple[str, ...]
    touched_temporary: bool
    others: float = 0.0
    written: frozenset[str] = field(factory=frozenset, repr=False)
    output: str = field(default="", repr=False)


def measured(
    command: Sequence[str], *, environment: Mapping[str, str], scratch: Path, server: int | None = None
) -> Measured:
    """Run the command to its end. `scratch`: an existing folder, in which it gets an empty TMPDIR. `server`: a process
    that works for it. Raises `CommandFailed` with the end of its output."""
    temporary = Path(tempfile.mkdtemp(prefix="tmpdir-", dir=scratch))
    untouched = temporary.stat().st_mtime_ns
    watch = _Watch(temporary)
    with tempfile.TemporaryFile(dir=scratch) as output, tempfile.TemporaryFile(dir=scratch) as complaints:
        begin, busy = time.perf_counter(), machine_busy() - _cpu_of(server)
        process = subprocess.Popen(
            command,
            env={**environment, "TMPDIR": os.fspath(temporary)},
            cwd=scratch,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=complaints,
        )
        try:
            usage = watch.until_end_of(process)
        except BaseException:
            process.kill()
            process.wait()
            raise
        wall = time.perf_counter() - begin
        cpu = usage.ru_utime + usage.ru_stime
        others = machine_busy() - _cpu_of(server) - busy - cpu
        if process.returncode != 0:
            complaints.seek(0)
            said = complaints.read().decode(errors="replace")[-2000:]
            raise CommandFailed(f"{' '.join(command)}: exit code {process.returncode}\n{said}")
        output.seek(0)
        text = output.read(1024 * 1024).decode(errors="replace")
    left = tuple(sorted(os.listdir(temporary)))
    return Measured(
        wall=wall,
        cpu=cpu,
        memory=watch.memory,
        temporary=watch.temporary,
        left=left,
        touched_temporary=temporary.stat().st_mtime_ns != untouched,
        others=max(others, 0.0),
        written=frozenset(watch.written),
        output=text,
    )


def machine_busy() -> float:
    """CPU seconds that all cores together have spent since the start of the machine, those that went to other machines
    of the same host included."""
    with open("/proc/stat") as lines:
        user, nice, system, _idle, _waiting, hard, soft, stolen = map(int, lines.readline().split()[1:9])
    return (user + nice + system + hard + soft + stolen) / _TICKS


def _cpu_of(pid: int | None) -> float:
    if pid is None:
        return 0.0
    with open(f"/proc/{pid}/stat") as fields:
        user, system = map(int, fields.read().rpartition(")")[2].split()[11:13])
    return (user + system) / _TICKS


class _Watch:
    def __init__(self, temporary: Path) -> None:
        self._temporary = temporary
        self.memory = 0
        self.temporary = 0
        self.written: set[str] = set()

    def until_end_of(self, process: subprocess.Popen[bytes]) -> resource.struct_rusage:
        """The resources that it used, as reported by wait4."""
        descriptor = os.pidfd_open(process.pid)
        try:
            poll = select.poll()
            poll.register(descriptor, select.POLLIN)
            while True:
                self._look(process.pid)
                if poll.poll(_POLL * 1000):
                    break
        finally:
            os.close(descriptor)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        return usage

    def _look(self, root: int) -> None:
        total = 0
        temporary = _files_below(self._temporary)
        for pid in _tree(root):
            resident, highest = _memory(pid)
            total += resident
            self.memory = max(self.memory, highest)
            for path, status in _open_for_writing(pid):
                self.written.add(path)
                if path.startswith(f"{self._temporary}/"):
                    temporary[status.st_ino] = status.st_size
        self.memory = max(self.memory, total)
        self.temporary = max(self.temporary, sum(temporary.values()))


def _tree(root: int) -> list[int]:
    """The process and all its descendants."""
    found = [root]
    for pid in found:
        try:
            for thread in os.listdir(f"/proc/{pid}/task"):
                with open(f"/proc/{pid}/task/{thread}/children") as children:
                    found += map(int, children.read().split())
        except OSError:
            pass  # it has ended
    return found


def _memory(pid: int) -> tuple[int, int]:
    """Bytes of a process's resident set, now and at its highest; zeros if it has ended."""
    resident = highest = 0
    try:
        with open(f"/proc/{pid}/status") as status:
            for line in status:
                if line.startswith("VmHWM:"):
                    highest = int(line.split()[1]) * 1024
                elif line.startswith("VmRSS:"):
                    resident = int(line.split()[1]) * 1024
    except OSError:
        pass
    return resident, highest


def _open_for_writing(pid: int) -> Iterator[tuple[str, os.stat_result]]:
    """The regular files that a process writes to, those without a name included."""
    try:
        numbers = os.listdir(f"/proc/{pid}/fd")
    except OSError:
        return
    for number in numbers:
        try:
            path = os.readlink(f"/proc/{pid}/fd/{number}")
            if int(number) < 3 or not path.startswith("/") or path.startswith("/dev/"):
                continue  # the first three are where we send its output
            status = os.stat(f"/proc/{pid}/fd/{number}")
            with open(f"/proc/{pid}/fdinfo/{number}") as info:
                flags = next(int(line.split()[1], 8) for line in info if line.startswith("flags:"))
        except (OSError, StopIteration):
            continue  # closed meanwhile
        if stat.S_ISREG(status.st_mode) and flags & os.O_ACCMODE != os.O_RDONLY:
            yield path, status


def _files_below(folder: Path) -> dict[int, int]:
    """The bytes of each file, by its inode."""
    found = {}
    for where, _, names in os.walk(folder):
        for name in names:
            try:
                status = os.lstat(os.path.join(where, name))
            except FileNotFoundError:
                continue
            found[status.st_ino] = status.st_size
    return found
