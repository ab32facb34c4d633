"""The proxy passes on what no fault is meant for, and applies its faults to the rest."""

from __future__ import annotations

import http.client
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from bakthat.testing.deviations import asks, both, dropping, has, ignoring, lacks, rewriting, setting, where
from bakthat.testing.faulty_proxy import (
    SLOW_DOWN,
    Doing,
    Fault,
    FaultyProxy,
    answering,
    cut_the_answer,
    damage_the_answer,
    damage_the_request,
    drop_the_connection,
    lose_the_answer,
    meanwhile,
    operation_of,
    reset_in_the_answer,
)

CONTENT = b"what the server says"


class Server:
    """A server that remembers the bodies it was sent, and says the same to everybody."""

    def __init__(self) -> None:
        self.bodies: list[bytes] = []
        bodies = self.bodies

        class Handler(BaseHTTPRequestHandler):
            def do_PUT(self) -> None:
                bodies.append(self.rfile.read(int(self.headers.get("Content-Length") or 0)))
                self.send_response(200)
                self.send_header("X-Seen", self.headers.get("X-Sent", "-"))
                self.send_header("Content-Length", str(len(CONTENT)))
                self.end_headers()
                self.wfile.write(CONTENT)

            def log_message(self, *_: Any) -> None:
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.http.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.http.server_address[1]}"


@pytest.fixture
def server() -> Iterator[Server]:
    running = Server()
    threading.Thread(target=running.http.serve_forever, args=(0.02,), daemon=True).start()
    yield running
    running.http.shutdown()
    running.http.server_close()


@pytest.fixture
def proxy(server: Server) -> Iterator[FaultyProxy]:
    with FaultyProxy(server.url) as running:
        yield running


def put(proxy: FaultyProxy) -> tuple[int, str | None, bytes]:
    connection = http.client.HTTPConnection(proxy.url.removeprefix("http://"), timeout=60)
    try:
        connection.request("PUT", "/bucket/key", b"what the client says", {"X-Sent": "this"})
        answer = connection.getresponse()
        return answer.status, answer.getheader("X-Seen"), answer.read()
    finally:
        connection.close()


def test_without_a_fault_everything_passes_as_it_is(server: Server, proxy: FaultyProxy):
    assert put(proxy) == (200, "this", CONTENT)
    assert server.bodies == [b"what the client says"]
    assert proxy.operations == ["PutObject"]


def test_a_fault_passes_over_some_requests_and_happens_as_often_as_it_says(proxy: FaultyProxy):
    proxy.inject(Fault("PutObject", answering(503, "SlowDown"), skip=1, times=2))
    assert [put(proxy)[0] for _ in range(4)] == [200, 503, 503, 200]


def test_a_fault_is_of_one_operation_or_of_all(proxy: FaultyProxy):
    proxy.inject(Fault("GetObject", SLOW_DOWN), Fault("*", answering(500)))
    assert [put(proxy)[0] for _ in range(2)] == [500, 200]


def test_what_is_forgotten_does_not_happen(proxy: FaultyProxy):
    put(proxy)
    proxy.inject(Fault("*", SLOW_DOWN))
    proxy.forget()
    assert proxy.operations == []
    assert put(proxy)[0] == 200


@pytest.mark.parametrize(("doing", "reached"), [(drop_the_connection, 0), (lose_the_answer, 1)])
def test_a_lost_answer_is_not_an_answer_whether_the_server_was_reached_or_not(
    server: Server, proxy: FaultyProxy, doing: Doing, reached: int
):
    proxy.inject(Fault("*", doing))
    with pytest.raises((http.client.RemoteDisconnected, ConnectionResetError)):
        put(proxy)
    assert len(server.bodies) == reached


@pytest.mark.parametrize(
    ("doing", "error"), [(cut_the_answer, http.client.IncompleteRead), (reset_in_the_answer, ConnectionResetError)]
)
def test_a_body_ends_or_breaks_in_its_middle(proxy: FaultyProxy, doing: Doing, error: type[Exception]):
    proxy.inject(Fault("*", doing))
    with pytest.raises(error):
        put(proxy)


def test_one_bit_is_changed_on_the_way_back(proxy: FaultyProxy):
    proxy.inject(Fault("*", damage_the_answer))
    _, _, body = put(proxy)
    assert sum((one ^ other).bit_count() for one, other in zip(body, CONTENT, strict=True)) == 1


def test_one_bit_is_changed_on_the_way_there(server: Server, proxy: FaultyProxy):
    proxy.inject(Fault("*", damage_the_request))
    put(proxy)
    arrived = server.bodies[0]
    assert sum((one ^ other).bit_count() for one, other in zip(arrived, b"what the client says", strict=True)) == 1


def test_something_may_happen_before_the_server_is_reached(server: Server, proxy: FaultyProxy):
    seen: list[int] = []
    proxy.inject(Fault("*", meanwhile(lambda: seen.append(len(server.bodies)))))
    assert put(proxy)[0] == 200
    assert seen == [0]


@pytest.mark.parametrize(
    ("method", "target", "operation"),
    [
        ("GET", "/", "ListBuckets"),
        ("HEAD", "/bucket", "HeadBucket"),
        ("PUT", "/bucket", "CreateBucket"),
        ("GET", "/bucket?list-type=2&prefix=a", "ListObjectsV2"),
        ("GET", "/bucket?uploads&prefix=a", "ListMultipartUploads"),
        ("GET", "/bucket/a/key", "GetObject"),
        ("HEAD", "/bucket/key", "HeadObject"),
        ("PUT", "/bucket/key", "PutObject"),
        ("DELETE", "/bucket/key", "DeleteObject"),
        ("POST", "/bucket/key?uploads", "CreateMultipartUpload"),
        ("PUT", "/bucket/key?partNumber=1&uploadId=x", "UploadPart"),
        ("GET", "/bucket/key?uploadId=x", "ListParts"),
        ("POST", "/bucket/key?uploadId=x", "CompleteMultipartUpload"),
        ("DELETE", "/bucket/key?uploadId=x", "AbortMultipartUpload"),
        ("POST", "/bucket/key?restore", "RestoreObject"),
    ],
)
def test_operations_are_called_as_the_api_calls_them(method: str, target: str, operation: str):
    assert operation_of(method, target) == operation


def test_a_fault_without_a_number_of_times_never_ends(proxy: FaultyProxy):
    proxy.inject(Fault("*", answering(500), skip=1, times=None))
    assert [put(proxy)[0] for _ in range(4)] == [200, 500, 500, 500]


def test_a_deviation_may_be_of_some_requests_only(proxy: FaultyProxy):
    proxy.inject(Fault("*", where(lacks("x-sent"), answering(500), answering(204)), times=None))
    assert put(proxy)[0] == 204
    proxy.forget()
    proxy.inject(Fault("*", where(has("x-sent"), answering(500))))
    assert put(proxy)[0] == 500
    proxy.inject(Fault("*", where(asks("list-type=2"), answering(500)), times=None))
    assert put(proxy)[0] == 200


def test_a_header_of_a_request_is_ignored(proxy: FaultyProxy):
    proxy.inject(Fault("*", ignoring("x-sent")))
    assert put(proxy) == (200, "-", CONTENT)


def test_a_header_of_an_answer_is_dropped(proxy: FaultyProxy):
    proxy.inject(Fault("*", dropping("x-seen")))
    assert put(proxy) == (200, None, CONTENT)


@pytest.mark.parametrize("value", ["W/this", lambda old: f"W/{old}"])
def test_a_header_of_an_answer_is_set(proxy: FaultyProxy, value: Any):
    proxy.inject(Fault("*", setting({"X-Seen": value})))
    assert put(proxy) == (200, "W/this", CONTENT)


def test_an_answer_is_rewritten(proxy: FaultyProxy):
    proxy.inject(Fault("*", rewriting(lambda body: b" \n" + body, status=201)))
    assert put(proxy) == (201, "this", b" \n" + CONTENT)


def test_a_service_may_deviate_twice(proxy: FaultyProxy):
    proxy.inject(Fault("*", both(ignoring("x-sent"), setting({"X-Seen": lambda old: f"{old}{old}"}))))
    assert put(proxy) == (200, "--", CONTENT)
