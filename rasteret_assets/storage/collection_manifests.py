"""What a commit of a Collection says, as values and as JSON."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa

from rasteret_assets.storage.manifests import (
    FORMAT,
    complete,
    json_bytes,
    schema_of,
    schema_text,
    told_by,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class CollectionFile:
    """One Parquet file of a Collection; paths count from its folder."""

    path: str
    """`year=2024/month=6/part-000017-0.parquet`: where others find it."""
    staged: str
    """Where it was written, and still is if the writer died before moving it."""
    year: int
    month: int
    rows: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CollectionManifest:
    """The state of a Collection after one commit."""

    generation: int
    """Counts commits from 1."""
    files: tuple[CollectionFile, ...]
    """In the order of their months, then as written."""
    problem_files: tuple[str, ...]
    problems_digest: str
    """Stands for the problems' content."""
    schema: pa.Schema
    """Of every file, key-value metadata included; `year` and `month` are not in it."""
    metadata: Mapping[str, Any] = field(default_factory=dict)
    """JSON values: what the Collection is."""
    facts: Mapping[str, Any] = field(default_factory=dict)
    """JSON values: what was found when it was made."""
    created_at: datetime = field(default_factory=lambda: datetime.now(UTC))

    @property
    def rows(self) -> int:
        """How many records the Collection has."""
        return sum(file.rows for file in self.files)


def collection_json(manifest: CollectionManifest, commit: str) -> bytes:
    """Return `manifest` as it lies on disk; `commit` tells its writer from all others."""
    return json_bytes(
        {
            "format": FORMAT,
            "commit": commit,
            "generation": manifest.generation,
            "created_at": manifest.created_at.isoformat(),
            "schema": schema_text(manifest.schema),
            "metadata": manifest.metadata,
            "facts": manifest.facts,
            "files": [
                {name: getattr(file, name) for name in CollectionFile.__slots__}
                for file in manifest.files
            ],
            "problem_files": manifest.problem_files,
            "problems_digest": manifest.problems_digest,
        }
    )


def collection_of(data: bytes, where: str) -> CollectionManifest:
    """Return the manifest that `data` holds.

    Raises
    ------
    WorkspaceError
        If it is of a later format, or no manifest at all.
    """
    told = told_by(data, where)
    with complete(where):
        return CollectionManifest(
            generation=told["generation"],
            files=tuple(CollectionFile(**file) for file in told["files"]),
            problem_files=tuple(told["problem_files"]),
            problems_digest=told["problems_digest"],
            schema=schema_of(told["schema"]),
            metadata=told["metadata"],
            facts=told["facts"],
            created_at=datetime.fromisoformat(told["created_at"]),
        )
