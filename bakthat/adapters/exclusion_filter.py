"""`ExclusionFilter`: decides what a walk leaves out, and keeps the account."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from bakthat.adapters.printable import printable
from bakthat.domain import ignore_patterns
from bakthat.domain.exclusions import OWN, Excluded, Exclusions, is_own_object

OnExcluded = Callable[[str, str], None]
"""Takes the path of an entry that is left out, and what leaves it out, both for a person."""

_MAX_OWN_NAMED = 20


class ExclusionFilter:
    """Of one walk below the directory `source`."""

    def __init__(self, source: Path, exclusions: Exclusions, on_excluded: OnExcluded | None = None) -> None:
        self._rules = exclusions.rules
        self._own_objects = exclusions.own_objects
        self._on_excluded = on_excluded
        self._by = {**dict.fromkeys(self._rules.labels, 0), OWN: 0}
        self._own_found: dict[str, None] = {}
        self._source = source
        self.start: ignore_patterns.Level | None = self._rules.start if self._rules else None
        """The patterns at the source; None if there are none."""
        # By path, since some of it may come into being while the walk is under way; and by identity, since a mount
        # may show it under another path.
        self._own_names: dict[bytes, set[str]] = {}
        self.own_identities: set[tuple[int, int]] = set()
        """Device and inode of bakthat's own things that are there."""
        root = os.path.join(os.path.realpath(source), "")
        for path in exclusions.own_paths:
            if path.startswith(root):
                directory, _, name = path.removeprefix(root).rpartition("/")
                self._own_names.setdefault(os.fsencode(directory + "/" if directory else ""), set()).add(name)
            try:
                status = os.lstat(path)
            except OSError:
                continue
            self.own_identities.add((status.st_dev, status.st_ino))

    def own_names(self, within: bytes) -> Callable[[str], bool] | None:
        """What tells whether a name is of bakthat's own things in this directory: the path below the source, with a
        slash at its end, empty for the source itself. None if none of them is there."""
        names = self._own_names.get(within) if self._own_names else None
        if self._own_objects and not within:
            return lambda name: is_own_object(name) or (names is not None and name in names)
        return names.__contains__ if names else None

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
            self._own_found[printable(named)] = None
        if self._on_excluded is not None:
            self._on_excluded(printable(path), "bakthat's own")

    def _count(self, label: str) -> None:
        self._by[label] += 1

    def report(self) -> Excluded:
        """What was left out so far."""
        by = {label: count for label, count in self._by.items() if count}
        return Excluded(by=by, own=tuple(sorted(self._own_found)))
