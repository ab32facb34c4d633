"""What every `MetadataRepo` must do, as a pytest class.

A repository's own test is a subclass and a fixture:

    class TestMyRepo(MetadataRepoContract):
        @pytest.fixture
        def repo(self):
            return MyRepo(...)        # empty
"""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bakthat.domain.backup import Backup, Owner
from bakthat.domain.name_claim import KEPT, NameClaim
from bakthat.domain.objects import ArchiveId, JobId, RetrievalJob, Tier
from bakthat.domain.query import Query, newest_first
from bakthat.errors import BackupNotFound, DuplicateBackup
from bakthat.ports.metadata_repo import MetadataRepo
from bakthat.testing.examples import WHEN, a_backup

EVERYTHING = Query(deleted=True)

# Few values each, so that they collide: names that contain each other, glob and LIKE characters, quotes, upper case.
_filenames = st.sampled_from(["db", "DB", "db2", "mydb", "a%b", "a_b", "[d]b", "d*b", "o'b\"b", "ümlaut 键"])
_backends = st.sampled_from(["s3", "glacier", "local"])
_hashes = st.sampled_from(["", "1a", "2b"])
_locations = st.sampled_from([None, "s3://one", "s3://two"])
_tags = st.sampled_from(["daily", "day", "DAILY", "x%", '"', "[x", "é", "two words", '["daily"]', "\\", "\udcff"])
# An hour apart, as the date in a name of 2013 may be from the `backup_date` beside it.
_dates = st.sampled_from([datetime(2012, 1, day, hour, tzinfo=UTC) for day in (1, 2) for hour in (0, 1, 2)])


@st.composite
def _backups(draw: st.DrawFn) -> Backup:
    """Backups of a few names, dates and stores; some are of 2013 (no location, no dot, a local `backup_date`), some of
    its KeyValue (no date in the name)."""
    filename, date, location = draw(_filenames), draw(_dates), draw(_locations)
    metadata: dict[str, Any] = draw(
        st.dictionaries(
            st.sampled_from(["is_enc", "client", "future"]), st.sampled_from([True, "host", 1.5, ["é", {}]])
        )
    )
    form = draw(st.sampled_from(["{0}.{1}.tgz", "{0}.{1}.tgz.enc", "{0}{1}.tgz", "{0}.{1}", "{0}"]))
    return Backup(
        backend=draw(_backends),
        backend_hash=draw(_hashes),
        backup_date=date + draw(st.sampled_from([timedelta(0), timedelta(hours=1)])),
        filename=filename,
        stored_filename=form.format(filename, date.strftime("%Y%m%d%H%M%S")),
        size=draw(st.sampled_from([0, 3120, 5 * 2**40])),
        tags=tuple(draw(st.lists(_tags, max_size=3))),
        is_deleted=draw(st.booleans()),
        last_updated=draw(_dates),
        metadata=metadata if location is None else {**metadata, "location": location},
    )


_owners = st.builds(
    Owner, backend=_backends, location=_locations.filter(bool).map(str), backend_hash=_hashes
)  # fmt: skip
_conditions = st.fixed_dictionaries(
    {},
    optional={
        "filename": _filenames,
        "stored_filename": _backups().map(lambda backup: backup.stored_filename),
        "text": _filenames | st.sampled_from(["d", "2012", ".tgz", "%", "_", "*", "\udcff"]),
        "tags": st.lists(_tags, max_size=2).map(tuple),
        "backend": _backends,
        "owners": st.lists(_owners, max_size=2).map(tuple),
        "older_than": _dates,
    },
)


@st.composite
def _queries(draw: st.DrawFn) -> Query:
    """Queries that match backups of `_backups`. At most two conditions, because hardly any backup meets more."""
    conditions: dict[str, Any] = draw(_conditions)
    kept = draw(st.permutations(sorted(conditions)))[:2]
    return Query(**{name: conditions[name] for name in kept}, deleted=draw(st.booleans()))


def _at_once(*calls: Callable[[], object]) -> None:
    """Run all calls in threads that start together; raises the first exception."""
    start = threading.Barrier(len(calls))

    def run(call: Callable[[], object]) -> None:
        start.wait()
        call()

    with ThreadPoolExecutor(len(calls)) as threads:
        for done in [threads.submit(run, call) for call in calls]:
            done.result()


def a_claim(
    stored_filename: str = "one.tgz", *, host: str = "host", pid: int = 1, claimed_at: datetime = WHEN
) -> NameClaim:
    """A claim of a name."""
    return NameClaim(stored_filename=stored_filename, host=host, pid=pid, claimed_at=claimed_at)


class MetadataRepoContract:
    """Subclass it, and override the fixture `repo` with an empty repository."""

    threads = 6
    """How many threads write at once."""

    @pytest.fixture
    def repo(self) -> MetadataRepo:
        raise AssertionError("override the fixture `repo` with one that returns an empty repository")

    def everything(self, repo: MetadataRepo) -> list[Backup]:
        return list(repo.find(EVERYTHING))

    # backups

    def test_an_empty_repository_finds_nothing(self, repo: MetadataRepo) -> None:
        assert self.everything(repo) == []
        assert repo.archive_ids() == {}
        assert repo.archive_id("x") is None
        assert repo.job("x") is None

    def test_what_is_added_is_found_with_every_field(self, repo: MetadataRepo) -> None:
        backup = a_backup(
            backend="local",
            backend_hash="ff",
            size=3 * 2**32,
            tags=("b", "a"),
            last_updated=WHEN + timedelta(days=1),
            metadata={"is_enc": True, "nested": {"list": [1, None, "ü"]}, "source": "/\udcff", "future": 1.5},
        )
        repo.add(backup)
        assert self.everything(repo) == [backup]

    @pytest.mark.parametrize(
        "tags",
        [(), ("one",), ("two words", "é"), ("", "a"), ("a", "a"), ('["a"]',), ("\udcff",), ("\\", '"', "\t"), ("[x",)],
    )
    def test_tags_come_back_exactly_and_are_found(self, repo: MetadataRepo, tags: tuple[str, ...]) -> None:
        backup = a_backup(tags=tags)
        repo.add(backup)
        assert self.everything(repo) == [backup]
        assert [list(repo.find(Query(tags=(tag,)))) for tag in tags] == [[backup] for _ in tags]

    def test_the_same_backup_cannot_be_added_twice(self, repo: MetadataRepo) -> None:
        repo.add(a_backup())
        with pytest.raises(DuplicateBackup, match=r"mydir\.20260102030405\.tgz"):
            repo.add(a_backup(size=1))
        assert self.everything(repo) == [a_backup()]

    def test_a_deleted_backup_still_counts_as_there(self, repo: MetadataRepo) -> None:
        repo.add(a_backup(is_deleted=True))
        with pytest.raises(DuplicateBackup):
            repo.add(a_backup())

    @pytest.mark.parametrize(
        "elsewhere",
        [
            {"backend": "local"},
            {"metadata": {"location": "s3://other"}},
            {"metadata": {}, "backend_hash": "other"},
        ],
    )
    def test_one_name_in_two_stores_is_two_backups(self, repo: MetadataRepo, elsewhere: dict[str, Any]) -> None:
        repo.add(a_backup())
        repo.add(a_backup(**elsewhere))
        repo.replace(a_backup(**elsewhere, size=7))
        assert sorted(backup.size for backup in self.everything(repo)) == [7, 3120]

    def test_a_backup_stays_the_same_when_the_access_key_changes(self, repo: MetadataRepo) -> None:
        repo.add(a_backup(backend_hash="old key"))
        with pytest.raises(DuplicateBackup):
            repo.add(a_backup(backend_hash="new key"))
        repo.replace(a_backup(backend_hash="new key"))
        assert [backup.backend_hash for backup in self.everything(repo)] == ["new key"]

    def test_a_record_without_a_location_is_replaced_by_one_that_has_it(self, repo: MetadataRepo) -> None:
        repo.add(a_backup(metadata={}))
        repo.replace(a_backup())
        assert self.everything(repo) == [a_backup()]

    def test_where_a_record_could_be_two_backups_that_of_its_own_location_is_replaced(self, repo: MetadataRepo) -> None:
        of_2013 = a_backup(metadata={}, backend_hash="one key")
        located = a_backup(backend_hash="another key")
        repo.add(of_2013)
        repo.add(located)
        repo.replace(a_backup(backend_hash="one key", size=2))
        assert {backup.location: backup.size for backup in self.everything(repo)} == {None: 3120, "s3://bucket": 2}

    def test_replace_changes_every_field_of_the_one_record(self, repo: MetadataRepo) -> None:
        other = a_backup(filename="other")
        repo.add(other)
        repo.add(a_backup())
        changed = a_backup(
            size=1, tags=(), is_deleted=True, last_updated=WHEN + timedelta(1), metadata={"location": "s3://bucket"}
        )
        repo.replace(changed)
        assert self.everything(repo) == sorted([changed, other], key=newest_first, reverse=True)

    def test_replacing_what_is_not_there_is_backup_not_found(self, repo: MetadataRepo) -> None:
        repo.add(a_backup())
        with pytest.raises(BackupNotFound, match="other"):
            repo.replace(a_backup(filename="other"))
        assert self.everything(repo) == [a_backup()]

    def test_put_all_adds_what_is_new_and_replaces_what_is_older(self, repo: MetadataRepo) -> None:
        later, earlier = WHEN + timedelta(days=1), WHEN - timedelta(days=1)
        repo.add(a_backup(filename="older", size=1))
        repo.add(a_backup(filename="newer", size=1, last_updated=later))
        repo.put_all(
            [
                a_backup(filename="older", size=2, last_updated=later),
                a_backup(filename="newer", size=2, last_updated=earlier),
                a_backup(filename="new", size=2),
                a_backup(filename="new", size=3),
            ]
        )
        assert {b.filename: b.size for b in self.everything(repo)} == {"older": 2, "newer": 1, "new": 3}

    def test_put_all_of_nothing_does_nothing(self, repo: MetadataRepo) -> None:
        repo.put_all([])
        assert self.everything(repo) == []

    # finding

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

    # The fixtures are the same for all examples, and the law holds for a repository that grows. The test is run by
    # every subclass, each with examples of its own.
    @settings(
        max_examples=60,
        deadline=None,
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.differing_executors],
    )
    @given(added=st.lists(_backups(), min_size=1, max_size=6), query=_queries())
    def test_find_equals_filtering_and_sorting(
        self, repo: MetadataRepo, known: list[Backup], added: list[Backup], query: Query
    ) -> None:
        for backup in added:
            same = [other for other in known if other.same_backup_as(backup)]
            if same:
                with pytest.raises(DuplicateBackup):
                    repo.add(backup)
            else:
                repo.add(backup)
                known.append(backup)
        assert list(repo.find(query)) == sorted(filter(query.matches, known), key=newest_first, reverse=True)

    @pytest.fixture
    def known(self) -> list[Backup]:
        return []

    # claims of names

    def test_a_name_is_claimed_once(self, repo: MetadataRepo) -> None:
        assert repo.claim_name(a_claim())
        assert not repo.claim_name(a_claim(host="another", pid=2))
        assert repo.claim_name(a_claim("two.tgz"))

    def test_the_name_of_a_recorded_backup_cannot_be_claimed(self, repo: MetadataRepo) -> None:
        repo.add(a_backup(filename="one", backend="local").deleted(WHEN))
        assert not repo.claim_name(a_claim(a_backup(filename="one").stored_filename))

    def test_a_claim_is_no_backup_and_does_not_stop_its_record(self, repo: MetadataRepo) -> None:
        backup = a_backup()
        assert repo.claim_name(a_claim(backup.stored_filename))
        assert self.everything(repo) == []
        repo.add(backup)
        assert self.everything(repo) == [backup]

    def test_a_claim_is_kept_as_long_as_an_upload_may_take(self, repo: MetadataRepo) -> None:
        repo.claim_name(a_claim())
        assert not repo.claim_name(a_claim(claimed_at=WHEN + KEPT))

    def test_of_many_that_claim_a_name_at_once_exactly_one_gets_it(self, repo: MetadataRepo) -> None:
        won: list[int] = []

        def claim(pid: int) -> None:
            if repo.claim_name(a_claim(pid=pid)):
                won.append(pid)

        _at_once(*[lambda pid=pid: claim(pid) for pid in range(self.threads)])
        assert len(won) == 1

    # the archive inventory

    def test_an_archive_is_remembered_under_its_name(self, repo: MetadataRepo) -> None:
        repo.remember_archive("one.tgz", ArchiveId("id-1"))
        repo.remember_archive("two.tgz", ArchiveId("id-2"))
        assert repo.archive_id("one.tgz") == "id-1"
        assert dict(repo.archive_ids()) == {"one.tgz": "id-1", "two.tgz": "id-2"}

    def test_a_known_name_gets_the_new_id(self, repo: MetadataRepo) -> None:
        repo.remember_archive("one.tgz", ArchiveId("id-1"))
        repo.remember_archive("one.tgz", ArchiveId("id-2"))
        repo.remember_archive("one.tgz", ArchiveId("id-2"))
        assert dict(repo.archive_ids()) == {"one.tgz": "id-2"}

    def test_two_names_may_have_one_id(self, repo: MetadataRepo) -> None:
        repo.remember_archive("one.tgz", ArchiveId("id"))
        repo.remember_archive("two.tgz", ArchiveId("id"))
        assert dict(repo.archive_ids()) == {"one.tgz": "id", "two.tgz": "id"}
        repo.forget_archive("one.tgz")
        assert dict(repo.archive_ids()) == {"two.tgz": "id"}

    def test_the_inventory_that_was_read_does_not_change(self, repo: MetadataRepo) -> None:
        repo.remember_archive("one.tgz", ArchiveId("id-1"))
        read = repo.archive_ids()
        repo.forget_archive("one.tgz")
        assert dict(read) == {"one.tgz": "id-1"}

    def test_forgetting_an_archive_twice_is_no_error(self, repo: MetadataRepo) -> None:
        repo.remember_archive("one.tgz", ArchiveId("id-1"))
        repo.forget_archive("one.tgz")
        repo.forget_archive("one.tgz")
        repo.forget_archive("never.tgz")
        assert repo.archive_id("one.tgz") is None

    # retrieval jobs

    @pytest.mark.parametrize("requested", [WHEN, None])
    @pytest.mark.parametrize("tier", [Tier.BULK, None])
    def test_a_job_comes_back_as_it_was(
        self, repo: MetadataRepo, requested: datetime | None, tier: Tier | None
    ) -> None:
        job = RetrievalJob(filename="one.tgz", job_id=JobId("j" * 92), requested=requested, tier=tier)
        repo.remember_job(job)
        assert repo.job("one.tgz") == job
        assert repo.job("one") is None

    def test_a_new_job_takes_the_place_of_the_earlier_one(self, repo: MetadataRepo) -> None:
        first = RetrievalJob(filename="one.tgz", job_id=JobId("1"), requested=WHEN, tier=Tier.BULK)
        repo.remember_job(first)
        second = RetrievalJob(filename="one.tgz", job_id=JobId("2"))
        repo.remember_job(second)
        assert repo.job("one.tgz") == second

    def test_a_forgotten_job_is_gone_and_the_others_stay(self, repo: MetadataRepo) -> None:
        other = RetrievalJob(filename="two.tgz", job_id=JobId("2"), requested=WHEN)
        repo.remember_job(RetrievalJob(filename="one.tgz", job_id=JobId("1"), requested=WHEN))
        repo.remember_job(other)
        repo.forget_job("one.tgz")
        repo.forget_job("one.tgz")
        assert repo.job("one.tgz") is None
        assert repo.job("two.tgz") == other

    # several at once

    def test_threads_that_add_at_once_lose_nothing(self, repo: MetadataRepo) -> None:
        def add(thread: int) -> None:
            for i in range(10):
                repo.add(a_backup(filename=f"{thread}-{i}"))

        _at_once(*[lambda thread=thread: add(thread) for thread in range(self.threads)])
        names = {f"{thread}-{i}" for thread in range(self.threads) for i in range(10)}
        assert {backup.filename for backup in self.everything(repo)} == names

    def test_of_many_that_add_the_same_backup_exactly_one_succeeds(self, repo: MetadataRepo) -> None:
        won: list[int] = []

        def add(size: int) -> None:
            try:
                repo.add(a_backup(size=size))
            except DuplicateBackup:
                return
            won.append(size)

        _at_once(*[lambda size=size: add(size) for size in range(self.threads)])
        assert len(won) == 1
        assert won == [backup.size for backup in self.everything(repo)]

    def test_a_reader_sees_every_record_whole_while_it_is_replaced(self, repo: MetadataRepo) -> None:
        def version(number: int) -> Backup:
            return a_backup(size=number, tags=(str(number),), metadata={"location": "s3://bucket", "number": number})

        repo.add(version(0))
        done = threading.Event()
        torn: list[Backup] = []

        def write() -> None:
            for number in range(1, 30):
                repo.replace(version(number))
            done.set()

        def read() -> None:
            while not done.is_set():
                torn.extend(backup for backup in repo.find(Query()) if backup != version(backup.size))

        try:
            _at_once(write, read)
        finally:
            done.set()
        assert torn == []
