"""rasteret-assets: patches by `to_torchgeo_dataset`."""

from torchgeo.datasets import GeoDataset

from benchmarks.contenders.clock import Given
from benchmarks.contenders.patches import measure_epoch
from rasteret_assets import load


def make(given: Given) -> GeoDataset:
    """Return the dataset of a Collection."""
    return load(given["collection"]).to_torchgeo_dataset(given["bands"].split(","))


if __name__ == "__main__":
    measure_epoch(make)
