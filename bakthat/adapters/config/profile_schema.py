"""Converts a mapping of settings to a `Profile`, and a `Profile` to a mapping."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any

import cattrs
from attrs import fields
from cattrs.gen import make_dict_structure_fn, override

from bakthat.domain.profile import Profile, implied_destination
from bakthat.domain.selector import nearest
from bakthat.domain.settings import Setting, checked, kind_of
from bakthat.errors import ConfigInvalid

KEYS = tuple(field.name for field in fields(Profile) if field.name not in {"name", "extra"})
"""The settings that a profile may hold."""

KEYS_OF_2013 = frozenset(
    {"auth_url", "auth_version", "bakmanager_api", "bakmanager_token", "plugins", "plugins_dir", "sync"}
)
"""Settings of 2013 for Swift, BakManager, its server and its plug-ins, which 1.0 does not have."""


def profile_of_dict(settings: object, *, name: str, where: str, notice: Callable[[str], None]) -> Profile:
    """Return the profile in a dict of settings from a script.

    Args:
        settings: The dict. An unknown key is an error, because nobody reads the notices of a script.
        name: Of the profile.
        where: Begins each message.
        notice: Called with a line about keys of 2013.

    Raises:
        ConfigInvalid: A key is unknown, or a value is wrong.
    """
    if not isinstance(settings, Mapping):
        raise ConfigInvalid(f"{where}: expected a dict of settings, found {kind_of(settings)}")
    unknown = [key for key in settings if key not in KEYS and key not in KEYS_OF_2013]
    for key in unknown:
        if not isinstance(key, str):
            raise ConfigInvalid(f"{where}: a key must be text, not {kind_of(key)}")
        if isinstance(settings[key], Mapping) and not suggestion(key):
            raise ConfigInvalid(f"{where}: unknown key {key!r}; give the settings of one profile, not several profiles")
    if unknown:
        raise ConfigInvalid(f"{where}: " + "; ".join(f"unknown key {key!r}{suggestion(key)}" for key in unknown))
    of_2013 = sorted(key for key in settings if key in KEYS_OF_2013)
    if of_2013:
        notice(f"{where}: bakthat 1.0 does not use {', '.join(of_2013)} of 2013")
    return profile_from(settings, name=name, where=where)


def profile_from(settings: Mapping[str, Any], *, name: str, where: str) -> Profile:
    """Return the profile in a mapping of settings. Unknown keys become its `extra`.

    Raises:
        ConfigInvalid: A value is wrong. The message begins with `where`, and names each key.
    """
    try:
        profile = _structured(name, settings)
    except cattrs.ClassValidationError as group:
        wrong, of_all = group.group_exceptions()
        # What `Profile` itself finds wrong is about several settings, and begins with its name.
        together = [str(error).split(": ", 1)[-1] for error in of_all]
        reasons = "; ".join([*(f"{note.name}: {error}" for error, note in wrong), *together])
        raise ConfigInvalid(f"{where}: {reasons}") from None
    if profile.compression == "none" and settings.get("compress"):
        raise ConfigInvalid(f"{where}: compression: `none` contradicts `compress: true`; remove one of them")
    return profile


def with_profile(settings: Mapping[str, Any], profile: Profile) -> dict[str, Any]:
    """Return the settings that a file should contain for this profile, in YAML's types.

    A value with the same meaning stays as it was written, and no key is added for a setting with its default value.
    """
    changed, defaults = dict(settings), Profile()
    plain = _converter().unstructure(profile)
    for key in KEYS:
        value = getattr(profile, key)
        if key in settings and _means(key, settings[key], value):
            continue
        # The default destination depends on other keys; it is written where either reading of a file differs
        is_default = value == getattr(defaults, key) and (
            key != "default_destination" or value == implied_destination(profile)
        )
        if key in settings or not is_default:
            changed[key] = plain[key]
    return {**changed, **plain["extra"]}


def suggestion(key: str) -> str:
    """Return ` (did you mean 'region_name'?)`, or "" if no setting has a similar name."""
    near = nearest(key, KEYS, most=1)
    return f" (did you mean {near[0]!r}?)" if near else ""


def _means(key: str, raw: object, value: object) -> bool:
    try:
        return bool(getattr(_structured("", {key: raw}), key) == value)
    except cattrs.ClassValidationError:
        return False


def _structured(name: str, settings: Mapping[str, Any]) -> Profile:
    """Raises `cattrs.ClassValidationError`."""
    known = {key: value for key, value in settings.items() if key in KEYS and value is not None and value != ""}
    extra = {key: value for key, value in settings.items() if key not in KEYS}
    return _converter().structure({"name": name, **known, "extra": extra}, Profile)


@functools.cache
def _converter() -> cattrs.Converter:
    converter = cattrs.Converter(detailed_validation=True, unstruct_collection_overrides={tuple: list})
    checks: dict[str, Any] = {setting.name: override(struct_hook=_hook(setting)) for setting in fields(Profile)}
    converter.register_structure_hook(Profile, make_dict_structure_fn(Profile, converter, **checks))
    # Members of a StrEnum, and other kinds of text, which YAML does not have.
    converter.register_unstructure_hook(str, str)
    return converter


def _hook(setting: Setting) -> Callable[[object, object], Any]:
    return lambda value, _: checked(setting, value)
