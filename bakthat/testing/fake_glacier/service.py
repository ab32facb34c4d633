"""`FakeGlacier`: the service, as tests use it."""

from __future__ import annotations

import itertools
import shutil
import socket
import tempfile
import threading
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from bakthat.adapters.aws.client import client
from bakthat.domain.profile import Profile
from bakthat.domain.retrieval import KEPT
from bakthat.testing.fake_glacier.faults import Faults
from bakthat.testing.fake_glacier.operations import Operations
from bakthat.testing.fake_glacier.records import REGION, Job, Vault, now
from bakthat.testing.fake_glacier.server import Handler, Server, end


class FakeGlacier(Faults):
    """The service. It serves while its context is entered.

    Args:
        directory: For the archives. By default a temporary one, which is removed at the end.
    """

    def __init__(self, directory: Path | None = None) -> None:
        self._given = directory
        self.numbers = itertools.count(1)
        self.connections: set[socket.socket] = set()
        self.api = Operations(self)
        super().__init__()

    def clear(self) -> None:
        """Forget everything: vaults, faults, and counts."""
        with self.lock:
            super().clear()
            self.vaults: dict[str, Vault] = {}
            self.operations: list[str] = []
            """The operations that were requested, in order."""
            self.knows_ranges = True
            """Whether byte ranges of a job's output are supported; else it is always sent as a whole."""
            self.tells_hashes_of_ranges = True
            """Whether the tree hash of a range is sent with it."""

    def __enter__(self) -> Self:
        self.directory = self._given or Path(tempfile.mkdtemp(prefix="fake-glacier-"))
        self._server = Server(("127.0.0.1", 0), type("Handler", (Handler,), {"glacier": self}))
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._thread.join()
        with self.lock:
            open_connections = list(self.connections)
        for connection in open_connections:
            end(connection)
        self._server.server_close()
        if self._given is None:
            shutil.rmtree(self.directory, ignore_errors=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    @property
    def profile(self) -> Profile:
        """A profile for this service."""
        return Profile(access_key="fake", secret_key="fake", region_name=REGION, endpoint_url=self.url)  # noqa: S106

    def client(self, *, attempts: int = 3) -> Any:
        """Return a client of this service, with so many attempts for each request."""
        return client("glacier", self.profile, retries={"mode": "standard", "total_max_attempts": attempts})

    def create_vault(self, name: str) -> Vault:
        """Return the vault of this name. Creates it if necessary."""
        with self.lock:
            return self.vaults.setdefault(name, Vault(name=name, created=now()))

    def job(self, job_id: str) -> Job:
        """Return the job with this id, of any vault. Raises `KeyError`."""
        with self.lock:
            return {name: job for vault in self.vaults.values() for name, job in vault.jobs.items()}[job_id]

    def finish(self, job_id: str) -> None:
        """Let the job succeed: its output can be read."""
        self._end_job(job_id, "Succeeded", "Succeeded")

    def fail(self, job_id: str, message: str = "ArchiveDeleted") -> None:
        """Let the job fail."""
        self._end_job(job_id, "Failed", message)

    def _end_job(self, job_id: str, status: str, message: str) -> None:
        job = self.job(job_id)
        job.status, job.message, job.completed = status, message, now()

    def expire(self, job_id: str) -> None:
        """Let the job's output expire, as a day after it succeeded. The job itself is still described."""
        job = self.job(job_id)
        self._end_job(job_id, "Succeeded", "Succeeded")
        job.completed, job.has_output = now() - KEPT, False

    def forget(self, job_id: str) -> None:
        """Remove the job, as the service does after a while."""
        self.job(job_id)
        with self.lock:
            for vault in self.vaults.values():
                vault.jobs.pop(job_id, None)
