"""`WriteClaims`: one writer of a key at a time, on services whose conditional writes are unreliable.

Amazon S3 refuses a conditional write of a key that is taken. Other services ignore the condition, or check it and write
in two steps (docs/decisions/0116). But their listings show what was just stored. So before a writer makes an object
visible, it stores a claim, a small object below `bakthat_writing/KEY/`, and lists the claims:

    store my claim                            # bakthat_writing/KEY/ID
    while the list holds other claims:
        one sorts before mine  -> remove mine, give the key up
        all sort after mine    -> wait: their writers see mine, and either give up or finish; after 5 s give up
    make the object visible                   # unless a HEAD or the condition says that the key is taken
    remove my claim

Of two writers, at least one sees the other's claim, since each stores its own before it lists. The one that saw nothing
writes. The other waits and then finds the key taken, or gives up. If a killed writer leaves a claim behind, later
writers of the same key give up; a backup then takes the name of the next second.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from attrs import field, frozen
from botocore.exceptions import ClientError

from bakthat.adapters.aws.answer import ask
from bakthat.adapters.aws.errors import code_of, translated
from bakthat.adapters.aws.s3_listing import listed
from bakthat.errors import BakthatError, ConfigError, ObjectExists, StoreError, StoreUnavailable

_log = logging.getLogger("bakthat")

FOLDER = "bakthat_writing/"
"""Where claims lie below a store's prefix. `S3ObjectStore.list` does not show them."""

_WAITS = (0.1, 0.2, 0.4, 0.8, 1.5, 2.0)
"""Seconds between two listings of the claims. A writer that gives up removes its claim within two requests."""

_LONGEST_KEY = 900
"""Bytes of a key that the keys of its claims repeat; a key in S3 has at most 1,024 bytes. Two keys with the same first
bytes may share the folder of their claims: then one of two simultaneous writers gives up without need."""

_ROOM_FOR_ID = 64
"""Bytes for the end of a claim's key: a slash and the random id of the write."""

_TEXT = b"A bakthat backup is being written under this name. Remove this object if it is more than a week old.\n"


@frozen(kw_only=True)
class WriteClaims:
    """The claims of one store.

    Args:
        client: A client that `s3_client` made.
        bucket: The bucket's name.
        prefix: Of the store's keys, with its slash.
        pause: Waits for so many seconds.
        write: Stores a small object, without the headers that the service does not support.
    """

    client: Any = field(repr=False)
    bucket: str
    prefix: str = ""
    pause: Callable[[float], None] = field(repr=False)
    write: Callable[[str, bytes], object] = field(repr=False)
    _refusals: list[str] = field(factory=list, init=False, repr=False)
    """Why claims cannot be used here; empty as long as they can.

    They need permission for PUT, DELETE and a listing, and a listing that is up to date.
    """

    @contextmanager
    def held(self, key: str, what: str, claim_id: str) -> Iterator[None]:
        """Hold a claim on a key while the `with` body makes the object visible.

        Where claims cannot be used, the body runs without one.

        Args:
            key: With the prefix.
            what: Names the object in messages.
            claim_id: The random id of the write.

        Raises:
            ObjectExists: Another writer is writing the key.
        """
        folder = self._folder(key)
        mine = f"{folder}{claim_id}"
        if not self._obtained(mine, folder, what):
            yield
            return
        try:
            yield
        except StoreUnavailable:
            # The write may still arrive, so the claim stays, and keeps later writers away from this key.
            raise
        except (ConfigError, StoreError):
            self._remove(mine, what)
            raise
        self._remove(mine, what)

    def _folder(self, key: str) -> str:
        room = min(_LONGEST_KEY, 1024 - len(self.prefix.encode()) - len(FOLDER) - _ROOM_FOR_ID)
        own = key.removeprefix(self.prefix).encode()[:room].decode(errors="ignore")
        return f"{self.prefix}{FOLDER}{own}/"

    def _obtained(self, mine: str, folder: str, what: str) -> bool:
        """Store the claim, and wait until it is the only one. Return False if claims cannot be used here."""
        if self._refusals:
            return False
        try:
            with translated(what):
                # If this is allowed, removing the claim later will be.
                self._delete(mine)
                self.write(mine, _TEXT)
        except StoreUnavailable:
            raise
        except StoreError as error:
            self._refuse(str(error))
            return False
        try:
            return self._wait_for_others(mine, folder, what)
        except BaseException:
            self._remove(mine, what)
            raise

    def _wait_for_others(self, mine: str, folder: str, what: str) -> bool:
        for pause in (*_WAITS, None):
            try:
                claims = self._claims(folder, what)
            except StoreUnavailable:
                raise
            except StoreError as error:
                self._refuse(str(error))
                claims = set()
            if mine not in claims:
                self._refuse("its listing does not show what was just stored")
                self._remove(mine, what)
                return False
            others = claims - {mine}
            if not others:
                return True
            if pause is None or min(others) < mine:
                break
            self.pause(pause)
        raise ObjectExists(f"{what}: another backup is being written under this name")

    def _claims(self, folder: str, what: str) -> set[str]:
        return {entry.text("Key") for entry in listed(self.client, self.bucket, folder, what)}

    def _refuse(self, reason: str) -> None:
        self._refusals.append(reason)
        _log.debug("claims of names cannot be used in the bucket %s: %s", self.bucket, reason)

    def _remove(self, mine: str, what: str) -> None:
        try:
            with translated(what):
                self._delete(mine)
        except BakthatError as error:
            _log.debug("a claim of a name stays behind, %s: %s", mine, error)

    def _delete(self, mine: str) -> None:
        try:
            ask(mine, self.client.delete_object, Bucket=self.bucket, Key=mine)
        except ClientError as error:
            if code_of(error) != "NoSuchKey":
                raise
