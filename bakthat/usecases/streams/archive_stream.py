"""Converts a packer's bytes to stored bytes and back: compression and encryption, by the format of the backup."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import BinaryIO, cast

from bakthat.domain.archive_format import ArchiveFormat, Compression, Container
from bakthat.domain.backup import Backup
from bakthat.domain.callbacks import ignore
from bakthat.domain.payload import Keys
from bakthat.domain.progress import Progress
from bakthat.errors import PayloadDamaged, WrongPassword
from bakthat.ports.payload import IndexedWriter, Packer
from bakthat.usecases.missing_key import key_needed, wrong_key
from bakthat.usecases.streams.hashing import CheckedReader
from bakthat.usecases.streams.pipe import flowing
from bakthat.usecases.tools import Tools

_CHUNK = 1024 * 1024


def packer_of(format_: ArchiveFormat, tools: Tools) -> Packer:
    """The packer of the format's container."""
    return tools.tar if format_.container is Container.TAR else tools.plain


@contextmanager
def writing(into: BinaryIO, format_: ArchiveFormat, keys: Keys, tools: Tools) -> Iterator[IndexedWriter]:
    """A stream for a packer; its bytes are compressed, encrypted, and written to `into`."""
    with ExitStack() as chain:
        sink = into
        if keys:
            sink = chain.enter_context(tools.cipher.sealing(sink, keys))
        if format_.compression is Compression.NONE:
            yield IndexedWriter(sink, ignore)
        elif format_.container is Container.TAR:
            yield chain.enter_context(tools.compressors[format_.compression].compressing_with_index(sink))
        else:
            stream = chain.enter_context(tools.compressors[format_.compression].compressing(sink))
            yield IndexedWriter(stream, ignore)


@contextmanager
def open_archive(
    stored: AbstractContextManager[BinaryIO], backup: Backup, keys: Keys, tools: Tools, *, stage: str
) -> Iterator[BinaryIO]:
    """Read the bytes that the packer wrote.

    stored: opens the stored bytes, like `destination.open`. stage: of the reported progress.

    A separate thread reads and decrypts. At the end of the stream the size and SHA-256 of the stored bytes are compared
    with the record. Errors of the payload name the backup. Raises errors of `stored`, `PasswordNeeded`,
    `WrongPassword`, `PayloadDamaged`.
    """
    with _naming(backup), ExitStack() as chain:
        if backup.is_encrypted and not keys:
            raise key_needed(backup)
        checked = _checked(chain.enter_context(stored), backup, tools, stage)

        def decrypt(into: BinaryIO) -> None:
            with ExitStack() as opened:
                source = opened.enter_context(tools.cipher.unsealing(checked, keys)) if backup.is_encrypted else checked
                while chunk := source.read(_CHUNK):
                    into.write(chunk)

        flow = chain.enter_context(flowing(decrypt))
        flow.begin()
        plain = flow.reader
        compression = backup.format.compression
        if compression is not Compression.NONE:
            plain = chain.enter_context(tools.compressors[compression].decompressing(plain))
        yield plain


def read_through(stored: AbstractContextManager[BinaryIO], backup: Backup, tools: Tools, *, stage: str) -> None:
    """Read the stored bytes to their end, without decoding. Raises errors of `stored`, and `PayloadDamaged` if size or
    SHA-256 differ from the record."""
    with _naming(backup), stored as reader:
        checked = _checked(reader, backup, tools, stage)
        while checked.read(_CHUNK):
            pass


def _checked(stored: BinaryIO, backup: Backup, tools: Tools, stage: str) -> BinaryIO:
    done = 0

    def on_bytes(count: int) -> None:
        nonlocal done
        done += count
        tools.progress(Progress(stage=stage, done=done, total=backup.size))

    return cast(BinaryIO, CheckedReader(stored, size=backup.known_size, sha256=backup.sha256, on_bytes=on_bytes))


@contextmanager
def _naming(backup: Backup) -> Iterator[None]:
    """Prefix errors of the payload with the stored filename, unless they contain it."""
    try:
        yield
    except WrongPassword as error:
        raise wrong_key(backup, error) from error
    except PayloadDamaged as error:
        if backup.stored_filename in str(error):
            raise
        raise PayloadDamaged(f"{backup.stored_filename}: {error}") from error
