"""`Tools`: the dependencies of the verbs. Verbs are functions `verb(request, tools)`; they build nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from attrs import field, frozen

from bakthat.domain.archive_format import Compression
from bakthat.domain.callbacks import ignore
from bakthat.domain.payload import SourceKind
from bakthat.domain.progress import Progress
from bakthat.ports.file_states import FileStates, NoStates
from bakthat.ports.metadata_repo import MetadataRepo
from bakthat.ports.payload import Cipher, Compressor, Packer
from bakthat.ports.range_cache import NoCache, RangeCache
from bakthat.usecases.destinations.base import Destination

if TYPE_CHECKING:  # patterns are for backups, and cost some milliseconds
    from bakthat.domain.exclusions import OwnThings
    from bakthat.domain.ignore_patterns import PatternList

WORTH_A_REQUEST = 2 * 1024 * 1024
"""Plain bytes that are rather read than skipped: a request to a service takes some 20 ms, in which they come, too."""

WORTH_PARTS = 0.5
"""The part of an archive above which it is rather read whole: in one stream, with its SHA-256."""


@frozen(kw_only=True)
class Tools:
    """The ports, and callables for clock, host name, notices and progress.

    destination: the destination with a name; raises `UnknownDestination` or another `ConfigError`.
    tar, plain: packers of a tree and of a single file as it is. examine: what lies at a path (`SourceError`).
    source_patterns: the patterns in a source's own `.bakthatexclude`, else (if the second argument is True) its
    `.gitignore`; None without either; raises `SourceError`. named_patterns: those in a file that the user names; raises
    `UsageError`. own_things: what is bakthat's own below or around a source.
    clock: aware UTC. host: this machine's name. pid: this process. tool: name and version, recorded with each backup.
    sleep: waits for some seconds. notice: called with one line for the user. progress: called often with a verb's
    progress.
    range_cache: keeps what was read of archives. states: what the newest backups contained, for incremental ones.
    worth_a_request: plain bytes that a restore of parts rather reads than skips. worth_parts: above this part of an
    archive, it reads all of it.
    """

    destination: Callable[[str], Destination]
    repo: MetadataRepo
    tar: Packer
    plain: Packer
    compressors: Mapping[Compression, Compressor]
    cipher: Cipher
    examine: Callable[[Path], SourceKind]
    source_patterns: Callable[[Path, bool], PatternList | None]
    named_patterns: Callable[[Path], PatternList]
    own_things: Callable[[Path], OwnThings]
    clock: Callable[[], datetime]
    host: Callable[[], str]
    pid: Callable[[], int]
    tool: str
    sleep: Callable[[float], None]
    notice: Callable[[str], None] = ignore
    progress: Callable[[Progress], None] = ignore
    range_cache: RangeCache = field(factory=NoCache)
    states: FileStates = field(factory=NoStates)
    worth_a_request: int = WORTH_A_REQUEST
    worth_parts: float = WORTH_PARTS
