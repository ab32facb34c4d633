"""What salvaging a damaged archive brought back, and what it did not."""

from __future__ import annotations

from attrs import field, frozen

from bakthat.domain.payload import Problem

LISTED = 1000
"""Paths that a listing has, at most; the rest is only counted."""

LONGEST_PATH = 400
"""Characters of a path in a listing; a longer one is cut in its middle."""

DIRECTORY_SUFFIX = ".salvaged"
"""What is added to the name of the backup, for the directory that takes what was salvaged."""

PARTIAL_SUFFIX = ".partial"
"""What is added to the name of a file that has holes, or whose end is missing."""

UNVERIFIED_SUFFIX = ".unverified"
"""What is added to the name of something that is all there, but that nothing proves to be right."""


@frozen(kw_only=True)
class Listing:
    """How many there are, and the first of them, each with the reason why it is listed."""

    count: int = 0
    listed: tuple[Problem, ...] = ()


@frozen(kw_only=True)
class SalvageReport:
    """What came out of a damaged archive.

    directory: the name of the new directory in the target; empty if there was nothing to put into it.
    whole: the files that are as they were, below that directory. size: bytes of their content. directories, others:
    how many directories, and links, pipes and the like. partial: files with holes or without their end, under the name
    that they have now. unverified: what is all there and may still be wrong, likewise. missing: what is known by its
    name, and lost. damages: the damaged places of the archive. may_lack_more: whether something may be missing of which
    nobody knows the name. notices: what could not be set exactly, such as an owner.
    """

    directory: str = ""
    whole: Listing = field(factory=Listing)
    size: int = 0
    directories: int = 0
    others: int = 0
    partial: Listing = field(factory=Listing)
    unverified: Listing = field(factory=Listing)
    missing: Listing = field(factory=Listing)
    damages: Listing = field(factory=Listing)
    may_lack_more: bool = False
    notices: tuple[Problem, ...] = ()

    @property
    def is_empty(self) -> bool:
        """Whether it says nothing: there was nothing to bring back, and nothing is known to be lost."""
        return self.is_complete and not (self.directory or self.may_lack_more)

    @property
    def is_complete(self) -> bool:
        """Whether nothing is missing, nothing is doubtful, and no damage was met."""
        return not (self.partial.count or self.unverified.count or self.missing.count or self.damages.count)


class Lister:
    """Makes a `Listing`: counts, and keeps the first ones."""

    def __init__(self) -> None:
        self.count = 0
        self._listed: list[Problem] = []

    def add(self, path: str, reason: str = "", *, count: int = 1) -> None:
        """Count a path. `count`: how many things it stands for."""
        self.count += count
        if len(self._listed) < LISTED:
            self._listed.append(Problem(shortened(path), reason, count=count))

    def listing(self) -> Listing:
        """What was added so far."""
        return Listing(count=self.count, listed=tuple(self._listed))


def shortened(path: str) -> str:
    """The path, cut in its middle if it is very long."""
    if len(path) <= LONGEST_PATH:
        return path
    half = LONGEST_PATH // 2
    return f"{path[:half]}…{path[-half:]}"
