"""`Excluded`: counts of what a backup left out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from attrs import field, frozen

OWN = "bakthat"
"""The label under which a record counts bakthat's own files."""


@frozen(kw_only=True)
class Excluded:
    """What was left out. A directory that was not entered counts as one entry, whatever it contains.

    by: number of entries per cause: `.gitignore`, `.bakthatexclude`, the option (`--exclude` …), or `bakthat`. The
        contents of a directory that is kept empty count as one.
    own: the absolute paths of bakthat's own files and folders among them, for a person.
    """

    by: Mapping[str, int] = field(factory=dict)
    own: tuple[str, ...] = ()

    @property
    def entries(self) -> int:
        """The total number of entries."""
        return sum(self.by.values())

    def as_metadata(self) -> dict[str, Any]:
        """The value of `excluded` in a record."""
        found: dict[str, Any] = {"entries": self.entries, "by": dict(self.by)}
        if self.own:
            found["own"] = list(self.own)
        return found
