"""Files that changed since they were indexed: their headers, asked for anew."""

import pyarrow as pa

from rasteret_assets.errors import FetchError, ProblemCode
from rasteret_assets.fetch import FetchedHeader, HeaderFetcher
from rasteret_assets.reads.headers import BandHeaders, BandImage
from rasteret_assets.reads.transfer import Access
from rasteret_assets.tiff.band_structs import band_structs, check_band_index


def reindexed(images: tuple[BandImage | None, ...], access: Access) -> tuple[BandImage | None, ...]:
    """Return the same bands of the same files as they are now; None stays.

    Raises
    ------
    FetchError
        If a header cannot be had, or is none.
    TiffError
        If the file has no such band any more, or cannot be read.
    """
    hrefs = sorted({image.href for image in images if image is not None})
    with HeaderFetcher(
        access.settings, signer=access.signer, table_is_remote=access.table_is_remote
    ) as fetcher:
        outcomes = {outcome.href: outcome for outcome in fetcher.fetch(hrefs)}
    return tuple(None if one is None else _fresh(one, outcomes[one.href]) for one in images)


def _fresh(image: BandImage, outcome: FetchedHeader) -> BandImage:
    if outcome.header is None:
        code = outcome.code or ProblemCode.FILE_CHANGED
        raise FetchError(code, f"the file changed, and now: {outcome.detail}")
    check_band_index(outcome.header, image.indexed)
    structs = band_structs([outcome.header], [outcome.file], [image.indexed])
    headers = BandHeaders(image.band, pa.chunked_array([structs]), image.asked)
    return headers.image(0, image.grid.crs)
