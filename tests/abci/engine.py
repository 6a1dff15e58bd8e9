"""The engine's side of the ABCI socket, for tests: real frames over a real socket to the real application.

    with Node(folder, accounts={"alice": 10**9}) as node:
        node.init_chain()
        result = node.block([node.sign("alice", node.send_msg("alice", "bob", 5))])

`Node` runs the server in threads of this process; `connect` gives raw connections.
"""

import hashlib
import itertools
import json
import socket
import tempfile
import threading
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Any

from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from abci_app.abci.answers import Answers
from abci_app.abci.application import Application
from abci_app.abci.frames import FrameReader, encode_frame
from abci_app.abci.server import Server, listen_unix
from abci_app.abci.snapshots import Snapshots
from abci_app.abci.trace import Trace
from abci_app.app import STORE_NAMES, App, new_app
from abci_app.client.txs import TxTerms, compute_fee_ugrad, sign_tx
from abci_app.genesis import GAS_PRICE_PPM, new_genesis
from abci_app.store.disk import Database
from abci_app.wire.pb.cosmos.auth.v1beta1 import query_pb2 as auth_query
from abci_app.wire.pb.cosmos.auth.v1beta1.auth_pb2 import BaseAccount
from abci_app.wire.pb.cosmos.bank.v1beta1 import query_pb2 as bank_query
from abci_app.wire.pb.cosmos.bank.v1beta1.tx_pb2 import MsgSend
from abci_app.wire.coin import base_coin, coin_pb
from abci_app.wire.pb.tendermint.abci import types_pb2 as abci
from tests.chain import address_of, new_test_key

CHAIN_ID = "gradus-abci-1"
GENESIS_SECONDS = 1_700_000_000
BLOCK_BYTES = 2 << 20
BLOCK_GAS = 100_000_000
GAS_LIMIT = 100_000
FLUSH = b"\x02\x12\x00"
FLUSHED = abci.Response(flush=abci.ResponseFlush())
SECONDS_MAX = 20.0


class Connection:
    """One connection, as the engine uses it."""

    def __init__(self, peer: socket.socket) -> None:
        self.socket = peer
        self.socket.settimeout(SECONDS_MAX)
        self.frames = FrameReader()
        self.ready: list[bytes] = []

    def send(self, data: bytes) -> None:
        """Bytes as they are."""
        self.socket.sendall(data)

    def put(self, name: str, request: Message) -> None:
        """One request, without a Flush."""
        self.send(encode_request(name, request))

    def read(self) -> abci.Response:
        """The next response. ConnectionError when the server has closed."""
        while not self.ready:
            data = self.socket.recv(1 << 18)
            if not data:
                raise ConnectionError("closed by the server")
            self.frames.feed(data)
            self.ready += self.frames.iter_frames()
        return abci.Response.FromString(self.ready.pop(0))

    def ask(self, name: str, request: Message) -> Any:
        """One synchronous call: the request and a Flush, the response and the Flush's."""
        self.send(encode_request(name, request) + FLUSH)
        response = self.read()
        assert response.WhichOneof("value") == name, response
        assert self.read() == FLUSHED
        return getattr(response, name)

    def is_closed(self) -> bool:
        """Whether the server ends the connection without another response."""
        try:
            self.read()
        except ConnectionError:
            return True
        return False

    def close(self) -> None:
        """Leave."""
        self.socket.close()


class Node:
    """The application of one node behind its socket, and the engine's usual requests."""

    def __init__(self, folder: Path, accounts: dict[str, int] | None = None, initial_height: int = 1,
                 keep_versions: int = 100, retain_blocks: int = 0, block_bytes: int = BLOCK_BYTES,
                 block_gas: int = BLOCK_GAS, snapshot_interval: int = 0, snapshot_keep: int = 2, fsync: bool = False,
                 evidence_seconds: int = 0, app: App | None = None, validator: bytes | None = None) -> None:
        self.folder, self.initial_height, self.evidence_seconds = folder, initial_height, evidence_seconds
        self.block_bytes, self.block_gas = block_bytes, block_gas
        self.accounts = {"alice": 10**9, "bob": 10**9} if accounts is None else accounts
        self.socket_folder = tempfile.TemporaryDirectory(prefix="abci-")  # a short path, as sockets need
        self.path = Path(self.socket_folder.name) / "app.sock"
        self.database = Database.open(folder, STORE_NAMES, keep_versions, fsync=fsync)
        self.trace = Trace(Path(self.socket_folder.name) / "trace")
        self.snapshots = Snapshots(folder.parent / f"{folder.name}-snapshots", snapshot_interval, snapshot_keep)
        self.answers = folder.parent / f"{folder.name}-answers"
        self.application = Application(app or new_app(), self.database, retain_blocks, self.trace, self.snapshots,
                                       answers=Answers(self.answers), validator=validator)
        self.server = Server(self.application, listen_unix(self.path))
        self.failure: BaseException | None = None
        self.thread = threading.Thread(target=self._serve, daemon=True)  # a test that fails early closes nothing
        self.thread.start()
        self.engine = self.connect()

    def _serve(self) -> None:
        try:
            self.server.run()
        except Exception as error:
            self.failure = error

    def __enter__(self) -> "Node":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Stop the server and close the state."""
        self.engine.close()
        self.server.stop()
        self.thread.join(SECONDS_MAX)
        assert not self.thread.is_alive()
        self.snapshots.close()
        self.database.close()
        self.trace.close()
        self.socket_folder.cleanup()

    def calls(self) -> str:
        """The letters of the calls so far."""
        return (Path(self.socket_folder.name) / "trace").read_text().strip()

    def connect(self) -> Connection:
        """One more connection."""
        peer = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        peer.connect(str(self.path))
        return Connection(peer)

    def info(self) -> abci.ResponseInfo:
        """Info."""
        request = abci.RequestInfo(version="0.38.25", block_version=11, p2p_version=8, abci_version="2.0.0")
        answer: abci.ResponseInfo = self.engine.ask("info", request)
        return answer

    def genesis_request(self) -> abci.RequestInitChain:
        """The genesis of this node's chain."""
        accounts = {address_of(name): ugrad for name, ugrad in self.accounts.items()}
        request = abci.RequestInitChain(
            time=Timestamp(seconds=GENESIS_SECONDS), chain_id=CHAIN_ID, initial_height=self.initial_height,
            app_state_bytes=json.dumps(new_genesis(CHAIN_ID, [], accounts)).encode())
        request.consensus_params.block.max_bytes = self.block_bytes
        request.consensus_params.block.max_gas = self.block_gas
        request.consensus_params.evidence.max_age_num_blocks = 10
        request.consensus_params.evidence.max_age_duration.seconds = self.evidence_seconds
        request.consensus_params.validator.pub_key_types.append("ed25519")
        request.consensus_params.abci.vote_extensions_enable_height = max(1, self.initial_height)
        request.validators.add(power=10).pub_key.ed25519 = bytes(32)
        return request

    def init_chain(self) -> abci.ResponseInitChain:
        """InitChain."""
        answer: abci.ResponseInitChain = self.engine.ask("init_chain", self.genesis_request())
        return answer

    def next_height(self) -> int:
        """The height of the block that comes next."""
        return self.database.height + 1 if self.database.height else self.initial_height

    def block_fields(self, height: int | None = None) -> dict[str, Any]:
        """What every request about the next block says of it."""
        height = height or self.next_height()
        return {"height": height, "time": Timestamp(seconds=GENESIS_SECONDS + height),
                "proposer_address": hashlib.sha256(b"proposer").digest()[:20]}

    def prepare(self, txs: Iterable[bytes], max_tx_bytes: int = BLOCK_BYTES) -> list[bytes]:
        """PrepareProposal's transactions."""
        request = abci.RequestPrepareProposal(txs=txs, max_tx_bytes=max_tx_bytes, **self.block_fields())
        return list(self.engine.ask("prepare_proposal", request).txs)

    def accepts(self, txs: Iterable[bytes]) -> bool:
        """Whether ProcessProposal accepts."""
        request = abci.RequestProcessProposal(txs=txs, hash=block_hash(self.next_height()), **self.block_fields())
        status = self.engine.ask("process_proposal", request).status
        assert status in (abci.ResponseProcessProposal.ACCEPT, abci.ResponseProcessProposal.REJECT)
        return bool(status == abci.ResponseProcessProposal.ACCEPT)

    def finalize_request(self, txs: Iterable[bytes] = (), height: int | None = None) -> abci.RequestFinalizeBlock:
        """The request for the next block."""
        hash_of = block_hash(height or self.next_height())
        return abci.RequestFinalizeBlock(txs=txs, hash=hash_of, **self.block_fields(height))

    def finalize(self, txs: Iterable[bytes] = ()) -> abci.ResponseFinalizeBlock:
        """FinalizeBlock."""
        answer: abci.ResponseFinalizeBlock = self.engine.ask("finalize_block", self.finalize_request(txs))
        return answer

    def commit(self) -> abci.ResponseCommit:
        """Commit."""
        answer: abci.ResponseCommit = self.engine.ask("commit", abci.RequestCommit())
        return answer

    def block(self, txs: Iterable[bytes] = ()) -> abci.ResponseFinalizeBlock:
        """FinalizeBlock and Commit."""
        answer = self.finalize(txs)
        self.commit()
        return answer

    def list_snapshots(self) -> list[abci.Snapshot]:
        """ListSnapshots."""
        return list(self.engine.ask("list_snapshots", abci.RequestListSnapshots()).snapshots)

    def load_chunk(self, snapshot: abci.Snapshot, index: int) -> bytes:
        """LoadSnapshotChunk."""
        request = abci.RequestLoadSnapshotChunk(height=snapshot.height, format=snapshot.format, chunk=index)
        return bytes(self.engine.ask("load_snapshot_chunk", request).chunk)

    def offer(self, snapshot: abci.Snapshot, app_hash: bytes) -> int:
        """OfferSnapshot's result."""
        request = abci.RequestOfferSnapshot(snapshot=snapshot, app_hash=app_hash)
        return int(self.engine.ask("offer_snapshot", request).result)

    def apply(self, index: int, chunk: bytes, sender: str = "peer") -> abci.ResponseApplySnapshotChunk:
        """ApplySnapshotChunk."""
        request = abci.RequestApplySnapshotChunk(index=index, chunk=chunk, sender=sender)
        answer: abci.ResponseApplySnapshotChunk = self.engine.ask("apply_snapshot_chunk", request)
        return answer

    def check(self, tx: bytes, kind: abci.CheckTxType = abci.NEW) -> abci.ResponseCheckTx:
        """CheckTx. kind: NEW or RECHECK."""
        answer: abci.ResponseCheckTx = self.engine.ask("check_tx", abci.RequestCheckTx(tx=tx, type=kind))
        return answer

    def query(self, path: str, data: bytes = b"", height: int = 0, prove: bool = False) -> abci.ResponseQuery:
        """Query."""
        request = abci.RequestQuery(path=path, data=data, height=height, prove=prove)
        answer: abci.ResponseQuery = self.engine.ask("query", request)
        return answer

    def balance(self, name: str, height: int = 0) -> int:
        """ugrad of a name at a height."""
        question = bank_query.QueryBalanceRequest(address=address_of(name), denom="ugrad")
        answer = self.query("/cosmos.bank.v1beta1.Query/Balance", question.SerializeToString(), height)
        assert answer.code == 0, answer.log
        return int(bank_query.QueryBalanceResponse.FromString(answer.value).balance.amount)

    def account(self, name: str) -> BaseAccount:
        """A name's account in the last committed state; before the first block, as the genesis makes it."""
        if not self.database.height:
            return BaseAccount(account_number=sorted(map(address_of, self.accounts)).index(address_of(name)))
        question = auth_query.QueryAccountRequest(address=address_of(name))
        answer = self.query("/cosmos.auth.v1beta1.Query/Account", question.SerializeToString())
        assert answer.code == 0, answer.log
        return BaseAccount.FromString(auth_query.QueryAccountResponse.FromString(answer.value).account.value)

    def sign(self, name: str, *messages: Message, ahead: int = 0, **terms: Any) -> bytes:
        """A transaction of a name. ahead: how many of its transactions come before."""
        account = self.account(name)
        gas_limit = terms.get("gas_limit", GAS_LIMIT)
        chosen: dict[str, Any] = {
            "chain_id": CHAIN_ID, "account_number": account.account_number, "sequence": account.sequence + ahead,
            "gas_limit": gas_limit, "fee_ugrad": compute_fee_ugrad(gas_limit, GAS_PRICE_PPM), **terms}
        return sign_tx(new_test_key(name), messages, TxTerms(**chosen))

    def send_msg(self, sender: str, recipient: str, amount_ugrad: int) -> MsgSend:
        """A transfer between names."""
        return MsgSend(from_address=address_of(sender), to_address=address_of(recipient),
                       amount=[coin_pb(base_coin(amount_ugrad))])

    def send_tx(self, sender: str, recipient: str, amount_ugrad: int, ahead: int = 0, **terms: Any) -> bytes:
        """A signed transfer."""
        return self.sign(sender, self.send_msg(sender, recipient, amount_ugrad), ahead=ahead, **terms)


def block_hash(height: int) -> bytes:
    """The hash that the engine gives to the block of a height."""
    return hashlib.sha256(b"block %d" % height).digest()


def encode_request(name: str, request: Message) -> bytes:
    """A framed request."""
    wrapped = abci.Request()
    getattr(wrapped, name).CopyFrom(request)
    getattr(wrapped, name).SetInParent()
    return encode_frame(wrapped.SerializeToString())


def split(data: bytes, sizes: Iterable[int]) -> Iterable[bytes]:
    """`data` in pieces of the sizes, repeated as long as it takes."""
    at = 0
    for size in itertools.cycle(sizes):
        if at >= len(data):
            return
        yield data[at:at + size]
        at += size
