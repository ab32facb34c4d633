"""`Tally`: limits long lists of similar problems."""

from __future__ import annotations

from bakthat.domain.payload import Problem

_LISTED = 100
"""The number of problems per kind that are listed."""


class Tally:
    """Lists the first hundred problems of each kind (`why`) and counts the rest: a tree with a million sockets must not
    fill a log or memory."""

    def __init__(self) -> None:
        self._listed: list[Problem] = []
        self._counts: dict[str, int] = {}
        self.count = 0
        """All problems, of any kind."""

    def add(self, path: str, why: str) -> None:
        self.count += 1
        count = self._counts[why] = self._counts.get(why, 0) + 1
        if count <= _LISTED:
            self._listed.append(Problem(path, why))

    def problems(self, all_in: str) -> tuple[Problem, ...]:
        """What was listed; then for each kind of which there were more, how many, as of the directory `all_in`."""
        more = [
            Problem(all_in, f"{count - _LISTED} more like this: {why}", count=count - _LISTED)
            for why, count in self._counts.items()
            if count > _LISTED
        ]
        return (*self._listed, *more)
