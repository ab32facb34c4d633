"""Attributes of restored files: what a system refuses is reported, and no bits are set that would be dangerous."""

from __future__ import annotations

import errno
import io
from pathlib import Path

import pytest

from bakthat.adapters.packing.extracting.attributes import OWNER, SET_ID, Attributes, set_attributes
from bakthat.adapters.packing.extracting.tar_extractor import extract_tar
from bakthat.adapters.packing.tar_packer import TarPacker
from tests.fixtures.children import run_python
from tests.fixtures.open_directory import open_directory
from tests.fixtures.tar_members import END, member, pax
from tests.fixtures.tree_snapshot import snapshot


@pytest.fixture
def into(tmp_path: Path) -> Path:
    path = tmp_path / "into"
    path.mkdir()
    return path


def test_what_the_system_refuses_is_a_notice() -> None:
    with open_directory() as into:
        done = run_python(
            """
        import io, os, sys
        from pathlib import Path
        archive = b"".join(member(b"d/%d" % number, b"x", owner=12345, mode=0o4755) for number in range(50)) + END
        report = extract_tar(io.BytesIO(archive), Path(sys.argv[1]))
        print(*report.notices, oct(os.stat(sys.argv[1] + "/d/49").st_mode))
        """,
            into,
            unprivileged_after="""
        from bakthat.adapters.packing.extracting.tar_extractor import extract_tar
        from tests.fixtures.tar_members import END, member
        """,
        )
    assert "it belonged to another user" in done.stdout, done.stderr
    assert done.stdout.endswith("0o100755\n")


def test_an_owner_that_cannot_be_set_is_reported(tmp_path: Path) -> None:
    reported: list[tuple[bytes, str, int]] = []
    with (tmp_path / "f").open("w") as file:
        set_attributes(file.fileno(), Attributes(0o644, 2**40, 0, 0), lambda *what: reported.append(what), b"f")
    assert reported == [(b"f", OWNER, errno.EOVERFLOW)]


def test_without_the_right_owner_there_are_no_set_id_bits() -> None:
    with open_directory() as into:
        done = run_python(
            """
            reported = []
            with open(sys.argv[1] + "/f", "w") as file:
                set_attributes(
                    file.fileno(), Attributes(0o4755, 0, 0, 0), lambda *what: reported.append(what), b"f"
                )
            print(reported, oct(os.stat(sys.argv[1] + "/f").st_mode))
            """,
            into,
            unprivileged_after="""
            import os, sys
            from bakthat.adapters.packing.extracting.attributes import Attributes, set_attributes
            """,
        )
    # EINVAL: in a user namespace that does not know root
    reported = [[(b"f", OWNER, number), (b"f", SET_ID, 0)] for number in (errno.EPERM, errno.EINVAL)]
    assert done.stdout in [f"{each} 0o100755\n" for each in reported], done.stderr


def test_an_owner_that_no_system_has_is_a_notice_and_costs_the_set_id_bits(into: Path) -> None:
    archive = pax((b"uid", b"%d" % 2**40)) + member(b"d/f", b"1", mode=0o4755)
    report = extract_tar(io.BytesIO(archive + END), into)
    reasons = [notice.reason for notice in report.notices]
    assert reasons[0].startswith(("the owner cannot be restored here: the number is too large", "it belonged to anoth"))
    assert reasons[1:] == ["its set-user-ID and set-group-ID bits were not restored; only root can restore them"]
    assert (into / "d" / "f").stat().st_mode & 0o7777 == 0o755


def test_a_thousand_small_files_come_back_with_their_attributes(tmp_path: Path, into: Path) -> None:
    source = tmp_path / "source"
    for number in range(1000):
        (source / str(number // 100)).mkdir(parents=True, exist_ok=True)
        path = source / str(number // 100) / f"{number}"
        path.write_bytes(b"%d" % number * 100)
        path.chmod(0o600 + number % 64)
    packed = io.BytesIO()
    TarPacker().pack(source, packed)
    packed.seek(0)
    TarPacker().unpack(packed, into, name="source")
    assert snapshot(into / "source") == snapshot(source)
