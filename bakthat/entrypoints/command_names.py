"""The names of the commands: how they are spelled, and what other words mean."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from bakthat.domain.selector import nearest

COMMANDS = (
    "backup",
    "run",
    "restore",
    "show",
    "ls",
    "cat",
    "find",
    "diff",
    "delete",
    "remove-older-than",
    "rotate-backups",
    "sync",
    "verify",
    "status",
    "copy",
    "cleanup",
    "configure",
    "configure-backups-rotation",
    "keygen",
    "glacier-inventory",
    "completion",
)
"""In the order of the help; each is a module of `bakthat.entrypoints.commands`, with `_` for `-`."""

ALIASES: Mapping[str, tuple[str, ...]] = {
    "delete-older-than": ("remove-older-than",),
    "show-glacier-inventory": ("glacier-inventory", "show"),
    "show-local-glacier-inventory": ("glacier-inventory", "show-local"),
    "backup-glacier-inventory": ("glacier-inventory", "save"),
    "restore-glacier-inventory": ("glacier-inventory", "load"),
}
"""2013's names, and the words that they stand for."""

_MEANINGS: Mapping[str, tuple[str, ...]] = {
    "show": ("list", "backups", "snapshots", "archives", "history", "log", "info", "get-all"),
    "backup": ("create", "save", "store", "dump", "push", "put", "upload", "add", "snapshot"),
    "run": ("job", "jobs", "cron", "nightly", "start", "schedule"),
    "status": ("stats", "health", "report", "monitor", "monitoring", "overview", "late"),
    "restore": ("extract", "recover", "get", "download", "unpack", "fetch", "mount"),
    "delete": ("rm", "remove", "del", "drop"),
    "remove-older-than": ("prune", "expire", "purge"),
    "rotate-backups": ("prune", "forget", "rotate", "rotation", "thin", "gc", "expire", "purge", "trim"),
    "verify": ("check", "test", "fsck", "validate", "scrub"),
    "sync": ("refresh", "update", "pull", "import", "rebuild", "repair"),
    "cleanup": ("abort", "gc", "clean"),
    "copy": ("cp", "duplicate", "mirror", "replicate", "clone"),
    "find": ("search", "locate", "grep"),
    "configure": ("init", "setup", "config", "settings", "profile", "profiles", "login"),
    "keygen": ("key", "keys", "genkey", "gen-key", "generate-key", "age-keygen"),
    "glacier-inventory": ("inventory",),
}
"""What other programs call a command, and what people type."""

_ADVICE: Mapping[str, str] = {
    "help": "`bakthat -h` lists the commands, `bakthat COMMAND -h` explains one",
    "man": "`bakthat -h` lists the commands, `bakthat COMMAND -h` explains one",
    "version": "`bakthat --version` prints it",
}


COMPLETION_VARIABLE = "_BAKTHAT_COMPLETE"
"""Set by the scripts of shells: `bash_complete` asks for words."""


def canonical(word: str) -> str:
    """Return the word as names are written: with `-` for `_`."""
    return word.replace("_", "-")


def advice(word: str, known: Iterable[str] = COMMANDS) -> str:
    """Return what to say about an unknown word, as a sentence to append; "" if nothing is like it."""
    word, names = canonical(word).lower(), tuple(known)
    if word in _ADVICE:
        return f" {_ADVICE[word]}."
    meant = [name for name, words in _MEANINGS.items() if word in words and name in names]
    aliases = [alias for alias, words in ALIASES.items() if words[0] in names]
    alike = meant or nearest(word, [*names, *aliases], most=1)
    return f" Did you mean {' or '.join(alike)}?" if alike else ""
