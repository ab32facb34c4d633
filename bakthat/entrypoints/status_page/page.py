"""The page itself: what is late in words, a table, and a part for each series."""

from __future__ import annotations

import base64
import hashlib
from importlib import resources

from bakthat.domain.duration import in_words
from bakthat.domain.rotation import is_later
from bakthat.domain.status import SeriesStatus, StatusReport
from bakthat.entrypoints.human_words import counted, human_size
from bakthat.entrypoints.status_page.calendar import calendar_figure
from bakthat.entrypoints.status_page.chart import size_chart
from bakthat.entrypoints.status_page.text import escaped, moment, origin_words
from bakthat.entrypoints.status_table import state_word, total_words, verified_words

MOST_LISTED = 31
"""How many backups of a series are listed, the newest ones."""

_SCRIPT = """
const hours = (Date.now() - Date.parse(document.querySelector("#as-of time").dateTime)) / 36e5;
const old = document.getElementById("old");
if (hours > 26) {
  old.textContent = "This page is " + (hours < 48 ? Math.floor(hours) + " hours" : Math.floor(hours / 24) + " days")
    + " old. It does not know what has happened since.";
  old.hidden = false;
}
"""
"""Warns of a page that is no longer made: it would stay green. The only script; the policy of the page allows it by its
hash, and no other."""

_STATES = {
    "ok": ("good-word", "✓ good"),
    "LATE": ("bad-word", "✗ late"),
    "BAD": ("bad-word", "✗ bad"),
    "INCOMPLETE": ("warn-word", "! incomplete"),
}
"""The class and the words of each state: a sign, so that the colour is not all that tells."""


def page(report: StatusReport, profile: str) -> str:
    """The HTML of the page."""
    wrong = [one for one in report.series if not one.is_good]
    title = f"{len(wrong)} of {len(report.series)} series not good" if wrong else "Backups are good"
    title = title if report.series else "No backups"
    digest = base64.b64encode(hashlib.sha256(_SCRIPT.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{digest}'"
    style = (resources.files(__package__) / "style.css").read_text(encoding="utf-8")
    parts = "".join(_part(one, report, number) for number, one in enumerate(report.series, start=1))
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="referrer" content="no-referrer">
<title>{escaped(title)}: {escaped(profile)}</title>
<style>
{style}</style>
</head>
<body>
<header>
<h1>Backups of {escaped(profile)}</h1>
<p class="when" id="as-of">As of {moment(report.at)}</p>
<p class="verdict wrong" id="old" role="alert" hidden></p>
</header>
<main>
{_verdict(report, wrong)}
{_table(report) if report.series else ""}
{parts}
</main>
<footer><p>Made by <code>bakthat status --html</code>. {escaped(total_words(report, profile))}</p></footer>
<script>{_SCRIPT}</script>
</body>
</html>
"""


def _verdict(report: StatusReport, wrong: list[SeriesStatus]) -> str:
    if not report.series:
        kind = "good" if report.is_good else "wrong"
        return (
            f'<section class="verdict {kind}" aria-label="Result"><p>There are no backups, and no jobs.</p></section>'
        )
    if not wrong:
        return '<section class="verdict good" aria-label="Result"><p>✓ Every series is as it should be.</p></section>'
    items = "".join(f"<li>{escaped(one.title)}: {escaped(problem)}</li>" for one in wrong for problem in one.problems)
    number = f"{len(wrong)} of {len(report.series)} series {'is' if len(wrong) == 1 else 'are'} not as it should be"
    return f'<section class="verdict wrong" aria-label="Result"><p>✗ {number}:</p><ul>{items}</ul></section>'


def _state(one: SeriesStatus) -> str:
    kind, words = _STATES[state_word(one)]
    return f'<span class="state {kind}">{words}</span>'


def _age(one: SeriesStatus) -> str:
    return "never" if one.age is None else f"{in_words(one.age)} ago"


def _table(report: StatusReport) -> str:
    rows = "".join(
        f'<tr><th scope="row"><a href="#s{number}">{escaped(one.series)}</a>'
        f'<small class="narrow">{escaped(origin_words(one.origin))}</small></th>'
        f'<td class="wide">{escaped(origin_words(one.origin))}</td><td>{_age(one)}</td>'
        f'<td class="number wide">{one.number}</td><td class="number wide">{human_size(one.total_size)}</td>'
        f"<td>{_state(one)}</td></tr>\n"
        for number, one in enumerate(report.series, start=1)
    )
    return f"""<section class="card"><table>
<caption>All series</caption>
<thead><tr><th scope="col">Series</th><th scope="col" class="wide">Of</th><th scope="col">Newest backup</th>
<th scope="col" class="number wide">Backups</th><th scope="col" class="number wide">Size of all</th>
<th scope="col">State</th></tr></thead>
<tbody>
{rows}</tbody></table></section>"""


def _part(one: SeriesStatus, report: StatusReport, number: int) -> str:
    problems = "".join(f"<li>{escaped(problem)}</li>" for problem in one.problems)
    job = f", job {escaped(one.job)}" if one.job is not None else ""
    origin = escaped(origin_words(one.origin))
    # One that a wrong clock has dated years ahead would push everything else out of both pictures.
    until_now = [backup for backup in one.backups if not is_later(backup, report.at)]
    calendar, chart = calendar_figure(until_now, report.at), size_chart(until_now)
    return f"""<section class="card" id="s{number}" aria-labelledby="t{number}">
<div class="title"><h2 id="t{number}">{escaped(one.series)} <span class="of">of {origin}</span></h2>
{_state(one)}</div>
<p class="of">In {escaped(one.destination)} ({escaped(one.location)}){job}</p>
{f'<ul class="wrong-list">{problems}</ul>' if problems else ""}
{_facts(one, report)}
{f"<h3>Days with a backup</h3>{calendar}" if calendar else ""}
{f"<h3>Size over time</h3>{chart}" if chart else ""}
{_list(one)}
</section>
"""


def _facts(one: SeriesStatus, report: StatusReport) -> str:
    newest = "never" if one.newest is None else f"{_age(one)}<small>{moment(one.newest.when)}</small>"
    facts = [("Newest backup", newest)]
    if one.max_age is not None:
        facts.append(("May be", f"{in_words(one.max_age)} old"))
    if one.newest is not None:
        facts.append(("Size of the newest", human_size(one.newest.size)))
    facts.append(("All backups", f"{counted(one.number, 'backup')}<small>{human_size(one.total_size)}</small>"))
    facts.append(("Last verified", escaped(verified_words(one, report))))
    return "<dl>" + "".join(f"<div><dt>{name}</dt><dd>{value}</dd></div>" for name, value in facts) + "</dl>"


def _list(one: SeriesStatus) -> str:
    if not one.backups:
        return ""
    rows = "".join(
        f'<tr><th scope="row">{moment(backup.when)}</th><td class="number">{human_size(backup.size)}</td>'
        f"<td>{escaped(backup.completeness or 'complete')}</td></tr>\n"
        for backup in one.backups[:MOST_LISTED]
    )
    which = "All backups" if one.number <= MOST_LISTED else f"The {MOST_LISTED} newest of {one.number} backups"
    return f"""<details><summary>{which} of {escaped(one.series)}</summary>
<table><caption>{which}, newest first</caption>
<thead><tr><th scope="col">Date</th><th scope="col" class="number">Size</th><th scope="col">Complete</th></tr></thead>
<tbody>
{rows}</tbody></table></details>"""
