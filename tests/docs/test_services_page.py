"""The page on services: its settings are read without a complaint, and make a store at the address that they name."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from attrs import evolve

from bakthat.adapters.aws.s3 import S3ObjectStore
from bakthat.adapters.config.yaml_file import YamlConfig
from bakthat.domain.profile import Profile

PAGE = (Path(__file__).parents[2] / "docs" / "services.md").read_text()
BLOCKS = re.findall(r"^```yaml\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)


def profiles(folder: Path) -> list[Profile]:
    found: list[Profile] = []
    for number, block in enumerate(BLOCKS):
        path = folder / f"{number}.yml"
        path.write_text(block)
        path.chmod(0o600)
        notices: list[str] = []
        config = YamlConfig(path, notice=notices.append)
        found += [config.load(name) for name in config.names()]
        assert notices == []
    return found


def test_every_profile_makes_a_store_at_its_own_address(tmp_path: Path) -> None:
    for profile in profiles(tmp_path):
        store = S3ObjectStore.from_profile(evolve(profile, access_key="AKIA", secret_key="x"))
        scheme, _, host = str(profile.endpoint_url).partition("://")
        virtual = profile.addressing_style == "virtual"
        begins = f"{scheme}://my-backups.{host}/k?" if virtual else f"{scheme}://{host}/my-backups/k?"
        assert store.presign("k", 60).startswith(begins)


def test_twelve_services_are_described_with_the_source() -> None:
    table = PAGE.partition("| service |")[2].partition("\n\n")[0].splitlines()[2:]
    rows = [line.split("|") for line in table]
    assert len(rows) >= 12
    known = {word for row in rows for word in row[4].strip().split(", ")}
    assert known == {"tested", "tried", "documented", "reported"}


@pytest.mark.parametrize("service", ["SeaweedFS 4.48", "rclone 1.75"])
def test_what_is_called_tested_is_in_the_tests(service: str) -> None:
    suites = (Path(__file__).parents[1] / "adapters" / "aws" / "test_s3_contract.py").read_text().lower()
    assert service.split()[0].lower() in suites
