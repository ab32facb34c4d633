"""The YAML configuration keeps the contract, says what is wrong in a file, and changes no line that it need not."""

from __future__ import annotations

import os
import stat
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from attrs import evolve
from hypothesis import given, settings
from hypothesis import strategies as st

from bakthat.adapters.config.profile_schema import KEYS
from bakthat.adapters.config.yaml_edit import edited
from bakthat.adapters.config.yaml_file import YamlConfig
from bakthat.domain.profile import Profile
from bakthat.errors import ConfigError, ConfigInvalid, ProfileNotFound
from bakthat.testing.config_source_contract import FULL, FULL_WITH_FILE, ConfigSourceContract
from tests.fixtures.held_secrets import held_by

SECRET = "s3cr3tS3CR3T"  # must never be in a message


class TestYamlConfig(ConfigSourceContract):
    @pytest.fixture
    def source(self, path: Path) -> YamlConfig:
        return YamlConfig(path)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "bakthat.yml"


def written(path: Path, text: str, mode: int = 0o600) -> Path:
    path.write_text(text)
    path.chmod(mode)
    return path


def loaded(path: Path, text: str, profile: str = "default") -> Profile:
    return YamlConfig(written(path, text)).load(profile)


def problem(path: Path, text: str, profile: str = "default") -> str:
    with pytest.raises(ConfigInvalid) as failed:
        loaded(path, text, profile)
    message = str(failed.value)
    assert message.startswith(str(path))
    assert "\n" not in message
    assert SECRET not in held_by(failed.value)
    return message.removeprefix(str(path))


def notices(path: Path, *profiles: str) -> list[str]:
    told: list[str] = []
    config = YamlConfig(path, notice=told.append)
    for profile in profiles or ("default", "default"):
        config.load(profile)
    assert all(SECRET not in notice and "\n" not in notice for notice in told)
    return [notice.removeprefix(str(path)) for notice in told]


def test_the_contract_leaves_no_setting_at_its_default() -> None:
    defaults = Profile()
    assert [key for key in KEYS if getattr(FULL, key) == getattr(defaults, key)] == ["password_file"]
    assert FULL_WITH_FILE.password_file != defaults.password_file


# what is read


def test_an_absent_file_is_a_configuration_of_defaults(path: Path) -> None:
    config = YamlConfig(path)
    assert config.names() == []
    assert config.load("default") == Profile()
    with pytest.raises(ProfileNotFound, match=r"no profile 'prod'; run `bakthat configure -p prod`"):
        config.load("prod")
    assert not path.exists()


def test_an_absent_file_that_was_named_is_an_error(path: Path) -> None:
    for use in (YamlConfig(path, must_exist=True).names, lambda: YamlConfig(path, must_exist=True).load("default")):
        with pytest.raises(ConfigInvalid, match=r"bakthat.yml: there is no such configuration file"):
            use()


@pytest.mark.parametrize("text", ["", "# only a comment\n", "---\n", "default:\n", "default: {}\n", "default: ~\n"])
def test_an_empty_file_or_profile_has_defaults(path: Path, text: str) -> None:
    assert loaded(path, text) == Profile()


def test_the_guides_example_is_read(path: Path) -> None:
    text = """
default:
  access_key: YOUR_ACCESS_KEY
  secret_key: YOUR_SECRET_KEY
  region_name: us-east-1
  glacier_vault: myvault
  s3_bucket: mybucket
myprofile:
  access_key: YOUR_ACCESS_KEY
  secret_key: YOUR_SECRET_KEY
  rotation: {days: 7, first_week_day: 5, months: 6, weeks: 6}
"""
    profile = loaded(path, text, "myprofile")
    assert YamlConfig(path).names() == ["default", "myprofile"]
    assert (profile.name, profile.access_key, profile.s3_bucket) == ("myprofile", "YOUR_ACCESS_KEY", None)
    assert profile.rotation == {"days": 7, "first_week_day": 5, "months": 6, "weeks": 6}


def test_what_was_skipped_in_2013s_configure_is_not_set(path: Path) -> None:
    profile = loaded(path, "default: {access_key: '', glacier_vault: '', region_name: , s3_bucket: b}")
    assert profile == Profile(s3_bucket="b")


def test_text_as_python_2_dumped_it_is_read(path: Path) -> None:
    text = "default: {access_key: !!python/unicode 'ab', s3_bucket: !!python/str 'é'}"
    assert loaded(path, text) == Profile(access_key="ab", s3_bucket="é")


def test_anchors_and_merges_are_read(path: Path) -> None:
    text = "default: &base {s3_bucket: one, compress: false}\nother:\n  <<: *base\n  s3_bucket: two\n"
    assert loaded(path, text, "other") == Profile(name="other", s3_bucket="two", compress=False)


@pytest.mark.parametrize(
    ("written_as", "size"),
    [
        ("8388608", 8 * 2**20), ("16MiB", 16 * 2**20), ("'16 mib'", 16 * 2**20), ("10MB", 10**7), ("5GiB", 5 * 2**30),
        ("8388608B", 8 * 2**20), ("10240KiB", 10 * 2**20),
    ],
)  # fmt: skip
def test_a_part_size_is_bytes_or_a_size_with_its_unit(path: Path, written_as: str, size: int) -> None:
    assert loaded(path, f"default: {{part_size: {written_as}}}").part_size == size


def test_a_single_recipient_need_not_be_a_list(path: Path) -> None:
    assert loaded(path, "default: {recipients: age1x}").recipients == ("age1x",)


def test_a_byte_order_mark_does_no_harm(path: Path) -> None:
    path.write_bytes(b"\xef\xbb\xbfdefault: {s3_bucket: b}\r\n")
    assert YamlConfig(path).load("default").s3_bucket == "b"


# what is wrong


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("default:\n  s3_bucket: [a\n", ", line 3, column 1: expected ',' or ']', but got"),
        (
            "default:\n\ts3_bucket: a\n",
            r", line 2, column 1: found character '\t' that cannot start any token; indent with spaces",
        ),
        ("default: {a: b}}\n", ", line 1, column 16: expected <block end>, but found '}'"),
        ("default:\n  s3_bucket: a\n s3_prefix: b\n", ", line 3, column 2: expected <block end>"),
        (
            f"default:\n  secret_key: !{SECRET}\n",
            ", line 2, column 15: could not determine a constructor for the tag; put a value in",
        ),
        (f"default:\n  secret_key: *{SECRET}\n", ", line 2, column 15: found undefined alias"),
        (
            f"default:\n  secret_key: @{SECRET}\n",
            ", line 2, column 15: found character '@' that cannot start any token; put a value in quotes",
        ),
        (f"default:\n  secret_key: a: {SECRET}\n", ", line 2, column 16: mapping values are not allowed here; put a"),
        ("default:\n  s3_bucket: a\n  s3_bucket: b\n", ", line 3, column 3: duplicate key"),
        ("default: {}\ndefault: {}\n", ", line 2, column 1: duplicate key"),
        ("default:\n  access_key: 2013-99-99\n", ", line 2, column 15: this looks like a number or a date"),
        ("default: {}\n---\ndefault: {}\n", ", line 2, column 1: but found another document"),
        ("default:\n  s3_bucket: a\x00b\n", ", line 2, column 15: a control character"),
        ("- default\n", ": expected profiles (`default:` and settings below it), found a list"),
        ("just text\n", ": expected profiles (`default:` and settings below it), found text"),
        ("1: {}\n", ": a profile's name must be text, not a number: put it in quotes"),
        ("default: yes\n", ": profile 'default': expected settings, found true or false"),
        ("default: {1: 2}\n", ": profile 'default': a key must be text, not a number"),
        (f"secret_key: {SECRET}\n", ": 'secret_key' is outside of any profile; put the settings, indented, below"),
        (
            "default: {}\njobs: {etc: {source: /etc}}\n",
            ": 'jobs' is outside of any profile; put the settings, indented",
        ),
        ("default: {}\nrotation: {days: 7}\n", ": 'rotation' is outside of any profile; put the settings, indented"),
    ],
)
def test_a_file_that_is_not_a_configuration_is_named_with_the_place(path: Path, text: str, expected: str) -> None:
    assert problem(path, text).startswith(expected)


def test_bytes_that_are_not_utf_8_are_named_with_their_line(path: Path) -> None:
    path.write_bytes(f"default:\n  secret_key: {SECRET}\n".encode() + b"  s3_bucket: caf\xe9\n")
    with pytest.raises(ConfigInvalid, match="line 3: this is not UTF-8") as failed:
        YamlConfig(path).load("default")
    assert SECRET not in held_by(failed.value)


def test_a_file_nested_too_deep_is_refused(path: Path) -> None:
    assert "nested too deep" in problem(path, "default: {rotation: " + "[" * 100_000 + "]" * 100_000 + "}")


@pytest.mark.parametrize(
    ("setting", "expected"),
    [
        ("access_key: 012345", "access_key: expected text, found a number: put it in quotes"),
        ("secret_key: 1234567890123456789012345678901234567890", "secret_key: expected text, found a number: put it"),
        ("s3_bucket: 2013-01-02", "s3_bucket: expected text, found a date: put it in quotes"),
        ("s3_bucket: yes", "s3_bucket: expected text, found true or false: put it in quotes"),
        (f"s3_bucket: [{SECRET}]", "s3_bucket: expected text, found a list"),
        ("default_destination: {s3: 1}", "default_destination: expected text, found a mapping"),
        ("storage_class: 1", "storage_class: expected text, found a number: put it in quotes"),
        ("compress: 1", "compress: expected true or false, found a number"),
        ("compress: 'no'", "compress: expected true or false, found text"),
        ("max_concurrency: 0", "max_concurrency: expected a whole number from 1"),
        ("max_concurrency: true", "max_concurrency: expected a whole number from 1"),
        ("max_concurrency: 1.5", "max_concurrency: expected a whole number from 1"),
        ("part_size: 1048576", "part_size: expected a size from 5MiB to 5GiB: a number of bytes, or a text such as"),
        ("part_size: 6GiB", "part_size: expected a size from 5MiB to 5GiB"),
        ("part_size: 16M", "part_size: expected a size from 5MiB to 5GiB"),
        ("exclude_larger_than: -1", "exclude_larger_than: expected a size: a number of bytes, or a text such as 500M"),
        ("exclude_larger_than: true", "exclude_larger_than: expected a size"),
        ("exclude_larger_than: big", "exclude_larger_than: expected a size"),
        ("one_file_system: maybe", "one_file_system: expected true or false"),
        ("exclude_if_present: {a: b}", "exclude_if_present: expected a list of texts"),
        ("part_size: true", "part_size: expected a size from 5MiB to 5GiB"),
        ("part_size: 16.5", "part_size: expected a size from 5MiB to 5GiB"),
        ("addressing_style: host", "addressing_style: expected path, virtual or auto"),
        ("checksums: always", "checksums: expected when_supported or when_required"),
        ("checksums: []", "checksums: expected when_supported or when_required"),
        ("recipients: [1]", "recipients: expected a list of texts"),
        ("recipients: {a: b}", "recipients: expected a list of texts"),
        ("endpoint_url: localhost:9000", "endpoint_url: expected a URL that begins with https:// or http://"),
        ("endpoint_url: 'http://localhost:90000'", "endpoint_url: the port of the URL is above 65535"),
        (f"ping: 'http://localhost:{'9' * 5000}/x'", "ping: the port of the URL is above 65535"),
        ("endpoint_url: 'http://'", "endpoint_url: expected a URL that begins with https:// or http://"),
        ("endpoint_url: 'http://[x'", "endpoint_url: expected a URL that begins with https:// or http://"),
        ("endpoint_url: 9000", "endpoint_url: expected text, found a number"),
        ("password_command: []", "password_command: expected a command: a text, or a list of texts"),
        ("password_command: 5", "password_command: expected a command: a text, or a list of texts"),
        (f"database: [{SECRET}]", "database: expected text, found a list"),
        ("rotation: 7", "rotation: expected settings (`name: value` lines below it), found a number"),
        ("hooks: [x]", "hooks: expected settings (`name: value` lines below it), found a list"),
    ],
)
def test_a_wrong_value_is_named_with_profile_and_key(path: Path, setting: str, expected: str) -> None:
    text = f"default:\n  {setting}\n"
    assert problem(path, text).startswith(f": profile 'default': {expected}")


def test_all_wrong_values_of_a_profile_are_named_at_once(path: Path) -> None:
    message = problem(path, "default:\n  compress: 1\n  s3_bucket: 2\n")
    assert message == (
        ": profile 'default': s3_bucket: expected text, found a number: put it in quotes; "
        "compress: expected true or false, found a number"
    )


def test_a_wrong_value_in_another_profile_does_no_harm(path: Path) -> None:
    assert loaded(path, "default: {s3_bucket: b}\nother: {compress: 1}\n").s3_bucket == "b"


def test_a_file_that_may_not_be_read_is_an_error(path: Path) -> None:
    path.mkdir()
    with pytest.raises(ConfigInvalid, match=r"bakthat.yml cannot be read: Is a directory"):
        YamlConfig(path).names()


# what is noticed


def test_an_unknown_key_is_noticed_once_with_the_nearest_known_one(path: Path) -> None:
    written(path, "default: {regoin_name: x, zzz: y}\n")
    assert notices(path) == [
        ": profile 'default': unknown key 'regoin_name' (did you mean 'region_name'?); it is not used",
        ": profile 'default': unknown key 'zzz'; it is not used",
    ]


def test_keys_of_2013_are_named_once_in_one_notice(path: Path) -> None:
    written(
        path,
        f"sync: {{url: u, username: n, password: {SECRET}, auto: true}}\n"
        f"default: {{plugins: [a.B], bakmanager_token: {SECRET}}}\n"
        "swift: {auth_url: u, auth_version: '1', plugins_dir: d, plugins: []}\n",
    )
    assert notices(path, "default", "swift", "default") == [
        ": bakthat 1.0 does not use auth_url, auth_version, bakmanager_token, plugins, plugins_dir, sync of 2013; "
        "they stay in the file"
    ]
    assert YamlConfig(path).names() == ["default", "swift"]


def test_a_profile_may_be_called_sync(path: Path) -> None:
    assert loaded(path, "sync: {s3_bucket: b}\n", "sync").s3_bucket == "b"


@pytest.mark.parametrize(
    "setting",
    [
        f"secret_key: {SECRET}",
        f"access_key: {SECRET}",
        f"database: postgresql://me:{SECRET}@h/d",
        f"bakmanager_token: {SECRET}",
        f"ping: https://hc.example.org/{SECRET}",
        f"jobs: {{etc: {{source: /etc, ping: https://hc.example.org/{SECRET}}}}}",
    ],
)
def test_a_file_with_keys_that_others_may_read_is_noticed(path: Path, setting: str) -> None:
    written(path, f"default:\n  {setting}\n", mode=0o640)
    assert f" contains secrets, and others may read it (mode 0640); run: chmod 600 {path}" in notices(path)


def test_a_file_without_keys_may_be_read_by_others(path: Path) -> None:
    written(path, "default: {s3_bucket: b, database: postgresql://me@h/d, secret_key: ''}\n", mode=0o644)
    assert notices(path) == []


def test_without_a_listener_notices_go_nowhere(path: Path) -> None:
    assert loaded(path, "default: {zzz: 1}\n").extra == {"zzz": 1}


# what is saved


def test_a_saved_file_is_for_its_owner_only(path: Path) -> None:
    written(path, "default: {}\n", mode=0o644)
    YamlConfig(path).save(Profile(secret_key=SECRET))
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(path.parent.iterdir()) == [path]


def test_missing_folders_are_created(tmp_path: Path) -> None:
    YamlConfig(tmp_path / "a" / "b.yml").save(Profile(s3_bucket="b"))
    assert (tmp_path / "a" / "b.yml").read_text() == "default:\n  s3_bucket: b\n"


def test_a_setting_with_its_default_is_written_only_if_the_file_had_it(path: Path) -> None:
    written(path, "default:\n  compress: false\n")
    YamlConfig(path).save(Profile(compress=True, s3_bucket="b", max_concurrency=4))
    assert path.read_text() == "default:\n  compress: true\n  s3_bucket: b\n"


@pytest.mark.parametrize("destination", ["local", "s3"])
def test_the_destination_of_a_profile_with_a_folder_is_that_which_was_saved(path: Path, destination: str) -> None:
    YamlConfig(path).save(Profile(local_path="/disk", default_destination=destination))
    assert YamlConfig(path).load("default").default_destination == destination


def test_a_value_that_means_the_same_stays_as_it_was_written(path: Path) -> None:
    text = "default:\n  part_size: 16MiB\n  recipients: age1x\n  glacier_vault: ''\n  region_name:\n"
    config = YamlConfig(written(path, text))
    config.save(evolve(config.load("default"), compress=False))
    assert path.read_text() == text + "  compress: false\n"


COMMENTED = """\
# My backups.
default:            # the house
    secret_key: 'a#b'   # do not tell
    access_key:     AKIA
    rotation:
        # keep these
        days: 7   # a week
        weeks: 6
    # the receivers
    recipients:
    - age1a  # me
    - age1b
    future: {x: 1}

# Of work.
work:
    s3_bucket: >-
        folded
    compress: no
# The end.
"""


def test_saving_changes_no_line_that_it_need_not(path: Path) -> None:
    config = YamlConfig(written(path, COMMENTED))
    profile = config.load("default")
    config.save(
        evolve(
            profile,
            access_key="1e5",
            rotation={"days": 14, "months": 12},
            recipients=("age1c", "age1d", "age1: e"),
            s3_bucket="b",
            extra={**profile.extra, "more": [1]},
        )
    )
    assert (
        path.read_text()
        == """\
# My backups.
default:            # the house
    secret_key: 'a#b'   # do not tell
    access_key:     1e5
    rotation:
        # keep these
        days: 14   # a week
        months: 12
    # the receivers
    recipients:
    - age1c
    - age1d
    - 'age1: e'
    future: {x: 1}
    s3_bucket: b
    more:
    - 1

# Of work.
work:
    s3_bucket: >-
        folded
    compress: no
# The end.
"""
    )


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("# top\n", "# top\ndefault:\n  s3_bucket: b\n"),
        ("# top", "# top\ndefault:\n  s3_bucket: b\n"),
        ("other: {}\n\n# end", "other: {}\ndefault:\n  s3_bucket: b\n\n# end"),
        ("default:\n# c\nother: {}\n", "default:\n  s3_bucket: b\n# c\nother: {}\n"),
        ("default: {} # c\n", "default: {s3_bucket: b} # c\n"),
        ("default: {compress: true} # c\n", "default: {compress: true, s3_bucket: b} # c\n"),
        ("default:\n  s3_bucket: # c\n", "default:\n  s3_bucket: b # c\n"),
        ("default:\n  s3_bucket: |\n    old\n  # c\n", "default:\n  s3_bucket: b\n  # c\n"),
        ('default:\n  "s3_bucket": "old" # c', 'default:\n  "s3_bucket": b # c'),
        ("default:\n  compress: true # c", "default:\n  compress: true # c\n  s3_bucket: b\n"),
        ("default:\r\n  s3_bucket: old # c\r\n", "default:\r\n  s3_bucket: b # c\r\n"),
        ("default: {} # c\n...\n", "default: {s3_bucket: b} # c\n...\n"),
        ("other: {} # c\n...\n", "other: {} # c\ndefault:\n  s3_bucket: b\n...\n"),
        ("---\n# c\ndefault: {s3_bucket: old}\n", "---\n# c\ndefault: {s3_bucket: b}\n"),
    ],
)
def test_a_new_value_finds_its_place(path: Path, before: str, after: str) -> None:
    path.write_bytes(before.encode())
    YamlConfig(path).save(Profile(s3_bucket="b"))
    assert path.read_bytes().decode() == after
    assert YamlConfig(path).load("default").s3_bucket == "b"


@pytest.mark.parametrize(
    "text",
    [
        "# mine\nbase: &b {s3_bucket: one}\ndefault:\n  <<: *b\n",
        "# mine\nbase: &b\n  s3_bucket: one\ndefault: *b\n",
        "# mine\ndefault: &b\n  s3_bucket: one\nbase: *b\n",
        "{default: {s3_bucket: one}} # mine\n",
    ],
)
def test_a_form_that_cannot_be_changed_in_place_is_written_anew_and_its_comments_are_kept(
    path: Path, text: str
) -> None:
    written(path, text)
    told: list[str] = []
    config = YamlConfig(path, notice=told.append)
    config.save(Profile(s3_bucket="two"))
    assert config.load("default").s3_bucket == "two"
    assert "base" not in text or config.load("base").s3_bucket == "one"
    kept = path.with_name("bakthat.yml.bak")
    assert kept.read_text() == text
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert told == [f"{path} was rewritten without its comments; the previous version is {kept}"]
    config.save(Profile(s3_bucket="three"))
    assert kept.read_text() == text


_keys = st.sampled_from(["default", "work", "s3_bucket", "rotation", "days", "x y", "1", "yes", "ü"])
_scalars = (
    st.none() | st.booleans() | st.integers() | st.text(st.characters(codec="utf-8", categories=["L", "N", "P", "Z"]))
)
_values = st.recursive(
    _scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_keys, inner, max_size=3), max_leaves=8
)
_documents = st.dictionaries(_keys, _values, min_size=1, max_size=4)


@settings(max_examples=60, deadline=None)
@given(old=_documents, new=_documents, flow=st.sampled_from([True, False, None]), indent=st.sampled_from([2, 4]))
def test_an_edited_text_reads_as_it_should(
    old: dict[str, Any], new: dict[str, Any], flow: bool | None, indent: int
) -> None:
    text = yaml.safe_dump(old, default_flow_style=flow, indent=indent, sort_keys=False, allow_unicode=True)
    # Half of what was there stays, so that every kind of edit occurs.
    mixed = {key: old[key] if i % 2 else new.get(key, old[key]) for i, key in enumerate(old)} | new
    for target in (new, mixed, old):
        result = edited(text, old, target)
        assert result is None or yaml.safe_load(result) == target
    assert edited(text, old, old) in (text, None)
    assert flow is not False or edited(text, old, old) == text


def test_a_link_stays_a_link_and_its_target_is_changed(tmp_path: Path) -> None:
    target = tmp_path / "dotfiles" / "bakthat.yml"
    target.parent.mkdir()
    target.write_text("default:\n  s3_bucket: a # c\n")
    link = tmp_path / ".bakthat.yml"
    link.symlink_to("dotfiles/bakthat.yml")
    YamlConfig(link).save(Profile(s3_bucket="b"))
    assert os.readlink(link) == "dotfiles/bakthat.yml"
    assert target.read_text() == "default:\n  s3_bucket: b # c\n"
    assert sorted(tmp_path.iterdir()) == [link, target.parent]
    assert list(target.parent.iterdir()) == [target]


def test_a_file_that_root_saves_for_somebody_else_stays_theirs(path: Path) -> None:
    written(path, "default: {}\n")
    if os.geteuid() == 0:
        os.chown(path, 65534, 65534)
    owner = path.stat().st_uid, path.stat().st_gid
    YamlConfig(path).save(Profile(s3_bucket="b"))
    assert (path.stat().st_uid, path.stat().st_gid) == owner
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_file_that_cannot_be_read_is_never_overwritten(path: Path) -> None:
    for text in ("default: [", "- a\n", "default: yes\n", "sync: [1]\n"):
        written(path, text)
        with pytest.raises(ConfigInvalid):
            YamlConfig(path).save(Profile(s3_bucket="b"))
        assert path.read_text() == text


def test_a_wrong_value_can_be_mended(path: Path) -> None:
    written(path, "default:\n  s3_bucket: 12 # c\n  compress: 7\n")
    YamlConfig(path).save(Profile(s3_bucket="12"))
    assert path.read_text() == "default:\n  s3_bucket: '12' # c\n  compress: true\n"


def test_a_full_disk_leaves_the_file_as_it_was(small_disk: Path) -> None:
    path = written(small_disk / "bakthat.yml", "default:\n  s3_bucket: old\n")
    free = os.statvfs(small_disk)
    (small_disk / "filler").write_bytes(b"x" * (free.f_bavail * free.f_frsize))
    with pytest.raises(
        ConfigError, match=r"bakthat.yml cannot be written: No space left on device; nothing was changed"
    ):
        YamlConfig(path).save(Profile(s3_bucket="new"))
    assert path.read_text() == "default:\n  s3_bucket: old\n"
    assert sorted(os.listdir(small_disk)) == ["bakthat.yml", "filler"]


def test_a_folder_that_may_not_be_written_to_is_an_error(tmp_path: Path, unprivileged: Callable[..., Any]) -> None:
    code = """
import sys
from bakthat.adapters.config.yaml_file import YamlConfig
from bakthat.domain.profile import Profile
from bakthat.errors import ConfigError
for name in ("x.yml", "new/x.yml"):
    try:
        YamlConfig(f"{sys.argv[1]}/{name}").save(Profile(s3_bucket="b"))
    except ConfigError as error:
        print(error)
"""
    tmp_path.chmod(0o500)
    output = unprivileged("-c", code, str(tmp_path)).stdout
    tmp_path.chmod(0o700)
    assert output == (
        f"{tmp_path}/x.yml cannot be written: Permission denied; nothing was changed\n"
        f"{tmp_path}/new/x.yml cannot be written: Permission denied; nothing was changed\n"
    )


def test_two_who_save_at_once_lose_nothing(path: Path) -> None:
    def save(number: int) -> None:
        for i in range(5):
            YamlConfig(path).save(Profile(name=f"p{number}-{i}", s3_bucket="b"))

    threads = [threading.Thread(target=save, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(YamlConfig(path).names()) == sorted(f"p{number}-{i}" for number in range(4) for i in range(5))


def test_a_reader_never_sees_half_a_file(path: Path) -> None:
    YamlConfig(path).save(FULL)
    done = threading.Event()
    seen: list[Profile] = []

    def read() -> None:
        while not done.is_set():
            seen.append(YamlConfig(path).load("full"))

    thread = threading.Thread(target=read)
    thread.start()
    try:
        for number in range(1, 20):
            YamlConfig(path).save(evolve(FULL, max_concurrency=number))
    finally:
        done.set()
        thread.join()
    assert all(evolve(profile, max_concurrency=2) == FULL for profile in seen)


def test_no_secret_is_in_a_repr(path: Path) -> None:
    config = YamlConfig(path)
    config.save(Profile(secret_key=SECRET, access_key=SECRET, database=f"postgresql://u:{SECRET}@h/d"))
    assert SECRET not in repr(config) + repr(config.load("default"))
