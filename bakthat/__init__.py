"""bakthat: one compressed, optionally encrypted archive per backup, in your own store.

    import bakthat

    bakthat.backup("/dir", tags=["daily"])
    bakthat.restore("dir", target="/tmp")

The names below are the library. They are imported when they are first used, so that `import bakthat` costs nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

__version__ = "1.1.0"

if TYPE_CHECKING:
    from bakthat import errors as errors
    from bakthat.domain.archive_index import IndexEntry as IndexEntry
    from bakthat.domain.backup import Backup as Backup
    from bakthat.domain.content_diff import Difference as Difference
    from bakthat.domain.objects import Leftover as Leftover
    from bakthat.domain.objects import Tier as Tier
    from bakthat.domain.origin import GroupBy as GroupBy
    from bakthat.domain.payload import UnpackReport as UnpackReport
    from bakthat.domain.profile import Profile as Profile
    from bakthat.domain.progress import Progress as Progress
    from bakthat.domain.rotation import Decision as Decision
    from bakthat.domain.rotation import Plan as Plan
    from bakthat.domain.rotation import RotationPolicy as RotationPolicy
    from bakthat.domain.salvage import SalvageReport as SalvageReport
    from bakthat.domain.status import SeriesStatus as SeriesStatus
    from bakthat.domain.status import StatusReport as StatusReport
    from bakthat.domain.verification import Level as Level
    from bakthat.domain.verification import Verification as Verification
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
    from bakthat.entrypoints.library.inventory_verbs import VaultInventory as VaultInventory
    from bakthat.entrypoints.library.opened_contents import Contents as Contents
    from bakthat.usecases.cleanup import CleanedUp as CleanedUp
    from bakthat.usecases.cleanup import CleanupReport as CleanupReport
    from bakthat.usecases.copy import CopyReport as CopyReport
    from bakthat.usecases.copying.one_backup import Copied as Copied
    from bakthat.usecases.delete import DeletionCandidate as DeletionCandidate
    from bakthat.usecases.diff import Compared as Compared
    from bakthat.usecases.events import Events as Events
    from bakthat.usecases.find import FoundFile as FoundFile
    from bakthat.usecases.restore import Restored as Restored
    from bakthat.usecases.retention import Retention as Retention
    from bakthat.usecases.rotate_all import RotatedSeries as RotatedSeries
    from bakthat.usecases.run_job import JobOutcome as JobOutcome
    from bakthat.usecases.run_job import JobRun as JobRun
    from bakthat.usecases.run_job import JobRuns as JobRuns
    from bakthat.usecases.salvage import Salvaged as Salvaged
    from bakthat.usecases.sync import Synced as Synced
    from bakthat.usecases.sync import SyncReport as SyncReport
    from bakthat.usecases.verify import Verified as Verified

_HOMES = {
    "IndexEntry": "bakthat.domain.archive_index",
    "Backup": "bakthat.domain.backup",
    "Difference": "bakthat.domain.content_diff",
    "Leftover": "bakthat.domain.objects",
    "Tier": "bakthat.domain.objects",
    "GroupBy": "bakthat.domain.origin",
    "UnpackReport": "bakthat.domain.payload",
    "Profile": "bakthat.domain.profile",
    "Progress": "bakthat.domain.progress",
    "Decision": "bakthat.domain.rotation",
    "Plan": "bakthat.domain.rotation",
    "RotationPolicy": "bakthat.domain.rotation",
    "SalvageReport": "bakthat.domain.salvage",
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
    "VaultInventory": "bakthat.entrypoints.library.inventory_verbs",
    "Contents": "bakthat.entrypoints.library.opened_contents",
    "CleanedUp": "bakthat.usecases.cleanup",
    "CleanupReport": "bakthat.usecases.cleanup",
    "CopyReport": "bakthat.usecases.copy",
    "Copied": "bakthat.usecases.copying.one_backup",
    "DeletionCandidate": "bakthat.usecases.delete",
    "Compared": "bakthat.usecases.diff",
    "Events": "bakthat.usecases.events",
    "FoundFile": "bakthat.usecases.find",
    "Restored": "bakthat.usecases.restore",
    "Retention": "bakthat.usecases.retention",
    "JobOutcome": "bakthat.usecases.run_job",
    "JobRun": "bakthat.usecases.run_job",
    "JobRuns": "bakthat.usecases.run_job",
    "RotatedSeries": "bakthat.usecases.rotate_all",
    "SeriesStatus": "bakthat.domain.status",
    "StatusReport": "bakthat.domain.status",
    "Level": "bakthat.domain.verification",
    "Verification": "bakthat.domain.verification",
    "Salvaged": "bakthat.usecases.salvage",
    "SyncReport": "bakthat.usecases.sync",
    "Synced": "bakthat.usecases.sync",
    "Verified": "bakthat.usecases.verify",
}

__all__ = [
    "Backup",
    "BakHelper",
    "Bakthat",
    "CleanedUp",
    "CleanupReport",
    "Compared",
    "Contents",
    "Copied",
    "CopyReport",
    "Decision",
    "DeletionCandidate",
    "Difference",
    "Events",
    "FoundFile",
    "GroupBy",
    "IndexEntry",
    "JobOutcome",
    "JobRun",
    "JobRuns",
    "KeyValue",
    "Leftover",
    "Level",
    "Plan",
    "Profile",
    "Progress",
    "Restored",
    "Retention",
    "RotatedSeries",
    "RotationPolicy",
    "SalvageReport",
    "Salvaged",
    "SeriesStatus",
    "StatusReport",
    "SyncReport",
    "Synced",
    "Tier",
    "UnpackReport",
    "VaultInventory",
    "Verification",
    "Verified",
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
