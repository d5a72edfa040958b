"""Models learn from a Collection over HTTP: what each pixel is, and what each scene shows."""

import math
from typing import Any

import torch
from torch import nn
from torch.utils.data import DataLoader
from torchgeo.datasets import stack_samples

from rasteret_assets import Collection
from tests.torchgeo.chips import chips_in_a_grid, random_chips


def scaled(sample: dict[str, Any]) -> dict[str, Any]:
    return {**sample, "image": sample["image"] / 3000}


def loader(dataset: Any, length: int) -> DataLoader[dict[str, Any]]:  # noqa: ANN401  # untyped
    return DataLoader(
        dataset,
        batch_size=16,
        sampler=random_chips(dataset, size=32, length=length),
        num_workers=2,
        collate_fn=stack_samples,
    )


def train(model: nn.Module, batches: DataLoader[dict[str, Any]], target: str) -> list[float]:
    """Return the loss of each step; pixels of class 0 do not count in masks."""
    optimizer = torch.optim.Adam(model.parameters(), lr=0.02)
    loss_of = nn.CrossEntropyLoss(ignore_index=0 if target == "mask" else -100)
    losses = []
    for batch in batches:
        loss = loss_of(model(batch["image"]), batch[target])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


def test_a_model_learns_the_class_of_each_pixel(collection: Collection) -> None:
    torch.manual_seed(1)
    dataset = collection.to_torchgeo_dataset(
        ["B04", "B08"], mask_band="classes", transforms=scaled, valid_mask=True
    )
    model = nn.Sequential(nn.Conv2d(2, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, 3, 1))
    losses = train(model, loader(dataset, 16 * 30), "mask")
    assert all(map(math.isfinite, losses))
    assert sum(losses[-5:]) / 5 < sum(losses[:5]) / 5 / 2
    right = valid = 0
    for query in chips_in_a_grid(dataset, size=64):
        sample = dataset[query]
        found = model(sample["image"][None])[0].argmax(0)
        right += int((found == sample["mask"])[sample["mask_valid"]].sum())
        valid += int(sample["mask_valid"].sum())
    assert right / valid > 0.95


def test_a_model_learns_what_a_scene_shows(collection: Collection) -> None:
    torch.manual_seed(1)
    scenes = collection.where("id IN ('scene-000', 'scene-001')")  # forest and water
    dataset = scenes.to_torchgeo_dataset(
        ["B04", "B08"], label_column="kind", transforms=dark_where_forest
    )
    model = nn.Sequential(nn.Flatten(), nn.Linear(2 * 32 * 32, 8), nn.ReLU(), nn.Linear(8, 2))
    losses = train(model, loader(dataset, 16 * 15), "label")
    assert all(map(math.isfinite, losses))
    assert sum(losses[-3:]) < sum(losses[:3]) / 2


def dark_where_forest(sample: dict[str, Any]) -> dict[str, Any]:
    """Make scenes differ: the second band of forests is dark."""
    image = sample["image"] / 3000
    image[1] *= sample["label"]
    return {**sample, "image": image}
