"""`Surveyor`: counts the entries of a walk, without opening files."""

from __future__ import annotations

import os

from bakthat.adapters.packing.writing.exclusion_filter import ExclusionFilter
from bakthat.adapters.packing.writing.hard_link_names import FirstNames
from bakthat.adapters.packing.writing.place import VANISHED, Place, encoded
from bakthat.adapters.packing.writing.source import reason
from bakthat.adapters.packing.writing.source_walk import Listing


class Surveyor:
    """The visitor of a walk that counts what `MemberWriter` would write."""

    def __init__(self, place: Place, exclusion: ExclusionFilter) -> None:
        self._place = place
        self._exclusion = exclusion
        self._first_names = FirstNames()
        self.file_count = self.directory_count = self.other_count = self.size = 0

    def directory(self, descriptor: int, name: bytes, status: os.stat_result, listing: Listing) -> None:
        self.directory_count += 1

    def closed_directory(self, parent: int, name: str, status: os.stat_result) -> None:
        self.directory_count += 1

    def files(self, parent: int, names: list[str]) -> None:
        place, exclusion = self._place, self._exclusion
        for name in names:
            try:
                status = os.stat(name, dir_fd=parent, follow_symlinks=False)
            except OSError as error:
                place.problem(name, VANISHED if isinstance(error, FileNotFoundError) else reason(error))
                continue
            if status.st_ino in exclusion.own_inodes and exclusion.is_own(status):
                exclusion.as_own(place.known_as(name))
                continue
            if exclusion.is_limited and exclusion.leaves_out(status, place.known_as(name)):
                continue
            self.file_count += 1
            if status.st_nlink > 1:
                if self._first_names.find(status):
                    continue
                self._first_names.add(status, place.path + encoded(name))
            self.size += status.st_size

    def left(self) -> None: ...

    def other(self, parent: int, name: str) -> None:
        if self._place.look_at_other(name, parent) is not None:
            self.other_count += 1
