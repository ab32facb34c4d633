"""Shows a plan of retention: the same table for a dry run and a real one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from bakthat.domain.calendar_view import calendar_of
from bakthat.domain.rotation import Decision, Plan
from bakthat.entrypoints import json_output, terminal
from bakthat.entrypoints.command_line_words import in_command_line_words
from bakthat.entrypoints.options import Settings
from bakthat.usecases.retention import Retention


def wants_table(settings: Settings, *, dry_run: bool, as_json: bool) -> bool:
    """Whether each backup gets a line: a night's success is a line per series."""
    return (dry_run or settings.verbose) and not as_json


def tell_plan(is_wanted: bool) -> Callable[[Plan], None]:
    """Shows a plan before it is carried out."""

    def show(plan: Plan) -> None:
        if is_wanted:
            _tell_each(plan, plan_lines)

    return show


def tell_calendar(plan: Plan) -> None:
    """The plan as a calendar; if there are several origins, one for each."""
    if len(plan.by_origin()) > 1:
        terminal.result("")
    _tell_each(plan, lambda one: calendar_of(one).splitlines())


def _tell_each(plan: Plan, lines_of: Callable[[Plan], list[str]]) -> None:
    """The lines of the plan; if there are several origins, those of each below its name."""
    plans = plan.by_origin()
    for number, (origin, one) in enumerate(plans.items()):
        if len(plans) > 1:
            if number:
                terminal.result("")
            terminal.result(f"{origin}:")
        for line in lines_of(one):
            terminal.result_words(line, indent="        ")


def plan_lines(plan: Plan) -> list[str]:
    """A line for each backup, newest first: the decision, its date, its name, and the reason."""
    decided = [("keep", decision) for decision in plan.keep] + [("delete", decision) for decision in plan.drop]
    decided.sort(key=lambda pair: (pair[1].backup.when, pair[1].backup.stored_filename), reverse=True)
    return terminal.table(
        [
            (
                word,
                decision.backup.when.strftime("%Y-%m-%d %H:%M:%SZ"),
                decision.backup.stored_filename,
                "; ".join(decision.reasons),
            )
            for word, decision in decided
        ]
    )


def report(name: str, done: Retention, settings: Settings, *, dry_run: bool, as_json: bool) -> None:
    """The outcome; raises the first error of a deletion that failed, so that the exit code says so."""
    if as_json:
        json_output.print_document(retention_as_json(done, dry_run))
    else:
        tell_outcome(name, done, settings, dry_run=dry_run)
    tell_failures(done, settings)
    if done.failed:
        raise done.failed[0][1]


def tell_outcome(name: str, done: Retention, settings: Settings, *, dry_run: bool) -> None:
    """The line for a series."""
    if dry_run:
        keep, drop = len(done.plan.keep), len(done.plan.drop)
        settings.say(f"{name}: would keep {keep} and delete {drop}; nothing was deleted.")
    elif not settings.quiet:
        origins = len(done.plan.by_origin())
        of_origins = f" (of {origins} origins)" if origins > 1 else ""
        terminal.result(f"{name}: kept {len(done.plan.keep)}, deleted {len(done.removed)}{of_origins}")


def tell_failures(done: Retention, settings: Settings) -> None:
    """How many deletions failed, if any."""
    if done.failed:
        settings.notice(f"{len(done.failed)} of {len(done.plan.drop)} could not be deleted; run this again")


def retention_as_json(done: Retention, dry_run: bool) -> dict[str, Any]:
    return {
        "dry_run": dry_run,
        "keep": [_decision(decision) for decision in done.plan.keep],
        "delete": [_decision(decision) for decision in done.plan.drop],
        "deleted": [backup.stored_filename for backup in done.removed],
        "failed": [
            {"stored_filename": backup.stored_filename, "error": in_command_line_words(str(error))}
            for backup, error in done.failed
        ],
    }


def _decision(decision: Decision) -> dict[str, Any]:
    origin = decision.origin
    return {
        "stored_filename": decision.backup.stored_filename,
        "reasons": list(decision.reasons),
        "origin": {"host": origin.host, "source": origin.source, "unknown": origin.is_unknown},
    }
