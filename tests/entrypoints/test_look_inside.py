"""`ls`, `cat`, `find` and `diff`: what a person sees, and the exit codes."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from tests.fixtures.command_line import CommandLine, Said

PASSWORD = {"BAKTHAT_PASSWORD": "secret"}
CONTENT = os.urandom(300_000)


@pytest.fixture
def photos(bakthat_command: CommandLine) -> Path:
    """A directory to back up; the profile's destination is a folder."""
    bakthat_command.configure({"default": {"default_destination": "local"}})
    root = bakthat_command.here / "photos"
    (root / "2025").mkdir(parents=True)
    (root / "2025" / "summer.jpg").write_bytes(CONTENT)
    (root / "notes.txt").write_text("hello\n")
    (root / "latest").symlink_to("2025/summer.jpg")
    for path in (root / "notes.txt", root / "2025" / "summer.jpg"):
        path.chmod(0o640)
        os.utime(path, (1_767_355_200, 1_767_355_200))
    return root


def back_up(bakthat: CommandLine, *arguments: str, **environment: str) -> str:
    said = bakthat("backup", "photos", *(arguments or ("--prompt", "no")), **environment)
    assert said.code == 0, said.err
    return said.out.strip()


def succeeded(said: Said, *, err: str = "") -> Said:
    assert (said.code, said.err) == (0, err), said
    return said


# ls


def test_ls_lists_the_paths_below_the_root(bakthat_command: CommandLine, photos: Path) -> None:
    back_up(bakthat_command)
    said = succeeded(bakthat_command("ls", "photos"))
    assert sorted(said.lines) == ["2025/", "2025/summer.jpg", "latest", "notes.txt"]


def test_ls_with_patterns_lists_what_restore_only_would_restore(bakthat_command: CommandLine, photos: Path) -> None:
    back_up(bakthat_command)
    assert succeeded(bakthat_command("ls", "photos", "*.txt")).lines == ["notes.txt"]
    assert succeeded(bakthat_command("ls", "photos", "2025/")).lines == ["2025/", "2025/summer.jpg"]


def test_ls_with_patterns_that_match_nothing_says_so(bakthat_command: CommandLine, photos: Path) -> None:
    name = back_up(bakthat_command)
    said = bakthat_command("ls", "photos", "*.pdf", "*.doc")
    assert (said.code, said.out) == (1, "")
    assert said.err == f"bakthat: nothing in {name} matches *.pdf, *.doc\n"


def test_ls_long_has_mode_owner_size_and_time(bakthat_command: CommandLine, photos: Path) -> None:
    back_up(bakthat_command)
    said = succeeded(bakthat_command("ls", "-l", "photos", "notes.txt", "latest"))
    owner = f"{os.getuid()}/{os.getgid()}"
    assert f"-rw-r----- {owner:<11}           6 2026-01-02 12:00 notes.txt" in said.lines
    assert any(line.startswith("l") and line.endswith("latest -> 2025/summer.jpg") for line in said.lines)


def test_ls_json_has_an_entry_in_each_line(bakthat_command: CommandLine, photos: Path) -> None:
    stored = back_up(bakthat_command)
    said = succeeded(bakthat_command("ls", "--json", "photos", "notes.txt"))
    document = json.loads(said.out)
    assert (document["version"], document["stored_filename"]) == (1, stored)
    (entry,) = document["entries"]
    assert (entry["path"], entry["type"], entry["size"], entry["mode"]) == ("notes.txt", "file", 6, "0640")
    assert entry["mtime"] == "2026-01-02T12:00:00Z"


def test_ls_escapes_what_could_steer_a_terminal(bakthat_command: CommandLine, photos: Path) -> None:
    (photos / "a\x1b[31m\nb").touch()
    Path(os.fsdecode(os.fsencode(photos) + b"/\xff\xfe")).touch()
    back_up(bakthat_command)
    said = succeeded(bakthat_command("ls", "photos"))
    assert {r"a\x1b[31m\nb", r"\xff\xfe"} <= set(said.lines)
    entries = json.loads(bakthat_command("ls", "--json", "photos").out)["entries"]
    (odd,) = [entry for entry in entries if "path_base64" in entry]
    assert (odd["path"], odd["path_base64"]) == (r"\xff\xfe", "//4=")


def test_ls_of_an_encrypted_backup_needs_its_password(bakthat_command: CommandLine, photos: Path) -> None:
    back_up(bakthat_command, "-d", "local", **PASSWORD)
    assert "notes.txt" in succeeded(bakthat_command("ls", "photos", **PASSWORD)).lines
    assert bakthat_command("ls", "photos").code == 5
    wrong = bakthat_command("ls", "photos", BAKTHAT_PASSWORD="wrong")
    assert (wrong.code, wrong.out) == (5, "")


def test_ls_of_a_single_file_is_its_name(bakthat_command: CommandLine, photos: Path) -> None:
    succeeded(bakthat_command("backup", "photos/notes.txt", "--prompt", "no", "-q"))
    assert succeeded(bakthat_command("ls", "notes.txt")).lines == ["notes.txt"]


@pytest.mark.parametrize("command", [["ls", "nothing"], ["cat", "nothing", "a"]])
def test_a_backup_that_is_not_there_is_exit_code_1(
    bakthat_command: CommandLine, photos: Path, command: list[str]
) -> None:
    said = bakthat_command(*command)
    assert (said.code, said.out, len(said.err.splitlines())) == (1, "", 1)


@pytest.mark.parametrize(
    "command",
    [
        ["ls", "-l", "photos"],
        ["ls", "--json", "photos"],
        ["find", "a file*"],
        ["diff", "photos"],
        ["cat", "photos", "2025/summer.jpg"],
    ],
    ids=" ".join,
)
def test_a_reader_that_leaves_ends_the_command_without_a_message(
    bakthat_command: CommandLine, photos: Path, command: list[str]
) -> None:
    back_up(bakthat_command)
    for number in range(3000):
        (photos / f"a file with quite a long name that fills the pipe {number}").touch()
    back_up(bakthat_command)
    done = subprocess.run(
        ["bash", "-c", '"$@" | head -c 5; exit ${PIPESTATUS[0]}', "-", *bakthat_command.command(*command, "-q")],
        env=bakthat_command.env(),
        cwd=bakthat_command.here,
        capture_output=True,
        check=False,
    )
    assert (done.returncode, len(done.stdout), done.stderr) == (141, 5, b"")


# cat


def raw(bakthat: CommandLine, *arguments: str, **environment: str) -> bytes:
    done = subprocess.run(
        bakthat.command(*arguments),
        env={**bakthat.env(), **environment},
        cwd=bakthat.here,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, b"")
    return done.stdout


@pytest.mark.parametrize("is_encrypted", [False, True], ids=["plain", "encrypted"])
@pytest.mark.parametrize("options", [[], ["--full-check"]], ids=["ranges", "full"])
def test_cat_writes_the_bytes_of_one_file(
    bakthat_command: CommandLine, photos: Path, is_encrypted: bool, options: list[str]
) -> None:
    if is_encrypted:
        bakthat_command.configure({"default": {"default_destination": "local", **bakthat_command.key_pair()}})
    back_up(bakthat_command)
    assert raw(bakthat_command, "cat", "photos", "2025/summer.jpg", *options) == CONTENT
    assert raw(bakthat_command, "cat", "photos", "latest", *options) == CONTENT


def test_cat_takes_the_path_literally(bakthat_command: CommandLine, photos: Path) -> None:
    (photos / "*.txt").write_text("a star\n")
    back_up(bakthat_command)
    assert succeeded(bakthat_command("cat", "photos", "*.txt")).out == "a star\n"


def test_cat_of_a_stream_needs_no_path(bakthat_command: CommandLine, photos: Path) -> None:
    succeeded(bakthat_command("backup", "-", "--name", "shop.sql", "--prompt", "no", "-q", answers="a dump\n"))
    assert succeeded(bakthat_command("cat", "shop.sql")).out == "a dump\n"


@pytest.mark.parametrize(
    ("path", "code", "told"),
    [
        ("2025", 2, "is a directory"),
        ("../notes.txt", 2, "below the backup's root"),
        ("note.txt", 1, "did you mean notes.txt?"),
        ("away", 1, "symbolic link to /etc/hostname"),
    ],
)
def test_what_cat_cannot_give_is_one_line_and_its_exit_code(
    bakthat_command: CommandLine, photos: Path, path: str, code: int, told: str
) -> None:
    (photos / "away").symlink_to("/etc/hostname")
    back_up(bakthat_command)
    said = bakthat_command("cat", "photos", path)
    assert (said.code, said.out, len(said.err.splitlines())) == (code, "", 1), said
    assert told in said.err


def test_cat_says_so_if_its_output_is_lost(bakthat_command: CommandLine, photos: Path) -> None:
    back_up(bakthat_command)
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            bakthat_command.command("cat", "photos", "2025/summer.jpg"),
            env=bakthat_command.env(),
            cwd=bakthat_command.here,
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert done.returncode == 1
    assert done.stderr == ("bakthat: the result could not be written to standard output: No space left on device\n")


# find


def test_find_shows_a_version_once_with_the_newest_backup_that_has_it(
    bakthat_command: CommandLine, photos: Path
) -> None:
    first = back_up(bakthat_command)
    second = back_up(bakthat_command)
    (photos / "notes.txt").write_text("changed\n")
    third = back_up(bakthat_command)
    said = succeeded(bakthat_command("find", "notes.txt"))
    assert [line.split("\t")[0] for line in said.lines] == [third, second]
    assert said.lines[1].split("\t")[1:] == ["6", "2026-01-02 12:00", "notes.txt"]
    everywhere = succeeded(bakthat_command("find", "notes.txt", "--all-versions"))
    assert [line.split("\t")[0] for line in everywhere.lines] == [third, second, first]


def test_find_takes_patterns_and_names_a_directory_without_its_contents(
    bakthat_command: CommandLine, photos: Path
) -> None:
    back_up(bakthat_command)
    found = [line.split("\t")[-1] for line in succeeded(bakthat_command("find", "2025")).lines]
    assert found == ["2025/"]
    found = [line.split("\t")[-1] for line in succeeded(bakthat_command("find", "*.jpg")).lines]
    assert found == ["2025/summer.jpg"]


def test_find_json_has_the_backup_of_each_file(bakthat_command: CommandLine, photos: Path) -> None:
    stored = back_up(bakthat_command)
    document = json.loads(succeeded(bakthat_command("find", "notes.txt", "--json")).out)
    (found,) = document["found"]
    assert (document["version"], found["stored_filename"], found["path"]) == (1, stored, "notes.txt")
    assert (found["destination"], found["size"]) == ("local", 6)


def test_find_ends_with_1_if_nothing_is_found(bakthat_command: CommandLine, photos: Path) -> None:
    back_up(bakthat_command)
    said = bakthat_command("find", "*.pdf")
    assert (said.code, said.out, said.err) == (1, "", "*.pdf: not found.\n")


def test_ls_of_an_empty_directory_says_so(bakthat_command: CommandLine) -> None:
    (bakthat_command.here / "empty").mkdir()
    name = bakthat_command("backup", "empty", "-d", "local", "--prompt", "no").lines[0]
    said = bakthat_command("ls", "empty", "-d", "local")
    assert (said.code, said.out, said.err) == (0, "", f"{name} contains nothing.\n")


def test_find_says_that_a_pattern_is_a_whole_name(bakthat_command: CommandLine, photos: Path) -> None:
    bakthat_command("backup", "photos", "-d", "local", "--prompt", "no")
    said = bakthat_command("find", "summ", "-d", "local")
    hint = "summ: not found. A pattern is a whole name; '*summ*' finds it inside of names.\n"
    assert (said.code, said.out, said.err) == (1, "", hint)
    assert bakthat_command("find", "*summ*", "-d", "local").code == 0
    said = bakthat_command("find", "*.pdf", "--json", "-q")
    assert (said.code, json.loads(said.out), said.err) == (1, {"version": 1, "found": []}, "")


def test_find_goes_on_past_backups_that_cannot_be_opened_and_names_them(
    bakthat_command: CommandLine, photos: Path
) -> None:
    plain = back_up(bakthat_command)
    sealed = back_up(bakthat_command, "-q", **PASSWORD)
    said = bakthat_command("find", "notes.txt", BAKTHAT_PASSWORD="wrong")
    assert (said.code, said.lines[0].split("\t")[0]) == (0, plain)
    assert f"bakthat: {sealed} could not be opened: the password does not open it\n" in said.err
    said = bakthat_command("find", "*.pdf", BAKTHAT_PASSWORD="wrong")
    assert (said.code, said.out) == (5, "")


@pytest.mark.parametrize(
    "arguments",
    [
        ["find", "x", "--series", "nothing"],
        ["find", "x", "--since", "soon"],
        ["find", ""],
        ["find", "#comment"],
        ["diff", "nothing"],
        ["diff", "photos", "nothing"],
        ["diff", "photos"],
    ],
)
def test_trouble_is_not_an_answer(bakthat_command: CommandLine, photos: Path, arguments: list[str]) -> None:
    back_up(bakthat_command)
    said = bakthat_command(*arguments)
    assert (said.code, said.out, len(said.err.splitlines())) == (2, "", 1), said


# diff


def test_diff_of_equal_backups_is_0_and_of_different_ones_1(bakthat_command: CommandLine, photos: Path) -> None:
    first = back_up(bakthat_command)
    second = back_up(bakthat_command)
    succeeded(bakthat_command("diff", "photos"), err=f"{first} to {second}: 0 differences.\n")
    (photos / "notes.txt").chmod(0o600)
    (photos / "new\n").touch()
    (photos / "2025" / "summer.jpg").unlink()
    third = back_up(bakthat_command)
    said = bakthat_command("diff", "photos")
    assert (said.code, said.err) == (1, f"{second} to {third}: 3 differences.\n")
    assert said.lines == ["removed\t2025/summer.jpg", r"added" + "\t" + r"new\n", "changed\tnotes.txt\tmode"]
    backwards = bakthat_command("diff", "-q", third, first)
    assert (backwards.code, backwards.err) == (1, "")
    assert backwards.lines[0] == "added\t2025/summer.jpg"


def test_diff_json_has_both_sides(bakthat_command: CommandLine, photos: Path) -> None:
    first = back_up(bakthat_command)
    (photos / "notes.txt").write_text("longer than before\n")
    second = back_up(bakthat_command)
    said = bakthat_command("diff", "photos", "--json")
    document = json.loads(said.out)
    assert (said.code, document["before"], document["after"]) == (1, first, second)
    (change,) = document["differences"]
    assert (change["path"], change["fields"]) == ("notes.txt", ["size", "mtime"])
    assert (change["before"]["size"], change["after"]["size"]) == (6, 19)


# the cache


def test_indexes_are_kept_for_their_owner_and_encrypted_ones_only_encrypted(
    bakthat_command: CommandLine, photos: Path
) -> None:
    back_up(bakthat_command, "-q", **PASSWORD)
    succeeded(bakthat_command("ls", "photos", **PASSWORD))
    cache = bakthat_command.home / ".cache" / "bakthat"
    files = list(cache.iterdir())
    assert len(files) == 1
    assert (cache.stat().st_mode & 0o777, files[0].stat().st_mode & 0o777) == (0o700, 0o600)
    assert b"notes" not in files[0].read_bytes()
    assert bakthat_command("ls", "photos", BAKTHAT_PASSWORD="wrong").code == 5


def test_a_listing_needs_the_store_only_once(bakthat_command: CommandLine, photos: Path) -> None:
    stored = back_up(bakthat_command)
    listed = succeeded(bakthat_command("ls", "photos")).out
    archive = bakthat_command.home / ".bakthat" / "store" / stored
    content = archive.read_bytes()
    archive.write_bytes(bytes(len(content)))
    assert succeeded(bakthat_command("ls", "photos")).out == listed
    said = bakthat_command("cat", "photos", "notes.txt")
    assert said.code != 0
    assert "hello" not in said.out


def test_a_relative_cache_directory_is_ignored(bakthat_command: CommandLine, photos: Path) -> None:
    back_up(bakthat_command)
    succeeded(bakthat_command("ls", "photos", XDG_CACHE_HOME="rel"))
    assert not (bakthat_command.here / "rel").exists()
    assert (bakthat_command.home / ".cache" / "bakthat").exists()


def test_a_cache_in_another_place_is_used_and_may_be_deleted(
    bakthat_command: CommandLine, photos: Path, tmp_path: Path
) -> None:
    back_up(bakthat_command)
    listed = succeeded(bakthat_command("ls", "photos", XDG_CACHE_HOME=str(tmp_path / "xdg"))).out
    assert not (bakthat_command.home / ".cache").exists()
    for path in (tmp_path / "xdg" / "bakthat").iterdir():
        path.unlink()
    assert succeeded(bakthat_command("ls", "photos", XDG_CACHE_HOME=str(tmp_path / "xdg"))).out == listed


def test_restore_of_a_part_reads_the_whole_archive_only_with_a_full_check(
    bakthat_command: CommandLine, photos: Path
) -> None:
    (photos / "large").write_bytes(os.urandom(5_000_000))
    stored = back_up(bakthat_command, "--prompt", "no", "-q")
    (archive,) = bakthat_command.home.rglob(stored)
    content = bytearray(archive.read_bytes())
    content[len(content) // 2] ^= 1
    archive.write_bytes(content)
    part = ("restore", "photos", "--only", "notes.txt", "-q", "--target")
    (bakthat_command.here / "part").mkdir()
    (bakthat_command.here / "checked").mkdir()
    succeeded(bakthat_command(*part, "part"))
    assert (bakthat_command.here / "part" / "photos" / "notes.txt").read_text() == "hello\n"
    assert bakthat_command(*part, "checked", "--full-check").code == 5
    assert list((bakthat_command.here / "checked").iterdir()) == []


def test_a_bracket_in_a_name_is_explained(bakthat_command: CommandLine, photos: Path) -> None:
    (photos / "song [vocals].mp3").write_bytes(b"x")
    bakthat_command("backup", "photos", "--prompt", "no")
    said = bakthat_command("ls", "photos", "song [vocals].mp3")
    assert (said.code, r"'song \[vocals].mp3'" in said.err) == (1, True), said.err
    assert bakthat_command("ls", "photos", r"song \[vocals].mp3").lines == ["song [vocals].mp3"]
