"""The shipped contracts catch what is wrong: one adapter for each fault, and each falls by the test made for it."""

from __future__ import annotations

import subprocess
from pathlib import Path
from types import ModuleType

import pytest

from tests.testing import wrong_archive_stores, wrong_metadata_repos, wrong_object_stores, wrong_payload_adapters
from tests.testing.falling import PYTEST, ROOT, falling, right_ones, survivors, terse

WRONG = [wrong_object_stores, wrong_archive_stores, wrong_metadata_repos, wrong_payload_adapters]


@pytest.mark.parametrize("wrong", WRONG, ids=lambda module: module.__name__.rsplit(".", 1)[-1])
def test_every_wrong_adapter_falls_and_the_right_one_stands(wrong: ModuleType, tmp_path: Path) -> None:
    fell = falling(wrong, tmp_path / "report.xml")
    right = right_ones(vars(wrong))
    assert len(fell) > 25
    assert survivors(fell) == right
    assert [fell[name] for name in right] == [[] for _ in right]


@pytest.mark.parametrize("first", ["import pytest", "import bakthat"])
def test_a_failing_contract_shows_the_values(first: str, tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text(
        f"{first}\n"
        "import pytest\n"
        "from bakthat.adapters.memory.object_store import MemoryObjectStore\n"
        "from bakthat.testing.object_store_contract import ObjectStoreContract\n"
        "class Deaf(MemoryObjectStore):\n"
        "    def delete(self, key): pass\n"
        "class TestDeaf(ObjectStoreContract):\n"
        "    @pytest.fixture\n"
        "    def store(self):\n"
        "        return Deaf()\n"
    )
    command = [*PYTEST, "-k", "test_a_deleted_object_is_gone", str(tmp_path / "test_it.py")]
    done = subprocess.run(command, cwd=ROOT, env=terse(), capture_output=True, text=True, check=False, timeout=600)
    assert "assert ['k', 'k2'] == ['k2']" in done.stdout


def test_every_contract_explains_itself_and_is_documented() -> None:
    names = [f"bakthat.testing.{path.stem}" for path in (ROOT / "bakthat" / "testing").glob("*_contract.py")]
    assert len(names) >= 7
    registered = (ROOT / "bakthat" / "testing" / "__init__.py").read_text()
    documented = (ROOT / "docs" / "testing-your-scripts.md").read_text()
    assert [name for name in names if f'"{name}"' not in registered or f"`{name}." not in documented] == []
