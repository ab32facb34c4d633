"""What lists of gitignore patterns match, as git decides it: `IgnoreRules`.

Matching goes from the top of a tree down, one directory at a time: a `Level` knows which patterns can still match in
its directory. Literal names are looked up, and a wildcard is tried once for each name, without backtracking; so the
time is bounded by the length of the name times that of the patterns, whatever they are.

`?` and character classes count characters, where git counts bytes.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence

from attrs import field, frozen

from bakthat.domain.gitignore_grammar import ANY_NAME, DEEP, Glob, Match, Part, read_pattern
from bakthat.errors import UsageError

MAX_PATTERNS = 100_000
"""Patterns at once. Each may cost some microseconds for every file, and some hundred bytes."""

_MAX_REMEMBERED = 1_000
"""Levels, and verdicts on directories, that are kept for the next question."""


def _tuple(lines: Iterable[str]) -> tuple[str, ...]:
    return tuple(lines)


@frozen
class PatternList:
    """Patterns from one place, in their order.

    label: what a record counts by: `.gitignore`, `--exclude`.
    lines: as in a file, without line ends; comments and blank lines are allowed.
    place: the file's path, for a person; empty where the patterns come from no file.
    """

    label: str
    lines: tuple[str, ...] = field(converter=_tuple)
    place: str = ""


@frozen
class _Path:
    """A pattern that matches paths from the top."""

    number: int
    only_directories: bool
    parts: tuple[Part, ...]


class IgnoreRules:
    """What some lists of patterns match. The last pattern that matches an entry's own name decides; one that begins
    with `!` takes it back. Nothing is asked about what lies below a directory that is left out.

    The patterns that can match are numbered through all lists, from 0.
    """

    def __init__(self, lists: Iterable[PatternList], *, max_patterns: int = MAX_PATTERNS) -> None:
        """Raises `UsageError` for more than `max_patterns` patterns that can match."""
        self._lists = tuple(lists)
        self._max_patterns = max_patterns
        self._first_numbers: list[int] = []
        self._line_numbers: list[int] = []
        self.takes_back: list[bool] = []
        """For each pattern, whether it begins with `!`."""
        # Patterns that match names in every directory; of those that match the same, the last one.
        self.names: dict[str, int] = {}
        self.directory_names: dict[str, int] = {}
        self.any_name = self.any_directory = -1
        self.globs: list[tuple[int, bool, Match]] = []
        by_length: dict[int, dict[str, int]] = {}
        self._paths: list[_Path] = []
        self._levels: dict[tuple[tuple[int, int], ...], Level] = {}
        self._verdicts: dict[str, tuple[Level, bool]] = {}
        for patterns in self._lists:
            self._first_numbers.append(len(self.takes_back))
            for line_number, line in enumerate(patterns.lines, 1):
                self._add(line, line_number, patterns, by_length)
        self.globs.reverse()
        self.suffixes = tuple(by_length.items())
        """Of `*suffix` patterns: for each length, the numbers of the suffixes that have it."""
        self.start = self.level((path, 0) for path in range(len(self._paths)))
        """The top directory."""

    def __bool__(self) -> bool:
        """Whether any pattern can match."""
        return bool(self.takes_back)

    @property
    def labels(self) -> tuple[str, ...]:
        """Of the lists, in their order."""
        return tuple(patterns.label for patterns in self._lists)

    def list_of(self, number: int) -> PatternList:
        """The list that holds the pattern of this number."""
        return self._lists[bisect_right(self._first_numbers, number) - 1]

    def described(self, number: int) -> str:
        """Where the pattern stands, for a person: `proj/.gitignore, line 3`, or `--exclude`. Never its text: a file
        that is named by mistake may hold anything."""
        patterns = self.list_of(number)
        return f"{patterns.place}, line {self._line_numbers[number]}" if patterns.place else patterns.label

    def selects(self, path: str, is_directory: bool) -> bool:
        """Whether patterns that choose, instead of leaving out, choose this path: the last one that matches it decides;
        where none does, the choice for the directory that it is in."""
        parent, _, name = path.rpartition("/")
        level, chosen = self._verdict(parent)
        number = level.deciding(name, is_directory)
        return chosen if number < 0 else not self.takes_back[number]

    def _verdict(self, directory: str) -> tuple[Level, bool]:
        known = directory
        names: list[str] = []
        while known and known not in self._verdicts:
            known, _, name = known.rpartition("/")
            names.append(name)
        level, chosen = self._verdicts[known] if known else (self.start, False)
        while names:
            name = names.pop()
            number = level.deciding(name, True)
            if number >= 0:
                chosen = not self.takes_back[number]
            level = level.below(name)
            known = f"{known}/{name}" if known else name
            if len(self._verdicts) >= _MAX_REMEMBERED:
                self._verdicts.clear()
            self._verdicts[known] = level, chosen
        return level, chosen

    def level(self, positions: Iterable[tuple[int, int]]) -> Level:
        """The directory in which these patterns of paths have come to these parts of theirs."""
        reached: dict[tuple[int, int], None] = {}
        for path, at in positions:
            parts = self._paths[path].parts
            while at < len(parts):
                reached[path, at] = None
                if parts[at] is not DEEP:
                    break
                at += 1  # it may stand for no directory at all
        key = tuple(reached)
        if key not in self._levels:
            if len(self._levels) >= _MAX_REMEMBERED:
                self._levels.clear()
            self._levels[key] = Level(self, key, self._paths)
        return self._levels[key]

    def _add(self, line: str, line_number: int, patterns: PatternList, by_length: dict[int, dict[str, int]]) -> None:
        pattern = read_pattern(line)
        if pattern is None:
            return
        number = len(self.takes_back)
        if number == self._max_patterns:
            place = patterns.place or patterns.label
            raise UsageError(f"{place}: more than {self._max_patterns:,} patterns are not taken")
        self.takes_back.append(pattern.takes_back)
        self._line_numbers.append(line_number)
        only_directories, name = pattern.only_directories, pattern.name
        if isinstance(name, str):
            (self.directory_names if only_directories else self.names)[name] = number
        elif name is ANY_NAME:
            self.any_directory = number
            self.any_name = self.any_name if only_directories else number
        elif isinstance(name, Glob):
            if name.suffix and not only_directories:
                by_length.setdefault(len(name.suffix), {})[name.suffix] = number
            else:
                self.globs.append((number, only_directories, name.matches))
        self._paths += (_Path(number, only_directories, parts) for parts in pattern.paths)


class Level:
    """A directory, as the patterns see it."""

    __slots__ = ("_deep", "_elsewhere", "_exact", "_globs", "_last_exact", "_last_globs", "_rules")

    def __init__(self, rules: IgnoreRules, positions: Sequence[tuple[int, int]], paths: Sequence[_Path]) -> None:
        """`IgnoreRules` makes it."""
        self._rules = rules
        # Where patterns go on, below a name in here.
        self._deep: list[tuple[int, int]] = []
        self._elsewhere: Level | None = None  # below any name that no pattern enters
        self._exact: dict[str, list[tuple[int, int]]] = {}
        self._globs: list[tuple[Match | None, int, int]] = []
        # What decides about a name in here: number, and whether of directories only.
        self._last_exact: dict[str, list[tuple[int, bool]]] = {}
        self._last_globs: list[tuple[int, bool, Match | None]] = []
        for path, at in positions:
            number, only_directories, parts = paths[path].number, paths[path].only_directories, paths[path].parts
            part = parts[at]
            is_last = at + 1 == len(parts) or (at + 2 == len(parts) and parts[-1] is DEEP)
            if isinstance(part, str):
                self._exact.setdefault(part, []).append((path, at + 1))
                if is_last:
                    self._last_exact.setdefault(part, []).append((number, only_directories))
                continue
            matches = part.matches if isinstance(part, Glob) else None
            if part is DEEP:
                self._deep.append((path, at))
            else:
                self._globs.append((matches, path, at + 1))
            if is_last and (part is not DEEP or at + 1 == len(parts)):
                self._last_globs.append((number, only_directories, matches))
        self._last_globs.sort(key=lambda one: -one[0])

    def excluding(self, name: str, is_directory: bool) -> int:
        """The number of the pattern that leaves out what has this name in here; -1 if it stays."""
        number = self.deciding(name, is_directory)
        return -1 if number < 0 or self._rules.takes_back[number] else number

    def deciding(self, name: str, is_directory: bool) -> int:
        """The number of the last pattern that matches what has this name in here; -1 if none does."""
        rules = self._rules
        best = rules.names.get(name, -1)
        if is_directory:
            best = max(best, rules.any_directory, rules.directory_names.get(name, -1))
        elif rules.any_name > best:
            best = rules.any_name
        for length, numbers in rules.suffixes:
            number = numbers.get(name[-length:], -1)
            if number > best:
                best = number
        for number, only_directories, matches in rules.globs:
            if number < best:
                break
            if (is_directory or not only_directories) and matches(name):
                best = number
                break
        if name in self._last_exact:
            for number, only_directories in self._last_exact[name]:
                if number > best and (is_directory or not only_directories):
                    best = number
        for number, only_directories, may_match in self._last_globs:
            if number < best:
                break
            if (is_directory or not only_directories) and (may_match is None or may_match(name)):
                return number
        return best

    def below(self, name: str) -> Level:
        """The directory of this name in here."""
        if not (self._exact or self._globs or self._deep):
            return self
        entered = list(self._exact.get(name, ()))
        entered += [(path, at) for matches, path, at in self._globs if matches is None or matches(name)]
        if entered:
            return self._rules.level(sorted([*self._deep, *entered]))
        if self._elsewhere is None:
            self._elsewhere = self._rules.level(self._deep)
        return self._elsewhere
