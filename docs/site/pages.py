"""The sources of the documentation site: the pages of `docs/`, what they link to outside of it, and generated pages.

The pages are plain Markdown, which a code host shows as it is. For the site, they are copied, and their links outside
of `docs/` lead to copies of those files: another Markdown file becomes a page, any other file a page with its text.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"

NOT_PAGES = ("_build", "site", "pictures")
_FENCE = re.compile(r"^(```+|~~~+).*?^\1\s*$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"(?<!\\)\]\(([^)\s#]*)(#[^)\s]*)?\)")
_LANGUAGES = {".py": "python", ".toml": "toml", ".sh": "sh", ".yml": "yaml"}


class Sources:
    """Writes the sources of the site into a directory.

    Args:
        into: An empty directory.
    """

    def __init__(self, into: Path) -> None:
        self._into = into
        self._written: set[str] = set()

    def write_all(self) -> None:
        """Write the pages of `docs/`, and everything that they link to, directly or not."""
        for path in sorted(DOCS.rglob("*.md")):
            if path.relative_to(DOCS).parts[0] not in NOT_PAGES:
                self._write_page(path.relative_to(ROOT).as_posix())
        for picture in sorted((DOCS / "pictures").glob("*.svg")):
            self._write(f"pictures/{picture.name}", picture.read_text())

    def write_generated(self, name: str, text: str) -> None:
        """Write a page that is made from the code."""
        self._write(name, text)

    def _write_page(self, path: str) -> None:
        """Write a page, by its path in the repository."""
        name = page_of(path)
        if name in self._written:
            return
        self._written.add(name)
        self._write(name, self._with_links(path, (ROOT / path).read_text()))

    def _write_file(self, path: str) -> None:
        """Write a page with the text of a file, or of all files of a directory."""
        name = page_of(path)
        if name in self._written:
            return
        self._written.add(name)
        parts = [f"# {path}\n"]
        for file in sorted(_files(ROOT / path)):
            inside = file.relative_to(ROOT).as_posix()
            if inside != path:
                parts.append(f"## {inside.removeprefix(path + '/')}\n")
            language = _LANGUAGES.get(file.suffix, "text")
            parts.append(f"``````{language}\n{file.read_text()}``````\n")
        self._write(name, "\n".join(parts))

    def _with_links(self, path: str, text: str) -> str:
        """The text of a page of the repository, with its links as they are on the site."""
        here = PurePosixPath(page_of(path)).parent

        def rewritten(match: re.Match[str]) -> str:
            target, anchor = match[1], match[2] or ""
            if "://" in target or not target:
                return match[0]
            meant = os.path.normpath((PurePosixPath(path).parent / target).as_posix())
            if not (ROOT / meant).exists():
                return match[0]  # the generator complains
            if meant.startswith("docs/"):
                return f"]({os.path.relpath(meant.removeprefix('docs/'), here)}{anchor})"
            (self._write_page if meant.endswith(".md") else self._write_file)(meant)
            return f"]({os.path.relpath(page_of(meant), here)}{anchor})"

        return "".join(part if is_code else _LINK.sub(rewritten, part) for is_code, part in _split(text))

    def _write(self, name: str, text: str) -> None:
        target = self._into / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)


def page_of(path: str) -> str:
    """The name of the page on the site, for a path in the repository: `restore.md`, `repository/CONTRIBUTING.md`."""
    if path.startswith("docs/"):
        return path.removeprefix("docs/")
    return f"repository/{path}" if path.endswith(".md") else f"repository/{path}.md"


def _split(text: str) -> Iterator[tuple[bool, str]]:
    """The parts of a page, and whether each is a block of code."""
    at = 0
    for block in _FENCE.finditer(text):
        yield False, text[at : block.start()]
        yield True, block[0]
        at = block.end()
    yield False, text[at:]


def _files(path: Path) -> Iterator[Path]:
    if path.is_file():
        yield path
    else:
        yield from (file for file in path.rglob("*") if file.is_file() and "__pycache__" not in file.parts)
