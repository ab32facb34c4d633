"""Retention of every series, and by a policy for each origin."""

from __future__ import annotations

from pathlib import Path

import pytest

from bakthat.adapters.memory.metadata_repo import MemoryRepo
from bakthat.domain.job import jobs_of
from bakthat.domain.origin import Origin, Scope
from bakthat.domain.origin_policies import OriginPolicies, policies_of_jobs
from bakthat.domain.profile import Profile
from bakthat.domain.query import Query
from bakthat.domain.rotation import RotationPolicy
from bakthat.errors import AccessDenied, CredentialsRefused, ObjectNotFound, StoreUnavailable
from bakthat.testing.faulty import Fault, FaultyObjectStore
from bakthat.testing.toolbox import Toolbox
from bakthat.usecases.backup import BackupRequest, backup
from bakthat.usecases.retention import EVERY_ORIGIN, Retention, rotate_backups
from bakthat.usecases.rotate_all import RotatedSeries, rotate_all

DAY = RotationPolicy(days=1)


def back_up(box: Toolbox, source: Path, name: str, nights: int = 3) -> None:
    start = box.clock.now
    for _ in range(nights):
        backup(BackupRequest(source=source, destination="s3", name=name), box.tools)
        box.clock.forward(days=1)
    box.clock.now = start


def rotated(box: Toolbox, policy: RotationPolicy | OriginPolicies = DAY, scope: Scope = EVERY_ORIGIN) -> RotatedSeries:
    box.clock.forward(days=9)

    def rotate_one(name: str) -> Retention:
        return rotate_backups(name, "s3", policy, box.tools, scope=scope)

    return rotate_all("s3", rotate_one, box.tools)


def test_every_series_is_thinned(box: Toolbox, tree: Path) -> None:
    back_up(box, tree, "b")
    back_up(box, tree, "a")
    done = rotated(box)
    assert {name: len(one.removed) for name, one in done.retentions.items()} == {"a": 2, "b": 2}
    assert (len(done.removed), done.error) == (4, None)


def test_with_an_empty_database_the_store_has_the_series(box: Toolbox, tree: Path) -> None:
    back_up(box, tree, "a")
    box.repo = MemoryRepo()
    assert [len(one.removed) for one in rotated(box).retentions.values()] == [2]


def test_a_series_that_fails_does_not_stop_the_others(box: Toolbox, tree: Path) -> None:
    back_up(box, tree, "a")
    back_up(box, tree, "b")
    # The kept backup of `a` is not in the store.
    newest = next(iter(box.repo.find(Query(filename="a")))).stored_filename
    gone = Fault(method="stat", key=newest, error=lambda: ObjectNotFound("gone"))
    box.stores["s3"] = FaultyObjectStore(box.stores["s3"], gone)
    done = rotated(box)
    assert (list(done.failures), [len(one.removed) for one in done.retentions.values()]) == (["a"], [2])
    assert done.error is done.failures["a"]


def test_a_deletion_that_fails_is_the_error(box: Toolbox, tree: Path) -> None:
    back_up(box, tree, "a")
    down = StoreUnavailable("down")
    box.stores["s3"] = FaultyObjectStore(box.stores["s3"], Fault(method="delete", error=lambda: down))
    assert rotated(box).error is down


def test_without_permission_to_list_the_database_has_the_series(box: Toolbox, tree: Path) -> None:
    back_up(box, tree, "a")
    box.stores["s3"] = FaultyObjectStore(
        box.stores["s3"], Fault(method="list", error=lambda: AccessDenied("no"), times=9)
    )
    assert list(rotated(box).retentions) == ["a"]
    assert "only series of the database are thinned" in box.notices[0]


def test_wrong_credentials_are_an_error(box: Toolbox, tree: Path) -> None:
    back_up(box, tree, "a")
    box.stores["s3"] = FaultyObjectStore(box.stores["s3"], Fault(method="list", error=lambda: CredentialsRefused("no")))
    with pytest.raises(CredentialsRefused):
        rotated(box)


def test_a_series_without_the_host_that_is_asked_for_is_left_out(box: Toolbox, tree: Path) -> None:
    back_up(box, tree, "a")
    box.host = "web2"
    back_up(box, tree, "b")
    done = rotated(box, scope=Scope(host="web2"))
    assert (list(done.retentions), done.error) == (["b"], None)


# a policy for each origin


def test_the_origin_of_a_job_has_the_jobs_policy(box: Toolbox, tree: Path) -> None:
    for box.host in ("web1", "web2"):
        back_up(box, tree, "a", nights=4)
    policies = OriginPolicies(default=DAY, by_origin={Origin(host="web2", source=str(tree)): RotationPolicy(days=9)})
    gone = rotated(box, policies).retentions["a"].removed
    assert {backup.host for backup in gone} == {"web1"}


def test_without_a_policy_everything_is_kept_and_the_reason_given(box: Toolbox, tree: Path) -> None:
    back_up(box, tree, "a")
    (done,) = rotated(box, OriginPolicies()).retentions.values()
    assert done.removed == ()
    assert {decision.reasons for decision in done.plan.keep} == {("no rotation is set for it",)}


def test_the_policies_of_jobs_are_those_of_the_series_and_the_destination() -> None:
    jobs = {
        "a": {"source": "/a", "name": "x", "rotation": {"days": 2}},
        "b": {"source": "/b", "name": "x", "destination": "local", "rotation": {"days": 3}},
        "c": {"source": "/c", "name": "y", "rotation": {"days": 4}},
        "d": {"source": "/d", "name": "x", "host": "other"},
    }
    found = policies_of_jobs(jobs_of(Profile(jobs=jobs)).values(), "x", "s3", lambda job: job.profile.host or "here")
    assert found == {
        Origin(host="here", source="/a"): RotationPolicy(days=2),
        Origin(host="other", source="/d"): None,
    }
