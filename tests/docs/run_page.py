"""Runs the Python blocks of a page one after the other, in one namespace: `python run_page.py PAGE`."""

from __future__ import annotations

import re
import sys
from pathlib import Path

BLOCK = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def main(page: Path) -> None:
    text = page.read_text()
    namespace: dict[str, object] = {"__name__": page.stem}
    for block in BLOCK.finditer(text):
        # As many lines before it as there are on the page: a traceback then tells the page's line.
        before = "\n" * text.count("\n", 0, block.start(1))
        exec(compile(before + block[1], str(page), "exec"), namespace)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
