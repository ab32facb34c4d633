"""`BackupRequest`: what to back up, and the facts known before the source is read."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path

from attrs import field, frozen

from bakthat.domain.archive_format import Compression, StorageForm
from bakthat.domain.backup_metadata import Facts
from bakthat.domain.increment_policy import IncrementPolicy
from bakthat.domain.payload import Keys
from bakthat.domain.stored_name import check_series, series_of
from bakthat.errors import SourceError
from bakthat.usecases.exclusions import ExclusionRequest
from bakthat.usecases.storing.facts import printable
from bakthat.usecases.tools import Tools


@frozen(kw_only=True)
class BackupRequest:
    """What to back up.

    name: of the series, by default the base name of the source.
    keys: encrypt it; none for a plain backup.
    exclusions: what to leave out.
    on_excluded: called with the path of each entry that is left out, and the reason.
    compression: NONE stores a file as it is, a directory as an uncompressed tar.
    recorded_source: the source in the record, by default the path of the source; "" for none: the path of a temporary
        directory differs each time.
    xattrs: keep extended attributes, access control lists, file capabilities and SELinux labels.
    incremental: of a directory, store only what changed since the newest backup, as long as the policy allows it; None
        stores everything. full: store everything, and begin a new chain.
    """

    source: Path
    destination: str
    name: str | None = None
    tags: tuple[str, ...] = ()
    keys: Keys = field(factory=Keys)
    exclusions: ExclusionRequest = field(factory=ExclusionRequest)
    on_excluded: Callable[[str, str], None] | None = None
    compression: Compression = Compression.GZIP
    recorded_source: str | None = None
    xattrs: bool = True
    incremental: IncrementPolicy | None = None
    full: bool = False


def series_for(request: BackupRequest, form: StorageForm) -> str:
    """The series of the backup. Raises `InvalidName`."""
    if request.name is not None:
        return check_series(request.name)
    base_name = _absolute(request.source).name
    if form.packed_by_source:
        # As 2013 did: dump.tar.gz becomes dump.20130305193615.tgz.
        base_name = re.sub(r"\.(tgz|tar\.gz)$", "", base_name) or base_name
    return series_of(base_name)


def facts_of_source(request: BackupRequest, form: StorageForm, tools: Tools) -> Facts:
    """The facts for the record that are known before the first byte."""
    facts: Facts = {
        "client": tools.host(),
        "root": printable(_absolute(request.source).name or "root"),
        "tool": tools.tool,
        "compression": str(form.format.compression),
        "container": str(form.format.container),
    }
    source = request.recorded_source
    if source is None:
        source = os.path.abspath(request.source)
    if source:
        facts["source"] = printable(source)
    if request.keys:
        facts["encryption"] = request.keys.as_metadata()
    if form.packed_by_source:
        facts["packed_by_source"] = True
    return facts


def _absolute(source: Path) -> Path:
    try:
        return Path(os.path.abspath(source))
    except FileNotFoundError:
        raise SourceError("the current directory no longer exists; change to another one") from None
