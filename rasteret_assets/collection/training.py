"""The method of a Collection that gives a dataset to train on."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final, Literal

from rasteret_assets.collection.pixels import PixelReads, TimeRange, optional
from rasteret_assets.contract.settings import FetchSettings
from rasteret_assets.reads.options import Mosaic

if TYPE_CHECKING:
    import torch

    from rasteret_assets.reads.chip_dataset import CollectionDataset, Sample

_NAMES: Final = {"geopandas": "GeoPandas", "torch": "PyTorch", "torchgeo": "TorchGeo"}


class TrainingReads(PixelReads):
    """Reading chips of records that a subclass chooses, for TorchGeo."""

    __slots__ = ()

    def to_torchgeo_dataset(  # noqa: PLR0913  # a public door owes its callers names
        self,
        bands: Sequence[str] | None = None,
        *,
        mask_band: str | None = None,
        label_column: str | None = None,
        time_range: TimeRange | None = None,
        crs: object = None,
        resolution: float | tuple[float, float] | None = None,
        resampling: str = "nearest",
        mosaic: Mosaic | None = "first",
        apply_scale: bool = False,
        dtype: "torch.dtype | None" = None,
        fill_value: float = 0.0,
        mask_fill_value: int = 0,
        valid_mask: bool = False,
        transforms: "Callable[[Sample], Sample] | None" = None,
        on_error: Literal["raise", "skip"] = "raise",
        on_drift: Literal["raise", "refresh", "skip"] = "raise",
        fetch: FetchSettings | None = None,
    ) -> "CollectionDataset":
        """Return a `torchgeo.datasets.GeoDataset` of the records as they are now.

        Samplers choose chips inside the box of each record's images; `&` and `|` combine it with
        other datasets. A DataLoader's batch is read as one, its requests side by side; workers,
        forked or spawned, open connections of their own, and share the index.

        Parameters
        ----------
        bands
            Asset keys; every band but `mask_band` by default.
        mask_band
            The asset whose pixels are classes. They are picked, not resampled: the nearest
            pixel, of the first record that has a valid one (the last, if `mosaic` is "last").
        label_column
            What each record is, as a whole: numbers, or text, which becomes the number of its
            class (`classes` of the dataset, in alphabetical order). Where several records meet in
            a chip, that of the one that covers most of it.
        time_range
            First and last day or moment, both included; None leaves a side open.
        crs, resolution
            Of the dataset; by default the CRS that most images have, and the pixels of the
            finest. What is in another CRS is brought onto it.
        resampling
            One of rasterio's names, where grids differ.
        mosaic
            Makes one image of the records that meet in a chip: the "first" or "last" valid
            pixel, their "median", or a function, as for `get_xarray`. None keeps each record, by
            time: then `image` is (time, band, y, x).
        apply_scale
            Whether to give quantities (numbers x scale + offset).
        dtype
            Of images; `torch.float32` by default. It holds whole numbers up to 2**24.
        fill_value, mask_fill_value
            What invalid pixels hold (by mask, nodata or alpha, or outside of all images), in
            the image and in the mask; give the latter to your loss as `ignore_index`.
        valid_mask
            Whether to add `mask_valid`, True where every band and the mask is valid. Kornia's
            augmentations move it as they do masks.
        transforms
            Called with each sample.
        on_error, on_drift
            As for `get_xarray`. With "skip", the pixels of files that cannot be read are
            invalid.
        fetch
            Limits on requests.

        Returns
        -------
        rasteret_assets.reads.chip_dataset.CollectionDataset
            Its samples have `image` (band, y, x); where asked for, `mask` (y, x; int64), `label`
            (no dimension; int64, or float32 for fractions) and `mask_valid` (y, x; bool); and
            where it is, as TorchGeo's own datasets say it. `index` has a row per record, with its
            `id`, for the microsecond of `datetime`, or from `start_datetime` to `end_datetime`, in
            UTC.

        Raises
        ------
        ConfigError
            If TorchGeo is not installed.
        ReadError
            If no record has images of the bands, or one has no label.

        Examples
        --------
        >>> from torch.utils.data import DataLoader  # doctest: +SKIP
        >>> from torchgeo.datasets import stack_samples  # doctest: +SKIP
        >>> from torchgeo import samplers  # TorchGeo 0.10  # doctest: +SKIP
        >>> dataset = collection.to_torchgeo_dataset(
        ...     ["B04", "B08"], mask_band="crops"
        ... )  # doctest: +SKIP
        >>> places = samplers.RandomPatchSampler(dataset, size=256, length=1000)  # doctest: +SKIP
        >>> sampler = places @ samplers.RandomTimestampSampler(dataset)  # doctest: +SKIP
        >>> loader = DataLoader(
        ...     dataset, batch_size=16, sampler=sampler, num_workers=4, collate_fn=stack_samples
        ... )  # doctest: +SKIP
        >>> next(iter(loader))["image"].shape  # doctest: +SKIP
        torch.Size([16, 2, 256, 256])
        """
        door = optional(
            "rasteret_assets.reads.torchgeo_dataset", "to_torchgeo_dataset", "torchgeo", _NAMES
        )
        asked = bands if bands is None or mask_band is None else [*bands, mask_band]
        labels = () if label_column is None else (label_column,)
        table, found = self.index_table(asked, None, time_range, (*labels, *door.TIME_RANGE))
        return door.to_torchgeo_dataset(
            table,
            bands=[band for band in found if band != mask_band] if bands is None else bands,
            mask_band=mask_band,
            label_column=label_column,
            crs=crs,
            resolution=resolution,
            resampling=resampling,
            mosaic=mosaic,
            apply_scale=apply_scale,
            dtype=dtype,
            fill_value=fill_value,
            mask_fill_value=mask_fill_value,
            valid_mask=valid_mask,
            transforms=transforms,
            on_error=on_error,
            on_drift=on_drift,
            access=self.access(fetch),
        )
