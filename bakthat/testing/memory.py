"""The public names of the in-memory adapters.

They are real adapters: each passes the same contract suite as those for a disk or a service.
"""

from __future__ import annotations

from bakthat.adapters.memory.archive_store import MemoryArchiveStore
from bakthat.adapters.memory.config_source import MemoryConfig
from bakthat.adapters.memory.metadata_repo import MemoryRepo
from bakthat.adapters.memory.object_store import MemoryObjectStore

__all__ = ["MemoryArchiveStore", "MemoryConfig", "MemoryObjectStore", "MemoryRepo"]
