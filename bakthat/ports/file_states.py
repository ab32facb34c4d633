"""`FileStates`: what the newest backup of each origin contained, so that the next one can store only what changed.

It is kept on the machine of the source, without names, and never read from a store: a machine that cannot decrypt its
own backups can still compare. It may be lost at any time; then the next backup is a full one.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Set
from contextlib import AbstractContextManager, contextmanager

from attrs import frozen

from bakthat.domain.payload import NamedBase
from bakthat.errors import SourceError

Fingerprints = Mapping[bytes, bytes]
"""Names in one directory, and what their status was, each as at most a few hundred bytes."""


class KnownFiles(ABC):
    """What one backup contained."""

    @abstractmethod
    def unchanged(self, directory: bytes, found: Fingerprints) -> Set[bytes]:
        """Return the names whose fingerprint is the same as in the backup, in the directory of this path."""


class StateDraft(ABC):
    """What a backup contains that is being made."""

    @abstractmethod
    def add(self, directory: bytes, contained: Fingerprints) -> None:
        """Note what of this directory the backup contains as it was. Each directory is added at most once."""

    @abstractmethod
    def keep(self, backup: str) -> None:
        """Make this the state of the origin, in one step: it belongs to this backup from now on.

        Call it when the backup and its record are safe. A failure of the disk is an error that the caller reports; the
        origin then has its earlier state, or none.

        Args:
            backup: Names one version of one archive, as `FileStates.known` is asked for it.

        Raises:
            OSError: The state cannot be written.
        """


class FileStates(ABC):
    """The states of the origins."""

    @abstractmethod
    def known(self, origin: str, backup: str) -> KnownFiles | None:
        """Return what this backup contained; None if the state of the origin is lost, damaged, or of another backup.

        Args:
            origin: Names where the backups come from, and where they are stored.
            backup: Names one version of one archive: where it is, its name and its hash, as one text.
        """

    @abstractmethod
    def draft(self, origin: str) -> AbstractContextManager[StateDraft]:
        """Return a new draft. Leaving the context without `StateDraft.keep` changes nothing.

        No error of the disk is raised before `StateDraft.keep`.
        """


class NoStates(FileStates):
    """Keeps nothing, so that every backup is a full one."""

    def __init__(self, why: str = "") -> None:
        """`why` is the text of the error that `StateDraft.keep` raises; without one, nothing is said."""
        self._why = why

    def known(self, origin: str, backup: str) -> KnownFiles | None:
        return None

    @contextmanager
    def draft(self, origin: str) -> Iterator[StateDraft]:
        yield _NoDraft(self._why)


class _NoDraft(StateDraft):
    def __init__(self, why: str) -> None:
        self._why = why

    def add(self, directory: bytes, contained: Fingerprints) -> None:
        pass

    def keep(self, backup: str) -> None:
        if self._why:
            raise OSError(self._why)


@frozen(kw_only=True)
class Changes:
    """What a packer needs to store changes only.

    base: the backup that the archive continues; None for a full archive, which notes what it contains. known: what the
    base contained. draft: takes what this archive contains, together with its bases.
    """

    draft: StateDraft
    base: NamedBase | None = None
    known: KnownFiles | None = None


class TooManyNames(SourceError):
    """A directory has too many entries for an incremental archive."""
