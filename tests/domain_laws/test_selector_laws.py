"""A name never means another series, and a stored filename always means itself."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from bakthat.errors import BackupNotFound
from tests.domain.test_selector import WHENS, lookup, select, stored


@given(
    st.sampled_from(["db", "db2", "mydb", "db.old", "db.", "d"]),
    st.lists(
        st.tuples(st.sampled_from(["db", "db2", "mydb", "db.old", "db.", "d"]), st.sampled_from(WHENS)), max_size=8
    ),
)
@settings(max_examples=60, deadline=None)
def test_a_series_never_means_another(name, held):
    backups = [stored(series, when) for series, when in held]
    try:
        found = select(name, lookup(*backups))
    except BackupNotFound:
        assert name not in {backup.filename for backup in backups}
    else:
        assert found.filename == name
        assert found.when == max(backup.when for backup in backups if backup.filename == name)


@given(
    st.lists(st.tuples(st.sampled_from(["db", "db2", "db201", "db.2"]), st.sampled_from(WHENS)), min_size=1, max_size=8)
)
@settings(max_examples=60, deadline=None)
def test_a_stored_filename_means_itself_whatever_else_there_is(held):
    backups = [stored(series, when) for series, when in held]
    for backup in backups:
        assert select(backup.stored_filename, lookup(*backups)) == backup
