"""Output and questions: results on stdout, everything else on stderr, progress bars only on a terminal."""

from __future__ import annotations

import contextlib
import fcntl
import getpass
import json
import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, TextIO

from bakthat.domain.backup import Backup, from_epoch
from bakthat.entrypoints import screen
from bakthat.entrypoints.command_line_words import in_command_line_words
from bakthat.entrypoints.encryption_words import encryption_words
from bakthat.entrypoints.human_words import counted as counted
from bakthat.entrypoints.human_words import human_size as human_size
from bakthat.entrypoints.progress_bar import without_bars
from bakthat.errors import BakthatError, UsageError

_AT_ONCE = 64 * 1024
"""Characters of results that are written in one call."""

_LONGEST_DELAY = 0.2
"""Seconds that a line waits for further ones."""


def tell(text: str) -> None:
    """Write a line to stderr; on a terminal, broken between words where it is too long. If that is impossible (a full
    disk, a reader that has left), the line is lost, and the work goes on: a backup must not fail because its log does.
    """
    line = printable(in_command_line_words(text))
    if screen.is_terminal(sys.stderr):
        line = "\n".join(screen.wrapped(line, screen.size_of(sys.stderr)[0]))
    tell_data(line)


def tell_data(line: str) -> None:
    """Write a line for a program to stderr, unchanged, or lose it as `tell` does."""
    try:
        print(line, file=sys.stderr, flush=True)
    except OSError:
        _drop(sys.stderr)


def result(text: str) -> None:
    """Write a line to stdout. Raises `OutputLost`."""
    with _written():
        print(printable(text), flush=True)


def result_words(text: str, *, indent: str = "") -> None:
    """Write a line to stdout that has a message in it; on a terminal, broken between words where it is too long, with
    `indent` before the further lines. Raises `OutputLost`."""
    line = printable(text)
    if screen.is_terminal(sys.stdout):
        line = "\n".join(screen.wrapped(line.expandtabs(), screen.size_of(sys.stdout)[0], indent))
    with _written():
        print(line, flush=True)


def result_json(value: Any) -> None:
    """Write a value to stdout as JSON (ASCII, so that any name passes through any pipe). Raises `OutputLost`."""
    with _written():
        print(json.dumps(value, indent=1), flush=True)


def results(lines: Iterable[str]) -> None:
    """Write many lines to stdout, each as `result` writes it, but several at a time. Raises `OutputLost`."""
    pending: list[str] = []
    size, last = 0, time.monotonic()

    def write() -> None:
        if pending:
            with _written():
                print("\n".join(pending), flush=True)
            pending.clear()

    try:
        for line in lines:
            pending.append(printable(line))
            size += len(line)
            if size >= _AT_ONCE or time.monotonic() - last >= _LONGEST_DELAY:
                write()
                size, last = 0, time.monotonic()
    except (BrokenPipeError, OutputLost):
        raise
    except BaseException:
        write()  # what came before the error
        raise
    write()


def result_document(about: Mapping[str, Any], name: str, items: Iterable[Mapping[str, Any]]) -> None:
    """Write a JSON object to stdout, as `result_json` does, with a list `name` of many items: one in a line, each
    written when it is there. Raises `OutputLost`."""

    def lines() -> Iterator[str]:
        head = "".join(f"{json.dumps(key)}: {json.dumps(value)}, " for key, value in about.items())
        before = f"{{{head}{json.dumps(name)}: ["
        first = True
        for item in items:
            yield before if first else f"{before},"
            before, first = json.dumps(item), False
        yield before
        yield "]}"

    results(lines())


def result_bytes(chunks: Iterable[bytes]) -> None:
    """Write bytes to stdout unchanged. Raises `OutputLost`."""
    for chunk in chunks:
        with _written():
            sys.stdout.buffer.write(chunk)
    with _written():
        sys.stdout.buffer.flush()


OUTPUT_LOST = "the result could not be written to standard output"
"""The beginning of the message; the reason follows."""


class OutputLost(BakthatError):
    """Standard output could not be written, for example on a full disk. The command itself has succeeded."""


class ReaderGone(Exception):
    """The reader of standard output has gone: a broken pipe, as a class that click does not convert to an exit."""


@contextlib.contextmanager
def _written() -> Iterator[None]:
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        drop_output()
        reason = os.strerror(error.errno or 0)
        raise OutputLost(f"{OUTPUT_LOST}: {reason}") from error


class ResultsOfWork:
    """Lines on stdout about work that is under way: one that cannot be written does not stop the work.

    A full disk with the log of a nightly `bakthat run` must not cost the backups that are still to be made.
    """

    def __init__(self) -> None:
        self._lost: Exception | None = None

    def line(self, text: str) -> None:
        """Write a line, as `result` does. After the first one that is lost, the others are discarded."""
        self._write(lambda: result(text))

    def words(self, text: str) -> None:
        """Write a line, as `result_words` does, or discard it as `line` does."""
        self._write(lambda: result_words(text, indent="  "))

    def _write(self, write: Callable[[], None]) -> None:
        try:
            write()
        except (BrokenPipeError, OutputLost) as error:
            self._lost = error
            drop_output()

    def check(self) -> None:
        """Raise the error of the line that was lost, when the work is done."""
        if self._lost is not None:
            raise self._lost


def drop_output() -> None:
    """Discard further output to stdout, so that the interpreter does not fail on it at exit."""
    _drop(sys.stdout)


def _drop(stream: TextIO) -> None:
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, stream.fileno())
    os.close(null)


def printable(text: str) -> str:
    """The text in one line that is safe for any terminal: control characters and bytes that are not UTF-8 are escaped,
    so that a file name cannot control the terminal."""
    if text.isascii() and text.isprintable():
        return text
    escaped = "".join(
        char if char.isprintable() or char == "\t" else char.encode("unicode_escape").decode() for char in text
    )
    encoding = getattr(sys.stderr, "encoding", None) or "utf-8"
    return escaped.encode(encoding, "backslashreplace").decode(encoding)


def backup_line(backup: Backup, *, verbose: bool = False) -> str:
    """A line of `show`: date (UTC), backend, size, stored filename, (tags), separated by tabs. verbose: also the host,
    what an incremental backup continues, the keys that the backup is encrypted to, and when it was last verified."""
    marks = []
    if backup.tags:
        marks.append(f"({' '.join(backup.tags)})")
    if backup.is_incomplete:
        marks.append("[incomplete]")
    if backup.is_deleted:
        marks.append("[deleted]")
    if verbose:
        marks.append(f"[host {backup.metadata.get('client', 'unknown')}]")
        if backup.is_incremental:
            marks.append(f"[{continues_words(backup)}]")
        marks.append(f"[{encryption_words(backup)}]")
        marks.append(f"[{verified_words(backup)}]")
    name = " ".join([backup.stored_filename, *marks])
    date = backup.when.strftime("%Y-%m-%d %H:%M:%SZ")
    return f"{date}\t{backup.backend:8}\t{human_size(backup.size):>8}\t{name}"


def continues_words(backup: Backup) -> str:
    """`continues photos.20260101030000.tgz`, of an incremental backup."""
    increment = backup.metadata.incremental
    return f"continues {increment.base if increment is not None else 'an unknown backup'}"


def verified_words(backup: Backup) -> str:
    """`never verified`, or `verified 2026-01-02: opens`."""
    verified = backup.metadata.verified
    if verified is None or not isinstance(verified.get("at"), int):
        return "never verified"
    outcome = "BAD" if "error" in verified else verified.get("level")
    try:
        return f"verified {from_epoch(verified['at']):%Y-%m-%d}: {outcome}"
    except (ValueError, OverflowError, OSError):  # not a date, which an entry may contain
        return f"verified: {outcome}"


def is_interactive() -> bool:
    """Whether there is a terminal for questions."""
    return sys.stdin is not None and sys.stdin.isatty()


def is_input_closed() -> bool:
    """Whether this process was started without a standard input: `main` puts the null device in its place, so that it
    cannot be read. `</dev/null` can; that is an empty stream."""
    cannot_be_read = fcntl.fcntl(0, fcntl.F_GETFL) & os.O_ACCMODE == os.O_WRONLY
    return cannot_be_read and os.path.samestat(os.fstat(0), os.stat(os.devnull))


def ask_new_password() -> str:
    """Ask for a password twice, until both are equal; blank means none."""
    while True:
        first = getpass.getpass("Password (blank to disable encryption): ")
        if not first:
            tell("No password: the backup will not be encrypted.")
            return ""
        if getpass.getpass("Password confirmation: ") == first:
            return first
        tell("The passwords do not match; try again.")


def ask_password() -> str:
    """Ask for the password of a backup."""
    with without_bars():
        return getpass.getpass("Password: ")


def ask_passphrase(key_file: str) -> str:
    """Ask for the passphrase of a key file."""
    with without_bars():
        return getpass.getpass(printable(f"Passphrase of the key file {key_file}: "))


def ask_line(question: str, default: str = "", *, secret: bool = False) -> str:
    """Ask a question; return the answer, or the default for a blank one. Answers may be piped in; raises `UsageError`
    at their end."""
    shown = f" [{'********' if secret else default}]" if default else ""
    if secret and is_interactive():
        answer = getpass.getpass(f"{question}{shown}: ")
    else:
        print(f"{question}{shown}: ", end="", file=sys.stderr, flush=True)
        line = sys.stdin.readline()
        if not line:
            print(file=sys.stderr)
            raise UsageError(f"no answer to {question!r}; run this on a terminal, or pipe in the answers, one per line")
        answer = line.rstrip("\r\n")
        if not is_interactive():
            print(file=sys.stderr)
    return answer.strip() or default


def ask_yes(question: str, *, default: bool) -> bool:
    """Ask for yes or no."""
    while True:
        answer = ask_line(f"{question} (yes/no)", "yes" if default else "no").lower()
        if answer in {"y", "yes"}:
            return True
        if answer in {"n", "no"}:
            return False
        tell("Please answer yes or no.")


def table(rows: Sequence[Sequence[str]]) -> list[str]:
    """The rows as lines, each column as wide as its widest cell."""
    if not rows:
        return []
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
