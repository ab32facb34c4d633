"""Every error that bakthat raises on purpose.

A message is one line that names the thing and the way out; it never holds a secret. The exit codes are the command
line's business (`bakthat.entrypoints.cli`); programming errors stay Python's own.

    BakthatError
    ├── ConfigError                 the settings cannot be used
    │   ├── ProfileNotFound
    │   ├── ConfigInvalid
    │   └── UnknownDestination
    ├── UsageError                  the request cannot be carried out as it was put
    │   ├── InvalidName
    │   ├── InvalidInterval
    │   └── InvalidPolicy
    ├── SourceError                 what is to be backed up is not there, or cannot be read at all
    ├── BackupNotFound
    ├── AmbiguousName
    ├── DuplicateBackup
    ├── DeletionRefused             it would be the last complete backup, and nobody has confirmed it
    ├── TargetExists                a restore would replace something
    ├── TargetError                 where a restore goes to cannot be written: full, read-only, no permission
    ├── DatabaseError               the database of backups cannot be used
    ├── StoreError                  the store refused or failed
    │   ├── ObjectNotFound
    │   ├── ObjectExists
    │   ├── ObjectArchived          it must be retrieved from an archive class first
    │   ├── AccessDenied
    │   │   └── CredentialsRefused  missing, wrong or expired: no request can succeed
    │   └── StoreUnavailable        retryable
    ├── RetrievalPending            retryable
    ├── RetrievalExpired
    └── PayloadError                the stored bytes cannot be turned back into files
        ├── PasswordNeeded
        ├── WrongPassword
        ├── NotEncrypted            it is plain, though its series is encrypted
        └── PayloadDamaged
"""

from __future__ import annotations


class BakthatError(Exception):
    """Base of all errors raised on purpose. `str(error)` is the line that a user reads."""

    retryable = False
    """True where the same call may succeed later without any change by the user."""


class ConfigError(BakthatError):
    """The settings cannot be used."""


class ProfileNotFound(ConfigError):
    """The configuration file has no such profile."""


class ConfigInvalid(ConfigError):
    """A configuration file cannot be read, or a value in it has a wrong type; the message names file, profile, key."""


class UnknownDestination(ConfigError):
    """No store is known under this name."""


class UsageError(BakthatError):
    """The request cannot be carried out as it was put."""


class InvalidName(UsageError):
    """A name that no backup can have."""


class InvalidInterval(UsageError):
    """An interval outside the grammar, such as `3X`."""


class InvalidPolicy(UsageError):
    """A rotation policy that keeps nothing, or holds a negative number."""


class SourceError(BakthatError):
    """What is to be backed up is not there, or cannot be read at all."""


class BackupNotFound(BakthatError):
    """No backup fits the name."""


class AmbiguousName(BakthatError):
    """Several different series, or backups of several origins, fit the name; the message lists them."""


class DuplicateBackup(BakthatError):
    """The database already holds a backup of this name in this store."""


class DeletionRefused(BakthatError):
    """What was to be deleted is the last complete backup of its origin, and nobody has confirmed it."""


class TargetExists(BakthatError):
    """A restore would replace something that is there, and was not told to."""


class TargetError(BakthatError):
    """The disk refuses what a restore writes: it is full, read-only, without permission, or cannot hold such files.

    What was there before is untouched, unless the message says otherwise.
    """


class DatabaseError(BakthatError):
    """The database of backups is locked, read-only, damaged or out of reach; `sync` can rebuild it from the store."""


class StoreError(BakthatError):
    """The store refused or failed."""


class ObjectNotFound(StoreError):
    """The store has no object under this key."""


class ObjectExists(StoreError):
    """The key is taken, and the call did not ask to replace."""


class ObjectArchived(StoreError):
    """The object lies in an archive class and must be retrieved before it can be read."""


class AccessDenied(StoreError):
    """The credentials are missing, wrong, or lack a permission."""


class CredentialsRefused(AccessDenied):
    """The credentials are missing, wrong or expired, or the clock is: no request can succeed, whatever it is for."""


class StoreUnavailable(StoreError):
    """The store did not answer, or answered that it cannot at the moment."""

    retryable = True


class RetrievalPending(BakthatError):
    """A retrieval from an archive has been asked for and is not ready yet."""

    retryable = True


class RetrievalExpired(BakthatError):
    """A retrieval was ready once and is gone, or the service has forgotten it: ask again."""


class PayloadError(BakthatError):
    """The stored bytes cannot be turned back into files."""


class PasswordNeeded(PayloadError):
    """The backup is encrypted, and no password or identity was given."""


class WrongPassword(PayloadError):
    """The password or identity given does not open this backup."""


class NotEncrypted(PayloadError):
    """The backup is plain, though the one before it is encrypted: somebody without a key may have put it there."""


class PayloadDamaged(PayloadError):
    """The stored bytes are not what was written: truncated, altered, or no archive at all."""
