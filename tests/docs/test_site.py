"""The documentation site is built without a warning, and holds every page, command and public name."""

from __future__ import annotations

import fcntl
import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import click
import pytest

import bakthat
from bakthat.domain.environment_settings import VARIABLES
from bakthat.entrypoints.cli import cli
from docs.site.navigation import groups

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The built site, one for all processes that run tests: to build it takes twenty seconds of a core. A warning is an
    error: a dead link, a page in no list, a docstring that cannot be read."""
    shared = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        shared = shared.parent
    into, built = shared / "site", shared / "site-is-built"
    with (shared / "site-lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not built.exists():
            done = subprocess.run(
                [sys.executable, DOCS / "build_site.py", into], capture_output=True, text=True, check=False, timeout=900
            )
            assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
            built.touch()
    return into


class Loaded(HTMLParser):
    """Collects what a browser loads for a page by itself."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag in {"script", "img", "iframe", "source"}:
            self.found += [given["src"] or ""] if "src" in given else []
        if tag == "link" and "stylesheet" in (given.get("rel") or ""):
            self.found.append(given["href"] or "")


def test_every_page_is_in_the_navigation() -> None:
    listed = [page for pages in groups((DOCS / "index.md").read_text()).values() for page in pages]
    assert len(set(listed)) == len(listed)
    assert {path.name for path in DOCS.glob("*.md")} - {"index.md"} == {page for page in listed if "/" not in page}


def test_the_page_of_the_library_has_every_method_and_the_type_of_its_result() -> None:
    page = (DOCS / "library.md").read_text()
    table = page[page.index("| method | returns |") :].split("\n\n")[0]
    named = set(re.findall(r"`(\w+)`", table)) | {"tools", "value_keys"}
    named |= {f"{verb}_with_report" for verb in ("rotate_backups", "remove_older_than")}
    assert {name for name in dir(bakthat.Bakthat) if not name.startswith("_")} - named == set()
    results = {name for name in named if name[0].isupper()}
    assert results - set(bakthat.__all__) == set()


def test_every_public_name_of_the_library_is_there(site: Path) -> None:
    page = (site / "api.html").read_text()
    names = [f"bakthat.{name}" for name in bakthat.__all__ if name != "errors"]
    names += [f"bakthat.Bakthat.{name}" for name in dir(bakthat.Bakthat) if not name.startswith("_")]
    assert [name for name in names if f'id="{name}"' not in page] == []


def test_the_variable_of_every_setting_is_there(site: Path) -> None:
    page = (site / "api.html").read_text()
    assert [variable for variable in VARIABLES if variable not in page] == []


def test_what_authors_of_stores_and_tests_need_is_there(site: Path) -> None:
    needed = {
        "errors": "bakthat.errors.PayloadDamaged",
        "ports": "bakthat.ports.object_store.ObjectStore.put",
        "domain": "bakthat.domain.objects.ObjectInfo",
        "adapters": "bakthat.adapters.streams.reader_of",
        "testing": "bakthat.testing.object_store_contract.ObjectStoreContract.many",
    }
    assert [
        name for page, name in needed.items() if f'id="{name}"' not in (site / f"api-{page}.html").read_text()
    ] == []


def test_every_command_and_option_is_there(site: Path) -> None:
    page = re.sub(r"<[^>]+>", "", (site / "commands.html").read_text())
    context = click.Context(cli)
    for name in cli.list_commands(context):
        command = cli.get_command(context, name)
        assert command is not None
        shown = [each for each in command.params if not getattr(each, "hidden", False)]
        options = [option for each in shown for option in each.opts if option[:1] == "-"]
        assert [option for option in [f"bakthat {name}", *options] if option not in page] == []


def test_parameters_are_a_list(site: Path) -> None:
    assert re.search(r"<li><p><strong>config</strong> (.|--) A file, which must exist", (site / "api.html").read_text())


def test_a_link_out_of_the_folder_leads_to_a_page(site: Path) -> None:
    assert 'href="repository/bakthat/errors.py.html"' in (site / "library.html").read_text()
    assert "class BakthatError" in re.sub(
        r"<[^>]+>", "", (site / "repository" / "bakthat" / "errors.py.html").read_text()
    )
    assert "A new test fails on the code" in (site / "repository" / "CONTRIBUTING.html").read_text()


def test_nothing_is_loaded_from_elsewhere(site: Path) -> None:
    """No font, script or style comes from another host, so no other host learns who reads the pages."""
    for page in site.rglob("*.html"):
        loaded = Loaded()
        loaded.feed(page.read_text())
        assert [each for each in loaded.found if re.match(r"(https?:)?//", each)] == [], page.name
    for style in site.rglob("*.css"):
        assert not re.search(r"(url\(|@import)\s*[\"']?(https?:)?//", style.read_text()), style.name


def test_every_link_within_the_site_leads_to_a_file(site: Path) -> None:
    dead = []
    for page in site.glob("*.html"):
        for link in re.findall(r'href="([^"#?]+)', page.read_text()):
            if "://" not in link and not link.startswith("mailto:") and not (page.parent / link).exists():
                dead.append(f"{page.name}: {link}")
    assert dead == []
