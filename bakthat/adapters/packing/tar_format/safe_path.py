"""`safe_path`: the path of a member of an archive, which cannot lead out of the target."""

from __future__ import annotations

from bakthat.adapters.filesystem.printable import printable
from bakthat.errors import PayloadDamaged

_MAX_NAME = 64 * 1024
"""The maximum length of a path in bytes: sixteen times Linux's limit for one call; it bounds the cost of hostile
names."""


def safe_path(name: bytes) -> bytes:
    """The name of a member without empty parts and dots; empty for the target itself. Raises PayloadDamaged for a name
    that leaves the target, or is too long."""
    if len(name) > _MAX_NAME:
        raise PayloadDamaged(f"the tar archive has a name of {len(name)} bytes; the limit is 64 KiB")
    between = b"/%b/" % name
    if not (b"//" in between or b"/./" in between or b"/../" in between):
        return name
    parts = [part for part in name.split(b"/") if part not in (b"", b".")]
    if name.startswith(b"/") or b".." in parts:
        raise PayloadDamaged(f"the tar archive tries to leave the target: {printable(name[:1000])}")
    return b"/".join(parts)
