"""`bakthat diff`."""

from __future__ import annotations

import click

from bakthat.entrypoints import json_output, terminal
from bakthat.entrypoints.contents_report import difference_json, difference_line
from bakthat.entrypoints.options import (
    Settings,
    allow_plain_option,
    ask_password,
    common,
    destination_option,
    host_option,
    identity_option,
    json_option,
    password_file_option,
    trouble_is_two,
)

_DIFFERENT = 1


@click.command(short_help="Compare what two backups contain.")
@click.argument("name", metavar="A")
@click.argument("other", metavar="[B]", required=False)
@allow_plain_option
@identity_option
@password_file_option
@destination_option
@host_option
@json_option
@common
@trouble_is_two
def diff(
    settings: Settings,
    name: str,
    other: str | None,
    allow_plain: bool,
    identities: tuple[str, ...],
    password: str | None,
    destination: str | None,
    host: str | None,
    as_json: bool,
) -> None:
    """Compare what the backups A and B contain: paths that were added, removed, or changed (size, time, mode, type).

    A and B are chosen as by `restore`, the older one first. A alone is compared with the backup before it. Exit codes:
    0 equal, 1 different, 2 or more trouble.
    """
    with settings.opened() as bakthat:
        compared = bakthat.diff(
            name,
            other,
            destination,
            host=host,
            allow_plain=allow_plain,
            identities=identities,
            password=password,
            ask=ask_password,
        )
    before, after = compared.before.stored_filename, compared.after.stored_filename
    if as_json:
        about = {"before": before, "after": after}
        json_output.print_items(about, "differences", map(difference_json, compared.differences))
    else:
        settings.say(f"{before} to {after}: {terminal.counted(len(compared.differences), 'difference')}.")
        terminal.results(map(difference_line, compared.differences))
    if compared.differences:
        click.get_current_context().exit(_DIFFERENT)
