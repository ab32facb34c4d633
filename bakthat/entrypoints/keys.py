"""Where keys come from: arguments, the environment, the profile, and last a person."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence

from bakthat.domain.backup import Backup
from bakthat.domain.payload import Keys
from bakthat.domain.profile import Profile
from bakthat.errors import UsageError

PASSWORD_VARIABLE = "BAKTHAT_PASSWORD"  # noqa: S105 - the variable's name

Ask = Callable[[], str]
"""Asks a person for a password; blank means none."""


def sealing_keys(
    profile: Profile,
    *,
    password: str | None = None,
    recipients: Sequence[str] = (),
    ask: Ask | None = None,
    environment: Mapping[str, str] = os.environ,
) -> Keys:
    """What seals a new backup; empty keys mean a plain one. First found: `recipients`, those of the profile, then
    `password` (blank: plain), BAKTHAT_PASSWORD, the profile's `password_command`, `ask`.

    Raises `UsageError` for recipients and a password at once, which the age format forbids, for a malformed recipient,
    and for a BAKTHAT_PASSWORD that is set but empty (what was to fill it has failed);
    `ConfigError` for a password command that fails.
    """
    chosen = tuple(recipients) or profile.recipients
    if chosen:
        if password:
            raise UsageError(
                "a backup is sealed to recipients or with a password, never both (the age format forbids it); drop one"
            )
        from bakthat.adapters.encryption.key_files import check_recipient

        where = "--recipient" if recipients else f"recipients of profile {profile.name!r}"
        for recipient in chosen:
            check_recipient(recipient, where)
        return Keys(recipients=chosen)
    if password is None and environment.get(PASSWORD_VARIABLE) == "":
        raise UsageError(f"{PASSWORD_VARIABLE} is set, but empty; unset it, or give it a password")
    found = _password(profile, password, environment)
    if found is None and ask is not None:
        found = ask()
    return Keys(passphrase=found or None)


def opening_keys(
    backup: Backup,
    profile: Profile,
    *,
    password: str | None = None,
    identities: Sequence[str] = (),
    ask: Ask | None = None,
    environment: Mapping[str, str] = os.environ,
    notice: Callable[[str], None] = lambda _: None,
) -> Keys:
    """What may open an encrypted backup. Key files (`identities`, else the profile's `identity`) where the backup
    may be sealed to recipients, and a password where it may be sealed with one; `ask` only if nothing else is there.

    Raises `UsageError` for a key file, `ConfigError` for a password command, that cannot be used.
    """
    scheme = backup.metadata.encryption_scheme
    found: tuple[str, ...] = ()
    paths = tuple(identities) or ((profile.identity,) if profile.identity else ())
    if paths and scheme != "age-scrypt":
        from bakthat.adapters.encryption.key_files import read_identities

        found = tuple(key for path in paths for key in read_identities(path, notice=notice))
    if scheme == "age-x25519":
        return Keys(identities=found)
    secret = _password(profile, password, environment)
    if not secret and not found and ask is not None:
        secret = ask()
    return Keys(passphrase=secret or None, identities=found)


def _password(profile: Profile, password: str | None, environment: Mapping[str, str]) -> str | None:
    if password is not None:
        return password
    if environment.get(PASSWORD_VARIABLE):
        return environment[PASSWORD_VARIABLE]
    if profile.password_command:
        from bakthat.adapters.commands.environment import child_environment
        from bakthat.adapters.commands.password import run_password_command

        return run_password_command(
            profile.password_command,
            environment=child_environment(environment, with_aws=profile.pass_environment),
        )
    return None
