"""What contenders that read patches have in common: one epoch of a DataLoader, torch's way."""

import json
import sys
import zlib
from collections.abc import Callable
from typing import Any

import torch
from torch.utils.data import DataLoader
from torchgeo.datasets import GeoDataset, stack_samples
from torchgeo.samplers import RandomGeoSampler

from benchmarks.contenders.clock import Given, measured


def measure_epoch(make: Callable[[Given], GeoDataset]) -> None:
    """Measure one epoch of random patches; the dataset is made before the clock starts.

    What is counted is a checksum of all patches, in their order.
    """
    dataset = make(json.loads(sys.argv[1]))

    def epoch(given: Given) -> list[torch.Tensor]:
        torch.manual_seed(int(given["seed"]))
        generator = torch.Generator().manual_seed(int(given["seed"]))
        sampler = RandomGeoSampler(
            dataset, size=int(given["side"]), length=int(given["patches"]), generator=generator
        )
        loader: DataLoader[dict[str, Any]] = DataLoader(
            dataset,
            batch_size=int(given["batch"]),
            sampler=sampler,
            num_workers=int(given["workers"]),
            collate_fn=stack_samples,
        )
        return [batch["image"] for batch in loader]

    measured(epoch, checksum)


def checksum(batches: list[torch.Tensor]) -> int:
    """Return a number that differs as soon as a pixel does."""
    return zlib.crc32(torch.cat(batches).to(torch.int32).numpy().tobytes())
