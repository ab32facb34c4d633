"""The dialogues of `bakthat configure` and `bakthat configure-backups-rotation`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from attrs import evolve

from bakthat.domain.backup import Backup
from bakthat.domain.compression_choice import ZSTD_LEVELS, CompressionChoice, parse_compression
from bakthat.domain.origin import origins
from bakthat.domain.origin_plan import plan_origins
from bakthat.domain.origin_policies import OriginPolicies
from bakthat.domain.profile import DEFAULT_REGION, Profile
from bakthat.domain.query import Query
from bakthat.domain.rotation import SATURDAY, WEEKDAYS, RotationPolicy, first_week_day, policy_from
from bakthat.entrypoints import terminal
from bakthat.entrypoints.config_place import open_config, usual_file
from bakthat.entrypoints.destinations import all_names, owners_of
from bakthat.entrypoints.wiring import open_repo, utc_now
from bakthat.errors import AccessDenied, ConfigError, CredentialsRefused, ProfileNotFound, StoreError
from bakthat.ports.config_source import ConfigSource


def configure_profile(config: str | None, name: str, *, notice: Callable[[str], None]) -> None:
    """Ask for the settings of a profile, and save them. A blank answer keeps what is shown in brackets."""
    source = open_config(config, must_exist=False, notice=notice)
    before = _load(source, name)
    terminal.tell(f"Settings of profile {name!r}; Enter keeps the value in brackets, '-' removes it.")
    terminal.tell("Without an access key, credentials come from the environment, ~/.aws, SSO or the machine's role.")
    access_key = _ask("AWS access key", before.access_key)
    secret_key = _ask("AWS secret key", before.secret_key, secret=True) if access_key else None
    s3_bucket = _ask("S3 bucket name", before.s3_bucket)
    glacier_vault = _ask("Glacier vault name", before.glacier_vault)
    region_name = _ask(f"Region (blank for that of AWS's own settings, else {DEFAULT_REGION})", before.region_name)
    endpoint_url = _ask(
        "Endpoint URL of an S3-compatible store (blank for Amazon)",
        before.endpoint_url,
        wrong=lambda url: "" if url.startswith(("https://", "http://")) else "It begins with https:// or http://.",
    )
    glacier_storage_class = before.glacier_storage_class
    if s3_bucket and not glacier_vault:
        question = "Archive class for -d glacier (GLACIER, DEEP_ARCHIVE; blank for none)"
        glacier_storage_class = _ask(
            question, before.glacier_storage_class, wrong=_no_choice("GLACIER", "DEEP_ARCHIVE")
        )
    local_path = _ask("Folder for -d local", before.local_path) or before.local_path
    fallback = before.default_destination if s3_bucket or before.default_destination != "s3" else "local"
    destinations = all_names()
    question = f"Default destination ({', '.join(destinations)})"
    default_destination = _ask(question, fallback, wrong=_no_choice(*destinations)) or fallback
    chosen = str(before.compression_choice)
    question = f"Compression (gzip, zstd, zstd:1 to zstd:{ZSTD_LEVELS[-1]}, none)"
    compression = chosen
    if terminal.is_interactive():  # scripts of 1.0 pipe in answers, and know nothing of this question
        compression = _ask(question, chosen, wrong=_no_compression) or str(CompressionChoice())
    profile = evolve(
        before,
        compression=before.compression if compression == chosen else compression,
        compress=before.compress if compression == chosen else compression != "none",
        access_key=access_key,
        secret_key=secret_key,
        s3_bucket=s3_bucket,
        glacier_vault=glacier_vault,
        glacier_storage_class=glacier_storage_class,
        region_name=region_name,
        endpoint_url=endpoint_url,
        local_path=local_path,
        default_destination=default_destination,
    )
    source.save(profile)
    terminal.tell(f"Saved profile {name!r} in {config or usual_file()}.")
    if s3_bucket:
        _offer_bucket(profile)
    if glacier_vault:
        _offer_vault(profile)


def _load(source: ConfigSource, name: str) -> Profile:
    try:
        return source.load(name)
    except ProfileNotFound:
        return Profile(name=name)


def _ask(
    question: str, before: str | None, *, secret: bool = False, wrong: Callable[[str], str] = lambda _: ""
) -> str | None:
    """Ask until the answer is blank or valid; None if it is blank."""
    while True:
        answer = terminal.ask_line(question, before or "", secret=secret)
        if answer in {"", "-"}:
            return None
        said = wrong(answer)
        if not said:
            return answer
        terminal.tell(said)


def _no_choice(*choices: str) -> Callable[[str], str]:
    return lambda answer: "" if answer in choices else f"Please give {' or '.join(choices)}."


def _no_compression(answer: str) -> str:
    try:
        parse_compression(answer)
    except ValueError as error:
        text = str(error)
        return f"{text[0].upper()}{text[1:]}."
    return ""


def _offer_bucket(profile: Profile) -> None:
    """Report whether the bucket exists, and create it after confirmation. Nothing else in bakthat creates one."""
    from bakthat.adapters.aws.s3 import S3ObjectStore

    store = S3ObjectStore.from_profile(profile)
    try:
        there = store.bucket_exists()
    except CredentialsRefused as error:
        terminal.tell(f"The bucket could not be checked: {error}")
        return
    except AccessDenied:
        terminal.tell("These keys may not check the bucket; a backup will show whether they may write to it.")
        return
    except (StoreError, ConfigError) as error:
        terminal.tell(f"The bucket could not be checked: {error}")
        return
    if there:
        terminal.tell(f"The bucket {profile.s3_bucket} exists.")
        return
    if terminal.ask_yes(f"The bucket {profile.s3_bucket} does not exist. Create it?", default=False):
        store.create_bucket()
        terminal.tell(f"Created the bucket {profile.s3_bucket}.")


def _offer_vault(profile: Profile) -> None:
    """Create the vault after confirmation. Creating an existing one changes nothing."""
    if not terminal.ask_yes(f"Create the vault {profile.glacier_vault}, if it does not exist?", default=False):
        return
    from bakthat.adapters.aws.glacier import GlacierArchiveStore

    GlacierArchiveStore.from_profile(profile).create_vault()
    terminal.tell(f"The vault {profile.glacier_vault} exists.")


def configure_rotation(config: str | None, name: str, *, notice: Callable[[str], None]) -> None:
    """Ask for days, weeks, months and the first day of the week; show the effect on the existing backups; save after
    confirmation. Other settings of the rotation (`hours`, `years`, `last`) are not changed."""
    source = open_config(config, must_exist=False, notice=notice)
    profile = _load(source, name)
    section: dict[str, Any] = dict(profile.rotation or {})
    terminal.tell(f"Rotation of profile {name!r}: how many days, weeks and months keep their earliest backup.")
    for key, default in (("days", 7), ("weeks", 4), ("months", 6)):
        section[key] = _ask_number(f"Number of {key} to keep", section.get(key, default))
    section["first_week_day"] = _ask_week_day(section.get("first_week_day", SATURDAY))
    policy = policy_from(section, where=f"profile {name!r}")
    _preview(profile, policy)
    if not terminal.ask_yes("Save this rotation?", default=True):
        terminal.tell("Nothing was saved.")
        return
    source.save(evolve(profile, rotation={**section, **policy.as_section()}))
    terminal.tell(f"Saved: {policy}. Run `bakthat rotate-backups NAME` to apply it.")


def _ask_number(question: str, default: Any) -> int:
    while True:
        answer = terminal.ask_line(question, str(default))
        if answer.isascii() and answer.isdigit():
            return int(answer)
        terminal.tell("Please give a whole number, 0 or more.")


def _ask_week_day(default: Any) -> int:
    try:
        shown = WEEKDAYS[first_week_day(default)]
    except ValueError:
        shown = WEEKDAYS[SATURDAY]
    while True:
        try:
            return first_week_day(terminal.ask_line("First day of the week (a name, or 0 = Monday to 6)", shown))
        except ValueError as error:
            terminal.tell(f"{error}.")


def _preview(profile: Profile, policy: RotationPolicy) -> None:
    """Show what the policy would do to each series, from the database alone."""
    terminal.tell(f"This keeps {policy}.")
    series: dict[tuple[str, str], list[Backup]] = {}
    for backup in open_repo(profile.database).find(Query(owners=owners_of(profile, terminal.tell))):
        series.setdefault((backup.backend, backup.filename), []).append(backup)
    rows = []
    for (backend, filename), backups in sorted(series.items()):
        planned = plan_origins(origins(backups), OriginPolicies(default=policy).plan_for(utc_now()))
        rows.append((f"  {filename}", backend, f"keeps {len(planned.keep)}", f"deletes {len(planned.drop)}"))
    for line in terminal.table(rows) or ["There are no backups yet."]:
        terminal.tell(line)
