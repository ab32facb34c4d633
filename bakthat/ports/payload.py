"""The ports of a backup's bytes: `Packer` (files to one stream), `Compressor`, `Cipher`.

Writers are chained: what a packer writes goes into a compressor, from there into a cipher, from there into the store.
A writer's `write` has taken the bytes when it returns, so the caller may reuse its buffer.

Readers are chained the other way. One may have a method `read_chunk(limit)`: it returns the next available bytes
without copying, at most `limit`; `b""` means end of stream. `bakthat.ports.streams` works with readers of either kind.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from attrs import define, frozen

from bakthat.domain.payload import Keys, NamedBase, PackReport, UnpackReport
from bakthat.errors import PayloadDamaged, UsageError
from bakthat.ports.salvage import parts_until_damage, salvage_by_decompressing

if TYPE_CHECKING:  # patterns are for backups and an index for looking inside; each costs some milliseconds
    from bakthat.domain.archive_index import ArchiveIndex, IndexEntry
    from bakthat.domain.exclusions import Exclusions
    from bakthat.domain.salvage import SalvageReport
    from bakthat.ports.file_states import Changes
    from bakthat.ports.random_access import RandomAccess
    from bakthat.ports.salvage import Part


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
        xattrs: bool = True,
        on_entry: Callable[[IndexEntry], None] | None = None,
    ) -> PackReport:
        """Write the source into the stream. Memory is bounded, whatever the size. `into` stays open.

        What cannot be read, or changes while it is read, is a `Problem` of the report and not an error; the stream
        stays well formed. An error of `into.write` comes out as it is.

        Args:
            source: A file or a directory.
            into: Takes the stream.
            exclusions: What to leave out of what is below the source. The report counts it.
            on_excluded: Is called with each entry that is left out, and with the reason, both as text for a person.
            on_bytes: Is called with the number of bytes of file content read since the last call.
            xattrs: Keep extended attributes, access control lists, file capabilities and SELinux labels, if the format
                can. If not, a file with an access control list gets permissions that give nobody more rights.
            on_entry: Is called with each member of the stream, in their order, if the format has members.

        Raises:
            SourceError: The source itself does not exist or cannot be read at all.
        """

    @abstractmethod
    def survey(
        self,
        source: Path,
        *,
        exclusions: Exclusions | None = None,
        on_excluded: Callable[[str, str], None] | None = None,
    ) -> PackReport:
        """Return the report that `pack` would return, as far as that is known without opening a file.

        Raises:
            SourceError: The source itself does not exist or cannot be read at all.
        """

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
        xattrs: bool = True,
    ) -> UnpackReport:
        """Restore into the directory `into`, all or nothing.

        Until the stream has been read to its very end, nothing under its final name is touched, so a reader that
        checks a hash at its end can still refuse everything. Whatever fails or is killed, the target contains its old
        files or the new ones, never half of them, and after an exception no temporary file. Nothing is written outside
        of `into`, or through a symbolic link.

        Args:
            packed: The stream.
            into: The directory in which the file or directory `name` appears.
            name: What the restored file or directory is called. If the format has names of its own, these count; but
                then `overwrite` replaces nothing that exists under another name than this.
            name_is_guess: Nobody recorded `name`. It may be replaced only if the stream contains nothing beside it.
            overwrite: Replace what exists.
            only: Gitignore patterns, relative to the backup's root. What none of them matches is left out.
            xattrs: Restore extended attributes and the like. In any case, a restore gives nobody more rights than the
                source did.

        Raises:
            PayloadDamaged: The stream is truncated, altered, not of this format, or tries to leave the target.
            TargetExists: Something exists that would have to be replaced.
            BackupNotFound: `only` matches nothing.
            TargetError: The disk refuses: it is full, read-only, or denies permission.
        """

    def pack_changes(
        self,
        source: Path,
        into: BinaryIO,
        changes: Changes,
        *,
        exclusions: Exclusions | None = None,
        on_excluded: Callable[[str, str], None] | None = None,
        on_bytes: Callable[[int], None] | None = None,
        xattrs: bool = True,
        on_entry: Callable[[IndexEntry], None] | None = None,
    ) -> PackReport:
        """Write what is not in the archives that `changes` knows, and the names of everything; note what there is.

        The report counts everything, whether it changed or not. Without a base it is a full archive, as `pack` writes
        it. The other arguments are those of `pack`.

        Args:
            source: A directory.
            into: Takes the stream.
            changes: The backup that is continued, what it contains, and the draft that takes what this one contains.

        Raises:
            SourceError: The source itself does not exist, is not a directory, or cannot be read at all.
            TooManyNames: Only a full archive can hold this source.
            UsageError: This packer writes no incremental archives.
        """
        raise UsageError("this kind of archive cannot be incremental")

    def base_of(self, packed: BinaryIO) -> NamedBase | None:
        """Return what an incremental archive says that it continues, by its beginning alone; None for an archive that
        contains everything.

        Raises:
            PayloadDamaged: The stream is not of this format.
        """
        return None

    def unpack_chain(
        self,
        archives: Sequence[ChainedArchive],
        into: Path,
        *,
        name: str,
        name_is_guess: bool = False,
        overwrite: bool = False,
        only: Sequence[str] = (),
        xattrs: bool = True,
    ) -> UnpackReport:
        """Restore what a full archive and the incremental ones that continue it contain together, as `unpack` does.

        The result is the tree as it was at the last one. The arguments are those of `unpack`.

        Args:
            archives: The full one, then the others, each the base of the next. Each is opened when it is needed, and
                read to its end.
            into: The directory in which the directory `name` appears.

        Raises:
            ChainBroken: An archive names another base than the one before it, or that with another SHA-256.
            UsageError: This packer knows no incremental archives.
        """
        raise UsageError("this kind of archive cannot be incremental")

    def entries(self, packed: BinaryIO) -> Iterator[IndexEntry]:
        """Return what the stream contains, member after member, by reading it to its very end.

        Raises:
            UsageError: The format has no members, or this packer does not list them.
            PayloadDamaged: The stream is truncated, altered, not of this format, or tries to leave a target.
        """
        raise UsageError("the contents of such a backup cannot be listed")

    @abstractmethod
    def check(self, packed: BinaryIO) -> UnpackReport:
        """Read the stream to its very end as `unpack` does, and write nothing.

        Raises:
            PayloadDamaged: The stream is truncated, altered, not of this format, or tries to leave a target.
        """

    def salvage(
        self,
        parts: Iterator[Part],
        into: Path,
        *,
        name: str,
        only: Sequence[str] = (),
        index: ArchiveIndex | None = None,
        xattrs: bool = True,
    ) -> SalvageReport:
        """Write what can be had of a damaged stream into the new directory `NAME.salvaged` in the directory `into`.

        A file that is whole, and of good bytes, gets its own name; one with holes is `NAME.partial`, with zeros in the
        holes, and one of doubtful bytes `NAME.unverified`. The directory appears in the end, and nothing that is there
        is replaced. What `unpack` refuses for safety is left out here. The stream is read to its end.

        Args:
            parts: The stream, with its holes and verdicts.
            into: The target directory.
            name: What the backup is called.
            only: As of `unpack`.
            index: The archive's index, if it could be read: it names what is lost, and says where members begin.
            xattrs: As of `unpack`.

        Raises:
            UsageError: This packer cannot do that, as one written before 1.1; or the patterns select nothing.
            TargetExists: There is something called `NAME.salvaged` already.
            BakthatError: The disk refuses.
        """
        raise UsageError("this kind of archive cannot be salvaged")

    def salvage_chain(
        self,
        archives: Sequence[SalvageableArchive],
        into: Path,
        *,
        name: str,
        only: Sequence[str] = (),
        xattrs: bool = True,
    ) -> SalvageReport:
        """Write what can be had of the last of these archives' tree, as `salvage` does of one archive.

        Args:
            archives: The full one first. Each is opened when the one before it was read to its end.
            into, name, only, xattrs: As of `salvage`.

        Raises:
            UsageError: This packer cannot do that; or the patterns select nothing.
            TargetExists, BakthatError: As `salvage`.
        """
        raise UsageError("this kind of archive cannot be salvaged")

    def contents(self, packed: BinaryIO) -> Iterator[tuple[IndexEntry, BinaryIO]]:
        """Yield each member of the stream, and a reader of its content, which is valid until the next is asked for.

        The paths are without dots and double slashes. A file's reader gives the file as it is restored, holes as zeros;
        that of anything else is empty. The iteration ends when the stream has been read to its very end.

        Raises:
            PayloadDamaged: While iterating and reading: as `check`.
        """
        raise UsageError("the files in such a backup cannot be read one by one; restore it")


@frozen
class ChainedArchive:
    """An archive of a chain.

    name: its stored filename. opened: its stream. is_thinned: the stream has only those members that the tree of the
    last archive needs, and the directories above them. sha256: of its stored bytes, in hex, if it is known.
    """

    name: str
    opened: AbstractContextManager[BinaryIO]
    is_thinned: bool = False
    sha256: str | None = None


@frozen
class TreePath:
    """A path of a tree that a member of an archive stands for. doubt: why that member may be another version than the
    tree's; empty if it is the right one."""

    path: str
    doubt: str = ""


TreePathsOf = Callable[[str, int, bool], Sequence[TreePath]]
"""What a member stands for: called with its path, the position of its first header, and whether it is a directory."""


@frozen
class SalvageableArchive:
    """A damaged archive of a chain.

    name: its stored filename. opened: its stream, with holes and verdicts. index: if it could be read. tree_paths: what
    of the tree its members are; it is called at least once for each member that is met, or that the index has.
    """

    name: str
    opened: AbstractContextManager[Iterator[Part]]
    index: ArchiveIndex | None
    tree_paths: TreePathsOf


@define
class IndexedWriter:
    """What a packer writes to while the compressor collects the archive's index."""

    stream: BinaryIO
    """Takes the tar stream."""
    on_entry: Callable[[IndexEntry], None]
    """Takes an entry for each member of the tar stream, in their order."""
    index: bytes | None = None
    """The index of the finished archive, in its compressed form; None if the archive has none."""
    omitted: str = ""
    """Why the archive has no index, as a clause for a person; empty if it has one, or never was to have one."""


class Compressor(ABC):
    """Makes a stream smaller, and back.

    A compressor that cannot do more than that implements the two abstract methods. Its archives are read from
    beginning to end, where others are read in parts.
    """

    @abstractmethod
    def compressing(self, into: BinaryIO) -> AbstractContextManager[BinaryIO]:
        """Return a writer whose compressed bytes go into `into`.

        Leaving the context without an error finishes the stream; with one, it stops its threads and finishes nothing.
        `into` stays open.
        """

    @abstractmethod
    def decompressing(self, packed: BinaryIO) -> AbstractContextManager[BinaryIO]:
        """Return a reader of the plain bytes, which reads `packed` to its end before it ends itself.

        An index at the end of the stream is not part of the plain bytes. An error of `packed.read` comes out as it is.
        `packed` stays open.

        Raises:
            PayloadDamaged: On reading: the stream is truncated, altered, or followed by anything but zeros.
        """

    def at_level(self, level: int) -> Compressor:
        """Return this compressor with another level, of its own scale: a higher one is slower, and its result smaller.

        This default has no levels.

        Raises:
            UsageError: There is no such level.
        """
        raise UsageError("this compression has no levels; name it without one")

    @contextmanager
    def compressing_with_index(self, into: BinaryIO) -> Iterator[IndexedWriter]:
        """Compress as `compressing` does, and write an index behind the data.

        The index is hidden from all programs that decompress the stream. This default writes none.
        """
        with self.compressing(into) as stream:
            yield IndexedWriter(stream, _ignore)

    def read_index(self, packed: RandomAccess) -> ArchiveIndex | None:
        """Return the index of an archive; None if it has none that this compressor knows.

        Raises:
            PayloadDamaged: There is an index, and it is damaged.
        """
        return None

    def load_index(self, index: bytes) -> ArchiveIndex:
        """Return the index out of its compressed form: `IndexedWriter.index`, or `ArchiveIndex.packed`.

        Raises:
            PayloadDamaged: It is damaged.
        """
        raise PayloadDamaged("an index of a compression that has none; it is damaged")

    def random_access(self, packed: RandomAccess, index: ArchiveIndex) -> RandomAccess:
        """Return random access to the plain bytes, by decompressing the blocks that the index lists.

        What is read is compared with the checksum of its block. The index is not believed: if it does not fit the
        archive, reading raises.

        Raises:
            PayloadDamaged: Now or on reading: the index does not fit, or the blocks that are read are damaged.
        """
        raise PayloadDamaged("this compression cannot be read in parts; its index is damaged")

    def salvaging(self, packed: Iterator[Part], index: ArchiveIndex | None = None) -> Iterator[Part]:
        """Yield the plain bytes of a damaged stream, with a hole for what cannot be decompressed.

        Bytes get the verdict `GOOD` if they match their checksum, or were made of good bytes. This default gives what
        comes before the first damage.

        Args:
            packed: The compressed stream, which may have holes.
            index: The archive's index, if it could be read: it says where each block begins.
        """
        return salvage_by_decompressing(packed, self.decompressing)


class Cipher(ABC):
    """Encrypts a stream, and decrypts it."""

    @abstractmethod
    def sealing(self, into: BinaryIO, keys: Keys) -> AbstractContextManager[BinaryIO]:
        """Return a writer whose encrypted bytes go into `into`.

        Leaving the context without an error finishes the stream; with one, it finishes nothing, and what was written
        cannot be decrypted as a whole. `into` stays open.

        Raises:
            UsageError: This cipher cannot encrypt with these keys: there are none, a passphrase and recipients at
                once, or a malformed recipient.
        """

    @abstractmethod
    def unsealing(self, sealed: BinaryIO, keys: Keys) -> AbstractContextManager[BinaryIO]:
        """Return a reader of the plain bytes, which reads `sealed` to its end before it ends itself.

        No byte comes out before it is authenticated, where the format authenticates. An error of `sealed.read` comes
        out as it is.

        Raises, on entry where the header shows it, else on reading:
            PasswordNeeded: There is no key of the kind that the payload needs.
            WrongPassword: The keys do not fit.
            PayloadDamaged: The payload is truncated, altered, or followed by anything.
        """

    def random_access(self, sealed: RandomAccess, keys: Keys) -> RandomAccess | None:
        """Return random access to the plain bytes; None if the format can only be read from beginning to end.

        Only the parts that are read are authenticated, and the end, so that the length is. This default returns None.

        Raises:
            PasswordNeeded, WrongPassword, PayloadDamaged: As `unsealing`; damage of other parts when they are read.
        """
        return None

    @contextmanager
    def salvaging(self, sealed: BinaryIO, keys: Keys) -> Iterator[Iterator[Part]]:
        """Return the plain bytes of a damaged stream, with a hole for what cannot be decrypted.

        Bytes get the verdict `GOOD` if they are authentic. This default gives what comes before the first damage.

        Raises:
            PasswordNeeded, WrongPassword: As `unsealing`.
            PayloadDamaged: Nothing can be decrypted, since the header is damaged.
        """
        with self.unsealing(sealed, keys) as plain:
            yield parts_until_damage(plain)


def _ignore(_: IndexEntry) -> None: ...
