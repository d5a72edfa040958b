"""What the source sensor sees of buckets, by prefix and by glob."""

from collections.abc import Iterator

import pyarrow as pa
import pytest

from rasteret_assets.assets.watching import SourceChange, SourceListing, settled_before
from rasteret_assets.storage import Fragment, Manifest, filesystem_of, list_sources
from tests.rig.stores import Store, gcs_store, s3_store


@pytest.fixture(scope="module", params=[s3_store, gcs_store], ids=["s3", "gs"])
def store(request: pytest.FixtureRequest) -> Iterator[Store]:
    with request.param() as store:
        store.make_bucket("watched")
        yield store


def taken(listing: SourceListing) -> Manifest:
    """The state of a stage that has taken all that was settled."""
    fragments = tuple(
        Fragment(source=uri, identity=identity, fingerprint="x")
        for uri, identity in listing.settled.items()
    )
    return Manifest(generation=1, fragments=fragments, schema=pa.schema([]), schemas={})


@pytest.mark.parametrize(
    "source",
    ["{root}/", "{root}/*/*.parquet", "{root}/a/one.parquet"],
    ids=["prefix", "glob", "file"],
)
def test_changes_of_a_bucket_are_told_apart(
    store: Store, source: str, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    store.apply(monkeypatch)
    root = f"{store.scheme}://watched/{request.node.callspec.id}"
    fs, path = filesystem_of(root)

    def look() -> SourceListing:
        return SourceListing.of(list_sources([source.format(root=root)]), quiet_s=0)

    fs.pipe_file(f"{path}/a/one.parquet", b"first")
    before = taken(look())
    assert not SourceChange.between(before, look().takeable(before))

    fs.pipe_file(f"{path}/a/one.parquet", b"second, longer")
    fs.pipe_file(f"{path}/b/two.parquet", b"new")
    fs.pipe_file(f"{path}/b/_hidden.parquet", b"none of ours")
    after = taken(look())
    change = SourceChange.between(before, look().takeable(before))

    assert change.changed == (f"{root}/a/one.parquet",)
    assert change.new == (() if "one" in source else (f"{root}/b/two.parquet",))
    assert change.vanished == ()
    if change.new:
        fs.rm(f"{path}/a/one.parquet")
        gone = SourceChange.between(after, look().takeable(after))
        assert gone == SourceChange(new=(), changed=(), vanished=(f"{root}/a/one.parquet",))


def test_an_object_that_has_just_arrived_waits(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.apply(monkeypatch)
    store.put("watched", "fresh/one.parquet", b"first")
    uri = f"{store.scheme}://watched/fresh/"

    listing = SourceListing.of(list_sources([uri]), quiet_s=3600)

    assert listing.unsettled == (f"{uri}one.parquet",)
    assert not listing.settled


def test_a_run_s_tags_say_the_moment_to_the_nanosecond() -> None:
    listing = SourceListing(settled={}, unsettled=(), before_ns=1_700_000_000_012_345_678)
    assert settled_before(listing.tags()) == 1_700_000_000_012_345_678
