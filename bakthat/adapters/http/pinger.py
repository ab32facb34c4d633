"""`HttpPinger`: sends pings by urllib3, which botocore uses as well."""

from __future__ import annotations

import logging
import threading
import urllib.request
from urllib.parse import urlsplit

import urllib3
from urllib3 import exceptions

from bakthat.ports.pinger import Pinger

TIME_LIMIT = 10.0
"""Seconds that a ping takes at most, with looking up the name, whatever the service sends."""


_pinging = threading.local()


class _WithoutPings(logging.Filter):
    """Drops what urllib3 logs about a ping: at DEBUG it is the URL."""

    def filter(self, record: logging.LogRecord) -> bool:
        return not getattr(_pinging, "is_on", False)


_WITHOUT_PINGS = _WithoutPings()
_LOGGERS = ("urllib3.connectionpool", "urllib3.poolmanager", "urllib3.util.retry", "urllib3.connection")


class HttpPinger(Pinger):
    """Uses the proxy of the environment (`https_proxy`, `no_proxy`), as other programs do."""

    def __init__(self, *, time_limit: float = TIME_LIMIT) -> None:
        """`time_limit`: in seconds."""
        self._time_limit = time_limit
        for name in _LOGGERS:
            logging.getLogger(name).addFilter(_WITHOUT_PINGS)  # once, however many pingers there are

    def ping(self, url: str, body: str) -> str:
        answers: list[str] = []
        # A thread, because nothing else limits how long a name is looked up, or how slowly an answer may come.
        thread = threading.Thread(target=lambda: answers.append(self._sent(url, body)), daemon=True)
        thread.start()
        thread.join(self._time_limit)
        return answers[0] if answers else f"no answer within {self._time_limit:g} seconds"

    def _sent(self, url: str, body: str) -> str:
        _pinging.is_on = True  # in this thread, which does nothing else
        try:
            with _pool_for(url) as pool:
                answer = pool.request(
                    "POST",
                    url,
                    body=body.encode("utf-8", "replace"),
                    headers={"Content-Type": "text/plain; charset=utf-8", "User-Agent": "bakthat"},
                    timeout=urllib3.Timeout(total=self._time_limit),
                    retries=False,
                    redirect=False,
                    preload_content=False,
                )
                answer.close()
        except Exception as error:  # noqa: BLE001 - nothing that a ping meets may stop a backup
            return _reason(error, self._time_limit)
        return "" if 200 <= answer.status < 300 else f"the service answered with HTTP status {answer.status}"


def _pool_for(url: str) -> urllib3.PoolManager:
    parts = urlsplit(url)
    proxy = urllib.request.getproxies().get(parts.scheme)
    if proxy and not urllib.request.proxy_bypass(parts.hostname or ""):
        return urllib3.ProxyManager(proxy if "://" in proxy else f"http://{proxy}")
    return urllib3.PoolManager()


def _reason(error: Exception, time_limit: float) -> str:
    """What went wrong, in words that do not contain the URL, as the errors of urllib3 do."""
    match error:
        case exceptions.SSLError():
            return "no trusted TLS connection to its host"
        case exceptions.ProxyError():
            return "the proxy did not answer"
        case exceptions.NameResolutionError():
            return "the name of its host is unknown"
        case exceptions.NewConnectionError():
            return "no connection to its host"
        case exceptions.TimeoutError():
            return f"no answer within {time_limit:g} seconds"
        case exceptions.ProtocolError():
            return "its host broke off, or did not answer in HTTP"
        case ValueError():
            return "its URL cannot be used"
        case _:
            return f"{type(error).__name__}"
