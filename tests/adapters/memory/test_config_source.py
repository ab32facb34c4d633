"""The memory configuration keeps the contract of every configuration."""

from __future__ import annotations

import pytest

from bakthat.adapters.memory.config_source import MemoryConfig
from bakthat.domain.profile import Profile
from bakthat.testing.config_source_contract import ConfigSourceContract


class TestMemoryConfig(ConfigSourceContract):
    @pytest.fixture
    def source(self) -> MemoryConfig:
        return MemoryConfig()


def test_it_may_hold_profiles_from_the_start() -> None:
    config = MemoryConfig([Profile(name="one"), Profile(s3_bucket="b")])
    assert config.names() == ["one", "default"]
    assert config.load("default").s3_bucket == "b"
