"""Errors about a key that is missing or does not fit: they name the backup, and the keys that would fit."""

from __future__ import annotations

from bakthat.domain.backup import Backup
from bakthat.domain.recipients import told
from bakthat.errors import PasswordNeeded, WrongPassword


def key_needed(backup: Backup, why: str = "") -> PasswordNeeded:
    """The error about an encrypted backup for which there is no key at all. `why`: why nobody was asked."""
    name, recipients = backup.stored_filename, told(backup.metadata.recipients)
    if recipients:
        return PasswordNeeded(f"{name} is encrypted to {recipients}; give the key file with `identities=`")
    if why:
        way_out = "" if backup.metadata.encryption_scheme else ", or its key file with `identities=`"
        return PasswordNeeded(f"{name} is encrypted, and {why}{way_out}")
    if backup.metadata.encryption_scheme == "age-scrypt":
        return PasswordNeeded(f"{name} is encrypted with a password; give it")
    return PasswordNeeded(f"{name} is encrypted; give its password, or its key file with `identities=`")


def wrong_key(backup: Backup, error: WrongPassword) -> WrongPassword:
    """The error with the name of the backup and the keys that it is recorded to be encrypted to."""
    text, recipients = str(error), told(backup.metadata.recipients)
    if recipients and recipients not in text:
        text = f"{text}; it is recorded as encrypted to {recipients}"
    return WrongPassword(text if backup.stored_filename in text else f"{backup.stored_filename}: {text}")
