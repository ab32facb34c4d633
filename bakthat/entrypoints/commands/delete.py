"""`bakthat delete`."""

from __future__ import annotations

import click

from bakthat.domain.backup import Backup
from bakthat.entrypoints import json_output, terminal
from bakthat.entrypoints.options import Settings, common, destination_option, dry_run_option, host_option, json_option
from bakthat.errors import BakthatError, DeletionRefused
from bakthat.usecases.delete import DeletionCandidate


@click.command(short_help="Delete exactly one backup.")
@click.argument("name")
@destination_option
@host_option
@click.option("-y", "--yes", is_flag=True, help="Do not ask; also delete the last complete backup.")
@click.option(
    "--with-dependents", is_flag=True, help="Also delete the incremental backups that need it, the newest first."
)
@dry_run_option
@json_option
@common
def delete(
    settings: Settings,
    name: str,
    destination: str | None,
    host: str | None,
    yes: bool,
    with_dependents: bool,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Delete the one backup NAME: a stored filename, a series (its newest), or a series and the start of a date
    (photos.2026-01).

    Asks on a terminal. Without one, the last complete backup of its host and path is deleted only with --yes. A backup
    that incremental ones need is deleted only together with them.
    """
    removed: list[Backup] = []
    results = terminal.ResultsOfWork()

    def on_removed(backup: Backup) -> None:
        """Say it at once: if the next deletion fails, this one has happened all the same."""
        removed.append(backup)
        if not as_json:
            results.line(backup.stored_filename)
            settings.say(f"{'Would delete' if dry_run else 'Deleted'} {backup.stored_filename} from {backup.backend}.")

    asks = terminal.is_interactive() and not yes and not dry_run
    with settings.opened() as bakthat:
        if asks:
            chosen = bakthat.about_to_delete(name, destination, host=host)
            refused = bool(chosen.may_need) or (bool(chosen.dependents) and not with_dependents)
            if not refused and not terminal.ask_yes(_question(chosen), default=False):
                raise DeletionRefused("nothing was deleted")
            name = chosen.backup.stored_filename
        if dry_run and with_dependents:
            for dependent in reversed(bakthat.about_to_delete(name, destination, host=host).dependents):
                on_removed(dependent)
        try:
            gone = bakthat.delete(
                name,
                destination,
                host=host,
                dry_run=dry_run,
                spare_last_complete=not (asks or yes or dry_run),
                with_dependents=with_dependents,
                on_removed=on_removed,
            )
        except BakthatError:
            if as_json and removed and not dry_run:  # what happened before the error has happened
                json_output.print_document({"deleted": _names(removed)})
            raise
        if dry_run:
            on_removed(gone)
    if as_json:
        dependents = [name for name in _names(removed) if name != gone.stored_filename]
        deleted = [] if dry_run else _names(removed)
        json_output.print_document({**json_output.record_json(gone), "dependents": dependents, "deleted": deleted})
    results.check()


def _names(backups: list[Backup]) -> list[str]:
    return [backup.stored_filename for backup in backups]


def _question(chosen: DeletionCandidate) -> str:
    """`Delete photos.20260102030405.tgz, 1.2 GB, the newest of 14?`"""
    if chosen.of_origin == 1:
        place = f"the only one of {chosen.origin}"
    elif chosen.is_last_complete:
        place = f"the only complete one of {chosen.of_origin}"
    else:
        place = f"{'the newest' if chosen.is_newest else 'one'} of {chosen.of_origin}"
    size = chosen.backup.known_size
    facts = [chosen.backup.stored_filename, *([terminal.human_size(size)] if size is not None else []), place]
    with_it = f" and {len(chosen.dependents)} that need it" if chosen.dependents else ""
    return f"Delete {', '.join(facts)}{with_it}?"
