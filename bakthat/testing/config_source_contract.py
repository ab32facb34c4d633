"""What every `ConfigSource` must do, as a pytest class.

A source's own test is a subclass and a fixture:

    class TestMyConfig(ConfigSourceContract):
        @pytest.fixture
        def source(self):
            return MyConfig(...)        # without any profile
"""

from __future__ import annotations

import pytest
from attrs import evolve

from bakthat.domain.profile import Profile
from bakthat.errors import ProfileNotFound
from bakthat.ports.config_source import ConfigSource

FULL = Profile(
    name="full",
    access_key="AKIAEXAMPLE",
    secret_key="012345",  # noqa: S106 - a text that a careless writer turns into a number
    region_name="eu-west-1",
    s3_bucket="bucket",
    glacier_vault="vault",
    default_destination="glacier",
    compression="none",
    compress=False,
    gitignore=False,
    exclude_caches=True,
    exclude_if_present=(".nobackup", "lost+found"),
    exclude_larger_than=500_000_000,
    one_file_system=True,
    xattrs=False,
    incremental={"full_every": "30D", "most": 20},
    host="web1",
    rotation={"days": 7, "weeks": 6, "months": 6, "first_week_day": 5},
    endpoint_url="https://s3.example.org:9000",
    addressing_style="virtual",
    s3_prefix="hosts/one",
    storage_class="STANDARD_IA",
    glacier_storage_class="DEEP_ARCHIVE",
    aws_profile="backup",
    local_path="/mnt/disk: two # not a comment",
    database="postgresql://me:p%40ss@db/bakthat",
    recipients=("age1first", "age1second"),
    recipients_file="~/.age/recipients",
    allow_mixed_recipients=True,
    identity="~/.age/key",
    password_command=("pass", "show", "back up's"),
    part_size=16 * 2**20,
    max_concurrency=2,
    checksums="when_required",
    sse="aws:kms",
    kms_key_id="alias/backups",
    object_lock={"mode": "governance", "days": 30},
    limit_upload=5_000_000,
    limit_download=20_000_000,
    hooks={"success": "true", "verify": {"failure": "false"}},
    pass_environment=True,
    ping="https://hc.example.org/0b4b8a0e?create=1",
    jobs={"etc": {"source": "/etc", "exclude": ["ssl/private"]}, "shop": {"command": ["pg_dump", "shop"], "name": "s"}},
    stores={"mine": {"path": "/x", "list": [1, "2"]}},
    extra={"future": {"nested": [1, None, "ü"]}, "yes": "no"},
)
"""A profile in which nothing has its default, except `password_file`, which contradicts `password_command`."""

FULL_WITH_FILE = evolve(FULL, password_command=None, password_file="~/.bakthat-password")  # noqa: S106 - a path
"""The same with `password_file`."""


class ConfigSourceContract:
    """Subclass it, and override the fixture `source` with a source that has no profile."""

    @pytest.fixture
    def source(self) -> ConfigSource:
        raise AssertionError("override the fixture `source` with one that returns a source without profiles")

    def test_without_a_configuration_there_are_no_names(self, source: ConfigSource) -> None:
        assert source.names() == []

    def test_default_exists_always_and_has_only_defaults(self, source: ConfigSource) -> None:
        assert source.load("default") == Profile()
        source.save(FULL)
        assert source.load("default") == Profile()
        assert source.names() == ["full"]

    def test_an_unknown_profile_is_not_found_and_the_nearest_is_suggested(self, source: ConfigSource) -> None:
        with pytest.raises(ProfileNotFound, match="'other'"):
            source.load("other")
        source.save(Profile(name="production"))
        source.save(Profile(name="staging"))
        with pytest.raises(ProfileNotFound, match=r"'prodution', did you mean 'production'\? .*production, staging"):
            source.load("prodution")

    def test_every_setting_comes_back_as_it_was_saved(self, source: ConfigSource) -> None:
        source.save(FULL)
        assert source.load("full") == FULL
        source.save(FULL_WITH_FILE)
        assert source.load("full") == FULL_WITH_FILE

    def test_a_password_file_comes_back_as_it_was_saved(self, source: ConfigSource) -> None:
        profile = Profile(password_file="~/.password")  # noqa: S106
        source.save(profile)
        assert source.load("default") == profile

    def test_a_command_may_be_one_text(self, source: ConfigSource) -> None:
        profile = Profile(password_command="pass show 'bakthat'")  # noqa: S106
        source.save(profile)
        assert source.load("default") == profile

    @pytest.mark.parametrize(
        "secret", ["0123", "1e5", "yes", "null", "~", "!a", "*a", "&a", "a: b", "a #b", " a ", "'\""]
    )
    def test_a_secret_of_any_form_comes_back_as_it_was(self, source: ConfigSource, secret: str) -> None:
        source.save(Profile(secret_key=secret, access_key="2026-01-02"))
        loaded = source.load("default")
        assert (loaded.secret_key, loaded.access_key) == (secret, "2026-01-02")

    def test_profiles_keep_their_order_and_do_not_touch_each_other(self, source: ConfigSource) -> None:
        for name in ("b", "a", "c"):
            source.save(Profile(name=name, s3_bucket=f"bucket-{name}"))
        source.save(Profile(name="a", s3_bucket="changed"))
        assert source.names() == ["b", "a", "c"]
        assert [source.load(name).s3_bucket for name in source.names()] == ["bucket-b", "changed", "bucket-c"]

    def test_all_profiles_can_be_had_at_once(self, source: ConfigSource) -> None:
        assert source.readable_profiles() == []
        source.save(FULL)
        source.save(Profile(name="other", s3_bucket="other"))
        assert source.readable_profiles() == [FULL, Profile(name="other", s3_bucket="other")]

    def test_a_setting_can_be_taken_back(self, source: ConfigSource) -> None:
        source.save(FULL)
        bare = Profile(name="full", extra=FULL.extra)
        source.save(bare)
        assert source.load("full") == bare

    def test_keys_that_bakthat_does_not_know_are_kept(self, source: ConfigSource) -> None:
        source.save(FULL)
        source.save(evolve(FULL, extra={}, s3_bucket="other"))
        assert source.load("full") == evolve(FULL, s3_bucket="other")

    def test_a_profile_without_any_setting_exists(self, source: ConfigSource) -> None:
        source.save(Profile(name="bare"))
        assert source.names() == ["bare"]
        assert source.load("bare") == Profile(name="bare")
