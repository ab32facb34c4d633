"""The tables of a comparison, as Markdown."""

from __future__ import annotations

import os
import platform
import statistics
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.comparison import Run, ratios
from benchmarks.contenders import PLAIN
from benchmarks.data_sets import MB, DataSet
from benchmarks.goals import results
from benchmarks.measured import Measured

COLUMNS = ("wall s", "CPU s", "others", "MiB", "temp MB")


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table that is readable in a terminal: the first column left-aligned, the others right-aligned."""
    lines = [list(head), *map(list, rows)]
    widths = [max(3, *(len(line[at]) for line in lines)) for at in range(len(head))]
    rule = ["-" * widths[0], *("-" * (width - 1) + ":" for width in widths[1:])]
    text = []
    for line in (lines[0], rule, *lines[1:]):
        first, *others = zip(line, widths, strict=True)
        cells = [first[0].ljust(first[1]), *(cell.rjust(width) for cell, width in others)]
        text.append(f"| {' | '.join(cells)} |")
    return "\n".join(text)


def comparison_table(data: DataSet, runs: Sequence[Run]) -> str:
    """One data set: medians over the rounds; ratios are to plain bakthat in the same round."""
    head = ["", *(f"backup {COLUMNS[0]}", *COLUMNS[1:], "ratio"), *(f"restore {COLUMNS[0]}", *COLUMNS[1:], "ratio")]
    rows = []
    for name in dict.fromkeys(run.contender for run in runs):
        mine = [run for run in runs if run.contender == name]
        row = [name]
        for verb in ("backup", "restore"):
            row += [*_cells([getattr(run, verb) for run in mine]), _ratio(ratios(runs, verb, name, PLAIN.name))]
        rows.append([*row, f"{statistics.median(run.stored for run in mine) / MB:.0f}", str(len(mine))])
    title = f"**{data.letter}**: {data.what}, {data.files:,} files of {data.size / MB:,.0f} MB"
    return f"{title}\n\n{table([*head, 'stored MB', 'n'], rows)}"


def goals_table(runs: Sequence[Run]) -> str:
    """The goals and the results, with a column for each way in which bakthat ran."""
    found = list(results(runs))
    ways = list(dict.fromkeys(way for each in found for way in each.found))
    rows = [
        [each.goal, *(each.found.get(way, "") + " MISSED" * (way in each.missed) for way in ways)] for each in found
    ]
    return table(["goal", *ways], rows)


def machine() -> str:
    """Where and when this runs, in one line."""
    cpu = next(_fields("/proc/cpuinfo", "model name"), platform.machine())
    memory = int(next(_fields("/proc/meminfo", "MemTotal"), "0 kB").split()[0]) / 2**20
    load = os.getloadavg()[0]
    system = platform.freedesktop_os_release().get("PRETTY_NAME", platform.system())
    return (
        f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC, {os.cpu_count()} cores ({cpu}), {memory:.0f} GiB, {system}, "
        f"Python {platform.python_version()}, load {load:.1f} at the start"
    )


def as_json(runs: Sequence[Run]) -> list[dict[str, Any]]:
    """Every single measurement."""
    return [
        {
            "set": run.letter,
            "contender": run.contender,
            "round": run.round,
            "stored": run.stored,
            "backup": _numbers(run.backup),
            "restore": _numbers(run.restore),
        }
        for run in runs
    ]


def _numbers(took: Measured) -> dict[str, Any]:
    return {
        "wall": round(took.wall, 3),
        "cpu": round(took.cpu, 3),
        "memory": took.memory,
        "temporary": took.temporary,
        "others": round(took.others, 3),
        "left": list(took.left),
    }


def _cells(taken: list[Measured]) -> list[str]:
    return [
        f"{statistics.median(each.wall for each in taken):.2f}",
        f"{statistics.median(each.cpu for each in taken):.1f}",
        f"{statistics.median(each.others for each in taken):.1f}",
        f"{max(each.memory for each in taken) / 2**20:.0f}",
        f"{max(each.temporary for each in taken) / MB:.0f}" + " left!" * any(each.left for each in taken),
    ]


def _ratio(found: float | None) -> str:
    return f"{found:.2f}" if found is not None else ""


def _fields(path: str, name: str) -> Iterator[str]:
    if Path(path).exists():
        for line in Path(path).read_text().splitlines():
            key, _, value = line.partition(":")
            if key.strip() == name:
                yield value.strip()
