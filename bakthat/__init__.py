"""bakthat: one compressed, optionally encrypted archive per backup, in your own store.

    import bakthat

    bakthat.backup("/dir", tags=["daily"])
    bakthat.restore("dir", target="/tmp")

The names below are the library. They are imported when they are first used, so that `import bakthat` costs nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

__version__ = "1.0.0"

if TYPE_CHECKING:
    from bakthat import errors as errors
    from bakthat.domain.backup import Backup as Backup
    from bakthat.domain.profile import Profile as Profile
    from bakthat.domain.progress import Progress as Progress
    from bakthat.domain.rotation import RotationPolicy as RotationPolicy
    from bakthat.entrypoints.api import Bakthat as Bakthat
    from bakthat.entrypoints.api import open_profile as open_profile
    from bakthat.entrypoints.functions import backup as backup
    from bakthat.entrypoints.functions import backup_command as backup_command
    from bakthat.entrypoints.functions import backup_stream as backup_stream
    from bakthat.entrypoints.functions import delete as delete
    from bakthat.entrypoints.functions import delete_older_than as delete_older_than
    from bakthat.entrypoints.functions import remove_older_than as remove_older_than
    from bakthat.entrypoints.functions import restore as restore
    from bakthat.entrypoints.functions import rotate_backups as rotate_backups
    from bakthat.entrypoints.functions import show as show
    from bakthat.entrypoints.functions import sync as sync
    from bakthat.entrypoints.functions import verify as verify
    from bakthat.entrypoints.helper import BakHelper as BakHelper
    from bakthat.entrypoints.key_value import KeyValue as KeyValue
    from bakthat.usecases.events import Events as Events

_HOMES = {
    "Backup": "bakthat.domain.backup",
    "Profile": "bakthat.domain.profile",
    "Progress": "bakthat.domain.progress",
    "RotationPolicy": "bakthat.domain.rotation",
    "Bakthat": "bakthat.entrypoints.api",
    "open_profile": "bakthat.entrypoints.api",
    "backup": "bakthat.entrypoints.functions",
    "backup_command": "bakthat.entrypoints.functions",
    "backup_stream": "bakthat.entrypoints.functions",
    "delete": "bakthat.entrypoints.functions",
    "delete_older_than": "bakthat.entrypoints.functions",
    "remove_older_than": "bakthat.entrypoints.functions",
    "restore": "bakthat.entrypoints.functions",
    "rotate_backups": "bakthat.entrypoints.functions",
    "show": "bakthat.entrypoints.functions",
    "sync": "bakthat.entrypoints.functions",
    "verify": "bakthat.entrypoints.functions",
    "BakHelper": "bakthat.entrypoints.helper",
    "KeyValue": "bakthat.entrypoints.key_value",
    "Events": "bakthat.usecases.events",
}

__all__ = [
    "Backup",
    "BakHelper",
    "Bakthat",
    "Events",
    "KeyValue",
    "Profile",
    "Progress",
    "RotationPolicy",
    "backup",
    "backup_command",
    "backup_stream",
    "delete",
    "delete_older_than",
    "errors",
    "open_profile",
    "remove_older_than",
    "restore",
    "rotate_backups",
    "show",
    "sync",
    "verify",
]


if not TYPE_CHECKING:  # else every misspelt name would be one for a type checker

    def __getattr__(name: str) -> Any:
        import importlib

        if name == "errors":
            return importlib.import_module("bakthat.errors")
        if name in _HOMES:
            return getattr(importlib.import_module(_HOMES[name]), name)
        raise AttributeError(f"module 'bakthat' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])
