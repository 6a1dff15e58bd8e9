"""A chain for tests: the whole application over the real store, block by block, without an engine.

    with Chain(folder, accounts={"alice": 1_000_000}) as chain:
        results = chain.block([chain.sign("alice", chain.send_msg("alice", "bob", 5))])

Keys are made from names, so a name always has the same address. Every block is staged and committed as the node does
it, and the invariants of all rooms are checked after each (`checks=False` leaves that out where it would take long).
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

from google.protobuf.message import Message

from abci_app.abci.candidates import Candidate, Header
from abci_app.abci.chain import find_block, put_block
from abci_app.abci.proposal import iter_offers
from abci_app.app import STORE_NAMES, App, new_app
from abci_app.client.keys import Key
from abci_app.client.txs import TxTerms, compute_fee_ugrad, sign_tx
from abci_app.genesis import GAS_PRICE_PPM, new_genesis
from abci_app.runtime.block import BlockResult
from abci_app.runtime.context import Ctx
from abci_app.runtime.deliver import TxResult, check_tx
from abci_app.runtime.events import Event
from abci_app.runtime.mempool import Mempool
from abci_app.runtime.module import LastVotes
from abci_app.runtime.validators import (
    FLAG_COMMIT, CommitVote, Founding, FoundingValidator, LastCommit, Misbehaviour,
)
from abci_app.store.branch import Branch
from abci_app.store.disk import Database, Staged
from abci_app.wire.coin import base_coin, coin_pb
from abci_app.wire.pb.cosmos.bank.v1beta1.tx_pb2 import MsgSend
from abci_app.wire.pb.tendermint.abci.types_pb2 import RequestFinalizeBlock
from abci_app.wire.tx import is_injected, parse_strict
from tests.validator_set import EngineSet
from tests.votes import Signer, Source

CHAIN_ID = "gradus-test-1"
GENESIS_TIME_NS = 1_700_000_000_000_000_000
BLOCK_NS = 1_000_000_000
GAS_LIMIT = 1_000_000
VALIDATOR_POWER = 10
SIGNERS = tuple(Signer(f"validator{index}") for index in range(4))
VALIDATOR_KEYS = tuple(signer.pub_key for signer in SIGNERS)
PROPOSERS = tuple(signer.address for signer in SIGNERS)
FLAG_ABSENT = 1
EVIDENCE_BLOCKS = 50


def new_test_key(name: str) -> Key:
    """The key of a name."""
    return Key(hashlib.sha256(b"gradus test key " + name.encode()).digest())


def address_of(name: str) -> str:
    """The bech32 address of a name's key."""
    return new_test_key(name).bech32


class Chain:
    """One chain in a folder. Also opens again what an earlier Chain left there."""

    def __init__(self, folder: Path, accounts: dict[str, int] | None = None, app_state: dict[str, Any] | None = None,
                 chain_id: str = CHAIN_ID, checks: bool = True, powers: dict[bytes, int] | None = None,
                 block_reward_ugrad: int = 0, signers: Sequence[Signer] = SIGNERS) -> None:
        """accounts: ugrad by name; operator0, operator1, ... get the fees of the signers. app_state replaces it.

        powers: of the validators at genesis, by key; the signers when left out. block_reward_ugrad: emitted. signers:
        the validators, who propose in turn; SIGNERS when left out.
        """
        self.app: App = new_app()
        self.signers = tuple(signers)
        self.chain_id, self.checks = chain_id, checks
        self.database = Database.open(folder, STORE_NAMES, fsync=False)
        self.events: tuple[Event, ...] = ()
        self._genesis: Branch | None = None
        self.app_hash = self.database.latest().app_hash
        if self.database.height == 0:
            keys = (signer.pub_key for signer in self.signers)
            powers = dict.fromkeys(keys, VALIDATOR_POWER) if powers is None else powers
            self._init_chain(app_state or self.new_app_state(accounts or {}, block_reward_ugrad), powers)
        self.engine = EngineSet({one.pub_key: one.power for one in self.app.validators.iter_validators(self.ctx())
                                 if one.power})
        self._mempool: Mempool | None = None

    def new_app_state(self, accounts: dict[str, int], block_reward_ugrad: int = 0) -> dict[str, Any]:
        """The genesis of this chain with coins by name."""
        validators = [{"consensus_address_hex": signer.address.hex(), "operator": address_of(f"operator{index}")}
                      for index, signer in enumerate(self.signers)]
        return new_genesis(self.chain_id, validators, {address_of(name): ugrad for name, ugrad in accounts.items()},
                           block_reward_ugrad)

    def _init_chain(self, app_state: dict[str, Any], powers: dict[bytes, int]) -> None:
        validators = tuple(FoundingValidator("ed25519", key, power) for key, power in powers.items())
        founding = Founding(validators, ("ed25519",), EVIDENCE_BLOCKS, EVIDENCE_BLOCKS * BLOCK_NS)
        self._genesis = Branch(self.database.latest())
        self.app.init_chain(self._ctx(self._genesis, 0, b""), app_state, founding)
        self.app_hash = self.database.stage(self._genesis, 1).app_hash
        self._check(self._genesis)

    def __enter__(self) -> "Chain":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        self.database.close()

    @property
    def height(self) -> int:
        """The last committed height, 0 before the first block."""
        return self.database.height

    def block(self, txs: Iterable[bytes] = (), proposer: int | None = None,
              misbehaviour: tuple[Misbehaviour, ...] = (), last_commit: LastCommit | None = None) -> list[TxResult]:
        """Run and commit one block; its own events are then in `events`, whose power is left in `engine`.

        proposer: which of the signers, else in turn. misbehaviour: what its evidence proves. last_commit: who signed
        the block before, else everybody.
        """
        staged, result, _ = self._run(list(txs), proposer, misbehaviour, last_commit)
        self.engine.apply(result.validator_updates)
        self.database.commit(staged)
        self._genesis = None
        self.app_hash, self.events = staged.app_hash, result.events
        self._mempool = None
        return list(result.tx_results)

    def preview(self, txs: Iterable[bytes]) -> tuple[bytes, bytes]:
        """(app hash, block hash) that the next block would give with these transactions, by its proposer in turn.

        What a proposer can find out before it proposes; nothing is kept.
        """
        staged, _, last_block_hash = self._run(list(txs))
        return staged.app_hash, last_block_hash

    def _run(self, txs: list[bytes], proposer: int | None = None, misbehaviour: tuple[Misbehaviour, ...] = (),
             last_commit: LastCommit | None = None) -> tuple[Staged, BlockResult, bytes]:
        """The next block, staged, its result and its hash."""
        height = self.height + 1
        commit = self.last_commit() if last_commit is None else last_commit
        address = self.signers[height % len(self.signers) if proposer is None else proposer].address
        ctx = self._ctx(self._branch(), height, address, misbehaviour, commit)
        candidate = Candidate(self.app, Header(height, ctx.time_ns, ctx.proposer_address, misbehaviour, commit), ctx)
        for raw in txs:
            candidate.run(raw)
        ended, result = candidate.end()
        last_block_hash = block_hash(ctx, txs)
        put_block(ended.state, RequestFinalizeBlock(height=height, hash=last_block_hash))
        staged = self.database.stage(ended.state, height)
        self._check(ended.state)
        return staged, result, last_block_hash

    def last_commit(self, absent: Sequence[bytes] = (), round_number: int = 0) -> LastCommit:
        """What the next block carries: the engine's set in its order, all of whom signed but the absent addresses."""
        if self.height == 0:
            return LastCommit()
        votes = [CommitVote(hashlib.sha256(key).digest()[:20], power, FLAG_COMMIT)
                 for key, power in self.engine.powers.items()]
        return LastCommit(round_number, tuple(
            CommitVote(vote.address, vote.power, FLAG_ABSENT if vote.address in absent else vote.flag)
            for vote in sorted(votes, key=lambda vote: (-vote.power, vote.address))))

    def sign_votes(self, extensions: Mapping[bytes, bytes], round_number: int = 0) -> LastVotes:
        """What the next proposer has of the precommits for the last block, by consensus address of the signers."""
        votes = [(signer.address, extensions[signer.address],
                  signer.sign(self.chain_id, self.height, round_number, extensions[signer.address]))
                 for signer in self.signers if extensions.get(signer.address)]
        return self.height, round_number, tuple(votes)

    def propose(self, votes: LastVotes = (0, 0, ()), answers: Mapping[bytes, bytes] | None = None,
                last_commit: LastCommit | None = None,
                told: Mapping[bytes, tuple[bytes, ...]] | None = None) -> list[bytes]:
        """The injected transactions that a proposer puts at the head of the next block.

        It holds the extensions of `votes` (see sign_votes), `answers` by subject and those that it was `told`.
        last_commit: as for `block`.
        """
        candidate = self._new_candidate(last_commit)
        for raw in iter_offers(self.app, candidate.ctx, (), Source(votes, answers or {}, told or {})):
            candidate.try_run(raw)
        return candidate.txs

    def accepts(self, txs: Iterable[bytes], last_commit: LastCommit | None = None) -> bool:
        """Whether a validator would accept the injected ones of these transactions in the next block."""
        candidate = self._new_candidate(last_commit)
        return all(candidate.try_run(raw).is_admitted for raw in txs if is_injected(raw))

    def _new_candidate(self, last_commit: LastCommit | None) -> Candidate:
        """The next block, begun; last_commit: who signed the block before, else everybody."""
        commit = self.last_commit() if last_commit is None else last_commit
        ctx = self._ctx(self._branch(), self.height + 1, b"", last_commit=commit)
        return Candidate(self.app, Header(ctx.height, ctx.time_ns, b"", (), commit), ctx)

    def check(self, raw: bytes) -> TxResult:
        """Admission to the mempool, on top of what was admitted since the last block."""
        if self._mempool is None:
            self._mempool = self.app.ante.new_mempool(self.ctx(self.height + 1))
        return check_tx(self.app.ante, self._mempool, raw)

    def sign(self, name: str, *messages: Message, gas_limit: int = GAS_LIMIT, ahead: int = 0, **terms: Any) -> bytes:
        """A transaction signed by a name. ahead: how many of its transactions come before. terms: see TxTerms."""
        key = new_test_key(name)
        account = self.app.auth.find_account(self.ctx(), key.address)
        number, sequence = (account.account_number, account.sequence) if account else (0, 0)
        chosen: dict[str, Any] = {
            "chain_id": self.chain_id, "account_number": number, "sequence": sequence + ahead,
            "gas_limit": gas_limit, "fee_ugrad": compute_fee_ugrad(gas_limit, GAS_PRICE_PPM), **terms,
        }
        return sign_tx(key, messages, TxTerms(**chosen))

    @staticmethod
    def send_msg(sender: str, recipient: str, amount_ugrad: int) -> MsgSend:
        """A transfer between names."""
        return MsgSend(from_address=address_of(sender), to_address=address_of(recipient),
                       amount=[coin_pb(base_coin(amount_ugrad))])

    def query(self, path: str, request: Message, height: int | None = None) -> Any:
        """The answer to a query, through its bytes. Raises what the room raises."""
        route = self.app.router.queries[path]
        ctx = self.ctx() if height is None else self._ctx(Branch(self.database.version(height)), height, b"")
        return route.run(ctx, parse_strict(route.request, request.SerializeToString(), path))

    def balance(self, name: str) -> int:
        """ugrad of a name, or of an address."""
        address = new_test_key(name).address
        return self.app.bank.balance(self.ctx(), address)

    def ctx(self, height: int | None = None) -> Ctx:
        """A context over the last state; nobody keeps its writes."""
        commit = self.last_commit() if height == self.height + 1 else LastCommit()
        return self._ctx(self._branch(), self.height if height is None else height, b"", last_commit=commit)

    def state(self) -> list[tuple[str, bytes, bytes]]:
        """Every record of every room: for comparing states."""
        branch = self._branch()
        names = sorted(module.name for module in self.app.modules)
        return [(name, key, value) for name in names for key, value in branch.store(name).iter(b"")]

    def check_invariants(self) -> list[str]:
        """What is broken in the last state."""
        return self.app.check_invariants(self.ctx())

    def _branch(self) -> Branch:
        return Branch(self._genesis if self._genesis is not None else self.database.latest())

    def _ctx(self, state: Branch, height: int, proposer: bytes, misbehaviour: tuple[Misbehaviour, ...] = (),
             last_commit: LastCommit = LastCommit()) -> Ctx:
        time_ns = GENESIS_TIME_NS + BLOCK_NS * height
        last = find_block(self.database.latest())
        return Ctx(self.chain_id, height, time_ns, proposer, self.app_hash, last.hash if last else b"", state,
                   misbehaviour=misbehaviour, last_commit=last_commit)

    def _check(self, layer: Branch) -> None:
        broken = self.app.check_invariants(self._ctx(layer.branch(), self.height, b"")) if self.checks else []
        assert broken == [], broken


def block_hash(ctx: Ctx, txs: Sequence[bytes]) -> bytes:
    """What stands here for the engine's hash of a block: it covers all that the block's header does."""
    parts = (ctx.last_block_hash, ctx.last_app_hash, ctx.proposer_address, str(ctx.time_ns).encode(), *txs)
    return hashlib.sha256(b"".join(hashlib.sha256(part).digest() for part in parts)).digest()


def codes(results: Sequence[TxResult]) -> list[tuple[str, int]]:
    """(codespace, code) of each result."""
    return [(result.codespace, result.code) for result in results]
