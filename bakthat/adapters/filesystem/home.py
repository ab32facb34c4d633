"""The home directory at the start of a path that a setting gives (`~/.bakthat.sqlite`)."""

from __future__ import annotations

import os
import pwd
from collections.abc import Callable, Mapping

from bakthat.errors import ConfigInvalid


def home_of_user() -> str:
    """The home directory of the user that this process runs as, as the system's list of users has it. Raises
    `KeyError` for a user that is not in it, as in a container with a number for a user."""
    return pwd.getpwuid(os.getuid()).pw_dir


def expand_home(
    path: str | os.PathLike[str],
    setting: str,
    *,
    instead: str = "give it as an absolute path",
    environment: Mapping[str, str] = os.environ,
    listed: Callable[[], str] = home_of_user,
) -> str:
    """The path with `~` or `~user` at its start replaced; any other path as it is.

    `setting`: where the path stands, the first words of the error. `instead`: the way out besides setting HOME.
    `environment`: HOME is looked for there, then `listed` is asked. Python's `expanduser` leaves the `~`, and a folder
    of that name comes into being; or it takes an empty HOME for the root of the file system.

    Raises `ConfigInvalid` if there is no such home directory.
    """
    text = os.fspath(path)
    if not text.startswith("~"):
        return text
    user, slash, rest = text[1:].partition("/")
    if user:
        home = os.path.expanduser(f"~{user}")
        if not os.path.isabs(home):
            raise ConfigInvalid(
                f"{setting}: {text!r} begins with the home directory of a user {user!r}, who is not on this machine; "
                f"{instead}, or as './{text}' if the name is meant so"
            )
    else:
        home = environment.get("HOME", "")
        if not os.path.isabs(home):
            home = _listed(listed)
        if not os.path.isabs(home):
            raise ConfigInvalid(
                f"{setting}: there is no home directory for {text!r} (HOME is not set, and user {os.getuid()} is not "
                f"in the list of users); set HOME, or {instead}"
            )
    return home.rstrip("/") + slash + rest or "/"


def _listed(listed: Callable[[], str]) -> str:
    try:
        return listed()
    except KeyError:
        return ""
