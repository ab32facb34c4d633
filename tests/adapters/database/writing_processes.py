"""Processes that write into one database at once.

`python -m tests.adapters.database.writing_processes DATABASE PROCESSES ROUNDS` prints, for each of them, the names of
the shared backups that it was the first to add, as JSON. They are forked from one that has imported what they need, and
has opened nothing yet."""

from __future__ import annotations

import json
import sys
from datetime import timedelta
from multiprocessing import get_context

from bakthat.adapters.database.peewee_repo import open_repo
from bakthat.domain.objects import ArchiveId, JobId, RetrievalJob
from bakthat.errors import DuplicateBackup
from bakthat.testing.examples import WHEN, a_backup


def write(database: str, number: int, rounds: int) -> list[str]:
    repo = open_repo(database)
    won = []
    for i in range(rounds):
        own = a_backup(filename=f"own-{number}-{i}")
        repo.add(own)
        repo.replace(own.with_metadata(WHEN + timedelta(1), verified=f"{number}-{i}"))
        if i % 3 == 0:
            repo.replace(own.deleted(WHEN + timedelta(2)))
        try:
            repo.add(a_backup(filename=f"shared-{i}", size=number))
            won.append(f"shared-{i}")
        except DuplicateBackup:
            pass
        # A bucket that was copied to a folder: the same names in another store.
        repo.put_all([a_backup(filename=f"shared-{i}", backend="local"), a_backup(filename=f"put-{number}-{i}")])
        repo.remember_archive(f"own-{number}-{i}", ArchiveId(f"id-{number}-{i}"))
        repo.remember_job(RetrievalJob(filename=f"own-{number}-{i}", job_id=JobId(str(i)), requested=WHEN))
        repo.remember_job(RetrievalJob(filename="shared", job_id=JobId(str(number)), requested=WHEN))
    return won


if __name__ == "__main__":
    database, processes, rounds = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    with get_context("fork").Pool(processes) as pool:
        won = pool.starmap(write, [(database, number, rounds) for number in range(processes)], chunksize=1)
    json.dump(won, sys.stdout)
