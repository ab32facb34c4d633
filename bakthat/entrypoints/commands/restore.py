"""`bakthat restore`."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from typing import Any

import click

from bakthat.domain.objects import Tier
from bakthat.entrypoints import json_output, salvage_report, terminal
from bakthat.entrypoints.exit_codes import exit_code
from bakthat.entrypoints.limit_options import limit_options
from bakthat.entrypoints.options import (
    INCOMPLETE,
    Settings,
    allow_plain_option,
    ask_password,
    common,
    destination_option,
    host_option,
    identity_option,
    json_option,
    no_xattrs_option,
    password_file_option,
)
from bakthat.errors import ChainBroken, PayloadDamaged, UsageError


@click.command(short_help="Restore a backup, or a part of it.")
@click.argument("name", required=False)
@click.option("--from", "place", metavar="PLACE", help="s3://bucket/key, a file, or a plug-in's URL.")
@destination_option
@host_option
@click.option(
    "--target", default=".", metavar="DIR", type=click.Path(), help="Target directory (default: the current one)."
)
@click.option("--overwrite", is_flag=True, help="Replace existing entries; a directory as a whole.")
@allow_plain_option
@identity_option
@password_file_option
@click.option("--only", multiple=True, metavar="PATTERN", help="Only what matches (gitignore grammar); repeatable.")
@click.option("--salvage", is_flag=True, help="Of a damaged archive: what can be had, into DIR/NAME.salvaged.")
@click.option("--full-check", is_flag=True, help="With --only: read the whole archive, and check its SHA-256.")
@no_xattrs_option
@click.option("--tier", type=click.Choice([str(tier) for tier in Tier]), help="Speed of a retrieval from Glacier.")
@click.option("--wait", is_flag=True, help="Wait until a backup in Glacier is ready.")
@json_option
@common
@limit_options
def restore(
    settings: Settings,
    name: str | None,
    place: str | None,
    destination: str | None,
    host: str | None,
    target: str,
    overwrite: bool,
    allow_plain: bool,
    identities: tuple[str, ...],
    password: str | None,
    only: tuple[str, ...],
    salvage: bool,
    full_check: bool,
    no_xattrs: bool,
    tier: str | None,
    wait: bool,
    as_json: bool,
) -> None:
    """Restore the backup NAME: a stored filename, a series (its newest), or a series and the start of a date
    (photos.2026-01).

    From Glacier the first call starts the retrieval and says when to come back (exit code 75). An incomplete backup is
    restored as far as possible (exit code 3).

    A restore is all or nothing. If the archive is damaged and there is no other, --salvage writes what is left of it
    into the new directory NAME.salvaged, and lists what is partial, unverified or missing (exit code 5).
    """
    if name is None and place is None:
        raise UsageError("restore requires the NAME of a backup, or --from PLACE; `bakthat show` lists the backups")
    if place is not None and (name is not None or host is not None):
        what = "NAME" if name is not None else "--host"
        raise UsageError(f"--from PLACE names one archive by itself; leave out {what}")
    if salvage:
        if overwrite or full_check:
            raise UsageError("--salvage writes into a new directory, of whatever can be read: --overwrite and "
                             "--full-check cannot be combined with it")  # fmt: skip
        with settings.opened() as bakthat:
            given: dict[str, Any] = {
                "target": target,
                "identities": identities,
                "password": password,
                "only": only,
                "xattrs": False if no_xattrs else None,
                "ask": ask_password,
            }
            if place is not None:
                salvaged = bakthat.salvage_from(place, **given)
            else:
                assert name is not None  # noqa: S101 - see above
                salvaged = bakthat.salvage(
                    name, destination, host=host, allow_plain=allow_plain, tier=tier, wait=wait, **given
                )
        salvage_report.show(salvaged, target, settings, as_json=as_json)
        if not salvaged.is_complete:
            click.get_current_context().exit(exit_code(PayloadDamaged()))
        return
    xattrs = False if no_xattrs else None
    with _naming_salvage(), settings.opened() as bakthat:
        if name is not None:
            restored = bakthat.restore_with_report(
                name,
                destination,
                host=host,
                target=target,
                overwrite=overwrite,
                allow_plain=allow_plain,
                identities=identities,
                password=password,
                only=only,
                full_check=full_check,
                xattrs=xattrs,
                tier=Tier(tier) if tier is not None else None,
                wait=wait,
                ask=ask_password,
            )
        else:
            assert place is not None  # noqa: S101 - see above
            restored = bakthat.restore_from(
                place,
                target=target,
                overwrite=overwrite,
                identities=identities,
                password=password,
                only=only,
                xattrs=xattrs,
                ask=ask_password,
            )
    if as_json:
        json_output.print_document(
            {
                **json_output.record_json(restored.backup),
                "incomplete": restored.is_incomplete,
                "problems": list(restored.problems),
            }
        )
    else:
        for root in restored.report.roots:
            terminal.result(os.path.join(target, root))
        report = restored.report
        files = terminal.counted(report.files, "file")
        settings.say(f"Restored {restored.backup.stored_filename}: {files} ({terminal.human_size(report.size)}).")
    if restored.is_incomplete:
        terminal.tell("bakthat: restored, but the backup is incomplete: see the files named above")
        click.get_current_context().exit(INCOMPLETE)


@contextlib.contextmanager
def _naming_salvage() -> Iterator[None]:
    """An error about a damaged archive, or a chain, names the way out."""
    try:
        yield
    except (PayloadDamaged, ChainBroken) as error:
        raise type(error)(f"{error}; if there is no other backup, --salvage brings back what is left") from error
