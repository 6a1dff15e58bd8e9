"""Every row of the handshake: what the engine would do, and what the doctor says of it."""

from pathlib import Path

import pytest

from localnet.doctor import find_chain_fix
from localnet.engine_data import DATABASES, EngineData, find_missing
from localnet.handshake import Row, find_row, find_state_fix
from localnet.homes import Home

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
    assert "gradus node resync" in row.fix


@pytest.mark.parametrize("missing", [DATABASES[:1], DATABASES[1:], DATABASES])
def test_engine_that_lost_a_database_is_never_new_and_its_state_is_not_to_be_reset(missing: tuple[str, ...]) -> None:
    engine = EngineData(missing=missing)
    for app in (0, 7):
        row = find_row(app, HASH, engine, "/home/n")
        assert (row.name, row.is_healthy) == ("engine-torn", False)
        assert all(f"data/{name}" in row.text for name in missing)
        assert "reset-state" not in row.fix and "/home/n/data" in row.fix and "gradus node resync" in row.fix
    assert "resync" not in find_row(7, HASH, engine, "/home/n", is_alone=True).fix
    assert "reset-state" not in find_state_fix(engine, "/home/n")


def put_database(home: Path, *names: str) -> None:
    for name in names:
        (home / "data" / name).mkdir(parents=True)
        (home / "data" / name / "CURRENT").write_text("MANIFEST-000001\n")


@pytest.mark.parametrize(("there", "missing"), [
    ((), ()), (("blockstore.db",), ()), (("blockstore.db", "state.db"), ()),
    (("state.db",), ("blockstore.db",)), (("state.db", "tx_index.db", "cs.wal"), ("blockstore.db",)),
    (("blockstore.db", "tx_index.db"), ("state.db",)), (("evidence.db",), ("blockstore.db", "state.db")),
])
def test_databases_are_missing_when_others_of_the_engine_are_there(tmp_path: Path, there: tuple[str, ...],
                                                                   missing: tuple[str, ...]) -> None:
    put_database(tmp_path, *there)
    assert find_missing(Home(tmp_path)) == missing


@pytest.mark.parametrize(("engine", "fix"), [
    (EngineData(1, 9, 9), "gradus node reset-state --home /home/n"), (EngineData(1, 9, 8), "reset-state"),
    (EngineData(), "reset-state"), (EngineData(5, 9, 9), "gradus node resync --home /home/n"),
    (EngineData(5, 9, 9, initial_height=5), "reset-state"), (EngineData(1, 9, 3), "gradus node resync"),
])
def test_damaged_state_is_made_anew_from_blocks_only_where_they_begin_with_the_chain(engine: EngineData,
                                                                                     fix: str) -> None:
    assert fix in find_state_fix(engine, "/home/n")
    assert ("reset-state" in find_state_fix(engine, "/home/n")) == ("reset-state" in fix)


def test_node_that_joined_and_has_not_begun_is_said_to_begin_at_a_snapshot() -> None:
    row = find_row(0, "", EngineData(), "/home/n", from_snapshot=True)
    assert row.is_healthy and "snapshot" in row.text and "InitChain" not in row.text
    assert find_row(3, HASH, EngineData(1, 7, 7), "/home/n", from_snapshot=True).name == "replay"


@pytest.mark.parametrize(("engine", "fix"), [
    (EngineData(1, 9, 9, 1, "mine", ((9, HASH),)), "put back the genesis"),
    (EngineData(1, 9, 9, 1, "mine", ((9, OTHER),)), "reset-state"),
    (EngineData(1, 9, 9, 1, "other", ((9, OTHER),)), "reset-state"),
    (EngineData(4, 9, 9, 1, "other", ((9, OTHER),)), "resync"),
    (EngineData(), "the app's words"), (EngineData(1, 7, 7, 1, "mine"), "the app's words"),
])
def test_of_a_state_and_a_genesis_that_differ_the_one_is_wrong_that_the_blocks_contradict(engine: EngineData,
                                                                                          fix: str) -> None:
    app = {"height": 9, "app_hash": HASH, "chain_id": "mine"}
    assert fix in find_chain_fix(app, engine, "/home/n", "the app's words")
