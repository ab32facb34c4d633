"""`ArchiveFormat`: what the stored bytes of a backup are, once decrypted; and the one table of suffixes.

A new compression is a member of `Compression` and its rows in the table here, an adapter, and its entry in the wiring.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from types import MappingProxyType

from attrs import frozen

from bakthat.domain.payload import SourceKind


class Container(enum.StrEnum):
    """What the decompressed bytes are."""

    TAR = "tar"
    """A tar archive: a directory, or a file with its name, times and rights."""
    FILE = "file"
    """The content of one file."""
    STREAM = "stream"
    """The bytes of a pipe: what a program wrote, or what came by standard input."""


class Compression(enum.StrEnum):
    """How the bytes of the container are compressed."""

    NONE = "none"
    GZIP = "gzip"
    ZSTD = "zstd"


@frozen
class ArchiveFormat:
    """What the stored bytes of a backup are."""

    container: Container
    compression: Compression

    @property
    def suffix(self) -> str:
        """What a stored filename of this format ends in, before `.enc`."""
        return _SUFFIXES[self]


_SUFFIXES: Mapping[ArchiveFormat, str] = MappingProxyType(
    {
        ArchiveFormat(Container.TAR, Compression.GZIP): ".tgz",
        ArchiveFormat(Container.TAR, Compression.ZSTD): ".tar.zst",
        ArchiveFormat(Container.TAR, Compression.NONE): ".tar",
        ArchiveFormat(Container.STREAM, Compression.GZIP): ".gz",
        ArchiveFormat(Container.STREAM, Compression.ZSTD): ".zst",
        ArchiveFormat(Container.STREAM, Compression.NONE): "",
        # After the stream: from a name alone, no suffix means a file. Both are restored alike.
        ArchiveFormat(Container.FILE, Compression.NONE): "",
        # A value of the key/value store, which lies under its own key.
        ArchiveFormat(Container.FILE, Compression.GZIP): "",
    }
)

INCREMENTAL = ".inc"
"""What stands before the suffix of a tar that contains only what changed since an earlier backup."""

_BY_SUFFIX: Mapping[str, ArchiveFormat] = MappingProxyType(
    {suffix: format_ for format_, suffix in _SUFFIXES.items() if suffix}
    | {INCREMENTAL + suffix: format_ for format_, suffix in _SUFFIXES.items() if format_.container is Container.TAR}
    | {"": ArchiveFormat(Container.FILE, Compression.NONE)}
)

SUFFIXES = tuple(sorted(_BY_SUFFIX, key=len, reverse=True))
"""Every suffix, the longest first; the last is empty."""


def format_of_suffix(suffix: str) -> ArchiveFormat:
    """The format that one of `SUFFIXES` means, where nothing else is known."""
    return _BY_SUFFIX[suffix]


def is_incremental_suffix(suffix: str) -> bool:
    """Whether one of `SUFFIXES` is that of an incremental archive."""
    return suffix.startswith(INCREMENTAL)


def suffix_of_changed_name(name: str) -> str:
    """The suffix of an object whose name is not a stored filename, because it was renamed. Only that of a tar counts,
    as in
    2013: `dump.sql.gz` may be a file that was gzipped before it was backed up."""
    plain = name.removesuffix(".enc")
    return next((end for end in SUFFIXES if plain.endswith(end) and _BY_SUFFIX[end].container is Container.TAR), "")


def recorded_format(container: str | None, suffix: str) -> ArchiveFormat | None:
    """The format by the container that a record names, and the suffix of the stored filename. None if they contradict
    each other, or the record names none: then the suffix decides."""
    if container == Container.FILE:
        # Whatever the suffix: a file that was a gzipped tar already is stored as it is, as `.tgz`.
        return ArchiveFormat(Container.FILE, Compression.NONE)
    end = suffix.removeprefix(INCREMENTAL)
    fitting = [format_ for format_, known in _SUFFIXES.items() if format_.container == container and known == end]
    return fitting[0] if fitting else None


@frozen(kw_only=True)
class StorageForm:
    """How a source is stored. `packed_by_source`: it is a gzipped tar already, and is stored as it is. `incremental`:
    only what changed since an earlier backup is stored."""

    format: ArchiveFormat
    packed_by_source: bool = False
    incremental: bool = False

    @property
    def suffix(self) -> str:
        """What the stored filename ends in, before `.enc`."""
        packed = ArchiveFormat(Container.TAR, Compression.GZIP)
        suffix = packed.suffix if self.packed_by_source else self.format.suffix
        return INCREMENTAL + suffix if self.incremental else suffix


def storage_form(kind: SourceKind, compression: Compression) -> StorageForm:
    """How what lies at a path is stored: uncompressed, a file as it is; else in a tar."""
    if kind is SourceKind.DIRECTORY:
        return StorageForm(format=ArchiveFormat(Container.TAR, compression))
    as_it_is = ArchiveFormat(Container.FILE, Compression.NONE)
    if compression is Compression.NONE:
        return StorageForm(format=as_it_is)
    if kind is SourceKind.PACKED_FILE:
        return StorageForm(format=as_it_is, packed_by_source=True)
    return StorageForm(format=ArchiveFormat(Container.TAR, compression))
