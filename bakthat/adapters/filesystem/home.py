"""Expands the home directory at the start of a path from a setting (`~/.bakthat.sqlite`)."""

from __future__ import annotations

import os
import pwd
from collections.abc import Callable, Mapping

from bakthat.errors import ConfigInvalid


def home_of_user() -> str:
    """The home directory of this process's user in the user database. Raises `KeyError` for a user without an entry, as
    in a container with a numeric user."""
    return pwd.getpwuid(os.getuid()).pw_dir


def expand_home(
    path: str | os.PathLike[str],
    setting: str,
    *,
    instead: str = "give it as an absolute path",
    environment: Mapping[str, str] = os.environ,
    listed: Callable[[], str] = home_of_user,
) -> str:
    """The path with `~` or `~user` at its start replaced; any other path unchanged.

    `setting`: the source of the path; the error begins with it. `instead`: the way out besides setting HOME.
    `environment`: checked for HOME; then `listed` is called. Python's `expanduser` would keep the `~`, so that a folder
    of that name would be created, or take an empty HOME as the root of the file system.

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
                f"{setting}: {text!r} begins with the home directory of an unknown user {user!r}; "
                f"{instead}, or as './{text}' if this is the real name"
            )
    else:
        home = environment.get("HOME", "")
        if not os.path.isabs(home):
            home = _listed(listed)
        if not os.path.isabs(home):
            raise ConfigInvalid(
                f"{setting}: there is no home directory for {text!r} (HOME is not set, and user {os.getuid()} is not "
                f"in the user database); set HOME, or {instead}"
            )
    return home.rstrip("/") + slash + rest or "/"


def _listed(listed: Callable[[], str]) -> str:
    try:
        return listed()
    except KeyError:
        return ""
