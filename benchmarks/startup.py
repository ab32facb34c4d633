"""The start-up time of `bakthat show`, compared with the import of its libraries: `python -m benchmarks.startup`."""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks import report
from benchmarks.contenders import PYTHONPATH, base_environment
from benchmarks.records import fill_database, write_config

FACTOR = 2.0
"""The goal: `show` takes less than this many times as long as the imports alone."""

HEAVY = ("boto3", "botocore", "cryptography")
"""Modules that `show` must not import."""

_IMPORTS = "import attrs, click, peewee, yaml"
_SHOW = "from bakthat.entrypoints.cli import main; main(['show'])"
_MODULES = "import atexit, sys; atexit.register(lambda: print(*sorted(sys.modules), file=sys.stderr)); "


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.startup", description=__doc__)
    parser.add_argument("--repeat", type=int, default=30, metavar="N", help="rounds (default: 30)")
    parser.add_argument("--python", default=sys.executable, help="an interpreter that has bakthat (default: this one)")
    chosen = parser.parse_args(arguments)
    print(report.machine(), end="\n\n")
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        write_config(home)
        fill_database(home, 10)
        environment = {**base_environment(home), **PYTHONPATH, "BAKTHAT_CONFIG": str(home / "bakthat.yml")}
        programs = {"python": "pass", _IMPORTS: _IMPORTS, "bakthat show, 10 backups": _SHOW}
        taken: dict[str, list[float]] = {name: [] for name in programs}
        for _ in range(chosen.repeat):
            for name, program in programs.items():
                taken[name].append(_seconds(chosen.python, program, environment))
        modules = set(_run(chosen.python, _MODULES + _SHOW, environment).split())
    medians = {name: statistics.median(times) for name, times in taken.items()}
    base = medians[_IMPORTS]
    rows = [
        [name, f"{medians[name] * 1000:.0f}", f"{min(times) * 1000:.0f}", f"{medians[name] / base:.2f}"]
        for name, times in taken.items()
    ]
    print(report.table(["", "median ms", "least ms", "ratio"], rows), end="\n\n")
    heavy = sorted(modules & set(HEAVY))
    quick = medians["bakthat show, 10 backups"] < FACTOR * base
    print(f"less than {FACTOR:g} times the imports: {'yes' if quick else 'NO'}")
    print(f"without {', '.join(HEAVY)}: {'NO, it imports ' + ', '.join(heavy) if heavy else 'yes'}")
    return 0 if quick and not heavy else 1


def _seconds(python: str, program: str, environment: dict[str, str]) -> float:
    begin = time.perf_counter()
    subprocess.run([python, "-c", program], env=environment, stdout=subprocess.DEVNULL, check=True)
    return time.perf_counter() - begin


def _run(python: str, program: str, environment: dict[str, str]) -> str:
    command = [python, "-c", program]
    done = subprocess.run(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, check=True)
    return os.fsdecode(done.stderr)


if __name__ == "__main__":
    sys.exit(main())
