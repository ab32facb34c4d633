"""What `configure` asks on a terminal: where backups go, then what that needs, encryption, compression, rotation.

Then it saves, tries the destination, and says what to do next.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from attrs import evolve, frozen

from bakthat.domain.compression_choice import ZSTD_LEVELS, CompressionChoice
from bakthat.domain.profile import DEFAULT_REGION, Profile
from bakthat.domain.recipients import label
from bakthat.domain.rotation import SATURDAY, policy_from
from bakthat.entrypoints import terminal
from bakthat.entrypoints.destinations import all_names
from bakthat.entrypoints.questions import ask, ask_number, choose, not_a_compression, not_a_url
from bakthat.entrypoints.store_check import offer_bucket, offer_vault, try_destination
from bakthat.errors import ConfigError, UsageError
from bakthat.ports.config_source import ConfigSource

if TYPE_CHECKING:
    from bakthat.adapters.encryption.key_files import KeyPair

KEY_FILE = "~/.bakthat.key"
"""Offered for the private key of a new pair."""

_DESTINATIONS = {
    "s3": "a bucket of Amazon S3, or of a service like it",
    "local": "a folder: a disk, a NAS, anything that is mounted",
    "glacier": "an archive of Amazon: cheap, but retrieving takes hours",
}


@frozen
class NewKey:
    """A key pair that is written when the profile is saved."""

    path: str
    pair: KeyPair


def configure_on_terminal(source: ConfigSource, before: Profile, *, place: str) -> None:
    """Ask, save, try, and say what to do next. `place`: the file, as it is shown."""
    terminal.tell(f"Profile {before.name!r} in {place}. Enter keeps the value in brackets, '-' removes it.")
    destination = _ask_destination(before)
    changes: dict[str, Any] = {"default_destination": destination}
    changes.update(_ASKED.get(destination, _ask_nothing)(before))
    encryption, new_key = _ask_encryption(before)
    changes.update(encryption)
    changes.update(_ask_compression(before))
    changes.update(_ask_rotation(before))
    profile = evolve(before, **changes)
    if new_key is not None:
        _write(new_key)
    source.save(profile)
    terminal.tell(f"Saved profile {before.name!r} in {place}.")
    if destination == "glacier" and profile.glacier_vault:
        offer_vault(profile)
    if destination in ("s3", "glacier") and profile.s3_bucket and not offer_bucket(profile):
        terminal.tell("Nothing was tried. Run `bakthat configure` again when that is mended.")
    else:
        try_destination(profile, destination)
    _tell_next(profile, new_key)


def _ask_destination(before: Profile) -> str:
    names = all_names()
    terminal.tell("Backups may go to:")
    for name in names:
        terminal.tell(f"  {name}: {_DESTINATIONS.get(name, 'of an installed package')}")
    is_new = before == Profile(name=before.name)
    return choose("Where do they go?", names, "local" if is_new else before.default_destination)


def _ask_nothing(_: Profile) -> dict[str, Any]:
    terminal.tell("Its settings are in the file, under `stores`; see the documentation of its package.")
    return {}


def _ask_folder(before: Profile) -> dict[str, Any]:
    return {"local_path": ask("Folder", before.local_path) or before.local_path}


def _ask_bucket(before: Profile) -> dict[str, Any]:
    bucket = None
    while not bucket:
        bucket = ask("S3 bucket name", before.s3_bucket)
    return {"s3_bucket": bucket, **_ask_service(before)}


def _ask_glacier(before: Profile) -> dict[str, Any]:
    vault = ask("Glacier vault name (blank for an archive class of an S3 bucket)", before.glacier_vault)
    if vault:
        bucket = ask("S3 bucket for catalog and inventory (blank for none)", before.s3_bucket)
        return {"glacier_vault": vault, "s3_bucket": bucket, **_ask_service(before)}
    asked = _ask_bucket(before)
    classes = ["GLACIER", "DEEP_ARCHIVE"]
    chosen = choose("Archive class", classes, before.glacier_storage_class or classes[0])
    return {"glacier_vault": None, "glacier_storage_class": chosen, **asked}


def _ask_service(before: Profile) -> dict[str, Any]:
    """Where the bucket or vault is, and who may use it."""
    endpoint_url = ask("Endpoint URL (blank for Amazon)", before.endpoint_url, wrong=not_a_url)
    question = f"Region (blank for that of AWS's own settings, else {DEFAULT_REGION})"
    region_name = ask(question, before.region_name)
    terminal.tell("Without an access key, credentials come from the environment, ~/.aws, SSO or the machine's role.")
    access_key = ask("AWS access key", before.access_key)
    secret_key = ask("AWS secret key", before.secret_key, secret=True) if access_key else None
    return {
        "endpoint_url": endpoint_url,
        "region_name": region_name,
        "access_key": access_key,
        "secret_key": secret_key,
    }


_ASKED = {"local": _ask_folder, "s3": _ask_bucket, "glacier": _ask_glacier}


def _ask_encryption(before: Profile) -> tuple[dict[str, Any], NewKey | None]:
    """The settings, and the key pair that is to be written."""
    terminal.tell(
        "Backups are encrypted with a password, or with a key: who has only its public part cannot decrypt them."
    )
    has_key = bool(before.recipients or before.recipients_file)
    chosen = choose("Encrypt with", ["password", "key", "none"], "key" if has_key else "password")
    if chosen == "key":
        return _ask_key(before)
    without = {"recipients": (), "recipients_file": None}
    if chosen == "none":
        terminal.tell("`bakthat backup --prompt no` makes plain backups; without it, each backup asks for a password.")
        return {**without, "password_file": None, "password_command": None}, None
    if before.password_command:
        terminal.tell("The password comes from the profile's password_command.")
        return without, None
    question = "File with the password (blank to be asked at each backup)"
    path = ask(question, before.password_file)
    if path is not None and not _is_there(path):
        terminal.tell(f"{path} does not exist yet: write the password into it, in one line, and `chmod 600 {path}`.")
    return {**without, "password_file": path}, None


def _ask_key(before: Profile) -> tuple[dict[str, Any], NewKey | None]:
    from bakthat.adapters.encryption import key_files

    if before.recipients or before.recipients_file:
        keys = [*map(label, before.recipients), *([before.recipients_file] if before.recipients_file else [])]
        if terminal.ask_yes(f"Keep {', '.join(keys)}?", default=True):
            return {}, None
    question = "Public key, age1… or ssh-…, or a file of it (blank makes a new key pair)"
    answer = ask(question, None, wrong=_not_a_recipient)
    if answer is not None:
        is_file = _is_file(answer)
        identity = ask(
            "File of its private key, to restore on this machine (blank for none)",
            before.identity,
            wrong=lambda path: "" if _is_file(path) else f"There is no file {path}.",
        )
        return {
            "recipients": () if is_file else (key_files.check_recipient(answer, "the answer"),),
            "recipients_file": answer if is_file else None,
            "identity": identity,
        }, None
    pair = key_files.keygen(clock=lambda: datetime.now().astimezone())
    path = ask("New file for its private key", KEY_FILE, wrong=_not_a_new_file) or KEY_FILE
    changes = {"recipients": (pair.recipient,), "recipients_file": None, "identity": path}
    return changes, NewKey(path, pair)


def _not_a_recipient(answer: str) -> str:
    from bakthat.adapters.encryption.key_files import check_recipient
    from bakthat.adapters.encryption.recipient_files import read_recipients

    try:
        if _is_file(answer):
            read_recipients(answer, "this file", notice=terminal.tell)
        else:
            check_recipient(answer, "this is neither a file nor a public key")
    except (UsageError, ConfigError) as error:
        text = str(error)
        return f"{text[0].upper()}{text[1:]}."
    return ""


def _path(answer: str) -> str:
    """The path as the system has it. Raises `ConfigError` if there is no such home directory."""
    from bakthat.adapters.filesystem.home import expand_home

    return expand_home(answer, "the file", instead="give it as an absolute path")


def _is_file(answer: str) -> bool:
    try:
        return os.path.isfile(_path(answer))
    except ConfigError:
        return False


def _is_there(answer: str) -> bool:
    try:
        return os.path.lexists(_path(answer))
    except ConfigError:
        return False


def _not_a_new_file(answer: str) -> str:
    try:
        _path(answer)
    except ConfigError as error:
        return f"{error}."
    return f"{answer} exists, and a key is never overwritten." if _is_there(answer) else ""


def _write(new_key: NewKey) -> None:
    from bakthat.adapters.encryption.key_files import write_key_file

    write_key_file(_path(new_key.path), new_key.pair)


def _ask_compression(before: Profile) -> Mapping[str, Any]:
    chosen = str(before.compression_choice)
    question = f"Compression (gzip, zstd, zstd:1 to zstd:{ZSTD_LEVELS[-1]}, none)"
    compression = ask(question, chosen, wrong=not_a_compression) or str(CompressionChoice())
    if compression == chosen:
        return {}
    return {"compression": compression, "compress": compression != "none"}


def _ask_rotation(before: Profile) -> Mapping[str, Any]:
    if before.rotation:
        policy = policy_from(before.rotation, where=f"profile {before.name!r}")
        terminal.tell(f"Rotation keeps {policy}; `bakthat configure-backups-rotation` changes that.")
        return {}
    if not terminal.ask_yes("Thin out old backups by days, weeks and months?", default=True):
        return {}
    section: dict[str, Any] = {}
    for key, default in (("days", 7), ("weeks", 4), ("months", 6)):
        section[key] = ask_number(f"Number of {key} to keep", default)
    if not any(section.values()):
        terminal.tell("That keeps nothing, so no rotation is set.")
        return {}
    return {"rotation": policy_from({**section, "first_week_day": SATURDAY}, where="the answers").as_section()}


def _tell_next(profile: Profile, new_key: NewKey | None) -> None:
    option = "" if profile.name == "default" else f" -p {profile.name}"
    if new_key is not None:
        terminal.tell(
            f"Keep a copy of {new_key.path} away from this machine, on paper or on another disk: without it, nobody "
            "can decrypt the backups."
        )
    steps = [("backup DIR", "makes a backup"), ("show", "lists all of them"), ("restore NAME", "brings one back")]
    if profile.rotation:
        steps.append(("rotate-backups NAME", "thins them out"))
    terminal.tell("Next:")
    for line in terminal.table([(f"  bakthat{option} {step}", what) for step, what in steps]):
        terminal.tell(line)
