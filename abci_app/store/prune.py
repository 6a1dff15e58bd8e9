"""Which heights are kept, and which nodes go when one is no longer kept.

A version's orphans are the nodes that the version before it used and it does not. They are needed by no version
from it upward, so once it is the oldest kept, or older, they can go. Versions are let go in height order, so this
rule alone is exact: nothing a kept version needs is deleted, nothing else stays.
Deleting is spread over the commits: at most `budget` nodes each, from where the last commit stopped.
"""

from typing import Callable, NamedTuple

from abci_app.store.records import Meta, decode_orphans, node_key, orphans_key, version_key

MIN_BUDGET = 1 << 12


class Pruning(NamedTuple):
    """The record keys to delete in this commit, and the meta record after it."""

    deletions: list[bytes]
    meta: Meta


def compute_oldest(height: int, oldest: int, keep_versions: int) -> int:
    """The oldest height kept once `height` is committed; `keep_versions` 0 keeps all. It never goes back."""
    return max(oldest, height - keep_versions + 1) if keep_versions else oldest


def compute_budget(orphans: int) -> int:
    """Nodes that one commit may delete: twice what it orphans, so that a backlog shrinks, and some at least."""
    return max(MIN_BUDGET, 2 * orphans)


def plan_pruning(read: Callable[[bytes], bytes | None], meta: Meta, budget: int) -> Pruning:
    """What to delete so that only the heights from meta.oldest upward stay readable.

    `read` answers for committed records. The cursor in `meta` is the next (height, chunk) to look at; the chunk
    that crosses the budget is still done whole, and a height without orphans counts as one.
    """
    deletions: list[bytes] = []
    height, chunk = meta.prune_height, meta.prune_chunk
    spent = 0
    while height <= meta.oldest and spent < budget:
        orphans = read(orphans_key(height, chunk))
        if orphans is None:
            deletions.append(version_key(height - 1))
            height, chunk = height + 1, 0
            spent += 1
            continue
        ids = decode_orphans(orphans)
        deletions += [node_key(node_id) for node_id in ids]
        deletions.append(orphans_key(height, chunk))
        chunk += 1
        spent += len(ids)
    return Pruning(deletions, meta._replace(prune_height=height, prune_chunk=chunk))
