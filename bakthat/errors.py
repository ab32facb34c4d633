"""Every error that bakthat raises on purpose.

A message is one line that names the problem and the way out; it never contains a secret. The command line maps these
errors to exit codes (`bakthat.entrypoints.cli`). Programming errors remain Python's own exceptions.

    BakthatError
    ├── ConfigError                 the settings cannot be used
    │   ├── ProfileNotFound
    │   ├── ConfigInvalid
    │   └── UnknownDestination
    ├── UsageError                  the request is invalid
    │   ├── InvalidName
    │   ├── InvalidInterval
    │   └── InvalidPolicy
    ├── SourceError                 the source of a backup does not exist or cannot be read
    ├── BackupNotFound
    ├── AmbiguousName
    ├── DuplicateBackup
    ├── DeletionRefused             unconfirmed deletion of the last complete backup
    ├── TargetExists                a restore would replace existing files
    ├── TargetError                 the target of a restore cannot be written: full, read-only, no permission
    ├── DatabaseError               the database of backups is unusable
    ├── StoreError                  the store refused or failed
    │   ├── ObjectNotFound
    │   ├── ObjectExists
    │   ├── ObjectArchived          must be retrieved from an archive class first
    │   ├── ObjectLocked            cannot be deleted yet: Object Lock, or a legal hold
    │   ├── Unsupported             the service cannot do this
    │   ├── AccessDenied
    │   │   └── CredentialsRefused  missing, wrong or expired: no request can succeed
    │   └── StoreUnavailable        retryable
    ├── RetrievalPending            retryable
    ├── JobRunning                  retryable: another run of the same job is under way
    ├── RetrievalExpired
    └── PayloadError                the stored bytes cannot be turned back into files
        ├── PasswordNeeded
        ├── WrongPassword
        ├── NotEncrypted            a plain backup in an encrypted series
        ├── ChainBroken             a backup that an incremental one needs is missing, or is another one
        └── PayloadDamaged
"""

from __future__ import annotations


class BakthatError(Exception):
    """Base of all errors that bakthat raises on purpose. `str(error)` is one line for the user."""

    retryable = False
    """Whether the same call may succeed later without any change by the user."""


class ConfigError(BakthatError):
    """The settings cannot be used."""


class ProfileNotFound(ConfigError):
    """The configuration file has no such profile."""


class ConfigInvalid(ConfigError):
    """The configuration file cannot be read, or a setting is invalid. The message names file, profile and key."""


class UnknownDestination(ConfigError):
    """There is no destination with this name."""


class UsageError(BakthatError):
    """The request is invalid."""


class InvalidName(UsageError):
    """The name is not valid for a backup."""


class InvalidInterval(UsageError):
    """The interval is invalid, such as `3X`."""


class InvalidPolicy(UsageError):
    """The rotation policy keeps nothing, or contains a negative number."""


class SourceError(BakthatError):
    """The source of a backup does not exist, or cannot be read at all."""


class BackupNotFound(BakthatError):
    """No backup matches the name."""


class AmbiguousName(BakthatError):
    """Several series, or backups of several origins, match the name. The message lists them."""


class DuplicateBackup(BakthatError):
    """The database already contains a backup of this name in this store."""


class DeletionRefused(BakthatError):
    """The backup to delete is the last complete one of its origin, or others need it, and that was not confirmed."""


class TargetExists(BakthatError):
    """A restore would replace existing files, and was not asked to (`overwrite`)."""


class TargetError(BakthatError):
    """The target of a restore cannot be written: full, read-only, no permission, or unsupported files.

    Existing files are unchanged, unless the message says otherwise.
    """


class DatabaseError(BakthatError):
    """The database of backups is locked, read-only, damaged or unreachable. `sync` can rebuild it from the store."""


class StoreError(BakthatError):
    """The store refused or failed."""


class ObjectNotFound(StoreError):
    """The store has no object under this key."""


class ObjectExists(StoreError):
    """The key exists, and the call did not request to replace it."""


class ObjectArchived(StoreError):
    """The object is in an archive class and must be retrieved before it can be read."""


class ObjectLocked(StoreError):
    """Object Lock or a legal hold keeps the object from being deleted. The message says how long."""


class Unsupported(StoreError):
    """The service does not have this operation."""


class AccessDenied(StoreError):
    """The credentials are missing, wrong, or lack a permission."""


class CredentialsRefused(AccessDenied):
    """The credentials are missing, wrong or expired, or the clock is wrong: no request can succeed."""


class StoreUnavailable(StoreError):
    """The store did not respond, or reported a temporary failure."""

    retryable = True


class RetrievalPending(BakthatError):
    """A retrieval from an archive has been requested and is not ready yet."""

    retryable = True


class JobRunning(BakthatError):
    """Another run of the same job is under way."""

    retryable = True


class RetrievalExpired(BakthatError):
    """A retrieval has expired, has failed, or is unknown to the service: request it again."""


class PayloadError(BakthatError):
    """The stored bytes cannot be turned back into files."""


class PasswordNeeded(PayloadError):
    """The backup is encrypted, and no password or identity was given."""


class WrongPassword(PayloadError):
    """The given password or identity does not decrypt this backup."""


class NotEncrypted(PayloadError):
    """The backup is plain, but the one before it is encrypted: somebody without a key may have stored it."""


class ChainBroken(PayloadError):
    """The backup is incremental, and a backup that it needs is missing, or is not the one that was its base."""


class PayloadDamaged(PayloadError):
    """The stored bytes are not what was written: truncated, altered, or not an archive."""
