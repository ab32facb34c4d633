"""`Judgement`: what a salvaged file is worth, and the name that says so."""

from __future__ import annotations

import contextlib
import os
import stat

from attrs import evolve, frozen

from bakthat.adapters.filesystem.dir_fd import exists, set_mode
from bakthat.adapters.packing.extracting.attributes import Attributes
from bakthat.domain.salvage import PARTIAL_SUFFIX, UNVERIFIED_SUFFIX

PARTIAL, UNVERIFIED = SUFFIXES = (os.fsencode(PARTIAL_SUFFIX), os.fsencode(UNVERIFIED_SUFFIX))

NESTED = "it may belong to an archive inside this one: it was found behind a damage"
TWICE = "the archive has another one of this name; one of them may belong to an archive inside this one"

_LONGEST_NAME = 255
"""Bytes: NAME_MAX of limits.h."""

_SET_ID_BITS = 0o6000


@frozen
class Judgement:
    """What is known about a file. suffix: of the name that it gets, empty for its own. reason: for that. is_final: no
    verdict can change it any more."""

    suffix: bytes = b""
    reason: str = ""
    is_final: bool = True


def partial(reason: str) -> Judgement:
    return Judgement(PARTIAL, reason)


def unverified(reason: str) -> Judgement:
    return Judgement(UNVERIFIED, reason)


def free_name(directory: int, name: bytes, suffix: bytes) -> bytes:
    """The name with the suffix, and a number if need be, so that nothing in the directory is replaced."""
    number = 1
    while True:
        end = suffix if number == 1 else b"%b.%d" % (suffix, number)
        candidate = name[: _LONGEST_NAME - len(end)] + end
        if candidate != name and not exists(candidate, directory):
            return candidate
        number += 1


def rename(directory: int, name: bytes, suffix: bytes) -> bytes:
    """Add the suffix to the name of a file; return the new name."""
    made = free_name(directory, name, suffix)
    os.rename(name, made, src_dir_fd=directory, dst_dir_fd=directory)
    return made


def harmless(attributes: Attributes) -> Attributes:
    """Without what would let a program that may be damaged run as somebody else, or with rights of its own. Without an
    access control list, the mode could allow too much."""
    rights = 0o700 if attributes.extended else 0o777
    return evolve(attributes, mode=attributes.mode & rights, extended=b"")


def make_harmless(fd: int) -> None:
    """The same, of a file that has them already, open with `ENTRY`; its access control list can stay."""
    mode = stat.S_IMODE(os.fstat(fd).st_mode)
    if mode & _SET_ID_BITS:
        set_mode(fd, mode & ~_SET_ID_BITS)
    if hasattr(os, "removexattr"):
        with contextlib.suppress(OSError):
            os.removexattr(f"/proc/self/fd/{fd}", "security.capability")
