"""How every `MetadataRepo` finds backups: a part of its contract."""

from __future__ import annotations

import itertools
import random
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from bakthat.domain.backup import Backup, Owner
from bakthat.domain.query import Query, newest_first
from bakthat.errors import DuplicateBackup
from bakthat.ports.metadata_repo import MetadataRepo
from bakthat.testing.examples import WHEN, a_backup
from bakthat.testing.metadata_repo_suite import RepoSuite

EXAMPLES = 60
"""How many repositories and queries are compared; always the same ones, so that a failure comes again."""

# Few values each, so that they collide: names that contain each other, glob and LIKE characters, quotes, upper case.
_FILENAMES = ["db", "DB", "db2", "mydb", "a%b", "a_b", "[d]b", "d*b", "o'b\"b", "ümlaut 键"]
_BACKENDS = ["s3", "glacier", "local"]
_HASHES = ["", "1a", "2b"]
_LOCATIONS = ["s3://one", "s3://two"]
_TAGS = ["daily", "day", "DAILY", "x%", '"', "[x", "é", "two words", '["daily"]', "\\", "\udcff"]
# An hour apart, as the date in a name of 2013 may be from the `backup_date` beside it.
_DATES = [datetime(2012, 1, day, hour, tzinfo=UTC) for day in (1, 2) for hour in (0, 1, 2)]


class _Examples(random.Random):
    """Random backups and queries, the same for the same seed."""

    def some(self, values: Sequence[str], most: int) -> list[str]:
        """At most so many of the values, each perhaps more than once."""
        return self.choices(values, k=self.randint(0, most))

    def backup(self) -> Backup:
        """A backup of a few names, dates and stores; some are of 2013 (no location, no dot, a local `backup_date`),
        some of its KeyValue (no date in the name)."""
        filename, date, location = self.choice(_FILENAMES), self.choice(_DATES), self.choice([None, *_LOCATIONS])
        metadata: dict[str, Any] = {
            key: self.choice([True, "host", 1.5, ["é", {}]]) for key in self.some(["is_enc", "client", "future"], 2)
        }
        form = self.choice(["{0}.{1}.tgz", "{0}.{1}.tgz.enc", "{0}{1}.tgz", "{0}.{1}", "{0}"])
        return Backup(
            backend=self.choice(_BACKENDS),
            backend_hash=self.choice(_HASHES),
            backup_date=date + self.choice([timedelta(0), timedelta(hours=1)]),
            filename=filename,
            stored_filename=form.format(filename, date.strftime("%Y%m%d%H%M%S")),
            size=self.choice([0, 3120, 5 * 2**40]),
            tags=tuple(self.some(_TAGS, 3)),
            is_deleted=self.choice([True, False]),
            last_updated=self.choice(_DATES),
            metadata=metadata if location is None else {**metadata, "location": location},
        )

    def owner(self) -> Owner:
        """A store in which backups of `backup` may be."""
        return Owner(
            backend=self.choice(_BACKENDS), location=self.choice(_LOCATIONS), backend_hash=self.choice(_HASHES)
        )

    def query(self, backups: Sequence[Backup]) -> Query:
        """A query that matches some of the backups, or others. At most two conditions, because hardly any backup meets
        more."""
        stored = [backup.stored_filename for backup in (*backups, self.backup())]
        conditions: dict[str, Any] = {
            "filename": self.choice(_FILENAMES),
            "stored_filename": self.choice(stored),
            "text": self.choice([*_FILENAMES, "d", "2012", ".tgz", "%", "_", "*", "\udcff"]),
            "tags": tuple(self.some(_TAGS, 2)),
            "backend": self.choice(_BACKENDS),
            "owners": tuple(self.owner() for _ in range(self.randint(0, 2))),
            "older_than": self.choice(_DATES),
        }
        kept = self.sample(sorted(conditions), k=self.randint(0, 2))
        return Query(**{name: conditions[name] for name in kept}, deleted=self.choice([True, False]))


class FindingContract(RepoSuite):
    """`find`."""

    def test_the_newest_comes_first_then_the_greater_name_and_backend(self, repo: MetadataRepo) -> None:
        expected = [
            a_backup(backup_date=WHEN + timedelta(1)),
            a_backup(filename="z"),
            a_backup(filename="a", backend="s3"),
            a_backup(filename="a", backend="local"),
            a_backup(backup_date=WHEN - timedelta(1)),
        ]
        for at in (2, 4, 0, 3, 1):
            repo.add(expected[at])
        assert self.everything(repo) == expected

    def test_backups_that_nothing_tells_apart_stay_in_the_order_they_came_in(self, repo: MetadataRepo) -> None:
        locations = ["s3://b", "s3://a", "s3://c"]
        for location in locations:
            repo.add(a_backup(metadata={"location": location}))
        repo.replace(a_backup(metadata={"location": "s3://b"}, size=1))
        assert [backup.location for backup in self.everything(repo)] == locations

    def test_deleted_backups_are_found_only_when_asked_for(self, repo: MetadataRepo) -> None:
        repo.add(a_backup().deleted(WHEN))
        assert list(repo.find(Query())) == []
        assert len(self.everything(repo)) == 1

    def test_text_is_a_substring_with_case_and_without_wildcards(self, repo: MetadataRepo) -> None:
        for filename in ("MyDir", "mydir", "my%dir", "m*"):
            repo.add(a_backup(filename=filename))

        def found(text: str) -> set[str]:
            return {backup.filename for backup in repo.find(Query(text=text))}

        assert found("yD") == {"MyDir"}
        assert found("%") == {"my%dir"}
        assert found("m*") == {"m*"}
        assert found("20260102") == {"MyDir", "mydir", "my%dir", "m*"}
        assert found("'; DROP TABLE backups --") == set()

    def test_names_and_destinations_are_found_exactly(self, repo: MetadataRepo) -> None:
        local, longer = a_backup(backend="local"), a_backup(filename="mydir2")
        for backup in (a_backup(), local, longer):
            repo.add(backup)
        assert list(repo.find(Query(filename="mydir"))) == [a_backup(), local]
        assert list(repo.find(Query(stored_filename=longer.stored_filename))) == [longer]
        assert list(repo.find(Query(backend="local"))) == [local]
        assert list(repo.find(Query(filename="mydir2", backend="local"))) == []

    def test_a_tag_is_found_whole_and_every_one_is_wanted(self, repo: MetadataRepo) -> None:
        for filename, tags in {"a": ("daily", "db"), "b": ("daily",), "c": ("dailyish", "db")}.items():
            repo.add(a_backup(filename=filename, tags=tags))
        assert {backup.filename for backup in repo.find(Query(tags=("daily",)))} == {"a", "b"}
        assert {backup.filename for backup in repo.find(Query(tags=("db", "daily")))} == {"a"}
        assert list(repo.find(Query(tags=("dai",)))) == []

    def test_older_is_what_was_made_before_and_not_at_that_second(self, repo: MetadataRepo) -> None:
        repo.add(a_backup(filename="older", backup_date=WHEN - timedelta(seconds=1)))
        repo.add(a_backup(filename="same"))
        assert [backup.filename for backup in repo.find(Query(older_than=WHEN))] == ["older"]

    def test_the_date_in_the_name_counts_where_2013_wrote_another(self, repo: MetadataRepo) -> None:
        repo.add(a_backup(stored_filename="mydir.20120101120000.tgz", backup_date=datetime(2012, 1, 1, 13, tzinfo=UTC)))
        assert len(list(repo.find(Query(older_than=datetime(2012, 1, 1, 12, 30, tzinfo=UTC))))) == 1

    def test_only_backups_of_the_owners_are_found_and_none_for_no_owner(self, repo: MetadataRepo) -> None:
        repo.add(a_backup())
        repo.add(a_backup(metadata={"location": "s3://other"}))
        owner = Owner(backend="s3", location="s3://other")
        assert [backup.location for backup in repo.find(Query(owners=(owner,)))] == ["s3://other"]
        assert list(repo.find(Query(owners=()))) == []

    def test_a_query_that_is_not_text_of_any_database_finds_nothing(self, repo: MetadataRepo) -> None:
        repo.add(a_backup())
        for odd in ("\udcff", "nul\0"):
            assert list(repo.find(Query(text=odd))) == []
            assert list(repo.find(Query(filename=odd))) == []
            assert list(repo.find(Query(stored_filename=odd))) == []
            assert list(repo.find(Query(tags=(odd,)))) == []
            assert repo.archive_id(odd) is None
            assert repo.job(odd) is None

    def test_the_iterator_is_a_snapshot(self, repo: MetadataRepo) -> None:
        names = [f"n{i:02}" for i in range(20)]
        for name in names:
            repo.add(a_backup(filename=name))
        seen = []
        # An iterator that sees what is added meanwhile would never end.
        for backup in itertools.islice(repo.find(Query()), len(names) + 1):
            seen.append(backup.filename)
            repo.replace(backup.deleted(WHEN))
            repo.add(a_backup(filename=f"{backup.filename}-more"))
        assert sorted(seen) == names

    def test_an_iterator_that_is_left_early_locks_nothing(self, repo: MetadataRepo) -> None:
        repo.add(a_backup())
        repo.add(a_backup(filename="other"))
        left = repo.find(Query())
        next(left)
        repo.add(a_backup(filename="third"))
        assert len(self.everything(repo)) == 3

    def test_find_equals_filtering_and_sorting(self, repo: MetadataRepo) -> None:
        """The law holds for a repository that grows."""
        known: list[Backup] = []
        for number in range(EXAMPLES):
            examples = _Examples(number)
            for _ in range(examples.randint(1, 6)):
                backup = examples.backup()
                if any(other.same_backup_as(backup) for other in known):
                    with pytest.raises(DuplicateBackup):
                        repo.add(backup)
                else:
                    repo.add(backup)
                    known.append(backup)
            query = examples.query(known)
            expected = sorted(filter(query.matches, known), key=newest_first, reverse=True)
            assert list(repo.find(query)) == expected, f"example {number}: {query}"
