"""`--limit-upload` and `--limit-download`, for the commands that transfer archives."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import click
from attrs import evolve

from bakthat.entrypoints.options import Settings


def limit_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add both options. They come before `common`, nearer to the command: they change its `Settings`."""

    @click.option("--limit-download", metavar="RATE", help="Bytes a second to receive at most, such as 5M.")
    @click.option("--limit-upload", metavar="RATE", help="Bytes a second to send at most, such as 5M.")
    @functools.wraps(command)
    def wrapped(settings: Settings, limit_upload: str | None, limit_download: str | None, **options: Any) -> None:
        limited = evolve(settings, limit_upload=limit_upload, limit_download=limit_download)
        command(limited, **options)

    return wrapped
