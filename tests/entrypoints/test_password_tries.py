"""A wrong password may be corrected on a terminal, before anything is read or written."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from bakthat import Bakthat, open_profile
from bakthat.adapters.memory.object_store import MemoryObjectStore
from bakthat.entrypoints.password_tries import AskAgain
from bakthat.errors import PasswordNeeded, WrongPassword
from bakthat.usecases.streams.password_check import HEAD, head_of
from tests.fixtures.command_line import CommandLine
from tests.fixtures.terminal import on_terminal

PROMPT = "Password: "


class Person:
    """Types these words, one after the other."""

    def __init__(self, *words: str) -> None:
        self.words = list(words)
        self.asked = 0

    def __call__(self) -> str:
        self.asked += 1
        return self.words.pop(0)


@pytest.fixture
def stored(bakthat: Bakthat, tree: Path) -> str:
    return bakthat.backup(tree, password="right").stored_filename


def test_a_wrong_password_may_be_corrected_twice(bakthat: Bakthat, stored: str, tmp_path: Path):
    person = Person("wrong", "Right", "right")
    bakthat.restore(stored, target=tmp_path / "out", ask=AskAgain(person))
    assert (tmp_path / "out" / "site" / "index.html").exists()
    assert person.asked == 3


def test_after_three_tries_it_is_an_error(bakthat: Bakthat, stored: str, tmp_path: Path):
    person = Person("one", "two", "three", "right")
    with pytest.raises(WrongPassword):
        bakthat.restore(stored, target=tmp_path / "out", ask=AskAgain(person))
    assert person.words == ["right"]
    assert not (tmp_path / "out").exists()


def test_a_blank_answer_ends_the_questions(bakthat: Bakthat, stored: str, tmp_path: Path):
    with pytest.raises(PasswordNeeded, match="is encrypted with a password; give it"):
        bakthat.restore(stored, target=tmp_path, ask=AskAgain(Person("wrong", "")))


def test_a_program_that_asks_is_asked_once(bakthat: Bakthat, stored: str, tmp_path: Path):
    person = Person("wrong", "right")
    with pytest.raises(WrongPassword):
        bakthat.restore(stored, target=tmp_path, ask=person)
    assert person.asked == 1


def test_a_password_that_is_given_is_not_asked_for_again(bakthat: Bakthat, stored: str, tmp_path: Path):
    person = Person("right")
    with pytest.raises(WrongPassword):
        bakthat.restore(stored, target=tmp_path, password="wrong", ask=AskAgain(person))
    assert person.asked == 0


def test_one_answer_holds_for_every_backup(bakthat: Bakthat, stored: str, tree: Path):
    bakthat.backup(tree, name="second", password="right")
    person = Person("wrong", "right")
    results = bakthat.verify(ask=AskAgain(person))
    assert [result.error for result in results] == [None, None]
    assert person.asked == 2


def test_what_is_not_in_a_database_may_be_tried_again_too(bakthat: Bakthat, stored: str, store, tmp_path: Path):
    with store.open(stored) as reader:
        (tmp_path / stored).write_bytes(reader.read())
    bakthat.restore_from(str(tmp_path / stored), target=tmp_path / "out", ask=AskAgain(Person("wrong", "right")))
    assert (tmp_path / "out" / "site" / "index.html").exists()


def test_of_a_large_object_only_the_beginning_is_read(clock):
    store = MemoryObjectStore("memory://s3", clock=clock)
    store.put("x", io.BytesIO(b"a" * HEAD + b"b"))
    assert head_of(store, "x") == b"a" * HEAD


@pytest.fixture
def command(bakthat_command: CommandLine) -> CommandLine:
    bakthat_command.configure({"default": {"default_destination": "local"}})
    (bakthat_command.here / "site").mkdir()
    bakthat_command("backup", "site", BAKTHAT_PASSWORD="right")
    return bakthat_command


def test_a_terminal_asks_again(command: CommandLine):
    seen = on_terminal(command, "restore", "site", "--target", "out", answers=[(PROMPT, "wrong"), (PROMPT, "right")])
    assert (seen.code, seen.unasked) == (0, ())
    assert "2 tries left" in seen.text
    assert "wrong" not in seen.text


def test_verify_asks_on_a_terminal(command: CommandLine):
    seen = on_terminal(command, "verify", "site", answers=[(PROMPT, "right")])
    assert (seen.code, seen.unasked) == (0, ())
    assert "good" in seen.text


def test_verify_goes_on_without_an_answer(command: CommandLine):
    seen = on_terminal(command, "verify", "--all", answers=[(PROMPT, "")])
    assert seen.code == 0
    assert "intact" in seen.text


def test_verify_without_a_terminal_asks_nothing(command: CommandLine):
    said = command("verify", "site")
    assert (said.code, said.out.split("\t")[0]) == (0, "intact")


def test_a_quick_check_asks_nothing(command: CommandLine):
    assert "assword" not in on_terminal(command, "verify", "site", "--quick").text


def test_without_a_terminal_the_password_is_named_and_no_key_file(command: CommandLine):
    said = command("restore", "site")
    assert said.code == 5
    assert "is encrypted, and there is no terminal to ask for its password: set BAKTHAT_PASSWORD, or " in said.err
    assert said.err.endswith("name its file: --password-file\n")
    assert "-i" not in said.err


def test_each_wrong_password_is_answered(bakthat: Bakthat, stored: str, tmp_path: Path):
    notices: list[str] = []
    asking = open_profile(
        bakthat.profile,
        stores={"s3": bakthat.tools.destination("s3").objects},
        repo=bakthat.tools.repo,
        environment={},
        notice=notices.append,
    )
    asking.restore(stored, target=tmp_path / "out", ask=AskAgain(Person("one", "two", "right")))
    assert notices == [f"the password does not open {stored}; {left} left" for left in ("2 tries", "1 try")]
