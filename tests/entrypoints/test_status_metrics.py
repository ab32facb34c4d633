"""The metrics of `status --prometheus`, read by the parser of Prometheus' own Python library."""

from __future__ import annotations

from prometheus_client.parser import text_string_to_metric_families

from bakthat.entrypoints.status_metrics import metrics
from tests.fixtures.status_reports import NOW, expected, made, report


def samples(text: str) -> dict[tuple[str, str], float]:
    """The values by metric and series."""
    families = list(text_string_to_metric_families(text))
    assert all(family.documentation and family.type == "gauge" for family in families)
    found = [sample for family in families for sample in family.samples]
    return {(sample.name.removeprefix("bakthat_"), sample.labels.get("series", "")): sample.value for sample in found}


def test_every_fact_of_a_series_is_a_metric() -> None:
    verified = {"at": 1000, "level": "opens"}
    found = samples(metrics(report(made(2, size=700, verified=verified), made(30), jobs=[expected()]), "default"))
    assert {name: value for (name, series), value in found.items() if series == "etc"} == {
        "newest_backup_timestamp_seconds": NOW.timestamp() - 7200,
        "newest_backup_size_bytes": 700,
        "newest_backup_incomplete": 0,
        "max_age_seconds": 26 * 3600,
        "late": 0,
        "backups": 2,
        "stored_bytes": 1700,
        "last_verification_timestamp_seconds": 1000,
        "last_verification_good": 1,
    }
    assert found["status_timestamp_seconds", ""] == NOW.timestamp()
    assert found["status_good", ""] == 1


def test_what_there_is_not_has_no_sample() -> None:
    found = samples(metrics(report(jobs=[expected(hours=None)]), "default"))
    assert {name for name, series in found if series == "etc"} == {"late", "backups", "stored_bytes"}
    assert (found["late", "etc"], found["status_good", ""]) == (1, 0)


def test_labels_are_escaped() -> None:
    series, source = 'a"b\\c\nd', "/ü\udcff"
    text = metrics(report(made(1, series=series, source=source)), "my profile")
    (sample, *_) = (one for family in text_string_to_metric_families(text) for one in family.samples)
    assert sample.labels == {
        "profile": "my profile",
        "series": series,
        "host": "web1",
        "source": "/ü\\udcff",
        "destination": "s3",
        "location": "s3://bucket",
        "job": "",
    }


def test_without_a_series_there_is_the_time() -> None:
    assert set(samples(metrics(report(), "default"))) == {("status_timestamp_seconds", ""), ("status_good", "")}


def test_no_two_samples_have_the_same_labels() -> None:
    """The node exporter would refuse the whole file."""
    alike = [made(1, source="/\udcff"), made(2, source="/\\udcff", incomplete=True)]
    unknown = [made(3, source="unknown", host=None), made(4, source=None, host=None)]
    text = metrics(report(*alike, *unknown), "default")
    lines = [line.rpartition(" ")[0] for line in text.splitlines() if not line.startswith("#")]
    assert len(set(lines)) == len(lines)
    assert sum(line.startswith("bakthat_backups{") for line in lines) == 3
    assert 'source="/\\\\udcff"' in text
    incomplete = [one for one in text.splitlines() if one.startswith("bakthat_newest_backup_incomplete{")]
    assert [one.endswith(" 1") for one in incomplete] == [True, False, False]
