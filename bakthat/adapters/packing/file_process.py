"""`FileMaker`: a second process that makes small files while the first reads the archive on; and `make_file`, which
both of them do.

Making a file is five system calls of some microseconds. Threads cannot share them out: passing Python's lock at each
call costs more than it brings (docs/decisions/0019). A process has a lock of its own. It is handed descriptors of
directories (SCM_RIGHTS, unix(7)) and names without a slash, so that it can reach nothing else; the contents lie in
memory that both share.

Nothing depends on it: what it does not take, or had taken when it was killed, is made by whoever asked.

The second process runs this very file, by its path, so that it may import nothing but Python's own library.
"""

from __future__ import annotations

import array
import contextlib
import errno
import mmap
import os
import socket
import sys
from collections import deque
from collections.abc import Callable, Sequence
from typing import TypeVar

T = TypeVar("T")

CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
"""How a new file is opened: never one that is there, nor through a link."""

_SLOT = 512 * 1024
"""Bytes of contents in one message."""
_SLOTS = 4
_FILES = 200
_DIRECTORIES = 16
"""Descriptors in one message, of which few may be open (`ulimit -n`), and Linux takes 253."""
_LEAST_LIMIT = 256
"""With fewer descriptors than that, whoever extracts needs them all."""
_LONGEST_NAME = 255
"""Bytes: NAME_MAX of limits.h. To make a longer one will fail, in whatever process."""
_MESSAGE = 128 * 1024
"""Bytes that hold the longest message: 200 such names, and the numbers."""
_READY = b"ready"

MAKE, OWNER, SET_ID, MODE, TIME = range(5)
"""What failed. After `MAKE` the file may be there or not, and its content is not right. `SET_ID`: with a wrong owner,
the set-user-ID and set-group-ID bits would be dangerous, so they were left out."""

KEEP = -1
"""Instead of an owner's number: leave it as it is."""

Attributes = tuple[int, int, int, int]
"""What a file gets when its content is there: permissions (the twelve bits), user and group (`KEEP`, or numbers), time
(nanoseconds since 1970 UTC)."""

Failed = Callable[[bytes, int, int], object]
"""A file's path, what failed of it, and the errno."""

Again = Callable[[bytes, memoryview, Attributes], object]
"""A file's path, content and attributes."""

_FIELDS = 7
"""What a message says of each file in numbers: which of the directories, bytes, length of the name, attributes."""


def make_file(
    directory: int,
    name: bytes,
    content: memoryview,
    attributes: Attributes,
    failed: Callable[[T, int, int], object],
    which: T,
) -> None:
    """Make a file with its content and its attributes. `failed(which, what, errno)` is told of attributes that could
    not be set. Raises FileExistsError, with nothing done, where the name is taken; OSError."""
    fd = os.open(name, CREATE, 0o600, dir_fd=directory)
    try:
        if content:
            write(fd, content)
        set_attributes(fd, attributes, failed, which)
    finally:
        os.close(fd)


def write(fd: int, content: memoryview) -> None:
    """All of it, at the current position."""
    size = len(content)
    written = os.write(fd, content)
    while written < size:
        written += os.write(fd, content[written:])


def set_attributes(fd: int, attributes: Attributes, failed: Callable[[T, int, int], object], which: T) -> None:
    """Give them to an open file. `failed(which, what, errno)` is told what could not be done."""
    mode, uid, gid, mtime_ns = attributes
    if uid != KEEP:
        try:
            os.fchown(fd, uid, gid)
        except (OSError, OverflowError) as error:
            failed(which, OWNER, number_of(error))
            if mode & 0o6000:
                failed(which, SET_ID, 0)
            mode &= 0o1777
    try:
        os.fchmod(fd, mode)
    except OSError as error:
        failed(which, MODE, number_of(error))
    try:
        os.utime(fd, ns=(mtime_ns, mtime_ns))
    except (OSError, OverflowError) as error:
        failed(which, TIME, number_of(error))


def number_of(error: OSError | OverflowError) -> int:
    """The errno: EOVERFLOW where Python has refused a number before the system could."""
    return error.errno or 0 if isinstance(error, OSError) else errno.EOVERFLOW


class _Batch:
    """Files of one message. `base`: where their contents begin in the shared memory; `places`: where each of them does;
    `filled`: where the next one goes. `directories`: descriptors, which are ours until they are sent; `here`: the path
    of the last one."""

    __slots__ = ("base", "directories", "filled", "here", "names", "numbers", "paths", "places")

    def __init__(self, base: int) -> None:
        self.base = self.filled = base
        self.directories: list[int] = []
        self.here: bytes | None = None
        self.names: list[bytes] = []
        self.paths: list[bytes] = []
        self.places: list[int] = []
        self.numbers = array.array("q")


class FileMaker:
    """`take` files, and `finish`; `close` may come at any time.

    `pending`: paths of the files that were taken and may not be there yet. Whoever is about to look at one of them, or
    to make something of the same name, calls `finish` first.

    `failed` is told what could not be done; `again` is asked to make a file of whose name there is one already, or that
    may have been left undone by a process that was killed. Both come from `take` and `finish`, and may raise.

    Raises OSError if there can be no such process here.
    """

    def __init__(
        self,
        failed: Failed,
        again: Again,
        *,
        python: str = sys.executable,
    ) -> None:
        import resource
        import subprocess

        if not (python and os.path.isfile(__file__) and hasattr(os, "memfd_create")):
            raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))
        soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        if soft != resource.RLIM_INFINITY and soft < _LEAST_LIMIT:
            raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))
        self.pending: set[bytes] = set()
        self._failed = failed
        self._again = again
        self._under_way: deque[_Batch] = deque()
        self._batch: _Batch | None = None
        self._slot = 0
        self._ready = self._over = False
        memory = os.memfd_create("bakthat-files", os.MFD_CLOEXEC)
        try:
            os.ftruncate(memory, _SLOTS * _SLOT)
            self._map = mmap.mmap(memory, _SLOTS * _SLOT)
            self._memory = memoryview(self._map)
            self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            with theirs, contextlib.ExitStack() as undone:
                undone.enter_context(self._control)
                self._process = subprocess.Popen(
                    [python, "-I", "-S", os.path.abspath(__file__), str(theirs.fileno()), str(memory)],
                    pass_fds=(theirs.fileno(), memory),
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                    cwd="/",
                    # None of the secrets in ours
                    env={name: value for name, value in os.environ.items() if name == "LD_LIBRARY_PATH"},
                    # Out of reach of a terminal's Ctrl-C, which is for whoever started it
                    process_group=0,
                )
                undone.pop_all()
        finally:
            os.close(memory)

    @property
    def pid(self) -> int:
        """The process."""
        return self._process.pid

    def wait_until_ready(self) -> None:
        """Until then, nothing is taken; it need not be waited for."""
        while not (self._ready or self._over):
            self._hear(wait=True)

    def take(
        self,
        where: bytes,
        directory: int,
        name: bytes,
        content: memoryview,
        attributes: Attributes,
    ) -> bool:
        """Have a file made in a directory, given by its path and a descriptor; False if the process is busy, and the
        caller had better make it. `content`: at most 512 KiB. The numbers must fit into 64 bits."""
        if len(name) > _LONGEST_NAME:
            return False
        size = len(content)
        batch = self._batch
        if (
            batch is None
            or batch.filled + size > batch.base + _SLOT
            or len(batch.names) == _FILES
            or (where != batch.here and len(batch.directories) == _DIRECTORIES)
        ):
            batch = self._next_batch()
            if batch is None:
                return False
        if where != batch.here:
            try:
                batch.directories.append(os.dup(directory))
            except OSError:  # too many are open
                return False
            batch.here = where
        at = batch.filled
        batch.filled = at + size
        self._memory[at : at + size] = content
        batch.numbers.extend((len(batch.directories) - 1, size, len(name), *attributes))
        batch.places.append(at)
        batch.names.append(name)
        path = where + b"/" + name if where else name
        batch.paths.append(path)
        self.pending.add(path)
        return True

    def finish(self) -> None:
        """Wait until everything that was taken is there."""
        if self._batch is not None:
            self._send()
        while self._under_way:
            self._hear(wait=True)

    def close(self) -> None:
        """End the process. When this returns, it touches nothing any more."""
        self._process.kill()
        self._process.wait()
        self._control.close()
        if self._batch is not None:
            _close(self._batch.directories)
            self._batch = None
        self._memory.release()
        with contextlib.suppress(BufferError):  # whoever was told of a failure may still be looking at the content
            self._map.close()

    def _next_batch(self) -> _Batch | None:
        if self._batch is not None:
            self._send()
        if self._over:
            return None
        if not self._ready or len(self._under_way) == _SLOTS:
            self._hear(wait=False)
            if not self._ready or len(self._under_way) == _SLOTS:
                return None
        batch = self._batch = _Batch(self._slot * _SLOT)
        self._slot = (self._slot + 1) % _SLOTS
        return batch

    def _send(self) -> None:
        batch = self._batch
        assert batch is not None  # noqa: S101 - whoever calls has looked
        self._batch = None
        self._under_way.append(batch)
        head = array.array("q", (len(batch.names),)).tobytes()
        try:
            socket.send_fds(self._control, [head, batch.numbers.tobytes(), *batch.names], batch.directories)
        except OSError:
            self._ended()
        finally:
            _close(batch.directories)

    def _hear(self, *, wait: bool) -> None:
        """Take the answers that have come; with `wait`, one at least."""
        while True:
            try:
                answer = self._control.recv(_MESSAGE, 0 if wait else socket.MSG_DONTWAIT)
            except BlockingIOError:
                return
            except OSError:
                answer = b""
            if not answer:
                self._ended()
                return
            if answer == _READY:
                self._ready = True
                if wait:
                    return
                continue
            self._done(self._under_way.popleft(), answer)
            if wait:
                return

    def _done(self, batch: _Batch, answer: bytes) -> None:
        self.pending.difference_update(batch.paths)
        words = array.array("q", answer)
        for index, what, number in zip(words[1::3], words[2::3], words[3::3], strict=True):
            if what == MAKE and number == errno.EEXIST:
                self._make_here(batch, index)
            else:
                self._failed(batch.paths[index], what, number)

    def _make_here(self, batch: _Batch, index: int) -> None:
        _, size, _, mode, uid, gid, mtime_ns = batch.numbers[index * _FIELDS : (index + 1) * _FIELDS]
        at = batch.places[index]
        self._again(batch.paths[index], self._memory[at : at + size], (mode, uid, gid, mtime_ns))

    def _ended(self) -> None:
        """It was killed, or did not start. It takes nothing any more, and what it had taken is made here."""
        self._ready, self._over = False, True
        self._process.kill()
        self._process.wait()
        while self._under_way:
            batch = self._under_way.popleft()
            self.pending.difference_update(batch.paths)
            for index in range(len(batch.paths)):
                self._make_here(batch, index)


def _close(fds: list[int]) -> None:
    while fds:
        os.close(fds.pop())


def _serve(control: socket.socket, memory: memoryview) -> None:
    """The second process: make what is asked for, until the other end is closed."""
    control.send(_READY)
    slot = 0
    while True:
        message, directories, flags, _ = socket.recv_fds(control, _MESSAGE, _DIRECTORIES)
        if not message or flags & (socket.MSG_TRUNC | socket.MSG_CTRUNC):
            return  # the other process is gone, or will do it, since this one could not take all in
        count = array.array("q", message[:8])[0]
        end = 8 + 8 * _FIELDS * count
        failures = _make_all(array.array("q", message[8:end]), message[end:], directories, memory, slot * _SLOT)
        _close(directories)
        control.send(array.array("q", (0, *failures)).tobytes())
        slot = (slot + 1) % _SLOTS


def _make_all(
    numbers: array.array[int], names: bytes, directories: Sequence[int], memory: memoryview, at: int
) -> list[int]:
    """What failed: the file's index, what, and the errno, one after the other."""
    failures: list[int] = []

    def failed(index: int, what: int, number: int) -> None:
        failures.extend((index, what, number))

    begin = 0
    for index in range(len(numbers) // _FIELDS):
        which, size, length, mode, uid, gid, mtime_ns = numbers[index * _FIELDS : (index + 1) * _FIELDS]
        name = names[begin : begin + length]
        begin += length
        content = memory[at : at + size]
        at += size
        try:
            make_file(directories[which], name, content, (mode, uid, gid, mtime_ns), failed, index)
        except OSError as error:
            failed(index, MAKE, error.errno or 0)
    return failures


if __name__ == "__main__":
    _serve(socket.socket(fileno=int(sys.argv[1])), memoryview(mmap.mmap(int(sys.argv[2]), _SLOTS * _SLOT)))
