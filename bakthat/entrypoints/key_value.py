"""`KeyValue`: JSON values in a store, found by `show` and brought by `restore` like any backup."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bakthat.domain.backup import Backup
from bakthat.entrypoints.api import Bakthat
from bakthat.entrypoints.functions import opened
from bakthat.entrypoints.library.opened_profile import AnyPath
from bakthat.errors import BackupNotFound, UsageError
from bakthat.ports.url_signer import UrlSigner
from bakthat.usecases.key_value import delete_value, find_value, get_value, set_value, value_store


class KeyValue:
    """Keys and their values in one destination of a profile, by default its default destination.

    conf: settings in the place of the configuration file's.
    bakthat: an opened profile in the place of both.
    """

    def __init__(
        self,
        conf: Mapping[str, Any] | None = None,
        profile: str = "default",
        *,
        destination: str | None = None,
        config: AnyPath | None = None,
        bakthat: Bakthat | None = None,
    ) -> None:
        self.bakthat = bakthat if bakthat is not None else opened(profile, config, conf)
        self._destination = destination if destination is not None else self.bakthat.profile.default_destination

    def set_key(self, keyname: str, value: Any, *, compress: bool = True, password: str | None = None) -> Backup:
        """Store a value that JSON can hold, in the place of an earlier one, and give back its record.

        compress: gzip it.
        password: None or "" stores it plain.

        Raises `UsageError` for what JSON cannot hold, `InvalidName`, `StoreError`, `DatabaseError`.
        """
        keys = self.bakthat.value_keys(password)
        return set_value(keyname, value, self._destination, self.bakthat.tools, keys=keys, compress=compress)

    def get_key(self, keyname: str, *, default: Any = None, password: str | None = None) -> Any:
        """The value under the key, or `default` if there is none. Raises `PasswordNeeded`, `WrongPassword`."""
        keys = self.bakthat.value_keys(password)
        try:
            return get_value(keyname, self._destination, self.bakthat.tools, keys=keys).value
        except BackupNotFound:
            return default

    def delete_key(self, keyname: str) -> bool:
        """Delete a value; False if there was none."""
        return delete_value(keyname, self._destination, self.bakthat.tools)

    def get_key_url(self, keyname: str, expires_in: int, method: str = "GET") -> str:
        """A URL for the stored bytes (gzipped, unless set without `compress`), good for `expires_in` seconds and for
        `method` (`GET`, `HEAD` or `PUT`). Who has it needs nothing else, so keep it as a secret until then.

        Raises `BackupNotFound`; `UsageError` for a store that cannot sign, or does not sign this.
        """
        find_value(keyname, self._destination, self.bakthat.tools)
        store = value_store(self._destination, self.bakthat.tools)
        if not isinstance(store, UrlSigner):
            raise UsageError(f"{self._destination} cannot make URLs; only stores such as s3 can")
        return store.presign(keyname, expires_in, method)
