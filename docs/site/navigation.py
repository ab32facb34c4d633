"""The navigation of the site, from the lists of `docs/index.md`: a heading is a group, an item a page."""

from __future__ import annotations

import re
from collections.abc import Sequence

_GROUP = re.compile(r"^## (.+)$", re.MULTILINE)
_ITEM = re.compile(r"^[-|] \[([^\]]+)\]\(([^)\s]+)\)", re.MULTILINE)


def groups(index: str) -> dict[str, list[str]]:
    """The pages of each group, as the links have them."""
    found: dict[str, list[str]] = {}
    headings = list(_GROUP.finditer(index))
    for number, heading in enumerate(headings):
        end = headings[number + 1].start() if number + 1 < len(headings) else len(index)
        pages = [link for _, link in _ITEM.findall(index[heading.end() : end])]
        if pages:
            found[heading[1]] = pages
    return found


def toctree(pages: Sequence[str], *, caption: str = "", depth: int = 1) -> str:
    """A list of pages that the generator puts into the navigation, and not into the page."""
    lines = ["```{toctree}", ":hidden:", f":maxdepth: {depth}"]
    if caption:
        lines.append(f":caption: {caption}")
    return "\n".join([*lines, "", *pages, "```", ""])
