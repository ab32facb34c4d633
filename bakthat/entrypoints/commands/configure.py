"""`bakthat configure`."""

from __future__ import annotations

import click

from bakthat.entrypoints.configure import configure_profile
from bakthat.entrypoints.options import Settings, common


@click.command(short_help="Ask for settings, and save them.")
@common
def configure(settings: Settings) -> None:
    """Ask for the settings of a profile, and save them."""
    configure_profile(settings.config, settings.profile or "default", notice=settings.notice)
