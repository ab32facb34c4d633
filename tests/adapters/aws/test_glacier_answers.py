"""A vault's service whose answers are not Amazon's: every call gives one clear error, never a traceback."""

from __future__ import annotations

import io
import json
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from bakthat.adapters.aws.glacier import GlacierArchiveStore
from bakthat.domain.objects import ArchiveId, JobId
from bakthat.domain.profile import Profile
from bakthat.errors import StoreError

MIB = 1 << 20
SMALL, LARGE = bytes(100), bytes(3 * MIB)


class Answering:
    """A server that answers everything with this JSON (or these bytes), and these headers."""

    def __init__(self, body: object, **headers: str) -> None:
        content = body if isinstance(body, bytes) else json.dumps(body).encode()

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def answer(self) -> None:
                self.rfile.read(int(self.headers.get("Content-Length") or 0))
                self.send_response(200)
                for name, value in headers.items():
                    self.send_header(name.replace("_", "-"), value)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            do_GET = do_PUT = do_POST = do_DELETE = answer

            def log_message(self, *_: object) -> None:
                """Nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> GlacierArchiveStore:
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        profile = Profile(access_key="A", secret_key="S", glacier_vault="attic", endpoint_url=self.url)
        return GlacierArchiveStore.from_profile(profile)

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


def upload(content: bytes) -> Callable[[GlacierArchiveStore], object]:
    return lambda store: store.upload(io.BytesIO(content), description="photos")


CALLS: dict[str, Callable[[GlacierArchiveStore], object]] = {
    "a small upload": upload(SMALL),
    "a large upload": upload(LARGE),
    "a retrieval": lambda store: store.request(ArchiveId("a" * 138)),
    "reading": lambda store: store.open(JobId("j" * 92)).__enter__(),
    "asking for the inventory": lambda store: store.request_inventory(),
    "the inventory": lambda store: list(store.inventory(JobId("j" * 92))),
}

BODIES: dict[str, object] = {
    "nothing": {},
    "a list": [],
    "a page": b"<html>hello</html>",
    "a list of nothing": {"JobList": [None], "UploadsList": [None]},
    "a list that is none": {"JobList": "none", "UploadsList": 5},
}


@pytest.mark.parametrize("body", BODIES)
@pytest.mark.parametrize("call", CALLS)
def test_an_answer_that_cannot_be_read_is_one_clear_line(call: str, body: str):
    with Answering(BODIES[body]) as store, pytest.raises(StoreError) as caught:
        CALLS[call](store)
    assert str(caught.value).startswith("glacier://us-east-1/attic?endpoint=127.0.0.1:")
    assert "\n" not in str(caught.value)


def test_a_job_whose_size_is_unknown_can_be_read():
    job = {"JobId": "j", "Completed": True, "StatusCode": "Succeeded", "Action": "ArchiveRetrieval"}
    with Answering(job) as store, store.open(JobId("j")) as reader:
        assert json.loads(reader.read()) == job
