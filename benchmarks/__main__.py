"""`python -m benchmarks`: bakthat compared with its alternatives. See README.md."""

from __future__ import annotations

import argparse
import json
import shutil
import signal
import sys
import tempfile
from pathlib import Path

from benchmarks import report
from benchmarks.comparison import Run, compare
from benchmarks.contenders import CONTENDERS, Bakthat, new_identity
from benchmarks.data_sets import SCALES, SETS, data_set
from benchmarks.servers import Folder, SeaweedFS

DATA = Path(__file__).parent / "data"


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--sets", default="a,b,c,d", help="data sets: a real files, b small ones, c large, d random")
    parser.add_argument("--scale", choices=SCALES, default="small", help="how much of each (default: small, 1/50)")
    parser.add_argument("--peers", default=",".join(CONTENDERS), help="who runs (default: %(default)s)")
    parser.add_argument("--repeat", type=int, default=3, metavar="N", help="rounds (default: 3)")
    parser.add_argument("--patience", type=float, default=0, metavar="S", help="wait so long for a quiet machine")
    parser.add_argument("--python", default=sys.executable, help="an interpreter to run bakthat (default: this one)")
    parser.add_argument("--folder", action="store_true", help="store into a folder instead of S3; bakthat alone can")
    parser.add_argument("--json", metavar="FILE", help="write every measurement there, too")
    parser.add_argument("--data", type=Path, default=DATA, metavar="DIR", help="where the data sets are kept")
    chosen = parser.parse_args(arguments)

    Bakthat.python = chosen.python
    contenders = []
    for name in chosen.peers.split(","):
        if name not in CONTENDERS:
            parser.error(f"--peers: {name!r} is not one of {', '.join(CONTENDERS)}")
        contender = CONTENDERS[name]
        lacking = contender.missing()
        if lacking:
            print(f"{contender.name}: left out, {lacking} is not installed", file=sys.stderr)
        elif not (chosen.folder and contender.needs_s3):
            contenders.append(contender)
    letters = chosen.sets.split(",")
    unknown = [letter for letter in letters if letter not in SETS]
    if unknown:
        parser.error(f"--sets: {unknown[0]!r} is not one of {', '.join(SETS)}")

    # On Ctrl-C, too, started processes are ended and results are written.
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    print(report.machine(), end="\n\n", flush=True)
    chosen.data.mkdir(parents=True, exist_ok=True)
    runs: list[Run] = []
    scratch = Path(tempfile.mkdtemp(prefix="work-", dir=chosen.data))
    try:
        identity = new_identity(scratch)
        for letter in letters:
            data = data_set(letter, chosen.scale, chosen.data)
            # A new server for each set, with an empty disk.
            with (Folder if chosen.folder else SeaweedFS)(scratch / f"server-{letter}") as server:
                done = compare(
                    data,
                    contenders,
                    server,
                    scratch,
                    repeat=chosen.repeat,
                    identity=identity,
                    patience=chosen.patience,
                    on_run=_progress,
                )
            runs += done
            print(report.comparison_table(data, done), end="\n\n", flush=True)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
        if chosen.json:
            Path(chosen.json).write_text(json.dumps(report.as_json(runs), indent=1) + "\n")
    if chosen.scale == "full" and not chosen.folder:
        print(report.goals_table(runs))
    else:
        print("The goals are compared with S3 at --scale full only: below, what starting takes hides the rest.")
    return 0


def _progress(run: Run) -> None:
    print(
        f"  {run.letter} round {run.round + 1}: {run.contender}: {run.backup.wall:.1f} s / {run.restore.wall:.1f} s"
        f"{', disturbed' * run.disturbed}",
        file=sys.stderr,
        flush=True,
    )


if __name__ == "__main__":
    sys.exit(main())
