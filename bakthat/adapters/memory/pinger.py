"""`MemoryPinger`: remembers what would be sent, for tests."""

from __future__ import annotations

from bakthat.ports.pinger import Pinger


class MemoryPinger(Pinger):
    """`sent`: the URLs and texts, in order. `failure`: the answer to each ping."""

    def __init__(self, failure: str = "") -> None:
        self.sent: list[tuple[str, str]] = []
        self.failure = failure

    def ping(self, url: str, body: str) -> str:
        self.sent.append((url, body))
        return self.failure
