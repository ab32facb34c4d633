"""The state of backups as metrics, in the text format of Prometheus, for the node exporter's textfile collector."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from bakthat.domain.status import SeriesStatus, StatusReport

_SERIES: Mapping[str, tuple[str, Callable[[SeriesStatus], float | None]]] = {
    "bakthat_newest_backup_timestamp_seconds": (
        "When the newest backup was made, in seconds of Unix time.",
        lambda one: None if one.newest is None else one.newest.when.timestamp(),
    ),
    "bakthat_newest_backup_size_bytes": (
        "Stored bytes of the newest backup.",
        lambda one: None if one.newest is None else one.newest.size,
    ),
    "bakthat_newest_backup_incomplete": (
        "Whether files are missing in the newest backup.",
        lambda one: None if one.newest is None else one.is_incomplete,
    ),
    "bakthat_max_age_seconds": (
        "How old the newest backup may be.",
        lambda one: None if one.max_age is None else one.max_age.total_seconds(),
    ),
    "bakthat_late": ("Whether the newest backup is older than that, or there is none.", lambda one: one.is_late),
    "bakthat_backups": ("How many backups there are.", lambda one: one.number),
    "bakthat_stored_bytes": ("Stored bytes of all backups.", lambda one: one.total_size),
    "bakthat_last_verification_timestamp_seconds": (
        "When a backup was last verified, in seconds of Unix time.",
        lambda one: None if one.verification is None else one.verification.at.timestamp(),
    ),
    "bakthat_last_verification_good": (
        "Whether the last verification found the backup good.",
        lambda one: None if one.verification is None else not one.is_bad,
    ),
}
"""The metrics of each series: what they mean, and their values; None where there is none."""


def metrics(report: StatusReport, profile: str) -> str:
    """Return the text of the file."""
    return "".join(f"{line}\n" for line in _lines(report, profile))


def _lines(report: StatusReport, profile: str) -> Iterator[str]:
    for name, (meaning, value_of) in _SERIES.items():
        values = [(one, value_of(one)) for one in report.series]
        if any(value is not None for _, value in values):
            yield from _head(name, meaning)
            samples: dict[str, str] = {}
            for one, value in values:
                if value is not None:
                    # Of two with the same labels the first, which is the worse one: the exporter takes no duplicates.
                    samples.setdefault(_labels(one, profile), _number(value))
            yield from (f"{name}{labels} {number}" for labels, number in samples.items())
    own = f'{{profile="{_escaped(profile)}"}}'
    name = "bakthat_status_timestamp_seconds"
    yield from _head(name, "When this was found out, in seconds of Unix time.")
    yield f"{name}{own} {_number(report.at.timestamp())}"
    name = "bakthat_status_good"
    yield from _head(name, "Whether no backup is late, incomplete or bad.")
    yield f"{name}{own} {_number(report.is_good)}"


def _head(name: str, meaning: str) -> Iterator[str]:
    yield f"# HELP {name} {meaning}"
    yield f"# TYPE {name} gauge"


def _labels(one: SeriesStatus, profile: str) -> str:
    labels = {
        "profile": profile,
        "series": one.series,
        "host": one.origin.host or "",
        "source": one.origin.source or "",
        "destination": one.destination,
        "location": one.location,
        "job": one.job or "",
    }
    return "{" + ",".join(f'{name}="{_escaped(value)}"' for name, value in labels.items()) + "}"


def _escaped(value: str) -> str:
    """A label's value: any Unicode text, with three characters escaped."""
    text = value.encode("utf-8", "backslashreplace").decode()
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _number(value: float) -> str:
    """A number without an exponent, since some programs read these files by hand."""
    return str(int(value)) if float(value).is_integer() else repr(float(value))
