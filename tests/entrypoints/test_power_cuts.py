"""A power cut at any moment leaves the old or the new state, never a mixture, and nothing that was reported is lost.

Each command runs once and its system calls are recorded; then the disk is rebuilt as a cut after each call may leave
it (`tests.fixtures.power_cut` says how), and looked at.
"""

from __future__ import annotations

import hashlib
import io
import os
import sqlite3
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from attrs import define, field

from bakthat.adapters.database.peewee_repo import open_repo
from bakthat.adapters.encryption.identity_files import read_identity_file
from bakthat.adapters.filesystem.staging import StagingDirectory
from bakthat.domain.backup import Backup
from bakthat.domain.catalog import loads
from bakthat.domain.query import Query
from bakthat.entrypoints.api import open_profile
from tests.fixtures.power_cut import Moment, Tree, moments, read_tree, write_tree
from tests.fixtures.system_calls import recorded

NO_FSYNC = "import os; os.fsync = lambda fd: None"
NO_SYNCFS = "from bakthat.adapters.filesystem import staging; staging.sync_file_system = lambda fd: None"

NO_LINKS = """
import errno, os
def refuse(*_, **__): raise OSError(errno.EPERM, os.strerror(errno.EPERM))
def open(path, flags, *more, really=os.open, **by_name):
    return refuse() if flags & os.O_TMPFILE == os.O_TMPFILE else really(path, flags, *more, **by_name)
os.link, os.symlink, os.open = refuse, refuse, open
"""
UNNAMED_WITHOUT_LINKS = """
import errno, os
def refuse(*_, **__): raise OSError(errno.EPERM, os.strerror(errno.EPERM))
os.link = refuse
"""
"""Files without a name can be made, but get none: they are copied."""
NO_RENAMES = f"""{NO_LINKS}
from bakthat.adapters.filesystem import linux as linux_calls
def refuse(*_): raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
linux_calls.rename_with_flags = refuse
"""

NO_SHARED_MEMORY = "from bakthat.adapters.database import sqlite; sqlite.can_share_memory = lambda path: False"
"""So that the database has a rollback journal."""


@define
class Machine:
    """A folder that holds everything that a command reads and writes."""

    folder: Path
    log: Path
    environment: dict[str, str] = field(factory=dict)

    def run(self, *arguments: str, told: str, answers: str = "", mutation: str = "") -> list[Moment]:
        """Run bakthat; give the moments of a cut. `told`: what it prints when it is done. `mutation`: Python that runs
        before the command, and takes something out of it."""
        before = read_tree(self.folder)
        calls, done = recorded(
            [sys.executable, "-c", f"{mutation}\nfrom bakthat.entrypoints.cli import main\nmain()", *arguments],
            self.log, cwd=self.folder, env=self.environment, stdin=answers,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        assert told in done.stdout + done.stderr
        found = list(moments(self.folder, before, calls, told=told.encode()))
        assert found[-1].told
        return found

    def at_each(self, found: list[Moment], check: Callable[[bool], None]) -> int:
        """Check every state; give their number. `check` gets whether success was reported."""
        number = 0
        for moment in found:
            for state in moment.states:
                number += 1
                write_tree(state, self.folder)
                try:
                    check(moment.told)
                except Exception as error:
                    raise AssertionError(f"after {moment.call}: {error!r}") from error
        return number

    @property
    def config(self) -> Path:
        return self.folder / "bakthat.yml"

    def rows(self) -> list[Backup]:
        return list(open_repo(str(self.folder / "var" / "state" / "bakthat.sqlite")).find(Query()))

    def archives(self) -> dict[str, bytes]:
        store = self.folder / "disk" / "store"
        return {path.name: path.read_bytes() for path in store.glob("*.tgz")}


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    folder = tmp_path / "machine"
    folder.mkdir()
    return new_machine(folder, tmp_path / "calls")


def new_machine(folder: Path, log: Path) -> Machine:
    """One whose folder, empty so far, holds a configuration and some photos."""
    made = Machine(folder, log)
    made.environment = {**os.environ, "HOME": str(folder), "PYTHONPATH": str(Path(__file__).parents[2])}
    settings = {
        "local_path": str(folder / "disk" / "store"),
        "database": str(folder / "var" / "state" / "bakthat.sqlite"),
    }
    made.config.write_text(yaml.safe_dump({"default": {**settings, "default_destination": "local"}}))
    made.config.chmod(0o600)
    (folder / "photos" / "sub").mkdir(parents=True)
    (folder / "photos" / "a").write_text("old a")
    (folder / "photos" / "sub" / "b").write_text("old b")
    return made


def back_up(machine: Machine) -> Backup:
    """One more backup of the photos, made in this process."""
    return open_profile(config=machine.config).backup(machine.folder / "photos")


def change_photos(machine: Machine) -> None:
    (machine.folder / "photos" / "a").write_text("new a")
    (machine.folder / "photos" / "c").write_text("new c")


def photos(archive: bytes) -> dict[str, bytes]:
    """The files in an archive. Raises what `tarfile` raises if it is not whole."""
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        return {member.name: tar.extractfile(member).read() for member in tar if member.isfile()}  # type: ignore[union-attr]


def contents(tree: Tree, inside: str = "") -> dict[str, bytes | str]:
    """What the files hold, by path. The model knows no change of a mode."""
    found: dict[str, bytes | str] = {}
    for name, node in tree.items():
        if isinstance(node, dict):
            found |= {inside + name: "directory", **contents(node, f"{inside}{name}/")}
        else:
            found[inside + name] = node if isinstance(node, str) else node[0]
    return found


def check_rows_and_archives(machine: Machine, contents: list[dict[str, bytes]]) -> None:
    """Every row has its whole archive; every archive, with a row or without, is whole; so is every entry."""
    archives = machine.archives()
    for row in machine.rows():
        assert row.stored_filename in archives, f"the row of {row.stored_filename} has no archive"
        assert hashlib.sha256(archives[row.stored_filename]).hexdigest() == row.sha256
    for archive in archives.values():
        assert photos(archive) in contents
    for entry in (machine.folder / "disk" / "store").glob("bakthat_catalog/*.json"):
        loads(entry.read_bytes())


OLD = {"photos/a": b"old a", "photos/sub/b": b"old b"}
NEW = {"photos/a": b"new a", "photos/c": b"new c", "photos/sub/b": b"old b"}


def backup_is_whole_or_not_there(machine: Machine, *, mutation: str = "") -> int:
    first = back_up(machine)
    change_photos(machine)
    found = machine.run("backup", "photos", "-c", "bakthat.yml", "--prompt", "no", told="photos.20", mutation=mutation)

    def check(told: bool) -> None:
        check_rows_and_archives(machine, [OLD, NEW])
        rows = [row.stored_filename for row in machine.rows()]
        assert first.stored_filename in rows
        assert len(rows) == 2 or not told

    return machine.at_each(found, check)


def first_backup_is_whole_or_not_there(machine: Machine, *, mutation: str = "") -> int:
    found = machine.run("backup", "photos", "-c", "bakthat.yml", "--prompt", "no", told="photos.20", mutation=mutation)

    def check(told: bool) -> None:
        check_rows_and_archives(machine, [OLD])
        assert len(machine.rows()) == 1 or not told

    return machine.at_each(found, check)


def deleted_is_whole_or_gone(
    machine: Machine, *, mutation: str = "", prepare: Callable[[], None] = lambda: None
) -> int:
    """`prepare`: what is done before the command."""
    kept = back_up(machine)
    change_photos(machine)
    doomed = back_up(machine)
    prepare()
    found = machine.run("delete", doomed.stored_filename, "-c", "bakthat.yml", told="Deleted", mutation=mutation)

    def check(told: bool) -> None:
        archives, rows = machine.archives(), {row.stored_filename for row in machine.rows()}
        assert photos(archives[kept.stored_filename]) == OLD
        assert kept.stored_filename in rows
        gone = doomed.stored_filename not in archives
        assert gone or photos(archives[doomed.stored_filename]) == NEW
        if told:
            assert gone
            assert doomed.stored_filename not in rows
        elif doomed.stored_filename in rows:
            # The archive may be gone: deleting again finishes it.
            open_profile(config=machine.config).delete(doomed.stored_filename)
            assert machine.rows() == [kept]
            assert list(machine.archives()) == [kept.stored_filename]

    return machine.at_each(found, check)


def deleted_with_a_rollback_journal_is_whole_or_gone(machine: Machine, *, mutation: str = "") -> int:
    def leave_wal() -> None:
        database = sqlite3.connect(machine.folder / "var" / "state" / "bakthat.sqlite")
        database.execute("PRAGMA journal_mode = delete").close()
        database.close()

    return deleted_is_whole_or_gone(machine, mutation=mutation, prepare=leave_wal)


def restored_is_old_or_new(machine: Machine, *, mutation: str = "", tidy: Callable[[], None] = lambda: None) -> int:
    """`tidy`: what is done after the cut, before anybody looks."""
    back_up(machine)
    in_archive = contents(read_tree(machine.folder / "photos"))
    change_photos(machine)
    (machine.folder / "other").write_text("not in the backup")
    in_target = contents(read_tree(machine.folder / "photos"))
    arguments = ("restore", "photos", "-c", "bakthat.yml", "--target", ".", "--overwrite")
    found = machine.run(*arguments, told="Restored", mutation=mutation)

    def check(told: bool) -> None:
        tidy()
        there = contents(read_tree(machine.folder / "photos"))
        assert there == in_archive or (there == in_target and not told)
        assert (machine.folder / "other").read_text() == "not in the backup"
        check_rows_and_archives(machine, [OLD])

    return machine.at_each(found, check)


def restored_is_old_or_new_after_the_next_restore(machine: Machine, *, mutation: str = "") -> int:
    """Where names cannot be exchanged, a cut in between leaves neither, until the next restore begins."""

    def begin_a_restore() -> None:
        for private in machine.folder.glob(".bakthat-restore-*"):
            private.chmod(0o700)  # the model knows no modes of directories
        with StagingDirectory(machine.folder):
            pass

    return restored_is_old_or_new(machine, mutation=mutation, tidy=begin_a_restore)


def folder_answers(folder: Path) -> str:
    """What to answer `configure` for backups in a folder."""
    return "\n" * 5 + f"{folder}\nlocal\n\n"


def configuration_is_old_or_new(machine: Machine, *, mutation: str = "") -> int:
    old = yaml.safe_load(machine.config.read_text())
    answers = folder_answers(machine.folder / "elsewhere")
    found = machine.run("configure", "-c", "bakthat.yml", told="Saved", answers=answers, mutation=mutation)
    new = {"default": {**old["default"], "local_path": str(machine.folder / "elsewhere")}}

    def check(told: bool) -> None:
        there = yaml.safe_load(machine.config.read_text())
        assert there == new or (there == old and not told)

    return machine.at_each(found, check)


def first_configuration_is_whole_or_not_there(machine: Machine, *, mutation: str = "") -> int:
    machine.config.unlink()
    answers = folder_answers(machine.folder / "elsewhere")
    found = machine.run("configure", "-c", "etc/bakthat.yml", told="Saved", answers=answers, mutation=mutation)

    def check(told: bool) -> None:
        path = machine.folder / "etc" / "bakthat.yml"
        if told or path.exists():
            assert yaml.safe_load(path.read_text())["default"]["local_path"] == str(machine.folder / "elsewhere")

    return machine.at_each(found, check)


def key_is_whole_when_it_is_shown(machine: Machine, *, mutation: str = "") -> int:
    found = machine.run("keygen", "--output", "key", told="age1", mutation=mutation)

    def check(told: bool) -> None:
        if told:
            (identity,) = read_identity_file(machine.folder / "key").identities
            assert identity.startswith("AGE-SECRET-KEY-1")

    return machine.at_each(found, check)


@pytest.mark.parametrize(
    "law",
    [
        backup_is_whole_or_not_there,
        first_backup_is_whole_or_not_there,
        deleted_is_whole_or_gone,
        restored_is_old_or_new,
        configuration_is_old_or_new,
        first_configuration_is_whole_or_not_there,
        key_is_whole_when_it_is_shown,
    ],
)
def test_after_a_cut_at_any_moment(machine: Machine, law: Callable[[Machine], int]) -> None:
    assert law(machine) > 5  # states


@pytest.mark.parametrize(
    ("law", "mutation"),
    [
        (backup_is_whole_or_not_there, NO_FSYNC),
        (first_backup_is_whole_or_not_there, NO_FSYNC),
        (deleted_is_whole_or_gone, NO_FSYNC),
        (restored_is_old_or_new, NO_SYNCFS),
        (configuration_is_old_or_new, NO_FSYNC),
        (first_configuration_is_whole_or_not_there, NO_FSYNC),
        (key_is_whole_when_it_is_shown, NO_FSYNC),
    ],
)
def test_a_command_that_does_not_sync_is_found_out(machine: Machine, law: Callable[..., int], mutation: str) -> None:
    with pytest.raises(AssertionError, match=r"^after \w+\("):
        law(machine, mutation=mutation)


@pytest.mark.parametrize(
    ("law", "mutation"),
    [
        (backup_is_whole_or_not_there, NO_LINKS),
        (backup_is_whole_or_not_there, UNNAMED_WITHOUT_LINKS),
        (backup_is_whole_or_not_there, NO_RENAMES),
        (first_backup_is_whole_or_not_there, NO_LINKS),
        (first_backup_is_whole_or_not_there, NO_RENAMES),
        (first_backup_is_whole_or_not_there, NO_SHARED_MEMORY),
        (deleted_with_a_rollback_journal_is_whole_or_gone, NO_SHARED_MEMORY),
        (restored_is_old_or_new, NO_LINKS),
        (restored_is_old_or_new_after_the_next_restore, NO_RENAMES),
    ],
)
def test_it_is_the_same_on_a_file_system_that_lacks_much(
    machine: Machine, law: Callable[..., int], mutation: str
) -> None:
    assert law(machine, mutation=mutation) > 5


@pytest.mark.parametrize("mutation", [NO_LINKS, NO_RENAMES], ids=["no links", "no links and no special renames"])
def test_one_that_does_not_sync_is_found_out_there_too(machine: Machine, mutation: str) -> None:
    with pytest.raises(AssertionError, match=r"^after \w+\("):
        backup_is_whole_or_not_there(machine, mutation=f"{mutation}\n{NO_FSYNC}")
