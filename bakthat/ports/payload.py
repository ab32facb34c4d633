"""The ports of a backup's bytes: `Packer` (files to one stream), `Compressor`, `Cipher`.

Writers are chained: what a packer writes goes into a compressor, from there into a cipher, from there into the store.
A writer's `write` has taken the bytes when it returns, so the caller may reuse its buffer.

Readers are chained the other way. One may have a method `read_chunk(limit)`: it returns the next available bytes
without copying, at most `limit`; `b""` means end of stream. `bakthat.ports.streams` works with readers of either kind.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from bakthat.domain.payload import Keys, PackReport, UnpackReport

if TYPE_CHECKING:  # patterns are for backups, and cost some milliseconds
    from bakthat.domain.exclusions import Exclusions


class Packer(ABC):
    """Turns a file or a directory into one stream of bytes, and back."""

    @abstractmethod
    def pack(
        self,
        source: Path,
        into: BinaryIO,
        *,
        exclusions: Exclusions | None = None,
        on_excluded: Callable[[str, str], None] | None = None,
        on_bytes: Callable[[int], None] | None = None,
    ) -> PackReport:
        """Write the source into the stream; memory is bounded whatever the size. `into` stays open.

        `exclusions`: what to leave out of what lies below the source; it is counted in the report, and each entry is
        passed to `on_excluded` with what leaves it out, both as text for a person. What cannot be read, or changes
        while it is read, is a `Problem` of the report and not an error; the stream stays well formed. An error of
        `into.write` comes out as it is. `on_bytes` is called with bytes of file content read since the last call.

        Raises `SourceError` if the source itself is not there or cannot be read at all.
        """

    @abstractmethod
    def survey(
        self,
        source: Path,
        *,
        exclusions: Exclusions | None = None,
        on_excluded: Callable[[str, str], None] | None = None,
    ) -> PackReport:
        """The report that `pack` would give, as far as it can be had without opening a file. Raises `SourceError`."""

    @abstractmethod
    def unpack(
        self,
        packed: BinaryIO,
        into: Path,
        *,
        name: str,
        name_is_guess: bool = False,
        overwrite: bool = False,
        only: Sequence[str] = (),
        on_bytes: Callable[[int], None] | None = None,
    ) -> UnpackReport:
        """Restore into the directory `into`, all or nothing: until the stream has been read to its very end, nothing
        under its final name is touched, so that a reader that checks a hash at its end can still refuse everything.
        Whatever fails or is killed, the target holds its old files or the new ones; nothing half, and after an
        exception no temporary file.

        `name`: what the restored file or directory is called. A format that holds names need not agree; then its own
        names count, but `overwrite` replaces nothing that is there under another name than `name` (`TargetExists`).
        `name_is_guess`: nobody recorded it; it may be replaced only if the stream holds nothing beside it. `only`:
        gitignore patterns, relative to the backup's root; what none of them matches is left out. Never writes outside
        `into` and never through a symbolic link.

        Raises `PayloadDamaged` for a stream that is truncated, altered, not of this format, or tries to leave the
        target; `TargetExists`; `BackupNotFound` if `only` matches nothing; `BakthatError` if the disk refuses (full,
        read-only, no permission).
        """

    @abstractmethod
    def check(self, packed: BinaryIO) -> UnpackReport:
        """Read the stream to its very end as `unpack` does, and write nothing. Raises `PayloadDamaged`."""


class Compressor(ABC):
    """Makes a stream smaller, and back."""

    @abstractmethod
    def compressing(self, into: BinaryIO) -> AbstractContextManager[BinaryIO]:
        """A writer whose compressed bytes go into `into`. Leaving the context without an error finishes the stream;
        with one, it stops its threads and finishes nothing. `into` stays open."""

    @abstractmethod
    def decompressing(self, packed: BinaryIO) -> AbstractContextManager[BinaryIO]:
        """A reader of the plain bytes, which reads `packed` to its end before it ends itself. Raises `PayloadDamaged`,
        on reading, for a stream that is truncated, altered, or followed by anything else than zeros. An error of
        `packed.read` comes out as it is. `packed` stays open."""


class Cipher(ABC):
    """Seals a stream, and opens it."""

    @abstractmethod
    def sealing(self, into: BinaryIO, keys: Keys) -> AbstractContextManager[BinaryIO]:
        """A writer whose sealed bytes go into `into`. Leaving the context without an error finishes the stream; with
        one, it finishes nothing, and what was written cannot be opened as a whole. `into` stays open.

        Raises `UsageError` for keys that this cipher cannot seal with (none; a passphrase and recipients at once; a
        malformed recipient).
        """

    @abstractmethod
    def unsealing(self, sealed: BinaryIO, keys: Keys) -> AbstractContextManager[BinaryIO]:
        """A reader of the plain bytes, which reads `sealed` to its end before it ends itself. No byte comes out before
        it is authenticated, where the format authenticates.

        Raises `PasswordNeeded` (no key of the kind that the payload wants), `WrongPassword`, `PayloadDamaged`; on
        entry where the header tells, else on reading. An error of `sealed.read` comes out as it is.
        """
