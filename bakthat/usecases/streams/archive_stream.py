"""How a backup's stored bytes are made, and undone layer by layer. The one place that maps names to formats."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import BinaryIO

from attrs import frozen

from bakthat.domain.backup import Backup
from bakthat.domain.payload import Keys, SourceKind
from bakthat.domain.stored_name import parse
from bakthat.errors import InvalidName, PasswordNeeded
from bakthat.ports.payload import Packer
from bakthat.usecases.streams.pipe import flowing
from bakthat.usecases.tools import Tools

_PIECE = 1024 * 1024


@frozen(kw_only=True)
class Shape:
    """How the plain bytes of a backup are made. `suffix`: what its stored filename ends in. `packed_by_source`: the
    source is a gzipped tar already, and is stored as it is. `name`: of the file or directory that comes back;
    `name_is_guess`: that of the series, since the record does not tell."""

    packer: Packer
    gzipped: bool
    suffix: str
    packed_by_source: bool = False
    name: str = ""
    name_is_guess: bool = False


def shape_for(kind: SourceKind, compress: bool, tools: Tools) -> Shape:
    """How a source is to be stored."""
    if kind is SourceKind.DIRECTORY:
        return Shape(packer=tools.tar, gzipped=compress, suffix=".tgz" if compress else ".tar")
    if not compress:
        return Shape(packer=tools.plain, gzipped=False, suffix="")
    if kind is SourceKind.PACKED_FILE:
        return Shape(packer=tools.plain, gzipped=False, suffix=".tgz", packed_by_source=True)
    return Shape(packer=tools.tar, gzipped=True, suffix=".tgz")


def shape_of(backup: Backup, tools: Tools) -> Shape:
    """How a backup was stored: by its record where that says so (2013's does not), else by its name."""
    if backup.metadata.get("KeyValue"):
        name = backup.filename.rsplit("/", 1)[-1]
        return Shape(packer=tools.plain, gzipped=bool(backup.metadata.get("is_gzipped")), suffix="", name=name)
    root = backup.metadata.get("root")
    recorded = root if isinstance(root, str) and root and _is_text(root) else ""
    name = recorded or backup.filename
    suffix = _suffix(backup.stored_filename)
    if suffix == "" or backup.metadata.get("packed_by_source"):
        return Shape(packer=tools.plain, gzipped=False, suffix=suffix, name=name)
    return Shape(packer=tools.tar, gzipped=suffix == ".tgz", suffix=suffix, name=name, name_is_guess=not recorded)


def _is_text(name: str) -> bool:
    """Whether a file can have the name: JSON can spell lone surrogates, which are no text."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def _suffix(stored_filename: str) -> str:
    try:
        return parse(stored_filename).suffix
    except InvalidName:
        # A name that somebody changed: its end tells what 2013 looked at, too.
        plain = stored_filename.removesuffix(".enc")
        return next((suffix for suffix in (".tgz", ".tar") if plain.endswith(suffix)), "")


@contextmanager
def writing(into: BinaryIO, shape: Shape, keys: Keys, tools: Tools) -> Iterator[BinaryIO]:
    """Where a packer writes to, so that what comes out in `into` is compressed and sealed."""
    with ExitStack() as chain:
        sink = into
        if keys:
            sink = chain.enter_context(tools.cipher.sealing(sink, keys))
        if shape.gzipped:
            sink = chain.enter_context(tools.compressor.compressing(sink))
        yield sink


@contextmanager
def opened(stored: BinaryIO, backup: Backup, keys: Keys, tools: Tools) -> Iterator[BinaryIO]:
    """What the packer wrote, out of the stored bytes, which a thread of its own reads and unseals. Raises
    `PasswordNeeded`, `WrongPassword`, `PayloadDamaged`."""
    if backup.is_encrypted and not keys:
        raise PasswordNeeded(f"{backup.stored_filename} is encrypted; give its password, or its key file with -i")

    def unseal(into: BinaryIO) -> None:
        with ExitStack() as sealed:
            source = sealed.enter_context(tools.cipher.unsealing(stored, keys)) if backup.is_encrypted else stored
            while piece := source.read(_PIECE):
                into.write(piece)

    with ExitStack() as chain:
        flow = chain.enter_context(flowing(unseal))
        flow.begin()
        plain = flow.reader
        if shape_of(backup, tools).gzipped:
            plain = chain.enter_context(tools.compressor.decompressing(plain))
        yield plain
