"""`bakthat configure`."""

from __future__ import annotations

import os

import click

from bakthat.domain.environment_settings import set_variables
from bakthat.entrypoints.chosen_profile import profile_name
from bakthat.entrypoints.configure import configure_profile
from bakthat.entrypoints.options import Settings, common


@click.command(short_help="Ask for settings, and save them.")
@common
def configure(settings: Settings) -> None:
    """Ask for the settings of a profile, and save them."""
    configure_profile(settings.config, profile_name(settings.profile, os.environ), notice=settings.notice)
    if names := set_variables(os.environ):
        settings.notice(f"while they are set, {', '.join(names)} of the environment stand before what was saved")
