"""`YamlConfig`: the profiles in a YAML file, `~/.bakthat.yml` by default."""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import shlex
import tempfile
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from bakthat.adapters.config.profile_schema import KEYS, KEYS_OF_2013, profile_from, suggestion, with_profile
from bakthat.adapters.config.yaml_edit import block, edited
from bakthat.adapters.config.yaml_reader import read_yaml
from bakthat.adapters.filesystem.folders import make_folders
from bakthat.adapters.filesystem.home import expand_home
from bakthat.domain.profile import Profile
from bakthat.domain.selector import nearest
from bakthat.domain.settings import kind_of
from bakthat.errors import ConfigError, ConfigInvalid, ProfileNotFound
from bakthat.ports.config_source import ConfigSource

_SYNC_OF_2013 = frozenset({"auto", "password", "url", "username"})
"""The section `sync` beside the profiles: 2013's settings of its server."""


class YamlConfig(ConfigSource):
    """A value that is absent, null or empty text is not set: 2013's `configure` wrote empty text for what was skipped.

    Saving changes the lines of the settings that changed; comments, order and everything else stay. A file that cannot
    be edited in this way (anchors, several keys in a line) is rewritten; its comments are then kept in `FILE.bak`, and
    a notice says so.
    """

    def __init__(
        self, path: str | os.PathLike[str], *, must_exist: bool = False, notice: Callable[[str], None] | None = None
    ) -> None:
        """Name the file; nothing is read yet.

        Args:
            path: `~` is expanded.
            must_exist: An absent file is an error, not a configuration of defaults.
            notice: Called with each warning once: one line without secrets.

        Raises:
            ConfigInvalid: The path begins with `~`, and there is no home directory.
        """
        self._path = os.path.abspath(
            expand_home(path, "configuration file", instead="name a file with `config=` or BAKTHAT_CONFIG")
        )
        self._must_exist = must_exist
        self._notice = notice
        self._noticed: set[str] = set()
        self._last_read: tuple[str, dict[str, Any]] | None = None

    def __repr__(self) -> str:
        return f"YamlConfig({self._path!r})"

    def where(self, profile: str) -> str:
        return f"{self._path}: profile {profile!r}"

    def names(self) -> list[str]:
        return list(self._profiles(self._read()))

    def load(self, profile: str) -> Profile:
        content = self._read()
        profiles = self._profiles(content)
        if profile not in profiles and profile != "default":
            raise ProfileNotFound(self._unknown_profile(profile, list(profiles)))
        self._tell_keys_of_2013(content)
        raw = profiles.get(profile, {})
        for key in raw:
            if key not in KEYS and key not in KEYS_OF_2013:
                self._tell(f"{self.where(profile)}: unknown key {key!r}{suggestion(key)}; it is not used")
        return self._structured(profile, raw)

    def readable_profiles(self) -> list[Profile]:
        found: list[Profile] = []
        for name, raw in self._profiles(self._read()).items():
            with contextlib.suppress(ConfigError):
                found.append(self._structured(name, raw))
        return found

    def save(self, profile: Profile) -> None:
        with self._locked() as folder:
            text = self._read_text() or ""
            content = self._parse(text)
            raw = self._profiles(content).get(profile.name, {})
            changed = {**content, profile.name: with_profile(raw, profile)}
            new_text = edited(text, content, changed)
            if new_text is None or not self._reads_as(new_text, changed):
                new_text = block(changed)
                if re.search(r"(^|\s)#", text):
                    self._keep_comments(text, folder)
            self._write(new_text, folder, os.path.realpath(self._path))

    def _read(self) -> dict[str, Any]:
        text = self._read_text()
        if text is None:
            if self._must_exist:
                raise ConfigInvalid(
                    f"{self._path}: there is no such configuration file; check `config=` or BAKTHAT_CONFIG"
                )
            return {}
        if self._last_read is None or self._last_read[0] != text:
            self._last_read = text, self._parse(text)
        content = self._last_read[1]
        self._tell_mode(content)
        return content

    def _read_text(self) -> str | None:
        """Return the file's text; None if there is no file."""
        try:
            with open(self._path, "rb") as file:
                data = file.read()
        except FileNotFoundError:
            return None
        except OSError as error:
            reason = os.strerror(error.errno) if error.errno else error
            raise ConfigInvalid(f"{self._path} cannot be read: {reason}") from error
        # Errors of a decoder or parser contain the whole file, so ours are not raised while one is handled.
        try:
            return data.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            line = data.count(b"\n", 0, error.start) + 1
        raise ConfigInvalid(f"{self._path}, line {line}: this is not UTF-8 text; save the file as UTF-8")

    def _parse(self, text: str) -> dict[str, Any]:
        content, mistake = read_yaml(text)
        if mistake:
            raise ConfigInvalid(f"{self._path}{mistake}")
        if content is None:
            return {}
        if not isinstance(content, dict):
            raise ConfigInvalid(f"{self._path}: expected profiles (`default:` and settings below it), found "
                                f"{kind_of(content)}")  # fmt: skip
        for name, value in content.items():
            if not isinstance(name, str):
                raise ConfigInvalid(
                    f"{self._path}: a profile's name must be text, not {kind_of(name)}: put it in quotes"
                )
            # A profile may have the name of a key. Then it has keys itself: `jobs` that is not indented has none.
            if name in KEYS and not (isinstance(value, Mapping) and (not value or any(key in KEYS for key in value))):
                raise ConfigInvalid(f"{self._path}: {name!r} is outside of any profile; put the settings, indented,"
                                    " below a line `default:`")  # fmt: skip
        return content

    def _profiles(self, content: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
        found = {}
        for name, value in content.items():
            if name == "sync" and isinstance(value, dict) and value.keys() <= _SYNC_OF_2013:
                continue
            if not isinstance(value, dict | None):
                raise ConfigInvalid(f"{self.where(name)}: expected settings, found {kind_of(value)}")
            for key in value or {}:
                if not isinstance(key, str):
                    raise ConfigInvalid(f"{self.where(name)}: a key must be text, not {kind_of(key)}: put"
                                        " it in quotes")  # fmt: skip
            found[name] = value or {}
        return found

    def _structured(self, name: str, raw: Mapping[str, Any]) -> Profile:
        return profile_from(raw, name=name, where=self.where(name))

    def _unknown_profile(self, name: str, known: list[str]) -> str:
        if not known:
            return f"{self._path}: there is no profile {name!r}; run `bakthat configure -p {shlex.quote(name)}`"
        near = nearest(name, known, most=1)
        suggestion = f", did you mean {near[0]!r}?" if near else ""
        return f"{self._path}: there is no profile {name!r}{suggestion} (there are: {', '.join(known)})"

    def _tell(self, message: str) -> None:
        if message not in self._noticed:
            self._noticed.add(message)
            if self._notice is not None:
                self._notice(message)

    def _tell_keys_of_2013(self, content: Mapping[str, Any]) -> None:
        found = {key for raw in self._profiles(content).values() for key in raw if key in KEYS_OF_2013}
        if "sync" in content and "sync" not in self._profiles(content):
            found.add("sync")
        if found:
            self._tell(
                f"{self._path}: bakthat 1.0 does not use {', '.join(sorted(found))} of 2013; they stay in the file"
            )

    def _tell_mode(self, content: Mapping[str, Any]) -> None:
        with contextlib.suppress(OSError):
            mode = os.stat(self._path).st_mode & 0o777
            if mode & 0o077 and _has_secrets(content):
                self._tell(
                    f"{self._path} contains secrets, and others may read it (mode {mode:04o}); run: "
                    f"chmod 600 {shlex.quote(self._path)}"
                )

    @contextlib.contextmanager
    def _locked(self) -> Iterator[int]:
        """Open the file's folder, and lock it against other processes that save."""
        folder = os.path.dirname(os.path.realpath(self._path))
        try:
            make_folders(folder)
            descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError as error:
            raise self._cannot_write(error) from error
        try:
            # Some network file systems cannot lock a folder; then two simultaneous saves are not protected.
            with contextlib.suppress(OSError):
                fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield descriptor
        finally:
            os.close(descriptor)

    def _reads_as(self, text: str, content: Mapping[str, Any]) -> bool:
        try:
            return repr(_sorted(self._parse(text))) == repr(_sorted(content))
        except ConfigInvalid:
            return False

    def _keep_comments(self, text: str, folder: int) -> None:
        kept = f"{os.path.realpath(self._path)}.bak"
        if os.path.lexists(kept):
            return
        self._write(text, folder, kept)
        self._tell(f"{self._path} was rewritten without its comments; the previous version is {kept}")

    def _write(self, text: str, folder: int, target: str) -> None:
        """Write the file atomically, with mode 0600, and sync it. `target` is not a symbolic link: a file that is kept
        elsewhere, with a link in the home directory, stays there."""
        temporary = None
        try:
            descriptor, temporary = tempfile.mkstemp(prefix=".bakthat-", dir=os.path.dirname(target))
            with open(descriptor, "w", encoding="utf-8", newline="") as file:
                with contextlib.suppress(FileNotFoundError):
                    _keep_owner(descriptor, os.stat(self._path))
                file.write(text)
                file.flush()
                os.fsync(descriptor)
            os.replace(temporary, target)
            temporary = None
            os.fsync(folder)
        except OSError as error:
            raise self._cannot_write(error) from error
        finally:
            if temporary is not None:
                with contextlib.suppress(OSError):
                    os.unlink(temporary)

    def _cannot_write(self, error: OSError) -> ConfigError:
        reason = os.strerror(error.errno) if error.errno else error
        return ConfigError(f"{self._path} cannot be written: {reason}; nothing was changed")


def _keep_owner(descriptor: int, before: os.stat_result) -> None:
    """Keep the owner of a file that root saves for another user, who must still be able to read it."""
    if os.geteuid() == 0 and (before.st_uid, before.st_gid) != (0, 0):
        with contextlib.suppress(OSError):
            os.fchown(descriptor, before.st_uid, before.st_gid)


def _has_secrets(content: Mapping[str, Any]) -> bool:
    for raw in content.values():
        if not isinstance(raw, dict):
            continue
        if any(raw.get(key) for key in ("access_key", "secret_key", "bakmanager_token", "password", "ping")):
            return True
        jobs = raw.get("jobs")
        if isinstance(jobs, dict) and any(isinstance(job, dict) and job.get("ping") for job in jobs.values()):
            return True
        for key in ("database", "endpoint_url"):
            # A password within a URL.
            if re.match(r"[^/]*://[^/]*:[^/]*@", str(raw.get(key) or "")):
                return True
    return False


def _sorted(value: Any) -> Any:
    """Return the value with its mappings in one order, and None for an empty mapping."""
    if isinstance(value, Mapping):
        return sorted((key, _sorted(item)) for key, item in value.items()) or None
    return [_sorted(item) for item in value] if isinstance(value, list) else value
