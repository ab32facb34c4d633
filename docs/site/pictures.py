"""Draws the pictures of the documentation from real runs of bakthat: `python docs/site/pictures.py docs/pictures`.

Every picture is what a terminal of 100 columns shows. The backups are made by bakthat at fixed times; the commands run
at a fixed time (faketime), in a home of their own. So a run today gives the same picture as a run in a year, unless
bakthat prints something else.
"""

from __future__ import annotations

import fcntl
import os
import pty
import random
import re
import struct
import subprocess
import sys
import tempfile
import termios
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from rich.console import Console
from rich.terminal_theme import DIMMED_MONOKAI
from rich.text import Text

from bakthat import Profile, open_profile
from bakthat.testing.toolbox import SteppedClock

COLUMNS, LINES = 100, 60
NOW = datetime(2026, 11, 26, 12, 0, tzinfo=UTC)
HOME_IN_PICTURES = "/home/me"
CONFIG = """\
default:
  default_destination: local
  rotation: {days: 7, weeks: 4, months: 12}
  jobs:
    photos: {source: /home/me/photos, max_age: 36h}
    letters: {source: /home/me/letters, max_age: 2D}
"""

PICTURES: Mapping[str, Sequence[str]] = {
    "show": ["show", "-n", "12"],
    "rotation": ["rotate-backups", "photos", "--dry-run"],
    "status": ["status"],
    "restore": ["restore", "letters", "--target", "restored"],
}
"""The arguments of the command in each picture."""

_CALENDAR_ONLY = re.compile(r"^(keep|drop|delete) .*\n( {8}\S.*\n)*", re.MULTILINE)
_DRAWN = """\
<svg xmlns="http://www.w3.org/2000/svg" class="rich-terminal" viewBox="0 0 {width} {height}">
<style>
.{unique_id}-matrix {{ font-family: ui-monospace, "DejaVu Sans Mono", Menlo, Consolas, monospace;
  font-size: {char_height}px; line-height: {line_height}px; font-variant-east-asian: full-width; }}
.{unique_id}-title {{ font-size: 18px; font-weight: bold; font-family: sans-serif; }}
{styles}
</style>
<defs><clipPath id="{unique_id}-clip-terminal">
<rect x="0" y="0" width="{terminal_width}" height="{terminal_height}"/></clipPath>{lines}</defs>
{chrome}
<g transform="translate({terminal_x}, {terminal_y})" clip-path="url(#{unique_id}-clip-terminal)">
{backgrounds}
<g class="{unique_id}-matrix">
{matrix}
</g></g>
</svg>
"""


def draw_all(into: Path) -> None:
    """Draw every picture into the directory."""
    into.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="bakthat-pictures-") as folder:
        home = Path(folder)
        make_backups(home)
        for name, arguments in PICTURES.items():
            said = at_a_terminal(arguments, home)
            if name == "rotation":
                said = _CALENDAR_ONLY.sub("", said)
            (into / f"{name}.svg").write_text(drawn(f"bakthat {' '.join(arguments)}", said))


def make_backups(home: Path) -> None:
    """Make the backups that the pictures show: 200 days of photos, some of letters."""
    (home / ".bakthat.yml").write_text(CONFIG)
    (home / ".bakthat.yml").chmod(0o600)
    (home / "photos").mkdir()
    (home / "letters").mkdir()
    random_bytes = random.Random(7).randbytes  # noqa: S311 - the same bytes each time
    # Far from where a shown size would be rounded differently: other owners make archives some bytes longer.
    (home / "photos" / "summer.jpg").write_bytes(random_bytes(412_298))
    for number in range(3):
        (home / "letters" / f"{number}.txt").write_bytes(random_bytes(372_700))
    for path in (*home.glob("*/*"), home / "photos", home / "letters"):
        os.utime(path, (1_700_000_000, 1_700_000_000))
    clock = SteppedClock()
    profile = Profile(
        default_destination="local",
        local_path=str(home / ".bakthat/store"),
        database=str(home / ".bakthat.sqlite"),
    )
    bk = open_profile(profile, clock=clock, host=lambda: "desk", environment={"HOME": str(home)})
    for day in range(200, -1, -1):
        clock.now = NOW - timedelta(days=day, hours=9)
        if day % 9 != 4:  # the machine was off
            bk.backup(home / "photos", recorded_source=f"{HOME_IN_PICTURES}/photos")
        if day in (40, 12, 3):
            bk.backup(home / "letters", tags="family", recorded_source=f"{HOME_IN_PICTURES}/letters")


def at_a_terminal(arguments: Sequence[str], home: Path) -> str:
    """What the command shows on a terminal, at `NOW`."""
    ours, terminal = pty.openpty()
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", LINES, COLUMNS, 0, 0))
    environment = {
        "HOME": str(home),
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(Path(__file__).parents[2]),
        "TERM": "xterm-256color",
        "LANG": "C.UTF-8",
        "BAKTHAT_HOST": "desk",
        "PAGER": "cat",
    }
    fake = ["faketime", "-f", f"@{NOW:%Y-%m-%d %H:%M:%S}"]
    with subprocess.Popen(
        [*fake, sys.executable, "-m", "bakthat", *arguments],
        stdin=terminal, stdout=terminal, stderr=terminal, env={**environment, "TZ": "UTC"}, cwd=home,
    ) as running:  # fmt: skip
        os.close(terminal)
        said = b""
        try:
            while chunk := os.read(ours, 65_536):
                said += chunk
        except OSError:  # how Linux ends a terminal that nobody holds any more
            pass
        os.close(ours)
    if running.returncode not in (0, 1):  # 1: `status` has found a late backup
        raise SystemExit(f"bakthat {' '.join(arguments)} ended with {running.returncode}:\n{said.decode()}")
    return as_shown(said.decode()).replace(str(home), HOME_IN_PICTURES)


def as_shown(said: str) -> str:
    """What is left on the terminal: a line that was written again shows its last version."""
    lines = [re.split(r"\r|\x1b\[\d*K", line)[-1] for line in said.replace("\r\n", "\n").split("\n")]
    # The bar of progress shows a speed, which is not the same twice.
    return "\n".join(line for line in lines if "━" not in line)


def drawn(title: str, said: str) -> str:
    """The text as a picture (SVG) of a terminal."""
    with open(os.devnull, "w") as nowhere:
        console = Console(record=True, width=COLUMNS, file=nowhere, force_terminal=True, color_system="truecolor")
        console.print(Text("$ ", style="bold green").append(title, style="bold"))
        console.print(Text.from_ansi(said.rstrip("\n")))
        return console.export_svg(title=title, theme=DIMMED_MONOKAI, code_format=_DRAWN, unique_id="picture")


if __name__ == "__main__":
    draw_all(Path(sys.argv[1]))
