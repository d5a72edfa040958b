"""Which version many files are of now, a HEAD request each."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from rasteret_assets.contract.settings import FetchSettings
from rasteret_assets.errors import FetchError, ProblemCode
from rasteret_assets.fetch.body import Body
from rasteret_assets.fetch.loop import run
from rasteret_assets.fetch.reader import RangeReader
from rasteret_assets.fetch.signing import HrefSigner


@dataclass(frozen=True, slots=True, kw_only=True)
class Identified:
    """What came of one href."""

    href: str
    body: Body | None = None
    """The file as it is now, without its bytes."""
    code: ProblemCode | None = None
    """Why it is not known."""
    detail: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Identities:
    """What came of a call of `identify_files`."""

    files: tuple[Identified, ...]
    """In the order asked."""
    requests: int
    """Sent, tries and redirects included."""


def identify_files(
    hrefs: Sequence[str],
    settings: FetchSettings,
    *,
    signer: HrefSigner | None = None,
    table_is_remote: bool = False,
) -> Identities:
    """Ask what each of `hrefs` is now; no bytes of the files are read.

    Parameters
    ----------
    settings
        Limits and patience.
    signer
        Signs web addresses that need it.
    table_is_remote
        Whether the hrefs come from elsewhere; those of local files are then refused unless
        the settings allow them.
    """
    return run(_identify_all(hrefs, settings, signer, table_is_remote))


async def _identify_all(
    hrefs: Sequence[str],
    settings: FetchSettings,
    signer: HrefSigner | None,
    remote: bool,  # noqa: FBT001
) -> Identities:
    async with RangeReader(settings, signer=signer, table_is_remote=remote) as reader:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(_identify(reader, href)) for href in hrefs]
        files = tuple(task.result() for task in tasks)
    return Identities(files=files, requests=reader.requests)


async def _identify(reader: RangeReader, href: str) -> Identified:
    try:
        return Identified(href=href, body=await reader.identify(href))
    except FetchError as error:
        return Identified(href=href, code=error.code, detail=error.detail)
