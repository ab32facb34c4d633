"""A person who is asked for a password may mistype it: three tries, before anything is read or written."""

from __future__ import annotations

import functools
from collections.abc import Callable

from attrs import frozen

from bakthat.domain.backup import Backup
from bakthat.domain.payload import Keys
from bakthat.entrypoints.keys import Ask
from bakthat.errors import BakthatError, PasswordNeeded
from bakthat.usecases.missing_key import key_needed

TRIES = 3


@frozen
class AskAgain:
    """Asks a person; again, if the password does not open the backup. For further backups the answer holds."""

    ask: Ask

    def __call__(self) -> str:
        return self.ask()


class PasswordTries:
    """Finds the keys for the backups of one call.

    Args:
        find: Gives the keys for a backup; asks its second argument for a password.
        ask: An `AskAgain` has several tries; anything else is asked once for each backup.
        head: The first stored bytes of a backup; empty where they cannot be read at once.
        opens: Whether keys open a backup that begins so.
        notice: Called with a line about a wrong password.
    """

    def __init__(
        self,
        find: Callable[[Backup, Ask | None], Keys],
        ask: Ask | None,
        *,
        head: Callable[[Backup], bytes],
        opens: Callable[[bytes, Keys], bool],
        notice: Callable[[str], None],
    ) -> None:
        self._find = find
        self._ask = ask
        self._head = head
        self._opens = opens
        self._notice = notice
        self._answer: str | None = None

    def __call__(self, backup: Backup) -> Keys:
        if not isinstance(self._ask, AskAgain):
            return self._find(backup, self._ask)
        left = TRIES
        while True:
            left -= 1
            before = self._answer
            keys = self._find(backup, functools.partial(self._remembering, backup))
            was_asked = before is None and self._answer is not None
            if not was_asked or not self._answer or not left or self._is_right(backup, keys):
                return keys
            self._answer = None
            tries = f"{left} tries" if left > 1 else "1 try"
            self._notice(f"the password does not open {backup.stored_filename}; {tries} left")

    def _remembering(self, backup: Backup) -> str:
        if self._answer is None:
            assert self._ask is not None  # noqa: S101 - see above
            try:
                self._answer = self._ask()
            except PasswordNeeded as error:
                raise key_needed(backup, str(error)) from error
        return self._answer

    def _is_right(self, backup: Backup, keys: Keys) -> bool:
        try:
            head = self._head(backup)
        except BakthatError:  # the verb will say it
            return True
        return not head or self._opens(head, keys)
