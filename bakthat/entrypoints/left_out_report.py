"""The line that reports what a backup left out."""

from __future__ import annotations

import os

from bakthat.domain.backup import Backup
from bakthat.domain.excluded import OWN

_FILES = (".bakthatexclude", ".gitignore")


def left_out_line(made: Backup, source: str) -> str:
    """`Left out 12 entries: 10 by proj/.gitignore, 2 by --exclude.`; empty if nothing was. `source`: as the user wrote
    it."""
    excluded = made.metadata.excluded
    if excluded is None:
        return ""
    parts: list[str] = []
    for label, count in excluded["by"].items():
        if label == OWN:
            parts.append(f"{count} of bakthat's own ({', '.join(excluded['own'])})")
        else:
            place = os.path.join(os.path.normpath(source), label).removeprefix("./") if label in _FILES else label
            parts.append(f"{count} by {place}")
    entries = excluded["entries"]
    return f"Left out {entries} {'entry' if entries == 1 else 'entries'}: {', '.join(parts)}."
