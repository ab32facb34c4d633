"""Sources of keys: arguments, the environment, the profile, and finally a prompt."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence

from bakthat.domain.backup import Backup
from bakthat.domain.callbacks import ignore
from bakthat.domain.environment_settings import PASSWORD_FILE_VARIABLE, PASSWORD_VARIABLE
from bakthat.domain.payload import Keys
from bakthat.domain.profile import Profile
from bakthat.domain.recipients import MIXED, is_mixed
from bakthat.entrypoints.key_ring import KeyRing
from bakthat.errors import PasswordNeeded, UsageError, WrongPassword

Ask = Callable[[], str]
"""Asks the user for a password; "" means none."""


def encryption_keys(
    profile: Profile,
    *,
    password: str | None = None,
    recipients: Sequence[str] = (),
    recipients_files: Sequence[str] = (),
    allow_mixed_recipients: bool | None = None,
    ask: Ask | None = None,
    environment: Mapping[str, str] = os.environ,
    notice: Callable[[str], None] = ignore,
) -> Keys:
    """Return what encrypts a new backup; empty keys mean a plain one.

    The first of these decides: `recipients` and those in `recipients_files`, those of the profile and in its file,
    `password` ("" means plain), BAKTHAT_PASSWORD, BAKTHAT_PASSWORD_FILE, the profile's `password_command` or
    `password_file`, `ask`.

    Args:
        profile: The settings.
        password: Instead of what the environment and the profile say.
        recipients: Public keys.
        recipients_files: Files of them, one per line.
        allow_mixed_recipients: Whether post-quantum recipients may be together with others; None means the profile's
            setting.
        ask: Called only if nothing else is found.
        environment: Where BAKTHAT_PASSWORD and BAKTHAT_PASSWORD_FILE are looked for.
        notice: Called with lines about a password file, and about keys in a file that are passed over.

    Raises:
        UsageError: There are recipients and a password, which the age format forbids; a recipient is malformed;
            post-quantum recipients and others are mixed; BAKTHAT_PASSWORD or BAKTHAT_PASSWORD_FILE is set but empty,
            since the command that should have filled it failed; or a file cannot be used.
        ConfigError: The password command failed.
    """
    chosen = _recipients(profile, recipients, recipients_files, notice)
    if chosen:
        if password:
            raise UsageError(
                "a backup is encrypted to recipients or with a password, never both (age forbids it); leave one out"
            )
        mixed = profile.allow_mixed_recipients if allow_mixed_recipients is None else allow_mixed_recipients
        if is_mixed(chosen) and not mixed:
            raise UsageError(MIXED)
        return Keys(recipients=chosen, allow_mixed_recipients=mixed)
    if password is None and environment.get(PASSWORD_VARIABLE) == "":
        raise UsageError(f"{PASSWORD_VARIABLE} is set, but empty; unset it, or give it a password")
    if password is None and environment.get(PASSWORD_FILE_VARIABLE) == "":
        raise UsageError(f"{PASSWORD_FILE_VARIABLE} is set, but empty; unset it, or name a file")
    found = _password(profile, password, environment, notice)
    if found is None and ask is not None:
        found = ask()
    return Keys(passphrase=found or None)


def _recipients(
    profile: Profile, given: Sequence[str], files: Sequence[str], notice: Callable[[str], None]
) -> tuple[str, ...]:
    """The recipients that are given, else those of the profile, each checked and in its canonical form."""
    where, where_of_files = "`recipients=`", "`recipients_files=`"
    if not given and not files:
        where, where_of_files = (f"{key} of profile {profile.name!r}" for key in ("recipients", "recipients_file"))
        given, files = profile.recipients, [profile.recipients_file] if profile.recipients_file else []
    if not given and not files:
        return ()
    from bakthat.adapters.encryption.key_files import check_recipient
    from bakthat.adapters.encryption.recipient_files import read_recipients

    for recipient in given:
        if "/" in recipient and not recipient.startswith(("age1", "ssh-")):
            raise UsageError(
                f"{where}: {recipient!r} is not a public key; a file of public keys goes into {where_of_files}"
            )
    found = [check_recipient(recipient, where) for recipient in given]
    for path in files:
        found += read_recipients(path, where_of_files, notice=notice)
    return tuple(dict.fromkeys(found))


def decryption_keys(
    backup: Backup,
    profile: Profile,
    *,
    password: str | None = None,
    identities: Sequence[str] = (),
    key_ring: KeyRing | None = None,
    ask: Ask | None = None,
    environment: Mapping[str, str] = os.environ,
    notice: Callable[[str], None] = ignore,
) -> Keys:
    """Return what may decrypt a backup: key files where it may be encrypted to recipients, and a password where it may
    be encrypted with one. `password` and `identities` count in any case.

    Args:
        backup: Its record, which may say how it is encrypted.
        profile: Its `identity` is the key file if there are no `identities`.
        password: Before BAKTHAT_PASSWORD, BAKTHAT_PASSWORD_FILE, and those of the profile.
        identities: Key files.
        key_ring: Reads them, and asks for their passphrases; None reads those that are not encrypted.
        ask: Called only if nothing else is found.
        environment: Where BAKTHAT_PASSWORD and BAKTHAT_PASSWORD_FILE are looked for.
        notice: Called with lines about key files and password files.

    Raises:
        UsageError: A key file or a password file cannot be used.
        PasswordNeeded, WrongPassword: A key file is encrypted, and its passphrase is missing or wrong.
        ConfigError: The password command failed.
    """
    by_password = backup.metadata.encryption_scheme == "age-scrypt"
    by_recipients = backup.metadata.is_encrypted_to_recipients
    # What is given for this call counts whatever the record says, which may come from the store.
    paths = tuple(identities) or ((profile.identity,) if profile.identity and not by_password else ())
    secret = password if by_recipients else _password(profile, password, environment, notice)
    found: tuple[str, ...] = ()
    if paths:
        try:
            found = (key_ring or KeyRing(notice=notice)).identities_for(backup, paths)
        except (PasswordNeeded, WrongPassword) as error:
            if not secret:
                raise
            notice(f"{error}; the password is tried")
    if not secret and ask is not None and not by_recipients and (by_password or not found):
        secret = ask()
    return Keys(passphrase=secret or None, identities=found)


def _password(
    profile: Profile, password: str | None, environment: Mapping[str, str], notice: Callable[[str], None]
) -> str | None:
    if password is not None:
        return password
    if environment.get(PASSWORD_VARIABLE):
        return environment[PASSWORD_VARIABLE]
    if environment.get(PASSWORD_FILE_VARIABLE):
        return password_in_file(environment[PASSWORD_FILE_VARIABLE], PASSWORD_FILE_VARIABLE, notice=notice)
    if profile.password_command:
        from bakthat.adapters.commands.environment import child_environment
        from bakthat.adapters.commands.password import run_password_command

        return run_password_command(
            profile.password_command,
            environment=child_environment(environment, with_aws=profile.pass_environment),
        )
    if profile.password_file:
        return password_in_file(profile.password_file, f"password_file of profile {profile.name!r}", notice=notice)
    return None


def password_in_file(path: str, where: str, *, notice: Callable[[str], None] = ignore) -> str:
    """Return the password in a file that `where` names. Raises `UsageError`."""
    from bakthat.adapters.filesystem.password_file import read_password_file

    return read_password_file(path, where, notice=notice)
