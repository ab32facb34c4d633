"""Object stores that are wrong in one thing each, as they have been seen in the wild."""

from __future__ import annotations

import io
import itertools
import locale
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime, timedelta, timezone
from typing import BinaryIO, cast
from urllib.parse import quote

import pytest
from attrs import evolve

from bakthat.adapters.memory.object_store import MemoryObjectStore
from bakthat.domain.object_key import check_key
from bakthat.domain.objects import Leftover, Lock, ObjectInfo
from bakthat.errors import BakthatError, ObjectExists, ObjectNotFound, StoreError
from bakthat.ports.byte_ranges import check_range, check_version
from bakthat.ports.object_store import ObjectStore
from bakthat.testing.object_store_contract import ObjectStoreContract
from tests.testing.falling import OfOneThread, falls_by, right_ones, wrong_ones


class Right(MemoryObjectStore):
    """Right, with places to go wrong at."""

    def content_of(self, body: BinaryIO, size_hint: int | None) -> bytes:
        return b"".join(iter(lambda: body.read(1 << 16), b""))

    def put(self, key: str, body: BinaryIO, *, replace: bool = False, size_hint: int | None = None) -> ObjectInfo:
        return super().put(key, io.BytesIO(self.content_of(body, size_hint)), replace=replace)


# put: what is read of the body


@falls_by("test_a_large_object_of_unknown_length_is_read_back")
class ReadsOnce(Right):
    """Takes what one `read` gives for the whole body."""

    def content_of(self, body: BinaryIO, size_hint: int | None) -> bytes:
        return body.read(1 << 30)


@falls_by("test_a_large_object_of_unknown_length_is_read_back")
class StopsAtAShortRead(Right):
    """Takes a short read for the end."""

    def content_of(self, body: BinaryIO, size_hint: int | None) -> bytes:
        pieces = [body.read(1 << 17)]
        while len(pieces[-1]) == 1 << 17:
            pieces.append(body.read(1 << 17))
        return b"".join(pieces)


@falls_by("test_a_wrong_size_hint_does_no_harm")
class BelievesTheHint(Right):
    def content_of(self, body: BinaryIO, size_hint: int | None) -> bytes:
        content = super().content_of(body, size_hint)
        return content[:size_hint] if size_hint else content


@falls_by("test_a_body_is_read_from_where_it_stands_and_stays_open")
class RewindsTheBody(Right):
    def content_of(self, body: BinaryIO, size_hint: int | None) -> bytes:
        if body.seekable():
            body.seek(0)
        return super().content_of(body, size_hint)


@falls_by("test_a_body_is_read_from_where_it_stands_and_stays_open")
class ClosesTheBody(Right):
    def content_of(self, body: BinaryIO, size_hint: int | None) -> bytes:
        with body:
            return super().content_of(body, size_hint)


@falls_by("test_a_large_object_of_unknown_length_is_read_back")
class WantsToSeek(Right):
    def content_of(self, body: BinaryIO, size_hint: int | None) -> bytes:
        size = body.seek(0, io.SEEK_END)
        body.seek(0)
        return body.read(size)


@falls_by("test_what_is_put_is_read_back")
class LosesTheLastPart(Right):
    """Uploads full parts, and forgets the rest."""

    def content_of(self, body: BinaryIO, size_hint: int | None) -> bytes:
        content = super().content_of(body, size_hint)
        return content[: len(content) // 65_536 * 65_536]


@falls_by("test_what_is_put_is_read_back")
class ForgetsEmptyObjects(Right):
    def put(self, key: str, body: BinaryIO, *, replace: bool = False, size_hint: int | None = None) -> ObjectInfo:
        info = super().put(key, body, replace=replace, size_hint=size_hint)
        if not info.size:
            self.delete(key)
        return info


# put: all or nothing


@falls_by("test_a_taken_key_is_refused_and_its_object_untouched")
class AlwaysReplaces(Right):
    def put(self, key: str, body: BinaryIO, *, replace: bool = False, size_hint: int | None = None) -> ObjectInfo:
        return super().put(key, body, replace=True, size_hint=size_hint)


@falls_by("test_replace_puts_the_new_object_in_the_place_of_the_old")
class NeverReplaces(Right):
    def put(self, key: str, body: BinaryIO, *, replace: bool = False, size_hint: int | None = None) -> ObjectInfo:
        return super().put(key, body, replace=False, size_hint=size_hint)


@falls_by("test_an_object_that_appears_meanwhile_is_not_replaced")
class LooksOnlyBefore(Right):
    """Looks whether the key is taken, and then takes its time."""

    def put(self, key: str, body: BinaryIO, *, replace: bool = False, size_hint: int | None = None) -> ObjectInfo:
        if not replace and key in self._objects:
            raise ObjectExists(key)
        return super().put(key, body, replace=True, size_hint=size_hint)


@falls_by("test_equal_content_does_not_make_a_taken_key_free")
class ForgivesEqualContent(Right):
    """Takes every object of the same bytes for its own first copy."""

    def put(self, key: str, body: BinaryIO, *, replace: bool = False, size_hint: int | None = None) -> ObjectInfo:
        content = self.content_of(body, size_hint)
        if key in self._objects and self._objects[key][0] == content:
            return self.stat(key)
        return super().put(key, io.BytesIO(content), replace=replace)


@falls_by("test_a_body_that_raises_leaves_nothing_and_its_error_comes_out")
class LeavesAPart(Right):
    """Stores what it has read when the body fails."""

    def content_of(self, body: BinaryIO, size_hint: int | None) -> bytes:
        pieces: list[bytes] = []
        try:
            pieces.extend(iter(lambda: body.read(1 << 16), b""))
        except BaseException:
            self._objects[".part"] = (b"", ObjectInfo(key=".part", size=0, modified=self._clock()))
            raise
        return b"".join(pieces)


@falls_by("test_a_body_that_raises_leaves_nothing_and_its_error_comes_out")
class TakesAnErrorForTheEnd(Right):
    """A body that raises is one that has ended: half a backup looks like a whole one."""

    def content_of(self, body: BinaryIO, size_hint: int | None) -> bytes:
        pieces: list[bytes] = []
        try:
            pieces.extend(iter(lambda: body.read(1 << 16), b""))
        except Exception:
            pass
        return b"".join(pieces)


@falls_by("test_a_body_that_raises_leaves_nothing_and_its_error_comes_out")
class TranslatesTheBodysError(Right):
    """Blames the store for what the source did."""

    def content_of(self, body: BinaryIO, size_hint: int | None) -> bytes:
        try:
            return super().content_of(body, size_hint)
        except Exception as error:
            raise StoreError(f"upload failed: {error}") from error


@falls_by("test_half_an_object_is_never_seen")
class ShowsHalfAnObject(Right):
    """A file that is written under its final name."""

    def put(self, key: str, body: BinaryIO, *, replace: bool = False, size_hint: int | None = None) -> ObjectInfo:
        super().put(key, io.BytesIO(b""), replace=replace)
        try:
            return super().put(key, body, replace=True, size_hint=size_hint)
        except BaseException:
            self.delete(key)
            raise


@falls_by("test_a_replacement_that_fails_leaves_the_old_object")
class RemovesBeforeItReplaces(Right):
    def put(self, key: str, body: BinaryIO, *, replace: bool = False, size_hint: int | None = None) -> ObjectInfo:
        if replace:
            self.delete(key)
        return super().put(key, body, size_hint=size_hint)


@falls_by("test_put_tells_key_size_and_a_time_in_utc")
class TellsLocalTime(Right):
    def put(self, key: str, body: BinaryIO, *, replace: bool = False, size_hint: int | None = None) -> ObjectInfo:
        info = super().put(key, body, replace=replace, size_hint=size_hint)
        return evolve(info, modified=info.modified.astimezone(timezone(timedelta(hours=1))))


@falls_by("test_put_tells_key_size_and_a_time_in_utc")
class TellsTimeWithoutZone(Right):
    def put(self, key: str, body: BinaryIO, *, replace: bool = False, size_hint: int | None = None) -> ObjectInfo:
        info = super().put(key, body, replace=replace, size_hint=size_hint)
        return evolve(info, modified=info.modified.replace(tzinfo=None))


@falls_by("test_a_large_object_of_unknown_length_is_read_back")
class TellsTheHintAsSize(Right):
    def put(self, key: str, body: BinaryIO, *, replace: bool = False, size_hint: int | None = None) -> ObjectInfo:
        return evolve(super().put(key, body, replace=replace, size_hint=size_hint), size=size_hint or 0)


# keys


@falls_by("test_a_key_that_could_leave_the_store_is_refused")
class TrustsKeys(Right):
    def put(self, key: str, body: BinaryIO, *, replace: bool = False, size_hint: int | None = None) -> ObjectInfo:
        info = super().put("anything", body, replace=True, size_hint=size_hint)
        self._objects[key] = self._objects.pop("anything")
        return evolve(info, key=key)


@falls_by("test_a_key_that_could_leave_the_store_is_refused")
class TrustsKeysOfDelete(Right):
    def delete(self, key: str) -> None:
        self._objects.pop(key, None)


@falls_by("test_any_valid_key_comes_back_as_it_was")
class ListsQuotedKeys(Right):
    """As a service that was asked for `EncodingType=url`."""

    def list(self, prefix: str = "") -> Iterator[ObjectInfo]:
        return (evolve(info, key=quote(info.key)) for info in super().list(prefix))


# reading


@falls_by("test_read_gives_fewer_bytes_only_at_the_end")
class ReadsShort(Right):
    """Gives what a connection happens to have."""

    def open(self, key: str) -> AbstractContextManager[BinaryIO]:
        class Short(io.BytesIO):
            def read(self, size: int | None = -1) -> bytes:
                return super().read(size if size is None or size < 0 else min(size, 10_000))

        return Short(self._find(key)[0])


@falls_by("test_what_is_put_is_read_back")
class CutsTheBodyShort(Right):
    """A connection that breaks looks like an end."""

    def open(self, key: str) -> AbstractContextManager[BinaryIO]:
        return io.BytesIO(self._find(key)[0][:1_000_000])


@falls_by("test_read_gives_fewer_bytes_only_at_the_end")
class BeginsAgain(Right):
    """After the end comes the start."""

    def open(self, key: str) -> AbstractContextManager[BinaryIO]:
        class Endless(io.BytesIO):
            def read(self, size: int | None = -1) -> bytes:
                piece = super().read(size)
                if not piece:
                    self.seek(0)
                return piece

        return Endless(self._find(key)[0])


@falls_by("test_two_readers_do_not_disturb_each_other")
class SharesAReader(Right):
    """One position for all who read."""

    def open(self, key: str) -> AbstractContextManager[BinaryIO]:
        shared = self.__dict__.setdefault("readers", {})
        return self._lent(shared.setdefault(key, io.BytesIO(self._find(key)[0])))

    @contextmanager
    def _lent(self, reader: BinaryIO) -> Iterator[BinaryIO]:
        yield reader


@falls_by("test_a_reader_may_be_read_by_another_thread_than_opened_it")
class KeepsToItsThread(Right):
    """As a connection of sqlite3 does."""

    def open(self, key: str) -> AbstractContextManager[BinaryIO]:
        return OfOneThread(self._find(key)[0])


@falls_by("test_a_reader_never_gets_a_mixture")
class ReadsWhatIsThereNow(Right):
    """Every read is a ranged request of its own, and none asks whether the object is still the same."""

    def open(self, key: str) -> AbstractContextManager[BinaryIO]:
        self._find(key)
        store = self

        class Ranged(io.RawIOBase):
            position = 0

            def readable(self) -> bool:
                return True

            def readinto(self, buffer: object) -> int:
                view = memoryview(buffer)  # type: ignore[arg-type]
                piece = store._find(key)[0][self.position : self.position + len(view)]
                view[: len(piece)] = piece
                self.position += len(piece)
                return len(piece)

        return io.BufferedReader(Ranged())


@falls_by("test_a_reader_never_gets_a_mixture")
class EndsWhenTheObjectIsGone(Right):
    """What was deleted meanwhile looks like an end."""

    def open(self, key: str) -> AbstractContextManager[BinaryIO]:
        self._find(key)
        store = self

        class Fading(io.BytesIO):
            def read(self, size: int | None = -1) -> bytes:
                return super().read(size) if key in store._objects else b""

        return Fading(self._find(key)[0])


@falls_by("test_an_absent_object_cannot_be_opened")
class LeaksKeyErrorOnOpening(Right):
    def open(self, key: str) -> AbstractContextManager[BinaryIO]:
        return io.BytesIO(self._objects[key][0])


@falls_by("test_nothing_is_known_of_an_absent_object")
class LeaksKeyError(Right):
    def stat(self, key: str) -> ObjectInfo:
        return self._objects[key][1]


@falls_by("test_an_absent_object_cannot_be_opened")
class FailsOnlyOnReading(Right):
    """A generator's `try` that begins too late."""

    def open(self, key: str) -> AbstractContextManager[BinaryIO]:
        store = self

        class Late(io.RawIOBase):
            def readinto(self, buffer: object) -> int:
                with MemoryObjectStore.open(store, key) as reader:
                    return reader.readinto(buffer)  # type: ignore[attr-defined, no-any-return]

        return cast(BinaryIO, Late())


@falls_by("test_nothing_is_known_of_an_absent_object")
class DoesNotNameTheKey(Right):
    def stat(self, key: str) -> ObjectInfo:
        try:
            return super().stat(key)
        except ObjectNotFound:
            raise ObjectNotFound("404 Not Found") from None


@falls_by("test_an_error_inside_the_context_comes_out_as_it_is")
class SwallowsTheReadersError(Right):
    @contextmanager
    def open(self, key: str) -> Iterator[BinaryIO]:
        reader = io.BytesIO(self._find(key)[0])
        try:
            yield reader
        except Exception:
            pass


@falls_by("test_an_error_inside_the_context_comes_out_as_it_is")
class TranslatesTheReadersError(Right):
    """The `except` around the `yield` covers what the reader's user does, too."""

    @contextmanager
    def open(self, key: str) -> Iterator[BinaryIO]:
        reader = io.BytesIO(self._find(key)[0])
        try:
            yield reader
        except BakthatError:
            raise
        except Exception as error:
            raise StoreError(str(error)) from error


@falls_by("test_a_reader_may_leave_early")
class WantsToBeReadToItsEnd(Right):
    @contextmanager
    def open(self, key: str) -> Iterator[BinaryIO]:
        reader = io.BytesIO(self._find(key)[0])
        yield reader
        if reader.read(1):
            raise StoreError(f"{key} was not read to its end")


# ranges


class Ranged(Right):
    """Right, with places to go wrong at: what a range is, and of what."""

    def range_of(self, content: bytes, start: int, stop: int) -> bytes:
        return content[start:stop]

    def check(self, info: ObjectInfo, expected: ObjectInfo | None) -> None:
        check_version(info, expected, info.key)

    def open_range(
        self, key: str, start: int, stop: int, *, expected: ObjectInfo | None = None
    ) -> AbstractContextManager[BinaryIO]:
        check_range(start, stop)
        content, info = self._find(key)
        self.check(info, expected)
        return io.BytesIO(self.range_of(content, start, stop))


class RightAndWrittenForOnePointZero(Right):
    """Has no ranges of its own and no etags."""

    open_range = ObjectStore.open_range

    def stat(self, key: str) -> ObjectInfo:
        return evolve(super().stat(key), etag=None)


class RightAndRanged(Ranged):
    pass


@falls_by("test_a_range_in_the_middle_is_exactly_those_bytes")
class AnswersEverything(Ranged):
    """As a service that ignores the header Range."""

    def range_of(self, content: bytes, start: int, stop: int) -> bytes:
        return content


@falls_by("test_a_range_in_the_middle_is_exactly_those_bytes")
class ReadsOnBehindTheRange(Ranged):
    def range_of(self, content: bytes, start: int, stop: int) -> bytes:
        return content[start:]


@falls_by("test_a_range_in_the_middle_is_exactly_those_bytes")
class IncludesTheStop(Ranged):
    """As HTTP counts."""

    def range_of(self, content: bytes, start: int, stop: int) -> bytes:
        return content[start : stop + 1]


@falls_by("test_a_range_in_the_middle_is_exactly_those_bytes")
class TakesTheStopForALength(Ranged):
    def range_of(self, content: bytes, start: int, stop: int) -> bytes:
        return content[start : start + stop]


@falls_by("test_a_range_in_the_middle_is_exactly_those_bytes")
class BeginsAtABlock(Ranged):
    """What is read begins at a multiple of 512."""

    def range_of(self, content: bytes, start: int, stop: int) -> bytes:
        first = start // 512 * 512
        return content[first : first + stop - start]


@falls_by("test_a_range_is_exactly_those_bytes")
class AnswersTheStartOfALongRange(Ranged):
    """As a gateway that serves so much at most."""

    def range_of(self, content: bytes, start: int, stop: int) -> bytes:
        return content[start : min(stop, start + 100_000)]


@falls_by("test_a_range_ends_where_the_object_ends")
class RefusesARangeOverTheEnd(Ranged):
    def range_of(self, content: bytes, start: int, stop: int) -> bytes:
        if stop > len(content):
            raise StoreError("416 Requested Range Not Satisfiable")
        return content[start:stop]


@falls_by("test_a_range_ends_where_the_object_ends")
class FillsUpBehindTheEnd(Ranged):
    def range_of(self, content: bytes, start: int, stop: int) -> bytes:
        return content[start:stop].ljust(min(stop - start, 10_000), b"\0")


@falls_by("test_a_range_behind_the_end_is_empty")
class RefusesARangeBehindTheEnd(Ranged):
    def range_of(self, content: bytes, start: int, stop: int) -> bytes:
        if start >= len(content) and stop > start:
            raise StoreError("416 Requested Range Not Satisfiable")
        return content[start:stop]


@falls_by("test_a_range_behind_the_end_is_empty")
class AnswersEverythingBehindTheEnd(Ranged):
    """The range cannot be served, so it is ignored."""

    def range_of(self, content: bytes, start: int, stop: int) -> bytes:
        return content[start:stop] if start < len(content) else content


@falls_by("test_an_empty_range_is_empty")
class AnswersEverythingToAnEmptyRange(Ranged):
    """`bytes=5-4` is not a range, so it is ignored."""

    def range_of(self, content: bytes, start: int, stop: int) -> bytes:
        return content[start:stop] if start < stop else content


@falls_by("test_an_empty_range_is_empty")
class RefusesAnEmptyRange(Ranged):
    def range_of(self, content: bytes, start: int, stop: int) -> bytes:
        if start == stop:
            raise StoreError("416 Requested Range Not Satisfiable")
        return content[start:stop]


@falls_by("test_a_range_of_an_empty_object_is_empty")
class RefusesRangesOfAnEmptyObject(Ranged):
    def range_of(self, content: bytes, start: int, stop: int) -> bytes:
        if not content:
            raise StoreError("416 Requested Range Not Satisfiable")
        return content[start:stop]


@falls_by("test_what_is_not_a_range_is_refused")
class CountsFromTheEnd(Right):
    """A negative start is one from the end, as slices have it."""

    def open_range(
        self, key: str, start: int, stop: int, *, expected: ObjectInfo | None = None
    ) -> AbstractContextManager[BinaryIO]:
        return io.BytesIO(self._find(key)[0][start:stop])


@falls_by("test_an_absent_object_has_no_ranges")
class DoesNotLookForAnEmptyRange(Ranged):
    def open_range(
        self, key: str, start: int, stop: int, *, expected: ObjectInfo | None = None
    ) -> AbstractContextManager[BinaryIO]:
        return super().open_range(key, start, stop, expected=expected) if start != stop else io.BytesIO()


@falls_by("test_an_absent_object_has_no_ranges")
class FailsOnlyOnReadingARange(Ranged):
    def open_range(
        self, key: str, start: int, stop: int, *, expected: ObjectInfo | None = None
    ) -> AbstractContextManager[BinaryIO]:
        store = self

        class Late(io.RawIOBase):
            def readinto(self, buffer: object) -> int:
                with Ranged.open_range(store, key, start, stop) as reader:
                    return reader.readinto(buffer)  # type: ignore[attr-defined, no-any-return]

        return cast(BinaryIO, Late())


@falls_by("test_read_gives_fewer_bytes_only_at_the_end_of_a_range")
class ReadsRangesShort(Ranged):
    def open_range(
        self, key: str, start: int, stop: int, *, expected: ObjectInfo | None = None
    ) -> AbstractContextManager[BinaryIO]:
        class Short(io.BytesIO):
            def read(self, size: int | None = -1) -> bytes:
                return super().read(size if size is None or size < 0 else min(size, 10_000))

        return Short(self._find(key)[0][start:stop])


@falls_by("test_ranges_one_after_the_other_make_the_object")
class ReadsTheSameRangeTwice(Ranged):
    """Keeps the last range for the next caller, whatever that asks for."""

    kept: bytes = b""

    def range_of(self, content: bytes, start: int, stop: int) -> bytes:
        self.kept = self.kept or content[start:stop]
        return self.kept


@falls_by("test_a_range_may_be_left_early")
class WantsRangesToBeReadToTheirEnd(Ranged):
    @contextmanager
    def open_range(self, key: str, start: int, stop: int, *, expected: ObjectInfo | None = None) -> Iterator[BinaryIO]:
        with super().open_range(key, start, stop, expected=expected) as reader:
            yield reader
            if reader.read(1):
                raise StoreError(f"{key} was not read to its end")


@falls_by("test_ranges_are_read_by_many_threads_at_once")
class SharesAPosition(Ranged):
    """One open file for all, which each range moves."""

    position = 0

    def open_range(
        self, key: str, start: int, stop: int, *, expected: ObjectInfo | None = None
    ) -> AbstractContextManager[BinaryIO]:
        content = self._find(key)[0]
        self.position = start
        time.sleep(0.002)
        return io.BytesIO(content[self.position : self.position + stop - start])


@falls_by("test_a_range_may_be_read_by_another_thread_than_opened_it")
class KeepsRangesToItsThread(Ranged):
    def open_range(
        self, key: str, start: int, stop: int, *, expected: ObjectInfo | None = None
    ) -> AbstractContextManager[BinaryIO]:
        return OfOneThread(self._find(key)[0][start:stop])


@falls_by("test_a_range_of_an_object_that_was_replaced_since_is_an_error")
class ExpectsNothing(Ranged):
    def check(self, info: ObjectInfo, expected: ObjectInfo | None) -> None:
        pass


@falls_by("test_a_range_of_an_object_that_was_replaced_since_is_an_error")
class ExpectsOnlyBytesThatAreThere(Ranged):
    """An empty range, or one behind the end, is not compared."""

    def open_range(
        self, key: str, start: int, stop: int, *, expected: ObjectInfo | None = None
    ) -> AbstractContextManager[BinaryIO]:
        is_there = start < min(stop, len(self._find(key)[0]))
        return super().open_range(key, start, stop, expected=expected if is_there else None)


@falls_by("test_a_range_of_an_object_that_was_replaced_by_one_of_its_size_is_an_error")
class ComparesSizes(Ranged):
    def check(self, info: ObjectInfo, expected: ObjectInfo | None) -> None:
        if expected is not None and expected.size != info.size:
            raise StoreError(f"{info.key} was replaced")


@falls_by("test_a_range_of_an_object_that_was_deleted_since_is_an_error")
class KeepsWhatWasDeleted(Ranged):
    """Serves ranges of an object that it has seen, also when it is gone."""

    def __init__(self) -> None:
        super().__init__()
        self._seen: dict[str, tuple[bytes, ObjectInfo]] = {}

    def delete(self, key: str) -> None:
        self._seen.update({key: self._objects[key]} if key in self._objects else {})
        super().delete(key)

    def open_range(
        self, key: str, start: int, stop: int, *, expected: ObjectInfo | None = None
    ) -> AbstractContextManager[BinaryIO]:
        if expected is not None and key in self._seen:
            return io.BytesIO(self._seen[key][0][start:stop])
        return super().open_range(key, start, stop, expected=expected)


@falls_by("test_a_range_is_never_a_mixture")
class ReadsRangesOfWhatIsThereNow(Ranged):
    """Every read is a request of its own."""

    def open_range(
        self, key: str, start: int, stop: int, *, expected: ObjectInfo | None = None
    ) -> AbstractContextManager[BinaryIO]:
        check_range(start, stop)
        self.check(self._find(key)[1], expected)
        store = self

        class Requesting(io.RawIOBase):
            position = start

            def readable(self) -> bool:
                return True

            def readinto(self, buffer: object) -> int:
                view = memoryview(buffer)  # type: ignore[arg-type]
                chunk = store._find(key)[0][self.position : min(stop, self.position + len(view))]
                view[: len(chunk)] = chunk
                self.position += len(chunk)
                return len(chunk)

        return io.BufferedReader(Requesting())


@falls_by("test_a_range_of_a_key_that_could_leave_the_store_is_refused")
class TrustsKeysOfRanges(Ranged):
    def open_range(
        self, key: str, start: int, stop: int, *, expected: ObjectInfo | None = None
    ) -> AbstractContextManager[BinaryIO]:
        return io.BytesIO(self._objects[key][0][start:stop]) if key in self._objects else io.BytesIO()


# listing


@falls_by("test_every_object_is_listed_once_and_in_key_order")
class FirstPageOnly(Right):
    page = 20

    def list(self, prefix: str = "") -> Iterator[ObjectInfo]:
        return itertools.islice(super().list(prefix), self.page)


@falls_by("test_every_object_is_listed_once_and_in_key_order")
class CountsItsPagesFromTheStart(Right):
    """`LIMIT 20 OFFSET 20`: what is deleted from the first page lets as many slip through."""

    def list(self, prefix: str = "") -> Iterator[ObjectInfo]:
        for start in itertools.count(0, 20):
            page = list(itertools.islice(super().list(prefix), start, start + 20))
            yield from page
            if len(page) < 20:
                return


@falls_by("test_every_object_is_listed_once_and_in_key_order")
class RepeatsTheLastOfAPage(Right):
    """A page that begins where the one before ended."""

    def list(self, prefix: str = "") -> Iterator[ObjectInfo]:
        for number, info in enumerate(super().list(prefix)):
            if number and number % 20 == 0:
                yield info
            yield info


@falls_by("test_every_object_is_listed_once_and_in_key_order")
class ListsInOrderOfArrival(Right):
    def list(self, prefix: str = "") -> Iterator[ObjectInfo]:
        return iter([info for key, (_, info) in self._objects.items() if key.startswith(prefix)])


@falls_by("test_key_order_is_by_code_point_across_folders")
class ListsFolderByFolder(Right):
    """As a walk does: `a/b` before `a.b`."""

    def list(self, prefix: str = "") -> Iterator[ObjectInfo]:
        return iter(sorted(super().list(prefix), key=lambda info: info.key.split("/")))


@falls_by("test_key_order_is_by_code_point_across_folders")
class ListsAsPeopleSort(Right):
    """Upper and lower case side by side."""

    def list(self, prefix: str = "") -> Iterator[ObjectInfo]:
        return iter(sorted(super().list(prefix), key=lambda info: locale.strxfrm(info.key.lower())))


@falls_by("test_a_prefix_need_not_end_at_a_slash")
class TakesAPrefixForAFolder(Right):
    def list(self, prefix: str = "") -> Iterator[ObjectInfo]:
        folder = f"{prefix.rstrip('/')}/" if prefix else ""
        return super().list(folder)


@falls_by("test_a_prefix_need_not_end_at_a_slash")
class ListsOneLevel(Right):
    """A delimiter hides what lies in folders."""

    def list(self, prefix: str = "") -> Iterator[ObjectInfo]:
        return (info for info in super().list(prefix) if "/" not in info.key)


@falls_by("test_a_listing_tells_sizes_and_times")
class ListsNoSizes(Right):
    def list(self, prefix: str = "") -> Iterator[ObjectInfo]:
        return (evolve(info, size=0) for info in super().list(prefix))


@falls_by("test_a_listing_tells_sizes_and_times")
class ListsNoTimes(Right):
    def list(self, prefix: str = "") -> Iterator[ObjectInfo]:
        epoch = datetime.fromtimestamp(0, self._clock().tzinfo)
        return (evolve(info, modified=epoch) for info in super().list(prefix))


# deleting


@falls_by("test_a_deleted_object_is_gone")
class DeletesNothing(Right):
    def delete(self, key: str) -> None:
        check_key(key)


@falls_by("test_a_deleted_object_is_gone")
class DeletesByPrefix(Right):
    """`k` takes `k2` with it."""

    def delete(self, key: str) -> None:
        check_key(key)
        for each in [each for each in self._objects if each.startswith(key)]:
            super().delete(each)


@falls_by("test_deleting_twice_is_no_error")
class MissesWhatItDeletes(Right):
    def delete(self, key: str) -> None:
        self.stat(key)
        super().delete(key)


@falls_by("test_a_deleted_key_is_free_again")
class LeavesATombstone(Right):
    def __init__(self) -> None:
        super().__init__()
        self._dead: set[str] = set()

    def delete(self, key: str) -> None:
        super().delete(key)
        self._dead.add(key)

    def put(self, key: str, body: BinaryIO, *, replace: bool = False, size_hint: int | None = None) -> ObjectInfo:
        if key in self._dead:
            raise ObjectExists(f"{key} is deleted")
        return super().put(key, body, replace=replace, size_hint=size_hint)


# beside storing


@falls_by("test_a_copy_replaces_nothing")
class CopiesOverWhatIsThere(Right):
    def copy_from(self, key: str, source: ObjectStore, *, expected: ObjectInfo) -> ObjectInfo | None:
        with source.open(key) as reader:
            return self.put(key, reader, replace=True)


@falls_by("test_a_copy_of_anothers_object_is_that_object_or_none")
class CopiesTheNameAlone(Right):
    def copy_from(self, key: str, source: ObjectStore, *, expected: ObjectInfo) -> ObjectInfo | None:
        return self.put(key, io.BytesIO())


@falls_by("test_an_object_without_a_lock_has_none_and_can_be_deleted")
class LocksEverything(Right):
    def lock_of(self, key: str) -> Lock | None:
        return Lock(until=None)


@falls_by("test_a_write_that_fails_leaves_nothing_over")
class LeavesPartsBehind(Right):
    def content_of(self, body: BinaryIO, size_hint: int | None) -> bytes:
        try:
            return super().content_of(body, size_hint)
        except Exception:
            now = datetime.now(UTC)
            self.unfinished.append(Leftover(key="k", upload_id="1", started=now, latest=now))
            raise


# identity


@falls_by("test_the_location_is_a_url_and_stays_the_same")
class HasNoAddress(Right):
    def __init__(self) -> None:
        super().__init__("store")


def contract_for(kind: type[Right]) -> type[ObjectStoreContract]:
    class Contract(ObjectStoreContract):
        large = 300_000  # more than one chunk of the stores above
        many = 45  # more than two of their pages

        @pytest.fixture
        def store(self) -> ObjectStore:
            return kind()

    return Contract


# What pytest collects when it is pointed at this file, and only then: its name is not that of a test.
globals().update(
    {f"Test{name}": contract_for(globals()[name]) for name in [*wrong_ones(globals()), *right_ones(globals())]}
)
