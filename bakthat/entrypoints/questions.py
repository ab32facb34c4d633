"""Questions of the dialogues: each is asked until its answer can be used."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from bakthat.domain.compression_choice import parse_compression
from bakthat.domain.rotation import SATURDAY, WEEKDAYS, first_week_day
from bakthat.entrypoints import terminal


def ask(
    question: str, before: str | None, *, secret: bool = False, wrong: Callable[[str], str] = lambda _: ""
) -> str | None:
    """Ask until the answer is blank or valid; None if it is blank, or `-`. `wrong`: says what is wrong with it."""
    while True:
        answer = terminal.ask_line(question, before or "", secret=secret)
        if answer in {"", "-"}:
            return None
        said = wrong(answer)
        if not said:
            return answer
        terminal.tell(said)


def choose(question: str, choices: list[str], default: str) -> str:
    """Ask for one of the choices, which may be typed in upper or lower case."""
    known, wrong = {choice.lower(): choice for choice in choices}, not_among(*choices)
    answer = ask(f"{question} ({', '.join(choices)})", default, wrong=lambda text: wrong(known.get(text.lower(), text)))
    return known.get((answer or default).lower(), default)


def not_among(*choices: str) -> Callable[[str], str]:
    """Return a check of an answer against these choices."""
    return lambda answer: "" if answer in choices else f"Please give {' or '.join(choices)}."


def not_a_url(answer: str) -> str:
    """Say what is wrong with the URL of a service."""
    return "" if answer.startswith(("https://", "http://")) else "It begins with https:// or http://."


def not_a_compression(answer: str) -> str:
    """Say what is wrong with a compression."""
    try:
        parse_compression(answer)
    except ValueError as error:
        text = str(error)
        return f"{text[0].upper()}{text[1:]}."
    return ""


def ask_number(question: str, default: Any) -> int:
    """Ask for a whole number, 0 or more."""
    while True:
        answer = terminal.ask_line(question, str(default))
        if answer.isascii() and answer.isdigit():
            return int(answer)
        terminal.tell("Please give a whole number, 0 or more.")


def ask_week_day(default: Any) -> int:
    """Ask for a day of the week; 0 is Monday."""
    try:
        shown = WEEKDAYS[first_week_day(default)]
    except ValueError:
        shown = WEEKDAYS[SATURDAY]
    while True:
        try:
            return first_week_day(terminal.ask_line("First day of the week (a name, or 0 = Monday to 6)", shown))
        except ValueError as error:
            terminal.tell(f"{error}.")
