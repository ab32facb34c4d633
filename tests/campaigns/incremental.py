"""The law of incremental backups, by as many random histories as there is time for.

    python -m tests.campaigns.incremental [HISTORIES [FIRST_SEED]]

prints the first seed; a history that breaks the law is named by its own. Give that as FIRST_SEED to see it again.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path
from random import randrange

from tests.fixtures.incremental_histories import keep_the_law


def main(histories: int = 3000, first: int | None = None) -> None:
    """Try the histories of these seeds, each also with GNU tar."""
    start = randrange(10**9) if first is None else first
    print(f"{histories} histories from seed {start}", flush=True)
    memory = Path("/dev/shm")
    folder = Path(tempfile.mkdtemp(prefix="bakthat-law-", dir=memory if memory.is_dir() else None))
    points = 0
    try:
        for seed in range(start, start + histories):
            points += len(keep_the_law(seed, folder / f"{seed}", with_gnu_tar=True).points)
    finally:
        shutil.rmtree(folder)
    print(f"{points} points of {histories} histories are as they were")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:3]))
