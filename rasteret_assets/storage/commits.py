"""Numbered manifests in a folder: the newest is the state, and the next is made by one writer."""

import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Final

from fsspec.spec import AbstractFileSystem

from rasteret_assets.errors import CommitConflictError, RasteretAssetsError, WorkspaceError
from rasteret_assets.storage.filesystems import STORE_ERRORS, asking, filesystem_of
from rasteret_assets.storage.listing import Entry, list_folder
from rasteret_assets.storage.objects import make_durable, put_if_absent, remove

_LOG: Final = logging.getLogger(__name__)
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
        """Return the generations there are, with their files, newest first.

        Raises
        ------
        WorkspaceError
            If storage cannot be asked.
        """
        fs, folder = self.place()
        with asking(self.url):
            listed = list_folder(fs, folder, _START)
        found = [
            (int(name[1]), entry)
            for entry in listed
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
            with asking(self.url), suppress(FileNotFoundError):
                # swept between listing and reading where it is gone: there is a newer one
                return generation, bytes(fs.cat_file(entry.path))
        msg = f"{self.url}: manifests vanish while they are read; is someone deleting the folder?"
        raise WorkspaceError(msg)

    def check_base(self, newest: int, planned: int) -> None:
        """Refuse an update that was planned from another generation than the `newest`.

        Raises
        ------
        CommitConflictError
            If so.
        """
        if newest != planned:
            msg = (
                f"{self.url}: planned from state {planned}, but the newest is {newest}; plan again"
            )
            raise CommitConflictError(msg)

    @contextmanager
    def undoing(self, written: list[str]) -> Iterator[None]:
        """Remove the files at `written` if the block fails; storage failing is a WorkspaceError."""
        try:
            yield
        except BaseException as error:
            self.clear(written)
            if isinstance(error, STORE_ERRORS) and not isinstance(error, RasteretAssetsError):
                raise self._failed(error) from error
            raise

    def create(self, generation: int, data: bytes, written: list[str]) -> None:
        """Make `data` the manifest of `generation`, which the files at `written` are for.

        Raises
        ------
        CommitConflictError
            If another writer was first; the files are removed.
        WorkspaceError
            If storage fails. The files stay, since the manifest may be there all the same.
        """
        fs, _ = self.place()
        try:
            ours = self._made_durable(generation, written) and put_if_absent(
                fs, self.path_of(generation), data
            )
        except RasteretAssetsError:
            raise
        except STORE_ERRORS as error:
            raise self._failed(error) from error
        if not ours:
            self.clear(written)
            msg = f"{self.url}: state {generation} was committed by another; plan again"
            raise CommitConflictError(msg)

    def _made_durable(self, generation: int, written: list[str]) -> bool:
        """Whether the files outlast a power failure; not if another writer removed them.

        Whoever commits a generation first tidies up files of that generation that its state
        does not name.
        """
        fs, _ = self.place()
        try:
            make_durable(fs, written)
        except FileNotFoundError:
            if not fs.exists(self.path_of(generation)):
                raise
            return False
        return True

    def clear(self, written: list[str]) -> None:
        """Remove files that no state will name; a sweep takes what cannot be removed now."""
        fs, _ = self.place()
        try:
            remove(fs, written)
        except STORE_ERRORS as error:  # on the way out of another error, which is the one to tell
            _LOG.warning("%s: files of a failed commit stay for now (%s)", self.url, error)

    def _failed(self, error: BaseException) -> WorkspaceError:
        said = f"{type(error).__name__}: {error}"
        return WorkspaceError(f"{self.url}: cannot be written ({said}); mend that and run again")

    def path_of(self, generation: int) -> str:
        """Return where the manifest of `generation` lies, as a path on the filesystem."""
        _, folder = self.place()
        return f"{folder}/{_START}{generation:06}.json"
