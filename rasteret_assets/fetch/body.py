"""What came back for a range, and what did not."""

from dataclasses import dataclass

from rasteret_assets.errors import FetchError, ProblemCode


@dataclass(frozen=True, slots=True, kw_only=True)
class Body:
    """Bytes of a file, and which version of it they are from."""

    data: bytes | memoryview
    etag: str | None = None
    """As the server sent it, quotes and `W/` included."""
    last_modified: str | None = None
    size: int | None = None
    """Bytes of the whole file, where the server tells."""

    def is_of_same_file(self, other: "Body") -> bool:
        """Whether nothing says that the file changed between the two answers.

        Entity tags decide where both answers have one, weak or strong (RFC 9110, section
        8.8.3.2, weak comparison); else the time of modification. The sizes must agree.
        """
        if None not in (self.size, other.size) and self.size != other.size:
            return False
        if self.etag and other.etag:
            return self.etag.removeprefix("W/") == other.etag.removeprefix("W/")
        if self.last_modified and other.last_modified:
            return self.last_modified == other.last_modified
        return True


class TransientError(FetchError):
    """A failure that may be gone when asked again in a moment."""

    def __init__(
        self,
        code: ProblemCode,
        detail: str,
        *,
        retry_after_s: float | None = None,
        no_connection: bool = False,
    ) -> None:
        super().__init__(code, detail)
        self.retry_after_s = retry_after_s
        """What the server asks to wait."""
        self.no_connection = no_connection
        """Whether not even a connection was made."""
