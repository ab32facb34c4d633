"""`KeyValue`: JSON values in a store, listed by `show` and restored by `restore` like any backup."""

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

    Args:
        conf: Settings in place of the configuration file's.
        profile: Name of the profile.
        destination: Where the values are.
        config: The configuration file.
        bakthat: An opened profile in place of all three.
    """

    def __init__(
        self,
        conf: Mapping[str, Any] | None = None,
        profile: str | None = None,
        *,
        destination: str | None = None,
        config: AnyPath | None = None,
        bakthat: Bakthat | None = None,
    ) -> None:
        self.bakthat = bakthat if bakthat is not None else opened(profile, config, conf)
        self._destination = destination if destination is not None else self.bakthat.profile.default_destination

    def set_key(self, keyname: str, value: Any, *, compress: bool = True, password: str | None = None) -> Backup:
        """Store a JSON value, replacing an earlier one, and return its record.

        Args:
            keyname: The key, which is also the name of the object.
            value: The value.
            compress: Whether it is compressed with gzip.
            password: None or "" stores it unencrypted.

        Raises:
            UsageError: JSON cannot represent the value.
            InvalidName, StoreError, DatabaseError: Nothing is stored then.
        """
        keys = self.bakthat.value_keys(password)
        return set_value(keyname, value, self._destination, self.bakthat.tools, keys=keys, compress=compress)

    def get_key(self, keyname: str, *, default: Any = None, password: str | None = None) -> Any:
        """Return the value of the key, or `default` if there is none. Raises `PasswordNeeded`, `WrongPassword`."""
        keys = self.bakthat.value_keys(password)
        try:
            return get_value(keyname, self._destination, self.bakthat.tools, keys=keys).value
        except BackupNotFound:
            return default

    def delete_key(self, keyname: str) -> bool:
        """Delete a value. Returns False if there was none."""
        return delete_value(keyname, self._destination, self.bakthat.tools)

    def get_key_url(self, keyname: str, expires_in: int, method: str = "GET") -> str:
        """Return a URL for the stored bytes (compressed, unless set without `compress`).

        It is a secret until it expires: it gives access without credentials.

        Args:
            keyname: The key.
            expires_in: Seconds for which the URL works.
            method: `GET`, `HEAD` or `PUT`.

        Raises:
            BackupNotFound: There is no such key.
            UsageError: The store cannot sign URLs, or not this one.
        """
        find_value(keyname, self._destination, self.bakthat.tools)
        store = value_store(self._destination, self.bakthat.tools)
        if not isinstance(store, UrlSigner):
            raise UsageError(f"{self._destination} cannot make URLs; only stores such as s3 can")
        return store.presign(keyname, expires_in, method)
