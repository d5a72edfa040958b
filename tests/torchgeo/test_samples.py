"""Masks, labels, validity, types and failures of samples."""

from pathlib import Path
from typing import Any

import kornia.augmentation as K  # noqa: N812  # as its own documents have it
import numpy as np
import pyarrow as pa
import pytest
import rasterio
import rasterio.warp
import torch
from rasterio.transform import from_origin
from torchgeo.transforms import AppendNDVI

import rasteret_assets
from rasteret_assets import Collection, as_collection
from rasteret_assets.errors import ConfigError, FetchError, ReadError
from tests.reads.indexing import noise, write
from tests.rig.scenes import record_table, write_table
from tests.torchgeo.chips import chips_in_a_grid, whole_records, windows
from tests.torchgeo.conftest import BANDS, CRS, KINDS, PIXEL_M, Archive, corner

LEFT, TOP = corner(0)
EDGE = slice(LEFT - 300, LEFT + 900), slice(TOP - 800, TOP + 400)
"""Reaches beyond the upper left corner of the first scene, where some pixels are nodata."""


def first_scene(collection: Collection) -> Collection:
    return collection.where("id = 'scene-000'")


def test_the_mask_holds_the_classes_of_its_band(collection: Collection, archive: Archive) -> None:
    dataset = collection.to_torchgeo_dataset(mask_band="classes")
    assert dataset.bands == BANDS
    for query in chips_in_a_grid(dataset, size=96):
        mask = dataset[query]["mask"]
        assert mask.dtype == torch.long
        np.testing.assert_array_equal(mask.numpy(), windows(archive, query, ("classes",))[0])


def test_classes_are_picked_where_the_image_is_computed(
    collection: Collection, archive: Archive
) -> None:
    dataset = first_scene(collection).to_torchgeo_dataset(
        ["B04"], mask_band="classes", resolution=7, resampling="bilinear"
    )
    grid = from_origin(LEFT + 1000, TOP - 600, 7, 7)
    sample = dataset[slice(LEFT + 1000, LEFT + 1700), slice(TOP - 1300, TOP - 600)]
    for key, band, how, off in (
        ("image", "B04", "bilinear", 1),  # halves are rounded up here, to even by GDAL
        ("mask", "classes", "nearest", 0),
    ):
        expected = np.zeros((100, 100), np.uint16)
        with rasterio.open(archive.path(0, band)) as file:
            rasterio.warp.reproject(
                rasterio.band(file, 1),
                expected,
                dst_transform=grid,
                dst_crs=CRS,
                resampling=rasterio.warp.Resampling[how],
                tolerance=0,
            )
        np.testing.assert_allclose(sample[key].squeeze().numpy(), expected, rtol=0, atol=off)


def test_what_is_invalid_holds_the_fill_values_and_is_told_of(
    collection: Collection, archive: Archive
) -> None:
    dataset = first_scene(collection).to_torchgeo_dataset(
        mask_band="classes", fill_value=-5, mask_fill_value=255, valid_mask=True
    )
    sample = dataset[EDGE]
    expected = np.zeros((120, 120), bool)
    with rasterio.open(archive.path(0, "B04")) as file:
        expected[40:, 30:] = file.dataset_mask(window=((0, 80), (0, 90))) != 0
    np.testing.assert_array_equal(sample["mask_valid"].numpy(), expected)
    assert not expected[41, 31]
    for band in sample["image"]:
        np.testing.assert_array_equal(band.numpy() == -5, ~expected)
    outside = np.ones((120, 120), bool)
    outside[40:, 30:] = False
    np.testing.assert_array_equal(sample["mask"].numpy() == 255, outside)


def test_augmentations_move_image_mask_and_validity_alike(collection: Collection) -> None:
    dataset = first_scene(collection).to_torchgeo_dataset(mask_band="classes", valid_mask=True)
    sample = dataset[EDGE]
    keys = ("image", "mask", "mask_valid")
    flip = K.AugmentationSequential(K.RandomHorizontalFlip(p=1.0), data_keys=None)
    batch = {key: sample[key].float().reshape(1, -1, 120, 120) for key in keys}
    for key, moved in flip(batch).items():
        assert moved.equal(batch[key].flip(-1))


def test_transforms_of_torchgeo_are_applied_to_each_sample(collection: Collection) -> None:
    appended = AppendNDVI(index_nir=1, index_red=0)

    def transforms(sample: dict[str, Any]) -> dict[str, Any]:
        return {**sample, "image": appended(sample["image"])[0]}

    plain = first_scene(collection).to_torchgeo_dataset(list(BANDS))
    dataset = first_scene(collection).to_torchgeo_dataset(list(BANDS), transforms=transforms)
    query = whole_records(plain)[0]
    red, infrared = plain[query]["image"]
    made = dataset[query]["image"]
    torch.testing.assert_close(made[:2], torch.stack([red, infrared]))
    torch.testing.assert_close(made[2], (infrared - red) / (infrared + red + 1e-10))


def test_text_labels_become_numbers_of_classes_and_numbers_stay(
    collection: Collection, archive: Archive
) -> None:
    dataset = collection.to_torchgeo_dataset(["B04"], label_column="kind")
    assert dataset.classes == ("city", "forest", "water")
    labels = [dataset[query]["label"] for query in whole_records(dataset)]
    assert [dataset.classes[int(label)] for label in labels] == list(KINDS)
    assert {(label.dtype, label.shape) for label in labels} == {(torch.int64, torch.Size([]))}
    cover = collection.to_torchgeo_dataset(["B04"], label_column="eo:cloud_cover")
    found = [cover[query]["label"] for query in whole_records(cover)]
    assert [label.item() for label in found] == archive.table["eo:cloud_cover"].to_pylist()
    assert {label.dtype for label in found} == {torch.float32}


@pytest.mark.parametrize(("shift", "label"), [(-500, "forest"), (500, "water")])
def test_where_records_meet_the_one_that_covers_most_gives_the_label(
    collection: Collection, shift: int, label: str
) -> None:
    dataset = collection.where("id < 'scene-002'").to_torchgeo_dataset(["B04"], label_column="kind")
    middle = (LEFT + 192 * PIXEL_M + corner(1)[0]) / 2
    x = slice(middle + shift - 600, middle + shift + 600)
    sample = dataset[x, slice(TOP - 900, TOP - 300)]
    assert dataset.classes[int(sample["label"])] == label


def test_a_missing_label_is_not_guessed(collection: Collection) -> None:
    rows = collection.dataset.to_table()
    at = rows.schema.get_field_index("kind")
    some = as_collection(rows.set_column(at, "kind", pa.array(["a", None, "b", None])))
    with pytest.raises(ReadError, match=r"2 of 4 records have no 'kind'"):
        some.to_torchgeo_dataset(["B04"], label_column="kind")
    labelled = some.where('"kind" IS NOT NULL').to_torchgeo_dataset(["B04"], label_column="kind")
    assert len(labelled) == 2
    with pytest.raises(ReadError, match="no column 'sort'"):
        some.to_torchgeo_dataset(["B04"], label_column="sort")


TYPES = ("uint8", "int8", "uint16", "int16", "uint32", "int32", "int64", "float32", "float64")


@pytest.fixture(scope="module")
def typed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Collection, Path]:
    """A record with a band of each type, and complex64."""
    folder = tmp_path_factory.mktemp("types")
    for kind in (*TYPES, "complex64"):
        top = 100 if kind.endswith("8") else 30_000
        write(folder / f"{kind}.tif", noise(3, 1, 64, 64, dtype=kind, top=top))
    hrefs = record_table(1, lambda _, band: str(folder / f"{band}.tif"), (*TYPES, "complex64"))
    path = write_table(hrefs, folder / "items.parquet")
    made = rasteret_assets.build_from_table(path, "types", enrich_cog=True, workspace_dir=folder)
    return made, folder


@pytest.mark.parametrize("kind", TYPES)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.int64, torch.bfloat16])
def test_every_type_of_samples_becomes_the_type_asked_for(
    typed: tuple[Collection, Path], kind: str, dtype: torch.dtype
) -> None:
    collection, folder = typed
    dataset = collection.to_torchgeo_dataset([kind], dtype=dtype)
    image = dataset[whole_records(dataset)[0]]["image"]
    assert image.dtype == dtype
    with rasterio.open(folder / f"{kind}.tif") as file:
        expected = torch.tensor(file.read().astype(np.float64)).to(dtype)
    assert image.equal(expected)


def test_complex_samples_are_not_cut_in_half(typed: tuple[Collection, Path]) -> None:
    collection, folder = typed
    query = whole_records(collection.to_torchgeo_dataset(["uint8"]))[0]
    with pytest.raises(ReadError, match="complex64 or complex128"):
        collection.to_torchgeo_dataset(["complex64"])[query]
    whole = collection.to_torchgeo_dataset(["complex64"], dtype=torch.complex64)
    with rasterio.open(folder / "complex64.tif") as file:
        np.testing.assert_array_equal(whole[query]["image"].numpy(), file.read())


def test_a_file_that_is_gone_stops_the_read_or_is_invalid(archive: Archive, tmp_path: Path) -> None:
    table = record_table(
        2,
        lambda n, band: f"{tmp_path}/{band}.tif" if n else archive.server.url(f"{band}.tif"),
        ("gone",),
    )
    archive.server.put("gone.tif", archive.path(0, "B04").read_bytes())
    (tmp_path / "gone.tif").write_bytes(archive.path(1, "B04").read_bytes())
    path = write_table(table, tmp_path / "items.parquet")
    made = rasteret_assets.build_from_table(path, "gone", enrich_cog=True, workspace_dir=tmp_path)
    (tmp_path / "gone.tif").unlink()
    strict = made.to_torchgeo_dataset()
    queries = whole_records(strict)
    assert strict[queries[0]]["image"].count_nonzero() > 0
    with pytest.raises(FetchError, match="scene-001"):
        strict[queries[1]]
    lenient = made.to_torchgeo_dataset(on_error="skip", valid_mask=True)
    first, second = lenient.__getitems__(queries)
    assert first["image"].equal(strict[queries[0]]["image"])
    assert not second["image"].any()
    assert not second["mask_valid"].any()
    assert second["image"].shape == first["image"].shape
    kept = made.to_torchgeo_dataset(on_error="skip", mosaic=None)
    assert kept[queries[1]]["image"].shape[0] == 0


def test_arguments_that_cannot_be_are_refused(collection: Collection) -> None:
    with pytest.raises(ReadError, match="'B04' is the mask"):
        collection.to_torchgeo_dataset(["B04"], mask_band="B04")
    with pytest.raises(ReadError, match="no band"):
        collection.to_torchgeo_dataset(["B99"])
    with pytest.raises(ReadError, match="no record has an image"):
        collection.where("id = 'nobody'").to_torchgeo_dataset()
    with pytest.raises((ReadError, ConfigError), match="resampling"):
        collection.to_torchgeo_dataset(resampling="closest")
