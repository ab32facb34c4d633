"""What a backup leaves out."""

from __future__ import annotations

from attrs import field, frozen

from bakthat.domain.catalog import PREFIX
from bakthat.domain.ignore_patterns import IgnoreRules
from bakthat.domain.stored_name import parse
from bakthat.errors import InvalidName

CACHES = "--exclude-caches"
IF_PRESENT = "--exclude-if-present"
LARGER_THAN = "--exclude-larger-than"
ONE_FILE_SYSTEM = "--one-file-system"

CACHE_TAG = "CACHEDIR.TAG"
CACHE_SIGNATURE = b"Signature: 8a477f597d28d172789f06886806bc55"
"""The beginning of a valid tag (Cache Directory Tagging Specification)."""


@frozen(kw_only=True)
class OwnThings:
    """bakthat's own files and folders (local destinations, the database, the cache), as seen from a source.

    paths: absolute and without symbolic links; only those below the source.
    folder: the folder of bakthat that is or contains the source; empty if there is none.
    is_store: whether the source itself is the folder of a local destination.
    destinations: the profile's destinations that store into that folder.
    """

    paths: tuple[str, ...] = ()
    folder: str = ""
    is_store: bool = False
    destinations: frozenset[str] = frozenset()


@frozen(kw_only=True)
class Exclusions:
    """What to leave out below a source. The source itself is never left out.

    rules: patterns, relative to the source.
    own_paths: files and folders by their absolute paths without symbolic links.
    own_objects: whether the source is the folder of a local destination, from which bakthat's objects are left out.
    caches: whether a directory with a valid `CACHEDIR.TAG` is kept with the tag only.
    if_present: names; a directory that contains one of them is kept with that entry only.
    larger_than: files larger than this are left out; in bytes.
    one_file_system: whether file systems mounted below the source are left out; the mount points are kept, empty.
    """

    rules: IgnoreRules = field(factory=lambda: IgnoreRules(()))
    own_paths: tuple[str, ...] = ()
    own_objects: bool = False
    caches: bool = False
    if_present: tuple[str, ...] = ()
    larger_than: int | None = None
    one_file_system: bool = False


def is_own_object(name: str) -> bool:
    """Whether a file or folder of this name, in the folder of a local destination, is bakthat's: a stored backup, the
    catalog, or a temporary or hidden file of the store."""
    if name.startswith(".bakthat-") or name == PREFIX.rstrip("/"):
        return True
    try:
        return parse(name).dotted
    except InvalidName:
        return False
