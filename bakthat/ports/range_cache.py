"""`RangeCache`: parts of stored objects that will be read again, such as the indexes of archives."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping


class RangeCache(ABC):
    """Keeps ranges of stored objects as they are in the store: those of an encrypted archive stay encrypted.

    What is kept may vanish at any time, and no caller depends on it. No call raises an error of the disk.
    """

    @abstractmethod
    def load(self, identity: str) -> Mapping[int, bytes]:
        """Return the ranges that were saved under exactly this identity, by their offset in the object.

        Args:
            identity: Names one version of one object: where it is, its key, size and hash, as one text.

        Returns:
            Whole and unaltered ranges, or an empty mapping.
        """

    @abstractmethod
    def save(self, identity: str, ranges: Mapping[int, bytes]) -> None:
        """Keep these ranges, in place of what was saved under the identity before; or do nothing."""


class NoCache(RangeCache):
    """Keeps nothing."""

    def load(self, identity: str) -> Mapping[int, bytes]:
        return {}

    def save(self, identity: str, ranges: Mapping[int, bytes]) -> None:
        pass
