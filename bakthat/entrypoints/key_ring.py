"""The key files of one call: read once, and those that are encrypted opened once, when a backup needs them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from bakthat.domain.backup import Backup
from bakthat.domain.callbacks import ignore
from bakthat.domain.recipients import label
from bakthat.errors import PasswordNeeded, PayloadError, WrongPassword

if TYPE_CHECKING:
    from bakthat.adapters.encryption.identity_files import IdentityFile

AskPassphrase = Callable[[str], str]
"""Asks the user for the passphrase of a key file; takes the name of the file as it is shown; "" means none."""

_TRIES = 3


class KeyRing:
    """Gives the identities for a backup.

    Args:
        ask: Asks for a passphrase; None if nobody can be asked.
        notice: Called with lines about key files.
    """

    def __init__(self, ask: AskPassphrase | None = None, notice: Callable[[str], None] = ignore) -> None:
        self._ask = ask
        self._notice = notice
        self._files: dict[str, IdentityFile] = {}
        self._unlocked: dict[str, tuple[str, ...]] = {}
        self._failures: dict[str, PayloadError] = {}
        self._reported: list[PayloadError] = []

    def identities_for(self, backup: Backup, paths: Sequence[str]) -> tuple[str, ...]:
        """Return the identities in these files that may decrypt the backup.

        A passphrase is asked for only if no other identity is recorded as the backup's.

        Raises:
            UsageError: A file cannot be used.
            PasswordNeeded: The only files are encrypted, and nobody can be asked for their passphrases.
            WrongPassword: The passphrase was wrong, several times.
        """
        files = {path: self._file(path) for path in paths}
        found = [key for path, file in files.items() for key in self._unlocked.get(path, file.identities)]
        locked = {path: file for path, file in files.items() if file.unlock is not None and path not in self._unlocked}
        wanted = backup.metadata.recipients
        if locked and not self._fits(found, wanted):
            # A record may be wrong, so what does not fit it is tried where there is nothing else.
            candidates = {path: file for path, file in locked.items() if not wanted or file.label in ("", *wanted)}
            if not candidates and not found:
                candidates = locked
            for path, file in sorted(candidates.items(), key=lambda item: item[1].label not in wanted):
                self._try_to_unlock(path, file)
                found += self._unlocked.get(path, ())
                if self._fits(found, wanted):
                    break
            failures = [self._failures[path] for path in locked if path in self._failures]
            if failures and not found:
                raise type(failures[0])(str(failures[0]))
            self._report(failures)
        return tuple(dict.fromkeys(found))

    def _report(self, failures: Sequence[PayloadError]) -> None:
        """Name the files that are not used, once."""
        for failure in failures:
            if failure not in self._reported:
                self._reported.append(failure)
                self._notice(f"{failure}; other keys are tried")

    def _file(self, path: str) -> IdentityFile:
        if path not in self._files:
            from bakthat.adapters.encryption.identity_files import read_identity_file

            self._files[path] = read_identity_file(path, notice=self._notice)
        return self._files[path]

    def _fits(self, identities: Sequence[str], wanted: Sequence[str]) -> bool:
        if not wanted or not identities:
            return False
        from bakthat.adapters.encryption.key_files import recipient_of

        return any(label(recipient_of(identity)) in wanted for identity in identities)

    def _try_to_unlock(self, path: str, file: IdentityFile) -> None:
        """Unlock a file, unless that has failed before: nobody is asked twice for what he does not know."""
        if path in self._failures:
            return
        try:
            self._unlocked[path] = self._unlock(file)
        except (PasswordNeeded, WrongPassword) as error:
            self._failures[path] = error

    def _unlock(self, file: IdentityFile) -> tuple[str, ...]:
        assert file.unlock is not None  # noqa: S101 - the caller has chosen it
        if self._ask is None:
            raise PasswordNeeded(
                f"the key file {file.shown} is encrypted, and there is no terminal to ask for its passphrase; run this "
                "on a terminal, or name a key file that is not encrypted with `identities=`"
            )
        for left in reversed(range(_TRIES)):
            passphrase = self._ask(file.shown)
            if not passphrase:
                break
            try:
                return file.unlock(passphrase)
            except WrongPassword as error:
                if not left:
                    raise
                # Each time another line: the same one is said once only.
                self._notice(f"{error}; {left} {'tries' if left > 1 else 'try'} left")
        raise PasswordNeeded(f"the key file {file.shown} is encrypted, and no passphrase was given")
