"""What the range server answers: the file, or the fault planned for it."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus

MADE_AT = "Mon, 01 Jan 2024 00:00:00 GMT"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """What is out of the ordinary in one answer; the fields combine."""

    status: int | None = None
    """Answer with this status and `body` instead of the file."""
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    """Added to the answer, or replacing a header of the same name (as written here); a
    value of "" leaves the header out: `{"ETag": ""}`."""
    delay_s: float = 0.0
    """Wait before answering; a large value is a server that hangs."""
    reset: bool = False
    """Send a TCP reset instead of an answer."""
    cut_after: int | None = None
    """Close the connection after this many bytes of the body."""
    stop_after: int | None = None
    """Say and send only this many bytes of the range, as a well-formed 206."""
    ignore_range: bool = False
    """Answer 200 with the whole file."""
    replace: bytes | None = None
    """Serve these bytes as the file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A request's line and headers."""

    method: str
    path: str
    query: str
    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A status, its headers, and a body."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def phrase(self) -> str:
        """The status in words."""
        return next((known.phrase for known in HTTPStatus if known == self.status), "Unknown")


def compose(request: Request, fault: Fault, content: bytes | None) -> Answer:
    """Answer with the range asked for of `content` (None: no such file), as `fault` has it."""
    answer = _plain(request, fault, content if fault.replace is None else fault.replace)
    answer.headers.update(fault.headers)
    answer.headers.setdefault("Content-Length", str(len(answer.body)))
    return answer


def _plain(request: Request, fault: Fault, found: bytes | None) -> Answer:
    if fault.status is not None:
        return Answer(status=fault.status, headers={}, body=fault.body)
    if found is None:
        return Answer(status=404, headers={}, body=b"no such file")
    headers = {
        "ETag": f'"{hashlib.sha256(found).hexdigest()[:16]}"',
        "Last-Modified": MADE_AT,
        "Accept-Ranges": "bytes",
    }
    match = request.headers.get("if-match")
    if match is not None and match != fault.headers.get("ETag", headers["ETag"]):
        return Answer(status=412, headers=headers, body=b"")
    return _part(request, fault, found, headers)


def _part(request: Request, fault: Fault, found: bytes, headers: dict[str, str]) -> Answer:
    asked = request.headers.get("range")
    if asked is None or fault.ignore_range:
        return Answer(status=200, headers=headers, body=found)
    span = _range_of(asked, len(found))
    if span is None:
        headers["Content-Range"] = f"bytes */{len(found)}"
        return Answer(status=416, headers=headers, body=b"")
    body = found[span[0] : span[1]][: fault.stop_after]
    headers["Content-Range"] = f"bytes {span[0]}-{span[0] + len(body) - 1}/{len(found)}"
    return Answer(status=206, headers=headers, body=body)


def _range_of(header: str, size: int) -> tuple[int, int] | None:
    """Return the half-open range a Range header asks of a file; None if it cannot be met."""
    first, _, last = header.removeprefix("bytes=").partition("-")
    if not first:
        return max(0, size - int(last)), size
    start = int(first)
    stop = min(int(last) + 1, size) if last else size
    return (start, stop) if start < stop else None
