"""Salvaging a tar takes a bounded amount of memory, whatever the damage."""

from __future__ import annotations

import io
import os
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pytest

from bakthat.adapters.packing.tar_packer import TarPacker
from bakthat.ports.salvage import Hole, Part, Verdict


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    root = tmp_path / "data"
    root.mkdir()
    for number in range(30):
        (root / f"{number:02}").write_bytes(os.urandom(20_000))
    return root


def peak(parts: Callable[[], object], target: Path) -> int:
    tracemalloc.start()
    try:
        TarPacker().salvage(parts(), target, name="data")  # type: ignore[arg-type]
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_a_hole_of_a_petabyte(tree: Path, tmp_path: Path) -> None:
    out = io.BytesIO()
    TarPacker().pack(tree, out)
    tar = out.getvalue()
    parts: list[Part] = [tar[:100_000], Verdict.GOOD, Hole(10**15), tar[100_000:], Verdict.GOOD]
    assert peak(lambda: iter(parts), tmp_path / "out") < 60_000_000


def test_a_million_holes_and_doubts(tmp_path: Path) -> None:
    def parts():  # type: ignore[no-untyped-def]
        for number in range(200_000):
            yield bytes(100)
            yield Verdict.DOUBTFUL
            yield Hole(1 if number % 2 else None)

    assert peak(parts, tmp_path / "out") < 60_000_000
