"""Wherever archives of a chain are altered, cut or lost, salvage gives nothing wrong under its own name, and names
every file of the tree; of a good chain it gives everything."""

from __future__ import annotations

import io
import re
import shutil
from pathlib import Path
from random import Random

import pytest

from bakthat.domain.archive_format import Compression
from bakthat.domain.salvage import PARTIAL_SUFFIX, UNVERIFIED_SUFFIX
from bakthat.usecases.salvage import Salvaged, SalvageRequest, salvage
from tests.fixtures.incremental_histories import Point, Story
from tests.fixtures.tree_histories import TreeHistory, snapshot

SUFFIX = re.compile(rf"({re.escape(PARTIAL_SUFFIX)}|{re.escape(UNVERIFIED_SUFFIX)})(\.\d+)?$")
FORMS = (Compression.GZIP, Compression.ZSTD, Compression.NONE)


def damage(chance: Random, story: Story) -> None:
    """Damage one archive that is there, in one place."""
    store = story.box.stores["s3"]
    victim = chance.choice([key for key in story.box.keys_in("s3") if "/" not in key])
    with store.open(victim) as reader:
        stored = bytearray(reader.read())
    kind = chance.choice(("flip", "flip", "zeros", "cut", "lost"))
    if kind == "lost" and victim != story.points[-1].made.stored_filename:
        store.delete(victim)
        return
    at = chance.randrange(len(stored))
    if kind == "cut":
        del stored[at:]
    elif kind == "zeros":
        stored[at : at + 700] = bytes(len(stored[at : at + 700]))
    else:
        stored[at] ^= 1 << chance.randrange(8)
    store.put(victim, io.BytesIO(bytes(stored)), replace=True)


def salvaged(story: Story, target: Path) -> Salvaged:
    target.mkdir()
    request = SalvageRequest(name=story.points[-1].made.stored_filename, destination="s3", target=target)
    return salvage(request, story.box.tools)


def check(done: Salvaged, point: Point, root: Path, seed: int) -> None:
    report = done.report
    found = snapshot(root) if root.exists() else {}
    for path, facts in found.items():
        if SUFFIX.search(path) or path == "":
            continue
        if facts[0] == "file":
            assert path in point.tree, f"seed {seed}: {path} is not in the tree"
            assert facts[-1] == point.tree[path][-1], f"seed {seed}: {path} is another version"
        elif facts[0] == "symlink":
            assert facts[:2] == point.tree[path][:2], f"seed {seed}: {path}"
    files = [path for path, facts in point.tree.items() if facts[0] == "file"]
    known = report.whole.count + report.partial.count + report.unverified.count + report.missing.count
    assert known >= len(files) or report.may_lack_more, f"seed {seed}: {known} of {len(files)} are accounted for"


@pytest.mark.parametrize("batch", range(4), ids=[f"batch {number}" for number in range(4)])
def test_a_damaged_chain_gives_nothing_wrong(batch: int, folder: Path) -> None:
    good = 0
    for seed in range(20 * batch, 20 * batch + 20):
        chance = Random(seed)
        place = folder / f"{seed}"
        place.mkdir()
        story = Story(TreeHistory(place / "source" / "tree", chance), place)
        for _ in range(chance.randint(2, 4)):
            story.back_up(compression=FORMS[seed % 3])
            story.history.change()
        number = chance.randrange(3)
        for _ in range(number):
            damage(chance, story)
        done = salvaged(story, place / "out")
        root = place / "out" / "tree.salvaged" / "tree"
        if not number:
            assert done.is_complete, f"seed {seed}: {done}"
            assert snapshot(root) == story.points[-1].tree, f"seed {seed}"
            good += 1
        check(done, story.points[-1], root, seed)
        shutil.rmtree(place)
    assert good


def test_a_directory_with_very_many_names_is_whole(folder: Path) -> None:
    """Its record is longer than 1 MiB, and the index leads to it past the header that would announce that."""
    story = Story(TreeHistory(folder / "source" / "tree", Random(0)), folder)
    for number in range(4_500):
        (story.history.root / f"{number:0250}").symlink_to("c")
    story.back_up()
    story.back_up()
    done = salvaged(story, folder / "out")
    assert done.is_complete
    assert snapshot(folder / "out" / "tree.salvaged" / "tree") == story.points[-1].tree
