"""The facts about a backup's content in its record."""

from __future__ import annotations

import os

from bakthat.domain.backup_metadata import Facts
from bakthat.domain.excluded import OWN
from bakthat.domain.payload import PackReport
from bakthat.usecases.tools import Tools

_PROBLEMS_RECORDED = 20


def facts_of(report: PackReport) -> Facts:
    """The facts of a record that are known after the last byte."""
    facts: Facts = {
        "counts": {
            "files": report.files,
            "directories": report.directories,
            "others": report.others,
            "bytes": report.size,
        },
    }
    if report.excluded.by:
        facts["excluded"] = report.excluded.as_metadata()
    if report.problems:
        facts["incomplete"] = True
        facts["problem_count"] = sum(problem.count for problem in report.problems)
        facts["problems"] = [
            f"{printable(problem.path)}: {problem.reason}" for problem in report.problems[:_PROBLEMS_RECORDED]
        ]
    return facts


def report_notices(name: str, report: PackReport, tools: Tools) -> None:
    """Notices about the content of the backup, or of a dry run."""
    for problem in report.problems + report.notices:
        tools.notice(f"{problem.path}: {problem.reason}")
    if not report.files:
        by = ", ".join(
            f"{count} of bakthat's own" if label == OWN else f"{count} by {label}"
            for label, count in report.excluded.by.items()
        )
        tools.notice(f"{name} contains no files" + (f"; left out were {by}" if by else ""))


def printable(path: str) -> str:
    """Text that JSON and every database accept; bytes that are not UTF-8 are written as `\\xff`."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")
