"""`ExclusionFilter`: decides what a walk leaves out, and counts it."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path

from bakthat.adapters.filesystem.printable import printable
from bakthat.adapters.packing.writing.source import O_READ
from bakthat.domain import ignore_patterns
from bakthat.domain.excluded import OWN, Excluded
from bakthat.domain.exclusions import (
    CACHE_SIGNATURE,
    CACHE_TAG,
    CACHES,
    IF_PRESENT,
    LARGER_THAN,
    ONE_FILE_SYSTEM,
    Exclusions,
    is_own_object,
)

OnExcluded = Callable[[str, str], None]
"""Called with the path of an entry that is left out, and the reason, both for display."""

_MAX_OWN_NAMED = 20


class ExclusionFilter:
    """The filter of one walk below the directory `source`."""

    def __init__(self, source: Path, exclusions: Exclusions, on_excluded: OnExcluded | None = None) -> None:
        self._rules = exclusions.rules
        self._own_objects = exclusions.own_objects
        self._caches = exclusions.caches
        self._if_present = exclusions.if_present
        self._larger_than = exclusions.larger_than
        self._one_file_system = exclusions.one_file_system
        self.device: int | None = None
        """The device that must not be left; None if it may be."""
        self.is_limited = exclusions.larger_than is not None or exclusions.one_file_system
        """Whether `leaves_out` can leave anything out."""
        self._on_excluded = on_excluded
        self._by = dict.fromkeys((*self._rules.labels, CACHES, IF_PRESENT, LARGER_THAN, ONE_FILE_SYSTEM, OWN), 0)
        self._own_found: dict[str, None] = {}
        self._source = source
        self.start: ignore_patterns.Level | None = self._rules.start if self._rules else None
        """The patterns at the source; None if there are none."""
        # By path, because some may be created during the walk; and by identity, because a mount may show them under
        # another path.
        self._own_names: dict[bytes, set[str]] = {}
        self._own_identities: set[tuple[int, int]] = set()
        root = os.path.join(os.path.realpath(source), "")
        for path in exclusions.own_paths:
            if path.startswith(root):
                directory, _, name = path.removeprefix(root).rpartition("/")
                self._own_names.setdefault(os.fsencode(directory + "/" if directory else ""), set()).add(name)
            try:
                status = os.lstat(path)
            except OSError:
                continue
            self._own_identities.add((status.st_dev, status.st_ino))
        self.own_inodes = {inode for _, inode in self._own_identities}
        """Inodes of bakthat's own existing files: whether to call `is_own`."""

    def own_names(self, within: bytes) -> Callable[[str], bool] | None:
        """The prefix for checking names against bakthat's own files in this directory: the path below the source, with
        a slash at its end, empty for the source itself. None if it contains none."""
        names = self._own_names.get(within) if self._own_names else None
        if self._own_objects and not within:
            return lambda name: is_own_object(name) or (names is not None and name in names)
        return names.__contains__ if names else None

    def kept_alone(self, descriptor: int) -> tuple[str, set[str]] | None:
        """For a marked directory whose content is left out: the reason, and the names that are kept. None for any
        other."""
        if self._caches and _is_cache(descriptor):
            return CACHES, {CACHE_TAG}
        present = {name for name in self._if_present if _is_there(name, descriptor)}
        return (IF_PRESENT, present) if present else None

    def start_on(self, device: int) -> None:
        """The source is on this device."""
        if self._one_file_system:
            self.device = device

    def is_own(self, status: os.stat_result) -> bool:
        """Whether it is one of bakthat's own files."""
        return (status.st_dev, status.st_ino) in self._own_identities

    def leaves_out(self, status: os.stat_result, path: str) -> bool:
        """Whether a file is too large, or on another file system; if so, it is counted."""
        label = self._limit_exceeded(status)
        if label:
            self._leave_out(path, label)
        return bool(label)

    def would_leave_out(self, status: os.stat_result) -> bool:
        """Whether an entry of this status is left out, unless it is a directory. Nothing is counted."""
        if status.st_ino in self.own_inodes and self.is_own(status):
            return True
        return self.is_limited and stat.S_ISREG(status.st_mode) and bool(self._limit_exceeded(status))

    def _limit_exceeded(self, status: os.stat_result) -> str:
        if self._larger_than is not None and status.st_size > self._larger_than:
            return LARGER_THAN
        if self.device is not None and status.st_dev != self.device:
            return ONE_FILE_SYSTEM
        return ""

    def as_content(self, path: str, label: str) -> None:
        """Count the content of the directory as left out, for the reason from `kept_alone`."""
        self._leave_out(path, label)

    def as_mounted(self, path: str) -> None:
        """The path is on another file system."""
        self._leave_out(path, ONE_FILE_SYSTEM)

    def _leave_out(self, path: str, label: str) -> None:
        self._count(label)
        if self._on_excluded is not None:
            self._on_excluded(printable(path), label)

    def by_pattern(self, path: str, number: int) -> None:
        """The pattern of this number leaves the path out."""
        self._count(self._rules.list_of(number).label)
        if self._on_excluded is not None:
            self._on_excluded(printable(path), self._rules.described(number))

    def as_own(self, path: str) -> None:
        """The path is one of bakthat's own things."""
        self._count(OWN)
        named = os.path.dirname(path) if self._own_objects and os.path.dirname(path) == str(self._source) else path
        if len(self._own_found) < _MAX_OWN_NAMED:
            self._own_found[printable(os.path.abspath(named))] = None
        if self._on_excluded is not None:
            self._on_excluded(printable(path), "bakthat's own")

    def _count(self, label: str) -> None:
        self._by[label] += 1

    def report(self) -> Excluded:
        """What was left out so far."""
        by = {label: count for label, count in self._by.items() if count}
        return Excluded(by=by, own=tuple(sorted(self._own_found)))


def _is_cache(directory: int) -> bool:
    """Whether the directory has a regular file CACHEDIR.TAG with the signature."""
    try:
        descriptor = os.open(CACHE_TAG, O_READ | os.O_NOFOLLOW, dir_fd=directory)
    except OSError:
        return False
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            return False
        return os.read(descriptor, len(CACHE_SIGNATURE)) == CACHE_SIGNATURE
    except OSError:
        return False
    finally:
        os.close(descriptor)


def _is_there(name: str, directory: int) -> bool:
    try:
        os.stat(name, dir_fd=directory, follow_symlinks=False)
    except OSError:
        return False
    return True
