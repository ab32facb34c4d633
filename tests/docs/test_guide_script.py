"""A script of the kind that 2013's guide was about, as cron runs it: dump, back up, rotate. The bucket is moto's."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
import yaml

from bakthat import BakHelper, Bakthat, open_profile
from bakthat.testing.toolbox import SteppedClock
from tests.fixtures.s3_servers import ACCESS_KEY, SECRET_KEY, s3_profile

SCRIPT = Path(__file__).parent.parent.parent / "examples" / "nightly_dump.py"


@pytest.fixture
def home(tmp_path: Path, moto_url: str) -> Path:
    """A home directory with a profile whose bucket is at moto."""
    profile = s3_profile(moto_url)
    settings = {
        "access_key": ACCESS_KEY,
        "secret_key": SECRET_KEY,
        "s3_bucket": profile.s3_bucket,
        "endpoint_url": profile.endpoint_url,
        "rotation": {"days": 3, "weeks": 2},
    }
    home = tmp_path / "home"
    (home / "tmp").mkdir(parents=True)
    file = home / ".bakthat.yml"
    file.write_text(yaml.safe_dump({"default": settings | {"database": str(home / ".bakthat.sqlite")}}))
    file.chmod(0o600)
    return home


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    with closing(sqlite3.connect(tmp_path / "shop.sqlite")) as database, database:
        database.execute("CREATE TABLE orders (id INTEGER PRIMARY KEY, what TEXT)")
        database.execute("INSERT INTO orders (what) VALUES ('tea')")
    return tmp_path / "shop.sqlite"


def run(home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("BAKTHAT_", "AWS_"))}
    return subprocess.run(
        [sys.executable, "-W", "error", str(SCRIPT), *arguments],
        cwd=home.parent,
        env={**kept, "HOME": str(home), "TMPDIR": str(home / "tmp")},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )


def opened(home: Path, clock: SteppedClock | None = None) -> Bakthat:
    config = home / ".bakthat.yml"
    return open_profile(config=config, environment={}, **({"clock": clock} if clock is not None else {}))


def test_it_dumps_backs_up_and_rotates(home: Path, shop: Path, tmp_path: Path) -> None:
    bakthat, clock = opened(home), SteppedClock()
    earlier = opened(home, clock)
    for _ in range(10):
        with BakHelper("shop", bakthat=earlier) as helper:
            helper.backup()
        clock.forward(days=1)

    done = run(home, "shop.sqlite")

    assert (done.returncode, done.stderr) == (0, "")
    newest, *others = bakthat.show("shop")
    assert done.stdout == f"{newest.stored_filename}: {newest.size} bytes; {10 - len(others)} older ones deleted\n"
    assert newest.tags == ("db", "nightly")
    assert len(others) < 10
    assert all(verified.error is None for verified in bakthat.verify())
    bakthat.restore("shop", target=tmp_path / "out")
    assert "INSERT INTO \"orders\" VALUES(1,'tea');" in (tmp_path / "out" / "shop" / "dump.sql").read_text()
    assert list((home / "tmp").iterdir()) == []


def test_when_it_fails_it_says_why_and_leaves_nothing(home: Path) -> None:
    done = run(home, "absent.sqlite")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"{SCRIPT}: unable to open database file\n"
    assert list((home / "tmp").iterdir()) == []
    assert opened(home).show() == []
