"""How to name a file whose name has a bracket, which patterns take for a set of characters."""

from __future__ import annotations

from collections.abc import Sequence


def literal_pattern(patterns: Sequence[str]) -> str | None:
    """Return the first pattern with an unescaped bracket, as it would mean the file of that name; None without one."""
    for pattern in patterns:
        if "[" in pattern and "\\[" not in pattern:
            return pattern.replace("[", "\\[")
    return None
