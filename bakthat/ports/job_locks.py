"""`JobLocks`: keeps two runs of one job apart."""

from __future__ import annotations

from abc import ABC, abstractmethod
from contextlib import AbstractContextManager


class JobLocks(ABC):
    """One lock for each name, between all threads and processes of this machine's user."""

    @abstractmethod
    def hold(self, name: str, scope: str = "") -> AbstractContextManager[bool]:
        """Take the lock of this name for the duration of the context, without waiting.

        A lock ends with the process that holds it, however that ends. The programs that it starts do not hold it.

        Args:
            name: Any text. It may be shown to people.
            scope: Any text: locks of one name in two scopes are two locks. It may be a secret.

        Returns:
            A context of True, or of False if another one holds the lock.

        Raises:
            ConfigError: There can be no lock here. The message names the setting.
        """
