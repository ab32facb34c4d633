"""What a backup leaves out: the patterns of the source and of the user, and bakthat's own files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from attrs import frozen

from bakthat.domain.payload import SourceKind
from bakthat.errors import UsageError
from bakthat.usecases.tools import Tools

if TYPE_CHECKING:
    from bakthat.domain.exclusions import Exclusions


@frozen(kw_only=True)
class ExclusionRequest:
    """What the user wants to leave out. The last matching pattern decides: the source's own come first, then those of
    `files`, then `patterns`.

    patterns: gitignore patterns, relative to the source.
    files: files of such patterns.
    gitignore: whether to use the `.gitignore` of a source without `.bakthatexclude`.
    caches, if_present, larger_than, one_file_system: as in `Exclusions`.
    """

    patterns: Sequence[str] = ()
    files: Sequence[Path] = ()
    gitignore: bool = True
    caches: bool = False
    if_present: Sequence[str] = ()
    larger_than: int | None = None
    one_file_system: bool = False


def exclusions_for(
    request: ExclusionRequest, source: Path, kind: SourceKind, destination: str, tools: Tools
) -> Exclusions:
    """What to leave out of the source. A single file has nothing to leave out.

    Raises `UsageError` for an unusable pattern file, an invalid name or size, and a source that is the folder of the
    backup's own destination; `SourceError` for the source's own pattern file.
    """
    # Imported here, because only backups need them.
    from bakthat.domain.exclusions import Exclusions
    from bakthat.domain.ignore_patterns import IgnoreRules, PatternList

    for name in request.if_present:
        if name in ("", ".", "..") or "/" in name or "\0" in name:
            raise UsageError(f"`exclude_if_present=`: {name!r}: use the name of a file or directory, without a slash")
    if request.larger_than is not None and request.larger_than < 0:
        raise UsageError(f"`exclude_larger_than={request.larger_than}`: the size must not be negative")
    lists = [tools.named_patterns(path) for path in request.files]
    if kind is not SourceKind.DIRECTORY:
        return Exclusions()
    of_source = tools.source_patterns(source, request.gitignore)
    if of_source is not None:
        lists.insert(0, of_source)
    if request.patterns:
        lists.append(PatternList("--exclude", request.patterns, spoken="`excludes=`"))
    own = tools.own_things(source)
    if own.is_store and destination in own.destinations:
        raise UsageError(
            f"{own.folder} is the folder of the destination {destination!r} itself; back it up to another destination"
        )
    if own.folder:
        tools.notice(
            f"the source is part of {own.folder}, a folder of bakthat; only bakthat's own objects there are left out"
        )
    return Exclusions(
        rules=IgnoreRules(lists),
        own_paths=own.paths,
        own_objects=own.is_store,
        caches=request.caches,
        if_present=tuple(request.if_present),
        larger_than=request.larger_than,
        one_file_system=request.one_file_system,
    )
