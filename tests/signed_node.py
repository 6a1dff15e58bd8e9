"""A node without an engine whose blocks are signed by validators all the same: what a light client verifies.

The state's hashes are those of a Chain; headers and commits are made here, one for each of its blocks.
"""

import time
from types import TracebackType
from typing import Any

from abci_app.client.errors import NodeRefused
from abci_app.client.light.blocks import NS, BlockId, LightBlock
from abci_app.client.light.blocks_json import Json, write_light_block
from abci_app.client.rpc import Answer
from abci_app.wire.pb.tendermint.abci import types_pb2 as abci
from abci_app.wire.proof import ProofOp
from tests.auditors import Auditors
from tests.chain import Chain
from tests.light_chain import new_header, new_set, sign
from tests.local_rpc import LocalNode

POWERS = {1: 10, 2: 10, 3: 10}
AGE_S = 3_600


class SignedNode(LocalNode):
    """A LocalNode that shows signed headers. Stands in the place of rpc.Rpc, also as a context."""

    def __init__(self, chain: Chain, auditors: Auditors | None = None, url: str = "http://127.0.0.1:1") -> None:
        """chain: every block from now on is signed; the ones before are, too, with the state of now."""
        super().__init__(chain, auditors, url)
        self._began_ns = time.time_ns() - AGE_S * NS
        self._hashes: dict[int, bytes] = {chain.height: chain.app_hash}
        self._blocks: list[LightBlock] = []
        self._sign()

    def __enter__(self) -> "SignedNode":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        return None

    def close(self) -> None:
        """Nothing is held."""

    def block(self) -> None:
        """Make a block, and sign it."""
        super().block()
        self._hashes[self.chain.height] = self.chain.app_hash
        self._sign()

    def abci_query(self, path: str, data: bytes = b"", height: int = 0, prove: bool = False) -> Answer:
        """One query, with its proof where one is asked for."""
        if not prove:
            return super().abci_query(path, data, height)
        self._check_up()
        self.queries.append(path)
        found = self._queries.answer(abci.RequestQuery(path=path, data=data, height=height, prove=True))
        ops = tuple(ProofOp(op.type, op.key, op.data) for op in found.proof_ops.ops)
        return Answer(found.code, found.codespace, found.log, found.key, found.value, found.height, ops)

    def commit(self, height: int) -> Json:
        """The signed header of a block."""
        if height > self.chain.height:
            raise NodeRefused(f"height {height} must be less than or equal to {self.chain.height}")
        return {"signed_header": write_light_block(self._blocks[height - 1])["signed_header"]}

    def validators(self, height: int, page: int = 1, page_size: int = 100) -> Json:
        """Who signs."""
        told = write_light_block(self._blocks[height - 1])["validators"]
        return {"validators": told, "total": str(len(told))}

    def call(self, method: str, **_: Any) -> Json:
        """The height, as `status` tells it."""
        assert method == "status"
        return {"sync_info": {"latest_block_height": str(self.chain.height)}}

    def _sign(self) -> None:
        """Blocks up to the chain's last one."""
        validators = new_set(POWERS)
        while len(self._blocks) < self.chain.height:
            height = len(self._blocks) + 1
            last = self._blocks[-1].commit.block_id if self._blocks else BlockId(b"", 0, b"")
            app_hash = self._hashes.get(height - 1, min(self._hashes.items())[1])
            header = new_header(height, self._began_ns + height * NS, last, validators, validators, app_hash,
                                self.chain.chain_id)
            self._blocks.append(sign(header, validators, POWERS))
