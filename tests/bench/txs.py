"""What one signed MsgSend costs the application in CPU time, call by call: `python -m tests.bench.txs`.

    python -m tests.bench.txs [--txs 4000] [--block 500] [--accounts 1000] [--profile 25] [--output json]

One application in this process, without an engine and without sockets, so that what is counted is the CPU time of all
its threads. Every transaction passes CheckTx when it is new, RECHECK once, then a block; every second block is the
node's own proposal. `wire` is the protobuf and framing around all these calls. The two sums are what a transaction
costs a node that proposed its block, and one that did not. RocksDB's own threads count as they come.
"""

import cProfile
import json
import pstats
import resource
import sys
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path

import click
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from abci_app.abci.application import Application
from abci_app.abci.node import spare_collector
from abci_app.abci.server import decode_request, encode_response
from abci_app.app import STORE_NAMES, new_app
from abci_app.client.txs import TxTerms, compute_fee_ugrad, sign_tx
from abci_app.genesis import GAS_PRICE_PPM, new_genesis
from abci_app.store.disk import Database
from abci_app.wire.address import decode_address
from abci_app.wire.coin import base_coin, coin_pb
from abci_app.wire.pb.cosmos.bank.v1beta1.tx_pb2 import MsgSend
from abci_app.wire.pb.tendermint.abci import types_pb2 as abci
from tests.chain import address_of, new_test_key
from tests.interruptible import Command

CHAIN_ID = "gradus-bench-1"
GAS_LIMIT = 60_000
BLOCK_BYTES = 4 << 20
BLOCK_GAS = 10**12
PHASES = ("check", "recheck", "prepare", "process_own", "process_other", "finalize", "commit", "wire")


def sign_all(names: list[str], txs: int) -> list[bytes]:
    """Transfers of 1 ugrad from each name to the next, the sequences in turn; numbers are those of the genesis."""
    addresses = [address_of(name) for name in names]
    order = sorted(range(len(names)), key=lambda index: addresses[index])
    numbers = {index: number for number, index in enumerate(order)}
    signed = []
    for at in range(txs):
        sequence, index = divmod(at, len(names))
        message = MsgSend(from_address=addresses[index], to_address=addresses[(index + 1) % len(names)],
                          amount=[coin_pb(base_coin(1))])
        signed.append(sign_tx(new_test_key(names[index]), [message], TxTerms(
            CHAIN_ID, numbers[index], sequence, GAS_LIMIT, compute_fee_ugrad(GAS_LIMIT, GAS_PRICE_PPM))))
    return signed


class Node:
    """One application, the requests that the engine makes of it, and the CPU seconds that each kind took."""

    def __init__(self, application: Application) -> None:
        self.application = application
        self.height = 0
        self.seconds = dict.fromkeys(PHASES, 0.0)
        self.txs = dict.fromkeys(PHASES, 0)
        self.profile: cProfile.Profile | None = None

    def call(self, phase: str, name: str, request: Message, txs: int = 0) -> Message:
        """One call, as the server makes it: the frame read, the call, the answer framed."""
        wrapped = abci.Request()
        getattr(wrapped, name).CopyFrom(request)
        getattr(wrapped, name).SetInParent()
        frame = wrapped.SerializeToString()
        if self.profile is not None:
            self.profile.enable()
        began = time.process_time()
        name, request = decode_request(frame)
        decoded = time.process_time()
        answer = self.application.call(name, request)
        answered = time.process_time()
        encode_response(name, answer)
        self.seconds[phase] += answered - decoded
        self.seconds["wire"] += decoded - began + time.process_time() - answered
        if self.profile is not None:
            self.profile.disable()
        self.txs[phase] += txs
        return answer

    def check(self, txs: Iterable[bytes], kind: abci.CheckTxType) -> None:
        """CheckTx of each; every one must be admitted."""
        for raw in txs:
            request = abci.RequestCheckTx(tx=raw, type=kind)
            answer = self.call("recheck" if kind == abci.RECHECK else "check", "check_tx", request, 1)
            assert answer == abci.ResponseCheckTx(gas_wanted=answer.gas_wanted, gas_used=answer.gas_used), answer

    def block(self, txs: list[bytes], is_own: bool) -> None:
        """One block: proposed here or elsewhere, processed, finalized, committed."""
        self.height += 1
        count = len(txs)
        fields = {"height": self.height, "time": Timestamp(seconds=1_700_000_000 + self.height),
                  "proposer_address": b"\x01" * 20, "next_validators_hash": b"\x02" * 32}
        if is_own:
            prepare = abci.RequestPrepareProposal(txs=txs, max_tx_bytes=BLOCK_BYTES, **fields)
            assert self.call("prepare", "prepare_proposal", prepare, count).txs == txs
        fields["hash"] = self.height.to_bytes(32, "big")
        process = abci.RequestProcessProposal(txs=txs, **fields)
        status = self.call("process_own" if is_own else "process_other", "process_proposal", process, count).status
        assert status == abci.ResponseProcessProposal.ACCEPT
        answer = self.call("finalize", "finalize_block", abci.RequestFinalizeBlock(txs=txs, **fields), count)
        assert [one.code for one in answer.tx_results] == [0] * count, answer.tx_results[0]
        self.call("commit", "commit", abci.RequestCommit(), count)


def new_init_request(names: list[str]) -> abci.RequestInitChain:
    """The genesis: coins for every name."""
    accounts = {address_of(name): 10**12 for name in names}
    assert len({decode_address(address) for address in accounts}) == len(names)
    request = abci.RequestInitChain(
        time=Timestamp(seconds=1_700_000_000), chain_id=CHAIN_ID, initial_height=1,
        app_state_bytes=json.dumps(new_genesis(CHAIN_ID, [], accounts)).encode())
    request.consensus_params.block.max_bytes = BLOCK_BYTES
    request.consensus_params.block.max_gas = BLOCK_GAS
    request.consensus_params.evidence.max_age_num_blocks = 100
    request.consensus_params.abci.vote_extensions_enable_height = 1
    request.consensus_params.validator.pub_key_types.append("ed25519")
    request.validators.add(power=10).pub_key.ed25519 = bytes(32)
    return request


def measure(folder: Path, txs: int, block: int, accounts: int, profile: cProfile.Profile | None) -> Node:
    """Run all transactions through a new application; the first two blocks are not counted."""
    names = [f"bench{index}" for index in range(accounts)]
    signed = sign_all(names, txs + 3 * block)
    shares = [signed[at:at + block] for at in range(0, len(signed), block)]
    with Database.open(folder, STORE_NAMES) as database:
        node = Node(Application(new_app(), database))
        node.application.call("init_chain", new_init_request(names))
        spare_collector()
        node.check(shares[0], abci.NEW)
        for index in range(len(shares) - 1):
            if index == 2:
                node.seconds, node.txs = dict.fromkeys(PHASES, 0.0), dict.fromkeys(PHASES, 0)
                node.profile = profile
            node.check(shares[index + 1], abci.NEW)
            node.block(shares[index], is_own=index % 2 == 0)
            node.check(shares[index + 1], abci.RECHECK)
    return node


def report(node: Node) -> dict[str, float]:
    """Microseconds of CPU for one transaction in each phase, and the sums for a proposer and for another node."""
    micros = {phase: node.seconds[phase] / node.txs[phase] * 1e6 for phase in PHASES if node.txs[phase]}
    micros["wire"] = node.seconds["wire"] / node.txs["commit"] * 1e6
    shared = sum(micros[phase] for phase in ("check", "recheck", "finalize", "commit", "wire"))
    micros["proposer"] = shared + micros["prepare"] + micros["process_own"]
    micros["follower"] = shared + micros["process_other"]
    return {name: round(value, 1) for name, value in micros.items()}


@click.command(cls=Command)
@click.option("--txs", default=4_000, show_default=True, help="Transactions that are counted.")
@click.option("--block", default=500, show_default=True, help="Transactions of a block.")
@click.option("--accounts", default=1_000, show_default=True)
@click.option("--profile", "top", default=0, show_default=True, help="Functions of a profile to print; it slows all.")
@click.option("--output", type=click.Choice(["text", "json"]), default="text", show_default=True)
def main(txs: int, block: int, accounts: int, top: int, output: str) -> None:
    """Measure and print."""
    profile = cProfile.Profile(time.process_time) if top else None
    with tempfile.TemporaryDirectory(prefix="gradus-bench-") as folder:
        micros = report(measure(Path(folder) / "state", txs, block, accounts, profile))
    if output == "json":
        click.echo(json.dumps({"txs": txs, "block": block, "accounts": accounts, "us_per_tx": micros}))
        return
    click.echo(f"CPU microseconds per transaction; {txs} transactions, {block} a block, {accounts} accounts; "
               f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10} MiB at most")
    for name, value in micros.items():
        click.echo(f"{name:>14} {value:8.1f}")
    if profile is not None:
        pstats.Stats(profile, stream=sys.stdout).sort_stats("tottime").print_stats(top)


if __name__ == "__main__":
    main()
