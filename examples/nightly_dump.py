#!/usr/bin/env python3
"""Dumps a SQLite database, backs the dump up, and thins out the older ones. For cron:

    0 3 * * *  nightly_dump.py /var/lib/shop/shop.sqlite

Where to, and how many to keep, is in the profile: ~/.bakthat.yml, `bakthat configure`.
"""

import sqlite3
import sys
from contextlib import closing
from pathlib import Path

from bakthat import BakHelper
from bakthat.errors import BakthatError


def main(database: Path) -> None:
    with BakHelper(database.stem, tags=["db", "nightly"]) as bh:
        # The current directory is now a temporary one; `backup` backs up its contents.
        with (
            closing(sqlite3.connect(f"{database.as_uri()}?mode=ro", uri=True)) as source,
            open("dump.sql", "w") as dump,
        ):
            dump.writelines(f"{line}\n" for line in source.iterdump())
        made = bh.backup()
        gone = bh.rotate()
    print(f"{made.stored_filename}: {made.size} bytes; {len(gone)} older ones deleted")


if __name__ == "__main__":
    try:
        main(Path(sys.argv[1]).resolve())
    except (BakthatError, sqlite3.Error) as error:
        sys.exit(f"{sys.argv[0]}: {error}")
