"""`Pinger`: reports to a monitoring service by an HTTP request."""

from __future__ import annotations

from abc import ABC, abstractmethod


class Pinger(ABC):
    """Sends one request, and never raises: monitoring must not stop what it monitors."""

    @abstractmethod
    def ping(self, url: str, body: str) -> str:
        """Send the text to the URL by POST. Takes 10 seconds at most, and follows no redirection.

        Args:
            url: A secret.
            body: The text.

        Returns:
            "" if the service answered with a status of 200 to 299; else why it did not, for a notice: without the URL
            and any part of it.
        """
