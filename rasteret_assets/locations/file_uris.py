"""`file:` URIs (RFC 8089) as paths."""

from urllib.parse import unquote

from rasteret_assets.errors import ProblemCode, ProblemError


def is_file_uri(text: str) -> bool:
    """Whether `text` begins with `file:`, in any case."""
    return text[:5].lower() == "file:"


def path_of(uri: str) -> str:
    """Return the path a `file:` URI names, decoded.

    Raises
    ------
    ProblemError
        HREF_INVALID where it names another machine.

    Examples
    --------
    >>> path_of("file:///data/a%20b.tif")
    '/data/a b.tif'
    """
    rest = uri[5:]
    if not rest.startswith("//"):
        return unquote(rest)
    host, slash, path = rest[2:].partition("/")
    if host.lower() not in ("", "localhost"):
        detail = f"the href is no location: file: names another machine, {host!r}"
        raise ProblemError(ProblemCode.HREF_INVALID, detail)
    return unquote(slash + path)
