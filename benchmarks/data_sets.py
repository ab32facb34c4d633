"""The data sets: created once, always the same, and kept for the next run."""

from __future__ import annotations

import json
import math
import os
import random
import shutil
import stat
import sys
import sysconfig
from collections.abc import Callable, Iterator
from pathlib import Path

from attrs import frozen

MB = 1_000_000

SCALES = {"full": 1.0, "small": 0.02, "tiny": 0.0005}
"""The fraction of the full data sets that is created."""


@frozen(kw_only=True)
class DataSet:
    """`source`: a directory or a file. `files`, `size`: the number of its regular files, and their bytes."""

    letter: str
    what: str
    source: Path
    files: int
    size: int

    def read_again(self) -> None:
        """Read it into the page cache, so that no contender waits for the disk."""
        buffer = bytearray(1024 * 1024)
        for path in regular_files(self.source):
            with open(path, "rb", buffering=0) as file:
                while file.readinto(buffer):
                    pass


def data_set(letter: str, scale: str, folder: Path) -> DataSet:
    """One of `SETS` from this folder; it is created if it does not exist."""
    what, make, base_name = SETS[letter]
    home = folder / f"{letter}-{scale}"
    source = home / base_name
    facts = home / "facts.json"
    if not facts.exists():
        shutil.rmtree(home, ignore_errors=True)
        home.mkdir(parents=True)
        make(source, SCALES[scale])
        paths = list(regular_files(source))
        facts.write_text(json.dumps({"files": len(paths), "size": sum(path.stat().st_size for path in paths)}))
    return DataSet(letter=letter, what=what, source=source, **json.loads(facts.read_text()))


def regular_files(source: Path) -> Iterator[Path]:
    """The source itself if it is a file, else all regular files below it."""
    if source.is_file():
        yield source
        return
    for where, directories, names in os.walk(source):
        directories.sort()
        for name in sorted(names):
            path = Path(where, name)
            if not path.is_symlink() and path.is_file():
                yield path


def _real_files(target: Path, scale: float) -> None:
    """A copy of the software on this machine: 1.86 GB, if there is enough."""
    goal = int(1860 * MB * scale)
    roots = [Path(sys.base_prefix, "lib"), *sorted(Path("/usr/lib").glob("python3*"))]
    roots += [Path("/usr/share"), Path("/usr/lib", sysconfig.get_config_var("MULTIARCH") or "x86_64-linux-gnu")]
    left = goal
    for number, root in enumerate(roots):
        if root.is_dir() and left > 0:
            # None fills the set alone.
            left -= _copy(root, target / f"{number}-{root.name}", min(left, goal * 2 // 5))


def _copy(root: Path, target: Path, limit: int) -> int:
    """Copy directories, files and symbolic links until the limit is reached; the bytes copied."""
    copied = 0
    for where, directories, names in os.walk(root):
        directories.sort()
        here = target / Path(where).relative_to(root)
        here.mkdir(parents=True, exist_ok=True)
        for name in sorted(names):
            path = Path(where, name)
            try:
                kind = path.lstat()
                if stat.S_ISLNK(kind.st_mode):
                    os.symlink(os.readlink(path), here / name)
                elif stat.S_ISREG(kind.st_mode) and copied + kind.st_size <= limit:
                    shutil.copy2(path, here / name)
                    copied += kind.st_size
            except OSError:
                continue  # not ours to read
        if copied > limit * 99 // 100:
            break
    return copied


def _small_files(target: Path, scale: float) -> None:
    """100,000 files of 1 to 8 KB of text, most of them small, in directories of 100."""
    text = _text()
    chance = random.Random(2)
    for number in range(int(100_000 * scale)):
        if number % 100 == 0:
            folder = target / f"{number // 5000:02}" / f"{number // 100 % 50:02}"
            folder.mkdir(parents=True)
        size = int(1024 * math.exp(chance.random() * math.log(8)))
        start = chance.randrange(len(text) - size)
        (folder / f"note-{number:06}.txt").write_bytes(text[start : start + size])


def _large_file(target: Path, scale: float) -> None:
    """2 GB like a dump or a disk image: random chunks of text and programs, and one in six of noise. gzip -6 leaves
    about 40 % of it."""
    material = _text() + _programs()
    chance = random.Random(3)
    left = int(2000 * MB * scale)
    with target.open("wb") as file:
        while left > 0:
            size = min(left, chance.randrange(4_000, 200_000))
            if chance.random() < 0.16:
                file.write(chance.randbytes(size))
            else:
                start = chance.randrange(len(material) - size)
                file.write(material[start : start + size])
            left -= size


def _noise(target: Path, scale: float) -> None:
    """1 GB of random bytes, like photographs, films and encrypted files."""
    chance = random.Random(4)
    left = int(1000 * MB * scale)
    with target.open("wb") as file:
        while left > 0:
            file.write(chance.randbytes(min(left, MB)))
            left -= MB


def _text() -> bytes:
    """Python's library: real text, available wherever this runs."""
    library = Path(sysconfig.get_path("stdlib"))
    paths = (path for path in sorted(library.rglob("*.py")) if "site-packages" not in path.parts)
    return b"".join(path.read_bytes() for path in paths)


def _programs() -> bytes:
    """The interpreter and its compiled modules."""
    library = Path(sysconfig.get_path("stdlib"))
    paths = [Path(os.path.realpath(sys.executable)), *sorted((library / "lib-dynload").glob("*.so"))]
    return b"".join(path.read_bytes() for path in paths)


SETS: dict[str, tuple[str, Callable[[Path, float], None], str]] = {
    "a": ("a tree of real files", _real_files, "tree"),
    "b": ("small text files", _small_files, "notes"),
    "c": ("one large file", _large_file, "large.img"),
    "d": ("one file of random bytes", _noise, "noise.bin"),
}
