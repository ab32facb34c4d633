"""`bakthat configure-backups-rotation`."""

from __future__ import annotations

import os

import click

from bakthat.entrypoints.chosen_profile import profile_name
from bakthat.entrypoints.configure import configure_rotation
from bakthat.entrypoints.options import Settings, common


@click.command(short_help="Ask for a rotation, and save it.")
@common
def configure_backups_rotation(settings: Settings) -> None:
    """Ask for the rotation of a profile, show its effect on the existing backups, and save it."""
    configure_rotation(settings.config, profile_name(settings.profile, os.environ), notice=settings.notice)
