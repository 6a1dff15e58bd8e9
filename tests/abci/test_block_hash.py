"""Ctx.last_block_hash: the hash of the block before, the same in every call of a height and after a restart."""

from pathlib import Path

import pytest

from abci_app.runtime.context import Ctx
from abci_app.runtime.module import Module
from tests.abci.engine import Node, block_hash


class Watched(Node):
    """A node that notes the last_block_hash of every block it begins, whatever the call."""

    def watch(self) -> list[bytes]:
        """From now on: the hashes that begin_block saw."""
        seen: list[bytes] = []

        def note(ctx: Ctx) -> None:
            seen.append(ctx.last_block_hash)

        app = self.application._app
        empty = Module("watch", lambda ctx, state: None, lambda ctx: {}, begin_block=note)
        object.__setattr__(app, "modules", (*app.modules, empty))
        return seen


@pytest.mark.parametrize("initial_height", [1, 1000])
def test_first_block_has_no_block_before_it(tmp_path: Path, initial_height: int) -> None:
    with Watched(tmp_path / "state", initial_height=initial_height) as node:
        node.init_chain()
        seen = node.watch()
        node.prepare([])
        assert node.accepts([node.send_tx("alice", "bob", 5)])  # another block, or it would be the one prepared
        node.finalize([b"x"])
        assert seen == [b"", b"", b""]


def test_prepare_process_and_finalize_of_a_height_see_the_same_hash_of_the_block_before(tmp_path: Path) -> None:
    with Watched(tmp_path / "state") as node:
        node.init_chain()
        node.block()
        seen = node.watch()
        node.prepare([])
        assert node.accepts([node.send_tx("alice", "bob", 5)])
        node.finalize([b"x"])
        assert node.accepts([node.send_tx("alice", "bob", 6)])  # one that is finalised only is not the one before
        node.block([b"y"])
        assert seen == [block_hash(1)] * 5
        node.block()
        assert seen[5:] == [block_hash(2)]


def test_mempool_and_queries_know_the_hash_of_the_last_committed_block(tmp_path: Path) -> None:
    with Node(tmp_path / "state") as node:
        node.init_chain()
        node.block()
        node.block()
        node.finalize()
        assert node.application._waiting is not None
        assert node.application._waiting.ctx.last_block_hash == block_hash(2)
        queries = node.application._queries
        assert queries._ctx(node.database.latest(), 2).last_block_hash == block_hash(2)


def test_replay_after_a_restart_sees_the_same_block_hashes_and_gives_the_same_state(tmp_path: Path) -> None:
    with Watched(tmp_path / "one") as node:
        node.init_chain()
        seen = node.watch()
        requests, hashes = [], []
        for height in range(1, 6):
            requests.append(node.finalize_request([node.send_tx("alice", f"new{height}", height)]))
            hashes.append(node.engine.ask("finalize_block", requests[-1]).app_hash)
            node.commit()
    replayed = []
    for at, request in enumerate(requests):
        with Watched(tmp_path / "two") as again:  # a process for each block, one of which dies before its Commit
            if not at:
                again.init_chain()
            replayed_here = again.watch()
            assert again.engine.ask("finalize_block", request).app_hash == hashes[at]
        with Watched(tmp_path / "two") as again:
            if not at:
                again.init_chain()
            second = again.watch()
            assert again.engine.ask("finalize_block", request).app_hash == hashes[at]
            again.commit()
        assert replayed_here == second
        replayed += second
    assert replayed == seen == [b"", *(block_hash(height) for height in range(1, 5))]
