"""Light blocks from a node's RPC, their parts fitting each other. Nothing here is believed yet.

Source: CometBFT v0.38 light/provider/http, rpc/core/{blocks,consensus}.go.
"""

from typing import Any, Protocol

from abci_app.client.errors import NodeRefused
from abci_app.client.light.blocks import VALIDATORS_MAX, LightBlock, ValidatorSet
from abci_app.client.light.blocks_json import Json, read_signed_header, read_validators
from abci_app.client.light.errors import HeightMissing, HeightTooHigh, Malformed
from abci_app.client.light.verify import check_parts

PAGE_SIZE = 100
SETS_KEPT = 16
TOTAL_DIGITS = 6  # of a number up to VALIDATORS_MAX and one more
TOO_HIGH = "must be less than or equal to"
MISSING = "is not available"


class Source(Protocol):
    """A node that light blocks come from. Calls raise NodeUnreachable, NodeRefused, LightError."""

    @property
    def url(self) -> str:
        """Where it is, for messages."""

    def light_block(self, height: int) -> LightBlock:
        """The block at a height, its parts fitting each other (verify.check_parts). HeightTooHigh, HeightMissing."""

    def latest_height(self) -> int:
        """The height of its newest block."""


class BlockRpc(Protocol):
    """The part of rpc.Rpc that light blocks are read with."""

    url: str

    def commit(self, height: int) -> Json:
        """A signed header."""

    def validators(self, height: int, page: int = 1, page_size: int = 100) -> Json:
        """A page of validators."""

    def call(self, method: str) -> Json:
        """Any other call."""


class RpcSource:
    """A node as a Source. The validator sets of the last blocks are kept by their hash and not fetched again."""

    def __init__(self, rpc: Any, chain_id: str) -> None:
        """rpc: a BlockRpc."""
        self.rpc: BlockRpc = rpc
        self.chain_id = chain_id
        self._sets: dict[bytes, ValidatorSet] = {}

    @property
    def url(self) -> str:
        """Where the node is."""
        return self.rpc.url

    def light_block(self, height: int) -> LightBlock:
        """The block at a height."""
        try:
            result = self.rpc.commit(height)
            signed = result.get("signed_header")
            if not isinstance(signed, dict) or signed.get("header") is None:
                raise HeightMissing(f"{self.url} has no block {height}")
            header, commit = read_signed_header(signed)
            validators = self._sets.get(header.validators_hash) or self._fetch_validators(height)
        except NodeRefused as error:
            raise _explain(error, self.url, height) from None
        except Malformed as error:
            raise Malformed(f"{self.url}, block {height}: {error.text}", error.hint) from None
        block = LightBlock(header, commit, validators)
        try:
            check_parts(block, self.chain_id, height)
        except Malformed as error:
            raise Malformed(f"{self.url}: {error.text}", error.hint) from None
        self._sets[validators.hash] = validators
        if len(self._sets) > SETS_KEPT:
            del self._sets[next(iter(self._sets))]
        return block

    def latest_height(self) -> int:
        """The height of the node's newest block."""
        result = self.rpc.call("status")
        sync = result.get("sync_info")
        height = sync.get("latest_block_height") if isinstance(sync, dict) else None
        if not isinstance(height, str) or not height.isascii() or not height.isdigit() or len(height) > 19:
            raise Malformed(f"{self.url} does not say which block is its newest")
        return int(height)

    def _fetch_validators(self, height: int) -> ValidatorSet:
        found: list[object] = []
        for page in range(1, VALIDATORS_MAX // PAGE_SIZE + 1):
            result = self.rpc.validators(height, page, PAGE_SIZE)
            part, total = result.get("validators"), result.get("total")
            if not isinstance(part, list) or not 0 < len(part) <= PAGE_SIZE or not isinstance(total, (str, int)):
                raise Malformed("a page of validators is empty, too long or none")
            found += part
            if len(part) < PAGE_SIZE or str(len(found)) == str(total)[:TOTAL_DIGITS]:
                break
        return read_validators(found)


def _explain(error: NodeRefused, url: str, height: int) -> Exception:
    """What a node's refusal to show a block means."""
    if TOO_HIGH in error.text:
        return HeightTooHigh(f"{url} has no block {height} yet")
    if MISSING in error.text:
        return HeightMissing(f"{url} no longer has block {height}")
    return error
