from collections.abc import Callable

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rasteret_assets.errors import WorkspaceError
from rasteret_assets.storage import CollectionFile, CollectionManifest, Fragment, Manifest
from rasteret_assets.storage.collection_manifests import collection_json, collection_of
from rasteret_assets.storage.manifests import manifest_json, manifest_of

TEXT = st.text(max_size=8)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=6,
)  # fmt: skip
OBJECTS = st.dictionaries(TEXT, JSON, max_size=4)
TYPES = st.recursive(
    st.sampled_from([pa.int64(), pa.string(), pa.null(), pa.timestamp("us", "UTC"), pa.binary()]),
    lambda inner: (
        st.builds(pa.list_, inner)
        | st.lists(
            st.tuples(st.sampled_from("abc"), inner), max_size=2, unique_by=lambda f: f[0]
        ).map(pa.struct)
    ),
    max_leaves=4,
)
SCHEMAS = st.builds(
    lambda fields, metadata: pa.schema(list(fields.items()), metadata=metadata or None),
    st.dictionaries(TEXT, TYPES, max_size=3),
    st.dictionaries(TEXT, TEXT, max_size=2),
)
NAMES = st.lists(TEXT, max_size=3).map(tuple)
FRAGMENTS = st.builds(
    Fragment,
    source=TEXT,
    identity=TEXT,
    fingerprint=TEXT,
    rows=st.integers(0, 2**50),
    files=NAMES,
    problem_files=NAMES,
    schema_id=TEXT,
    facts=OBJECTS,
)
MANIFESTS = st.builds(
    Manifest,
    generation=st.integers(1, 10**7),
    fragments=st.lists(FRAGMENTS, max_size=3).map(tuple),
    schema=SCHEMAS,
    schemas=st.dictionaries(TEXT, SCHEMAS, max_size=2),
    metadata=OBJECTS,
)
COLLECTIONS = st.builds(
    CollectionManifest,
    generation=st.integers(1, 10**7),
    files=st.lists(
        st.builds(
            CollectionFile,
            path=TEXT,
            staged=TEXT,
            year=st.integers(-1, 3000),
            month=st.integers(1, 12),
            rows=st.integers(0, 2**50),
        ),
        max_size=3,
    ).map(tuple),
    problem_files=NAMES,
    problems_digest=TEXT,
    schema=SCHEMAS,
    metadata=OBJECTS,
    facts=OBJECTS,
)


@settings(deadline=None)  # busy machines are slow, not wrong
@given(MANIFESTS, TEXT)
def test_a_manifest_comes_back_as_it_was_written(manifest: Manifest, commit: str) -> None:
    found = manifest_of(manifest_json(manifest, commit), "here")
    assert found == manifest
    assert found.schema.equals(manifest.schema, check_metadata=True)


@settings(deadline=None)  # busy machines are slow, not wrong
@given(COLLECTIONS, TEXT)
def test_a_collection_manifest_comes_back_as_it_was_written(
    manifest: CollectionManifest, commit: str
) -> None:
    found = collection_of(collection_json(manifest, commit), "here")
    assert found == manifest
    assert found.schema.equals(manifest.schema, check_metadata=True)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"{", "not a manifest"),
        (b"[]", "upgrade"),
        (b'{"format": 99}', "format 99, known is 1"),
        (b"\xff", "not a manifest"),
    ],
    ids=["cut", "list", "later", "bytes"],
)
def test_what_is_no_manifest_of_ours_is_refused(data: bytes, said: str) -> None:
    with pytest.raises(WorkspaceError, match=f"here: .*{said}"):
        manifest_of(data, "here")


@pytest.mark.parametrize("read", [manifest_of, collection_of])
@pytest.mark.parametrize(
    "data",
    [
        b'{"format": 1}',
        b'{"format": 1, "generation": 1, "schema": "?", "files": [], "fragments": []}',
        b'{"format": 1, "generation": 1, "files": [{"path": "a"}], "fragments": [{"a": 1}]}',
        b'{"format": 1, "generation": 1, "files": 1, "fragments": 1}',
    ],
    ids=["empty", "schema", "parts", "no list"],
)
def test_a_manifest_that_lacks_something_is_told_to_be_damaged(
    read: Callable[[bytes, str], object], data: bytes
) -> None:
    with pytest.raises(WorkspaceError, match=r"here: the manifest is damaged.*restore it"):
        read(data, "here")


def test_the_id_of_a_fragment_follows_source_identity_and_fingerprint() -> None:
    one = Fragment(source="a", identity="1", fingerprint="f")
    assert one.id == Fragment(source="a", identity="1", fingerprint="f", rows=5).id
    others = [("b", "1", "f"), ("a", "2", "f"), ("a", "1", "g"), ("a1", "", "f")]
    ids = {Fragment(source=s, identity=i, fingerprint=f).id for s, i, f in others}
    assert len(ids | {one.id}) == 5


def test_facts_that_are_not_json_are_refused() -> None:
    bad = Fragment(source="a", identity="1", fingerprint="f", facts={"bounds": float("nan")})
    manifest = Manifest(generation=1, fragments=(bad,), schema=pa.schema([]), schemas={})
    with pytest.raises(ValueError, match="JSON"):
        manifest_json(manifest, "")
