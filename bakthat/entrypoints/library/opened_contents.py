"""What `ls` and `open_file` of the library return: an iterator, and a file, that close what is below them."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack
from types import TracebackType
from typing import Any, BinaryIO, cast

from bakthat.domain.archive_index import IndexEntry
from bakthat.usecases.list_archive import Listing
from bakthat.usecases.read_file import FileInBackup


class Contents(Iterator[IndexEntry]):
    """The entries of a backup, each once. A context manager; it closes itself at the end, and on an error."""

    def __init__(self, listing: AbstractContextManager[Listing]) -> None:
        """Opens the listing. Raises what that does."""
        self._stack = ExitStack()
        self._listing = self._stack.enter_context(listing)
        self.backup = self._listing.backup
        """The record of the backup."""
        self.is_indexed = self._listing.is_indexed
        """Whether the entries come from the archive's index, which was not compared with the archive."""

    def __next__(self) -> IndexEntry:
        try:
            return next(self._listing.entries)
        except StopIteration:
            self._stack.close()
            raise
        except BaseException as error:
            # The contexts below may put the backup's name into the message.
            self._stack.__exit__(type(error), error, error.__traceback__)
            raise

    def __enter__(self) -> Contents:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the archive, and read no more of it."""
        _abandon(self._stack)

    def __del__(self) -> None:
        if hasattr(self, "_listing"):
            self.close()


def opened_file(file: AbstractContextManager[FileInBackup]) -> BinaryIO:
    """Return the file as a binary file object. Raises what opening it does."""
    return cast(BinaryIO, io.BufferedReader(_FileOfBackup(file), 256 * 1024))


class _FileOfBackup(io.RawIOBase):
    def __init__(self, file: AbstractContextManager[FileInBackup]) -> None:
        self._stack = ExitStack()
        self._content = self._stack.enter_context(file).content
        self._is_at_end = False

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any, /) -> int:
        if self._is_at_end:
            return 0
        with memoryview(buffer) as given, given.cast("B") as view:
            try:
                chunk = self._content.read(len(view))
            except BaseException as error:
                self._stack.__exit__(type(error), error, error.__traceback__)
                raise
            if not chunk and len(view):
                self._is_at_end = True
                self._stack.close()  # checks what is left of the archive, if it is read from beginning to end
            view[: len(chunk)] = chunk
            return len(chunk)

    def close(self) -> None:
        _abandon(self._stack)
        super().close()


def _abandon(stack: ExitStack) -> None:
    """Leave the contexts as if what used them had stopped: nothing more is read or checked."""
    stopped = GeneratorExit()
    stack.__exit__(GeneratorExit, stopped, None)
