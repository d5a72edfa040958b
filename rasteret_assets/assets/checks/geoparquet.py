"""A Collection's files before the validator of the GeoParquet specification, each once."""

from collections.abc import Sequence
from typing import Any, Final

import geoparquet_validator
import pyarrow as pa
import pyarrow.dataset as ds

from rasteret_assets.contract.spec import digest
from rasteret_assets.pipeline.build import replanned
from rasteret_assets.storage import (
    CollectionStore,
    Fragment,
    StageStore,
    StageUpdate,
    Workspace,
    filesystem_of,
)
from rasteret_assets.storage.filesystems import is_local

TESTED_STAGE: Final = "geoparquet_tests"
_MOST_ROWS: Final = 50_000
"""Rows of a file whose geometries are looked at: a row group, about."""

Failure = dict[str, Any]


def file_failures(
    place: Workspace, name: str, store: CollectionStore
) -> tuple[int, Sequence[Failure]]:
    """Return how many files there are, and the tests that any of them fails.

    What came of a file is remembered: files never change, only their set does.
    """
    stage = place.stage(name, TESTED_STAGE)
    tested = replanned(lambda: _tested(stage, name, store))
    stage.sweep()
    return len(tested), [row for one in tested for row in one.facts["failures"]]


def _tested(stage: StageStore, name: str, store: CollectionStore) -> list[Fragment]:
    """Test files that have not been, and commit what came of all of them.

    Raises
    ------
    CommitConflictError
        If another run has committed meanwhile.
    """
    base = stage.latest()
    fingerprint = digest("geoparquet", geoparquet_validator.__version__)
    known = {} if base is None else {f.identity: f for f in base.fragments}

    def test(files: ds.Dataset) -> list[Fragment]:
        tested = []
        for path in files.files:
            identity = "/".join(path.rsplit("/", 3)[1:])
            found = known.get(identity)
            if found is None or found.fingerprint != fingerprint:
                facts = {"failures": _failures(store, path, identity)}
                found = Fragment(
                    source=name, identity=identity, fingerprint=fingerprint, facts=facts
                )
            tested.append(found)
        return tested

    tested = store.read(test)
    generation = 0 if base is None else base.generation
    stage.commit(
        StageUpdate(keep=tuple(tested), write=(), schema=pa.schema([]), base_generation=generation)
    )
    return tested


def _failures(store: CollectionStore, path: str, file: str) -> list[Failure]:
    """Return the tests that one file fails. A remote file is fetched as a whole."""
    fs, _ = filesystem_of(store.url)
    if is_local(fs):
        report = geoparquet_validator.check(path, _MOST_ROWS)
    else:
        report = geoparquet_validator.check_bytes(file, fs.cat_file(path), _MOST_ROWS)
    return [
        {"file": file, "test": one["id"], "message": one["message"]}
        for one in report["outcomes"]
        if one["status"] == "fail"
    ]
