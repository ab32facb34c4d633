"""The size of backups over time, as a picture and in words."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from bakthat.domain.backup import Backup
from bakthat.entrypoints.human_words import human_size
from bakthat.entrypoints.status_page.text import day, escaped

MOST_POINTS = 300
"""How many points the curve has: of more backups, the largest of each interval."""

_DOTS = 40
"""Up to how many points each has a dot."""

_WIDE, _HIGH = 1000, 100


def size_chart(backups: Sequence[Backup]) -> str:
    """The figure; "" for fewer than two backups, of which there is nothing to compare."""
    points = _points([(backup.when, backup.size) for backup in backups if backup.known_size is not None])
    if len(points) < 2 or points[0][0] == points[-1][0]:
        return ""
    (first, first_size), (last, last_size) = points[0], points[-1]
    largest = max(size for _, size in points)
    span = (last - first).total_seconds()
    places = [
        (round(_WIDE * (when - first).total_seconds() / span, 1), round(_HIGH - _HIGH * size / (largest or 1), 1))
        for when, size in points
    ]
    curve = "L".join(f"{x:g} {y:g}" for x, y in places)
    dots = "".join(f'<path class="dot" d="M{x:g} {y:g}h0"/>' for x, y in places) if len(places) <= _DOTS else ""
    sentence = (
        f"Size over time: {human_size(first_size)} on {day(first)}, {human_size(last_size)} on {day(last)}; "
        f"the largest is {human_size(largest)}"
    )
    return (
        f'<figure class="chart"><div class="ends"><span>{human_size(largest)}</span></div>'
        f'<svg role="img" aria-label="{escaped(sentence)}" viewBox="0 0 {_WIDE} {_HIGH}" preserveAspectRatio="none">'
        f'<path class="area" d="M0 {_HIGH}L{curve}L{_WIDE} {_HIGH}Z"/><path class="curve" d="M{curve}"/>{dots}</svg>'
        f'<div class="ends" aria-hidden="true"><span>{day(first)}</span><span>{day(last)}</span></div></figure>'
    )


def _points(backups: Sequence[tuple[datetime, int]]) -> list[tuple[datetime, int]]:
    """Oldest first, at most `MOST_POINTS` and the last one."""
    ordered = sorted(backups)
    if len(ordered) <= MOST_POINTS:
        return ordered
    step = -(-len(ordered) // MOST_POINTS)
    groups = [ordered[start : start + step] for start in range(0, len(ordered) - 1, step)]
    return [max(group, key=lambda point: point[1]) for group in groups] + [ordered[-1]]
