"""The pages for contributors name what is there: paths, names in files, folders, sizes."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = ["docs/architecture.md", "CONTRIBUTING.md"]
ARCHITECTURE = (ROOT / "docs" / "architecture.md").read_text()


@pytest.mark.parametrize("page", PAGES)
def test_every_path_is_there(page: str) -> None:
    paths = re.findall(r"`((?:bakthat|tests|docs|examples)/[^`\s]*)`", (ROOT / page).read_text())
    assert paths
    assert [path for path in paths if not (ROOT / path).exists()] == []


@pytest.mark.parametrize("page", PAGES)
def test_every_name_is_in_its_file(page: str) -> None:
    named = re.findall(r"`(bakthat/[\w/]+\.py)` \(((?:`\w+`(?:, )?)+)\)", (ROOT / page).read_text())
    pairs = [(path, name) for path, names in named for name in re.findall(r"\w+", names)]
    assert pairs
    defined = r"^\s*(?:(?:def|class) {0}\b|{0}(?:: .*)? = )"
    missing = [
        pair for pair in pairs if not re.search(defined.format(pair[1]), (ROOT / pair[0]).read_text(), re.MULTILINE)
    ]
    assert missing == []


def test_every_folder_has_its_paragraph() -> None:
    folders = {path.parent.relative_to(ROOT).as_posix() for path in (ROOT / "bakthat").rglob("*.py")} - {"bakthat"}
    assert sorted(folder for folder in folders if f"**`{folder}/`**" not in ARCHITECTURE) == []


def test_the_sizes_are_those_of_the_files() -> None:
    """To a tenth: a page that is further off says something wrong about what there is to maintain."""
    rows = re.findall(r"^\| ([^|]+) \| (\d+) \| ([^|]+) \|", ARCHITECTURE, re.MULTILINE)
    sizes = {
        part: (int(told), sum(len((ROOT / path).read_text().splitlines()) for path in re.findall(r"`([^`]+)`", files)))
        for part, told, files in rows
    }
    assert len(sizes) == 7
    assert {part: size for part, size in sizes.items() if abs(size[0] - size[1]) > size[1] / 10} == {}


@pytest.mark.parametrize(("page", "most"), [("docs/architecture.md", 135), ("CONTRIBUTING.md", 60)])
def test_a_page_stays_one_that_is_read(page: str, most: int) -> None:
    assert len((ROOT / page).read_text().splitlines()) <= most


def test_the_links_of_the_page_for_contributors_lead_somewhere() -> None:
    links = re.findall(r"\]\(([^)#\s]+)", (ROOT / "CONTRIBUTING.md").read_text())
    assert links
    assert [link for link in links if "://" not in link and not (ROOT / link).exists()] == []
