"""TorchGeo: patches by `RasterDataset`, a file per band; GDAL opens each file once and keeps it."""

from torchgeo.datasets import RasterDataset

from benchmarks.contenders.clock import Given
from benchmarks.contenders.patches import measure_epoch


class Scenes(RasterDataset):  # type: ignore[misc]  # TorchGeo is not there to be checked
    """The files of the benchmark."""

    filename_glob = "B0?_*.tif"
    filename_regex = r"(?P<band>B0\d)_(?P<date>\d{8})\.tif"
    separate_files = True


def make(given: Given) -> RasterDataset:
    """Return the dataset of the first band's files, which stand for those of all bands."""
    Scenes.all_bands = tuple(given["bands"].split(","))
    return Scenes(given["files"].split())


if __name__ == "__main__":
    measure_epoch(make)
