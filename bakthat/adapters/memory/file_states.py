"""`MemoryFileStates`: states of origins in memory."""

from __future__ import annotations

from collections.abc import Iterator, Set
from contextlib import contextmanager

from bakthat.ports.file_states import FileStates, Fingerprints, KnownFiles, StateDraft

_Directories = dict[bytes, dict[bytes, bytes]]


class MemoryFileStates(FileStates):
    """Keeps states as long as it lives."""

    def __init__(self) -> None:
        self._states: dict[str, tuple[str, _Directories]] = {}

    def known(self, origin: str, backup: str) -> KnownFiles | None:
        owner, directories = self._states.get(origin, ("", {}))
        return _Known(directories) if owner == backup else None

    @contextmanager
    def draft(self, origin: str) -> Iterator[StateDraft]:
        yield _Draft(self, origin)

    def put(self, origin: str, backup: str, directories: _Directories) -> None:
        """Replace the state of the origin."""
        self._states[origin] = (backup, directories)

    def forget(self) -> None:
        """Lose all states."""
        self._states.clear()


class _Known(KnownFiles):
    def __init__(self, directories: _Directories) -> None:
        self._directories = directories

    def unchanged(self, directory: bytes, found: Fingerprints) -> Set[bytes]:
        known = self._directories.get(directory, {})
        return {name for name, fingerprint in found.items() if known.get(name) == fingerprint}


class _Draft(StateDraft):
    def __init__(self, states: MemoryFileStates, origin: str) -> None:
        self._states = states
        self._origin = origin
        self._directories: _Directories = {}

    def add(self, directory: bytes, contained: Fingerprints) -> None:
        self._directories[directory] = dict(contained)

    def keep(self, backup: str) -> None:
        self._states.put(self._origin, backup, self._directories)
