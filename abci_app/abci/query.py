"""Queries: read-only answers from committed states, never under the lock of consensus. Nothing here stops the node.

    /package.Query/Name                    a room's answer, by its gRPC path
    /cosmos.tx.v1beta1.Service/Simulate    what a transaction would do now, unsigned: gas estimates
    /store/<room>/key                      one record; with prove, the operations that `cometbft light` verifies
    store/<room>/key                       the same with ICS-23 proofs, of absence too, as relayers ask
    /app/version, /app/invariants          the software's version; what is broken in the latest state, as JSON
    /app/snapshots                         from which heights a new node can begin here, as JSON
    /p2p/filter/...                        every peer is welcome

height 0 is the latest state, and with a proof the one before it, so that the header with its hash exists already.
Blobs have no history: what needs one that has changed since says so (sdk/26).
Source: CometBFT v0.38 light/rpc/client.go; Cosmos SDK baseapp Query.
"""

import json
import logging
import threading

from google.protobuf.message import DecodeError

from abci_app.abci.chain import find_block, find_chain
from abci_app.abci.results import events_pb
from abci_app.abci.snapshots import Snapshots
from abci_app.app import App
from abci_app.runtime.context import Ctx
from abci_app.runtime.deliver import TxResult, simulate_tx
from abci_app.store.branch import Branch
from abci_app.store.disk import Database
from abci_app.store.errors import HeightUnavailable, InvalidEntry, UnknownStore
from abci_app.store.version import Version
from abci_app.wire.errors import ChainError, InvalidHeight, InvalidRequest, NotFound, UnknownRequest, shown
from abci_app.wire.ics23 import ics23_ops
from abci_app.wire.pb.cosmos.base.abci.v1beta1.abci_pb2 import GasInfo, Result, TxMsgData
from abci_app.wire.pb.cosmos.tx.v1beta1.service_pb2 import SimulateRequest, SimulateResponse
from abci_app.wire.pb.tendermint.abci import types_pb2 as abci
from abci_app.wire.proof import value_ops

SIMULATE = "/cosmos.tx.v1beta1.Service/Simulate"
PEER_FILTER = "/p2p/filter/"
INVARIANT_ATTEMPTS = 3
NO_SNAPSHOTS = b'{"interval": 0, "heights": []}'

_log = logging.getLogger("gradus.abci")


class Queries:
    """Answers over a database that another thread commits to."""

    def __init__(self, app: App, database: Database, software: str, snapshots: Snapshots | None = None) -> None:
        self._app = app
        self._database = database
        self._software = software
        self._snapshots = snapshots
        self._invariants_lock = threading.Lock()
        self._invariants: tuple[int, bytes] = (0, b"")

    def answer(self, request: abci.RequestQuery) -> abci.ResponseQuery:
        """The answer, or an error with codespace and code. Never raises for anything that a client can send."""
        try:
            response = self._route(request)
        except ChainError as error:
            response = _refusal(error.codespace, error.code, str(error))
        except Exception as error:  # a bug must not let clients stop nodes; consensus meets damage by itself
            _log.exception("query %.200r failed", request.path)
            response = _refusal("internal", 1, f"internal error: {type(error).__name__}")
        response.height = response.height or self._database.height
        return response

    def _route(self, request: abci.RequestQuery) -> abci.ResponseQuery:
        path = request.path
        if path.startswith(PEER_FILTER):
            return abci.ResponseQuery()
        if path == "/app/version":
            return abci.ResponseQuery(value=self._software.encode())
        if path == "/app/snapshots":
            return abci.ResponseQuery(value=json.dumps(self._snapshots.describe(self._database.height)).encode()
                                      if self._snapshots else NO_SNAPSHOTS)
        if path == "/app/invariants":
            return self._answer_invariants(request)
        if path == SIMULATE:
            return self._answer_simulation(request)
        if path.removeprefix("/").startswith("store/"):
            return self._answer_record(request)
        return self._answer_room(request)

    def _answer_room(self, request: abci.RequestQuery) -> abci.ResponseQuery:
        route = self._app.router.queries.get(request.path)
        if route is None:
            raise UnknownRequest(f"no query {shown(request.path)} on this chain")
        version = self._version(request)
        try:
            question = route.request.FromString(request.data)
        except DecodeError:
            raise InvalidRequest(f"the data is not a {route.request.DESCRIPTOR.full_name}") from None
        try:
            answer = route.run(self._ctx(version, version.height), question)
        except HeightUnavailable as error:  # pruned while it was read, or a blob of an older height
            raise InvalidHeight(str(error)) from None
        return abci.ResponseQuery(value=answer.SerializeToString(deterministic=True), height=version.height)

    def _answer_record(self, request: abci.RequestQuery) -> abci.ResponseQuery:
        parts = request.path.removeprefix("/").split("/")
        if len(parts) != 3 or parts[2] != "key":
            raise UnknownRequest("ask for /store/<room>/key, with the key as data")
        version, is_stock = self._version(request), request.path.startswith("/")
        response = abci.ResponseQuery(key=request.data, height=version.height)
        try:
            response.value = version.store(parts[1]).get(request.data) or b""
            if is_stock and not response.value:
                raise NotFound("rpc error: code = NotFound desc = no record under this key; "
                               f"ask for {request.path[1:]} to have that proved")
            if request.prove:
                proof = version.prove(parts[1], request.data)
                for op in value_ops(proof) if is_stock else ics23_ops(proof):
                    response.proof_ops.ops.add(type=op.type, key=op.key, data=op.data)
        except (UnknownStore, InvalidEntry) as error:
            raise InvalidRequest(shown(str(error))) from None
        except HeightUnavailable as error:
            raise InvalidHeight(str(error)) from None
        return response

    def _answer_simulation(self, request: abci.RequestQuery) -> abci.ResponseQuery:
        version = self._version(abci.RequestQuery())
        try:
            question = SimulateRequest.FromString(request.data)
        except DecodeError:
            raise InvalidRequest("the data is not a cosmos.tx.v1beta1.SimulateRequest") from None
        raw = question.tx_bytes or question.tx.SerializeToString(deterministic=True)
        result = simulate_tx(self._app.ante, self._ctx(version, version.height + 1), raw)
        if result.code:
            return _refusal(result.codespace, result.code, result.log)
        return abci.ResponseQuery(value=_simulation(result).SerializeToString(deterministic=True),
                                  height=version.height)

    def _answer_invariants(self, request: abci.RequestQuery) -> abci.ResponseQuery:
        """Checked once a height: they read the whole state. Raises InvalidHeight (sdk/26) for any but the latest.

        Blobs are of the latest height, so when a block changes them during a check, it begins again.
        """
        with self._invariants_lock:
            for _ in range(INVARIANT_ATTEMPTS):
                version = self._version(abci.RequestQuery())
                if request.height not in (0, version.height):
                    raise InvalidHeight(f"invariants are checked at the latest height, {version.height}; ask for 0")
                if self._invariants[0] != version.height and not self._check_invariants(version):
                    continue
                return abci.ResponseQuery(value=self._invariants[1], height=version.height)
        raise InvalidHeight(f"a block was committed during each of {INVARIANT_ATTEMPTS} attempts to read the state; "
                            "ask again")

    def _check_invariants(self, version: Version) -> bool:
        """Check and keep the answer; False, and nothing kept, when the version or a blob went meanwhile."""
        try:
            broken = self._app.check_invariants(self._ctx(version, version.height))
        except HeightUnavailable:
            return False
        self._invariants = version.height, json.dumps({"height": version.height, "broken": broken}).encode()
        return True

    def _version(self, request: abci.RequestQuery) -> Version:
        """The committed state that a request asks for. Raises InvalidHeight (sdk/26)."""
        latest = self._database.latest()
        if not latest.height:
            raise InvalidHeight("no block is committed yet; ask again after the first")
        if not request.height and not request.prove:
            return latest
        height = request.height or latest.height - 1
        try:
            if height < 1:
                raise InvalidHeight("heights begin at 1; a proof of the latest state needs the next header")
            return self._database.version(height)
        except HeightUnavailable as error:
            raise InvalidHeight(str(error)) from None

    def _ctx(self, version: Version, height: int) -> Ctx:
        """A context whose writes are dropped."""
        chain, block = find_chain(version), find_block(version)
        return Ctx(chain_id=chain.chain_id if chain else "", height=height, time_ns=block.time_ns if block else 0,
                   proposer_address=b"", last_app_hash=version.app_hash,
                   last_block_hash=block.hash if block else b"", state=Branch(version))


def _refusal(codespace: str, code: int, log: str) -> abci.ResponseQuery:
    return abci.ResponseQuery(codespace=codespace, code=code, log=log)


def _simulation(result: TxResult) -> SimulateResponse:
    answer = Result(data=result.data, log=result.log, msg_responses=TxMsgData.FromString(result.data).msg_responses)
    answer.events.extend(events_pb(result.events))
    return SimulateResponse(gas_info=GasInfo(gas_wanted=result.gas_wanted, gas_used=result.gas_used), result=answer)
