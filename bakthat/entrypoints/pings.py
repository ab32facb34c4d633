"""Reports to the monitoring service that a profile or a job names (`ping`)."""

from __future__ import annotations

from collections.abc import Callable

from attrs import field, frozen

from bakthat.domain.backup import Backup
from bakthat.domain.ping import Ping, ping_url, without_paths
from bakthat.entrypoints.summaries import error_line, run_line, run_summary, summary_of_backup
from bakthat.errors import JobRunning, RetrievalPending
from bakthat.ports.pinger import Pinger
from bakthat.usecases.run_job import JobRun, JobRuns


@frozen(kw_only=True)
class Pings:
    """What is sent for some verbs: `backup` and `run` for a profile, and `run` for a job, whose backup is only a part.

    url: a secret. whose: for notices about pings that fail. pinger: made when something is sent.
    """

    url: str = field(repr=False)
    verbs: frozenset[str]
    whose: str
    pinger: Callable[[], Pinger]
    notice: Callable[[str], None]

    def began(self, verb: str) -> None:
        """Report that the verb begins."""
        if verb in self.verbs:
            self._send(Ping.START, [])

    def ended(self, verb: str, done: object, error: BaseException | None) -> None:
        """Report how the verb ended: an incomplete backup is a failure. Of a job that is running already, nothing: its
        other run reports."""
        if verb not in self.verbs or isinstance(error, RetrievalPending | JobRunning):
            return
        match done:
            case JobRuns():
                if not done.is_undecided:
                    self._end(done.is_incomplete or error is not None, [run_line(run) for run in done.jobs])
            case JobRun():
                self._end(done.is_incomplete or error is not None, [run_summary(done)])
            case Backup() if error is None:
                self._end(done.is_incomplete, [summary_of_backup(done)])
            case _ if error is not None:
                self._end(True, [error_line(error)])

    def _end(self, has_failed: bool, lines: list[str]) -> None:
        self._send(Ping.FAIL if has_failed else Ping.SUCCESS, lines)

    def _send(self, ping: Ping, lines: list[str]) -> None:
        failure = self.pinger().ping(ping_url(self.url, ping), "\n".join(map(without_paths, lines)))
        if failure:
            self.notice(f"the ping of {self.whose} failed: {failure}")
