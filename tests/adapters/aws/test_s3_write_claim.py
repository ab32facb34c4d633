"""Two writers of one key on a service that replaces objects in silence: no object is lost.

The service is in memory and ignores every condition. A scheduler lets one writer at a time send one request, so that a
test can try every order in which the requests of two writers can arrive. At the end two processes race on real servers.
"""

from __future__ import annotations

import hashlib
import io
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from itertools import combinations
from typing import Any

import pytest
from botocore.exceptions import ClientError

from bakthat.adapters.aws.s3_bucket import Bucket
from bakthat.adapters.aws.s3_upload import Uploader
from bakthat.domain.profile import Profile
from bakthat.errors import AccessDenied, BakthatError, ObjectExists, StoreError, StoreUnavailable
from tests.adapters.aws.racing_process import lost, race
from tests.fixtures.s3_servers import s3_profile

KEY = "web/photos.20260102030405.tgz"
FOLDER = f"web/bakthat_writing/{KEY.removeprefix('web/')}/"


class Killed(BaseException):
    """The process of a writer ends here."""


def refusal(status: int, code: str, operation: str) -> ClientError:
    return ClientError({"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": status}}, operation)


class ForgetfulS3:
    """A bucket with the five operations that a small object needs, without conditions. Objects: content and put-id.
    `history`: every object that ever stood under the key of the backup."""

    def __init__(self) -> None:
        self.objects: dict[str, tuple[bytes, dict[str, str]]] = {}
        self.history: list[bytes] = []
        self.refused: dict[str, ClientError] = {}
        self.requests: list[str] = []
        self.hides_claims = False

    def _asked(self, operation: str) -> None:
        self.requests.append(operation)
        if operation in self.refused:
            raise self.refused[operation]

    def put_object(self, *, Key: str, Body: Any, Metadata: dict[str, str] | None = None, **_: Any) -> dict[str, Any]:
        self._asked("PutObject" if Key == KEY else "PutClaim")
        content = bytes(Body.read())
        self.objects[Key] = (content, Metadata or {})
        if Key == KEY:
            self.history.append(content)
        return {"ETag": f'"{hashlib.md5(content).hexdigest()}"'}

    def head_object(self, *, Key: str, **_: Any) -> dict[str, Any]:
        self._asked("HeadObject")
        if Key not in self.objects:
            raise refusal(404, "404", "HeadObject")
        return {"Metadata": self.objects[Key][1]}

    def list_objects_v2(self, *, Prefix: str, **_: Any) -> dict[str, Any]:
        self._asked("ListObjectsV2")
        hidden = self.hides_claims
        keys = [] if hidden else sorted(key for key in self.objects if key.startswith(Prefix))
        return {
            "Name": "bucket",
            "IsTruncated": False,
            **({"Contents": [{"Key": key} for key in keys]} if keys else {}),
        }

    def delete_object(self, *, Key: str, **_: Any) -> dict[str, Any]:
        self._asked("DeleteObject")
        self.objects.pop(Key, None)
        return {}

    @property
    def claims(self) -> list[str]:
        return [key for key in self.objects if key.startswith("web/bakthat_writing/")]


class TurnByTurn:
    """Gives each request of each writer its turn, in the order of `turns`; what is left over afterwards goes on in
    the writers' order. A writer that waits for another one gives its turn away."""

    def __init__(self, turns: Sequence[int], kill: tuple[int, int] | None = None) -> None:
        self._turns = list(turns)
        self._kill = kill
        self._sent = [0, 0]
        self._active = {0, 1}
        self._changed = threading.Condition()

    def client(self, service: ForgetfulS3, number: int) -> Any:
        return _Client(service, lambda call: self._in_turn(number, call))

    def pause(self, number: int) -> Callable[[float], None]:
        def pause(_: float) -> None:
            with self._changed:
                # The other one has all the time that it needs.
                self._turns = [turn for turn in self._turns if turn != number]
                if self._active - {number}:
                    self._turns[:0] = [turn for turn in self._active if turn != number] * 20
                self._changed.notify_all()

        return pause

    def ended(self, number: int) -> None:
        with self._changed:
            self._active.discard(number)
            self._changed.notify_all()

    def _whose(self) -> int:
        while self._turns and self._turns[0] not in self._active:
            self._turns.pop(0)
        return self._turns[0] if self._turns else min(self._active)

    def _in_turn(self, number: int, call: Callable[[], Any]) -> Any:
        with self._changed:
            assert self._changed.wait_for(lambda: self._whose() == number, timeout=60)
            if self._turns:
                self._turns.pop(0)
            self._sent[number] += 1
            try:
                if self._kill == (number, self._sent[number]):
                    raise Killed
                return call()
            finally:
                self._changed.notify_all()


class _Client:
    def __init__(self, service: ForgetfulS3, in_turn: Callable[[Callable[[], Any]], Any]) -> None:
        self._service = service
        self._in_turn = in_turn

    def __getattr__(self, operation: str) -> Callable[..., Any]:
        method = getattr(self._service, operation)
        return lambda **request: self._in_turn(lambda: method(**request))


def uploader(client: Any, claim_id: str, pause: Callable[[float], None] = lambda _: None, **settings: Any) -> Uploader:
    return Uploader(
        Bucket(
            client=client,
            name="bucket",
            prefix="web/",
            put_id=lambda: claim_id,
            clock=lambda: datetime(2026, 1, 2, tzinfo=UTC),
            pause=pause,
            **settings,
        )
    )


def put(writer: Uploader, content: bytes) -> None:
    writer.upload(KEY, KEY, io.BytesIO(content), replace=False, size_hint=len(content))


def racing(turns: Sequence[int], kill: tuple[int, int] | None = None) -> tuple[ForgetfulS3, list[int]]:
    """Two writers at once. The service afterwards, and the writers that report success."""
    service, scheduler = ForgetfulS3(), TurnByTurn(turns, kill)
    succeeded: list[int] = []
    unexpected: list[BaseException] = []

    def write(number: int) -> None:
        try:
            put(uploader(scheduler.client(service, number), f"id{number}", scheduler.pause(number)), b"%d" % number)
            succeeded.append(number)
        except (ObjectExists, Killed):
            pass
        except BaseException as error:
            unexpected.append(error)
        finally:
            scheduler.ended(number)

    threads = [threading.Thread(target=write, args=(number,)) for number in (0, 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert unexpected == []
    return service, succeeded


REQUESTS = 7
"""Of one writer that meets nobody: remove, claim, list, look, write, look again, remove."""


def orders() -> Iterator[list[int]]:
    """Every order of the requests of two writers."""
    for places in combinations(range(2 * REQUESTS), REQUESTS):
        yield [0 if place in places else 1 for place in range(2 * REQUESTS)]


def test_a_writer_alone_sends_seven_requests_and_leaves_no_claim() -> None:
    service = ForgetfulS3()
    put(uploader(service, "id0"), b"content")
    assert len(service.requests) == REQUESTS
    assert (service.objects[KEY][0], service.claims) == (b"content", [])


def test_two_writers_never_replace_an_object_in_any_order_of_their_requests() -> None:
    for turns in orders():
        service, succeeded = racing(turns)
        assert len(service.history) == len(succeeded) == 1, turns
        assert service.objects[KEY][0] == b"%d" % succeeded[0], turns
        assert service.claims == [], turns


@pytest.mark.parametrize("request_number", range(1, REQUESTS + 1))
def test_a_writer_killed_at_any_request_never_costs_the_other_its_object(request_number: int) -> None:
    for turns in list(orders())[::7]:
        service, succeeded = racing(turns, kill=(1, request_number))
        assert len(service.history) <= 1, turns
        if 0 in succeeded:
            assert service.objects[KEY][0] == b"0", turns


def test_the_claim_of_a_killed_writer_makes_later_writers_of_this_key_give_up() -> None:
    service = ForgetfulS3()
    service.objects[f"{FOLDER}id5"] = (b"", {})
    pauses: list[float] = []
    for claim_id in ("id0", "id9"):
        with pytest.raises(ObjectExists, match="being written"):
            put(uploader(service, claim_id, pauses.append), b"content")
    assert sum(pauses) == 5
    assert service.claims == [f"{FOLDER}id5"]
    assert KEY not in service.objects


def test_a_write_whose_outcome_is_unknown_keeps_its_claim() -> None:
    service = ForgetfulS3()
    service.refused["PutObject"] = refusal(503, "SlowDown", "PutObject")
    with pytest.raises(StoreUnavailable):
        put(uploader(service, "id0"), b"content")
    assert service.claims == [f"{FOLDER}id0"]


def test_a_write_that_was_refused_leaves_no_claim() -> None:
    service = ForgetfulS3()
    service.refused["PutObject"] = refusal(403, "AccessDenied", "PutObject")
    with pytest.raises(AccessDenied):
        put(uploader(service, "id0"), b"content")
    assert service.claims == []


@pytest.mark.parametrize("operation", ["DeleteObject", "ListObjectsV2"])
@pytest.mark.parametrize(
    ("status", "code"), [(403, "AccessDenied"), (501, "NotImplemented"), (405, "MethodNotAllowed")]
)
def test_without_permission_for_claims_the_object_is_stored_all_the_same(
    operation: str, status: int, code: str
) -> None:
    service = ForgetfulS3()
    service.refused[operation] = refusal(status, code, operation)
    writer = uploader(service, "id0")
    put(writer, b"content")
    assert (service.objects[KEY][0], service.claims) == (b"content", [])


def test_claims_that_were_refused_once_are_not_used_again() -> None:
    service = ForgetfulS3()
    service.refused["DeleteObject"] = refusal(403, "AccessDenied", "DeleteObject")
    writer = uploader(service, "id0")
    put(writer, b"content")
    service.requests.clear()
    writer.upload("web/other", "other", io.BytesIO(b"x"), replace=False, size_hint=1)
    assert service.requests == ["HeadObject", "PutClaim", "HeadObject"]


def test_a_listing_that_does_not_show_the_claim_is_not_relied_on() -> None:
    service = ForgetfulS3()
    service.hides_claims = True
    put(uploader(service, "id0"), b"content")
    assert (service.objects[KEY][0], service.claims) == (b"content", [])


def test_without_claims_an_object_that_another_writer_replaced_is_an_error() -> None:
    """What remains possible then: the other write arrives after the second look."""

    class Overtaken(ForgetfulS3):
        def put_object(self, **request: Any) -> dict[str, Any]:
            answer = super().put_object(**request)
            self.objects[KEY] = (b"theirs", {"put-id": "another"})
            return answer

    service = Overtaken()
    service.refused["DeleteObject"] = refusal(403, "AccessDenied", "DeleteObject")
    with pytest.raises(ObjectExists, match="at the same moment"):
        put(uploader(service, "id0"), b"content")


def test_an_object_that_is_to_be_replaced_needs_no_claim() -> None:
    service = ForgetfulS3()
    uploader(service, "id0").upload(KEY, KEY, io.BytesIO(b"x"), replace=True, size_hint=1)
    assert service.requests == ["PutObject"]


def test_a_trusted_service_needs_no_claim() -> None:
    service = ForgetfulS3()
    put(uploader(service, "id0", trusted=True, claims=False), b"content")
    assert service.requests == ["PutObject"]


def test_the_key_of_a_claim_has_a_length_that_s3_accepts() -> None:
    service = ForgetfulS3()
    seen: list[str] = []

    class Watched(ForgetfulS3):
        def delete_object(self, *, Key: str, **_: Any) -> dict[str, Any]:
            seen.append(Key)
            return super().delete_object(Key=Key)

    service = Watched()
    key = "web/" + "ä" * 500
    with suppress(BakthatError, StoreError):
        uploader(service, "0" * 32).upload(key, "long", io.BytesIO(b"x"), replace=False, size_hint=1)
    assert seen
    assert all(len(claim.encode()) <= 1024 for claim in seen)


# two machines without a common database, on real servers


@pytest.mark.parametrize("server", ["seaweedfs_url", "rclone_url"])
@pytest.mark.parametrize(("rounds", "size"), [(4, 1000), (1, 9_000_000)])
def test_two_machines_that_back_up_one_name_in_one_second_lose_nothing(
    server: str, rounds: int, size: int, request: pytest.FixtureRequest
) -> None:
    """rclone ignores the condition of a write. Without claims it loses a backup in nine of ten rounds."""
    profile: Profile = s3_profile(request.getfixturevalue(server))
    told = race(profile, rounds=rounds, size=size)
    assert len(told) == rounds
    assert lost(profile, told) == []
