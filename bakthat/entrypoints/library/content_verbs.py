"""The verbs of the library that look inside of backups, without restoring them."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from typing import BinaryIO

from bakthat.domain.backup import Backup, said_of
from bakthat.domain.interval import interval_of
from bakthat.domain.objects import Tier
from bakthat.domain.payload import Keys
from bakthat.entrypoints.keys import Ask
from bakthat.entrypoints.library.opened_contents import Contents, opened_file
from bakthat.entrypoints.library.opened_profile import AnyPath, OpenedProfile, listed, series_name, text_of
from bakthat.entrypoints.library.restore_verbs import tier_of
from bakthat.entrypoints.password_tries import AskAgain
from bakthat.errors import BakthatError
from bakthat.usecases.diff import Compared, DiffRequest
from bakthat.usecases.diff import diff as compare
from bakthat.usecases.find import FindRequest, FoundFile
from bakthat.usecases.find import find as find_files
from bakthat.usecases.list_archive import ListRequest, list_archive
from bakthat.usecases.read_file import ReadRequest, read_file


def why_unopened(backup: Backup, error: BakthatError) -> str:
    """The notice about a backup that `find` could not open; it names the backup once."""
    return f"{backup.stored_filename} could not be opened: {said_of(backup, error)}"


class ContentVerbs(OpenedProfile):
    """Listing, reading, finding and comparing what backups contain."""

    def ls(
        self,
        filename: str | Backup,
        destination: str | None = None,
        *,
        only: Sequence[str] = (),
        host: str | None = None,
        allow_plain: bool = False,
        password: str | None = None,
        identities: Sequence[AnyPath] = (),
        tier: Tier | str | None = None,
        wait: bool = False,
        ask: Ask | None = None,
    ) -> Contents:
        """List what a backup contains. Of an archive that has an index, only the index is read.

            for entry in bk.ls("photos"):
                print(entry.path, entry.size)

        Args:
            filename, destination, host, allow_plain, password, identities, ask: As of `restore`.
            only: gitignore patterns, relative to the backup's root; none means everything.
            tier, wait: As of `restore`, for an archive in Glacier of which there is no copy of the index.

        Returns:
            An iterator over the entries, in the order of the archive, with paths relative to the backup's root. Its
            `backup` is the record. It is also a context manager; without `with`, it is closed at its end.

        Raises:
            BackupNotFound, AmbiguousName, NotEncrypted, PasswordNeeded, WrongPassword, RetrievalPending, UsageError: At
                once.
            PayloadDamaged, StoreError: At once, or while the entries are read.
        """
        request = ListRequest(
            name=filename,
            destination=self._place(destination, filename),
            host=host,
            allow_plain=allow_plain,
            keys=self._opening(password, identities, ask),
            patterns=listed(only),
            tier=tier_of(tier),
            wait=wait,
        )
        return Contents(list_archive(request, self.tools))

    def open_file(
        self,
        filename: str | Backup,
        path: str | None = None,
        destination: str | None = None,
        *,
        host: str | None = None,
        allow_plain: bool = False,
        full_check: bool = False,
        password: str | None = None,
        identities: Sequence[AnyPath] = (),
        tier: Tier | str | None = None,
        wait: bool = False,
        ask: Ask | None = None,
    ) -> BinaryIO:
        """Open one file of a backup to read it. Of an archive that has an index, only the parts are read that hold it.

            with bk.open_file("photos", "2026/summer.jpg") as file:
                picture = file.read()

        Args:
            filename, destination, host, allow_plain, password, identities, tier, wait, ask: As of `restore`.
            path: Of the file, relative to the backup's root, literally. Links are followed inside of the backup. None
                means the file of a backup of a single file or stream.
            full_check: Read the whole archive, and check its SHA-256 at the end of the file.

        Returns:
            A binary file that can be read from its beginning to its end.

        Raises:
            BackupNotFound: There is no such backup, or no such file in it.
            UsageError: The path is a directory, a device, or leads out of the backup.
            AmbiguousName, NotEncrypted, PasswordNeeded, WrongPassword, RetrievalPending: At once.
            PayloadDamaged, StoreError: At once, or from `read`, also from the last one: what was read before is not to
                be trusted then.
        """
        request = ReadRequest(
            name=filename,
            destination=self._place(destination, filename),
            host=host,
            allow_plain=allow_plain,
            keys=self._opening(password, identities, ask),
            path=path,
            full_check=full_check,
            tier=tier_of(tier),
            wait=wait,
        )
        return opened_file(read_file(request, self.tools))

    def find(
        self,
        pattern: str | Sequence[str],
        destination: str | None = None,
        *,
        series: str | None = None,
        since: str | timedelta | None = None,
        host: str | None = None,
        all_versions: bool = False,
        allow_plain: bool = False,
        password: str | None = None,
        identities: Sequence[AnyPath] = (),
        ask: Ask | None = None,
        on_unopened: Callable[[Backup, BakthatError], None] | None = None,
    ) -> Iterator[FoundFile]:
        """Find files in backups, from the newest backup to the oldest.

        Args:
            pattern: gitignore patterns, relative to the root of each backup: a name, or `*.jpg`, or `2026/**/*.jpg`.
            destination: Its name (`s3`, `local`, …); None means the profile's default destination.
            series: Only backups of exactly this series.
            since: Only backups that are at most so old: `30D`, or a `timedelta`.
            host: Only backups of this host.
            all_versions: Every backup that has the file; otherwise a version (of equal size and time) is given once for
                each origin, from the newest backup that has it.
            allow_plain, password, identities, ask: As of `restore`. `ask` is called once at most.
            on_unopened: Called with each backup that could not be opened, and why; by default that is a notice.

        Returns:
            An iterator over what was found. The path of an `entry` is relative to the backup's root.

        Raises:
            UsageError, InvalidInterval, BackupNotFound: At once.
            StoreError: While it is read.
        """
        request = FindRequest(
            patterns=tuple(
                text_of(one, "a pattern is text")
                for one in (pattern if isinstance(pattern, list | tuple) else [pattern])
            ),
            destination=self._destination(destination),
            series=series_name(series) if series is not None else None,
            since=interval_of(since) if since is not None else None,
            host=host,
            all_versions=all_versions,
            allow_plain=allow_plain,
            keys=self._keys_once(password, identities, ask),
        )
        return find_files(request, self.tools, on_unopened=on_unopened or self._notify)

    def diff(
        self,
        filename: str | Backup,
        other: str | Backup | None = None,
        destination: str | None = None,
        *,
        host: str | None = None,
        allow_plain: bool = False,
        password: str | None = None,
        identities: Sequence[AnyPath] = (),
        ask: Ask | None = None,
    ) -> Compared:
        """Compare what two backups contain: type, size, time and mode of each path, and where symbolic links point.

        Args:
            filename: A backup, chosen as by `restore`: the older one.
            other: The newer one. None compares `filename` with the backup before it in its series, of the same host and
                path.
            destination, host, allow_plain, password, identities, ask: As of `restore`. `ask` is called once at most.

        Returns:
            Both records (`before`, `after`), and the `differences`, sorted by path.

        Raises:
            BackupNotFound, AmbiguousName, NotEncrypted, PasswordNeeded, WrongPassword, PayloadDamaged, StoreError: One
                of the backups cannot be found, or not be read.
        """
        request = DiffRequest(
            name=filename,
            other=other,
            destination=self._place(destination, filename, other),
            host=host,
            allow_plain=allow_plain,
            keys=self._keys_once(password, identities, ask),
        )
        return compare(request, self.tools)

    def _notify(self, backup: Backup, error: BakthatError) -> None:
        self.tools.notice(why_unopened(backup, error))

    def _keys_once(
        self, password: str | None, identities: Sequence[AnyPath], ask: Ask | None
    ) -> Callable[[Backup], Keys]:
        """As `_opening`, but key files, the password command and a person are asked once for backups of one kind."""
        once = ask if ask is None or isinstance(ask, AskAgain) else functools.cache(ask)
        opening = self._opening(password, identities, once)
        known: dict[tuple[str | None, ...], Keys] = {}

        def keys(backup: Backup) -> Keys:
            kind = (backup.metadata.encryption_scheme, *backup.metadata.recipients)
            if kind not in known:
                known[kind] = opening(backup)
            return known[kind]

        return keys
