"""What a service tells of one object: `head`, `explained_head`, and whether it tells objects apart at all."""

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
    """What HEAD tells of an object; from GET, unread, where the service does not support HEAD.

    Raises `ObjectNotFound`, and what else the service says. `what` names the object.
    """
    return _head(client, where, what, _NO_HEAD)


def explained_head(client: Any, where: dict[str, str], what: str) -> Answer:
    """The same, for when the object should be there. The answer to HEAD has no body, so a refusal says nothing but its
    status: the same question is then asked by GET, whose error tells a wrong region from an expired token, and an
    absent object from an absent bucket."""
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


def check_tells_apart(client: Any, where: dict[str, str], what: str) -> None:
    """Ask for an object that cannot be there. Raises `StoreError` if the service says that it is: a web site answers
    every address with its start page, and every name would seem to be taken."""
    absent = {**where, "Key": f"{where['Key']}.{uuid.uuid4().hex}"}
    try:
        head(client, absent, what)
    except ObjectNotFound:
        return
    except BakthatError:
        return  # what is wrong shows in the request that matters
    raise StoreError(
        f"{what}: the server at this address has every object that it is asked for, so it is not S3; check endpoint_url"
    )
