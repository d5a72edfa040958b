"""What an answer without bytes, or a broken exchange, means for one href."""

import re
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Final

import aiohttp

from rasteret_assets.errors import FetchError, ProblemCode, ProblemError
from rasteret_assets.fetch.body import TransientError

_STORE_CODE: Final = re.compile(r"<Code>(\w{1,80})</Code>")
_FINAL: Final[Mapping[int, ProblemCode]] = {
    HTTPStatus.UNAUTHORIZED: ProblemCode.FORBIDDEN,
    HTTPStatus.FORBIDDEN: ProblemCode.FORBIDDEN,
    HTTPStatus.NOT_FOUND: ProblemCode.NOT_FOUND,
    HTTPStatus.GONE: ProblemCode.NOT_FOUND,
    HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE: ProblemCode.TRUNCATED,
}
_TRANSIENT: Final[Mapping[int, ProblemCode]] = {
    HTTPStatus.REQUEST_TIMEOUT: ProblemCode.TIMEOUT,
    HTTPStatus.TOO_MANY_REQUESTS: ProblemCode.THROTTLED,
    HTTPStatus.SERVICE_UNAVAILABLE: ProblemCode.THROTTLED,
}
_SERVER_ERRORS: Final = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """An answer other than the bytes asked for."""

    status: int
    headers: Mapping[str, str]
    """Looked up without regard to case."""
    text: str
    """The beginning of the body."""

    @property
    def store_code(self) -> str:
        """The error code in the XML that object stores send; empty without one."""
        match = _STORE_CODE.search(self.text)
        return match[1] if match else ""

    def as_error(self) -> FetchError:
        """Return what the refusal means for the href."""
        detail = f"the server answered {self.status}"
        if self.status in _PHRASES:
            detail += f" {_PHRASES[self.status]}"
        if self.store_code:
            detail += f" ({self.store_code})"
        if (final := _FINAL.get(self.status)) is not None:
            return FetchError(final, detail)
        transient = _TRANSIENT.get(self.status)
        if transient is None and self.status >= _SERVER_ERRORS:
            transient = ProblemCode.SERVER_ERROR
        if transient is None:
            return FetchError(ProblemCode.UNUSABLE_RESPONSE, detail)
        wait = retry_after_s(self.headers.get("Retry-After", ""))
        return TransientError(transient, detail, retry_after_s=wait)


_PHRASES: Final = {status.value: status.phrase for status in HTTPStatus}


def retry_after_s(text: str) -> float | None:
    """Return the seconds that a Retry-After header asks to wait (RFC 9110, section 10.2.3).

    Seconds, or an HTTP date; None for anything else.

    Examples
    --------
    >>> retry_after_s("120"), retry_after_s("Mon, 01 Jan 2024 00:00:00 GMT"), retry_after_s("?")
    (120.0, 0.0, None)
    """
    text = text.strip()
    if text.isdecimal() and text.isascii():
        return float(text[:9])
    try:
        then = parsedate_to_datetime(text)
    except ValueError:
        return None
    return max(0.0, then.timestamp() - time.time())


def beyond_end(start: int, size: int | None) -> FetchError:
    """Return the failure of asking for a range that begins beyond a file's end."""
    if size == 0:
        return FetchError(ProblemCode.TRUNCATED, "the file is empty")
    of = "" if size is None else f", which has {size} bytes"
    return FetchError(ProblemCode.TRUNCATED, f"byte {start} lies beyond the end of the file{of}")


def broken(error: aiohttp.ClientError | OSError) -> FetchError:
    """Return what a failed exchange means for the href."""
    # The words of some errors have the whole address in them, signature included.
    said = _words_without_address(error)
    if isinstance(error, aiohttp.InvalidURL):
        return FetchError(ProblemCode.HREF_INVALID, "the href is no web address")
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return _unresolved(error)
    if isinstance(error, aiohttp.ClientSSLError | ssl.SSLError):
        # a certificate does not mend itself within seconds
        return FetchError(ProblemCode.UNREACHABLE, f"no trusted connection: {said}")
    if isinstance(error, aiohttp.ServerTimeoutError | aiohttp.ClientConnectorError):
        detail = f"no connection: {said}"
        return TransientError(ProblemCode.UNREACHABLE, detail, no_connection=True)
    code, why = _broken_off(error, said)
    return TransientError(code, why)


def _words_without_address(error: aiohttp.ClientError | OSError) -> str:
    if isinstance(error, aiohttp.ServerTimeoutError):
        return "none within the time allowed"
    if isinstance(error, aiohttp.ClientResponseError):
        return error.message
    return str(error) or type(error).__name__


def _broken_off(error: aiohttp.ClientError | OSError, said: str) -> tuple[ProblemCode, str]:
    """Return the code and detail of an exchange that began."""
    if isinstance(error, TimeoutError):
        return ProblemCode.TIMEOUT, "no whole answer within the time allowed"
    if isinstance(error, aiohttp.ClientPayloadError):
        return ProblemCode.BAD_RESPONSE, "the answer ended early"
    if isinstance(error, aiohttp.ClientResponseError):
        return ProblemCode.BAD_RESPONSE, f"the answer is not HTTP: {said}"
    return ProblemCode.UNREACHABLE, f"the connection broke: {said}"


def _unresolved(error: aiohttp.ClientConnectorDNSError) -> FetchError:
    if isinstance(error.os_error, ProblemError):  # refused by the resolver of this package
        return FetchError(error.os_error.code, error.os_error.detail)
    detail = f"the host's name is not known: {error.host}"
    return TransientError(ProblemCode.UNREACHABLE, detail, no_connection=True)
