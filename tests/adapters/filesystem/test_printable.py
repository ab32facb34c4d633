"""Any name of a file as one line that can be printed."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from bakthat.adapters.filesystem.printable import printable


def test_a_printable_name_stays_as_it_is() -> None:
    assert printable("grüße, 世界") == "grüße, 世界"
    assert printable(b"caf\xc3\xa9") == "café"


def test_control_characters_and_bytes_that_are_not_utf8_are_escaped() -> None:
    assert printable(b"a\n\x1b[2J\xff") == "a\\n\\x1b[2J\\udcff"


@given(st.binary())
def test_any_name_becomes_one_line_that_can_be_encoded(name: bytes) -> None:
    text = printable(name)
    assert text.isprintable()
    text.encode()
