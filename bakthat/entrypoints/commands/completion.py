"""`bakthat completion`."""

from __future__ import annotations

import click

from bakthat.entrypoints import terminal
from bakthat.entrypoints.completion import SHELLS, script
from bakthat.entrypoints.options import Settings, common


@click.command(short_help="Print a shell's completion script.")
@click.argument("shell", metavar="SHELL", type=click.Choice(SHELLS))
@common
def completion(settings: Settings, shell: str) -> None:
    """Print the script with which SHELL (bash, zsh or fish) completes commands, options, profiles, destinations, jobs,
    series and backups.

    \b
    bash: eval "$(bakthat completion bash)" in ~/.bashrc
    zsh:  eval "$(bakthat completion zsh)" in ~/.zshrc, after compinit
    fish: bakthat completion fish > ~/.config/fish/completions/bakthat.fish
    """
    terminal.result_bytes([script(shell).encode()])
