"""Pixels of chips as the tensors of a sample. Needs torch."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

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
    times = int(alone) if layers is None else len(layers[0].values)
    shape = (times, len(part.bands), chip.grid.height, chip.grid.width)
    # NumPy does the many small steps: torch starts threads for each of them.
    pixels = torch.empty(shape, dtype=torch.float32 if dtype == torch.bfloat16 else dtype)
    array = pixels.numpy()
    array[...] = fill
    valid = np.full((times, *shape[2:]), layers is not None)
    for at, layer in enumerate(layers or ()):
        _put(layer, array[:, at], valid)
    found = (pixels.to(dtype), torch.from_numpy(valid))
    return (found[0][0], found[1][0]) if alone else found


def _put(layer: Layers, pixels: NDArray[Any], valid: NDArray[np.bool_]) -> None:
    """Copy what is valid of a band, and note what is not."""
    if layer.values.dtype.kind == "c" and pixels.dtype.kind != "c":
        msg = "the samples are complex: give dtype=torch.complex64 or complex128"
        raise ReadError(msg)
    if layer.valid is None or layer.valid.all():
        pixels[...] = layer.values
        return
    np.copyto(pixels, layer.values, where=layer.valid, casting="unsafe")
    valid &= layer.valid
