"""Builds the documentation site: `make docs`. A warning is an error.

python docs/build_site.py docs/_build
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from sphinx.cmd.build import build_main

from docs.site import commands, library
from docs.site.navigation import groups, toctree
from docs.site.pages import DOCS, Sources


def main(into: Path) -> int:
    """Build the site into a directory. Returns 0 if there was no warning."""
    with tempfile.TemporaryDirectory(prefix="bakthat-docs-") as folder:
        write_sources(Path(folder))
        conf = DOCS / "site"
        doctrees = Path(folder) / ".doctrees"
        return build_main(["-q", "-W", "--keep-going", "-c", str(conf), "-d", str(doctrees), folder, str(into)])


def write_sources(folder: Path) -> None:
    """Write all pages, with their navigation."""
    sources = Sources(folder)
    sources.write_all()
    (folder / "commands.md").open("a").write(commands.sections())
    (folder / "api.md").open("a").write(library.sections())
    for name, text in library.pages():
        sources.write_generated(name, text)
    index = folder / "index.md"
    trees = [toctree(pages, caption=name) for name, pages in groups(index.read_text()).items()]
    index.write_text("\n".join([index.read_text(), *trees]))
    _add(folder / "api.md", [f"{library.page_of(package)}.md" for package in library.PACKAGES])
    linked = {link for pages in groups(index.read_text()).values() for link in pages}
    for page in folder.rglob("*.md"):
        name = page.relative_to(folder).as_posix()
        if "/" in name and name not in linked:
            # Found by links and by the search; a hundred of them would bury the navigation.
            page.write_text(f"---\norphan: true\n---\n\n{page.read_text()}")


def _add(page: Path, below: list[str]) -> None:
    page.write_text(f"{page.read_text()}\n{toctree(below)}")


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
