"""`Vault`: requests about one vault of Amazon Glacier, and what its errors mean."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from attrs import field, frozen
from botocore.exceptions import ClientError

from bakthat.adapters.aws.answer import Answer, ask, ask_pages
from bakthat.adapters.aws.errors import Codes, code_of, translated
from bakthat.errors import BakthatError, ConfigInvalid, StoreError, StoreUnavailable

_ACCOUNT = "-"
"""The account of the credentials."""

_ABSENT = frozenset({"ResourceNotFoundException", "VaultNotFound"})

_CODES: Codes = {
    "NoLongerSupportedException": (
        ConfigInvalid,
        "Amazon's vaults take no new customers since 15 December 2025; set s3_bucket and glacier_storage_class "
        "(DEEP_ARCHIVE or GLACIER) and remove glacier_vault",
    ),
    "PolicyEnforcedException": (
        StoreError,
        "the account's data retrieval policy does not allow this retrieval now; try `tier='bulk'`, or change the "
        "policy",
    ),
    "InsufficientCapacityException": (
        StoreUnavailable,
        "no capacity for expedited retrievals at the moment; use `tier='standard'`",
    ),
    "LimitExceededException": (StoreError, "the account's limit of vaults is reached"),
}


@frozen(kw_only=True)
class Vault:
    """A vault, by its name. `location` begins every message."""

    client: Any = field(repr=False)
    name: str
    location: str

    def ask(self, call: Callable[..., Any], **request: Any) -> Answer:
        """Send one request about this vault, by a method of `client`."""
        return ask(self.location, call, **self._here, **request)

    def pages(self, method: str) -> Iterator[Answer]:
        """The answers to a request that lists something of this vault. `method`: the name of a method of `client`."""
        return ask_pages(self.location, self.client, method, **self._here)

    @property
    def _here(self) -> dict[str, str]:
        return {"accountId": _ACCOUNT, "vaultName": self.name}

    @contextmanager
    def asking(
        self, what: str, *, absent: BakthatError | None = None, malformed: BakthatError | None = None
    ) -> Iterator[None]:
        """Around requests: the service's errors come out as those of `bakthat.errors`.

        Args:
            what: What is being done, for the message.
            absent: Raised if the vault exists, and what the request names in it does not.
            malformed: Raised if the service says that a given id cannot be an id.
        """
        with translated(f"{self.location}: {what}", _CODES):
            try:
                yield
            except ClientError as error:
                code = code_of(error)
                says = str(error.response.get("Error", {}).get("Message") or "")
                if code in _ABSENT and says.lower().startswith("vault not found"):
                    raise StoreError(
                        f"{self.location}: the vault does not exist; run `bakthat configure` to create it, "
                        "or correct glacier_vault or region_name"
                    ) from error
                if code in _ABSENT and absent is not None:
                    raise absent from error
                if code == "InvalidParameterValueException" and malformed is not None:
                    raise malformed from error
                raise


def moment(text: object) -> datetime | None:
    """A date of the service's, such as `2013-03-20T17:03:43.221Z`; None if it cannot be read."""
    try:
        return datetime.fromisoformat(str(text)).astimezone(UTC)
    except ValueError:
        return None


def short(name: str) -> str:
    """Enough of an id to recognise it; the service's have up to 138 characters."""
    return name if len(name) <= 24 else f"{name[:12]}…{name[-8:]}"
