"""Reports to the monitoring service that a profile or a job names (`ping`)."""

from __future__ import annotations

from collections.abc import Callable

from attrs import field, frozen

from bakthat.domain.backup import Backup
from bakthat.domain.ping import Ping, ping_url, without_paths
from bakthat.entrypoints.summaries import error_line, run_summary, summary_of_backup
from bakthat.errors import JobRunning, RetrievalPending
from bakthat.ports.pinger import Pinger
from bakthat.usecases.run_job import JobRun


@frozen(kw_only=True)
class Pings:
    """What is sent for one verb: `backup`, or `run` for a job, whose backup is only a part of it.

    url: a secret. whose: for notices about pings that fail. pinger: made when something is sent.
    """

    url: str = field(repr=False)
    verb: str
    whose: str
    pinger: Callable[[], Pinger]
    notice: Callable[[str], None]

    def began(self, verb: str) -> None:
        """Report that the verb begins."""
        if verb == self.verb:
            self._send(Ping.START, "")

    def ended(self, verb: str, done: object, error: BaseException | None) -> None:
        """Report how the verb ended: an incomplete backup is a failure."""
        if verb != self.verb or isinstance(error, RetrievalPending | JobRunning):
            return
        if isinstance(done, JobRun):
            self._send(Ping.SUCCESS if not done.is_incomplete and error is None else Ping.FAIL, run_summary(done))
        elif error is not None:
            self._send(Ping.FAIL, error_line(error))
        elif isinstance(done, Backup):
            self._send(Ping.FAIL if done.is_incomplete else Ping.SUCCESS, summary_of_backup(done))

    def _send(self, ping: Ping, body: str) -> None:
        failure = self.pinger().ping(ping_url(self.url, ping), without_paths(body))
        if failure:
            self.notice(f"the ping of {self.whose} failed: {failure}")
