"""Bech32 (BIP 173) without its limit on length: how age writes keys, `age1…` and `AGE-SECRET-KEY-1…`."""

from __future__ import annotations

from collections.abc import Iterable

_ALPHABET = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
_VALUES = {letter: value for value, letter in enumerate(_ALPHABET)}
_GENERATOR = (0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)
_CHECKSUM_LENGTH = 6


def encode(prefix: str, data: bytes) -> str:
    """The data under the prefix, in the prefix's case. The checksum is that of the lower case."""
    low = prefix.lower()
    values = _regroup(data, 8, 5)
    remainder = _polymod([*_expanded(low), *values, *(0,) * _CHECKSUM_LENGTH]) ^ 1
    checksum = [(remainder >> 5 * (_CHECKSUM_LENGTH - 1 - i)) & 31 for i in range(_CHECKSUM_LENGTH)]
    text = f"{low}1{''.join(_ALPHABET[value] for value in (*values, *checksum))}"
    return text if low == prefix else text.upper()


def decode(text: str) -> tuple[str, bytes]:
    """Prefix (in the text's case) and data. Raises `ValueError` whose message holds nothing of the text, since it may
    be a secret: letters of both cases, a letter outside the alphabet, a wrong checksum, bits left over."""
    low = text.lower()
    if text not in (low, text.upper()):
        raise ValueError("capital and small letters are mixed")
    prefix, separator, letters = low.rpartition("1")
    if not separator or not prefix or len(letters) < _CHECKSUM_LENGTH:
        raise ValueError("it is too short, or lacks the '1' after its prefix")
    if not all("!" <= letter <= "~" for letter in prefix):
        raise ValueError("its prefix holds a character that is not printable ASCII")
    if not _VALUES.keys() >= set(letters):
        raise ValueError("it holds a character that no key has")
    values = [_VALUES[letter] for letter in letters]
    if _polymod([*_expanded(prefix), *values]) != 1:
        raise ValueError("its checksum is wrong: a character is mistyped or missing")
    data = values[:-_CHECKSUM_LENGTH]
    whole, left_over = divmod(len(data) * 5, 8)
    if left_over >= 5 or (data and data[-1] & ((1 << left_over) - 1)):
        raise ValueError("it has bits left over at its end")
    return text[: len(prefix)], bytes(_regroup(data, 5, 8)[:whole])


def _expanded(prefix: str) -> list[int]:
    codes = prefix.encode()
    return [*(code >> 5 for code in codes), 0, *(code & 31 for code in codes)]


def _polymod(values: Iterable[int]) -> int:
    check = 1
    for value in values:
        top = check >> 25
        check = (check & 0x1FFFFFF) << 5 ^ value
        for bit, generator in enumerate(_GENERATOR):
            if top >> bit & 1:
                check ^= generator
    return check


def _regroup(values: Iterable[int], width: int, wanted: int) -> list[int]:
    """The same bits in groups of another width, the last one filled up with zeros."""
    groups, bits, held = [], 0, 0
    for value in values:
        bits = bits << width | value
        held += width
        while held >= wanted:
            held -= wanted
            groups.append(bits >> held)
            bits &= (1 << held) - 1
    if held:
        groups.append(bits << (wanted - held))
    return groups
