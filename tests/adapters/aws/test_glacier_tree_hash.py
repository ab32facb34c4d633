"""The tree hash, against botocore's own."""

from __future__ import annotations

import io
from typing import Any, cast

import pytest
from botocore.utils import calculate_tree_hash
from hypothesis import given, settings
from hypothesis import strategies as st

from bakthat.adapters.aws.glacier_tree_hash import LEAF, joined, tree_hash

CONTENT = bytes(range(256)) * (13 * LEAF // 256) + b"the end"


@pytest.mark.parametrize("size", [1, LEAF - 1, LEAF, LEAF + 1, 2 * LEAF, 3 * LEAF, 5 * LEAF + 9, len(CONTENT)])
def test_the_hash_is_the_one_that_botocore_computes(size: int) -> None:
    content = CONTENT[:size]
    assert tree_hash(content).hex() == calculate_tree_hash(cast(Any, io.BytesIO(content)))


@settings(max_examples=25, deadline=None)
@given(st.integers(1, len(CONTENT)), st.sampled_from([1, 2, 4, 8, 16]))
def test_the_hashes_of_aligned_parts_combine_to_that_of_the_whole(size: int, mebibytes: int) -> None:
    part = mebibytes * LEAF
    parts = [tree_hash(CONTENT[at : min(at + part, size)]) for at in range(0, size, part)]
    assert joined(parts) == tree_hash(CONTENT[:size])
