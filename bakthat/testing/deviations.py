"""Deviations of S3 services from Amazon's, as faults of a `FaultyProxy` before a server without them.

    proxy.inject(Fault("UploadPart", dropping("x-amz-checksum-crc32"), times=None))   # a service that returns no CRC

`ignoring` and `ranging` change a request, so the server must not check signatures (moto does not; rclone without a
key)."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from bakthat.testing.faulty_proxy import Answer, Doing, Forward, Request

Condition = Callable[[Request], bool]


def has(header: str) -> Condition:
    """Whether a request has this header."""
    return lambda request: _value(request, header) is not None


def lacks(header: str) -> Condition:
    """Whether a request does not have this header."""
    return lambda request: _value(request, header) is None


def asks(parameter: str) -> Condition:
    """Whether a request's target contains this text, for example `list-type=2`."""
    return lambda request: parameter in request.target


def where(condition: Condition, then: Doing, otherwise: Doing | None = None) -> Doing:
    """Do `then` with requests that fulfil the condition, and `otherwise` (by default nothing) with the others."""

    def doing(request: Request, forward: Forward) -> Answer:
        if condition(request):
            return then(request, forward)
        return otherwise(request, forward) if otherwise is not None else forward(request)

    return doing


def ignoring(*headers: str) -> Doing:
    """The service ignores these headers of a request."""
    names = {header.lower() for header in headers}

    def doing(request: Request, forward: Forward) -> Answer:
        kept = {name: value for name, value in request.headers.items() if name.lower() not in names}
        return forward(Request(request.operation, request.method, request.target, kept, request.body))

    return doing


def dropping(*headers: str) -> Doing:
    """The answer lacks these headers."""
    names = {header.lower() for header in headers}

    def doing(request: Request, forward: Forward) -> Answer:
        answer = forward(request)
        answer.headers = [(name, value) for name, value in answer.headers if name.lower() not in names]
        return answer

    return doing


def setting(headers: Mapping[str, str | Callable[[str], str]]) -> Doing:
    """Set the answer's headers to these values: a text, or a function of the server's value (`""` if missing)."""

    def doing(request: Request, forward: Forward) -> Answer:
        answer = forward(request)
        for name, value in headers.items():
            before = next((old for header, old in answer.headers if header.lower() == name.lower()), "")
            answer.headers = [pair for pair in answer.headers if pair[0].lower() != name.lower()]
            answer.headers.append((name, value if isinstance(value, str) else value(before)))
        return answer

    return doing


def rewriting(edit: Callable[[bytes], bytes], *, status: int | None = None) -> Doing:
    """Change the answer's body by `edit`, and its status to `status`, if given."""

    def doing(request: Request, forward: Forward) -> Answer:
        answer = forward(request)
        answer.body = edit(answer.body)
        answer.headers = [pair for pair in answer.headers if pair[0].lower() != "content-length"]
        answer.status = status if status is not None else answer.status
        return answer

    return doing


def ranging(edit: Callable[[int, int], tuple[int, int]]) -> Doing:
    """The service answers a byte range as if another one had been asked for.

    Args:
        edit: Takes the first and the last position that were requested, and returns those that are answered.
    """

    def doing(request: Request, forward: Forward) -> Answer:
        asked = re.fullmatch(r"bytes=(\d+)-(\d+)", _value(request, "range") or "")
        if asked is None:
            return forward(request)
        first, last = edit(int(asked[1]), int(asked[2]))
        kept = {name: value for name, value in request.headers.items() if name.lower() != "range"}
        headers = {**kept, "Range": f"bytes={first}-{last}"}
        return forward(Request(request.operation, request.method, request.target, headers, request.body))

    return doing


def both(first: Doing, second: Doing) -> Doing:
    """Combine two deviations: `first` sees the request first, and the answer last."""

    def doing(request: Request, forward: Forward) -> Answer:
        return first(request, lambda changed: second(changed, forward))

    return doing


def _value(request: Request, header: str) -> str | None:
    return next((value for name, value in request.headers.items() if name.lower() == header.lower()), None)
