"""The dialogues of `bakthat configure` and `bakthat configure-backups-rotation`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from attrs import evolve

from bakthat.domain.backup import Backup
from bakthat.domain.origin import origins
from bakthat.domain.origin_plan import plan_origins
from bakthat.domain.origin_policies import OriginPolicies
from bakthat.domain.profile import DEFAULT_REGION, Profile
from bakthat.domain.query import Query
from bakthat.domain.rotation import SATURDAY, RotationPolicy, policy_from
from bakthat.entrypoints import terminal
from bakthat.entrypoints.config_place import open_config, usual_file
from bakthat.entrypoints.configure_dialog import configure_on_terminal
from bakthat.entrypoints.destinations import all_names, owners_of
from bakthat.entrypoints.questions import ask, ask_number, ask_week_day, not_a_url, not_among
from bakthat.entrypoints.store_check import offer_bucket, offer_vault
from bakthat.entrypoints.wiring import open_repo, utc_now
from bakthat.errors import ProfileNotFound
from bakthat.ports.config_source import ConfigSource


def configure_profile(config: str | None, name: str, *, notice: Callable[[str], None]) -> None:
    """Ask for the settings of a profile, and save them. A blank answer keeps what is shown in brackets. What is asked
    on a terminal is in `configure_dialog`."""
    source = open_config(config, must_exist=False, notice=notice)
    before = _load(source, name)
    if terminal.is_interactive():
        configure_on_terminal(source, before, place=config or usual_file())
        return
    # Scripts pipe in answers in the order in which 1.0 asked.
    terminal.tell(f"Settings of profile {name!r}; Enter keeps the value in brackets, '-' removes it.")
    terminal.tell("Without an access key, credentials come from the environment, ~/.aws, SSO or the machine's role.")
    access_key = ask("AWS access key", before.access_key)
    secret_key = ask("AWS secret key", before.secret_key, secret=True) if access_key else None
    s3_bucket = ask("S3 bucket name", before.s3_bucket)
    glacier_vault = ask("Glacier vault name", before.glacier_vault)
    region_name = ask(f"Region (blank for that of AWS's own settings, else {DEFAULT_REGION})", before.region_name)
    endpoint_url = ask(
        "Endpoint URL of an S3-compatible store (blank for Amazon)",
        before.endpoint_url,
        wrong=not_a_url,
    )
    glacier_storage_class = before.glacier_storage_class
    if s3_bucket and not glacier_vault:
        question = "Archive class for -d glacier (GLACIER, DEEP_ARCHIVE; blank for none)"
        glacier_storage_class = ask(question, before.glacier_storage_class, wrong=not_among("GLACIER", "DEEP_ARCHIVE"))
    local_path = ask("Folder for -d local", before.local_path) or before.local_path
    fallback = before.default_destination if s3_bucket or before.default_destination != "s3" else "local"
    destinations = all_names()
    question = f"Default destination ({', '.join(destinations)})"
    default_destination = ask(question, fallback, wrong=not_among(*destinations)) or fallback
    profile = evolve(
        before,
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
        offer_bucket(profile)
    if glacier_vault:
        offer_vault(profile)


def _load(source: ConfigSource, name: str) -> Profile:
    try:
        return source.load(name)
    except ProfileNotFound:
        return Profile(name=name)


def configure_rotation(config: str | None, name: str, *, notice: Callable[[str], None]) -> None:
    """Ask for days, weeks, months and the first day of the week; show the effect on the existing backups; save after
    confirmation. Other settings of the rotation (`hours`, `years`, `last`) are not changed."""
    source = open_config(config, must_exist=False, notice=notice)
    profile = _load(source, name)
    section: dict[str, Any] = dict(profile.rotation or {})
    terminal.tell(f"Rotation of profile {name!r}: how many days, weeks and months keep their earliest backup.")
    for key, default in (("days", 7), ("weeks", 4), ("months", 6)):
        section[key] = ask_number(f"Number of {key} to keep", section.get(key, default))
    section["first_week_day"] = ask_week_day(section.get("first_week_day", SATURDAY))
    policy = policy_from(section, where=f"profile {name!r}")
    _preview(profile, policy)
    if not terminal.ask_yes("Save this rotation?", default=True):
        terminal.tell("Nothing was saved.")
        return
    source.save(evolve(profile, rotation={**section, **policy.as_section()}))
    terminal.tell(f"Saved: {policy}. Run `bakthat rotate-backups NAME` to apply it.")


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
