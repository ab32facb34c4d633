"""`UrlSigner`: stores that can give access to a single object without credentials."""

from __future__ import annotations

from abc import ABC, abstractmethod


class UrlSigner(ABC):
    """An optional interface of an `ObjectStore`."""

    @abstractmethod
    def presign(self, key: str, expires_in: int, method: str = "GET") -> str:
        """Return a URL with which anyone can access the object for a limited time; it is a secret until then.

        Does not check whether the object exists.

        Args:
            key: The object's key.
            expires_in: Seconds until the URL expires.
            method: `GET`, `HEAD` or `PUT`.

        Raises:
            UsageError: Another method, or more seconds than the service allows.
        """
