"""What every `Cipher` must do, as a pytest class.

A cipher's own test is a subclass and three fixtures:

    class TestMyCipher(CipherContract):
        @pytest.fixture
        def cipher(self):
            return MyCipher(...)

        @pytest.fixture
        def sealing_keys(self):
            return Keys(passphrase="right")

        @pytest.fixture
        def opening_keys(self):
            return Keys(passphrase="right")

        @pytest.fixture
        def wrong_keys(self):
            return Keys(passphrase="wrong")
"""

from __future__ import annotations

import io
from typing import BinaryIO

import pytest

from bakthat.domain.payload import Keys
from bakthat.errors import PasswordNeeded, PayloadDamaged, PayloadError, UsageError, WrongPassword
from bakthat.ports.payload import Cipher
from bakthat.ports.random_access import BytesAccess
from bakthat.ports.salvage import Hole, Part
from bakthat.testing.streams import FullSink, StreamFailed, good_runs, short_reads, some_bytes, write_in_pieces


class CipherContract:
    """Subclass it, and override the fixtures `cipher`, `sealing_keys`, `opening_keys` and `wrong_keys`."""

    large = 1_000_003
    """A size in bytes that does not fit into one buffer of the cipher."""

    @pytest.fixture
    def cipher(self) -> Cipher:
        raise AssertionError("override the fixture `cipher`")

    @pytest.fixture
    def sealing_keys(self) -> Keys:
        raise AssertionError("override the fixture `sealing_keys`")

    @pytest.fixture
    def opening_keys(self) -> Keys:
        raise AssertionError("override the fixture `opening_keys` with keys that decrypt what `sealing_keys` encrypted")

    @pytest.fixture
    def wrong_keys(self) -> Keys:
        raise AssertionError("override the fixture `wrong_keys` with keys of the right kind that do not decrypt it")

    def sealed(self, cipher: Cipher, keys: Keys, content: bytes) -> bytes:
        into = io.BytesIO()
        with cipher.sealing(into, keys) as writer:
            write_in_pieces(writer, content)
        return into.getvalue()

    def opened(self, cipher: Cipher, keys: Keys, sealed: BinaryIO) -> bytes:
        with cipher.unsealing(sealed, keys) as reader:
            return b"".join(iter(lambda: reader.read(10_000), b""))

    def read_range(self, cipher: Cipher, keys: Keys, sealed: bytes) -> bytes:
        """Read everything by random access. What no longer looks like the format may be None, as of another one."""
        access = cipher.random_access(BytesAccess(sealed), keys)
        if access is None:
            raise PayloadDamaged("it can no longer be read in parts")
        return access.read_at(0, access.size)

    @pytest.mark.parametrize("size", [0, 1, 65_536, 65_537, None])
    def test_what_is_sealed_opens(
        self, cipher: Cipher, sealing_keys: Keys, opening_keys: Keys, size: int | None
    ) -> None:
        content = some_bytes(size if size is not None else self.large)
        sealed = self.sealed(cipher, sealing_keys, content)
        assert self.opened(cipher, opening_keys, io.BytesIO(sealed)) == content
        assert self.opened(cipher, opening_keys, short_reads(sealed)) == content

    def test_nothing_of_the_content_shows(self, cipher: Cipher, sealing_keys: Keys) -> None:
        content = b"a secret that would be seen " * 1000
        assert b"a secret" not in self.sealed(cipher, sealing_keys, content)

    def test_the_same_content_is_never_sealed_the_same_way(self, cipher: Cipher, sealing_keys: Keys) -> None:
        one, other = (self.sealed(cipher, sealing_keys, b"content" * 100) for _ in range(2))
        assert one[-300:] != other[-300:]

    def test_without_keys_nothing_is_sealed(self, cipher: Cipher) -> None:
        into = io.BytesIO()
        with pytest.raises(UsageError), cipher.sealing(into, Keys()) as writer:
            writer.write(b"content")
        assert into.getvalue() == b""

    def test_without_keys_nothing_opens(self, cipher: Cipher, sealing_keys: Keys) -> None:
        sealed = self.sealed(cipher, sealing_keys, b"content")
        with pytest.raises(PasswordNeeded):
            self.opened(cipher, Keys(), io.BytesIO(sealed))

    @pytest.mark.parametrize("size", [0, 100_000])
    def test_wrong_keys_are_told(self, cipher: Cipher, sealing_keys: Keys, wrong_keys: Keys, size: int) -> None:
        sealed = self.sealed(cipher, sealing_keys, some_bytes(size))
        with pytest.raises(WrongPassword):
            self.opened(cipher, wrong_keys, io.BytesIO(sealed))

    @pytest.mark.parametrize("size", [0, 10, 65_536, None])
    def test_what_is_cut_short_is_damaged(
        self, cipher: Cipher, sealing_keys: Keys, opening_keys: Keys, size: int | None
    ) -> None:
        sealed = self.sealed(cipher, sealing_keys, some_bytes(size if size is not None else self.large))
        for kept in (0, 1, len(sealed) // 2, len(sealed) - 16, len(sealed) - 1):
            with pytest.raises(PayloadDamaged):
                self.opened(cipher, opening_keys, io.BytesIO(sealed[:kept]))

    def test_what_was_altered_does_not_open(self, cipher: Cipher, sealing_keys: Keys, opening_keys: Keys) -> None:
        content = some_bytes(1000)
        sealed = self.sealed(cipher, sealing_keys, content)
        for at in range(0, len(sealed), 7):
            altered = bytearray(sealed)
            altered[at] ^= 1
            with pytest.raises(PayloadError):
                self.opened(cipher, opening_keys, io.BytesIO(altered))

    def test_no_byte_comes_out_before_it_is_authenticated(
        self, cipher: Cipher, sealing_keys: Keys, opening_keys: Keys
    ) -> None:
        content = some_bytes(self.large)
        sealed = bytearray(self.sealed(cipher, sealing_keys, content))
        sealed[len(sealed) // 2] ^= 1
        came = bytearray()
        with pytest.raises(PayloadError), cipher.unsealing(io.BytesIO(sealed), opening_keys) as reader:
            while chunk := reader.read(10_000):
                came += chunk
        assert content.startswith(came)

    @pytest.mark.parametrize("size", [0, 1, 65_536, 65_537, None])
    def test_any_range_can_be_read_if_the_format_allows_it(
        self, cipher: Cipher, sealing_keys: Keys, opening_keys: Keys, size: int | None
    ) -> None:
        content = some_bytes(size if size is not None else self.large)
        access = cipher.random_access(BytesAccess(self.sealed(cipher, sealing_keys, content)), opening_keys)
        if access is None:
            return
        assert access.size == len(content)
        for offset in (0, 1, len(content) // 2, 65_535, 65_536, len(content), len(content) + 1):
            for length in (0, 1, 65_536, len(content)):
                assert access.read_at(offset, length) == content[offset : offset + length]

    def test_no_range_comes_out_before_it_is_authenticated(
        self, cipher: Cipher, sealing_keys: Keys, opening_keys: Keys
    ) -> None:
        content = some_bytes(1000)
        sealed = self.sealed(cipher, sealing_keys, content)
        if cipher.random_access(BytesAccess(sealed), opening_keys) is None:
            return
        for at in range(0, len(sealed), 7):
            altered = bytearray(sealed)
            altered[at] ^= 1
            with pytest.raises(PayloadError):
                self.read_range(cipher, opening_keys, bytes(altered))

    @pytest.mark.parametrize("size", [0, 10, 65_536, None])
    def test_a_range_of_what_is_cut_short_is_damaged(
        self, cipher: Cipher, sealing_keys: Keys, opening_keys: Keys, size: int | None
    ) -> None:
        sealed = self.sealed(cipher, sealing_keys, some_bytes(size if size is not None else self.large))
        if cipher.random_access(BytesAccess(sealed), opening_keys) is None:
            return
        for kept in (0, 1, len(sealed) // 2, len(sealed) - 16, len(sealed) - 1):
            with pytest.raises(PayloadDamaged):
                self.read_range(cipher, opening_keys, sealed[:kept])

    def test_a_range_needs_the_right_keys(
        self, cipher: Cipher, sealing_keys: Keys, opening_keys: Keys, wrong_keys: Keys
    ) -> None:
        sealed = self.sealed(cipher, sealing_keys, b"content")
        if cipher.random_access(BytesAccess(sealed), opening_keys) is None:
            return
        with pytest.raises(WrongPassword):
            self.read_range(cipher, wrong_keys, sealed)
        with pytest.raises(PasswordNeeded):
            self.read_range(cipher, Keys(), sealed)

    @pytest.mark.parametrize("noise", [b"\0", b"noise"])
    def test_what_follows_the_end_is_damage(
        self, cipher: Cipher, sealing_keys: Keys, opening_keys: Keys, noise: bytes
    ) -> None:
        sealed = self.sealed(cipher, sealing_keys, b"content")
        with pytest.raises(PayloadDamaged):
            self.opened(cipher, opening_keys, io.BytesIO(sealed + noise))

    def test_both_streams_stay_open(self, cipher: Cipher, sealing_keys: Keys, opening_keys: Keys) -> None:
        into = io.BytesIO()
        with cipher.sealing(into, sealing_keys) as writer:
            writer.write(b"content")
        into.write(b"")
        into.seek(0)
        assert self.opened(cipher, opening_keys, into) == b"content"
        assert into.read() == b""

    def test_an_error_inside_the_context_finishes_nothing(
        self, cipher: Cipher, sealing_keys: Keys, opening_keys: Keys
    ) -> None:
        into = io.BytesIO()
        with pytest.raises(StreamFailed), cipher.sealing(into, sealing_keys) as writer:
            writer.write(some_bytes(self.large))
            raise StreamFailed
        with pytest.raises(PayloadDamaged):
            self.opened(cipher, opening_keys, io.BytesIO(into.getvalue()))

    @pytest.mark.parametrize("taken", [0.0, 0.5])
    def test_an_error_of_the_sink_comes_out_as_it_is(self, cipher: Cipher, sealing_keys: Keys, taken: float) -> None:
        sink = FullSink(int(self.large * taken))
        with pytest.raises(StreamFailed), cipher.sealing(sink, sealing_keys) as writer:  # type: ignore[arg-type]
            write_in_pieces(writer, some_bytes(self.large))

    @pytest.mark.parametrize("kept", [0.0, 0.5, 1.0])
    def test_an_error_of_the_source_comes_out_as_it_is(
        self, cipher: Cipher, sealing_keys: Keys, opening_keys: Keys, kept: float
    ) -> None:
        sealed = self.sealed(cipher, sealing_keys, some_bytes(self.large))
        with pytest.raises(StreamFailed):
            self.opened(cipher, opening_keys, short_reads(sealed[: int(len(sealed) * kept)], fails=True))

    def salvaged(self, cipher: Cipher, keys: Keys, sealed: bytes) -> list[Part]:
        """What can be had of a damaged stream; nothing if it cannot be opened at all."""
        try:
            with cipher.salvaging(short_reads(sealed), keys) as parts:
                return list(parts)
        except PayloadError:
            return []

    def test_salvaging_a_whole_stream_gives_all_of_it_as_good(
        self, cipher: Cipher, sealing_keys: Keys, opening_keys: Keys
    ) -> None:
        content = some_bytes(self.large)
        parts = self.salvaged(cipher, opening_keys, self.sealed(cipher, sealing_keys, content))
        assert b"".join(run for _, run in good_runs(parts)) == content
        assert not any(isinstance(part, Hole) for part in parts)

    @pytest.mark.parametrize("place", [0.0, 0.3, 0.6, 1.0])
    def test_salvaging_calls_nothing_good_that_is_wrong(
        self, cipher: Cipher, sealing_keys: Keys, opening_keys: Keys, place: float
    ) -> None:
        content = some_bytes(self.large)
        sealed = bytearray(self.sealed(cipher, sealing_keys, content))
        sealed[int(place * (len(sealed) - 1))] ^= 0x10
        for start, run in good_runs(self.salvaged(cipher, opening_keys, bytes(sealed))):
            assert run == content[start : start + len(run)] if start is not None else run in content

    def test_salvaging_with_wrong_keys_gives_nothing(
        self, cipher: Cipher, sealing_keys: Keys, wrong_keys: Keys
    ) -> None:
        sealed = self.sealed(cipher, sealing_keys, some_bytes(self.large))
        with pytest.raises((WrongPassword, PasswordNeeded)), cipher.salvaging(io.BytesIO(sealed), wrong_keys) as parts:
            list(parts)

    def test_no_message_holds_a_key(self, cipher: Cipher, sealing_keys: Keys, wrong_keys: Keys) -> None:
        sealed = self.sealed(cipher, sealing_keys, b"content")
        with pytest.raises(PayloadError) as caught:
            self.opened(cipher, wrong_keys, io.BytesIO(sealed))
        for secret in (wrong_keys.passphrase, *wrong_keys.identities):
            assert not secret or secret not in str(caught.value)
