"""Third-party stores: what is wrong with one is said in a line that names the package.

The packages are folders as pip leaves them: a module, and a `.dist-info` with its entry points.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.fixtures.command_line import CommandLine, Said

GOOD = """
from pathlib import Path
from bakthat.adapters.local_folder import LocalObjectStore

def attic(profile):
    return LocalObjectStore(Path(profile.stores["attic"]["path"]))
"""

Install = Callable[..., None]


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A folder that bakthat's process finds packages in."""
    folder = tmp_path / "site"
    folder.mkdir()
    return folder


@pytest.fixture
def install(site: Path) -> Install:
    def install(package: str, code: str, points: str, folder: Path = site) -> None:
        module = package.replace("-", "_")
        (folder / f"{module}.py").write_text(code)
        info = folder / f"{module}-1.0.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(f"[bakthat.stores]\n{points}\n")

    return install


@pytest.fixture
def backup(bakthat_command: CommandLine, site: Path, tmp_path: Path) -> Callable[..., Said]:
    """`bakthat backup -d NAME` of a small folder."""
    bakthat_command.configure({"default": {"stores": {"attic": {"path": str(tmp_path / "attic")}}}})
    (bakthat_command.here / "data").mkdir()

    def backup(name: str, code: int = 2, *more_folders: Path) -> Said:
        path = ":".join(map(str, [site, *more_folders]))
        said = bakthat_command("backup", "data", "-d", name, "--prompt", "no", PYTHONPATH=path)
        assert said.code == code, said.err
        assert len(said.err.splitlines()) == 1 or code == 0, said.err
        return said

    return backup


def test_a_store_of_a_package_is_used_by_its_name(
    install: Install, backup: Callable[..., Said], tmp_path: Path
) -> None:
    install("acme-attic", GOOD, "attic = acme_attic:attic")
    backup("attic", 0)
    assert len(list((tmp_path / "attic").glob("data.*.tgz"))) == 1


def test_two_packages_that_claim_one_name_are_both_named(install: Install, backup: Callable[..., Said]) -> None:
    install("acme-attic", GOOD, "attic = acme_attic:attic")
    install("other-attic", GOOD, "attic = other_attic:attic")
    assert "two packages offer a store named 'attic': acme-attic and other-attic; uninstall one" in backup("attic").err


def test_one_package_that_is_found_twice_is_one(install: Install, backup: Callable[..., Said], tmp_path: Path) -> None:
    install("acme-attic", GOOD, "attic = acme_attic:attic")
    again = tmp_path / "again"
    again.mkdir()
    install("acme-attic", GOOD, "attic = acme_attic:attic", again)
    backup("attic", 0, again)


@pytest.mark.parametrize(
    ("code", "point", "told"),
    [
        ("def attic(profile): raise OSError('no such\\n disk')", "attic", "could not be opened: OSError: no such disk"),
        ("def attic(): pass", "attic", "could not be opened: TypeError: attic() takes 0 positional arguments"),
        ("attic = 3", "attic", "could not be opened: TypeError: 'int' object is not callable"),
        ("", "attic", "could not be opened: AttributeError: module 'acme_attic' has no attribute 'attic'"),
        ("import nothing_like_it", "attic", "could not be opened: ModuleNotFoundError: No module named 'nothing"),
        ("def attic(profile: 3 = ", "attic", "could not be opened: SyntaxError"),
        ("import sys; sys.exit(0)", "attic", "could not be opened: SystemExit: 0"),
        ("import sys\ndef attic(profile): sys.exit()", "attic", "could not be opened: SystemExit:"),
    ],
)
def test_a_factory_that_fails_is_named_with_its_reason(
    install: Install, backup: Callable[..., Said], code: str, point: str, told: str
) -> None:
    install("acme-attic", code, f"attic = acme_attic:{point}")
    assert f"the store 'attic' of the package acme-attic {told}" in backup("attic").err


def test_an_error_that_the_factory_raises_on_purpose_comes_out_as_it_is(
    install: Install, backup: Callable[..., Said]
) -> None:
    code = (
        "from bakthat.errors import AccessDenied\ndef attic(profile): raise AccessDenied('attic: the door is locked')"
    )
    install("acme-attic", code, "attic = acme_attic:attic")
    assert backup("attic", 4).err == "bakthat: attic: the door is locked\n"


def test_the_method_that_a_class_lacks_is_named(install: Install, backup: Callable[..., Said]) -> None:
    code = (
        "from bakthat.adapters.memory.object_store import MemoryObjectStore as M\n"
        "from bakthat.ports.object_store import ObjectStore\n"
        "class Attic(ObjectStore):\n"
        "    location = 'attic://'\n"
        "    def __init__(self, profile): pass\n"
        "    put, open, stat, list = M.put, M.open, M.stat, M.list\n"
    )
    install("acme-attic", code, "attic = acme_attic:Attic")
    said = backup("attic").err
    assert "the store 'attic' of the package acme-attic could not be opened: TypeError" in said
    assert "delete" in said


def test_what_is_not_an_object_store_is_refused(install: Install, backup: Callable[..., Said]) -> None:
    install("acme-attic", "class Attic:\n    def __init__(self, profile): pass", "attic = acme_attic:Attic")
    told = "the store 'attic' of the package acme-attic is a Attic, not a bakthat ObjectStore"
    assert told in backup("attic").err


def test_a_store_without_a_location_is_refused(install: Install, backup: Callable[..., Said]) -> None:
    code = (
        "from bakthat.adapters.memory.object_store import MemoryObjectStore\n"
        "class Attic(MemoryObjectStore):\n"
        "    def __init__(self, profile): pass\n"
    )
    install("acme-attic", code, "attic = acme_attic:Attic")
    assert "has no location" in backup("attic").err


def test_names_of_packages_are_among_those_that_are_suggested(install: Install, backup: Callable[..., Said]) -> None:
    install("acme-attic", GOOD, "attic = acme_attic:attic")
    assert "there are s3, glacier, local, attic; did you mean attic?" in backup("atic").err


def test_a_broken_package_disturbs_nobody_who_does_not_use_it(
    install: Install, bakthat_command: CommandLine, site: Path
) -> None:
    install("acme-attic", "raise SystemError", "attic = acme_attic:attic")
    (bakthat_command.here / "data").mkdir()
    said = bakthat_command("backup", "data", "-d", "local", "--prompt", "no", PYTHONPATH=str(site))
    assert said.code == 0, said.err


URLS = f"""{GOOD}
def at(url, profile):
    folder, _, key = url.removeprefix("attic://").rpartition("/")
    return LocalObjectStore(Path(folder)), key
"""


@pytest.fixture
def restore_from(bakthat_command: CommandLine, site: Path) -> Callable[..., Said]:
    """`bakthat restore --from PLACE`, with the packages of `site`."""

    def restore_from(place: str, code: int = 2) -> Said:
        said = bakthat_command("restore", "--from", place, "--target", "out", PYTHONPATH=str(site))
        assert said.code == code, said.err
        return said

    return restore_from


def test_restore_from_a_url_reaches_the_store_of_a_package(
    install: Install, backup: Callable[..., Said], restore_from: Callable[..., Said], tmp_path: Path
) -> None:
    install("acme-attic", URLS, "attic = acme_attic:attic\n[bakthat.urls]\nattic = acme_attic:at")
    stored = backup("attic", 0).out.strip()
    said = restore_from(f"attic://{tmp_path}/attic/{stored}", 0)
    assert said.out == "out/data\n"


def test_a_url_that_names_no_object_is_refused_without_a_word_of_it(
    install: Install, restore_from: Callable[..., Said]
) -> None:
    install("acme-attic", URLS, "attic = acme_attic:attic\n[bakthat.urls]\nattic = acme_attic:at")
    said = restore_from("attic://me:s3cret@host/folder/").err
    assert "this attic:// URL names no object; end it with the stored filename of a backup" in said
    assert "s3cret" not in said


def test_a_scheme_that_no_package_opens_lists_those_that_can_be_read(
    install: Install, restore_from: Callable[..., Said]
) -> None:
    install("acme-attic", URLS, "attic = acme_attic:attic\n[bakthat.urls]\nattic = acme_attic:at")
    said = restore_from("sftp://me:s3cret@host/data.20260102030405.tgz").err
    assert "no store reads sftp:// URLs; give the path of a file, s3://bucket/key, attic://…" in said
    assert "s3cret" not in said


def test_a_package_that_offers_no_urls_goes_on_working_as_a_store(
    install: Install, backup: Callable[..., Said], restore_from: Callable[..., Said], tmp_path: Path
) -> None:
    install("acme-attic", GOOD, "attic = acme_attic:attic")
    stored = backup("attic", 0).out.strip()
    assert "no store reads attic:// URLs" in restore_from(f"attic://{tmp_path}/attic/{stored}").err


@pytest.mark.parametrize(
    ("code", "told"),
    [
        ("def at(url, profile): return 3", "returned a int, not a store and a key"),
        ("def at(url, profile): return ('key', 'store')", "is a str, not a bakthat ObjectStore"),
        ("def at(url, profile): raise OSError('no such disk')", "could not be opened: OSError: no such disk"),
        ("import sys\ndef at(url, profile): sys.exit(0)", "could not be opened: SystemExit: 0"),
    ],
)
def test_what_opens_urls_and_fails_is_named_with_its_package(
    install: Install, restore_from: Callable[..., Said], code: str, told: str
) -> None:
    install("acme-attic", f"{GOOD}\n{code}", "attic = acme_attic:attic\n[bakthat.urls]\nattic = acme_attic:at")
    said = restore_from("attic://folder/data.20260102030405.tgz").err
    assert "acme-attic" in said
    assert told in said


def test_two_packages_that_open_one_scheme_are_both_named(install: Install, restore_from: Callable[..., Said]) -> None:
    install("acme-attic", URLS, "a = acme_attic:attic\n[bakthat.urls]\nattic = acme_attic:at")
    install("other-attic", URLS, "b = other_attic:attic\n[bakthat.urls]\nattic = other_attic:at")
    said = restore_from("attic://folder/data.20260102030405.tgz").err
    assert "two packages offer to open attic:// URLs: acme-attic and other-attic; uninstall one" in said


EXITS = """
import sys
from pathlib import Path
from bakthat.adapters.local_folder import LocalObjectStore

class Reader:
    def read(self, size): sys.exit(0)
    def __enter__(self): return self
    def __exit__(self, *_): pass

class Attic(LocalObjectStore):
    def __init__(self, profile):
        super().__init__(Path(profile.stores["attic"]["path"]))

def ends(*_, **__): sys.exit(0)

def reads(*_): return Reader()

def lists(self, prefix=""):
    yield from []
    sys.exit(0)
"""


@pytest.mark.parametrize(
    ("broken", "command", "call"),
    [
        ("put = ends", ["backup", "data", "--prompt", "no"], "put"),
        ("stat = ends", ["verify", "data"], "stat"),
        ("open = ends", ["restore", "data", "--target", "out"], "open"),
        ("open = reads", ["restore", "data", "--target", "out"], "read"),
        ("list = lists", ["sync"], "list"),
        ("delete = ends", ["delete", "data", "--yes"], "delete"),
    ],
)
def test_a_store_that_tries_to_end_the_program_is_an_error(
    install: Install,
    backup: Callable[..., Said],
    bakthat_command: CommandLine,
    site: Path,
    broken: str,
    command: list[str],
    call: str,
) -> None:
    install("acme-attic", EXITS, "attic = acme_attic:Attic")
    backup("attic", 0)
    name, value = broken.split(" = ")
    (site / "acme_attic.py").write_text(f"{EXITS}\nAttic.{name} = {value}\n")
    said = bakthat_command(*command, "-d", "attic", PYTHONPATH=str(site))
    assert said.code == 4, said
    assert f"the store 'attic' of the package acme-attic tried to end the program in `{call}`" in said.err
    assert not (bakthat_command.here / "out" / "data").exists()


def test_whatever_else_ends_the_program_is_not_a_success(install: Install, backup: Callable[..., Said]) -> None:
    code = f"{EXITS}\nclass Attic(Attic):\n    location = property(ends, lambda *_: None)\n"
    install("acme-attic", code, "attic = acme_attic:Attic")
    assert "tried to end the program" in backup("attic", 1).err


def test_show_lists_the_rest_where_a_store_cannot_be_imported(
    install: Install, backup: Callable[..., Said], bakthat_command: CommandLine, site: Path
) -> None:
    install("acme-attic", "raise SystemError('broken')", "attic = acme_attic:attic")
    made = bakthat_command("backup", "data", "-d", "local", "--prompt", "no", PYTHONPATH=str(site))
    said = bakthat_command("show", "-p", "default", PYTHONPATH=str(site))
    assert (said.code, made.out.strip() in said.out) == (0, True)
    (notice,) = said.err.splitlines()
    assert notice.startswith("bakthat: the store 'attic' of the package acme-attic could not be opened: SystemError")
    assert notice.endswith("the backups in it are not shown")


def test_a_package_whose_list_of_entry_points_is_broken_disturbs_nobody(
    install: Install, backup: Callable[..., Said], bakthat_command: CommandLine, site: Path, tmp_path: Path
) -> None:
    install("acme-attic", GOOD, "attic = acme_attic:attic")
    install("broken", "", "no entry point at all")
    backup("attic", 0)
    said = bakthat_command("sync", PYTHONPATH=str(site))
    assert (said.code, said.err) == (0, "attic: added 0, updated 0, marked 0 as deleted.\n")
