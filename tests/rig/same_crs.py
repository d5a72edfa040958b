"""Whether two CRSs do the same, whatever they are called."""

import numpy as np
from pyproj import CRS, Transformer

_PLACES = np.meshgrid([-95.0, 5.5, 12.0, 130.0], [-30.0, 20.5, 47.0])


def same_crs(one: CRS, two: CRS, *, metres: float = 1e-3) -> bool:
    """Compare the ellipsoids, and where places of their longitude and latitude come to lie.

    Names, and parts that compute nothing, may differ.
    """
    ours, theirs = _placed(one), _placed(two)
    finite = np.isfinite(ours)
    return (
        np.allclose(_axes(one), _axes(two), rtol=0, atol=metres)
        and bool(finite.any())
        and np.array_equal(finite, np.isfinite(theirs))
        and np.allclose(ours[finite], theirs[finite], rtol=0, atol=metres)
    )


def _axes(crs: CRS) -> tuple[float, float]:
    ellipsoid = crs.ellipsoid
    assert ellipsoid is not None
    return ellipsoid.semi_major_metre, ellipsoid.semi_minor_metre


def _placed(crs: CRS) -> np.ndarray:
    geodetic = crs.geodetic_crs
    assert geodetic is not None
    return np.array(Transformer.from_crs(geodetic, crs, always_xy=True).transform(*_PLACES))
