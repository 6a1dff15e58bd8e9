"""Every row of the handshake: what the engine would do, and what the doctor says of it."""

import pytest

from localnet.engine_data import EngineData
from localnet.handshake import Row, find_row

HASH, OTHER = "aa" * 32, "bb" * 32


def row_of(app: int, blocks: int, state: int, base: int = 1, initial: int = 1, expected: str = HASH) -> Row:
    return find_row(app, HASH, EngineData(base, blocks, state, initial, "c", ((app, expected),)), "/home/n")


@pytest.mark.parametrize(("app", "blocks", "state", "name", "says"), [
    (0, 0, 0, "new", "send InitChain"),
    (0, 7, 7, "replay", "send InitChain, and replay blocks 1 to 7"),
    (0, 7, 6, "replay", "send InitChain, and replay blocks 1 to 7"),
    (0, 1, 0, "replay-last", "send InitChain, and replay block 1"),
    (3, 7, 7, "replay", "replay blocks 4 to 7"),
    (3, 7, 6, "replay", "replay blocks 4 to 7"),
    (6, 7, 7, "replay", "replay block 7"),
    (6, 7, 6, "replay-last", "replay block 7"),
    (7, 7, 6, "mock", "app's saved answer"),
    (7, 7, 7, "level", "all agree"),
])
def test_row_that_mends_itself_says_what_is_replayed_and_asks_for_nothing(app: int, blocks: int, state: int, name: str,
                                                                          says: str) -> None:
    row = row_of(app, blocks, state)
    assert (row.name, row.fix) == (name, "")
    assert row.is_healthy
    assert f"app {app}, blocks {blocks}, state {state}" in row.text
    assert says in row.text
    assert row.text.endswith("start the node")


@pytest.mark.parametrize(("app", "blocks", "state", "name"), [
    (5, 0, 0, "engine-gone"), (9, 7, 7, "app-ahead"), (8, 7, 6, "app-ahead"),
])
def test_app_above_the_engine_is_refused_and_its_state_can_be_made_again(app: int, blocks: int, state: int,
                                                                         name: str) -> None:
    row = row_of(app, blocks, state)
    assert (row.name, row.fix) == (name, "gradus node reset-state --home /home/n")
    assert "refuses to start" in row.text


def test_lone_validator_that_lost_its_blocks_must_have_them_back_since_nobody_else_has_them() -> None:
    engine = EngineData()
    assert find_row(5, HASH, engine, "/home/n", is_alone=True).fix == "bring /home/n/data back from the newest copy"
    assert "reset-state" in find_row(5, HASH, engine, "/home/n", is_alone=False).fix


@pytest.mark.parametrize(("app", "blocks", "state"), [(7, 7, 7), (4, 7, 7), (6, 7, 6)])
def test_app_hash_that_is_not_the_chains_is_refused_with_both_hashes(app: int, blocks: int, state: int) -> None:
    row = row_of(app, blocks, state, expected=OTHER)
    assert (row.name, row.is_healthy) == ("wrong-hash", False)
    assert HASH in row.text and OTHER in row.text
    assert row.fix == "gradus node reset-state --home /home/n"


@pytest.mark.parametrize(("app", "base", "initial", "name"), [
    (0, 5, 1, "app-too-low"), (3, 5, 1, "app-too-low"), (4, 5, 1, "replay"), (0, 5, 5, "replay"), (5, 5, 5, "replay"),
])
def test_app_below_the_first_kept_block_but_one_cannot_be_brought_up(app: int, base: int, initial: int,
                                                                     name: str) -> None:
    row = row_of(app, 9, 9, base, initial)
    assert row.name == name
    assert row.is_healthy == (name == "replay")
    if name == "app-too-low":
        assert "reset-state" not in row.fix and "gradus node resync" in row.fix


def test_state_is_not_to_be_made_again_from_blocks_that_are_pruned() -> None:
    row = row_of(12, 9, 9, base=5)
    assert row.name == "app-ahead"
    assert "reset-state" not in row.fix and "pruned" in row.text


@pytest.mark.parametrize(("blocks", "state"), [(7, 5), (7, 8)])
def test_engine_whose_own_databases_contradict_each_other_needs_a_copy(blocks: int, state: int) -> None:
    row = row_of(5, blocks, state)
    assert (row.name, row.is_healthy) == ("engine-torn", False)
    assert "/home/n/data" in row.fix
