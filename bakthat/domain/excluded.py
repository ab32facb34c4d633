"""`Excluded`: the account of what a backup left out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from attrs import field, frozen

OWN = "bakthat"
"""What a record counts bakthat's own things by."""


@frozen(kw_only=True)
class Excluded:
    """What was left out. A directory that was not entered counts as one entry, whatever it holds.

    by: entries by what left them out: `.gitignore`, `.bakthatexclude`, the option (`--exclude` …), or `bakthat`. Of a
        directory that is kept without what is in it, all of that counts as one.
    own: the absolute paths of bakthat's own files and folders among them, for a person.
    """

    by: Mapping[str, int] = field(factory=dict)
    own: tuple[str, ...] = ()

    @property
    def entries(self) -> int:
        """All of them."""
        return sum(self.by.values())

    def as_metadata(self) -> dict[str, Any]:
        """As a record has it under `excluded`."""
        found: dict[str, Any] = {"entries": self.entries, "by": dict(self.by)}
        if self.own:
            found["own"] = list(self.own)
        return found
