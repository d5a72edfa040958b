"""Enrichment: which bands, which pieces, and the run over them."""

import threading
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager

from rasteret_assets.contract.settings import BuildSettings, FetchSettings, Retry
from rasteret_assets.contract.spec import CollectionSpec
from rasteret_assets.contract.tables import Progress, Report
from rasteret_assets.errors import ConfigError
from rasteret_assets.fetch import HeaderFetcher, HrefSigner, signer_of
from rasteret_assets.fetch.collector import seldom_collected
from rasteret_assets.pipeline.headers import PieceContext, fetch_piece
from rasteret_assets.pipeline.known import Known
from rasteret_assets.pipeline.pieces import Piece, PieceDone
from rasteret_assets.pipeline.planning import HeaderPlan, plan_headers
from rasteret_assets.pipeline.recent import RecentHeaders
from rasteret_assets.pipeline.stale import StaleHeaders
from rasteret_assets.storage import Manifest, Workspace
from rasteret_assets.storage.filesystems import filesystem_of, is_local

REMAPPED = "remapped_table"
HEADERS_STAGE = "band_headers"

_WORKERS_MOST = 32


def bands_of(spec: CollectionSpec, remapped: Manifest) -> tuple[str, ...]:
    """Return the bands to enrich: those declared, else every asset that is a GeoTIFF.

    Raises
    ------
    ConfigError
        If a declared band is no asset of any record, or none is declared and no asset is a
        GeoTIFF. The message names the assets there are.
    """
    raster = _asset_keys(remapped, "raster")
    other = _asset_keys(remapped, "other")
    if spec.bands is None:
        if not raster:
            msg = (
                f"collection {spec.name}: no asset is a GeoTIFF by media type or .tif/.tiff path; "
                f"the assets are {other}; name the bands to enrich anyway, or do not enrich"
            )
            raise ConfigError(msg)
        return tuple(raster)
    if unknown := [band for band in spec.bands if band not in {*raster, *other}]:
        msg = (
            f"collection {spec.name}: no record has assets {unknown}; the GeoTIFF assets are "
            f"{raster}"
        )
        raise ConfigError(msg)
    return spec.bands


def _asset_keys(remapped: Manifest, kind: str) -> list[str]:
    found: dict[str, None] = {}
    for fragment in remapped.fragments:
        keys = fragment.facts.get(kind, ())
        found.update(dict.fromkeys(keys))
    return list(found)


def header_plan(
    spec: CollectionSpec,
    workspace: Workspace,
    bands: Sequence[str],
    *,
    retry: Retry,
    fresh: bool,
    settings: BuildSettings,
    rounds: int | None = None,
) -> HeaderPlan:
    """Return the plan for `bands` over the newest manifests of the workspace."""
    remapped = workspace.stage(spec.name, REMAPPED).open().manifest
    bases = {band: workspace.stage(spec.name, HEADERS_STAGE, band).latest() for band in bands}
    return plan_headers(
        spec,
        remapped,
        bases,
        retry=retry,
        fresh=fresh,
        settings=settings,
        rounds=rounds,
        stale=StaleHeaders.read(workspace, spec.name).by_range(),
    )


def grouped(pieces: Iterable[Piece], settings: BuildSettings) -> list[list[Piece]]:
    """Return `pieces` in groups of about `settings.chunk_headers` headers each.

    Many small source files make many small pieces; a group keeps as many requests in flight
    as one large piece does.
    """
    groups: list[list[Piece]] = []
    room = 0
    for piece in pieces:
        headers = piece.headers
        if headers > room or not groups:
            groups.append([])
            room = settings.chunk_headers
        groups[-1].append(piece)
        room -= headers
    return groups


def enrich(  # what, where to, and how hard
    spec: CollectionSpec,
    workspace: Workspace,
    pieces: Sequence[Piece],
    *,
    fetch: FetchSettings,
    settings: BuildSettings,
    signer: HrefSigner | None = None,
    report: Report | None = None,
    recent: RecentHeaders | None = None,
) -> list[PieceDone]:
    """Bring the headers of `pieces` to the workspace and say what each brought.

    Pieces are written as they go, each by itself: after a crash the same call finds what is
    there. One is written while others are fetched, all of them together no more than
    `settings.chunk_headers`. Nothing is committed.

    Parameters
    ----------
    signer
        Signs web addresses that need it; by default the one that `spec` names.
    recent
        Gets to see the headers that are written.

    Raises
    ------
    ConfigError
        If it names none that can be had.
    """
    if not pieces:
        return []
    context = _context(spec, workspace, pieces, recent)
    progress, room = _Sum(pieces, report), _Room(settings.chunk_headers)
    remote, signer = is_remote(spec), signer or named_signer(spec)

    def one(piece: Piece, fetcher: HeaderFetcher) -> PieceDone:
        with room.taken(piece.headers):
            fetched = fetch_piece(context, piece, fetcher, progress.of(piece))
            done = fetched.write(context)
        progress.finished(piece, done)
        return done

    workers = _workers(pieces, fetch)
    with seldom_collected(), ThreadPoolExecutor(workers, thread_name_prefix="enrich") as pool:
        futures: list[Future[PieceDone]] = []
        try:
            with HeaderFetcher(fetch, signer=signer, table_is_remote=remote) as fetcher:
                futures = [pool.submit(one, piece, fetcher) for piece in pieces]
                return [future.result() for future in futures]
        finally:
            for future in futures:
                future.cancel()


def is_remote(spec: CollectionSpec) -> bool:
    """Return whether a source lies elsewhere, so that files of this machine are not its own."""
    # By storage, not by what an href may be: a source may be a prefix or a whole bucket.
    return not all(is_local(filesystem_of(source)[0]) for source in spec.sources)


def named_signer(spec: CollectionSpec) -> HrefSigner | None:
    """Return the signer that `spec` names.

    Raises
    ------
    ConfigError
        If it cannot be had.
    """
    return signer_of(() if spec.sign is None else (spec.sign,))


def _workers(pieces: Sequence[Piece], fetch: FetchSettings) -> int:
    """Return how many pieces are under way at once: enough to keep all requests in flight."""
    headers = sum(piece.headers for piece in pieces)
    mean = max(1, headers // len(pieces))
    return min(_WORKERS_MOST, len(pieces), 2 + fetch.max_concurrent // mean)


def _context(
    spec: CollectionSpec,
    workspace: Workspace,
    pieces: Iterable[Piece],
    recent: RecentHeaders | None,
) -> PieceContext:
    bands = {band for piece in pieces for band in piece.files}
    enriched = workspace.bands(spec.name)
    return PieceContext(
        spec=spec,
        remapped=workspace.stage(spec.name, REMAPPED).open(),
        stores={band: workspace.stage(spec.name, HEADERS_STAGE, band) for band in bands},
        known=Known(
            tables={
                band: workspace.stage(spec.name, HEADERS_STAGE, band).open() for band in enriched
            }
        ),
        stale=StaleHeaders.read(workspace, spec.name),
        recent=recent,
    )


class _Room:
    """Bounds the headers that are under way: a killed run has to bring them again."""

    def __init__(self, headers: int) -> None:
        self._most = headers
        self._taken = 0
        self._changed = threading.Condition()

    @contextmanager
    def taken(self, headers: int) -> Iterator[None]:
        """Wait until there is room for `headers`; more than fit at all go by themselves."""
        with self._changed:
            self._changed.wait_for(lambda: self._fits(headers))
            self._taken += headers
        try:
            yield
        finally:
            with self._changed:
                self._taken -= headers
                self._changed.notify_all()

    def _fits(self, headers: int) -> bool:
        return not self._taken or self._taken + headers <= self._most


class _Sum:
    """Adds up the progress of pieces that run side by side."""

    def __init__(self, pieces: Iterable[Piece], report: Report | None) -> None:
        self._total = sum(piece.headers for piece in pieces)
        self._report = report
        self._parts: dict[int, Progress] = {}
        self._lock = threading.Lock()

    def of(self, piece: Piece) -> Report:
        """Return what the piece reports to."""
        return lambda progress: self._add(piece, progress)

    def finished(self, piece: Piece, done: PieceDone) -> None:
        """Count every header of the piece as done."""
        headers = piece.headers
        problems = sum(sum(found.problems.values()) for found in done.ranges.values())
        self._add(
            piece,
            Progress(
                done=headers,
                total=headers,
                problems=problems,
                requests=done.requests,
                bytes_fetched=done.bytes_fetched,
            ),
        )

    def _add(self, piece: Piece, progress: Progress) -> None:
        if self._report is None:
            return
        with self._lock:
            self._parts[id(piece)] = progress
            parts = self._parts.values()
            summed = Progress(
                done=sum(part.done for part in parts),
                total=self._total,
                problems=sum(part.problems for part in parts),
                requests=sum(part.requests for part in parts),
                bytes_fetched=sum(part.bytes_fetched for part in parts),
            )
            self._report(summed)
