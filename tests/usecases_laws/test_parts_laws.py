"""Whatever the tree and the patterns: the parts of an archive restore to the same as the whole of it does."""

from __future__ import annotations

import io
import os
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bakthat.adapters.compression.gzip_compressor import GzipCompressor
from bakthat.adapters.packing.tar_packer import TarPacker
from bakthat.domain.callbacks import ignore
from bakthat.errors import BakthatError, UsageError
from bakthat.ports.random_access import BytesAccess
from bakthat.usecases.inside.members import rules_of, spans_of_selected
from bakthat.usecases.inside.ranged_archive import TarOfParts
from tests.fixtures.tree_snapshot import Entry, snapshot

NAMES = st.sampled_from(["a", "b", "c.txt", "d.txt", "é"])
PATHS = st.lists(NAMES, min_size=1, max_size=3).map("/".join)
KINDS = st.sampled_from(["file", "directory", "symlink", "hardlink"])
TREES = st.dictionaries(PATHS, st.tuples(KINDS, st.integers(0, 3), st.binary(max_size=700)), min_size=1, max_size=12)
PARTS = st.sampled_from(["a", "b", "*", "**", "*.txt", "?", "[ab]", "é", "c.txt"])
PATTERNS = st.lists(
    st.tuples(st.sampled_from(["", "!"]), st.sampled_from(["", "/"]), st.lists(PARTS, min_size=1, max_size=3),
              st.sampled_from(["", "/"])).map(lambda parts: f"{parts[0]}{parts[1]}{'/'.join(parts[2])}{parts[3]}"),
    min_size=1,
    max_size=3,
)  # fmt: skip


def made(tree: dict[str, tuple[str, int, bytes]], root: Path) -> None:
    """The tree as far as a file system takes it."""
    root.mkdir()
    files: list[Path] = []
    for name, (kind, which, content) in tree.items():
        path = root / name
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            if kind == "directory":
                path.mkdir(exist_ok=True)
            elif kind == "symlink":
                path.symlink_to("x" * (which + 1))
            elif kind == "hardlink" and files:
                os.link(files[which % len(files)], path)
            else:
                path.write_bytes(content)
                files.append(path)
        except OSError:
            continue  # such as a file where a directory would have to be


Outcome = dict[str, Entry] | str


def restored(packed: BinaryIO, only: Sequence[str], folder: Path) -> tuple[Outcome, object]:
    """What a restore gives: the tree and the counts, or the kind of error."""
    target = Path(tempfile.mkdtemp(dir=folder))
    try:
        report = TarPacker().unpack(packed, target, name="root", only=only)
    except BakthatError as error:
        return type(error).__name__, None
    return snapshot(target), (report.files, report.directories, report.others, report.size)


@settings(max_examples=60, deadline=None)
@given(TREES, PATTERNS)
def test_parts_restore_to_the_same_as_the_whole(tree: dict[str, tuple[str, int, bytes]], only: list[str]) -> None:
    folder = Path(tempfile.mkdtemp())
    try:
        made(tree, folder / "root")
        tar, stored = io.BytesIO(), io.BytesIO()
        with GzipCompressor().compressing_with_index(stored) as writer:
            TarPacker().pack(folder / "root", tar, on_entry=writer.on_entry)
            writer.stream.write(tar.getvalue())
        index = GzipCompressor().read_index(BytesAccess(stored.getvalue()))
        assert index is not None
        whole = restored(io.BytesIO(tar.getvalue()), only, folder)
        if whole[0] == "UsageError":  # patterns that name nothing, which both say
            with pytest.raises(UsageError):
                rules_of(only, "--only")
            return
        spans = spans_of_selected(index, rules_of(only, "--only"))
        parts = TarOfParts(BytesAccess(tar.getvalue()), spans, ignore)
        assert restored(cast(BinaryIO, parts), only, folder) == whole
    finally:
        shutil.rmtree(folder)
