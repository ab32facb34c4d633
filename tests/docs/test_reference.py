"""The reference is built from the docstrings without a warning, and holds what is public."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import bakthat

SCRIPT = Path(__file__).parent.parent.parent / "docs" / "build_reference.py"


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> Path:
    into = tmp_path_factory.mktemp("reference")
    done = subprocess.run(
        [sys.executable, str(SCRIPT), str(into)], capture_output=True, text=True, check=False, timeout=120
    )
    assert (done.returncode, done.stderr) == (0, "")
    return into


def test_every_public_name_is_in_it(reference: Path) -> None:
    page = (reference / "bakthat.html").read_text()
    names = [name for name in bakthat.__all__ if name != "errors"]
    assert [name for name in names if f'id="{name}"' not in page] == []


def test_what_authors_of_stores_and_tests_need_is_in_it(reference: Path) -> None:
    needed = {
        "errors": "PayloadDamaged",
        "ports/object_store": "ObjectStore.put",
        "domain/backup": "Backup.when",
        "usecases/sync": "SyncReport.vanished",
        "adapters/memory/object_store": "MemoryObjectStore",
        "adapters/streams": "reader_of",
        "testing/faulty": "FaultyArchiveStore",
        "testing/object_store_contract": "ObjectStoreContract.many",
    }
    pages = {module: (reference / "bakthat" / f"{module}.html").read_text() for module in needed}
    assert [name for module, name in needed.items() if f'id="{name}"' not in pages[module]] == []


def test_parameters_are_items_of_a_list(reference: Path) -> None:
    assert "<li><strong>config:</strong>  A file, which must exist" in (reference / "bakthat.html").read_text()


def test_the_machinery_is_not_in_it(reference: Path) -> None:
    pages = {str(page.relative_to(reference)) for page in reference.rglob("*.html")}
    assert not any("entrypoints" in page or "peewee" in page or "s3" in page for page in pages)
