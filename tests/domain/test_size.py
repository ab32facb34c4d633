"""Sizes as text."""

from __future__ import annotations

import pytest

from bakthat.domain.size import parse_size
from bakthat.errors import UsageError


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("0", 0),
        ("16777216", 16_777_216),
        ("5B", 5),
        ("1k", 1_000),
        ("500M", 500_000_000),
        ("2 GB", 2_000_000_000),
        ("1T", 10**12),
        ("16MiB", 16 * 2**20),
        (" 1.5 GiB ", 3 * 2**29),
        ("0.0001K", 0),
        ("1.29K", 1_290),
    ],
)
def test_a_size_is_a_number_of_bytes(text: str, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "M", "-1", "1e6", "5i", "1,5M", "1.M", "1 P", "٣", "5MM", "nan", "1" * 30])
def test_anything_else_is_an_error_that_shows_how_to_write_one(text: str) -> None:
    with pytest.raises(UsageError, match="500M"):
        parse_size(text)
