"""Where a redirect leads."""

from urllib.parse import urljoin

from yarl import URL

from rasteret_assets.errors import FetchError, ProblemCode, ProblemError
from rasteret_assets.fetch.outcomes import Refusal
from rasteret_assets.fetch.target import Address
from rasteret_assets.locations import locate


def moved_to(sent: Address, refusal: Refusal) -> URL:
    """Return where a redirect leads, checked like any href from elsewhere.

    Raises
    ------
    FetchError
        UNUSABLE_RESPONSE where it names no location; ADDRESS_BLOCKED where nothing is asked.
    """
    named = refusal.headers.get("Location", "")
    if not named:
        raise refusal.as_error()
    try:
        found = locate(urljoin(str(sent.url), named))
    except ProblemError as error:
        detail = f"redirected to where nothing is asked: {error.detail}"
        raise FetchError(ProblemCode.ADDRESS_BLOCKED, detail) from None
    except ValueError as error:
        detail = "redirected to what is no location"
        raise FetchError(ProblemCode.UNUSABLE_RESPONSE, detail) from error
    if found.scheme not in ("https", sent.url.scheme):
        detail = f"redirected from {sent.url.scheme}: to {found.scheme}:"
        raise FetchError(ProblemCode.ADDRESS_BLOCKED, detail)
    return URL(found.url, encoded=True)
