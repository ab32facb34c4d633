"""Bech32, by the examples of its specification, and the message for a mistyped key."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bakthat.adapters.encryption import bech32

# The examples of the age specification (c2sp.org/age): an identity of 32 bytes 0x42, and its recipient.
IDENTITY = "AGE-SECRET-KEY-1GFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPQ4EGAEX"
RECIPIENT = "age1zvkyg2lqzraa2lnjvqej32nkuu0ues2s82hzrye869xeexvn73equnujwj"


def test_the_specification_s_identity_is_its_bytes():
    assert bech32.decode(IDENTITY) == ("AGE-SECRET-KEY-", b"\x42" * 32)
    assert bech32.encode("AGE-SECRET-KEY-", b"\x42" * 32) == IDENTITY


def test_the_specification_s_recipient_survives_decoding_and_encoding():
    prefix, data = bech32.decode(RECIPIENT)
    assert (prefix, len(data)) == ("age", 32)
    assert bech32.encode(prefix, data) == RECIPIENT


# BIP 173's lists; its two strings over 90 characters are valid here, because age lifts the limit.
@pytest.mark.parametrize(
    "text",
    [
        "A12UEL5L",
        "a12uel5l",
        "an83characterlonghumanreadablepartthatcontainsthenumber1andtheexcludedcharactersbio1tt5tgs",
        "?1ezyfcl",
        "split1checkupstagehandshakeupstreamerranterredcaperred2y9e3w",
    ],
)
def test_bip_173_s_valid_strings_are_read(text):
    prefix, data = bech32.decode(text)
    assert bech32.encode(prefix, data) == text


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("pzry9x0s0muk", "lacks the '1'"),
        ("1pzry9x0s0muk", "too short"),
        ("x1b4n0q5v", "character that no key has"),
        ("li1dgmt3", "too short"),
        ("de1lg7wt\xff", "character that no key has"),
        ("A1G7SGD8", "checksum"),
        ("10a06t8", "too short"),
        ("1qzzfhee", "too short"),
        ("", "too short"),
        ("\x7f1axkwrx", "not printable"),
        ("a12UEL5L", "mixed"),
        ("split1checkupstagehandshakeupstreamerranterredcaperred2y9e2w", "checksum"),
        # Two bytes take four letters and four zero bits, here one of them is not zero; one letter alone is not a byte.
        ("age1v93pjh56ke", "left over"),
        ("age1qdd35qf", "left over"),
    ],
)
def test_text_that_is_not_bech32_is_refused_with_the_reason(text, reason):
    with pytest.raises(ValueError, match=reason):
        bech32.decode(text)


@pytest.mark.parametrize("position", range(len(IDENTITY)))
def test_a_mistyped_character_anywhere_is_refused_and_not_repeated(position):
    other = "Q" if IDENTITY[position] != "Q" else "P"
    with pytest.raises(ValueError, match=r"^(?!.*GFPYYS)") as refusal:
        bech32.decode(IDENTITY[:position] + other + IDENTITY[position + 1 :])
    assert IDENTITY[20:30] not in str(refusal.value)


@given(prefix=st.sampled_from(["age", "AGE-SECRET-KEY-", "a1b"]), data=st.binary(max_size=80))
@settings(max_examples=150, deadline=None)
def test_any_bytes_survive(prefix, data):
    assert bech32.decode(bech32.encode(prefix, data)) == (prefix, data)
