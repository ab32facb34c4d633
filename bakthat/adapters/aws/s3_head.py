"""What a service knows about one object: `head`, `explained_head`; `check_not_a_web_site`."""

from __future__ import annotations

import uuid
from typing import Any

from botocore.exceptions import ClientError

from bakthat.adapters.aws.answer import Answer, ask
from bakthat.adapters.aws.errors import is_bare, status_of, translated
from bakthat.errors import BakthatError, ObjectNotFound, StoreError

_NO_HEAD = frozenset({405, 501})
_UNEXPLAINED = frozenset({400, 401, 403, 404})


def head(client: Any, where: dict[str, str], what: str) -> Answer:
    """Return the answer to HEAD. Where the service does not support HEAD, that to GET, without reading the body.

    Args:
        what: Names the object in messages.

    Raises:
        ObjectNotFound: There is no such object.
        StoreError: The service answered with another error.
    """
    return _head(client, where, what, _NO_HEAD)


def explained_head(client: Any, where: dict[str, str], what: str) -> Answer:
    """As `head`, for an object that should be there.

    An answer to HEAD has no body, so a refusal has no reason. GET is then sent as well: its error distinguishes a wrong
    region from an expired token, and a missing object from a missing bucket.
    """
    return _head(client, where, what, _NO_HEAD | _UNEXPLAINED)


def _head(client: Any, where: dict[str, str], what: str, by_get: frozenset[int]) -> Answer:
    try:
        with translated(what):
            return ask(what, client.head_object, **where)
    except BakthatError as error:
        cause = error.__cause__
        if not isinstance(cause, ClientError) or not is_bare(cause) or status_of(cause) not in by_get:
            raise
    with translated(what):
        answer = ask(what, client.get_object, **where)
    answer.body("Body").close()
    return answer


def check_not_a_web_site(client: Any, where: dict[str, str], what: str) -> None:
    """Request an object that cannot exist. Raise `StoreError` if the service has it: a web site answers every address
    with its start page, so every name would seem to be taken."""
    absent = {**where, "Key": f"{where['Key']}.{uuid.uuid4().hex}"}
    try:
        head(client, absent, what)
    except ObjectNotFound:
        return
    except BakthatError:
        return  # the request that matters shows what is wrong
    raise StoreError(
        f"{what}: the server at this address has every object that it is asked for, so it is not S3; check endpoint_url"
    )
