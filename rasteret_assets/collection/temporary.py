"""Folders that go when nothing needs them any more."""

import shutil
import tempfile
import weakref


class TemporaryFolder:
    """A folder that is removed with this object, or when the process ends."""

    def __init__(self) -> None:
        self.path = tempfile.mkdtemp(prefix="rasteret_assets-")
        weakref.finalize(self, shutil.rmtree, self.path, ignore_errors=True)
