"""What came out of a damaged archive, as lines for a person and as JSON."""

from __future__ import annotations

import os
import textwrap
from collections.abc import Iterator, Mapping
from typing import Any

from attrs import asdict

from bakthat.domain.payload import Problem
from bakthat.domain.salvage import Listing
from bakthat.entrypoints import json_output, terminal
from bakthat.entrypoints.options import Settings
from bakthat.usecases.salvage import Salvaged

_WIDTH = 80
_SHOWN = 20
"""Lines of each kind, at most. `--json` has up to a thousand."""


def show(salvaged: Salvaged, target: str, settings: Settings, *, as_json: bool) -> None:
    """Print the directory, or all as JSON, to stdout; and what is not whole to stderr."""
    report = salvaged.report
    if as_json:
        json_output.print_document({**json_output.record_json(salvaged.backup), "salvaged": report_json(salvaged)})
        return
    if report.directory:
        terminal.result(os.path.join(target, report.directory))
    for line in lines(salvaged):
        terminal.tell(line)
    counts = ", ".join(f"{getattr(report, kind).count} {kind}" for kind in ("partial", "unverified", "missing"))
    whole = terminal.counted(report.whole.count, "file")
    settings.say(
        f"Salvaged {salvaged.backup.stored_filename}: {whole} whole ({terminal.human_size(report.size)}), {counts}."
    )


def lines(salvaged: Salvaged) -> Iterator[str]:
    """What is not whole, in lines for a terminal."""
    report = salvaged.report
    faults = tuple(Problem("", fault) for fault in salvaged.faults)
    damages = Listing(count=report.damages.count + len(faults), listed=(*faults, *report.damages.listed))
    yield from _section("damaged", damages)
    yield from _section("partial", report.partial)
    yield from _section("unverified", report.unverified)
    yield from _section("missing", report.missing)
    if report.may_lack_more:
        yield "More may be missing: nothing says what else was in the damaged places."


def report_json(salvaged: Salvaged) -> Mapping[str, Any]:
    """Return the report for JSON."""
    return {**asdict(salvaged.report), "faults": list(salvaged.faults), "is_complete": salvaged.is_complete}


def _section(word: str, listing: Listing) -> Iterator[str]:
    for problem in listing.listed[:_SHOWN]:
        text = ": ".join(part for part in (word, problem.path, problem.reason) if part)
        yield from textwrap.wrap(
            terminal.printable(text), _WIDTH, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False
        )
    rest = listing.count - sum(problem.count for problem in listing.listed[:_SHOWN])
    if rest > 0:
        yield f"{word}: {rest} more"
