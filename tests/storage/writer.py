"""A process that commits until it is done or killed: `python -m tests.storage.writer ...`."""

import sys
from itertools import count

from rasteret_assets.errors import CommitConflictError
from rasteret_assets.storage import CollectionStore, StageStore
from tests.storage.made import collection_update, draft, month, update

MONTHS = 12


def add_fragments(url: str, name: str, total: int) -> None:
    """Add `total` fragments one by one, planning again whenever another was first."""
    store = StageStore(url=url)
    for number in range(total):
        while True:
            base = store.latest()
            generation, keep = (base.generation, base.fragments) if base else (0, ())
            try:
                store.commit(update(draft(f"{name}{number}", 3), keep=keep, base=generation))
            except CommitConflictError:
                continue
            break


def replace_forever(stage_url: str, collection_url: str) -> None:
    """Replace everything by ever more rows: the same number in each fragment and month."""
    stage, collection = StageStore(url=stage_url), CollectionStore(url=collection_url)
    for rows in count(1):
        base = stage.latest()
        drafts = [draft(f"s{number}", rows) for number in range(MONTHS)]
        stage.commit(update(*drafts, base=base.generation if base else 0))
        state = collection.latest()
        months = [month(2024, number + 1, rows) for number in range(MONTHS)]
        generation = state.generation if state else 0
        collection.commit(collection_update(*months, base=generation, bad=rows))
        sys.stdout.write("committed\n")
        sys.stdout.flush()


if __name__ == "__main__":
    job, *arguments = sys.argv[1:]
    if job == "add":
        add_fragments(arguments[0], arguments[1], int(arguments[2]))
    else:
        replace_forever(arguments[0], arguments[1])
