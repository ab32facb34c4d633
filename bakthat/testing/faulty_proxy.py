"""`FaultyProxy`: a proxy before an S3 server that does to chosen requests what networks and services do.

For example:

    with FaultyProxy("http://127.0.0.1:8333") as proxy:
        proxy.inject(Fault(on="UploadPart", does=lose_the_answer, skip=2))
        ...                                 # a client whose endpoint is proxy.url
        assert "HeadBucket" not in proxy.operations
"""

from __future__ import annotations

import http.client
import socket
import struct
import threading
import urllib.parse
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from attrs import define, field, frozen


@frozen
class Request:
    """A request as it arrived. `operation`: the name in the S3 API."""

    operation: str
    method: str
    target: str
    headers: dict[str, str]
    body: bytes = field(repr=False)


@define
class Answer:
    """An answer as it is sent.

    Args:
        status: The HTTP status.
        headers: Names and values.
        body: The whole body.
        cut: After how many bytes of the body the connection ends; None for all.
        reset: Whether it ends with a reset, else with a regular close.
        lost: Whether nothing is sent at all.
    """

    status: int
    headers: list[tuple[str, str]]
    body: bytes = field(repr=False)
    cut: int | None = None
    reset: bool = False
    lost: bool = False


Forward = Callable[[Request], Answer]
Doing = Callable[[Request, Forward], Answer]
"""Takes a request, and returns the answer. Calls its second argument to pass a request on to the server."""


def answering(status: int, code: str = "", message: str = "", headers: dict[str, str] | None = None) -> Doing:
    """Answer without the server. Without a code, the answer has no body."""
    text = f"<Error><Code>{code}</Code><Message>{message}</Message></Error>" if code else ""

    def answer(_: Request, __: Forward) -> Answer:
        given = [("Content-Type", "application/xml"), *(headers or {}).items()]
        return Answer(status=status, headers=given, body=text.encode())

    return answer


def meanwhile(doing: Callable[[], object], then: Doing | None = None) -> Doing:
    """Call `doing` before the request reaches the server."""

    def answer(request: Request, forward: Forward) -> Answer:
        doing()
        return then(request, forward) if then is not None else forward(request)

    return answer


def drop_the_connection(_: Request, __: Forward) -> Answer:
    """Break the connection; the request never reaches the server."""
    return Answer(status=0, headers=[], body=b"", lost=True)


def lose_the_answer(request: Request, forward: Forward) -> Answer:
    """Let the server carry the request out, and break the connection instead of answering."""
    answer = forward(request)
    answer.lost = True
    return answer


def cut_the_answer(request: Request, forward: Forward) -> Answer:
    """End the body of the answer in its middle, with a regular close."""
    answer = forward(request)
    answer.cut = len(answer.body) // 2
    return answer


def reset_in_the_answer(request: Request, forward: Forward) -> Answer:
    """Reset the connection in the middle of the answer's body."""
    answer = cut_the_answer(request, forward)
    answer.reset = True
    return answer


def damage_the_answer(request: Request, forward: Forward) -> Answer:
    """Flip one bit of the answer's body."""
    answer = forward(request)
    answer.body = _damaged(answer.body)
    return answer


def damage_the_request(request: Request, forward: Forward) -> Answer:
    """Flip one bit of the request's body before it reaches the server."""
    damaged = Request(request.operation, request.method, request.target, request.headers, _damaged(request.body))
    return forward(damaged)


SLOW_DOWN = answering(503, "SlowDown", "Please reduce your request rate.")
INTERNAL_ERROR = answering(500, "InternalError", "We encountered an internal error. Please try again.")


@define
class Fault:
    """A fault of the requests of one operation.

    Args:
        on: The operation; `*` for any.
        does: What happens to the request.
        skip: How many requests pass before.
        times: How many requests have the fault; None for all that follow.
    """

    on: str
    does: Doing
    skip: int = 0
    times: int | None = 1


class FaultyProxy:
    """A threaded HTTP proxy on the loopback interface. Without a fault it passes everything on unchanged."""

    def __init__(self, upstream: str) -> None:
        """Listen on a free port. `upstream`: the URL of the server, http only."""
        parts = urllib.parse.urlsplit(upstream)
        self._upstream = (parts.hostname or "127.0.0.1", parts.port or 80)
        self._lock = threading.Lock()
        self._faults: list[Fault] = []
        self.requests: list[Request] = []
        self.connections = 0
        """Connections that clients have opened since the start."""
        self._server = _Server(("127.0.0.1", 0), _handler_of(self))
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> FaultyProxy:
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._server.close_connections()

    @property
    def operations(self) -> list[str]:
        """The operations that were requested since the start, or since `forget`, in order."""
        with self._lock:
            return [request.operation for request in self.requests]

    def inject(self, *faults: Fault) -> None:
        """Add faults. The first one that matches a request happens."""
        with self._lock:
            self._faults.extend(faults)

    def forget(self) -> None:
        """Forget the requests so far, and the faults."""
        with self._lock:
            self.requests.clear()
            self._faults.clear()

    def connected(self) -> None:
        """Count a connection."""
        with self._lock:
            self.connections += 1

    def answer(self, request: Request) -> Answer:
        """Return the answer to a request."""
        with self._lock:
            self.requests.append(request)
            doing = self._met(request)
        return doing(request, self._forward) if doing is not None else self._forward(request)

    def _met(self, request: Request) -> Doing | None:
        for fault in self._faults:
            if fault.on not in {"*", request.operation} or fault.times == 0:
                continue
            if fault.skip > 0:
                fault.skip -= 1
                continue
            if fault.times is not None:
                fault.times -= 1
            return fault.does
        return None

    def _forward(self, request: Request) -> Answer:
        connection = http.client.HTTPConnection(*self._upstream, timeout=60)
        try:
            connection.putrequest(request.method, request.target, skip_host=True, skip_accept_encoding=True)
            for name, value in request.headers.items():
                if name.lower() not in {"connection", "expect", "content-length", "transfer-encoding"}:
                    connection.putheader(name, value)
            connection.putheader("Content-Length", str(len(request.body)))
            connection.endheaders(request.body)
            answer = connection.getresponse()
            return Answer(status=answer.status, headers=answer.getheaders(), body=answer.read())
        finally:
            connection.close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def __init__(self, address: tuple[str, int], handler: type[BaseHTTPRequestHandler]) -> None:
        self._open: set[socket.socket] = set()
        self.broken: set[socket.socket] = set()
        super().__init__(address, handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        self._open.discard(request)
        if request in self.broken:
            # A shutdown would be a regular close.
            self.broken.discard(request)
            self.close_request(request)
        else:
            super().shutdown_request(request)

    def close_connections(self) -> None:
        """Close the connections that clients keep open, so that their threads end."""
        for connection in list(self._open):
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Ignore clients that hang up."""


def _handler_of(proxy: FaultyProxy) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        server: _Server
        protocol_version = "HTTP/1.1"
        # A small answer must not wait for the acknowledgement of its headers.
        disable_nagle_algorithm = True

        def setup(self) -> None:
            super().setup()
            proxy.connected()

        def handle_one_request(self) -> None:
            self.raw_requestline = self.rfile.readline(65537)
            if not self.raw_requestline or not self.parse_request():
                self.close_connection = True
                return
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            headers = dict(self.headers.items())
            self._send(
                proxy.answer(Request(operation_of(self.command, self.path), self.command, self.path, headers, body))
            )

        def _send(self, answer: Answer) -> None:
            if answer.lost:
                self._break()
                return
            self.send_response_only(answer.status)
            has_length = False
            for name, value in answer.headers:
                if name.lower() in {"connection", "transfer-encoding"}:
                    continue
                has_length = has_length or name.lower() == "content-length"
                self.send_header(name, value)
            if not has_length:
                self.send_header("Content-Length", str(len(answer.body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(answer.body[: answer.cut])
            if answer.reset:
                self._break()
            if answer.cut is not None:
                self.close_connection = True

        def _break(self) -> None:
            """Close with a reset."""
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.server.broken.add(self.connection)
            self.close_connection = True

        def log_message(self, *_: Any) -> None:
            """Log nothing: `requests` has them all."""

    return Handler


def operation_of(method: str, target: str) -> str:
    """Return the S3 API's name for a request (path-style URLs)."""
    parts = urllib.parse.urlsplit(target)
    query = urllib.parse.parse_qs(parts.query, keep_blank_values=True)
    has_key = bool(parts.path.strip("/").partition("/")[2])
    if "uploadId" in query:
        return {
            "PUT": "UploadPart",
            "POST": "CompleteMultipartUpload",
            "DELETE": "AbortMultipartUpload",
            "GET": "ListParts",
        }.get(method, method)
    if "uploads" in query:
        return "CreateMultipartUpload" if method == "POST" else "ListMultipartUploads"
    if "restore" in query:
        return "RestoreObject"
    if has_key:
        return f"{method.capitalize()}Object"
    if method == "GET":
        return "ListObjectsV2" if "list-type" in query else "ListBuckets" if parts.path == "/" else "ListObjects"
    return {"HEAD": "HeadBucket", "PUT": "CreateBucket", "DELETE": "DeleteBucket"}.get(method, method)


def _damaged(body: bytes) -> bytes:
    at = len(body) // 2
    return body[:at] + bytes([body[at] ^ 1]) + body[at + 1 :] if body else body
