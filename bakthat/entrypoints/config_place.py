"""Which file is the configuration, where no option names one."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping

from bakthat.domain.callbacks import ignore
from bakthat.domain.environment_settings import CONFIG_VARIABLE, set_variables
from bakthat.errors import ConfigInvalid
from bakthat.ports.config_source import ConfigSource

DEFAULT_CONFIG = "~/.bakthat.yml"


def open_config(
    path: str | None = None,
    *,
    must_exist: bool = True,
    environment: Mapping[str, str] = os.environ,
    notice: Callable[[str], None] = ignore,
) -> ConfigSource:
    """Return the configuration.

    It is the file `path`, else that of BAKTHAT_CONFIG, else the usual one (`usual_file`), which need not exist. Without
    a home directory there is no usual file; then the settings of the environment, if there are any, are all.

    Args:
        path: The file that an option names.
        must_exist: Whether a named file must exist.
        environment: Where variables are looked for.
        notice: Called with warnings about the file.

    Raises:
        ConfigInvalid: There is no home directory, and nothing else is configured.
    """
    named = path or environment.get(CONFIG_VARIABLE) or None
    from bakthat.adapters.config.yaml_file import YamlConfig

    if named is not None:
        return YamlConfig(named, must_exist=must_exist, notice=notice)
    usual = usual_file(environment, notice)
    try:
        return YamlConfig(usual, notice=notice)
    except ConfigInvalid:
        if not must_exist or not set_variables(environment):
            raise
    from bakthat.adapters.memory.config_source import MemoryConfig

    return MemoryConfig()


def usual_file(environment: Mapping[str, str] = os.environ, notice: Callable[[str], None] = ignore) -> str:
    """Return `~/.bakthat.yml`, or `$XDG_CONFIG_HOME/bakthat/config.yml` if only that exists.

    XDG_CONFIG_HOME is `~/.config` where it is not an absolute path (XDG Base Directory Specification).
    """
    given = environment.get("XDG_CONFIG_HOME", "")
    xdg = os.path.join(given if os.path.isabs(given) else "~/.config", "bakthat", "config.yml")
    if not _is_there(xdg, environment):
        return DEFAULT_CONFIG
    if _is_there(DEFAULT_CONFIG, environment):
        notice(f"{xdg} is not read, because {DEFAULT_CONFIG} exists; remove one of them")
        return DEFAULT_CONFIG
    return xdg


def _is_there(path: str, environment: Mapping[str, str]) -> bool:
    """Whether there is such a file, perhaps one that cannot be read: that is an error later, not another file."""
    from bakthat.adapters.filesystem.home import expand_home

    try:
        os.lstat(expand_home(path, "configuration file", environment=environment))
    except (FileNotFoundError, NotADirectoryError, ConfigInvalid):
        return False
    except OSError:
        return True
    return True
