"""The verbs of the library that make backups."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

from attrs import evolve

from bakthat.domain.backup import Backup, split_tags
from bakthat.domain.compression_choice import CompressionChoice, parse_compression
from bakthat.domain.increment_policy import IncrementPolicy, policy_of_setting
from bakthat.domain.payload import Keys
from bakthat.domain.size import parse_size
from bakthat.domain.stored_name import check_series
from bakthat.entrypoints.keys import Ask, encryption_keys
from bakthat.entrypoints.library.opened_profile import AnyPath, OpenedProfile, listed
from bakthat.errors import UsageError
from bakthat.usecases.backup import BackupRequest
from bakthat.usecases.backup import backup as make_backup
from bakthat.usecases.backup_stream import StreamRequest
from bakthat.usecases.backup_stream import backup_stream as make_backup_of_stream
from bakthat.usecases.backup_survey import survey_backup
from bakthat.usecases.exclusions import ExclusionRequest
from bakthat.usecases.tools import Tools

T = TypeVar("T")


class BackupVerbs(OpenedProfile):
    """Making backups."""

    def backup(
        self,
        filename: AnyPath = ".",
        destination: str | None = None,
        *,
        name: str | None = None,
        tags: str | Sequence[str] = (),
        password: str | None = None,
        recipients: Sequence[str] = (),
        recipients_files: Sequence[AnyPath] = (),
        allow_mixed_recipients: bool | None = None,
        excludes: Sequence[str] = (),
        exclude_from: Sequence[AnyPath] = (),
        gitignore: bool | None = None,
        exclude_caches: bool | None = None,
        exclude_if_present: Sequence[str] | None = None,
        exclude_larger_than: int | str | None = None,
        one_file_system: bool | None = None,
        xattrs: bool | None = None,
        compression: str | None = None,
        incremental: bool | Mapping[str, Any] | None = None,
        full: bool = False,
        recorded_source: str | None = None,
        ask: Ask | None = None,
        on_excluded: Callable[[str, str], None] | None = None,
        dry_run: bool = False,
    ) -> Backup:
        """Back up a file or a directory into one archive.

        Args:
            filename: The file or the directory.
            destination: Its name (`s3`, `local`, …); None means the profile's default destination.
            name: Name of the series; by default the base name of `filename`.
            tags: Text separated by white space, or a list.
            password: "" means no encryption, whatever the environment says; None leaves it to BAKTHAT_PASSWORD and
                the profile.
            recipients: Public keys, in place of the profile's; they exclude a password. age's own (`age1…`), its
                post-quantum ones (`age1pq1…`), and SSH keys (`ssh-ed25519 …`, `ssh-rsa …`).
            recipients_files: Files of such keys, one per line, besides `recipients`.
            allow_mixed_recipients: Allow post-quantum recipients together with others, which makes them useless
                against quantum computers; None means the profile's setting.
            excludes: gitignore patterns, besides those of the source's own `.bakthatexclude`, else `.gitignore`.
            exclude_from: Files of such patterns, which come before `excludes`; the last pattern that matches decides.
            gitignore: False ignores the source's `.gitignore`. None means the profile's setting, here and in the next
                five.
            exclude_caches: Leave out the contents of directories with a valid `CACHEDIR.TAG`, except the tag.
            exclude_if_present: Names; leave out the contents of directories that contain one of them, except that one.
            exclude_larger_than: Leave out larger files; bytes, or text such as `500M`.
            one_file_system: Leave out file systems mounted below the source.
            xattrs: Keep extended attributes, access control lists, file capabilities and SELinux labels.
            compression: `gzip`, `zstd`, `zstd:1` to `zstd:19`, or `none`; None means the profile's setting.
            incremental: Of a directory, store only what changed since its newest backup. True, or settings that say
                when a full one is made: `{"full_every": "30D", "most": 30}`. None means the profile's setting.
            full: Make a full backup anyway, which begins a new chain.
            recorded_source: The source in the record instead of the path; "" for none. An incremental backup needs one.
            ask: Called for a password if none is found elsewhere.
            on_excluded: Called with the path of each entry that is left out, and the reason.
            dry_run: Walk the source and return the record as it would be, with `counts` and `excluded` in its
                metadata and a size of 0. No file is read, no store is contacted, nothing is stored or recorded.

        Returns:
            The record of the new backup. Its `is_incomplete` tells whether some files could not be read.

        Raises:
            SourceError, InvalidName, UsageError, ConfigError, StoreError, DatabaseError: Nothing is stored then, unless
                the message says so.
        """
        profile = self.profile
        choice = self._compression(compression)
        find_keys = self._key_finder(password, recipients, recipients_files, allow_mixed_recipients)

        def requested() -> BackupRequest:
            if not os.fspath(filename):
                # As from an unset variable in a script, which must not become a backup of the current directory.
                raise UsageError("FILENAME is empty; leave it out to back up the current directory")
            larger_than = (
                parse_size(exclude_larger_than) if isinstance(exclude_larger_than, str) else exclude_larger_than
            )
            return BackupRequest(
                source=Path(filename),
                destination=self._destination(destination),
                name=name,
                tags=split_tags(list(tags) if not isinstance(tags, str) else tags),
                exclusions=ExclusionRequest(
                    patterns=listed(excludes),
                    files=tuple(Path(path) for path in listed(exclude_from)),
                    gitignore=_given(gitignore, profile.gitignore),
                    caches=_given(exclude_caches, profile.exclude_caches),
                    if_present=listed(_given(exclude_if_present, profile.exclude_if_present)),
                    larger_than=_given(larger_than, profile.exclude_larger_than),
                    one_file_system=_given(one_file_system, profile.one_file_system),
                ),
                on_excluded=on_excluded,
                compression=choice.compression,
                xattrs=_given(xattrs, profile.xattrs),
                recorded_source=recorded_source,
                incremental=self._increment_policy(incremental),
                full=full,
            )

        if dry_run:
            return survey_backup(requested(), self.tools)

        def carry_out(tools: Tools) -> Backup:
            request = requested()
            if ask is not None:
                # A wrong path or destination is reported before a person is asked for a password.
                tools.examine(request.source)
                tools.destination(request.destination)
            return self._locked(make_backup(evolve(request, keys=find_keys(ask)), _at_level(tools, choice)))

        return self._run("backup", carry_out)

    def backup_stream(
        self,
        file: BinaryIO,
        destination: str | None = None,
        *,
        name: str,
        tags: str | Sequence[str] = (),
        password: str | None = None,
        recipients: Sequence[str] = (),
        recipients_files: Sequence[AnyPath] = (),
        allow_mixed_recipients: bool | None = None,
        compression: str | None = None,
        ask: Ask | None = None,
    ) -> Backup:
        """Back up the bytes of a binary file to its end: a pipe, a response, anything with `read`.

        Args:
            file: Read to its end, and neither sought nor closed. Nothing is stored if its `read` raises.
            destination: Its name (`s3`, `local`, …); None means the profile's default destination.
            name: Name of the series, and of the file that a restore writes.
            tags, password, recipients, recipients_files, allow_mixed_recipients, compression, ask: As of `backup`.

        Returns:
            The record of the new backup. Its `source` is `-`.

        Raises:
            InvalidName, SourceError, UsageError, ConfigError, StoreError, DatabaseError: Nothing is stored then, unless
                the message says so.
        """
        content = contextlib.nullcontext(file)
        choice = self._compression(compression)
        request = self._stream_request(name, destination, tags, content)
        find_keys = self._key_finder(password, recipients, recipients_files, allow_mixed_recipients)
        return self._back_up_stream(request, choice, find_keys, ask)

    def backup_command(
        self,
        command: Sequence[str],
        destination: str | None = None,
        *,
        name: str,
        tags: str | Sequence[str] = (),
        password: str | None = None,
        recipients: Sequence[str] = (),
        recipients_files: Sequence[AnyPath] = (),
        allow_mixed_recipients: bool | None = None,
        compression: str | None = None,
        ask: Ask | None = None,
    ) -> Backup:
        """Run a program, and back up what it writes to standard output. Nothing is stored unless it exits with 0.

        Args:
            command: The program and its arguments, as `["pg_dump", "shop"]`. No shell runs. Its environment is this
                one's without bakthat's own secrets; its stdin is empty; its stderr is this process's.
            destination: Its name (`s3`, `local`, …); None means the profile's default destination.
            name: Name of the series, and of the file that a restore writes.
            tags, password, recipients, recipients_files, allow_mixed_recipients, compression, ask: As of `backup`.

        Returns:
            The record of the new backup. Its metadata have the base name of the program as `command`, and no argument.

        Raises:
            UsageError: There is no such program.
            SourceError: The program failed or was killed; the message has its name, and its exit status or signal.
            InvalidName, ConfigError, StoreError, DatabaseError: Nothing is stored then, unless the message says so.
        """
        from bakthat.adapters.commands.environment import child_environment
        from bakthat.adapters.commands.output import CommandOutput

        output = CommandOutput(command, environment=child_environment(self._environment, with_aws=True))
        choice = self._compression(compression)
        request = self._stream_request(name, destination, tags, output)
        request = evolve(request, command=output.name, stop=output.stop)
        find_keys = self._key_finder(password, recipients, recipients_files, allow_mixed_recipients)
        return self._back_up_stream(request, choice, find_keys, ask, check=output.check)

    def _stream_request(
        self,
        name: str,
        destination: str | None,
        tags: str | Sequence[str],
        content: contextlib.AbstractContextManager[BinaryIO],
    ) -> StreamRequest:
        return StreamRequest(
            name=name,
            destination=self._destination(destination),
            content=content,
            tags=split_tags(list(tags) if not isinstance(tags, str) else tags),
        )

    def _back_up_stream(
        self,
        request: StreamRequest,
        choice: CompressionChoice,
        find_keys: Callable[[Ask | None], Keys],
        ask: Ask | None,
        *,
        check: Callable[[], None] = lambda: None,
    ) -> Backup:
        def carry_out(tools: Tools) -> Backup:
            # A wrong name, destination or program is reported before a person is asked for a password.
            check_series(request.name)
            tools.destination(request.destination)
            check()
            chosen = evolve(request, keys=find_keys(ask), compression=choice.compression)
            return self._locked(make_backup_of_stream(chosen, _at_level(tools, choice)))

        return self._run("backup", carry_out)

    def _locked(self, made: Backup) -> Backup:
        """The backup, with a notice if the profile wants locks and the store has none, such as a folder."""
        if self.profile.object_lock is not None and made.metadata.locked_until is None:
            self.tools.notice(
                f"{made.stored_filename} is not locked: object_lock is for buckets, and has no effect in {made.backend}"
            )
        return made

    def _key_finder(
        self,
        password: str | None,
        recipients: Sequence[str],
        recipients_files: Sequence[AnyPath],
        allow_mixed_recipients: bool | None,
    ) -> Callable[[Ask | None], Keys]:
        """Return what finds the keys that encrypt a backup; it may ask for a password."""
        return lambda ask: encryption_keys(
            self.profile,
            password=password,
            recipients=listed(recipients),
            recipients_files=[os.fspath(path) for path in listed(recipients_files)],
            allow_mixed_recipients=allow_mixed_recipients,
            ask=ask,
            environment=self._environment,
            notice=self.tools.notice,
        )

    def _increment_policy(self, given: bool | Mapping[str, Any] | None) -> IncrementPolicy | None:
        setting = given
        if given is None or (given is True and self.profile.incremental):
            setting = self.profile.incremental
        try:
            return policy_of_setting(setting) if setting is not None else None
        except ValueError as error:
            raise UsageError(f"incremental: {error}") from None

    def _compression(self, given: str | None) -> CompressionChoice:
        if given is None:
            return self.profile.compression_choice
        try:
            return parse_compression(given)
        except ValueError as error:
            raise UsageError(f"compression {given!r}: {error}") from None


def _at_level(tools: Tools, choice: CompressionChoice) -> Tools:
    """The tools, with the compressor at the level that was chosen."""
    if choice.level is None:
        return tools
    compressor = tools.compressors[choice.compression].at_level(choice.level)
    return evolve(tools, compressors={**tools.compressors, choice.compression: compressor})


def _given(value: T | None, default: T) -> T:
    return value if value is not None else default
