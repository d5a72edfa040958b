"""DataLoaders: batches read together, workers of both kinds, small pickles."""

import pickle
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.utils.data import DataLoader
from torchgeo.datasets import stack_samples

import rasteret_assets
from rasteret_assets import Collection
from rasteret_assets.errors import ReadError
from tests.reads.indexing import noise, write
from tests.rig.scenes import record_table, write_table
from tests.torchgeo.chips import chips_in_a_grid, random_chips
from tests.torchgeo.conftest import KINDS, Archive


def batches(dataset: Any, **arguments: Any) -> list[dict[str, Any]]:  # noqa: ANN401
    sampler = chips_in_a_grid(dataset, size=48)
    return list(
        DataLoader(dataset, batch_size=8, sampler=sampler, collate_fn=stack_samples, **arguments)
    )


@pytest.mark.parametrize(
    ("context", "warm"),
    [
        pytest.param("fork", True, id="forked after reads here"),
        pytest.param("fork", False, id="forked before any"),
        pytest.param("spawn", True, id="spawned"),
    ],
)
def test_workers_give_what_this_process_gives(
    collection: Collection, archive: Archive, context: str, *, warm: bool
) -> None:
    dataset = collection.to_torchgeo_dataset(
        mask_band="classes", label_column="kind", valid_mask=True
    )
    if warm:  # connections are open, threads running, tables parsed
        dataset[next(iter(chips_in_a_grid(dataset, size=48)))]
    archive.server.forget()
    made = batches(dataset, num_workers=2, multiprocessing_context=context)
    assert archive.server.connections >= 2  # each worker has its own
    expected = batches(dataset)
    assert len(made) == len(expected) >= len(KINDS) * 16 // 8
    for one, other in zip(made, expected, strict=True):
        for key in ("image", "mask", "label", "mask_valid"):
            assert one[key].equal(other[key])


def test_workers_that_persist_read_epoch_after_epoch(collection: Collection) -> None:
    dataset = collection.to_torchgeo_dataset(["B04"])
    loader = DataLoader(
        dataset,
        batch_size=4,
        sampler=random_chips(dataset, size=32, length=12),
        num_workers=2,
        persistent_workers=True,
        collate_fn=stack_samples,
    )
    for _ in range(3):
        assert [batch["image"].shape for batch in loader] == [torch.Size([4, 1, 32, 32])] * 3


def test_a_batch_asks_for_a_tile_once_and_for_all_tiles_at_once(
    collection: Collection, archive: Archive
) -> None:
    dataset = collection.where("id = 'scene-000'").to_torchgeo_dataset(["B04"])
    sampler = random_chips(dataset, size=30, length=24)
    dataset[next(iter(sampler))]
    archive.server.forget()
    (batch,) = DataLoader(dataset, batch_size=24, sampler=sampler, collate_fn=stack_samples)
    assert batch["image"].shape == (24, 1, 30, 30)
    asked = [one.range for one in archive.server.seen()]
    assert len(asked) == len(set(asked)) <= 9  # the file has nine tiles

    wide = collection.to_torchgeo_dataset(["B04"])
    queries = list(chips_in_a_grid(wide, size=90, stride=90))
    archive.server.latency_s = 0.2
    archive.server.forget()
    try:
        wide.__getitems__(queries)
    finally:
        archive.server.latency_s = 0.0
    assert archive.server.peak_in_flight >= len(KINDS)


def test_a_pickle_is_small_however_large_the_index(tmp_path: Path) -> None:
    write(tmp_path / "B04.tif", noise(1, 1, 2048, 2048), blockxsize=16, blockysize=16)
    table = record_table(20, lambda _, band: str(tmp_path / f"{band}.tif"), ("B04",))
    path = write_table(table, tmp_path / "items.parquet")
    made = rasteret_assets.build_from_table(path, "x", enrich_cog=True, workspace_dir=tmp_path)
    dataset = made.to_torchgeo_dataset()
    query = next(iter(chips_in_a_grid(dataset, size=20)))
    pixels = dataset[query]["image"]
    pickled = pickle.dumps(dataset)
    offsets = 20 * (2048 // 16) ** 2 * 8
    assert len(pickled) < 10_000 < offsets
    assert pickle.loads(pickled)[query]["image"].equal(pixels)  # noqa: S301  # made here
    del dataset
    with pytest.raises(ReadError, match="make it anew"):
        pickle.loads(pickled)  # noqa: S301
