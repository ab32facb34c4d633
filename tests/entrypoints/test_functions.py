"""The module-level functions: 2013's names, positions and keywords."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

import pytest
import yaml

import bakthat
from bakthat import Events
from bakthat.errors import ConfigInvalid, UsageError


@pytest.fixture
def conf(tmp_path: Path) -> dict[str, Any]:
    """Settings with everything in one folder."""
    return {
        "default_destination": "local",
        "local_path": str(tmp_path / "store"),
        "database": str(tmp_path / "db.sqlite"),
        "rotation": {"days": 7, "weeks": 6, "months": 6, "first_week_day": 5},
    }


def positions(name: str) -> list[str]:
    parameters = inspect.signature(getattr(bakthat, name)).parameters.values()
    return [each.name for each in parameters if each.kind is each.POSITIONAL_OR_KEYWORD]


@pytest.mark.parametrize(
    ("name", "of_2013"),
    [
        ("backup", ["filename", "destination", "profile", "config", "prompt", "tags"]),
        ("restore", ["filename", "destination", "profile", "config"]),
        ("delete", ["filename", "destination", "profile", "config"]),
        ("delete_older_than", ["filename", "interval", "profile", "config", "destination"]),
        ("rotate_backups", ["filename", "destination", "profile", "config"]),
        ("show", ["query", "destination", "tags", "profile", "config"]),
    ],
)
def test_the_positions_are_those_of_2013(name: str, of_2013: list[str]) -> None:
    assert positions(name) == of_2013


OWN = {"profile", "config", "conf", "events", "prompt", "custom_filename"}
"""What a function has and its method lacks: where the settings come from, and 2013's names."""


@pytest.mark.parametrize(
    ("name", "only_of_the_method"),
    [
        ("backup", {"name", "recorded_source", "ask", "on_excluded", "incremental", "full"}),
        ("restore", {"ask"}),
        ("show", {"deleted", "everything", "since", "host"}),
        ("delete", {"spare_last_complete", "with_dependents", "on_removed"}),
        ("remove_older_than", {"on_plan"}),
        ("rotate_backups", {"on_plan"}),
        ("sync", set()),
        ("verify", {"ask", "on_verified"}),
    ],
)
def test_a_function_takes_what_its_method_takes_with_the_same_defaults(name: str, only_of_the_method: set[str]) -> None:
    of_function = inspect.signature(getattr(bakthat, name)).parameters
    of_method = inspect.signature(getattr(bakthat.Bakthat, name)).parameters
    shared = of_function.keys() - OWN
    assert {each: of_function[each].default for each in shared} == {each: of_method[each].default for each in shared}
    assert of_method.keys() - of_function.keys() - {"self"} == only_of_the_method


@pytest.mark.parametrize("name", ["restore", "remove_older_than", "rotate_backups"])
def test_a_short_form_shows_the_parameters_of_the_long_one_and_its_own_result(name: str) -> None:
    short = inspect.signature(getattr(bakthat.Bakthat, name))
    long = inspect.signature(getattr(bakthat.Bakthat, f"{name}_with_report"))
    assert short.parameters == long.parameters
    assert short.return_annotation in (bakthat.Backup, list[bakthat.Backup])
    assert getattr(bakthat.Bakthat, name).__qualname__.endswith(f".{name}")


def test_the_life_of_a_backup(conf: dict[str, Any], tree: Path, tmp_path: Path) -> None:
    made = bakthat.backup(tree, conf=conf, tags=["a", "b"], custom_filename="web", password="")
    assert (made.filename, made.tags, made.is_encrypted) == ("web", ("a", "b"), False)
    assert bakthat.show("we", conf=conf) == [made]
    assert bakthat.restore("web", conf=conf, target=tmp_path / "out") == made
    assert [verified.error for verified in bakthat.verify(conf=conf)] == [None]
    assert bakthat.rotate_backups("web", conf=conf) == []
    assert bakthat.delete_older_than("web", "1M", conf=conf) == []
    (tmp_path / "db.sqlite").unlink()
    assert len(bakthat.sync(conf=conf).added) == 1
    assert bakthat.delete("web", conf=conf, dry_run=True).is_deleted is False
    assert bakthat.delete("web", conf=conf).is_deleted


def test_a_password_encrypts_and_decrypts(conf: dict[str, Any], tree: Path, tmp_path: Path) -> None:
    assert bakthat.backup(tree, conf=conf, password="secret").is_encrypted
    bakthat.restore("site", conf=conf, password="secret", target=tmp_path / "out")


def test_settings_come_from_a_file_and_its_profile(conf: dict[str, Any], tree: Path, tmp_path: Path) -> None:
    file = tmp_path / "settings.yml"
    file.write_text(yaml.safe_dump({"default": {}, "nas": conf}))
    file.chmod(0o600)
    bakthat.backup(str(tree), None, "nas", str(file), "no", "one two", password="")
    assert [made.tags for made in bakthat.show("site", profile="nas", config=file)] == [("one", "two")]


def test_what_is_wrong_with_conf_names_the_key() -> None:
    with pytest.raises(ConfigInvalid, match="compress"):
        bakthat.show(conf={"compress": "perhaps"})


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"local_pth": "/x"}, "conf: unknown key 'local_pth' (did you mean 'local_path'?)"),
        ({"local_pth": "/x", "s3_bukcet": "y"}, "'s3_bukcet' (did you mean 's3_bucket'?)"),
        ({"name": "x"}, "conf: unknown key 'name'"),
        ({"extra": {}}, "conf: unknown key 'extra'"),
        ({"default": {"local_path": "/x"}}, "conf: unknown key 'default'"),
        ({"work": {"local_path": "/x"}}, "give the settings of one profile, not several profiles"),
        ({7: "x"}, "conf: a key must be text, not a number"),
        ({"local_path": 7}, "conf: local_path: expected text, found a number"),
        ([("local_path", "/x")], "conf: expected a dict of settings, found a list"),
        ("settings.yml", "conf: expected a dict of settings, found text"),
    ],
)
def test_a_mistake_in_conf_is_an_error_and_no_backup_in_the_default_folder(
    conf: dict[str, Any], tree: Path, settings: Any, told: str
) -> None:
    given = {"default_destination": "local", **settings} if isinstance(settings, dict) else settings
    for call in (
        lambda: bakthat.backup(tree, conf=given, password=""),
        lambda: bakthat.BakHelper("site", conf=given),
        lambda: bakthat.KeyValue(given),
    ):
        with pytest.raises(ConfigInvalid) as caught:
            call()
        assert told in str(caught.value)


def test_settings_of_2013_in_conf_are_named_and_not_used(
    conf: dict[str, Any], tree: Path, caplog: pytest.LogCaptureFixture
) -> None:
    bakthat.backup(tree, conf={**conf, "plugins": [], "auth_url": "x"}, password="")
    assert "conf: bakthat 1.0 does not use auth_url, plugins of 2013" in caplog.text


def test_an_empty_conf_is_not_the_file() -> None:
    with pytest.raises(ConfigInvalid, match="names no s3_bucket"):
        bakthat.sync(conf={})


def test_the_library_never_asks(conf: dict[str, Any], tree: Path) -> None:
    with pytest.raises(UsageError, match="never asks"):
        bakthat.backup(tree, conf=conf, prompt="yes")


def test_events_that_are_handed_in_are_used(conf: dict[str, Any], tree: Path) -> None:
    events = Events()
    heard: list[str] = []
    events.on_backup += lambda session, backup: heard.append(backup.filename)
    bakthat.backup(tree, conf=conf, password="", events=events)
    bakthat.backup(tree, conf=conf, password="", events=events)
    assert heard == ["site", "site"]


def test_an_alias_is_the_same_function() -> None:
    assert bakthat.delete_older_than is bakthat.remove_older_than
