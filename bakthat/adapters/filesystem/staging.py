"""`StagingDirectory`: restored files are written to a private directory, and moved to their final place together.

enter       open or create the target; remove leftovers of killed restores; create a private directory
commit      for each unit: move it to its final name, or exchange it with the existing entry
            any failure: move everything back, in reverse order
leave       remove the private directory with the replaced entries
"""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from bakthat.adapters.filesystem.dir_fd import LIST, NO_DIRECTORY, SEARCH, allow, exists, opened
from bakthat.adapters.filesystem.linux import (
    RenameWithFlags,
    has_default_acl,
    mounts_below,
    rename_with_flags,
    sync_file_system,
)
from bakthat.adapters.filesystem.moves import Move
from bakthat.adapters.filesystem.printable import printable
from bakthat.adapters.filesystem.private_dir import PREFIX, PrivateDirectory, sweep
from bakthat.adapters.filesystem.target_dir import MakeDirectory, ReplacementRules, TargetDirectory
from bakthat.adapters.filesystem.target_error import target_error
from bakthat.domain.payload import Problem
from bakthat.errors import TargetError


def _mkdir(name: bytes, mode: int, directory: int) -> None:
    os.mkdir(name, mode, dir_fd=directory)


class StagingDirectory:
    """A context for writing files invisibly, until `commit` gives them their final names in the directory `into`.

    Inside the context `path` is a new, empty directory on the file system of `into`, below one of mode 0700; `fd` is
    its descriptor, for `dir_fd=`; `default_mode` is the mode of a new directory here (0777 without the umask, plus what
    it inherits from `into`). `umask_bars_owner`: the owner could not fill a directory with this mode. `inherits_acl`:
    new entries inherit an access control list from `into`. Leaving the context removes everything that was not
    committed or was replaced, and `into` itself if it was created here and is empty.

    After kill -9 the target contains either the old or the new files. The next restore into this directory removes
    leftovers; a lock (flock) shows which are in use by another process. On a file system without such locks they stay.

    Args:
        overwrite: whether `commit` may replace existing entries.
        root: the only existing name in `into` that may be replaced (`overwrite`) or added to; bytes that are not UTF-8
            are written as `\\xff`. None: any name.

    Raises `TargetError` if the disk refuses.
    """

    path: Path
    fd: int
    default_mode: int
    umask_bars_owner: bool
    inherits_acl: bool

    def __init__(
        self,
        into: Path,
        *,
        overwrite: bool = False,
        root: str | None = None,
        rename: RenameWithFlags = rename_with_flags,
        mkdir: MakeDirectory = _mkdir,
    ) -> None:
        self._target = TargetDirectory(Path(into), mkdir)
        self._private = PrivateDirectory(self._target, mkdir)
        self._rules = ReplacementRules(self._target, overwrite=overwrite, root=root)
        self._rename = rename
        self._keep_private = False
        self.fd = -1
        self.notices: list[Problem] = []
        """After leaving the context: replaced entries that could not be removed."""

    def __enter__(self) -> Self:
        try:
            self._open()
            return self
        except BaseException as error:
            self._leave(committed=False)
            if isinstance(error, OSError):
                raise target_error(error, self._target.path) from error
            raise

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._leave(committed=kind is None)

    def check(self, path: str | bytes) -> None:
        """Check early, before anything is written: raises `TargetExists` if `commit` of this path would."""
        path = os.fsencode(path)
        if not self._rules.is_root(path):
            path = path.partition(b"/")[0]
        elif self._rules.overwrite:
            return
        with contextlib.suppress(OSError):
            os.stat(path, dir_fd=self._target.fd, follow_symlinks=False)
            raise self._rules.taken(path)

    def replace_nothing(self) -> None:
        """The archive has several roots, and its own name was only a guess: from now on nothing may be replaced."""
        self._rules.replace_nothing()

    def scratch(self) -> int:
        """Create a second directory, for files that are never committed; return its descriptor, which the caller
        closes."""
        os.mkdir("scratch", 0o700, dir_fd=self._private.fd)
        return os.open("scratch", LIST, dir_fd=self._private.fd)

    def scratch_file(self) -> int:
        """Create a file without a name, which disappears when it is closed; return its descriptor, which the caller
        closes."""
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        fd = os.open("names", flags, 0o600, dir_fd=self._private.fd)
        os.unlink("names", dir_fd=self._private.fd)
        return fd

    def commit(self, paths: Sequence[str | bytes]) -> None:
        """Give these files and directories, relative to `path`, the same names in the target: all of them or none.

        A path with slashes goes into the existing directory; a missing directory is moved from here. No symbolic link
        is followed.

        Raises `TargetExists` if a name exists and may not be replaced. Otherwise the old entry is replaced by an
        exchange of the names, and removed on leaving the context. Nothing is replaced before all new files are synced,
        and nothing is removed before the exchange is.
        """
        current = b""
        rules, target, private = self._rules, self._target, self._private
        try:
            moves = [
                Move(path, number, self.fd, target.fd, private.fd, rules.may_replace(path), self._rename)
                for number, path in enumerate(self._units([os.fsencode(path) for path in paths]))
            ]
            foreign = {os.fsencode(path).partition(b"/")[0] for path in paths if not rules.is_root(os.fsencode(path))}
            taken = [move.path for move in moves if move.is_taken()]
            for path in [*(name for name in sorted(foreign) if exists(name, target.fd)), *taken]:
                if not rules.may_replace(path):
                    raise rules.taken(path)
            if taken:
                self._refuse_mounts(taken)
                sync_file_system(private.fd)
            begun: list[Move] = []
            try:
                for move in moves:
                    current = move.path
                    begun.append(move)  # first, so that an interruption inside is also undone
                    move.do()
                if taken:
                    # Sync the exchange before the replaced entries are removed: a disk may keep a later change and lose
                    # it
                    sync_file_system(private.fd)
            except BaseException:
                self._undo(begun)
                raise
        except FileExistsError:
            raise rules.taken(current) from None
        except OSError as error:
            raise target_error(error, target.path_of(current)) from error

    def _open(self) -> None:
        self._target.open()
        sweep(self._target.fd)
        self._private.make()
        os.mkdir("new", 0o777, dir_fd=self._private.fd)
        self.fd = os.open("new", SEARCH, dir_fd=self._private.fd)
        self.umask_bars_owner = allow(self.fd, 0o700) is not None
        self.default_mode = stat.S_IMODE(os.fstat(self.fd).st_mode)
        self.inherits_acl = has_default_acl(self._private.fd)
        self.path = self._target.path / self._private.name / "new"

    def _leave(self, *, committed: bool) -> None:
        try:
            self._remove_private(committed)
        except KeyboardInterrupt:
            # The first Ctrl-C during a long removal is ignored, so that nothing partial stays; only the second counts
            self._remove_private(committed)
            raise
        finally:
            if self.fd >= 0:
                fd, self.fd = self.fd, -1
                os.close(fd)
            self._private.close()
            self._target.close()

    def _remove_private(self, committed: bool) -> None:
        if self._target.fd < 0 or not self._private.name or self._keep_private:
            return
        failure = self._private.remove()
        if failure is not None and committed:
            self.notices.append(
                Problem(
                    printable(self._target.path_of(self._private.name)),
                    f"the replaced files could not be removed completely ({failure.strerror}); remove them yourself",
                )
            )

    def _units(self, paths: list[bytes]) -> list[bytes]:
        """The entries to move: each path, or its topmost directory that is missing in the target."""
        whole = set(paths)
        return list(dict.fromkeys(self._unit(path.split(b"/"), whole) for path in paths))

    def _unit(self, parts: list[bytes], whole: set[bytes]) -> bytes:
        if parts[0].startswith(os.fsencode(PREFIX)):
            raise TargetError(
                f"{printable(parts[0])} is a name reserved for bakthat's temporary directories; "
                "extract this archive with tar"
            )
        with contextlib.ExitStack() as on_the_way:
            directory = self._target.fd
            for depth, part in enumerate(parts[:-1], start=1):
                above = b"/".join(parts[:depth])
                if above in whole:
                    return above
                try:
                    directory = on_the_way.enter_context(opened(part, SEARCH, directory))
                except OSError as error:
                    if error.errno not in NO_DIRECTORY:
                        raise
                    # Nothing; or a file or a symbolic link, which can be replaced but not followed
                    return above
        return b"/".join(parts)

    def _refuse_mounts(self, paths: list[bytes]) -> None:
        """A mount point in a directory would move away with it."""
        target = os.path.realpath(self._target.path)
        for mount in mounts_below(target):
            for path in paths:
                if not (mount + "/").startswith(os.path.join(target, os.fsdecode(path), "")):
                    continue
                raise TargetError(
                    f"{printable(self._target.path_of(path))} is not replaced, because it contains a mount point "
                    f"({printable(mount)}): unmount it, or restore elsewhere with `target=`"
                )

    def _undo(self, moves: list[Move]) -> None:
        for move in reversed(moves):
            try:
                move.undo()
            except OSError as error:
                # The old files are in our directory, which must not be removed now or by the next restore
                self._keep_private = True
                rescued = self._private.rescue()
                raise TargetError(
                    f"{printable(self._target.path_of(move.path))} was replaced and cannot be put back "
                    f"({error.strerror}); move it back by hand: it is in {printable(self._target.path_of(rescued))}"
                ) from error
