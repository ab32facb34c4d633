"""`bakthat show`."""

from __future__ import annotations

import sys
from collections.abc import Sequence

import click

from bakthat.domain.backup import Backup
from bakthat.domain.interval import parse_interval
from bakthat.domain.selector import nearest
from bakthat.entrypoints import backup_table, json_output, pager, screen, terminal
from bakthat.entrypoints.destinations import owners_of
from bakthat.entrypoints.listing import Listing, Wanted, list_backups
from bakthat.entrypoints.options import Settings, common, json_option
from bakthat.entrypoints.wiring import utc_now


@click.command(short_help="List backups, newest first.")
@click.argument("query", default="")
@click.option("-d", "--destination", metavar="DEST", help="Only this destination (default: all).")
@click.option(
    "-t",
    "--tags",
    multiple=True,
    metavar='"TAG TAG"',
    help="Only backups that have all of these tags; repeatable.",
)
@click.option("-n", "--number", type=click.IntRange(min=1), metavar="N", help="Only the N newest.")
@click.option("--since", metavar="INTERVAL", help="Only backups that are at most so old, such as 7D.")
@click.option("--host", metavar="NAME", help="Only backups of this host.")
@json_option
@common
def show(
    settings: Settings,
    query: str,
    destination: str | None,
    tags: tuple[str, ...],
    number: int | None,
    since: str | None,
    host: str | None,
    as_json: bool,
) -> None:
    """List the backups whose name contains QUERY, newest first (dates in UTC).

    Without -p, the backups of all profiles (status reports on one profile). With -v also the host, the path, the
    keys that a backup is encrypted to, and when it was last verified.

    On a terminal this is a table; if it is longer than the screen, a pager shows it (BAKTHAT_PAGER, PAGER, else less).
    Elsewhere it is a line for each backup, with tabs, in which nothing is cut: date, destination, size, name and tags.
    """
    wanted = Wanted(
        query=query,
        destination=destination,
        tags=tags,
        since=utc_now() - parse_interval(since) if since is not None else None,
        host=host,
    )
    listing = list_backups(settings.open_config(), settings.profile, wanted, notice=settings.notice)
    shown = listing.backups[:number]
    if as_json:
        json_output.print_backups(shown)
    elif screen.is_terminal(sys.stdout):
        _tell_table(shown, listing, settings)
    else:
        terminal.results(terminal.backup_line(backup, verbose=settings.verbose) for backup in shown)
    if not shown and not as_json:
        settings.say(_nothing(wanted, listing, settings))


def _tell_table(shown: Sequence[Backup], listing: Listing, settings: Settings) -> None:
    width, _ = screen.size_of(sys.stdout)
    home = backup_table.home_folder()
    lines = backup_table.table(
        shown, now=utc_now(), width=width, header=not settings.quiet, verbose=settings.verbose, home=home
    )
    if settings.quiet:
        terminal.results(lines)
        return
    if shown:
        total = backup_table.total_words(shown, of=len(listing.backups), whose=listing.whose, home=home)
        lines += screen.wrapped(total, width)
    pager.show(lines)


def _nothing(wanted: Wanted, listing: Listing, settings: Settings) -> str:
    """Say why nothing is listed, and how to go on."""
    if not wanted.is_everything:
        asked = f"No backups match {wanted.query!r}" if wanted.query else "No backups match these options"
        everything = list_backups(settings.open_config(), settings.profile, Wanted())
        alike = nearest(wanted.query, {backup.filename for backup in everything.backups}, most=3)
        hint = f"; did you mean {' or '.join(alike)}?" if wanted.query and alike else "."
        there = terminal.counted(len(everything.backups), "backup")
        return f"{asked} ({there} without a condition, {listing.whose}){hint}"
    if not listing.has_config:
        return (
            "No backups yet, and no configuration. `bakthat configure` asks where backups go and saves it; "
            "`bakthat backup DIR -d local` makes one in ~/.bakthat/store at once."
        )
    home = backup_table.home_folder()
    owners = owners_of(listing.profiles[0]) if len(listing.profiles) == 1 else ()
    places = [f"{owner.backend} {backup_table.place_words(owner.location, home=home)}" for owner in owners]
    where = f"{listing.whose}{': ' if places else ''}{', '.join(places)}"
    return (
        f"No backups in the database ({where}). `bakthat backup DIR` makes one; `bakthat sync` finds those that are in "
        "the store already."
    )
