"""Pings by HTTP: what the service gets, and what a failure is called. No message has the URL."""

from __future__ import annotations

import contextlib
import http.server
import logging
import socket
import threading
from collections.abc import Iterator

import pytest
import urllib3

from bakthat.adapters.http.pinger import HttpPinger

SECRET = "0b4b8a0e-secret"


class Service:
    """A monitoring service on this machine. `got`: method, path and body of each request. `status`: its answer."""

    def __init__(self) -> None:
        self.got: list[tuple[str, str, str]] = []
        self.status = 200
        service = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"] or 0)).decode()
                service.got.append((self.command, self.path, body))
                self.send_response(service.status)
                self.send_header("Location", "/elsewhere")
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Print nothing."""

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/{SECRET}"
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()


@pytest.fixture
def service() -> Iterator[Service]:
    service = Service()
    yield service
    service.server.shutdown()
    service.server.server_close()


def test_the_service_gets_the_text(service: Service) -> None:
    assert HttpPinger().ping(f"{service.url}?create=1", "12 files, ü") == ""
    assert service.got == [("POST", f"/{SECRET}?create=1", "12 files, ü")]


def test_the_log_of_urllib3_does_not_have_the_url(service: Service, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    HttpPinger().ping(service.url, "")
    urllib3.PoolManager().request("POST", service.url.replace(SECRET, "public"), retries=False, body=b"")
    assert SECRET not in caplog.text
    assert "public" in caplog.text  # only pings are left out


@pytest.mark.parametrize("status", [301, 404, 500])
def test_another_status_is_a_failure_and_nothing_is_followed_or_repeated(service: Service, status: int) -> None:
    service.status = status
    assert HttpPinger().ping(service.url, "") == f"the service answered with HTTP status {status}"
    assert len(service.got) == 1


def test_a_service_that_is_not_there_is_named_without_its_url() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        said = HttpPinger().ping(f"http://127.0.0.1:{free.getsockname()[1]}/{SECRET}", "")
    assert said == "no connection to its host"


def test_a_service_that_does_not_answer_is_left_after_the_time_limit() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        said = HttpPinger(time_limit=0.2).ping(f"http://127.0.0.1:{silent.getsockname()[1]}/{SECRET}", "")
    assert said == "no answer within 0.2 seconds"


@pytest.mark.parametrize("answer", [b"", b"220 mail.example.org ESMTP\r\n"], ids=["nothing", "another protocol"])
def test_a_host_that_does_not_speak_http_is_named(answer: bytes) -> None:
    def respond(server: socket.socket) -> None:
        connection, _ = server.accept()
        with connection:
            connection.recv(65536)
            connection.sendall(answer)

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=respond, args=(server,))
        thread.start()
        said = HttpPinger().ping(f"http://127.0.0.1:{server.getsockname()[1]}/{SECRET}", "")
        thread.join()
    assert said == "its host broke off, or did not answer in HTTP"


def test_a_service_that_answers_without_end_is_left_as_well() -> None:
    stop = threading.Event()

    def dribble(server: socket.socket) -> None:
        connection, _ = server.accept()
        with connection, contextlib.suppress(OSError):
            while not stop.wait(0.05):
                connection.sendall(b"HTTP/1.1 200 OK\r\nX: y"[:1])

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=dribble, args=(server,))
        thread.start()
        said = HttpPinger(time_limit=0.3).ping(f"http://127.0.0.1:{server.getsockname()[1]}/{SECRET}", "")
        stop.set()
        thread.join()
    assert said == "no answer within 0.3 seconds"


@pytest.mark.parametrize("url", [f"http://[::1/{SECRET}", f"ftp://h/{SECRET}"], ids=["bracket", "ftp"])
def test_a_url_that_cannot_be_used_is_a_failure_and_not_shown(url: str) -> None:
    said = HttpPinger().ping(url, "")
    assert said == "its URL cannot be used"


def test_a_service_that_speaks_plain_http_where_tls_is_expected_is_named(service: Service) -> None:
    said = HttpPinger().ping(service.url.replace("http://", "https://"), "")
    assert said == "no trusted TLS connection to its host"
