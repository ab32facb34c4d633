"""The law of incremental backups, by 300 random histories; thousands are in `tests/campaigns/incremental.py`."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fixtures.incremental_histories import keep_the_law


@pytest.mark.parametrize("batch", range(10), ids=[f"batch {number}" for number in range(10)])
def test_every_point_of_a_history_is_restored_as_it_was(batch: int, folder: Path) -> None:
    incremental = 0
    for number in range(30):
        seed = 30 * batch + number
        story = keep_the_law(seed, folder / f"{seed}", with_gnu_tar=number % 6 == 0)
        incremental += sum(point.made.is_incremental for point in story.points)
    assert incremental > 40
