"""How the command line says what a message of the library says about its parameters.

Messages speak to callers of the library: `` `overwrite=True` replaces it``. What is shown on a terminal names the
option instead: `--overwrite replaces it`. So each caller reads the way out that it can take.
"""

from __future__ import annotations

import ast
import re
import shlex
from collections.abc import Mapping

OPTIONS: Mapping[str, str] = {
    "allow_plain": "--allow-plain",
    "allow_mixed_recipients": "--allow-mixed-recipients",
    "config": "-c",
    "destination": "-d",
    "exclude_from": "--exclude-from",
    "exclude_if_present": "--exclude-if-present",
    "exclude_larger_than": "--exclude-larger-than",
    "excludes": "--exclude",
    "gitignore": "--gitignore",
    "group_by": "--group-by",
    "host": "--host",
    "identities": "-i",
    "limit_download": "--limit-download",
    "limit_upload": "--limit-upload",
    "name": "--name",
    "only": "--only",
    "overwrite": "--overwrite",
    "place": "--from",
    "profile": "-p",
    "recipients": "--recipient",
    "recipients_files": "--recipients-file",
    "target": "--target",
    "tier": "--tier",
    "to": "--to",
    "to_profile": "--to-profile",
}
"""The option of each parameter that a message may name."""

ON_ITS_OWN: Mapping[str, str] = {
    "gitignore=False": "--no-gitignore",
    "glacier_inventory.load()": "`bakthat glacier-inventory load`",
    "restore_from()": "`bakthat restore --from`",
    "spare_last_complete=False": "--yes",
    "with_dependents=True": "--with-dependents",
    "cleanup()": "`bakthat cleanup`",
    "sync()": "`bakthat sync`",
}
"""What is said in another way on the command line, by how a message says it."""

MENTION = re.compile(r"`(?:[a-z_.]+\(\)|sync\(('[^`]*')\)|([a-z_]+)=([^`]*))`")
"""How a message names a parameter: `` `host=` ``, `` `target=DIR` ``, `` `overwrite=True` ``, `` `tier="bulk"` ``,
`` `only=['a b']` ``, or a method: `` `sync('s3')` ``."""


def in_command_line_words(text: str) -> str:
    """Return the message with options in place of the parameters that it names. Anything else in it is unchanged."""
    return MENTION.sub(_option, text) if "`" in text else text


def _option(mention: re.Match[str]) -> str:
    said = mention[0].strip("`")
    if said in ON_ITS_OWN:
        return ON_ITS_OWN[said]
    if mention[1]:
        return f"`bakthat sync -d {_argument(mention[1])}`"
    option = OPTIONS.get(mention[2] or "")
    if option is None:
        return mention[0]
    value = mention[3]
    return option if value in ("", "True") else f"{option} {_argument(value)}"


def _argument(value: str) -> str:
    """The value as a shell takes it: `DIR` as it is, `['a b']` as `'a b'`."""
    try:
        meant = ast.literal_eval(value)
    except (ValueError, SyntaxError):
        return value
    if isinstance(meant, list) and len(meant) == 1:
        meant = meant[0]
    return shlex.quote(meant) if isinstance(meant, str) else value
