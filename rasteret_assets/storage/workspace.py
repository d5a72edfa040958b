"""Where everything of the collections lies."""

import os
from contextlib import suppress
from pathlib import Path
from typing import Final
from urllib.parse import quote, unquote

from fsspec.spec import AbstractFileSystem

from rasteret_assets.contract.settings import BuildSettings
from rasteret_assets.contract.spec import check_name
from rasteret_assets.errors import ConfigError, WorkspaceError
from rasteret_assets.storage.collection_store import CollectionStore
from rasteret_assets.storage.commits import Commits
from rasteret_assets.storage.filesystems import asking, check_url, filesystem_of
from rasteret_assets.storage.listing import list_folders
from rasteret_assets.storage.stage_store import StageStore

ROOT_VARIABLE: Final = "RASTERET_WORKSPACE"
DEFAULT_ROOT: Final = "~/rasteret_workspace"
BANDS_STAGE: Final = "band_headers"
"""The stage that has a folder per band."""

_RECORDS: Final = "_records"
_STAGES: Final = ".stages"


class Workspace:
    """A folder, or any fsspec URL, that holds collections and the stages on the way to them.

    `{root}/{name}_records/` is a Collection, `{root}/.stages/{name}/{stage}/` a stage of it, and
    `{root}/.stages/{name}/band_headers/{band}/` one band's headers. Names are checked, and band
    keys percent-encoded, so that nothing outside `root` can be expressed.

    Parameters
    ----------
    root
        By default what RASTERET_WORKSPACE says, else ~/rasteret_workspace.
    settings
        How large batches and row groups of the stored files get.

    Raises
    ------
    ConfigError
        If `root` is no place to write to: blank, a web address, or without a bucket.
    """

    def __init__(
        self, root: str | Path | None = None, settings: BuildSettings | None = None
    ) -> None:
        self.root = _root_of(root)
        self.settings = settings or BuildSettings()

    def stage(self, name: str, stage: str, band: str | None = None) -> StageStore:
        """Return the store of one stage of collection `name`, or of one band of it.

        Raises
        ------
        ConfigError
            If `name` or `stage` cannot be a name, or `band` is empty.
        """
        url = f"{self._stages(name)}/{check_name(stage)}"
        if band is not None:
            url = f"{url}/{_folder_of(band)}"
        return StageStore(url=url, settings=self.settings)

    def collection(self, name: str) -> CollectionStore:
        """Return the store of the Collection `name`, which need not exist yet."""
        return CollectionStore(url=self._records(name), settings=self.settings)

    def bands(self, name: str) -> list[str]:
        """Return the bands of collection `name` whose headers were ever committed, sorted."""
        fs, folder = filesystem_of(f"{self._stages(name)}/{BANDS_STAGE}")
        with asking(self.root):
            bands = [unquote(found) for found in list_folders(fs, folder)]
        return sorted(b for b in bands if self.stage(name, BANDS_STAGE, b).latest() is not None)

    def names(self) -> list[str]:
        """Return the names of the Collections that can be opened, sorted."""
        fs, folder = filesystem_of(self.root)
        with asking(self.root):
            found = [f for f in list_folders(fs, folder) if f.endswith(_RECORDS)]
        names = [folder.removesuffix(_RECORDS) for folder in found]
        return sorted(n for n in names if is_name(n) and self.collection(n).exists())

    def has(self, name: str) -> bool:
        """Whether anything of collection `name` is here, were it a half-made stage."""
        with asking(self.root):
            return any(fs.exists(path) for fs, path in self._places(name))

    def is_committed(self, name: str) -> bool:
        """Whether collection `name`, or any stage of it, has a state."""
        stages = self._stages(name)
        fs, folder = filesystem_of(stages)
        with asking(stages):
            urls = [f"{stages}/{stage}" for stage in list_folders(fs, folder)]
            bands = [
                f"{stages}/{BANDS_STAGE}/{band}"
                for band in list_folders(fs, f"{folder}/{BANDS_STAGE}")
            ]
        return any(Commits(url=url).all() for url in [self._records(name), *urls, *bands])

    def find(self, name_or_path: str) -> CollectionStore:
        """Return the Collection of that name here, else the one at that path or URL.

        Raises
        ------
        WorkspaceError
            If there is neither; the message names those that are here.
        ConfigError
            If it is blank, or a URL without a host or bucket.
        """
        if not name_or_path.strip():
            msg = f"collection {name_or_path!r}: it is blank; give a name, folder, file or URL"
            raise ConfigError(msg)
        if is_name(name_or_path):
            here = self.collection(name_or_path)
            if here.exists():
                return here
        there = CollectionStore(url=name_or_path, settings=self.settings)
        if there.exists():
            return there
        msg = (
            f"{name_or_path}: no Collection of that name or path; in {self.root} are {self.names()}"
        )
        raise WorkspaceError(msg)

    def delete(self, name: str) -> None:
        """Remove collection `name` and all its stages, if there are any."""
        for fs, path in self._places(name):
            with asking(self.root), suppress(FileNotFoundError):
                fs.rm(path, recursive=True)

    def _places(self, name: str) -> list[tuple[AbstractFileSystem, str]]:
        return [filesystem_of(self._records(name)), filesystem_of(self._stages(name))]

    def _records(self, name: str) -> str:
        return f"{self.root}/{check_name(name)}{_RECORDS}"

    def _stages(self, name: str) -> str:
        return f"{self.root}/{_STAGES}/{check_name(name)}"


def is_name(text: str) -> bool:
    """Whether `text` can be the name of a collection."""
    try:
        check_name(text)
    except ConfigError:
        return False
    return True


def _root_of(given: str | Path | None) -> str:
    """Return where the workspace is, without a last slash: an absolute path or a URL."""
    if given is not None and not str(given).strip():
        msg = f"workspace {given!r}: it is blank; name a folder or URL, or none for the default"
        raise ConfigError(msg)
    root = str(given or os.environ.get(ROOT_VARIABLE) or DEFAULT_ROOT)
    scheme, is_url, rest = root.partition("://")
    if not is_url:
        return os.path.abspath(os.path.expanduser(root)).rstrip("/")  # noqa: PTH100, PTH111 # as filesystem_of does
    check_url(root)
    if scheme.lower() in {"http", "https"}:
        msg = f"workspace {root}: nothing is written to web addresses; use a folder, s3:// or gs://"
        raise ConfigError(msg)
    if not rest.strip("/"):
        msg = f"workspace {root}: it names no folder; write {scheme}://folder"
        raise ConfigError(msg)
    return root.rstrip("/")


def _folder_of(band: str) -> str:
    """Return `band` as the name of a folder; `.` and `..` would be folders of another meaning."""
    if not band:
        msg = "a band's name is empty; asset keys have at least one character"
        raise ConfigError(msg)
    return quote(band, safe="").replace(".", "%2E") if band[0] == "." else quote(band, safe="")
