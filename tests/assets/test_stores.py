"""Everything in a bucket: the table, its files, the workspace, and what passes between steps."""

from collections.abc import Iterator

import dagster as dg
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from rasteret_assets.api import load
from rasteret_assets.assets import EnrichmentResource
from rasteret_assets.storage import filesystem_of
from tests.assets.runs import Deployment, declared
from tests.rig.scenes import geotiff, record_table
from tests.rig.stores import Store, gcs_store, s3_store


@pytest.fixture(scope="module", params=[s3_store, gcs_store], ids=["s3", "gs"])
def store(request: pytest.FixtureRequest) -> Iterator[Store]:
    with request.param() as store:
        yield store


def test_a_bucket_is_as_good_as_a_folder(
    store: Store, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.apply(monkeypatch)
    bucket = store.make_bucket("archive")
    for number in range(3):
        store.put("archive", f"scenes/{number}.tif", geotiff(number, side=64))
    table = record_table(3, lambda number, _: f"{number}.tif", ["B04"])
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink)
    source = store.put("archive", "scenes/items.parquet", sink.getvalue().to_pybytes())
    deployment = Deployment(
        declared=declared("demo", source, bands=("B04",)),
        root=f"{bucket}/workspace",
        instance=instance,
        enrichment=EnrichmentResource(chunk_headers=2),
        summaries=dg.FilesystemIOManager(base_dir=f"{bucket}/summaries"),
    )

    assert deployment.run(bands=["B04"]).success

    fs, folder = filesystem_of(f"{bucket}/summaries")
    assert fs.find(folder)
    collection = load("demo", workspace_dir=deployment.root)
    widths = collection.dataset.to_table(columns=["B04_metadata"])["B04_metadata"].to_pylist()
    assert [one["image_width"] for one in widths] == [64, 64, 64]
    assert deployment.run(bands=["B04"]).success
