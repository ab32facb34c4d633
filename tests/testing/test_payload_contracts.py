"""bakthat's own packers, compressor and ciphers keep the contracts that ship."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from bakthat.adapters.compression.gzip_compressor import GzipCompressor
from bakthat.adapters.compression.zstd_compressor import ZstdCompressor
from bakthat.adapters.encryption.age import AgeCipher
from bakthat.adapters.encryption.detecting import DetectingCipher
from bakthat.adapters.encryption.key_files import keygen
from bakthat.adapters.packing.single_file import SingleFilePacker
from bakthat.adapters.packing.tar_packer import TarPacker
from bakthat.domain.payload import Keys
from bakthat.ports.payload import Cipher, Compressor, Packer
from bakthat.testing.cipher_contract import CipherContract
from bakthat.testing.compressor_contract import CompressorContract
from bakthat.testing.packer_contract import PackerContract

PAIR, OTHER = (keygen(clock=lambda: datetime(2026, 1, 1, tzinfo=UTC)) for _ in range(2))


class TestGzipCompressor(CompressorContract):
    @pytest.fixture(params=[1, 3])
    def compressor(self, request: pytest.FixtureRequest) -> Compressor:
        return GzipCompressor(threads=request.param)


class TestZstdCompressor(CompressorContract):
    large = 9_000_000  # three frames

    @pytest.fixture(params=[1, 3])
    def compressor(self, request: pytest.FixtureRequest) -> Compressor:
        return ZstdCompressor(threads=request.param)


class TestAgeCipherWithPassphrase(CipherContract):
    @pytest.fixture
    def cipher(self) -> Cipher:
        return AgeCipher(work_factor=1)

    @pytest.fixture
    def sealing_keys(self) -> Keys:
        return Keys(passphrase="right")

    @pytest.fixture
    def opening_keys(self) -> Keys:
        return Keys(passphrase="right")

    @pytest.fixture
    def wrong_keys(self) -> Keys:
        return Keys(passphrase="wrong horse")


class TestAgeCipherWithRecipients(CipherContract):
    @pytest.fixture
    def cipher(self) -> Cipher:
        return AgeCipher()

    @pytest.fixture
    def sealing_keys(self) -> Keys:
        return Keys(recipients=(OTHER.recipient, PAIR.recipient))

    @pytest.fixture
    def opening_keys(self) -> Keys:
        return Keys(identities=(PAIR.identity,))

    @pytest.fixture
    def wrong_keys(self) -> Keys:
        return Keys(identities=(keygen(clock=lambda: datetime(2026, 1, 1, tzinfo=UTC)).identity,))


class TestDetectingCipher(TestAgeCipherWithPassphrase):
    @pytest.fixture
    def cipher(self) -> Cipher:
        return DetectingCipher(lambda: AgeCipher(work_factor=1))


class TestTarPacker(PackerContract):
    @pytest.fixture
    def packer(self) -> Packer:
        return TarPacker()


class TestSingleFilePacker(PackerContract):
    knows_its_end = False

    @pytest.fixture
    def packer(self) -> Packer:
        return SingleFilePacker()
