"""The comparison's own arithmetic, and that its kvstore transactions are ones."""

import os
from pathlib import Path
from typing import Any

import pytest

from abci_app.client.load_txs import find_memo
from tests.bench.chains import Kvstore, read_cpu_s
from tests.bench.compare import summarise


def new_run(chain: str, rate: float, cpu_us: int) -> dict[str, Any]:
    return {"chain": chain, "committed_per_s": rate, "committed_per_s_from_hand_in": rate, "block_s": {"mean": 0.5},
            "block_txs": {"mean": 100.0}, "latency_s": {"p50": 1.0}, "cpu_us_per_tx": {"app": cpu_us, "tool": 10},
            "cpu_us_per_tx_total": cpu_us + 10, "cores_of_this_run": 1.0, "cores_of_others": 0.5, "vanished": 0,
            "failed": {}}


def test_ratios_are_of_the_medians_of_each_chain_s_runs() -> None:
    runs = [new_run("gradus", rate, 490) for rate in (900.0, 1000.0, 5000.0)]
    runs += [new_run("kvstore", rate, 240) for rate in (1200.0, 1250.0, 10.0)]
    summary = summarise(runs)
    assert summary["chains"]["gradus"]["committed_per_s"] == 1000.0
    assert summary["ratios_of_gradus_to"] == {"kvstore": {"committed_per_s": round(1000 / 1200, 2), "per_cpu_s": 0.5}}


def test_a_run_with_too_few_blocks_is_left_out_and_a_chain_of_such_runs_is_named() -> None:
    short = new_run("kvstore", 5.0, 240) | {"block_s": {}}
    runs = [new_run("gradus", 900.0, 490), short, new_run("kvstore", 1200.0, 240)]
    assert summarise(runs)["chains"]["kvstore"]["committed_per_s"] == 1200.0
    with pytest.raises(SystemExit, match="kvstore made too few blocks"):
        summarise(runs[:2])


def test_kvstore_transactions_are_key_and_value_of_the_wanted_size_with_a_memo() -> None:
    signed = Kvstore(Path("abci-cli"), 350).sign(None, 7, 20, None)  # type: ignore[arg-type]  # no network is asked
    assert [len(raw) for raw in signed.load.txs] == [350] * 20
    assert all(raw.count(b"=") == 1 and b":" not in raw for raw in signed.load.txs)
    assert len({raw.partition(b"=")[0] for raw in signed.load.txs}) == 20
    assert {memo[0] for memo in map(find_memo, signed.load.txs) if memo} == {signed.run}
    assert signed.load.lanes == [index % 7 for index in range(20)]


def test_the_time_of_a_process_that_is_gone_is_nothing() -> None:
    assert read_cpu_s(2**22 + 1) == 0.0 < read_cpu_s(os.getpid())
