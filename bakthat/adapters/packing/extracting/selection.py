"""`Selection`: which members of an archive are restored, and which entries are committed at the end."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence

from bakthat.adapters.filesystem.printable import printable
from bakthat.adapters.filesystem.staging import StagingDirectory
from bakthat.domain.ignore_patterns import IgnoreRules, PatternList
from bakthat.domain.literal_names import literal_pattern
from bakthat.domain.parameter import parameter
from bakthat.errors import BackupNotFound, PayloadDamaged, UsageError

_LONG_UNIT = 1024
_MAX_LONG_UNITS = 32 * 1024 * 1024
"""Selected entries are remembered by path. The limit for paths of more than 1,024 bytes together; a larger total
indicates a hostile archive."""


def literally(only: Sequence[str]) -> str:
    """The end of an error for patterns that match nothing: how to name a file with a bracket. Empty without one."""
    literal = literal_pattern(only)
    return f"; a backslash makes a bracket literal: {parameter('only', [printable(literal)])}" if literal else ""


class Selection:
    """Decides which members are restored, and collects the entries to be committed.

    Args:
        staging: checked early whether selected entries may be put in place.
        only: gitignore patterns below the backup's root; without any, everything is selected.
        root_is_guess: an existing entry may be replaced only if the archive contains nothing else beside it.

    Raises UsageError for patterns that select nothing.
    """

    def __init__(self, staging: StagingDirectory, only: Sequence[str], *, root_is_guess: bool) -> None:
        self._staging = staging
        self._only = only
        self._rules = IgnoreRules([PatternList("`only=`", only)]) if only else None
        if self._rules is not None and not self._rules:
            raise UsageError("`only=`: these patterns select nothing; omit it to restore everything")
        # With a negated pattern, directories cannot be restored, nor replaced, as a unit
        self._takes_directories_whole = not any(pattern.startswith("!") for pattern in only)
        self._root_is_guess = root_is_guess
        self._root: bytes | None = None
        self._long_units = 0
        self._has_met_members = False
        self._left_out = ""
        """The first selected member that cannot be restored, and why."""
        self.units: dict[bytes, None] = {}
        """The files and directories to be committed, in the order of the archive."""

    @property
    def is_partial(self) -> bool:
        """Whether there are patterns."""
        return self._rules is not None

    def selects(self, path: bytes, is_directory: bool) -> bool:
        """Whether this member is restored; if so, it is recorded for the commit. Raises TargetExists, UsageError."""
        self._has_met_members = True
        root, _, below = path.partition(b"/")
        if root != self._root:
            self._meet_root(root)
        if self._rules is None:
            if root not in self.units:
                self._staging.check(root)
                self.units[root] = None
            return True
        if not below:
            # Patterns start below the root; they can select the root itself only if it is a file
            if is_directory:
                return False
            below = root
        if not self._rules.selects(os.fsdecode(below), is_directory):
            return False
        if not is_directory or self._takes_directories_whole:
            self._add_unit(path)
        return True

    def is_left_out_by_pattern(self, path: bytes) -> bool:
        """Whether there are patterns, and none selects this path."""
        return self._rules is not None and not self._rules.selects(os.fsdecode(path.partition(b"/")[2]), False)

    def drop(self, path: bytes, reason: str = "") -> None:
        """Cancel the restore of a member. A `reason` is one why it cannot be restored."""
        if reason and not self._left_out:
            self._left_out = f"{printable(path)}: {reason}"
        self.units.pop(path, None)

    def require_something(self) -> None:
        """Raise BackupNotFound if the patterns selected nothing that can be restored, PayloadDamaged if there was
        nothing to select."""
        if self.units:
            return
        if self._rules is not None and self._left_out:
            raise BackupNotFound(f"nothing that can be restored was selected: {self._left_out}")
        if self._rules is not None and self._has_met_members:
            asked = printable(" ".join(self._only))
            raise BackupNotFound(
                f"nothing in this backup matches {asked}; patterns start below its root{literally(self._only)}"
            )
        raise PayloadDamaged("the tar archive contains nothing that can be restored")

    def _meet_root(self, root: bytes) -> None:
        if self._root_is_guess and self._root is not None:
            self._staging.replace_nothing()
            for unit in self.units:
                self._staging.check(unit)
        self._root = root

    def _add_unit(self, path: bytes) -> None:
        if any(above in self.units for above in _upwards(path)):
            return
        self._staging.check(path)
        if len(path) > _LONG_UNIT:
            self._long_units += len(path)
            if self._long_units > _MAX_LONG_UNITS:
                raise UsageError(
                    "`only=`: these patterns match too many entries with names of more than a thousand bytes; name a "
                    "directory that contains them"
                )
        self.units[path] = None


def _upwards(path: bytes) -> Iterator[bytes]:
    """The path, and every directory above it."""
    while path:
        yield path
        path = path.rpartition(b"/")[0]
