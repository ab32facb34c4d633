"""`UrlSigner`: stores that can lend a single object to somebody without credentials."""

from __future__ import annotations

from abc import ABC, abstractmethod


class UrlSigner(ABC):
    """What an `ObjectStore` may also be."""

    @abstractmethod
    def presign(self, key: str, expires_in: int, method: str = "GET") -> str:
        """A URL that lets whoever holds it do `method` (`GET`, `HEAD` or `PUT`) with the object for so many seconds. It
        is a secret until then. Whether the object exists is not asked.

        Raises `UsageError` for another method, or for more seconds than the service allows."""
