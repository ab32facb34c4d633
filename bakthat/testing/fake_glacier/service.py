"""`FakeGlacier`: the service as a test has it in hand."""

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
    """The service; a context manager, which serves while it is entered.

    Args:
        directory: Where archives are kept, else a temporary one that is removed at the end.
    """

    def __init__(self, directory: Path | None = None) -> None:
        self._given = directory
        self.numbers = itertools.count(1)
        self.connections: set[socket.socket] = set()
        self.api = Operations(self)
        super().__init__()

    def clear(self) -> None:
        """Forget everything: vaults, faults, and what was counted."""
        with self.lock:
            super().clear()
            self.vaults: dict[str, Vault] = {}
            self.operations: list[str] = []
            """The names of all operations that were asked for, in order."""
            self.knows_ranges = True
            """Whether a byte range of a job's output is served as one; else there is always the whole output."""
            self.tells_hashes_of_ranges = True
            """Whether a range of an archive comes with its tree hash."""

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
        """A profile whose endpoint is this service."""
        return Profile(access_key="fake", secret_key="fake", region_name=REGION, endpoint_url=self.url)  # noqa: S106

    def client(self, *, attempts: int = 3) -> Any:
        """A client of this service that tries each request so many times."""
        return client("glacier", self.profile, retries={"mode": "standard", "total_max_attempts": attempts})

    def create_vault(self, name: str) -> Vault:
        """The vault of this name, made if there is none."""
        with self.lock:
            return self.vaults.setdefault(name, Vault(name=name, created=now()))

    def job(self, job_id: str) -> Job:
        """The job of this id in any vault. Raises `KeyError`."""
        with self.lock:
            return {name: job for vault in self.vaults.values() for name, job in vault.jobs.items()}[job_id]

    def finish(self, job_id: str) -> None:
        """The job is done: its output can be fetched."""
        self._end_job(job_id, "Succeeded", "Succeeded")

    def fail(self, job_id: str, message: str = "ArchiveDeleted") -> None:
        """The job has failed."""
        self._end_job(job_id, "Failed", message)

    def _end_job(self, job_id: str, status: str, message: str) -> None:
        job = self.job(job_id)
        job.status, job.message, job.completed = status, message, now()

    def expire(self, job_id: str) -> None:
        """The job was done more than a day ago: its output is gone, while the job is still told of."""
        job = self.job(job_id)
        self._end_job(job_id, "Succeeded", "Succeeded")
        job.completed, job.has_output = now() - KEPT, False

    def forget(self, job_id: str) -> None:
        """The job is told of no more."""
        self.job(job_id)
        with self.lock:
            for vault in self.vaults.values():
                vault.jobs.pop(job_id, None)
