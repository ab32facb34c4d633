"""Glacier's tree hash: the SHA-256 of every mebibyte, combined in pairs until one is left.

The rule (Amazon Glacier Developer Guide, "Computing Checksums"): the leaves are the SHA-256 of each 1 MiB, the last
leaf of what remains. On every level two neighbours are concatenated and hashed; a node without a neighbour moves up
unchanged. So the hashes of parts can be combined in the same way, if a part is a power of two in mebibytes.

botocore's `calculate_tree_hash` computes the same for a file. It is not used here: it cannot combine the hashes of
parts, and copies bytes that are in memory already (docs/decisions/0150).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

LEAF = 1 << 20
"""Bytes of a leaf."""


def tree_hash(data: bytes | bytearray | memoryview) -> bytes:
    """The tree hash of at least one byte."""
    return joined(leaves(data))


def leaves(data: bytes | bytearray | memoryview) -> list[bytes]:
    """The SHA-256 of each mebibyte."""
    view = memoryview(data)
    return [hashlib.sha256(view[at : at + LEAF]).digest() for at in range(0, len(view), LEAF)]


def joined(hashes: Iterable[bytes]) -> bytes:
    """The tree hash of the whole, from the hashes of its parts in order.

    Args:
        hashes: At least one. All parts have one size, a power of two in mebibytes; only the last may be smaller.
    """
    level = list(hashes)
    while len(level) > 1:
        pairs = [level[at : at + 2] for at in range(0, len(level), 2)]
        level = [hashlib.sha256(pair[0] + pair[1]).digest() if len(pair) == 2 else pair[0] for pair in pairs]
    return level[0]
