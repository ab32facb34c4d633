"""Matching of gitignore patterns, with git's semantics: `IgnoreRules`.

Matching goes from the top of a tree down, one directory at a time: a `Level` knows which patterns can still match in
its directory. Literal names are looked up, and a wildcard is tried once per name, without backtracking. So the time is
bounded by the length of the name times the length of the patterns.

`?` and character classes match characters; git matches bytes.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence

from attrs import field, frozen

from bakthat.domain.gitignore_grammar import Glob, Match, Part, read_pattern
from bakthat.domain.gitignore_tokens import ANY_NAME, DEEP
from bakthat.errors import UsageError

MAX_PATTERNS = 100_000
"""The maximum number of patterns. Each may cost some microseconds per file, and some hundred bytes."""

_MAX_REMEMBERED = 1_000
"""The number of cached levels, and of cached verdicts on directories."""


def _tuple(lines: Iterable[str]) -> tuple[str, ...]:
    return tuple(lines)


@frozen
class PatternList:
    """Patterns from one place, in order.

    label: the name under which a record counts them: `.gitignore`, `--exclude`.
    lines: as in a file, without line endings; comments and blank lines are allowed.
    place: the path of the file, for messages; empty if the patterns do not come from a file.
    spoken: how messages call the patterns that do not come from a file; the label, if it is empty.
    """

    label: str
    lines: tuple[str, ...] = field(converter=_tuple)
    place: str = ""
    spoken: str = ""


@frozen
class _Path:
    """A pattern that matches paths from the top."""

    number: int
    only_directories: bool
    parts: tuple[Part, ...]


class IgnoreRules:
    """The rules of some lists of patterns. The last pattern that matches an entry's own name decides; one that begins
    with `!` includes it again. Entries below a directory that is left out are not checked.

    Patterns that can match are numbered through all lists, from 0.
    """

    def __init__(self, lists: Iterable[PatternList], *, max_patterns: int = MAX_PATTERNS) -> None:
        """Raises `UsageError` for more than `max_patterns` patterns that can match."""
        self._lists = tuple(lists)
        self._max_patterns = max_patterns
        self._first_numbers: list[int] = []
        self._line_numbers: list[int] = []
        self.takes_back: list[bool] = []
        """For each pattern, whether it begins with `!`."""
        # Patterns that match names in every directory; of equal ones, the last.
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
        """For `*suffix` patterns: by length, the suffixes with their numbers."""
        self.start = self.level((path, 0) for path in range(len(self._paths)))
        """The top directory."""

    def __bool__(self) -> bool:
        """Whether any pattern can match."""
        return bool(self.takes_back)

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels of the lists, in order."""
        return tuple(patterns.label for patterns in self._lists)

    def list_of(self, number: int) -> PatternList:
        """The list that contains the pattern with this number."""
        return self._lists[bisect_right(self._first_numbers, number) - 1]

    def described(self, number: int) -> str:
        """The place of the pattern, for messages: `proj/.gitignore, line 3`, or `--exclude`. Never its text: a file
        that is named by mistake may contain anything."""
        patterns = self.list_of(number)
        return f"{patterns.place}, line {self._line_numbers[number]}" if patterns.place else patterns.label

    def selects(self, path: str, is_directory: bool) -> bool:
        """Whether patterns that select, instead of leaving out, select this path. The last matching pattern decides; if
        there is none, the path follows its directory."""
        parent, _, name = path.rpartition("/")
        level, chosen = self._verdict(parent)
        number = level.deciding(name, is_directory)
        return chosen if number < 0 else not self.takes_back[number]

    def selects_itself(self, path: str, is_directory: bool) -> bool:
        """Whether patterns that select name this very path, and not only a directory above it."""
        parent, _, name = path.rpartition("/")
        number = self._verdict(parent)[0].deciding(name, is_directory)
        return number >= 0 and not self.takes_back[number]

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
        """The directory in which these path patterns have reached these parts."""
        reached: dict[tuple[int, int], None] = {}
        for path, at in positions:
            parts = self._paths[path].parts
            while at < len(parts):
                reached[path, at] = None
                if parts[at] is not DEEP:
                    break
                at += 1  # `**` may match no directory at all
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
            place = patterns.place or patterns.spoken or patterns.label
            raise UsageError(f"{place}: more than {self._max_patterns:,} patterns; use fewer")
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
    """The state of the patterns in one directory."""

    __slots__ = ("_deep", "_elsewhere", "_exact", "_globs", "_last_exact", "_last_globs", "_rules")

    def __init__(self, rules: IgnoreRules, positions: Sequence[tuple[int, int]], paths: Sequence[_Path]) -> None:
        """Called by `IgnoreRules`."""
        self._rules = rules
        # Where patterns continue, below a name in this directory.
        self._deep: list[tuple[int, int]] = []
        self._elsewhere: Level | None = None  # below any name that no pattern enters
        self._exact: dict[str, list[tuple[int, int]]] = {}
        self._globs: list[tuple[Match | None, int, int]] = []
        # What decides about a name in this directory: number, and whether for directories only.
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
        """The number of the pattern that leaves out this name in this directory; -1 if none does."""
        number = self.deciding(name, is_directory)
        return -1 if number < 0 or self._rules.takes_back[number] else number

    def deciding(self, name: str, is_directory: bool) -> int:
        """The number of the last pattern that matches this name in this directory; -1 if none does."""
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
        """The level of the subdirectory with this name."""
        if not (self._exact or self._globs or self._deep):
            return self
        entered = list(self._exact.get(name, ()))
        entered += [(path, at) for matches, path, at in self._globs if matches is None or matches(name)]
        if entered:
            return self._rules.level(sorted([*self._deep, *entered]))
        if self._elsewhere is None:
            self._elsewhere = self._rules.level(self._deep)
        return self._elsewhere
