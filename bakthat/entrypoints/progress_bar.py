"""The progress bar on a terminal. `rich` is imported only when one is shown."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

from bakthat.domain.callbacks import ignore
from bakthat.domain.progress import Progress
from bakthat.entrypoints.human_words import human_size

_UPDATES = 0.1
"""Seconds between two updates; a report may come with every block."""

_FIRST = 0.5
"""Seconds before a speed is shown."""

_shown: list[Any] = []
"""The progress bars on the terminal."""


@contextlib.contextmanager
def without_bars() -> Iterator[None]:
    """Take progress bars away while the body asks something: they would be drawn over the question."""
    stopped = list(_shown)
    for bar in stopped:
        bar.stop()
    try:
        yield
    finally:
        for bar in stopped:
            bar.start()


def clear_bars() -> None:
    """Take the bars of what has ended from the terminal; the next report of progress shows its own."""
    for bar in _shown:
        for task in bar.tasks:
            bar.update(task.id, visible=False)
        bar.refresh()


def amount(done: float, total: float | None) -> str:
    """`29.4 MB`, or with a known total `29.4 MB of 1.2 GB`."""
    return human_size(done) if total is None else f"{human_size(done)} of {human_size(total)}"


def speed_words(done: float, elapsed: float | None) -> str:
    """`12.0 MB/s`, on the whole; "" for the first half second, which says little."""
    return f"{human_size(done / elapsed)}/s" if elapsed is not None and elapsed >= _FIRST else ""


def time_words(elapsed: float | None, remaining: float | None) -> str:
    """How long it will still take, `1:05 left`; where nobody knows, how long it has taken, `1:05`."""
    seconds = remaining if remaining is not None else elapsed
    if seconds is None:
        return ""
    minutes, second = divmod(int(seconds), 60)
    hours, minute = divmod(minutes, 60)
    clock = f"{hours}:{minute:02}:{second:02}" if hours else f"{minute}:{second:02}"
    return f"{clock} left" if remaining is not None else clock


@contextlib.contextmanager
def progress_bar(wanted: bool) -> Iterator[Callable[[Progress], None]]:
    """Show a progress bar on stderr while the body runs, if it is a terminal and a bar is requested. Otherwise yields
    `ignore`, by which a verb sees that nobody watches."""
    if not (wanted and sys.stderr.isatty() and os.environ.get("TERM") != "dumb"):
        yield ignore
        return
    bars: dict[str, Any] = {}
    tasks: dict[tuple[str, str], Any] = {}
    last = 0.0

    def show(progress: Progress) -> None:
        nonlocal last
        now = time.monotonic()
        if now - last < _UPDATES and progress.done != progress.total:
            return
        last = now
        if progress.unit not in bars:
            bars[progress.unit] = _bar(progress.unit)
            bars[progress.unit].start()
            _shown.append(bars[progress.unit])
        bar = bars[progress.unit]
        key = (progress.unit, progress.stage)
        if key not in tasks:
            for unit, stage in tasks:
                if unit == progress.unit:  # the stage before, such as another backup
                    bar.update(tasks[unit, stage], visible=False)
            tasks[key] = bar.add_task(progress.stage, total=progress.total)
        bar.update(tasks[key], completed=progress.done, total=progress.total, visible=True)

    try:
        yield show
    finally:
        for bar in bars.values():
            _shown.remove(bar)
            bar.stop()


def _bar(unit: str) -> Any:
    """A bar of rich for this unit."""
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        ProgressColumn,
        Task,
        TextColumn,
    )
    from rich.progress import Progress as Bar
    from rich.table import Column
    from rich.text import Text

    class Amount(ProgressColumn):
        def render(self, task: Task) -> Text:
            return Text(amount(task.completed, task.total), no_wrap=True)

    class Speed(ProgressColumn):
        def render(self, task: Task) -> Text:
            return Text(speed_words(task.completed, task.elapsed), no_wrap=True)

    class Time(ProgressColumn):
        def render(self, task: Task) -> Text:
            return Text(time_words(task.elapsed, task.time_remaining), no_wrap=True)

    figures = [Amount(), Speed()] if unit == "bytes" else [MofNCompleteColumn()]
    return Bar(
        # A stage may have the name of a backup; the figures are more important.
        TextColumn("{task.description}", table_column=Column(ratio=1, no_wrap=True, overflow="ellipsis")),
        BarColumn(bar_width=15),
        *figures,
        Time(),
        console=Console(stderr=True),
        transient=True,
        expand=True,
        # Otherwise rich would redirect output for a file or a pipe to the terminal.
        redirect_stdout=sys.stdout.isatty(),
    )
