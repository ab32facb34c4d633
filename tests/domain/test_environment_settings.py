"""Settings from the environment: which variables there are, what their text means, and what is said about others."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from attrs import evolve, fields

from bakthat.domain.environment_settings import (
    VARIABLES,
    replaced_destination,
    set_variables,
    unknown_variables,
    with_environment,
)
from bakthat.domain.profile import Profile
from bakthat.errors import ConfigInvalid

IN_FILES_ONLY = {"name", "extra", "hooks", "jobs", "stores", "object_lock"}


def test_every_key_with_a_single_value_has_a_variable():
    keys = {setting.name for setting in fields(Profile)} - IN_FILES_ONLY - {"password_file"}
    assert set(VARIABLES.values()) == keys
    assert all(name == f"BAKTHAT_{key.upper()}" for name, key in VARIABLES.items())


@pytest.mark.parametrize(
    ("variable", "text", "value"),
    [
        ("BAKTHAT_S3_BUCKET", "012345", "012345"),
        ("BAKTHAT_S3_PREFIX", "2026-01-02", "2026-01-02"),
        ("BAKTHAT_ENDPOINT_URL", "https://nas.example:9000", "https://nas.example:9000"),
        ("BAKTHAT_COMPRESS", "no", False),
        ("BAKTHAT_EXCLUDE_CACHES", "TRUE", True),
        ("BAKTHAT_ONE_FILE_SYSTEM", "1", True),
        ("BAKTHAT_GITIGNORE", "off", False),
        ("BAKTHAT_MAX_CONCURRENCY", "8", 8),
        ("BAKTHAT_PART_SIZE", "16MiB", 16 * 2**20),
        ("BAKTHAT_PART_SIZE", "16777216", 16 * 2**20),
        ("BAKTHAT_EXCLUDE_LARGER_THAN", "500M", 500_000_000),
        ("BAKTHAT_RECIPIENTS", "age1a, age1b\nage1c\n", ("age1a", "age1b", "age1c")),
        ("BAKTHAT_PASSWORD_COMMAND", "pass show backups", "pass show backups"),
        ("BAKTHAT_INCREMENTAL", "yes", True),
        ("BAKTHAT_INCREMENTAL", "full_every=30D most=7", {"full_every": "30D", "most": "7"}),
        ("BAKTHAT_ROTATION", "days=7 weeks=4", {"days": "7", "weeks": "4"}),
        ("BAKTHAT_ROTATION", "{days: 7, first_week_day: monday}", {"days": "7", "first_week_day": "monday"}),
    ],
)
def test_the_text_of_a_variable_is_read_by_the_type_of_its_key(variable: str, text: str, value: object):
    assert getattr(with_environment(Profile(), {variable: text}), VARIABLES[variable]) == value


@pytest.mark.parametrize(
    ("variable", "text", "told"),
    [
        ("BAKTHAT_COMPRESS", "hidden", "expected true or false"),
        ("BAKTHAT_MAX_CONCURRENCY", "hidden", "expected a whole number from 1"),
        ("BAKTHAT_MAX_CONCURRENCY", "0", "expected a whole number from 1"),
        ("BAKTHAT_PART_SIZE", "hidden", "expected a size from 5MiB to 5GiB"),
        ("BAKTHAT_ENDPOINT_URL", "hidden", "expected a URL that begins with https://"),
        ("BAKTHAT_ADDRESSING_STYLE", "hidden", "expected path, virtual or auto"),
        ("BAKTHAT_ROTATION", "days", "expected names and numbers: days=7 weeks=4 months=12"),
        ("BAKTHAT_ROTATION", "days=7 days=8", "expected names and numbers"),
        ("BAKTHAT_ROTATION", "yaers=7", "rotation has an unknown key 'yaers'"),
        ("BAKTHAT_ROTATION", "days=0", "the rotation policy keeps nothing"),
        ("BAKTHAT_PASSWORD_COMMAND", "", "is set, but empty"),
        ("BAKTHAT_RECIPIENTS", " ", "is set, but empty"),
    ],
)
def test_a_wrong_value_is_an_error_that_names_the_variable_and_not_the_value(variable: str, text: str, told: str):
    with pytest.raises(ConfigInvalid, match=f"^{variable}") as caught:
        with_environment(Profile(), {variable: text})
    assert told in str(caught.value)
    assert "hidden" not in str(caught.value)


def test_one_error_names_all_wrong_variables():
    with pytest.raises(ConfigInvalid, match=r"^BAKTHAT_COMPRESS: .*; BAKTHAT_MAX_CONCURRENCY: "):
        with_environment(Profile(), {"BAKTHAT_COMPRESS": "x", "BAKTHAT_MAX_CONCURRENCY": "x"})


def test_the_environment_stands_before_the_file():
    profile = Profile(s3_bucket="file", s3_prefix="kept")
    assert with_environment(profile, {"BAKTHAT_S3_BUCKET": "environment"}) == evolve(profile, s3_bucket="environment")


def test_an_empty_variable_is_not_set():
    profile = Profile(s3_bucket="file")
    assert with_environment(profile, {"BAKTHAT_S3_BUCKET": ""}) is profile
    assert set_variables({"BAKTHAT_S3_BUCKET": "", "BAKTHAT_HOST": "x"}) == ["BAKTHAT_HOST"]


@pytest.mark.parametrize(
    ("of_file", "environment", "left"),
    [
        ({"compress": False}, {"BAKTHAT_COMPRESSION": "zstd"}, {"compression": "zstd", "compress": True}),
        ({"compression": "zstd"}, {"BAKTHAT_COMPRESS": "no"}, {"compression": None, "compress": False}),
        ({"compression": "none"}, {"BAKTHAT_COMPRESS": "yes"}, {"compression": None, "compress": True}),
        ({"compression": "zstd"}, {"BAKTHAT_COMPRESS": "yes"}, {"compression": "zstd", "compress": True}),
        ({"compression": "none"}, {"BAKTHAT_COMPRESS": "no"}, {"compression": "none", "compress": False}),
        ({"compress": False}, {"BAKTHAT_COMPRESSION": "none"}, {"compression": "none", "compress": False}),
        (
            {"password_file": "/file"},
            {"BAKTHAT_PASSWORD_COMMAND": "pass x"},
            {"password_command": "pass x", "password_file": None},
        ),
    ],
)
def test_a_variable_removes_the_key_of_the_file_that_contradicts_it(
    of_file: Mapping[str, Any], environment: Mapping[str, str], left: Mapping[str, Any]
):
    profile = with_environment(Profile(**of_file), environment)
    assert {key: getattr(profile, key) for key in left} == left


def test_two_variables_that_contradict_each_other_are_an_error_that_names_both():
    with pytest.raises(ConfigInvalid, match="with BAKTHAT_COMPRESSION, BAKTHAT_COMPRESS of the environment: compress"):
        with_environment(Profile(), {"BAKTHAT_COMPRESS": "no", "BAKTHAT_COMPRESSION": "zstd", "BAKTHAT_HOST": "x"})


def test_an_unknown_variable_is_named_with_the_nearest_known_one():
    assert unknown_variables({"BAKTHAT_S3BUCKET": "hidden", "S3_BUCKET": "x"}) == [
        "BAKTHAT_S3BUCKET: unknown variable (did you mean BAKTHAT_S3_BUCKET?); it is not used"
    ]


def test_nothing_is_suggested_for_what_resembles_no_variable():
    assert unknown_variables({"BAKTHAT_FOO": "x"}) == ["BAKTHAT_FOO: unknown variable; it is not used"]


def test_a_key_that_only_a_file_can_have_is_named_as_such():
    assert unknown_variables({"BAKTHAT_HOOKS": "x"}) == [
        "BAKTHAT_HOOKS: 'hooks' cannot be set by the environment, only in the file"
    ]


def test_nothing_is_said_about_variables_that_are_used():
    others = ["BAKTHAT_PROFILE", "BAKTHAT_CONFIG", "BAKTHAT_PASSWORD", "BAKTHAT_PASSWORD_FILE", "BAKTHAT_PAGER"]
    assert unknown_variables(dict.fromkeys([*VARIABLES, *others], "x")) == []


@pytest.mark.parametrize(
    ("before", "environment", "replaced"),
    [
        ({"s3_bucket": "a"}, {"BAKTHAT_S3_BUCKET": "b"}, ["BAKTHAT_S3_BUCKET"]),
        ({"s3_bucket": "a"}, {"BAKTHAT_S3_BUCKET": "a"}, []),
        ({"s3_bucket": "a"}, {"BAKTHAT_S3_PREFIX": "p"}, ["BAKTHAT_S3_PREFIX"]),
        ({"s3_bucket": "a"}, {"BAKTHAT_ENDPOINT_URL": "http://nas"}, ["BAKTHAT_ENDPOINT_URL"]),
        ({"s3_bucket": "a"}, {"BAKTHAT_DEFAULT_DESTINATION": "local"}, ["BAKTHAT_DEFAULT_DESTINATION"]),
        ({"s3_bucket": "a"}, {"BAKTHAT_LOCAL_PATH": "/b"}, []),
        ({"s3_bucket": "a"}, {"BAKTHAT_COMPRESSION": "zstd"}, []),
        ({"glacier_vault": "v"}, {"BAKTHAT_REGION_NAME": "eu-west-1"}, ["BAKTHAT_REGION_NAME"]),
        ({"default_destination": "local"}, {"BAKTHAT_LOCAL_PATH": "/b"}, ["BAKTHAT_LOCAL_PATH"]),
        ({"default_destination": "local"}, {"BAKTHAT_S3_BUCKET": "b"}, []),
        ({"local_path": "/a", "s3_bucket": "a"}, {"BAKTHAT_LOCAL_PATH": "/b"}, ["BAKTHAT_LOCAL_PATH"]),
        ({}, {"BAKTHAT_S3_BUCKET": "b"}, []),
        ({}, {"BAKTHAT_LOCAL_PATH": "/b"}, []),
    ],
)
def test_what_replaces_a_destination_is_known(
    before: Mapping[str, Any], environment: Mapping[str, str], replaced: list[str]
):
    profile = Profile(**before)
    assert replaced_destination(profile, with_environment(profile, environment)) == replaced
