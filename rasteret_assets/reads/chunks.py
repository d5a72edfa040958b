"""What a caller's `chunks` mean: sizes of pieces along time, y and x."""

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
from dask.array.core import normalize_chunks

from rasteret_assets.errors import ReadError
from rasteret_assets.reads.options import Chunks
from rasteret_assets.reads.plan import Plan
from rasteret_assets.reads.scene import Placement, place

Sizes = tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]
"""Of the chunks along time, y and x."""

DIMS: Final = ("time", "y", "x")
_SIDE: Final = 1024
"""Pixels of a chunk's side, at least, that is made of whole tiles."""


def sizes_of(chunks: Chunks, plan: Plan, dtype: np.dtype[Any]) -> Sizes:
    """Return the chunks that a caller means, as `xarray.open_dataset` understands them.

    Parameters
    ----------
    chunks
        A mapping of dimensions to sizes; one size for all dimensions; or "auto". Sizes are
        numbers, -1 for all, "auto", a text such as "64 MiB", or a tuple of each. Dimensions
        that are not named get chunks that suit the files: one time, and whole tiles.
    dtype
        That of the widest band, by which "auto" reckons.

    Raises
    ------
    ReadError
        If they do not fit the result's dimensions.
    """
    named = dict(chunks) if isinstance(chunks, Mapping) else dict.fromkeys(DIMS, chunks)
    if unknown := set(named) - set(DIMS):
        msg = f"chunks names {sorted(unknown)}, the dimensions are {', '.join(DIMS)}"
        raise ReadError(msg)
    shape = (len(plan.times), plan.target.grid.height, plan.target.grid.width)
    suited = _suited(plan, shape)
    asked = tuple(
        own if (one := named.get(dim)) is None else one
        for dim, own in zip(DIMS, suited, strict=True)
    )
    try:
        found: Sizes = normalize_chunks(asked, shape=shape, dtype=dtype, previous_chunks=suited)
    except (ValueError, TypeError, NotImplementedError) as error:
        msg = f"chunks {chunks!r} do not fit (time, y, x) of {shape}: {error}"
        raise ReadError(msg) from error
    return found


def _suited(plan: Plan, shape: tuple[int, int, int]) -> Sizes:
    """Return chunks of one time, whose edges are those of tiles where pixels are not moved."""
    times, height, width = shape
    placed = _first_placed(plan)
    if placed is None:
        return (1,) * times, _pieces(height, _SIDE, 0), _pieces(width, _SIDE, 0)
    form = placed.image.level(placed.level).form
    down, across = (-(-_SIDE // side) * side for side in (form.tile_height, form.tile_width))
    # where the result begins, in pixels of the image
    top = placed.source.row_off - placed.target.row_off
    left = placed.source.col_off - placed.target.col_off
    return (1,) * times, _pieces(height, down, top), _pieces(width, across, left)


def _first_placed(plan: Plan) -> Placement | None:
    for record in plan.records:
        for image in record.there:
            placed = place(image, plan.target.grid, plan.options.overview)
            if placed is not None:
                return placed if placed.exact else None
    return None


def _pieces(length: int, step: int, start: int) -> tuple[int, ...]:
    """Return the sizes of pieces that end at multiples of `step`, counted from `start`.

    Examples
    --------
    >>> _pieces(10, 4, 3), _pieces(10, 4, 0), _pieces(3, 4, 0)
    ((1, 4, 4, 1), (4, 4, 2), (3,))
    """
    ends = [*range(step - start % step, length, step), length]
    return tuple(int(size) for size in np.diff([0, *ends]))
