"""Relative hrefs against the folder they are relative to, a column at a time."""

import os.path
import re
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from rasteret_assets.locations.file_uris import is_file_uri, path_of

_ABSOLUTE: Final = r"^(?:[A-Za-z][A-Za-z0-9+.\-]*://|file:|data:|/)"
_ROOTED: Final = r"^/(?:[^v/]|v[^s]|vs[^i]|v?$|vs$)"
"""Begins at the root of its host, and is not one of GDAL's `/vsi…/` paths."""
_HOST_ONLY: Final = r"^//"
"""Has a host, but takes the scheme of its base (RFC 3986, section 4.2)."""
_ROOT: Final = re.compile(r"([A-Za-z][A-Za-z0-9+.\-]*)://[^/?#]*")
_NAMED: Final = r"[^/.][^/]*|\.[^/.][^/]*|\.\.[^/]+"
"""A path segment other than `.` and `..`."""
_UP: Final = rf"/(?:{_NAMED}|)/\.\.(/|$)"
_HERE: Final = r"/\.(/|$)"
_ABOVE_ROOT: Final = r"^(?:/\.\.)+(/|$)"


def resolve_hrefs(hrefs: pa.Array | pa.ChunkedArray, base_uri: str) -> pa.ChunkedArray:
    """Return `hrefs` with the relative ones joined to the folder `base_uri`.

    Absolute ones (`scheme://…`, `/path`, `/vsi…/`), nulls and blanks stay as they are. Under
    a web address `/path` begins at its host, as RFC 3986, section 5.2, has it. `..` is
    resolved and never leaves the host, the bucket or the root folder. A base that is a path
    of this machine is made absolute, so that the result means the same everywhere.

    Parameters
    ----------
    hrefs
        Text, of any Arrow string type.
    base_uri
        A folder: URL, `s3://`, `gs://`, `file:` or path, with or without its last slash.

    Returns
    -------
    pa.ChunkedArray
        Of string, as long as `hrefs`.
    """
    columns = hrefs if isinstance(hrefs, pa.ChunkedArray) else pa.chunked_array([hrefs])
    text = columns.cast(pa.string())
    root, folder = _split_base(base_uri)
    if _is_web(root):
        return _join_to_web(text, root, folder)
    absolute = pc.or_(pc.match_substring_regex(text, _ABSOLUTE), _is_blank(text))
    if pc.all(absolute).as_py():
        return text
    paths = _without_dots(pc.binary_join_element_wise(folder, text, ""))
    return pc.if_else(absolute, text, pc.binary_join_element_wise(root, paths, ""))


def _join_to_web(text: pa.ChunkedArray, root: str, folder: str) -> pa.ChunkedArray:
    """Join to a web address, where `//host/path` and `/path` are relative as well."""
    text = pc.replace_substring_regex(text, _HOST_ONLY, root.partition("//")[0] + "//")
    rooted = pc.match_substring_regex(text, _ROOTED)
    absolute = pc.or_(pc.match_substring_regex(text, _ABSOLUTE), _is_blank(text))
    absolute = pc.and_not(absolute, rooted)
    if pc.all(absolute).as_py():
        return text
    paths = pc.replace_substring_regex(text, r"(?s)[?#].*$", "")
    queries = pc.replace_substring_regex(text, r"^[^?#]*", "")
    beneath = pc.binary_join_element_wise(folder, paths, "")
    paths = _without_dots(pc.if_else(rooted, paths, beneath))
    return pc.if_else(absolute, text, pc.binary_join_element_wise(root, paths, queries, ""))


def _is_blank(text: pa.ChunkedArray) -> pa.ChunkedArray:
    return pc.equal(pc.utf8_trim_whitespace(text), "")


def _is_web(root: str) -> bool:
    return root.lower().startswith(("http://", "https://"))


def join_href(href: str, base_uri: str) -> str:
    """Return one href joined to the folder `base_uri`, as `resolve_hrefs` does."""
    return str(resolve_hrefs(pa.array([href]), base_uri)[0])


def _split_base(base_uri: str) -> tuple[str, str]:
    """Return what no `..` climbs above, and the folder beneath it: `/`, or `/…/`."""
    match = _ROOT.match(base_uri)
    scheme = match[1].lower() if match else "file"
    if scheme == "file":
        path = path_of(base_uri) if is_file_uri(base_uri) else base_uri
        # resolve() of pathlib would follow links; the folder's own name is what is kept
        return "", os.path.abspath(path).rstrip("/") + "/"  # noqa: PTH100
    root = match[0] if match else ""
    folder = base_uri[len(root) :]
    if _is_web(root):
        folder = re.split(r"[?#]", folder, maxsplit=1)[0]
    return root, "/" + folder.strip("/") + "/" if folder.strip("/") else "/"


def _without_dots(paths: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return absolute paths with `.` and `..` resolved (RFC 3986, section 5.2.4).

    Loops over the depth of the deepest path, not over rows; each kernel resolves one step of
    every path.
    """
    dotted = r"/\.\.?(/|$)"
    while pc.any(pc.match_substring_regex(paths, dotted)).as_py():
        before = paths
        for pattern in (_HERE, _UP, _ABOVE_ROOT):
            paths = pc.replace_substring_regex(paths, pattern, r"/")
        if paths.equals(before):
            break
    return paths
