"""Whether an archive continues the backup that it is restored on."""

from __future__ import annotations

from collections.abc import Callable

from bakthat.adapters.filesystem.printable import printable
from bakthat.domain.payload import NamedBase
from bakthat.errors import ChainBroken
from bakthat.ports.payload import ChainedArchive

CheckBase = Callable[[NamedBase | None], None]
"""Raises ChainBroken if what an archive says that it continues is not what is restored."""

_LONGEST_NAME = 255
"""Bytes of a name in a message."""


def must_be_full(base: NamedBase | None) -> None:
    """Accept only a full archive."""
    if base is not None:
        raise ChainBroken(
            f"the archive contains only what changed since {_shown(base)}, which is needed for a restore; it is "
            "restored with its chain"
        )


def must_continue(restored: ChainedArchive) -> CheckBase:
    """Accept only an archive that continues this one."""

    def check(base: NamedBase | None) -> None:
        if base is None or base.name != restored.name:
            raise ChainBroken(
                f"the archive continues {_shown(base) if base is not None else 'no backup'}, not {restored.name}; "
                "the records of the chain are wrong"
            )
        if None not in (base.sha256, restored.sha256) and base.sha256 != restored.sha256:
            raise ChainBroken(
                f"the archive continues {restored.name}, and another archive has that name now: its SHA-256 is "
                "another one"
            )

    return check


def _shown(base: NamedBase) -> str:
    return printable(base.name.encode("utf-8", "surrogateescape")[:_LONGEST_NAME])
