"""The load tool against a real node: everything is committed, and the figures are those of the chain."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from localnet.engine import find_engine
from localnet.genesis import new_composer
from localnet.network import Localnet

pytestmark = pytest.mark.net
ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def net(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Localnet]:
    folder = tmp_path_factory.mktemp("bench") / "net"
    with Localnet.new(folder, 1, base_port=0, compose=new_composer(), engine=find_engine()) as net:
        net.wait_height(2)
        yield net


def load(net: Localnet, *arguments: str) -> tuple[int, Any]:
    command = [sys.executable, "-m", "abci_app.cli", "bench", "tx", "--dir", str(net.folder), "--accounts", "20",
               "--output", "json", *arguments]
    done = subprocess.run(command, cwd=ROOT, text=True, capture_output=True, timeout=240)
    return done.returncode, json.loads(done.stdout)


@pytest.mark.parametrize("arguments", [
    ("--txs", "400"), ("--txs", "200", "--method", "sync"), ("--rate", "50", "--txs", "100"),
    ("--txs", "400", "--waiting", "30")], ids=" ".join)
def test_all_of_a_load_is_committed_and_counted(net: Localnet, arguments: tuple[str, ...]) -> None:
    status, figures = load(net, *arguments)
    assert status == 0 and figures["vanished"] == 0 and figures["failed"] == figures["refused"] == {}
    assert figures["committed"] == figures["handed_in"] == int(arguments[arguments.index("--txs") + 1])
    assert figures["latency_from"] == ("memo" if "--rate" in arguments else "hand-in")
    assert 0 < figures["latency_s"]["p50"] <= figures["latency_s"]["max"] and figures["tool_cpu_s"] > 0
    counted = sum(len(net.rpcs[0].block(height)["block"]["data"]["txs"] or ())
                  for height in range(1, net.rpcs[0].status().height + 1))
    assert counted >= figures["committed"]
