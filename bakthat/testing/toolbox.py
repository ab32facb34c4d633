"""Everything that the verbs need, in memory: for tests of the use cases, and of scripts that call bakthat."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial

from attrs import define, field

from bakthat.adapters.compression.block_sizes import GZIP_BLOCK, ZSTD_BLOCK
from bakthat.adapters.compression.gzip_compressor import GzipCompressor
from bakthat.adapters.compression.zstd_compressor import ZstdCompressor
from bakthat.adapters.memory.archive_store import MemoryArchiveStore
from bakthat.adapters.memory.file_states import MemoryFileStates
from bakthat.adapters.memory.metadata_repo import MemoryRepo
from bakthat.adapters.memory.object_store import MemoryObjectStore
from bakthat.adapters.packing.single_file import SingleFilePacker
from bakthat.adapters.packing.tar_packer import TarPacker
from bakthat.adapters.packing.writing.pattern_files import named_patterns, source_patterns
from bakthat.adapters.packing.writing.source import examine
from bakthat.domain.archive_format import Compression
from bakthat.domain.backup import Owner, backend_hash
from bakthat.domain.exclusions import OwnThings
from bakthat.domain.progress import Progress
from bakthat.errors import UnknownDestination
from bakthat.ports.archive_store import ArchiveStore
from bakthat.ports.file_states import FileStates
from bakthat.ports.metadata_repo import MetadataRepo
from bakthat.ports.object_store import ObjectStore
from bakthat.ports.payload import Cipher
from bakthat.usecases.destinations.archive_store import ArchiveDestination
from bakthat.usecases.destinations.base import Destination
from bakthat.usecases.destinations.object_store import ObjectDestination
from bakthat.usecases.tools import WORTH_A_REQUEST, WORTH_PARTS, Tools


@define
class SteppedClock:
    """A clock that stands still until a test moves it. `now`: aware UTC."""

    now: datetime = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def forward(self, **by: float) -> None:
        """Move the clock forward, by the keywords of `timedelta`."""
        self.now += timedelta(**by)


@define
class Toolbox:
    """The verbs' tools with adapters in memory; files are real, below the source of the test.

    stores: destinations by name, `s3` and `local` by default.
    archives: the vault of `glacier`.
    own: bakthat's own files, as seen from any source.
    states: what the newest backups contained, for incremental ones.
    clock_ns: nanoseconds since 1970, with which the times of files are compared: by default long after all of them.
    notices, progress: the reports of the verbs, in order.
    block_size: plain bytes of a gzip member and of a zstd frame; None: those of a real backup. With few of them, a
    small archive has many blocks, and two of them are worth a request.
    worth_parts: as of `Tools`.
    """

    stores: dict[str, ObjectStore] = field(factory=dict)
    archives: ArchiveStore | None = None
    repo: MetadataRepo = field(factory=MemoryRepo)
    clock: SteppedClock = field(factory=SteppedClock)
    cipher: Cipher | None = None
    host: str = "host"
    pid: int = 1
    own: OwnThings = field(factory=OwnThings)
    states: FileStates = field(factory=MemoryFileStates)
    clock_ns: Callable[[], int] = lambda: 1 << 62
    notices: list[str] = field(factory=list)
    progress: list[Progress] = field(factory=list)
    block_size: int | None = None
    worth_parts: float = WORTH_PARTS

    def __attrs_post_init__(self) -> None:
        if not self.stores:
            self.stores["s3"] = MemoryObjectStore("memory://s3", clock=self.clock)
            self.stores["local"] = MemoryObjectStore("memory://local", clock=self.clock)
        if self.archives is None:
            self.archives = MemoryArchiveStore(clock=self.clock, minimum_days=90)

    def destination(self, name: str) -> Destination:
        """The destination over the store of this name. Raises `UnknownDestination`."""
        if name == "glacier" and self.archives is not None:
            owner = Owner(backend=name, location=self.archives.location)
            return ArchiveDestination(
                owner,
                self.archives,
                self.stores.get("s3"),
                repo=self.repo,
                clock=self.clock,
                notice=self.notices.append,
            )
        if name not in self.stores:
            raise UnknownDestination(f"{name!r} is not a destination; there are {', '.join(self.stores)}")
        store = self.stores[name]
        owner = Owner(backend=name, location=store.location, backend_hash=backend_hash(None, store.location))
        return ObjectDestination(owner, store)

    @property
    def tools(self) -> Tools:
        """The tools for a verb."""
        from bakthat.adapters.encryption.age import AgeCipher

        return Tools(
            destination=self.destination,
            repo=self.repo,
            tar=TarPacker(clock_ns=self.clock_ns),
            plain=SingleFilePacker(),
            compressors={
                Compression.GZIP: GzipCompressor(block_size=self.block_size or GZIP_BLOCK),
                Compression.ZSTD: ZstdCompressor(block_size=self.block_size or ZSTD_BLOCK),
            },
            # The cheapest key derivation: a test's backup holds no secrets.
            cipher=self.cipher if self.cipher is not None else AgeCipher(work_factor=1),
            examine=examine,
            source_patterns=partial(source_patterns, notice=self.notices.append),
            named_patterns=named_patterns,
            own_things=lambda _: self.own,
            clock=self.clock,
            host=lambda: self.host,
            pid=lambda: self.pid,
            tool="bakthat test",
            sleep=lambda seconds: self.clock.forward(seconds=seconds),
            notice=self.notices.append,
            progress=self.progress.append,
            states=self.states,
            worth_a_request=WORTH_A_REQUEST if self.block_size is None else 2 * self.block_size,
            worth_parts=self.worth_parts,
        )

    def keys_in(self, name: str) -> list[str]:
        """The keys in the store of this name."""
        return [info.key for info in self.stores[name].list()]
