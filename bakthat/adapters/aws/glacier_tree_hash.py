"""Glacier's tree hash: SHA-256 of every mebibyte, paired and hashed again until one is left.

The rule (Amazon Glacier Developer Guide, "Computing Checksums"): the leaves are the SHA-256 of each 1 MiB, the last
one of what remains; on every level neighbours are joined and hashed, and one without a neighbour moves up unchanged.
A part whose size is a power of two in mebibytes and that begins at a multiple of it is a subtree of its own, so the
hash of the whole can be had from the hashes of its parts.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

LEAF = 1 << 20
"""Bytes of a leaf."""


class TreeHash:
    """The tree hash of bytes that arrive in pieces of any size. Memory grows with the logarithm of their number."""

    def __init__(self) -> None:
        self._forest = _Forest()
        self._leaf = hashlib.sha256()
        self._filled = 0
        self._size = 0

    @property
    def size(self) -> int:
        """Bytes taken so far."""
        return self._size

    def update(self, data: bytes | bytearray | memoryview) -> None:
        """Take the next bytes."""
        view = memoryview(data).cast("B")
        self._size += len(view)
        while view:
            piece = view[: LEAF - self._filled]
            self._leaf.update(piece)
            self._filled += len(piece)
            view = view[len(piece) :]
            if self._filled == LEAF:
                self._forest.add(self._leaf.digest())
                self._leaf, self._filled = hashlib.sha256(), 0

    def digest(self) -> bytes:
        """The hash of what was taken so far; of nothing, it is SHA-256's of nothing."""
        if not self._filled and self._size:
            return self._forest.root()
        return self._forest.root(self._leaf.digest())

    def hexdigest(self) -> str:
        return self.digest().hex()


def tree_hash(data: bytes | bytearray | memoryview) -> bytes:
    """The tree hash of these bytes."""
    hashed = TreeHash()
    hashed.update(data)
    return hashed.digest()


def joined(parts: Iterable[bytes]) -> bytes:
    """The tree hash of the whole, from those of its parts in order: all of one size, a power of two in mebibytes, only
    the last one may be smaller. There is at least one."""
    forest = _Forest()
    for part in parts:
        forest.add(part)
    return forest.root()


class _Forest:
    """Perfect trees of falling height, left to right: what is known of a tree that still grows at its right end."""

    def __init__(self) -> None:
        self._trees: list[tuple[int, bytes]] = []

    def add(self, digest: bytes) -> None:
        height = 0
        while self._trees and self._trees[-1][0] == height:
            digest = hashlib.sha256(self._trees.pop()[1] + digest).digest()
            height += 1
        self._trees.append((height, digest))

    def root(self, last: bytes | None = None) -> bytes:
        """The hash over all trees, and a last leaf that is not among them."""
        digests = [digest for _, digest in self._trees]
        if last is not None:
            digests.append(last)
        root = digests.pop()
        while digests:
            root = hashlib.sha256(digests.pop() + root).digest()
        return root
