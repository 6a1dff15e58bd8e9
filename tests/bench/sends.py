"""Committed MsgSend per second of a real network on this machine: signed, with fees, state tree and proofs.

    python -m tests.bench.sends [--validators 1] [--txs 4000] [--accounts 60] [--connections 8]

Transactions are signed beforehand and handed in without waiting, in batches over several connections; at most 5000 may
wait at a node. The rate is the transactions of all blocks but the first by the time between the headers of the first
and the last; the sender shares the machine with the network.
"""

import base64
import itertools
import json
import tempfile
import threading
import time
from datetime import datetime
from pathlib import Path

import click
import httpx

from abci_app.client.txs import TxTerms, compute_fee_ugrad, sign_tx
from abci_app.genesis import GAS_PRICE_PPM
from abci_app.wire.coin import base_coin, coin_pb
from abci_app.wire.pb.cosmos.bank.v1beta1.tx_pb2 import MsgSend
from localnet.engine import find_engine
from localnet.genesis import new_composer
from localnet.network import Localnet
from abci_app.client.rpc import Rpc
from tests.chain import address_of, new_test_key

GAS_LIMIT = 60_000
BATCH = 10  # the most that the engine takes in one request
SECONDS_MAX = 120.0


def sign_all(net: Localnet, accounts: int, txs: int) -> list[list[bytes]]:
    """Each account's transactions in the order of their sequence."""
    numbers = find_numbers(net, accounts)
    signed = []
    for index in range(accounts):
        sender, recipient = address_of(f"load{index}"), address_of(f"load{(index + 1) % accounts}")
        message = MsgSend(from_address=sender, to_address=recipient, amount=[coin_pb(base_coin(1))])
        signed.append([sign_tx(new_test_key(f"load{index}"), [message], TxTerms(
            net.manifest.chain_id, numbers[index], sequence, GAS_LIMIT, compute_fee_ugrad(GAS_LIMIT, GAS_PRICE_PPM)))
            for sequence in range(txs // accounts)])
    return signed


def find_numbers(net: Localnet, accounts: int) -> list[int]:
    """The account numbers that the genesis gave."""
    state = json.loads((net.folder / "node0" / "config" / "genesis.json").read_text())["app_state"]
    order = [account["address"] for account in state["auth"]["accounts"]]
    return [order.index(address_of(f"load{index}")) for index in range(accounts)]


def hand_in(url: str, txs: list[bytes]) -> None:
    """Give a node all transactions, in order, without waiting for what it thinks of them."""
    with httpx.Client(base_url=url, timeout=60, trust_env=False) as client:
        for at in range(0, len(txs), BATCH):
            calls = [{"jsonrpc": "2.0", "id": at + i, "method": "broadcast_tx_async",
                      "params": {"tx": base64.b64encode(raw).decode()}} for i, raw in enumerate(txs[at:at + BATCH])]
            answers = client.post("/", json=calls).raise_for_status().json()
            refused = [answer["error"] for answer in answers if "error" in answer]
            if refused:
                raise SystemExit(f"a node refuses transactions: {refused[0]}")


def count_blocks(rpc: Rpc, first: int, total: int) -> list[tuple[float, int]]:
    """(seconds of the header, successful transactions) of the blocks from `first` until `total` are in."""
    blocks: list[tuple[float, int]] = []
    deadline_s = time.monotonic() + SECONDS_MAX
    for height in itertools.count(first):
        while rpc.status().height <= height:
            if time.monotonic() > deadline_s:
                raise SystemExit(f"only {sum(count for _, count in blocks)} of {total} after {SECONDS_MAX:.0f} s")
            time.sleep(0.1)
        header = rpc.call("block", height=str(height))["block"]["header"]
        results = rpc.call("block_results", height=str(height))["txs_results"] or []
        seconds = datetime.fromisoformat(header["time"][:26].rstrip("Z") + "+00:00").timestamp()
        blocks.append((seconds, sum(1 for one in results if not one.get("code"))))
        if sum(count for _, count in blocks) >= total:
            return blocks
    raise AssertionError


@click.command()
@click.option("--validators", default=1, show_default=True)
@click.option("--txs", default=4_000, show_default=True)
@click.option("--accounts", default=60, show_default=True)
@click.option("--connections", default=8, show_default=True)
def main(validators: int, txs: int, accounts: int, connections: int) -> None:
    """Measure and print one JSON object."""
    compose = new_composer({address_of(f"load{index}"): 10**12 for index in range(accounts)})
    with tempfile.TemporaryDirectory(prefix="gradus-bench-") as folder:
        with Localnet.new(Path(folder) / "net", validators, base_port=0, compose=compose, engine=find_engine()) as net:
            net.wait_height(3)
            signed = sign_all(net, accounts, txs)
            shares: list[list[bytes]] = [[] for _ in range(connections)]
            for index, own in enumerate(signed):
                shares[index % connections] += own
            first = net.rpcs[0].status().height + 1
            begin_s = time.monotonic()
            threads = [threading.Thread(target=hand_in, args=(net.rpcs[n % validators].url, share))
                       for n, share in enumerate(shares)]
            for thread in threads:
                thread.start()
            blocks = count_blocks(net.rpcs[0], first, sum(len(own) for own in signed))
            full = [block for block in blocks if block[1]]
            span_s = full[-1][0] - full[0][0]
            print(json.dumps({
                "validators": validators, "txs": sum(count for _, count in full), "blocks": len(full),
                "tx_bytes": len(signed[0][0]), "largest_block": max(count for _, count in full),
                "committed_per_s": round(sum(count for _, count in full[1:]) / span_s) if span_s else None,
                "seconds_from_first_hand_in": round(time.monotonic() - begin_s, 1)}))


if __name__ == "__main__":
    main()
