"""Readers that outlive a call, so that the next one finds connections open."""

import asyncio
import os
from typing import Final
from weakref import WeakKeyDictionary

from rasteret_assets.contract.settings import FetchSettings
from rasteret_assets.fetch.loop import at_close
from rasteret_assets.fetch.reader import RangeReader
from rasteret_assets.fetch.signing import HrefSigner

_OF_STORES: Final = ("AWS_", "GOOGLE_", "GS_", "STORAGE_EMULATOR_HOST")
_OF_PROXIES: Final = ("_proxy", "_PROXY")
_Kind = tuple[FetchSettings, HrefSigner | None, bool, tuple[tuple[str, str], ...]]
_READERS: Final[WeakKeyDictionary[asyncio.AbstractEventLoop, dict[_Kind, RangeReader]]] = (
    WeakKeyDictionary()
)


async def shared_reader(
    settings: FetchSettings,
    *,
    signer: HrefSigner | None = None,
    table_is_remote: bool = False,
) -> RangeReader:
    """Return the reader for these arguments, open; it is closed when the interpreter ends.

    To be awaited by coroutines that `run` runs. What the environment says of stores,
    credentials and proxies is part of what tells readers apart.
    """
    environment = tuple(sorted(item for item in os.environ.items() if _is_read(item[0])))
    kind = (settings, signer, table_is_remote, environment)
    readers = _READERS.setdefault(asyncio.get_running_loop(), {})
    if (reader := readers.get(kind)) is None:
        reader = RangeReader(settings, signer=signer, table_is_remote=table_is_remote)
        readers[kind] = reader
        await reader.__aenter__()
        at_close(lambda: reader.__aexit__(None, None, None))
    return reader


def _is_read(variable: str) -> bool:
    return variable.startswith(_OF_STORES) or variable.endswith(_OF_PROXIES)
