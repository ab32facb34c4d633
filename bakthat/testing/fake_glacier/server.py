"""The fake service's HTTP server."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, unquote, urlsplit

from bakthat.testing.fake_glacier.faults import Cut
from bakthat.testing.fake_glacier.http_messages import Answer, Request, ServiceError, missing
from bakthat.testing.fake_glacier.operations import LONG, OPERATIONS, Operations
from bakthat.testing.fake_glacier.records import ACCOUNT

if TYPE_CHECKING:
    from bakthat.testing.fake_glacier.service import FakeGlacier

_CHUNK = 1 << 20


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hangs up is not reported by this service."""


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    glacier: FakeGlacier

    def setup(self) -> None:
        super().setup()
        self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with self.glacier.lock:
            self.glacier.connections.add(self.connection)

    def finish(self) -> None:
        try:
            super().finish()
        finally:
            with self.glacier.lock:
                self.glacier.connections.discard(self.connection)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name
        """Nothing is printed."""

    def do_GET(self) -> None:
        self._serve()

    def do_PUT(self) -> None:
        self._serve()

    def do_POST(self) -> None:
        self._serve()

    def do_DELETE(self) -> None:
        self._serve()

    def _serve(self) -> None:
        try:
            self._answer(self._carried_out())
        except Cut:
            self.close_connection = True
            end(self.connection)

    def _carried_out(self) -> Answer:
        operation = ""
        try:
            operation, act, request = self._routed()
            self.glacier.operations.append(operation)
            request.body = self._body(counted=operation in {"UploadArchive", "UploadMultipartPart"})
            refusal = self.glacier.refusal(operation)
            if refusal is not None:
                raise refusal
            self._check_common_headers()
            with self.glacier.lock if operation not in LONG else _unlocked():
                answer = act(self.glacier.api, request)
        except ServiceError as error:
            self._body(counted=False)
            kind = "Server" if error.status >= 500 else "Client"
            content = {"code": error.code, "message": error.message, "type": kind}
            answer = Answer(error.status, {"Content-Type": "application/json"}, json.dumps(content).encode())
        if operation and self.glacier.loses(operation):
            raise Cut
        return answer

    def _routed(self) -> tuple[str, Callable[[Operations, Request], Answer], Request]:
        url = urlsplit(self.path)
        names = [unquote(name) for name in url.path.split("/")[1:]]
        account, vaults, vault, kind, item, below = (*names, "", "", "", "", "", "")[:6]
        if account not in {"-", ACCOUNT} or vaults != "vaults" or len(names) > 6 or below not in {"", "output"}:
            raise ServiceError(404, "UnknownOperationException", f"No such resource: {url.path}")
        found = OPERATIONS.get((self.command, below or kind or ("vault" if vault else ""), bool(item)))
        if found is None:
            raise ServiceError(405, "MethodNotAllowedException", f"{self.command} {url.path}")
        query = {name: values[0] for name, values in parse_qs(url.query).items()}
        return (*found, Request(self.headers, query, vault, item))

    def _check_common_headers(self) -> None:
        if self.headers.get("x-amz-glacier-version") != "2012-06-01":
            raise missing("x-amz-glacier-version")
        if not str(self.headers.get("Authorization", "")).startswith("AWS4-HMAC-SHA256 "):
            raise ServiceError(400, "MissingAuthenticationTokenException", "Missing Authentication Token")

    def _body(self, *, counted: bool) -> bytes:
        """What is left of the request's body; it is empty the second time."""
        left = int(self.headers.get("Content-Length") or 0)
        self.headers.replace_header("Content-Length", "0") if left else None
        content = bytearray(left)
        view = memoryview(content)
        while view:
            count = self.rfile.readinto(view[:_CHUNK])
            if not count:
                raise Cut
            view = view[count:]
            if counted:
                self.glacier.arrived(count)
        return bytes(content)

    def _answer(self, answer: Answer) -> None:
        size = answer.file[2] if answer.file is not None else len(answer.body)
        self.send_response(answer.status)
        self.send_header("x-amzn-RequestId", f"fake-{len(self.glacier.operations)}")
        for name, value in answer.headers.items():
            self.send_header(name, value)
        if answer.status != 204:
            self.send_header("Content-Length", str(size))
        self.end_headers()
        if answer.file is not None:
            self._send_file(*answer.file)
        elif answer.body:
            self.wfile.write(answer.body)

    def _send_file(self, path: Path, start: int, size: int) -> None:
        with path.open("rb") as file:
            file.seek(start)
            while size:
                chunk, ends = self.glacier.leaving(file.read(min(size, _CHUNK // 4)))
                self.wfile.write(chunk)
                if ends:
                    raise Cut
                size -= len(chunk)


@contextmanager
def _unlocked() -> Iterator[None]:
    yield


def end(connection: socket.socket) -> None:
    try:
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass  # the other side was faster
