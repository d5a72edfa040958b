"""The one exception family, and the codes of the problems table."""

from enum import StrEnum


class ProblemCode(StrEnum):
    """Why a row, or one band of a row, was set aside."""

    ID_MISSING = "id_missing"
    """The record's id is null or blank."""
    ID_REPEATED = "id_repeated"
    """The same (collection, id) came earlier in the same source file; the first is kept."""
    TIME_MISSING = "time_missing"
    """Neither datetime nor start_datetime gives a time, or it cannot be read as one."""
    GEOMETRY_MISSING = "geometry_missing"
    """The geometry is null or empty."""
    GEOMETRY_INVALID = "geometry_invalid"
    """The geometry cannot be decoded, is not finite, or lies outside longitude and latitude."""
    ASSETS_UNUSABLE = "assets_unusable"
    """No asset of the record has a usable href."""
    SOURCE_UNREADABLE = "source_unreadable"
    """A source file, one of several, cannot be read; what is known of it stays."""
    HREF_MISSING = "href_missing"
    """The record has no href for this band."""
    HREF_INVALID = "href_invalid"
    """The href cannot be understood as a location."""
    ADDRESS_BLOCKED = "address_blocked"
    """The href's scheme, host or redirect is not allowed."""
    NOT_FOUND = "not_found"
    """The server has no such file (404, 410)."""
    FORBIDDEN = "forbidden"
    """The server refuses access (401, 403)."""
    THROTTLED = "throttled"
    """The server kept asking to slow down (429, 503)."""
    TIMEOUT = "timeout"
    """The server did not answer in time."""
    UNREACHABLE = "unreachable"
    """No connection, a broken one, or the host is known to be down."""
    SERVER_ERROR = "server_error"
    """The server failed (5xx)."""
    BAD_RESPONSE = "bad_response"
    """The answer breaks HTTP's rules for ranges, or came back short again and again."""
    UNUSABLE_RESPONSE = "unusable_response"
    """The answer holds no part of the file, and will not: ranges or the request are refused."""
    FILE_CHANGED = "file_changed"
    """The file changed while, or after, it was indexed."""
    NOT_TIFF = "not_tiff"
    """The bytes are not a TIFF file."""
    TRUNCATED = "truncated"
    """The file ends before its index or its tiles do."""
    CORRUPT = "corrupt"
    """The header contradicts itself or the file's size."""
    OVER_BUDGET = "over_budget"
    """Reading the header would take more requests, bytes or memory than allowed."""
    UNSUPPORTED = "unsupported"
    """The file is sound, but nothing here can represent it."""
    BAND_INDEX_INVALID = "band_index_invalid"
    """band_index names a sample the file does not have."""

    @property
    def can_heal(self) -> bool:
        """Whether asking again, with nothing else changed, may succeed."""
        return self in _CAN_HEAL


_CAN_HEAL = frozenset(
    {
        ProblemCode.SOURCE_UNREADABLE,
        ProblemCode.THROTTLED,
        ProblemCode.TIMEOUT,
        ProblemCode.UNREACHABLE,
        ProblemCode.SERVER_ERROR,
        ProblemCode.BAD_RESPONSE,
        ProblemCode.FILE_CHANGED,
    }
)


class RasteretAssetsError(Exception):
    """Root of every error this package raises on purpose."""


class ConfigError(RasteretAssetsError, ValueError):
    """An argument, setting or declaration is wrong.

    Parameters
    ----------
    field
        The declaration's attribute it is about, where that is known.
    """

    def __init__(self, message: str, *, field: str | None = None) -> None:
        super().__init__(message)
        self.field = field


class SourceError(RasteretAssetsError, OSError):
    """A source table is missing or cannot be read."""


class TableError(RasteretAssetsError, ValueError):
    """A source table does not meet the contract as a whole."""


class WorkspaceError(RasteretAssetsError, OSError):
    """The workspace is missing something, or cannot be written."""


class CommitConflictError(WorkspaceError):
    """Someone else committed first, and planning again did not help."""


class ReadError(RasteretAssetsError, ValueError):
    """A read asks for what the Collection cannot give."""


class ProblemError(RasteretAssetsError, OSError):
    """One file could not be fetched or understood; becomes a row of the problems table."""

    def __init__(self, code: ProblemCode, detail: str) -> None:
        super().__init__(f"{code}: {detail}")
        self.code = code
        self.detail = detail

    def __reduce__(self) -> tuple[type["ProblemError"], tuple[ProblemCode, str]]:
        """Pickle by the arguments, so that worker processes can hand it back."""
        return type(self), (self.code, self.detail)


class TiffError(ProblemError):
    """The bytes of a file are not a header this package can index."""


class FetchError(ProblemError):
    """Bytes could not be fetched."""
