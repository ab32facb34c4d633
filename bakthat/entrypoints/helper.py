"""`BakHelper`: a temporary working directory for dumps, and its backups."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from datetime import timedelta
from types import TracebackType
from typing import Any

from bakthat.domain.backup import Backup
from bakthat.domain.stored_name import check_series
from bakthat.entrypoints.api import Bakthat
from bakthat.entrypoints.functions import opened
from bakthat.entrypoints.library.opened_profile import AnyPath
from bakthat.errors import UsageError


class BakHelper:
    """A temporary directory that is the current one inside the `with`, and is always removed afterwards.

        with BakHelper("mysql", tags=["db"]) as bh:
            subprocess.run("mysqldump … > dump.sql", shell=True, check=True)
            bh.backup()
            bh.rotate()

    Since the current directory belongs to the whole process, only one helper can be entered at a time.

    Args:
        backup_name: The series, and the name of the directory (`tmpd`), under which it is restored.
        destination: Of its backups.
        tags: Of its backups.
        password: "" (as in 2013) means no password; None leaves it to BAKTHAT_PASSWORD and the profile. A profile
            with `recipients` encrypts to them where no password is given.
        profile: Name of the profile.
        config: The configuration file.
        conf: Settings in place of the file's.
        bakthat: An opened profile in place of all three.
    """

    def __init__(
        self,
        backup_name: str,
        *,
        destination: str | None = None,
        password: str | None = "",
        profile: str | None = None,
        config: AnyPath | None = None,
        conf: Mapping[str, Any] | None = None,
        tags: str | Sequence[str] = (),
        bakthat: Bakthat | None = None,
    ) -> None:
        self.backup_name = check_series(backup_name)
        self.bakthat = bakthat if bakthat is not None else opened(profile, config, conf)
        self.tmpd = ""
        self._destination = destination
        self._password = password
        self._tags = tags
        self._before = ""
        self._around = ""

    def __enter__(self) -> BakHelper:
        self._before = os.getcwd()
        self._around = tempfile.mkdtemp(prefix="bakthat-")
        self.tmpd = os.path.join(self._around, self.backup_name)
        os.mkdir(self.tmpd, 0o700)
        os.chdir(self.tmpd)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            os.chdir(self._before)
        finally:
            shutil.rmtree(self._around)

    def backup(
        self,
        filename: AnyPath | None = None,
        *,
        destination: str | None = None,
        password: str | None = None,
        tags: str | Sequence[str] | None = None,
    ) -> Backup:
        """Back up the temporary directory, or `filename`, as the helper's series: `Bakthat.backup`."""
        if filename is None and not self._before:
            raise UsageError("a BakHelper has its directory only in its `with` block; back up in there")
        return self.bakthat.backup(
            filename if filename is not None else self.tmpd,
            destination if destination is not None else self._destination,
            name=self.backup_name,
            tags=tags if tags is not None else self._tags,
            password=password if password is not None else self._password,
            # A new temporary directory each time does not mean that the series has several sources.
            recorded_source="" if filename is None else None,
        )

    def restore(
        self,
        filename: str | Backup | None = None,
        *,
        destination: str | None = None,
        password: str | None = None,
        target: AnyPath = ".",
        allow_plain: bool = False,
    ) -> Backup:
        """Restore the newest backup of the helper's series, or `filename`, into the current directory:
        `Bakthat.restore`."""
        return self.bakthat.restore(
            filename if filename is not None else self.backup_name,
            destination if destination is not None else self._destination,
            target=target,
            allow_plain=allow_plain,
            password=(password if password is not None else self._password) or None,
        )

    def delete_older_than(
        self, filename: str | None = None, interval: str | timedelta = "", *, destination: str | None = None
    ) -> list[Backup]:
        """Delete backups of the helper's series, or of `filename`, that are older than the interval."""
        return self.bakthat.remove_older_than(
            filename if filename is not None else self.backup_name,
            interval,
            destination if destination is not None else self._destination,
        )

    def rotate(self, filename: str | None = None, *, destination: str | None = None) -> list[Backup]:
        """Thin out the helper's series, or `filename`, by the profile's rotation."""
        return self.bakthat.rotate_backups(
            filename if filename is not None else self.backup_name,
            destination if destination is not None else self._destination,
        )
