"""Compressors, ciphers and packers that are wrong in one thing each."""

from __future__ import annotations

import io
import shutil
import threading
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, cast

import pytest
from attrs import evolve

from bakthat.adapters.compression.gzip_compressor import GzipCompressor
from bakthat.adapters.encryption.age import AgeCipher
from bakthat.adapters.packing.single_file import SingleFilePacker
from bakthat.domain.archive_index import ArchiveIndex, IndexEntry
from bakthat.domain.exclusions import Exclusions
from bakthat.domain.payload import Keys, PackReport, UnpackReport
from bakthat.errors import BackupNotFound, PasswordNeeded, PayloadDamaged, TargetExists, UsageError, WrongPassword
from bakthat.ports.payload import Cipher, Compressor, IndexedWriter
from bakthat.ports.random_access import BytesAccess, RandomAccess
from bakthat.ports.salvage import Hole, Part, Verdict
from bakthat.testing.cipher_contract import CipherContract
from bakthat.testing.compressor_contract import CompressorContract
from bakthat.testing.packer_contract import PackerContract
from tests.testing.falling import falls_by, wrong_ones

# compressors


class RightCompressor(Compressor):
    """zlib, all in memory, with places to go wrong at."""

    @contextmanager
    def compressing(self, into: BinaryIO) -> Iterator[BinaryIO]:
        buffer = io.BytesIO()
        yield buffer
        into.write(self.deflated(buffer.getvalue()))

    @contextmanager
    def decompressing(self, packed: BinaryIO) -> Iterator[BinaryIO]:
        yield io.BytesIO(self.inflated(b"".join(iter(lambda: packed.read(65_536), b""))))

    def deflated(self, content: bytes) -> bytes:
        return zlib.compress(content, 1)

    def inflated(self, packed: bytes) -> bytes:
        inflater = zlib.decompressobj()
        try:
            content = inflater.decompress(packed) + inflater.flush()
        except zlib.error as error:
            raise PayloadDamaged(str(error)) from error
        if not inflater.eof or inflater.unused_data.strip(b"\0"):
            raise PayloadDamaged("truncated, or followed by something")
        return content


@falls_by("test_a_pattern_becomes_smaller")
class CompressesNothing(RightCompressor):
    def deflated(self, content: bytes) -> bytes:
        return zlib.compress(content, 0)


@falls_by("test_a_stream_that_is_cut_short_is_damaged")
class TakesAnyEnd(RightCompressor):
    def inflated(self, packed: bytes) -> bytes:
        return zlib.decompressobj().decompress(packed)


@falls_by("test_a_stream_that_was_altered_is_damaged")
class HasNoChecksum(RightCompressor):
    def deflated(self, content: bytes) -> bytes:
        return b"NONE" + content + b"END"

    def inflated(self, packed: bytes) -> bytes:
        if packed[:4] != b"NONE" or packed[-3:] != b"END":
            raise PayloadDamaged("neither begin nor end")
        return packed[4:-3]


@falls_by("test_what_follows_the_end_is_damage_unless_it_is_zeros")
class StopsAtTheEnd(RightCompressor):
    def inflated(self, packed: bytes) -> bytes:
        inflater = zlib.decompressobj()
        content = inflater.decompress(packed)
        if not inflater.eof:
            raise PayloadDamaged("truncated")
        return content


@falls_by("test_what_follows_the_end_is_damage_unless_it_is_zeros")
class LeaksZlibsError(RightCompressor):
    def inflated(self, packed: bytes) -> bytes:
        inflater = zlib.decompressobj()
        content = inflater.decompress(packed)
        return content + zlib.decompress(inflater.unused_data) if inflater.unused_data.strip(b"\0") else content


@falls_by("test_the_reader_reads_what_is_packed_to_its_end")
class ReadsNoFurtherThanItMust(RightCompressor):
    @contextmanager
    def decompressing(self, packed: BinaryIO) -> Iterator[BinaryIO]:
        inflater = zlib.decompressobj()
        content = b""
        while not inflater.eof and (piece := packed.read(100)):
            content += inflater.decompress(piece)
        if not inflater.eof:
            raise PayloadDamaged("truncated")
        yield io.BytesIO(content)


@falls_by("test_what_is_compressed_comes_back")
class KeepsTheCallersBuffer(RightCompressor):
    @contextmanager
    def compressing(self, into: BinaryIO) -> Iterator[BinaryIO]:
        class Kept(io.RawIOBase):
            pieces: list[memoryview] = []  # noqa: RUF012

            def writable(self) -> bool:
                return True

            def write(self, data: object) -> int:
                self.pieces.append(memoryview(data))  # type: ignore[arg-type]
                return len(self.pieces[-1])

        kept = Kept()
        kept.pieces = []
        yield cast(BinaryIO, kept)
        into.write(self.deflated(b"".join(kept.pieces)))


@falls_by("test_both_streams_stay_open")
class ClosesTheSink(RightCompressor):
    @contextmanager
    def compressing(self, into: BinaryIO) -> Iterator[BinaryIO]:
        with into, super().compressing(into) as writer:
            yield writer


@falls_by("test_an_error_inside_the_context_finishes_nothing")
class FinishesAllTheSame(RightCompressor):
    @contextmanager
    def compressing(self, into: BinaryIO) -> Iterator[BinaryIO]:
        buffer = io.BytesIO()
        try:
            yield buffer
        finally:
            into.write(self.deflated(buffer.getvalue()))


@falls_by("test_an_error_of_the_source_comes_out_as_it_is")
class BlamesThePayload(RightCompressor):
    @contextmanager
    def decompressing(self, packed: BinaryIO) -> Iterator[BinaryIO]:
        try:
            content = b"".join(iter(lambda: packed.read(65_536), b""))
        except Exception as error:
            raise PayloadDamaged("cannot be read") from error
        yield io.BytesIO(self.inflated(content))


@falls_by("test_no_thread_is_left_whatever_happened")
class LeavesAThread(RightCompressor):
    @contextmanager
    def compressing(self, into: BinaryIO) -> Iterator[BinaryIO]:
        stop = threading.Event()
        threading.Thread(target=stop.wait, args=(30,), daemon=True).start()
        with super().compressing(into) as writer:
            yield writer
        stop.set()


class RightIndexer(GzipCompressor):
    """With an index, and places to go wrong at."""


@falls_by("test_an_index_is_none_of_the_content_and_leads_to_any_range")
class ShowsItsIndex(RightIndexer):
    @contextmanager
    def compressing_with_index(self, into: BinaryIO) -> Iterator[IndexedWriter]:
        with super().compressing_with_index(into) as writer:
            yield writer
            writer.stream.write(b"[]\n")


@falls_by("test_an_index_is_none_of_the_content_and_leads_to_any_range")
class ForgetsAnEntry(RightIndexer):
    @contextmanager
    def compressing_with_index(self, into: BinaryIO) -> Iterator[IndexedWriter]:
        with super().compressing_with_index(into) as writer:
            add, writer.on_entry = writer.on_entry, lambda _: None
            yield writer
            writer.on_entry = add


@falls_by("test_an_index_is_none_of_the_content_and_leads_to_any_range")
class ReadsTheWrongRange(RightIndexer):
    def random_access(self, packed: RandomAccess, index: ArchiveIndex) -> RandomAccess:
        right = super().random_access(packed, index)

        class Shifted(BytesAccess):
            def read_at(self, offset: int, length: int) -> bytes:
                return right.read_at(offset + 1, length)

        return Shifted(bytes(right.size))


@falls_by("test_a_range_of_what_was_altered_is_damaged")
class ChecksNoChecksum(RightIndexer):
    def random_access(self, packed: RandomAccess, index: ArchiveIndex) -> RandomAccess:
        content = packed.read_at(20, index.header.packed_size - 28)
        try:
            return BytesAccess(zlib.decompress(content, -15))
        except zlib.error as error:
            raise PayloadDamaged("cannot be decompressed") from error


@falls_by("test_an_index_that_was_altered_is_damaged")
class BelievesItsIndex(RightIndexer):
    def read_index(self, packed: RandomAccess) -> ArchiveIndex | None:
        try:
            return super().read_index(packed)
        except PayloadDamaged:
            empty = io.BytesIO()
            with self.compressing_with_index(empty):
                pass
            return super().read_index(BytesAccess(empty.getvalue()))


@falls_by("test_salvaging_calls_nothing_good_that_is_wrong")
class CallsDoubtsGood(GzipCompressor):
    def salvaging(self, packed: Iterator[Part], index: ArchiveIndex | None = None) -> Iterator[Part]:
        for part in super().salvaging(packed, index):
            yield Verdict.GOOD if isinstance(part, Verdict) else part


@falls_by("test_salvaging_a_whole_stream_gives_all_of_it_as_good")
class CallsNothingGood(GzipCompressor):
    def salvaging(self, packed: Iterator[Part], index: ArchiveIndex | None = None) -> Iterator[Part]:
        return (part for part in super().salvaging(packed, index) if not isinstance(part, Verdict))


@falls_by("test_salvaging_a_truncated_stream_says_that_something_is_missing")
class HidesHoles(GzipCompressor):
    def salvaging(self, packed: Iterator[Part], index: ArchiveIndex | None = None) -> Iterator[Part]:
        return (part for part in super().salvaging(packed, index) if not isinstance(part, Hole))


# ciphers


class RightCipher(AgeCipher):
    def __init__(self) -> None:
        super().__init__(work_factor=1)


@falls_by("test_the_same_content_is_never_sealed_the_same_way")
class HasNoChance(AgeCipher):
    def __init__(self) -> None:
        super().__init__(work_factor=1, random=bytes)


@falls_by("test_without_keys_nothing_is_sealed")
class StoresPlainWithoutKeys(RightCipher):
    @contextmanager
    def sealing(self, into: BinaryIO, keys: Keys) -> Iterator[BinaryIO]:
        if not keys:
            yield into
            return
        with super().sealing(into, keys) as writer:
            yield writer


@falls_by("test_without_keys_nothing_opens")
class TakesNoKeyForAWrongOne(RightCipher):
    @contextmanager
    def unsealing(self, sealed: BinaryIO, keys: Keys) -> Iterator[BinaryIO]:
        with super().unsealing(sealed, keys or Keys(passphrase="a guess")) as reader:
            yield reader


@falls_by("test_salvaging_a_whole_stream_gives_all_of_it_as_good")
class SalvagesNothing(RightCipher):
    @contextmanager
    def salvaging(self, sealed: BinaryIO, keys: Keys) -> Iterator[Iterator[Part]]:
        with super().salvaging(sealed, keys):
            yield iter([Hole(None)])


@falls_by("test_salvaging_calls_nothing_good_that_is_wrong")
class ClosesItsHoles(RightCipher):
    @contextmanager
    def salvaging(self, sealed: BinaryIO, keys: Keys) -> Iterator[Iterator[Part]]:
        with super().salvaging(sealed, keys) as parts:
            yield (part for part in parts if not isinstance(part, Hole))


@falls_by("test_salvaging_with_wrong_keys_gives_nothing")
class SalvagesWithAnyKey(RightCipher):
    @contextmanager
    def salvaging(self, sealed: BinaryIO, keys: Keys) -> Iterator[Iterator[Part]]:
        try:
            with super().salvaging(sealed, keys) as parts:
                yield parts
        except WrongPassword:
            yield iter([Hole(None)])


class Rot(Cipher):
    """As 2013's encryption was: no checksum at all."""

    @contextmanager
    def sealing(self, into: BinaryIO, keys: Keys) -> Iterator[BinaryIO]:
        if not keys:
            raise UsageError("no keys")
        buffer = io.BytesIO()
        yield buffer
        into.write(self.turned(b"ROT!" + buffer.getvalue() + b"!TOR", keys))

    @contextmanager
    def unsealing(self, sealed: BinaryIO, keys: Keys) -> Iterator[BinaryIO]:
        if not keys:
            raise PasswordNeeded("no keys")
        content = self.turned(b"".join(iter(lambda: sealed.read(65_536), b"")), keys)
        if content[-4:] != b"!TOR":
            raise PayloadDamaged("cut short") if content[:4] == b"ROT!" or len(content) < 4 else WrongPassword("wrong")
        yield io.BytesIO(content[4:-4])

    def turned(self, content: bytes, keys: Keys) -> bytes:
        return bytes(byte ^ len(keys.passphrase or "") for byte in content)


@falls_by("test_what_was_altered_does_not_open")
class HasNoMac(Rot):
    pass


@falls_by("test_nothing_of_the_content_shows")
class SealsNothing(Rot):
    def turned(self, content: bytes, keys: Keys) -> bytes:
        return content


class ReadsAll(RightCipher):
    """Random access by decrypting everything, with a place to go wrong at."""

    def random_access(self, sealed: RandomAccess, keys: Keys) -> RandomAccess:
        with self.unsealing(io.BytesIO(sealed.read_at(0, sealed.size)), keys) as reader:
            return self.over(reader.read())

    def over(self, content: bytes) -> RandomAccess:
        return BytesAccess(content)


@falls_by("test_any_range_can_be_read_if_the_format_allows_it")
class ReadsOneByteTooFar(ReadsAll):
    def over(self, content: bytes) -> RandomAccess:
        return BytesAccess(content + b"\0")


@falls_by("test_a_range_needs_the_right_keys")
class ReadsNothingWithWrongKeys(ReadsAll):
    def random_access(self, sealed: RandomAccess, keys: Keys) -> RandomAccess:
        try:
            return super().random_access(sealed, keys)
        except WrongPassword:
            return BytesAccess(b"")


@falls_by("test_a_range_of_what_is_cut_short_is_damaged")
class ReadsWhatIsThere(ReadsAll):
    def random_access(self, sealed: RandomAccess, keys: Keys) -> RandomAccess:
        content = b""
        try:
            with self.unsealing(io.BytesIO(sealed.read_at(0, sealed.size)), keys) as reader:
                while chunk := reader.read(65_536):
                    content += chunk
        except PayloadDamaged:
            pass
        return BytesAccess(content)


class AccessesRot(Rot):
    def random_access(self, sealed: RandomAccess, keys: Keys) -> RandomAccess:
        with self.unsealing(io.BytesIO(sealed.read_at(0, sealed.size)), keys) as reader:
            return BytesAccess(reader.read())


@falls_by("test_no_range_comes_out_before_it_is_authenticated")
class ReadsRangesWithoutAMac(AccessesRot):
    pass


@falls_by("test_an_error_inside_the_context_finishes_nothing")
class FinishesASealAllTheSame(RightCipher):
    @contextmanager
    def sealing(self, into: BinaryIO, keys: Keys) -> Iterator[BinaryIO]:
        failure: Exception | None = None
        with super().sealing(into, keys) as writer:
            try:
                yield writer
            except Exception as error:
                failure = error
        if failure is not None:
            raise failure


@falls_by("test_no_message_holds_a_key")
class SaysWhatWasTyped(RightCipher):
    @contextmanager
    def unsealing(self, sealed: BinaryIO, keys: Keys) -> Iterator[BinaryIO]:
        try:
            with super().unsealing(sealed, keys) as reader:
                yield reader
        except WrongPassword:
            raise WrongPassword(f"{keys.passphrase!r} does not open it") from None


# packers


class RightPacker(SingleFilePacker):
    pass


@falls_by("test_a_source_that_fails_leaves_the_target_as_it_was")
class WritesInPlace(RightPacker):
    def unpack(
        self,
        packed: BinaryIO,
        into: Path,
        *,
        name: str,
        name_is_guess: bool = False,
        overwrite: bool = False,
        only: Sequence[str] = (),
    ) -> UnpackReport:
        if (into / name).exists() and not overwrite:
            raise TargetExists(name)
        with (into / name).open("wb") as file:
            shutil.copyfileobj(packed, file)
        return UnpackReport(roots=(name,), files=1, size=(into / name).stat().st_size)


@falls_by("test_nothing_has_its_name_before_the_last_byte_is_read")
class CleansUpAfterwards(WritesInPlace):
    def unpack(
        self,
        packed: BinaryIO,
        into: Path,
        *,
        name: str,
        name_is_guess: bool = False,
        overwrite: bool = False,
        only: Sequence[str] = (),
    ) -> UnpackReport:
        try:
            return super().unpack(packed, into, name=name, overwrite=overwrite)
        except TargetExists:
            raise
        except BaseException:
            (into / name).unlink()
            raise


class Passing(RightPacker):
    """Passes `unpack` on, with a place to change what it is asked."""

    def asked(self, **options: object) -> dict[str, object]:
        return options

    def unpack(self, packed: BinaryIO, into: Path, **options: object) -> UnpackReport:  # type: ignore[override]
        return super().unpack(packed, into, **self.asked(**options))  # type: ignore[arg-type]


@falls_by("test_what_is_there_is_not_replaced_unless_told")
class AlwaysReplaces(Passing):
    def asked(self, **options: object) -> dict[str, object]:
        return {**options, "overwrite": True}


@falls_by("test_overwriting_replaces_nothing_of_another_name")
class ReplacesWhateverItHolds(Passing):
    def asked(self, **options: object) -> dict[str, object]:
        return {**options, "name": "file name"}


@falls_by("test_a_part_is_restored_by_pattern")
class RestoresEverything(Passing):
    def asked(self, **options: object) -> dict[str, object]:
        return {**options, "only": ()}


@falls_by("test_the_reports_and_the_progress_count_the_content")
class TellsNoProgress(RightPacker):
    def pack(
        self,
        source: Path,
        into: BinaryIO,
        *,
        exclusions: Exclusions | None = None,
        on_excluded: Callable[[str, str], None] | None = None,
        on_bytes: Callable[[int], None] | None = None,
    ) -> PackReport:
        return super().pack(source, into)


@falls_by("test_the_reports_and_the_progress_count_the_content")
class CountsNothingOfARestore(RightPacker):
    def unpack(self, packed: BinaryIO, into: Path, **options: object) -> UnpackReport:  # type: ignore[override]
        return evolve(super().unpack(packed, into, **options), size=0)  # type: ignore[arg-type]


@falls_by("test_a_file_comes_back")
class ForgetsItsName(Passing):
    def asked(self, **options: object) -> dict[str, object]:
        return {**options, "name": "restored"}


@falls_by("test_its_entries_are_what_was_packed")
class ListsNothing(RightPacker):
    def entries(self, packed: BinaryIO) -> Iterator[IndexEntry]:
        return iter(())


@falls_by("test_an_absent_source_is_told")
class LeaksFileNotFound(RightPacker):
    def pack(
        self,
        source: Path,
        into: BinaryIO,
        *,
        exclusions: Exclusions | None = None,
        on_excluded: Callable[[str, str], None] | None = None,
        on_bytes: Callable[[int], None] | None = None,
    ) -> PackReport:
        source.stat()
        return super().pack(source, into, on_bytes=on_bytes)


@falls_by("test_the_reports_and_the_progress_count_the_content")
class CountsNothing(RightPacker):
    def pack(
        self,
        source: Path,
        into: BinaryIO,
        *,
        exclusions: Exclusions | None = None,
        on_excluded: Callable[[str, str], None] | None = None,
        on_bytes: Callable[[int], None] | None = None,
    ) -> PackReport:
        return evolve(super().pack(source, into, on_bytes=on_bytes), size=0)


@falls_by("test_a_survey_counts_what_would_be_packed")
class SurveysNothing(RightPacker):
    def survey(
        self,
        source: Path,
        *,
        exclusions: Exclusions | None = None,
        on_excluded: Callable[[str, str], None] | None = None,
    ) -> PackReport:
        return PackReport()


@falls_by("test_checking_reads_to_the_end_and_writes_nothing")
class ChecksTheBeginning(RightPacker):
    def check(self, packed: BinaryIO) -> UnpackReport:
        if not packed.read(512):
            raise BackupNotFound("nothing in it")
        return UnpackReport(files=1)


def contract_for(kind: type) -> type:
    class OfCompressors(CompressorContract):
        @pytest.fixture
        def compressor(self) -> Compressor:
            return cast(Compressor, kind())

    class OfCiphers(CipherContract):
        large = 200_003

        @pytest.fixture
        def cipher(self) -> Cipher:
            return cast(Cipher, kind())

        @pytest.fixture
        def sealing_keys(self) -> Keys:
            return Keys(passphrase="right")

        @pytest.fixture
        def opening_keys(self) -> Keys:
            return Keys(passphrase="right")

        @pytest.fixture
        def wrong_keys(self) -> Keys:
            return Keys(passphrase="wrong horse")

    class OfPackers(PackerContract):
        knows_its_end = False

        @pytest.fixture
        def packer(self) -> SingleFilePacker:
            return cast(SingleFilePacker, kind())

    if issubclass(kind, Compressor):
        return OfCompressors
    return OfCiphers if issubclass(kind, Cipher) else OfPackers


RIGHT = ["RightCompressor", "RightIndexer", "RightCipher", "RightPacker"]

# What pytest collects when it is pointed at this file, and only then: its name is not that of a test.
globals().update({f"Test{name}": contract_for(globals()[name]) for name in [*wrong_ones(globals()), *RIGHT]})
