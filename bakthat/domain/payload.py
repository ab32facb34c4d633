"""Values about the bytes of a backup: the keys that encrypt them, and what packing and unpacking report."""

from __future__ import annotations

import enum
from typing import Any

from attrs import field, frozen

from bakthat.domain.excluded import Excluded
from bakthat.domain.recipients import label, scheme

AGE_MAGIC = b"age-encryption.org/v1\n"
"""The first line of every age file (C2SP age specification, "Header")."""


class SourceKind(enum.Enum):
    """What lies at a source path."""

    DIRECTORY = "directory"
    FILE = "file"
    PACKED_FILE = "packed file"
    """A file whose content is already a gzipped tar: it is stored as it is."""


@frozen(kw_only=True)
class Keys:
    """What encrypts or decrypts a payload. Nothing of it that is secret shows in `repr`.

    `passphrase`: for scrypt (age) or Blowfish (2013's files). `recipients`: public keys, `age1…`, `age1pq1…`,
    `ssh-ed25519 …`, `ssh-rsa …`; they only encrypt. `identities`: private keys, `AGE-SECRET-KEY-1…`,
    `AGE-SECRET-KEY-PQ-1…`, the text of an SSH key's file; they only decrypt. A payload is encrypted with a passphrase
    or to recipients, never both: the age format forbids it. `allow_mixed_recipients`: allow post-quantum recipients
    together with others.
    """

    passphrase: str | None = field(default=None, repr=False)
    recipients: tuple[str, ...] = ()
    identities: tuple[str, ...] = field(default=(), repr=False)
    allow_mixed_recipients: bool = False

    def as_metadata(self) -> dict[str, Any]:
        """How a backup is encrypted with these keys, as a record has it under `encryption`."""
        if not self.recipients:
            return {"scheme": "age-scrypt", "recipients": []}
        return {"scheme": scheme(self.recipients), "recipients": list(map(label, self.recipients))}

    def __bool__(self) -> bool:
        return bool(self.passphrase or self.recipients or self.identities)


@frozen
class NamedBase:
    """What an incremental archive says that it continues.

    name: the stored filename of that backup. sha256: of its stored bytes, in hex; None if the archive does not say.
    """

    name: str
    sha256: str | None = None


@frozen
class Problem:
    """A path of the source that could not be backed up as it was, and why. The rest of the backup stands. `count`: how
    many paths it stands for, where there are too many of one kind to list them."""

    path: str
    reason: str
    count: int = field(default=1, kw_only=True)


@frozen(kw_only=True)
class PackReport:
    """What went into a package. `size`: bytes of file content read. `problems` make a backup incomplete;
    `notices` (a skipped socket) do not. `excluded`: what was left out on purpose."""

    files: int = 0
    directories: int = 0
    others: int = 0
    size: int = 0
    problems: tuple[Problem, ...] = ()
    notices: tuple[Problem, ...] = ()
    excluded: Excluded = field(factory=Excluded)


@frozen(kw_only=True)
class UnpackReport:
    """What came out of a package. `roots`: the names that now stand in the target directory. `size`: bytes of file
    content written. `notices`: things that could not be restored exactly (an owner, a device) and why."""

    roots: tuple[str, ...] = ()
    files: int = 0
    directories: int = 0
    others: int = 0
    size: int = 0
    notices: tuple[Problem, ...] = ()
