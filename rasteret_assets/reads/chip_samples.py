"""Pixels of chips as the tensors of a sample. Needs torch."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from rasteret_assets.errors import ReadError
from rasteret_assets.reads.chips import Chip, Part
from rasteret_assets.reads.layers import Layers


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Recipe:
    """What a sample is made of."""

    image: Part
    mask: Part | None
    classes: tuple[str, ...] | None
    """What labels mean that were text, by their number; None where there are no labels."""
    dtype: torch.dtype
    """Of the image."""
    fill_value: float
    """What invalid pixels of the image hold."""
    mask_fill_value: int
    """What invalid pixels of the mask hold."""
    valid_mask: bool
    """Whether samples say which pixels are valid."""


def tensors(
    recipe: Recipe, chip: Chip, read: Sequence[list[Layers] | None]
) -> dict[str, torch.Tensor]:
    """Return image (band, y, x), mask (y, x) and validity (y, x); by time first, if kept.

    Parameters
    ----------
    read
        What the recipe's parts gave.

    Raises
    ------
    ReadError
        If complex samples would lose a part of them.
    """
    image, valid = _stacked(read[0], recipe.image, chip, recipe.dtype, recipe.fill_value)
    sample = {"image": image}
    if recipe.mask is not None:
        mask, there = _stacked(read[1], recipe.mask, chip, torch.long, recipe.mask_fill_value)
        sample["mask"] = mask.squeeze(-3)
        valid = valid & there
    if recipe.valid_mask:
        sample["mask_valid"] = valid
    return sample


def _stacked(
    layers: list[Layers] | None, part: Part, chip: Chip, dtype: torch.dtype, fill: float
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return pixels (time, band, y, x), and where all bands are valid (time, y, x).

    Without the time where records are combined.
    """
    alone = part.options.mosaic is not None
    shape = (int(alone), len(part.bands), chip.grid.height, chip.grid.width)
    pixels, valid = torch.full(shape, fill, dtype=dtype), torch.zeros(shape, dtype=torch.bool)
    if layers is not None:
        pixels = torch.stack([_cast(layer, dtype) for layer in layers], dim=1)
        valid = torch.stack([torch.from_numpy(layer.valid) for layer in layers], dim=1)
        pixels.masked_fill_(~valid, fill)
    everywhere = valid.all(dim=1)
    return (pixels[0], everywhere[0]) if alone else (pixels, everywhere)


def _cast(layer: Layers, dtype: torch.dtype) -> torch.Tensor:
    if layer.values.dtype.kind == "c" and not dtype.is_complex:
        msg = f"the samples are complex, dtype is {dtype}: give dtype=torch.complex64 or complex128"
        raise ReadError(msg)
    return torch.from_numpy(layer.values).to(dtype)
