"""What a commit says: fragments, their files and facts, as values and as JSON."""

import base64
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

import pyarrow as pa

from rasteret_assets.contract.spec import digest
from rasteret_assets.errors import WorkspaceError

FORMAT: Final = 1
"""Version of the JSON. A manifest of a later one is refused, not guessed at."""
_WAY_ON: Final = "restore it, or remove it to go one commit back"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fragment:
    """What a stage has made of one version of one source file."""

    source: str
    """The source file's URI."""
    identity: str
    """Its version, as `SourceFile` has it."""
    fingerprint: str
    """Stands for everything else that the content depends on: code, contract, settings."""
    id: str = ""
    """Stands for the content; by default a digest of the three above."""
    rows: int = 0
    files: tuple[str, ...] = ()
    """Names in the stage's folder, in order of rows; none where there are no rows."""
    problem_files: tuple[str, ...] = ()
    schema_id: str = ""
    """Which of the manifest's `schemas` the rows have; empty if no batch was ever made."""
    facts: Mapping[str, Any] = field(default_factory=dict)
    """JSON values, computed when the fragment was made, so that nobody has to scan it again."""

    def __post_init__(self) -> None:
        if not self.id:
            made = digest(self.source, self.identity, self.fingerprint)
            object.__setattr__(self, "id", made)


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """The state of a stage after one commit."""

    generation: int
    """Counts commits from 1."""
    fragments: tuple[Fragment, ...]
    """In the order of their sources."""
    schema: pa.Schema
    """Every fragment's rows can be brought to it."""
    schemas: Mapping[str, pa.Schema]
    """What the fragments' rows have in fact, by `Fragment.schema_id`."""
    metadata: Mapping[str, Any] = field(default_factory=dict)
    """JSON values: what the stage wishes to remember of the whole."""
    created_at: datetime = field(default_factory=lambda: datetime.now(UTC))

    @property
    def rows(self) -> int:
        """How many rows all fragments have together."""
        return sum(fragment.rows for fragment in self.fragments)


def manifest_json(manifest: Manifest, commit: str) -> bytes:
    """Return `manifest` as it lies on disk; `commit` tells its writer from all others."""
    return json_bytes(
        {
            "format": FORMAT,
            "commit": commit,
            "generation": manifest.generation,
            "created_at": manifest.created_at.isoformat(),
            "schema": schema_text(manifest.schema),
            "schemas": {name: schema_text(schema) for name, schema in manifest.schemas.items()},
            "metadata": manifest.metadata,
            "fragments": [
                {name: getattr(fragment, name) for name in Fragment.__slots__}
                for fragment in manifest.fragments
            ],
        }
    )


def manifest_of(data: bytes, where: str) -> Manifest:
    """Return the manifest that `data` holds.

    Raises
    ------
    WorkspaceError
        If it is of a later format, or no manifest at all.
    """
    told = told_by(data, where)
    with complete(where):
        return Manifest(
            generation=told["generation"],
            fragments=tuple(_fragment_of(one) for one in told["fragments"]),
            schema=schema_of(told["schema"]),
            schemas={name: schema_of(text) for name, text in told["schemas"].items()},
            metadata=told["metadata"],
            created_at=datetime.fromisoformat(told["created_at"]),
        )


def _fragment_of(told: Mapping[str, Any]) -> Fragment:
    files, problem_files = tuple(told["files"]), tuple(told["problem_files"])
    return Fragment(**{**told, "files": files, "problem_files": problem_files})


@contextmanager
def complete(where: str) -> Iterator[None]:
    """Raise what a manifest at `where` lacks, or has in another form, as WorkspaceError."""
    try:
        yield
    except (KeyError, TypeError, AttributeError, ValueError, pa.ArrowException) as error:
        said = f"{type(error).__name__}: {error}"
        msg = f"{where}: the manifest is damaged ({said}); {_WAY_ON}"
        raise WorkspaceError(msg) from error


def told_by(data: bytes, where: str) -> dict[str, Any]:
    """Return the JSON object that a manifest at `where` holds, if this code knows its format."""
    try:
        told = json.loads(data)
    except ValueError as error:
        msg = f"{where}: not a manifest ({error}); {_WAY_ON}"
        raise WorkspaceError(msg) from error
    if not isinstance(told, dict) or told.get("format") != FORMAT:
        version = told.get("format") if isinstance(told, dict) else None
        msg = f"{where}: manifest format {version}, known is {FORMAT}; upgrade rasteret-assets"
        raise WorkspaceError(msg)
    return told


def json_bytes(value: Mapping[str, object]) -> bytes:
    """Return `value` as JSON, in UTF-8. NaN and infinity are not JSON and are refused."""
    return json.dumps(value, separators=(",", ":"), allow_nan=False).encode()


def schema_text(schema: pa.Schema) -> str:
    """Return `schema`, metadata included, as text: Arrow IPC in base 64."""
    return base64.b64encode(schema.serialize()).decode()


def schema_of(text: str) -> pa.Schema:
    """Return the schema that `schema_text` gave `text` for."""
    return pa.ipc.read_schema(pa.py_buffer(base64.b64decode(text)))


def schema_digest(schema: pa.Schema) -> str:
    """Return a short name for `schema`, the same for equal ones."""
    return digest(schema_text(schema))
