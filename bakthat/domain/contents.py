"""The entries of an archive as a person names them: by paths below the backup's root, as `restore --only` has them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from bakthat.domain.archive_index import IndexEntry


def below_root(path: str, is_directory: bool) -> str:
    """Return the path of a member without the backup's root; "" for the root itself.

    A backup of a single file has that file as its root; it keeps its name.
    """
    root, _, below = path.partition("/")
    return below or ("" if is_directory else root)


def contents(members: Iterable[IndexEntry]) -> Iterator[IndexEntry]:
    """Yield the members with paths below the root, in the order of the archive, without the root directory itself."""
    for member in members:
        path = below_root(member.path, member.kind == "directory")
        if path:
            yield member._replace(path=path)
