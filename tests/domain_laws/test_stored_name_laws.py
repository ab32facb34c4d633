"""Names are read and written back, whatever is in them."""

from __future__ import annotations

from datetime import datetime

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from bakthat.domain.archive_format import SUFFIXES
from bakthat.domain.stored_name import (
    StoredName,
    check_series,
    parse,
    readings,
    series_of,
)
from bakthat.errors import InvalidName
from tests.domain.series import utc
from tests.domain.test_stored_name import parse_or_none

EXAMPLES = settings(max_examples=60, deadline=None)
TEXT = st.text("ab.-_ %2019é\u4e2d", min_size=1, max_size=30)
BASE_NAMES = st.text("ab.%0 \n\x00\x7f\x1fé\udc80\udcff\ud800\u4e2d", max_size=12)
WHENS = st.datetimes(datetime(1, 1, 1), datetime(9999, 12, 31, 23, 59, 59)).map(  # noqa: DTZ001 - given UTC here
    lambda when: when.replace(microsecond=0, tzinfo=utc(2026).tzinfo)
)


@st.composite
def stored_names(draw, *, dotted=None):
    series = draw(TEXT)
    assume(series not in {".", ".."})
    return StoredName(
        series=check_series(series),
        when=draw(WHENS),
        suffix=draw(st.sampled_from(SUFFIXES)),
        encrypted=draw(st.booleans()),
        dotted=draw(st.booleans()) if dotted is None else dotted,
    )


@given(stored_names(dotted=True))
@EXAMPLES
def test_what_is_written_is_read_back(name):
    assert parse(str(name)) == name


@given(stored_names(dotted=False))
@EXAMPLES
def test_what_was_written_before_0_4_is_read_back(name):
    assume(not name.series.endswith("."))  # the dot would be taken for today's
    assume(not name.is_incremental)  # nothing incremental was written then
    assert parse(str(name)) == name


@given(st.text("ab.0123456789tgzenc\n", max_size=40))
@EXAMPLES
def test_what_is_read_is_written_back(text):
    try:
        name = parse(text)
    except InvalidName:
        return
    assert str(name) == text


@given(BASE_NAMES)
@EXAMPLES
def test_a_series_made_of_a_base_name_is_one_or_an_error(base_name):
    try:
        series = series_of(base_name)
    except InvalidName:
        return
    assert check_series(series) == series
    assert parse(str(StoredName(series=series, when=utc(2026)))).series == series


@given(stored_names(), st.integers(4, 14), st.booleans())
@EXAMPLES
def test_a_stored_filename_fits_its_series_with_any_start_of_its_date(name, digits, dot):
    date = f"{name.when:%Y%m%d%H%M%S}".zfill(14)[:digits]
    typed = f"{name.series}{'.' if dot else ''}{date}"
    assume(parse_or_none(str(name)) == name)
    assert any(reading.series == name.series and reading.fits(str(name)) for reading in readings(typed))
