"""A second real server, rclone's `serve s3`: what goes wrong there ends in a whole object, or in one error and none."""

from __future__ import annotations

import io
import os
from pathlib import Path

import pytest

from bakthat import RotationPolicy, open_profile
from bakthat.errors import BakthatError, ObjectExists
from bakthat.testing.faulty_proxy import (
    INTERNAL_ERROR,
    SLOW_DOWN,
    Doing,
    Fault,
    damage_the_request,
    drop_the_connection,
    lose_the_answer,
    reset_in_the_answer,
)
from bakthat.testing.object_store_contract import some_bytes
from tests.fixtures.s3_rig import Rig
from tests.fixtures.s3_servers import s3_profile

THREE_PARTS = some_bytes(600_000)
"""At the rig's part size for rclone."""

WRITES = [
    ("PutObject", b"small"),
    ("CreateMultipartUpload", THREE_PARTS),
    ("UploadPart", THREE_PARTS),
    ("CompleteMultipartUpload", THREE_PARTS),
]


@pytest.mark.parametrize("times", [1, None])
@pytest.mark.parametrize(
    "fault",
    [SLOW_DOWN, INTERNAL_ERROR, damage_the_request, drop_the_connection, lose_the_answer, reset_in_the_answer],
)
@pytest.mark.parametrize(("operation", "content"), WRITES)
def test_after_a_fault_of_a_write_the_object_is_whole_or_there_is_an_error_and_none(
    rclone_rig: Rig, operation: str, content: bytes, fault: Doing, times: int | None
):
    rclone_rig.proxy.inject(Fault(operation, fault, times=times))
    try:
        rclone_rig.put(content, attempts=2)
    except BakthatError:
        assert list(rclone_rig.direct.list()) == []
    else:
        assert rclone_rig.holds(content)


@pytest.mark.parametrize("content", [b"small", THREE_PARTS])
def test_a_taken_key_is_refused(rclone_rig: Rig, content: bytes):
    rclone_rig.direct.put("k", io.BytesIO(b"was here"))
    with pytest.raises(ObjectExists):
        rclone_rig.put(content)
    assert rclone_rig.holds(b"was here")


def test_every_verb_works(rclone_url: str, tmp_path: Path):
    source = tmp_path / "photos"
    source.mkdir()
    (source / "large.jpg").write_bytes(os.urandom(20_000_000))
    profile = s3_profile(rclone_url, database=str(tmp_path / "database.sqlite"))
    bk = open_profile(profile, environment={}, host=lambda: "test")
    made = bk.backup(source, password="secret", tags=["nightly"])
    (tmp_path / "database.sqlite").unlink()
    bk = open_profile(profile, environment={}, host=lambda: "test")
    assert [backup.stored_filename for backup in bk.sync().added] == [made.stored_filename]
    assert [found.error for found in bk.verify(password="secret")] == [None]
    bk.restore("photos", target=tmp_path / "restored", password="secret")
    restored = tmp_path / "restored" / "photos" / "large.jpg"
    assert restored.read_bytes() == (source / "large.jpg").read_bytes()
    assert bk.rotate_backups("photos", policy=RotationPolicy(days=1)) == []
    bk.delete("photos")
    assert bk.show() == []
    assert list(bk.tools.destination("s3").objects.list()) == []
