"""What a chain fixes at its genesis and what the last block left: in the state, because later blocks depend on it.

Store `consensus`: `chain` the chain id, genesis time, initial height and consensus parameters as a RequestInitChain;
`block` the last block's height, time and hash as a RequestFinalizeBlock. Functions of genesis and blocks alone.
"""

from dataclasses import dataclass

from google.protobuf.timestamp_pb2 import Timestamp

from abci_app.abci.errors import ConfigProblem
from abci_app.app import CONSENSUS_STORE
from abci_app.store.branch import Base, Branch
from abci_app.wire.ints import PPM, ppm_floor
from abci_app.wire.pb.tendermint.abci import types_pb2 as abci
from abci_app.wire.tx import TX_BYTES_MAX

CHAIN_KEY = b"chain"
BLOCK_KEY = b"block"
MARK_PREFIX = b"mark/"
MARKS = 64  # in the time in which a misbehaviour can be told
BLOCK_BYTES_MIN = 2 * TX_BYTES_MAX  # so that the injected share takes the votes of a block
BLOCK_BYTES_MAX = 64 << 20
INJECTED_SHARE_PPM = PPM >> 1  # of a block's bytes, so that votes never crowd out users


@dataclass(frozen=True)
class Chain:
    """A chain's identity and limits.

    block_bytes_max, block_gas_max: of the consensus parameters, both above 0. evidence_blocks: how long a
    misbehaviour can be told, in blocks. genesis_ns: the genesis' time, which tells two chains of one name apart.
    """

    chain_id: str
    genesis_ns: int
    initial_height: int
    block_bytes_max: int
    block_gas_max: int
    evidence_blocks: int
    evidence_ns: int

    @property
    def injected_bytes_max(self) -> int:
        """Bytes of injected transactions in one block."""
        return ppm_floor(self.block_bytes_max, INJECTED_SHARE_PPM)


@dataclass(frozen=True)
class Block:
    """The last committed block."""

    height: int
    time_ns: int
    hash: bytes


def new_chain(request: abci.RequestInitChain) -> Chain:
    """The chain that a genesis begins.

    Raises ConfigProblem for limits that leave a block unbounded, or too small for a transaction and the votes that it
    brings, and without vote extensions from the first block on, which audits need.
    """
    params = request.consensus_params
    if not BLOCK_BYTES_MIN <= params.block.max_bytes <= BLOCK_BYTES_MAX:
        raise ConfigProblem(f"the genesis has consensus_params.block.max_bytes = {params.block.max_bytes}",
                            f"set it between {BLOCK_BYTES_MIN} and {BLOCK_BYTES_MAX}")
    if params.block.max_gas <= 0:
        raise ConfigProblem(f"the genesis has consensus_params.block.max_gas = {params.block.max_gas}",
                            "set a limit, such as 500000000: blocks here are always bounded")
    first = max(1, request.initial_height)
    if params.abci.vote_extensions_enable_height != first:
        raise ConfigProblem("the genesis has consensus_params.abci.vote_extensions_enable_height = "
                            f"{params.abci.vote_extensions_enable_height}",
                            f'set it to "{first}", the initial height: audits travel in vote extensions')
    age = params.evidence.max_age_duration
    return Chain(request.chain_id, timestamp_ns(request.time), first,
                 params.block.max_bytes, params.block.max_gas, params.evidence.max_age_num_blocks,
                 age.seconds * 1_000_000_000 + age.nanos)


def put_chain(state: Branch, request: abci.RequestInitChain) -> None:
    """Keep what `find_chain` needs, and nothing that only some releases of the engine say of the same genesis.

    CometBFT 0.39 and later add `authority` to the consensus parameters: with it a node of another release would have
    another app hash.
    """
    record = abci.RequestInitChain(chain_id=request.chain_id, time=request.time, initial_height=request.initial_height,
                                   consensus_params=request.consensus_params)
    record.DiscardUnknownFields()
    state.store(CONSENSUS_STORE).set(CHAIN_KEY, record.SerializeToString(deterministic=True))


def find_chain(state: Base) -> Chain | None:
    """The chain of a committed state; None before its first block."""
    record = state.store(CONSENSUS_STORE).get(CHAIN_KEY)
    return None if record is None else new_chain(abci.RequestInitChain.FromString(record))


def put_block(state: Branch, request: abci.RequestFinalizeBlock) -> None:
    """Keep what `find_block` and `find_evidence_height` need."""
    store = state.store(CONSENSUS_STORE)
    record = abci.RequestFinalizeBlock(height=request.height, time=request.time, hash=request.hash)
    raw = record.SerializeToString(deterministic=True)
    store.set(BLOCK_KEY, raw)
    chain, time_ns = find_chain(state), timestamp_ns(request.time)
    age_ns = chain.evidence_ns if chain else 0
    newest = next(store.iter(MARK_PREFIX, reverse=True, limit=1), None)
    if newest is None or time_ns - read_block(newest[1]).time_ns > age_ns // MARKS:  # rounded down, not negative
        store.set(MARK_PREFIX + request.height.to_bytes(8, "big"), raw)
        keys = [key for key, mark in store.iter(MARK_PREFIX) if time_ns - read_block(mark).time_ns > age_ns]
        for key in keys[:-1]:  # the last one is the answer of `find_evidence_height`
            store.delete(key)


def find_block(state: Base) -> Block | None:
    """The block that made a committed state; None before the first."""
    record = state.store(CONSENSUS_STORE).get(BLOCK_KEY)
    return None if record is None else read_block(record)


def read_block(record: bytes) -> Block:
    """A block's record."""
    block = abci.RequestFinalizeBlock.FromString(record)
    return Block(block.height, timestamp_ns(block.time), block.hash)


def find_evidence_height(state: Base, chain: Chain) -> int:
    """The lowest block that a misbehaviour told after a committed state may be of; never too high, 0 if not known.

    Source: CometBFT v0.38 evidence/verify.go: too late is what exceeds both ages.
    """
    last = find_block(state)
    if last is None:
        return 0
    marks = [read_block(mark) for _, mark in state.store(CONSENSUS_STORE).iter(MARK_PREFIX)]
    old = max((mark.height for mark in marks if last.time_ns - mark.time_ns > chain.evidence_ns), default=0)
    return max(0, min(last.height - chain.evidence_blocks, old))


def timestamp_ns(time: Timestamp) -> int:
    """A protobuf time in nanoseconds since 1970; exact, where ToNanoseconds of some versions is not."""
    return time.seconds * 1_000_000_000 + time.nanos
