"""Numbered manifests in a folder: the newest is the state, and the next is made by one writer."""

import re
from dataclasses import dataclass
from typing import Final

from fsspec.spec import AbstractFileSystem

from rasteret_assets.errors import WorkspaceError
from rasteret_assets.storage.filesystems import filesystem_of
from rasteret_assets.storage.listing import Entry, list_folder
from rasteret_assets.storage.objects import put_if_absent

_START: Final = "_manifest-"
_TRIES: Final = 5
_NAME: Final = re.compile(rf"{_START}(\d{{6,}})\.json")


@dataclass(frozen=True, slots=True, kw_only=True)
class Commits:
    """The manifests of one folder."""

    url: str
    """The folder."""

    def place(self) -> tuple[AbstractFileSystem, str]:
        """Return the filesystem and the folder's path; asked anew each time, as forks want."""
        fs, path = filesystem_of(self.url)
        return fs, path.rstrip("/")

    def all(self) -> list[tuple[int, Entry]]:
        """Return the generations there are, with their files, newest first."""
        fs, folder = self.place()
        found = [
            (int(name[1]), entry)
            for entry in list_folder(fs, folder, _START)
            if (name := _NAME.fullmatch(entry.path.rsplit("/", 1)[-1]))
        ]
        return sorted(found, key=lambda one: one[0], reverse=True)

    def newest(self) -> tuple[int, bytes] | None:
        """Return the highest generation and its manifest; None before the first commit."""
        for _ in range(_TRIES):
            found = self.all()
            if not found:
                return None
            generation, entry = found[0]
            fs, _ = self.place()
            try:
                return generation, bytes(fs.cat_file(entry.path))
            except FileNotFoundError:  # swept between listing and reading: there is a newer one
                continue
        msg = f"{self.url}: manifests vanish while they are read; is someone deleting the folder?"
        raise WorkspaceError(msg)

    def create(self, generation: int, data: bytes) -> bool:
        """Make `data` the manifest of `generation`, unless there is one; say whether it is."""
        fs, _ = self.place()
        return put_if_absent(fs, self.path_of(generation), data)

    def path_of(self, generation: int) -> str:
        """Return where the manifest of `generation` lies, as a path on the filesystem."""
        _, folder = self.place()
        return f"{folder}/{_START}{generation:06}.json"
