"""What the section `jobs` of a profile means, and what is wrong with it."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest
from attrs import fields_dict

from bakthat.domain.job import SETTINGS, Job, chosen_jobs, jobs_of
from bakthat.domain.profile import Profile
from bakthat.domain.rotation import RotationPolicy
from bakthat.errors import ConfigInvalid


def job(**section: Any) -> Job:
    return jobs_of(Profile(jobs={"one": section}))["one"]


def problem(section: object, name: object = "one") -> str:
    with pytest.raises(ConfigInvalid) as failed:
        jobs_of(Profile(jobs={name: section}))  # type: ignore[dict-item]
    return str(failed.value)


def test_a_job_has_the_settings_of_its_profile() -> None:
    profile = Profile(s3_bucket="b", rotation={"days": 7}, compression="zstd", jobs={"etc": {"source": "/etc"}})
    found = jobs_of(profile)["etc"]
    assert (found.series, found.destination, found.rotation) == ("etc", "s3", RotationPolicy(days=7))
    assert (found.profile.s3_bucket, found.profile.compression) == ("b", "zstd")


def test_a_job_replaces_settings_of_its_profile() -> None:
    profile = Profile(rotation={"days": 7}, jobs={"etc": {"source": "/etc", "rotation": {"days": 14}, "xattrs": False}})
    found = jobs_of(profile)["etc"]
    assert (found.rotation, found.profile.xattrs) == (RotationPolicy(days=14), False)


@pytest.mark.parametrize(
    ("of_profile", "of_job", "found"),
    [
        ({"compress": False}, {"compression": "zstd"}, ("zstd", True, None, None)),
        ({"password_file": "/p"}, {"password_command": "pass x"}, (None, True, "pass x", None)),
        ({"password_command": "pass x"}, {"password_file": "/p"}, (None, True, None, "/p")),
        ({"password_file": "/p"}, {"password_command": None}, (None, True, None, "/p")),
    ],
)
def test_a_setting_of_the_profile_that_contradicts_the_jobs_gives_way(
    of_profile: dict[str, Any], of_job: dict[str, Any], found: tuple[Any, ...]
) -> None:
    profile = jobs_of(Profile(**of_profile, jobs={"etc": {"source": "/etc", **of_job}}))["etc"].profile
    assert (profile.compression, profile.compress, profile.password_command, profile.password_file) == found


def test_a_null_takes_the_profiles_rotation_away() -> None:
    profile = Profile(rotation={"days": 7}, jobs={"etc": {"source": "/etc", "rotation": None}})
    assert jobs_of(profile)["etc"].rotation is None


def test_every_setting_that_concerns_a_backup_may_be_a_jobs_own() -> None:
    of_stores = {
        *("access_key", "secret_key", "aws_profile", "region_name", "endpoint_url", "addressing_style", "s3_bucket"),
        *("s3_prefix", "glacier_vault", "glacier_storage_class", "local_path", "stores"),
    }
    of_all = {"name", "extra", "jobs", "database", "default_destination"}
    assert set(fields_dict(Profile)) - set(SETTINGS) == of_stores | of_all


def test_a_job_has_keys_of_its_own() -> None:
    found = job(
        command=["pg_dump", "shop"],
        name="shop.sql",
        destination="local",
        tags="db nightly",
        verify_every="30D",
        max_age="26h",
    )
    assert (found.command, found.series, found.destination) == (("pg_dump", "shop"), "shop.sql", "local")
    assert (found.tags, found.recorded_source) == (("db", "nightly"), "-")
    assert (found.verify_every, found.max_age) == (timedelta(days=30), timedelta(hours=26))


def test_a_command_may_be_a_text() -> None:
    assert job(command="pg_dump 'my shop'", name="x").command == ("pg_dump", "my shop")


def test_the_paths_of_a_job_are_made_absolute() -> None:
    profile = Profile(jobs={"photos": {"source": "~/photos", "exclude_from": "~/patterns"}})
    found = jobs_of(profile, home=lambda path: path.replace("~", "/home/me"))["photos"]
    assert (found.source, found.exclude_from) == ("/home/me/photos", ("/home/me/patterns",))


@pytest.mark.parametrize(
    ("section", "words"),
    [
        ("/etc", "expected settings such as `source: /etc`, found text"),
        ({}, "give it `source: /etc` or `command: [pg_dump, shop]`"),
        ({"source": "/etc", "command": "x"}, "a source or a command; give it one of them"),
        ({"source": "/etc", "exlude": ["a"]}, "unknown key 'exlude' (did you mean 'exclude'?)"),
        ({"source": "/etc", "s3_prefix": "x"}, "s3_prefix is a setting of the whole profile; make another profile"),
        ({"source": "etc"}, "source: expected an absolute path"),
        ({"source": "/"}, "no name of its own; add `name:`"),
        ({"source": "/a.tar.gz"}, "add `name:`"),
        ({"source": "/a", "exclude_from": "b"}, "exclude_from: expected an absolute path"),
        ({"command": "x"}, "the output of a command needs a name"),
        ({"command": "x 'y", "name": "a"}, "command: a quotation mark in it is not closed"),
        ({"command": [], "name": "a"}, "command: expected a command"),
        ({"command": "x", "name": "a", "gitignore": False}, "gitignore is for files and directories"),
        ({"source": "/etc", "name": "a/b"}, "name: 'a/b' holds a slash"),
        ({"source": "/etc", "max_age": 26}, "max_age: expected text such as 26h or 30D, found a number"),
        ({"source": "/etc", "verify_every": "30"}, "verify_every: the number at place 1 has no unit; an interval is"),
        ({"source": "/etc", "max_age": "0h"}, "max_age: the number at place 1 is zero"),
        ({"source": "/etc", "max_age": "9999Y"}, "max_age: it is longer than 1000 years"),
        ({"source": "/etc", "max_age": timedelta()}, "max_age: an interval must be longer than 0"),
        ({"source": "/etc", "rotation": {"dayz": 1}}, "rotation has an unknown key"),
        ({"source": "/etc", "rotation": {"days": 0}}, "the rotation policy keeps nothing"),
        ({"source": "/etc", "compress": "perhaps"}, "compress: expected true or false"),
        ({"source": "/etc", "compression": "zstd", "compress": False}, "contradicts `compress: false`"),
        ({"source": "/etc", "ping": "hc.example.org"}, "ping: expected a URL"),
    ],
    ids=lambda value: value[:20] if isinstance(value, str) else "-".join(value),
)
def test_what_is_wrong_with_a_job_is_one_line_that_names_it(section: object, words: str) -> None:
    message = problem(section)
    assert message.startswith("profile 'default': jobs.one: ")
    assert words in message
    assert "\n" not in message


@pytest.mark.parametrize("name", ["a/b", "", "-x", "a b"], ids=["slash", "empty", "dash", "space"])
def test_a_jobs_name_is_a_word(name: object) -> None:
    assert "is not the name of a job" in problem({"source": "/etc"}, name)


@pytest.mark.parametrize(
    ("name", "kind"), [(5, "a number"), (True, "true or false"), (None, "nothing"), (date(2026, 1, 2), "a date")]
)
def test_a_jobs_name_that_yaml_takes_for_something_else_must_be_quoted(name: object, kind: str) -> None:
    assert f"the name of a job is text, found {kind}: put it in quotes" in problem({"source": "/etc"}, name)


def test_a_home_directory_that_there_is_not_names_the_job() -> None:
    def home(_: str) -> str:
        raise ConfigInvalid("a path: there is no home directory")

    with pytest.raises(ConfigInvalid, match=r"^profile 'default': jobs\.etc: a path: there is no home directory"):
        jobs_of(Profile(jobs={"etc": {"source": "~/x"}}), home=home)


def test_several_mistakes_are_named_at_once() -> None:
    message = problem({"source": "etc", "tagz": 1})
    assert "source: " in message
    assert "'tagz'" in message


def test_two_jobs_must_not_make_the_same_series() -> None:
    profile = Profile(jobs={"a": {"command": "x", "name": "dump"}, "b": {"command": "y", "name": "dump"}})
    with pytest.raises(ConfigInvalid, match="a and b would make the same series 'dump'"):
        jobs_of(profile)


def test_one_source_may_go_to_two_destinations() -> None:
    profile = Profile(jobs={"a": {"source": "/etc"}, "b": {"source": "/etc", "destination": "local"}})
    assert list(jobs_of(profile)) == ["a", "b"]


def test_a_secret_of_a_job_is_in_no_repr() -> None:
    assert "token" not in repr(job(command="dump --token", name="a", ping="https://hc.example.org/token"))


@pytest.mark.parametrize(
    ("since", "is_due"),
    [(None, True), (timedelta(days=1), True), (timedelta(hours=23.1), True), (timedelta(hours=22), False)],
    ids=["never", "a day", "a little earlier", "too early"],
)
def test_a_nightly_run_verifies_every_night(since: timedelta | None, is_due: bool) -> None:
    assert job(source="/etc", verify_every="1D").verification_is_due(since) is is_due


def test_without_verify_every_nothing_is_verified() -> None:
    assert not job(source="/etc").verification_is_due(None)


# choosing

TWO = jobs_of(Profile(jobs={"etc": {"source": "/etc"}, "shop": {"command": "x", "name": "shop"}}))


def test_without_a_name_all_jobs_are_chosen_in_the_order_of_the_file() -> None:
    assert [one.name for one in chosen_jobs(TWO, [], "default")] == ["etc", "shop"]


def test_each_named_job_is_chosen_once() -> None:
    assert [one.name for one in chosen_jobs(TWO, ["shop", "etc", "shop"], "default")] == ["shop", "etc"]


def test_an_unknown_job_is_an_error_with_the_nearest() -> None:
    with pytest.raises(ConfigInvalid, match=r"has no job 'shp', did you mean 'shop'\? \(there are etc, shop\)"):
        chosen_jobs(TWO, ["shp"], "default")


def test_a_profile_without_jobs_has_nothing_to_run() -> None:
    with pytest.raises(ConfigInvalid, match="has no jobs; describe them under `jobs`"):
        chosen_jobs({}, [], "default")
