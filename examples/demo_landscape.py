"""Invented landscapes, as a satellite would see them: numbers in, reflectances out.

Everything is drawn from seeded random fields, so the same place and day always look the same,
and neighbouring scenes agree where they overlap.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Field = NDArray[np.float32]
"""One value per pixel of 10 m, as (y, x)."""

BANDS = ("blue", "green", "red", "nir", "swir")

# Reflectances of pure covers, in the order of BANDS.
_SOIL = (0.085, 0.125, 0.190, 0.260, 0.330)
_LEAF = (0.030, 0.065, 0.035, 0.420, 0.160)
_WATER = (0.065, 0.060, 0.038, 0.020, 0.010)
_TOWN = (0.150, 0.165, 0.185, 0.235, 0.250)
_CLOUD = (0.36, 0.36, 0.36, 0.44, 0.32)


@dataclass(frozen=True, slots=True, kw_only=True)
class Landscape:
    """What lies on the ground of one place, whatever the day."""

    soil: Field
    """Brightness of bare ground, about 1."""
    leaf: Field
    """Share of the ground under leaves when the year is at its greenest, 0 to 1."""
    turns: Field
    """How much of the leaves come and go with the year, 0 to 1."""
    town: Field
    """Share under roofs and roads, 0 to 1."""
    water: Field
    """Share under water, 0 to 1."""
    shade: Field
    """Light on slopes, about 1."""


def landscape(seed: int, shape: tuple[int, int], *, coast: bool) -> Landscape:
    """Return the ground of a place of `shape` (rows, columns); with `coast`, sea to the east."""
    rng = np.random.default_rng(seed)
    height = _rough(rng, shape, 3.7)
    damp = _rough(rng, shape, 3.0)
    bends = _rough(rng, shape, 4.0)
    rows, columns = np.indices(shape, dtype=np.float32)
    if coast:
        height = height - 6 * _step(columns / shape[1] + 0.03 * bends, 0.80, 0.84) + 0.8
    water = _step(-height, 1.42, 1.45)
    river = _step(-np.abs(bends - 0.25), -0.016, -0.010)
    crops, edges = _parcels(rng, rows, columns, bends)
    centre = np.hypot(rows / shape[0] - 0.42, columns / shape[1] - 0.40)
    town = _step(1.1 - 3.4 * centre + 0.32 * _rough(rng, shape, 2.4), 0.45, 0.9)
    streets = np.minimum(_grid(rows, columns, 0.35, 14), _grid(rows, columns, 0.35, 61))
    blocks = 0.65 + 0.35 * streets
    down = np.gradient(height, axis=0) - 0.6 * np.gradient(height, axis=1)
    return Landscape(
        soil=1 + 0.10 * damp + 0.03 * _rough(rng, shape, 1.8) - 0.12 * edges,
        leaf=np.clip(0.25 + 0.75 * crops + 0.10 * damp, 0, 1),
        turns=np.clip(0.15 + 0.8 * (1 - crops), 0, 1),
        town=(town * blocks).astype(np.float32),
        water=np.maximum(water, river),
        shade=np.clip(1 + 6 * down, 0.6, 1.4).astype(np.float32),
    )


def reflectance(ground: Landscape, day: int, clouds: float, seed: int) -> dict[str, Field]:
    """Return what is seen on day `day` of the year, with a share of `clouds` (0 to 1) above.

    One array per name of `BANDS`; 1 means all light comes back.
    """
    rng = np.random.default_rng(seed)
    green = 0.5 + 0.5 * np.cos(2 * np.pi * (day - 20) / 365)  # greenest after the winter crop
    leaf = ground.leaf * (1 - ground.turns * (1 - green)) * (1 - ground.town * 0.85)
    cloud = _clouds(rng, ground.leaf.shape, clouds)
    shadow = np.roll(cloud, (24, -18), axis=(0, 1)) * (1 - cloud)
    light = ground.shade * (1 - 0.55 * shadow)
    seen = {}
    for index, band in enumerate(BANDS):
        dry = _SOIL[index] * ground.soil
        land = dry + (_LEAF[index] - dry) * leaf
        land = land + (_TOWN[index] * ground.soil - land) * ground.town
        land = land * light
        wet = land + (_WATER[index] - land) * ground.water
        seen[band] = np.clip(wet + (_CLOUD[index] - wet) * cloud, 0.001, 1).astype(np.float32)
    return seen


def _rough(rng: np.random.Generator, shape: tuple[int, int], slope: float) -> Field:
    """Return a random field of mean 0 and deviation 1 whose power falls with frequency^slope."""
    noise = np.fft.rfft2(rng.standard_normal(shape, dtype=np.float32))
    frequency = np.hypot(np.fft.fftfreq(shape[0])[:, None], np.fft.rfftfreq(shape[1])[None, :])
    frequency[0, 0] = np.inf
    field = np.fft.irfft2(noise * frequency ** (-slope / 2), s=shape)
    return (field / field.std()).astype(np.float32)


def _step(value: Field, low: float, high: float) -> Field:
    """Return 0 below `low`, 1 above `high`, a smooth ramp between."""
    ramp = np.clip((value - low) / (high - low), 0, 1)
    return (ramp * ramp * (3 - 2 * ramp)).astype(np.float32)


def _grid(rows: Field, columns: Field, turn: float, spacing: int) -> Field:
    """Return 0 on the lines of a turned grid of `spacing` pixels, 1 elsewhere."""
    across = (columns * np.cos(turn) + rows * np.sin(turn)) % spacing
    along = (rows * np.cos(turn) - columns * np.sin(turn)) % spacing
    return ((across > 1.2) & (along > 1.2)).astype(np.float32)


def _parcels(
    rng: np.random.Generator, rows: Field, columns: Field, bends: Field
) -> tuple[Field, Field]:
    """Return how green each field's crop is, 0 to 1, and 1 along the fields' edges."""
    bend = 30 * bends
    across, along = (columns + bend) / 19, (rows - bend) / 13
    crop = rng.random((64, 64), dtype=np.float32)
    greens = crop[along.astype(int) % 64, (across + along // 7).astype(int) % 64]
    edges = ((across % 1 < 0.07) | (along % 1 < 0.1)).astype(np.float32)
    return greens**1.4, edges


def _clouds(rng: np.random.Generator, shape: tuple[int, int], share: float) -> Field:
    """Return how thick clouds are, 0 to 1, over a `share` of the pixels."""
    if share == 0:
        return np.zeros(shape, np.float32)
    field = _rough(rng, shape, 3.1)
    # A subsample settles the threshold as well as all pixels would, much faster.
    least = float(np.quantile(field[::8, ::8], 1 - share))
    return _step(field, least - 0.1, least + 0.7)
