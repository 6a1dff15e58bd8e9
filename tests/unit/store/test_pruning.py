"""Pruning: kept versions stay whole, everything else goes, and no commit does too much of it."""

import random
from pathlib import Path

import pytest

from abci_app.store import prune
from abci_app.store.branch import Branch
from abci_app.store.check import check_database
from abci_app.store.disk import Database
from abci_app.store.errors import HeightUnavailable
from abci_app.store.prune import compute_budget, compute_oldest, plan_pruning
from abci_app.store.records import Meta, encode_orphans, node_key, orphans_key, version_key
from abci_app.wire.proof import check_proof


def commit_random_block(database: Database, height: int, rng: random.Random, model: dict[bytes, bytes]) -> None:
    branch = Branch(database.latest())
    for _ in range(rng.randrange(60)):
        key = b"k" + rng.randbytes(1 + rng.randrange(2))
        if rng.random() < 0.4:
            branch.store("s").delete(key)
            model.pop(key, None)
        else:
            model[key] = rng.randbytes(3)
            branch.store("s").set(key, model[key])
    database.commit(database.stage(branch, height))


@pytest.mark.parametrize("first, keep", [(1, 2), (1, 5), (50, 3), (1, 0), (1, 100)])
def test_kept_versions_stay_whole_and_nothing_else_stays(tmp_path: Path, first: int, keep: int) -> None:
    rng = random.Random(keep)
    model: dict[bytes, bytes] = {}
    history = {}
    with Database.open(tmp_path, ["s", "t"], keep, cache_nodes=64, fsync=False) as database:
        for height in range(first, first + 40):
            commit_random_block(database, height, rng, model)
            history[height] = sorted(model.items())
            oldest = max(first, height - keep + 1) if keep else first
            assert database.oldest == oldest
            if height % 5 == 0:
                assert check_database(database) == (height - oldest + 1, check_database(database).nodes, 0)
                for kept in range(oldest, height + 1):
                    version = database.version(kept)
                    assert list(version.store("s").iter(b"")) == history[kept]
                    proof = version.prove("s", b"k\x01")
                    check_proof(proof, version.app_hash, "s", b"k\x01")
                    assert proof.value == dict(history[kept]).get(b"k\x01")
                with pytest.raises(HeightUnavailable):
                    database.version(oldest - 1)


def test_node_count_stays_level_when_the_state_does(tmp_path: Path) -> None:
    counts = []
    with Database.open(tmp_path, ["s"], 2, fsync=False) as database:
        for height in range(1, 60):
            branch = Branch(database.latest())
            for number in range(20):
                branch.store("s").set(b"k%d" % number, b"%d" % height)
            database.commit(database.stage(branch, height))
            counts.append(check_database(database).nodes)
    assert counts[0] == 23 and set(counts[1:]) == {46}, "all 20 leaves and 3 pages are new at every height"


def test_reader_of_a_version_that_is_pruned_meanwhile_is_told_so(tmp_path: Path) -> None:
    with Database.open(tmp_path, ["s"], 2, cache_nodes=0, fsync=False) as database:
        rng = random.Random(1)
        commit_random_block(database, 1, rng, {})
        branch = Branch(database.latest())
        for number in range(100):
            branch.store("s").set(b"k%d" % number, b"old")
        old = database.commit(database.stage(branch, 2))
        walk = old.store("s").iter(b"")
        next(walk)
        for height in range(3, 6):
            branch = Branch(database.latest())
            for number in range(100):
                branch.store("s").set(b"k%d" % number, b"%d" % height)
            database.commit(database.stage(branch, height))
        assert old.store("s").get(b"k5") == b"old", "remembered, and right"
        for act in (
            lambda: old.store("s").get(b"none"),
            lambda: list(walk),
            lambda: old.prove("s", b"k5"),
        ):
            with pytest.raises(HeightUnavailable, match="4 to 5"):
                act()


def test_backlog_is_worked_off_by_bounded_steps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A node that kept 30 versions is told to keep 2: each commit deletes a share, reads are right throughout."""
    rng = random.Random(2)
    model: dict[bytes, bytes] = {}
    with Database.open(tmp_path, ["s"], 0, fsync=False) as database:
        for height in range(1, 31):
            commit_random_block(database, height, rng, model)
        before = check_database(database).nodes
    monkeypatch.setattr(prune, "MIN_BUDGET", 50)
    backlogs = []
    with Database.open(tmp_path, ["s"], 2, fsync=False) as database:
        for height in range(31, 60):
            branch = Branch(database.latest())
            branch.store("s").set(b"k", b"%d" % height)
            database.commit(database.stage(branch, height))
            assert database.oldest == height - 1
            backlogs.append(check_database(database).pruning_backlog)
    assert before > 900 and backlogs[0] > 400 and backlogs[-1] == 0
    assert backlogs == sorted(backlogs, reverse=True)


def test_keeping_more_later_does_not_bring_pruned_heights_back(tmp_path: Path) -> None:
    rng = random.Random(4)
    model: dict[bytes, bytes] = {}
    with Database.open(tmp_path, ["s"], 2, fsync=False) as database:
        for height in range(1, 11):
            commit_random_block(database, height, rng, model)
    with Database.open(tmp_path, ["s"], 0, fsync=False) as database:
        for height in range(11, 16):
            commit_random_block(database, height, rng, model)
        assert database.oldest == 9
        assert check_database(database).versions == 7
        with pytest.raises(HeightUnavailable):
            database.version(8)


@pytest.mark.parametrize(
    "height, oldest, keep, expected", [(1, 1, 2, 1), (2, 1, 2, 1), (3, 1, 2, 2), (100, 7, 0, 7), (100, 7, 200, 7)]
)
def test_oldest_kept_height(height: int, oldest: int, keep: int, expected: int) -> None:
    assert compute_oldest(height, oldest, keep) == expected


def test_plan_stops_at_the_budget_and_goes_on_from_there() -> None:
    ids = [number.to_bytes(12, "big") for number in range(2500)]
    chunks = encode_orphans(ids[::-1])
    assert [len(chunk) for chunk in chunks] == [12 * 1024, 12 * 1024, 12 * 452]
    disk = {orphans_key(5, number): chunk for number, chunk in enumerate(chunks)}
    plan = plan_pruning(disk.get, Meta(9, 6, 5, 0), 1)
    assert plan.deletions == [*map(node_key, ids[:1024]), orphans_key(5, 0)]
    assert plan.meta == Meta(9, 6, 5, 1)
    rest = plan_pruning(disk.get, plan.meta, 10_000)
    assert rest.deletions == [
        *map(node_key, ids[1024:2048]),
        orphans_key(5, 1),
        *map(node_key, ids[2048:]),
        orphans_key(5, 2),
        version_key(4),
        version_key(5),
    ]
    assert rest.meta == Meta(9, 6, 7, 0)
    assert plan_pruning(disk.get, rest.meta, 10_000).deletions == []


def test_budget_outruns_what_is_orphaned() -> None:
    assert compute_budget(0) == 4096 and compute_budget(100_000) == 200_000
