"""What came out of a damaged archive, as lines for a person and as JSON."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from attrs import asdict

from bakthat.domain.payload import Problem
from bakthat.domain.salvage import Listing, SalvageReport
from bakthat.entrypoints import terminal
from bakthat.entrypoints.options import Settings
from bakthat.usecases.salvage import Salvaged

_KINDS = ("partial", "unverified", "missing", "damages")


def show(salvaged: Salvaged, target: str, settings: Settings, *, as_json: bool) -> None:
    """Print the directory, or all as JSON, to stdout; and what is not whole to stderr."""
    report = salvaged.report
    if as_json:
        terminal.result_json({**salvaged.backup.as_record(), "salvaged": report_json(report)})
        return
    if report.directory:
        terminal.result(os.path.join(target, report.directory))
    for kind in _KINDS:
        for line in lines(kind, getattr(report, kind)):
            terminal.tell(line)
    if report.may_lack_more:
        terminal.tell("More may be missing: nothing says what else was in the damaged places.")
    counts = ", ".join(f"{getattr(report, kind).count} {kind}" for kind in _KINDS[:-1])
    whole = terminal.counted(report.whole.count, "file")
    settings.say(
        f"Salvaged {salvaged.backup.stored_filename}: {whole} whole ({terminal.human_size(report.size)}), {counts}."
    )


def lines(kind: str, listing: Listing) -> list[str]:
    """Return a line for each path, and one for those that the report only counts."""
    word = "damaged" if kind == "damages" else kind
    found = [_line(word, problem) for problem in listing.listed]
    rest = listing.count - sum(problem.count for problem in listing.listed)
    return [*found, f"{word}: {rest} more"] if rest > 0 else found


def _line(word: str, problem: Problem) -> str:
    return ": ".join(part for part in (word, problem.path, problem.reason) if part)


def report_json(report: SalvageReport) -> Mapping[str, Any]:
    """Return the report for JSON."""
    return {**asdict(report), "is_complete": report.is_complete}
