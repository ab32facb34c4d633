"""How a message names a parameter of the library, so that the command line can name its option instead."""

from __future__ import annotations


def parameter(name: str, value: object) -> str:
    """Return `` `name=value` ``. A backquote in the value is escaped, since it would end the mention."""
    written = repr(value).replace("`", "\\x60")
    return f"`{name}={written}`"
