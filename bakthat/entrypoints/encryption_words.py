"""How a backup is encrypted, in words: what its record says, and no more."""

from __future__ import annotations

from bakthat.domain.backup import Backup
from bakthat.domain.recipients import told


def encryption_words(backup: Backup) -> str:
    """`not encrypted`, `encrypted with a password`, or `encrypted to age1…`; `encrypted` where nobody knows how."""
    if not backup.is_encrypted:
        return "not encrypted"
    recipients = told(backup.metadata.recipients)
    if recipients:
        return f"encrypted to {recipients}"
    return "encrypted with a password" if backup.metadata.encryption_scheme == "age-scrypt" else "encrypted"
