"""How streams are cut into parts."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bakthat.adapters.aws.s3_part_sizes import (
    EQUAL_MEMORY,
    EQUAL_PARTS,
    FIRST_PART,
    GIB,
    MAX_PART,
    MAX_PARTS,
    MEMORY,
    MIB,
    MIN_PART,
    plan_parts,
)

TIB = 1024 * GIB


def test_parts_begin_small_and_double_after_each_thousand():
    plan = plan_parts(max_concurrency=4)
    assert [plan.size(number) // MIB for number in (1, 1000, 1001, 2000, 2001, 10_000)] == [8, 8, 16, 16, 32, 4096]


def test_a_stream_of_unknown_length_may_have_seven_tebibytes_and_a_half():
    assert plan_parts(max_concurrency=4).capacity() == 1000 * sum(8 * 2**step for step in range(10)) * MIB


@pytest.mark.parametrize("size", [0, 1, GIB, 62 * GIB, 500 * GIB, 5 * TIB, 20 * TIB, 46 * TIB])
def test_with_a_hint_ten_thousand_parts_hold_more_than_the_hint(size: int):
    assert plan_parts(max_concurrency=4, size_hint=size).capacity() > size * 1.04


def test_ten_thousand_parts_reach_48_tebibytes():
    assert plan_parts(max_concurrency=4, size_hint=48 * TIB).capacity() == MAX_PARTS * MAX_PART
    assert MAX_PARTS * MAX_PART > 48 * TIB


def test_a_hint_of_at_most_60_gibibytes_leaves_parts_as_small_as_they_are():
    assert plan_parts(max_concurrency=4, size_hint=59 * GIB).first == FIRST_PART


def test_a_fixed_part_size_holds_for_every_part_and_every_buffer():
    plan = plan_parts(max_concurrency=4, part_size=100 * MIB, size_hint=5 * TIB)
    assert {plan.size(number) for number in range(1, MAX_PARTS + 1)} == {100 * MIB}
    assert plan.buffers(100 * MIB) == 5


@given(
    hint=st.none() | st.integers(0, 60 * TIB),
    concurrency=st.integers(1, 32),
    number=st.integers(1, MAX_PARTS - 1),
    equal=st.none() | st.just(EQUAL_PARTS),
)
def test_every_part_has_a_size_that_s3_accepts_and_none_is_smaller_than_the_one_before(
    hint: int | None, concurrency: int, number: int, equal: int | None
):
    plan = plan_parts(max_concurrency=concurrency, size_hint=hint, equal=equal)
    assert MIN_PART <= plan.size(number) <= plan.size(number + 1) <= MAX_PART


@given(
    hint=st.none() | st.integers(0, 60 * TIB), concurrency=st.integers(1, 32), equal=st.none() | st.just(EQUAL_PARTS)
)
def test_buffers_stay_within_the_memory_except_that_there_are_at_least_two(
    hint: int | None, concurrency: int, equal: int | None
):
    plan = plan_parts(max_concurrency=concurrency, size_hint=hint, equal=equal)
    granted = max(EQUAL_MEMORY if equal else MEMORY, (concurrency + 1) * FIRST_PART)
    for size in {plan.size(number) for number in range(1, MAX_PARTS + 1, 50)}:
        assert 2 <= plan.buffers(size) <= concurrency + 1
        assert plan.buffers(size) * size <= max(granted, 2 * size)


def test_a_backup_of_50_gibibytes_needs_64_mebibytes_of_buffers():
    plan = plan_parts(max_concurrency=4)
    sent = list(itertools.accumulate(plan.size(number) for number in range(1, MAX_PARTS + 1)))
    number = next(index for index, total in enumerate(sent, 1) if total > 50 * GIB)
    assert plan.buffers(plan.size(number)) * plan.size(number) <= 64 * MIB


@pytest.mark.parametrize(("concurrency", "size"), [(1, 50), (2, 33), (4, 20), (8, 11), (16, 8), (32, 8)])
def test_equal_parts_are_as_large_as_the_memory_allows_with_all_of_them_in_flight(concurrency: int, size: int):
    plan = plan_parts(max_concurrency=concurrency, equal=EQUAL_PARTS)
    assert {plan.size(number) for number in range(1, 9_001)} == {size * MIB}
    assert plan.buffers(size * MIB) == concurrency + 1


def test_a_stream_of_170_gibibytes_has_equal_parts_and_one_of_two_tebibytes_fits():
    plan = plan_parts(max_concurrency=4, equal=EQUAL_PARTS)
    assert 9_000 * plan.first > 170 * GIB
    assert plan.size(9_001) == 2 * plan.first
    assert plan.capacity() > 2 * TIB


@pytest.mark.parametrize("size", [0, 1, GIB, 62 * GIB, 500 * GIB, 5 * TIB, 40 * TIB])
def test_with_a_hint_equal_parts_hold_more_than_the_hint(size: int):
    plan = plan_parts(max_concurrency=4, size_hint=size, equal=EQUAL_PARTS)
    assert 9_000 * plan.first > size * 1.04
    assert {plan.size(number) for number in range(1, 9_001)} == {plan.first}
