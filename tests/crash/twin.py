"""The undisturbed twin: the same blocks through a fresh application that nothing happens to, and the comparison.

The blocks come from the node's RPC, one by one, in the form in which the engine delivers them; InitChain is the one
that the engine sent when the chain began. Any height at which the app hash or a result differs, any block that a node
acknowledged and no longer has, and any transaction that was run twice is told.
"""

import base64
from collections import Counter
from datetime import datetime
from pathlib import Path

from google.protobuf.timestamp_pb2 import Timestamp

from abci_app.abci.application import Application
from abci_app.app import STORE_NAMES, new_app
from abci_app.runtime.context import Ctx
from abci_app.store.branch import Branch
from abci_app.store.check import check_database
from abci_app.store.disk import Database
from abci_app.wire.coin import BASE_DENOM
from abci_app.wire.pb.cosmos.bank.v1beta1.tx_pb2 import MsgSend
from abci_app.wire.pb.cosmos.tx.v1beta1.tx_pb2 import TxBody, TxRaw
from abci_app.wire.pb.tendermint.abci import types_pb2 as abci
from tests.chain import new_test_key
from tests.crash.load import RECIPIENT, SENDERS, Json, Seen


class Divergence(Exception):
    """The node differs from its twin."""


class Lost(Exception):
    """Something that the node had acknowledged is gone or changed."""


def check_kept(promised: dict[int, Seen], blocks: dict[int, Seen]) -> None:
    """Raises Lost for an acknowledged block that the node does not have any more, or has otherwise."""
    for height, seen in sorted(promised.items()):
        now = blocks.get(height)
        if now is None:
            raise Lost(f"block {height} was acknowledged, and the node has it no more")
        if (now.hash, now.txs, now.results) != (seen.hash, seen.txs, seen.results):
            raise Lost(f"block {height} was {seen.hash} with {seen.results}, and is {now.hash} with {now.results}")


def check_once(blocks: list[Seen]) -> None:
    """Raises Divergence for a transaction that stands in two blocks."""
    counts = Counter(raw for seen in blocks for raw in seen.txs)
    twice = [raw for raw, count in counts.items() if count > 1]
    if twice:
        raise Divergence(f"{len(twice)} transactions stand in the chain twice")


def replay(folder: Path, init_chain: bytes, blocks: list[Seen], validators: dict[str, int]) -> list[bytes]:
    """The app hashes after each block of a twin in a new folder; raises Divergence where results or hashes differ.

    init_chain: the engine's request. validators: power by address, in the engine's order.
    """
    with Database.open(folder, STORE_NAMES, 0, fsync=False) as database:
        application = Application(new_app(), database)
        application.call("init_chain", abci.Request.FromString(init_chain).init_chain)
        hashes: list[bytes] = []
        for seen in blocks:
            if hashes and hashes[-1].hex().upper() != seen.app_hash:
                raise Divergence(f"after block {seen.height - 1} the twin has app hash {hashes[-1].hex()}, the chain "
                                 f"{seen.app_hash.lower()}")
            answer = application.call("finalize_block", new_finalize(seen.block, validators))
            assert isinstance(answer, abci.ResponseFinalizeBlock)
            own = tuple((one.code, base64.b64encode(one.data).decode(), str(one.gas_wanted), str(one.gas_used))
                        for one in answer.tx_results)
            if own != seen.results:
                raise Divergence(f"block {seen.height} gave the node {seen.results}, the twin {own}")
            application.call("commit", abci.RequestCommit())
            hashes.append(answer.app_hash)
        check_balances(database, blocks)
    return hashes


def check_balances(database: Database, blocks: list[Seen]) -> None:
    """Raises Divergence when sequences and the recipient's balance are not exactly what the blocks add up to."""
    counts: Counter[str] = Counter()
    received = 0
    addresses = {new_test_key(name).bech32: name for name in SENDERS}
    for seen in blocks:
        for raw, result in zip(seen.txs, seen.results, strict=True):
            for sender, amount in read_transfers(raw):
                counts[addresses[sender]] += 1
                received += amount if result[0] == 0 else 0
    app, latest = new_app(), database.latest()
    ctx = Ctx("", latest.height, 0, b"", b"", b"", Branch(latest))
    if app.bank.balance(ctx, new_test_key(RECIPIENT).address) != received:
        raise Divergence(f"the recipient has not the {received}{BASE_DENOM} that the blocks add up to")
    for name in SENDERS:
        account = app.auth.find_account(ctx, new_test_key(name).address)
        made = counts[name] + sum(1 for seen in blocks for raw in seen.txs if is_other(raw, name))
        if account is None or account.sequence != made:
            raise Divergence(f"{name} has sequence {account and account.sequence}, the blocks hold {made}")


def read_transfers(raw: bytes) -> list[tuple[str, int]]:
    """(sender, amount) of a transaction's transfers to the recipient."""
    body = TxBody.FromString(TxRaw.FromString(raw).body_bytes)
    sends = [MsgSend.FromString(one.value) for one in body.messages if one.type_url.endswith("MsgSend")]
    return [(send.from_address, int(send.amount[0].amount)) for send in sends]


def is_other(raw: bytes, name: str) -> bool:
    """Whether a transaction is the contract that the first sender made."""
    return name == SENDERS[0] and not read_transfers(raw)


def check_state(folder: Path, hashes: list[bytes]) -> None:
    """Check a stopped node's database from end to end; raises Divergence when its hash is not the twin's."""
    with Database.open(folder, STORE_NAMES, fsync=False) as database:
        check_database(database)
        height = min(database.height, len(hashes))
        if not height or database.version(height).app_hash != hashes[height - 1]:
            raise Divergence(f"the state at height {height} is not the twin's")


def new_finalize(block: Json, validators: dict[str, int]) -> abci.RequestFinalizeBlock:
    """The engine's request for a block as its RPC words it."""
    header, last = block["block"]["header"], block["block"]["last_commit"]
    assert not block["block"]["evidence"]["evidence"], "no point makes a validator misbehave"
    commit = abci.CommitInfo(round=last["round"])
    for (address, power), signature in zip(validators.items(), last["signatures"]):
        commit.votes.append(abci.VoteInfo(validator=abci.Validator(address=bytes.fromhex(address), power=power),
                                          block_id_flag=signature["block_id_flag"]))
    return abci.RequestFinalizeBlock(
        txs=[base64.b64decode(raw) for raw in block["block"]["data"]["txs"] or ()], decided_last_commit=commit,
        hash=bytes.fromhex(block["block_id"]["hash"]), height=int(header["height"]), time=parse_time(header["time"]),
        next_validators_hash=bytes.fromhex(header["next_validators_hash"]),
        proposer_address=bytes.fromhex(header["proposer_address"]))


def parse_time(text: str) -> Timestamp:
    """A time such as 2026-01-02T03:04:05.123456789Z, exact to the nanosecond."""
    whole, _, part = text.removesuffix("Z").partition(".")
    seconds = int(datetime.fromisoformat(whole + "+00:00").timestamp())
    return Timestamp(seconds=seconds, nanos=int(part.ljust(9, "0") or 0))
