"""A chain with two models that nobody trains, hosts and users: requests and sessions alone, many of them in a block.

One seed decides everything, as in tests/sim/world.py; invariants, coins and verdicts are checked after every block.
"""

import random
from collections import Counter
from pathlib import Path
from typing import Any

from abci_app.genesis import GAS_PRICE_PPM, new_genesis
from abci_app.client.txs import compute_fee_ugrad
from abci_app.runtime.contract import compute_round_cost
from abci_app.runtime.deliver import TxResult
from abci_app.runtime.events import Event
from abci_app.runtime.module import LastVotes
from abci_app.runtime.records import export_record
from abci_app.wire.coin import base_coin, coin_pb
from abci_app.wire.pb.gradus.audits.v1.audits_pb2 import Params as AuditParams
from abci_app.wire.pb.gradus.inference.v1.inference_pb2 import Params as InferenceParams
from abci_app.wire.pb.gradus.models.v1.models_pb2 import ModelSpec
from abci_app.wire.pb.gradus.models.v1.models_pb2 import Params as ModelParams
from abci_app.wire.pb.gradus.models.v1.tx_pb2 import MsgCreateModel
from abci_app.wire.pb.gradus.sessions.v1.sessions_pb2 import Params as SessionParams
from abci_app.x.models.types import check_spec, default_spec
from tests.chain import CHAIN_ID, Chain, address_of, new_test_key
from tests.sim.inference import hosts as hosting
from tests.sim.inference.answers import Answers
from tests.sim.inference.coins import Coins
from tests.sim.inference.terms import draw_policy
from tests.sim.inference.users import NAMES as USERS
from tests.sim.inference.users import POOR, POOR_UGRAD
from tests.sim.market import Intent, Markets
from tests.sim.rows import new_rows
from tests.sim.validators import Validators
from tests.votes import Signer

CREATOR, OWNER = "creator", "owner"
FUNDS_UGRAD = 10**13
GAS_LIMIT = 3_000_000
FEE_UGRAD = compute_fee_ugrad(GAS_LIMIT, GAS_PRICE_PPM)
HOSTS = 20
AUDITORS = ("honest", "honest", "honest", "honest", "slow", "wrong", "lazy")
DAY_BLOCKS, NIGHT_BLOCKS, AWAKE_AT_NIGHT = 70, 25, 2
FEATURES, CLASSES = 64, 10
SHAPES = ((32,), (16, 16))
AUDIT_PRICE = 10**6  # ugrad for 10^9 multiply-adds


class TownFailed(Exception):
    """Something that must always be true was not. Says where, and how to get there again."""

    def __init__(self, again: str, height: int, cause: BaseException) -> None:
        super().__init__(f"height {height}: {type(cause).__name__}: {cause}\nagain: {again}")


class Town:
    """Blocks of a chain whose hosts and users are simulated. seen: of whatever is worth a count."""

    def __init__(self, folder: Path, seed: int, kept_blocks: int, invariants_every: int = 1) -> None:
        self.seed, self._height, self.invariants_every = seed, 0, invariants_every
        dice = self.dice("town")
        self.behaviours = hosting.new_behaviours(dice, HOSTS)
        self.signers = tuple(Signer(f"validator{index}") for index in range(len(AUDITORS)))
        self.chain = Chain(folder, app_state=self._new_app_state(kept_blocks), signers=self.signers, checks=False)
        self.answers = Answers(self.chain.app)
        auditors = list(AUDITORS)
        dice.shuffle(auditors)
        self.validators = Validators(
            self.chain, Markets(self.chain.app, self.answers),
            {signer.address: behaviour for signer, behaviour in zip(self.signers, auditors)}, frozenset(), self.dice)
        self.hosts = hosting.Hosts(self.answers, self.behaviours, self.dice, seed)
        self.names = {address_of(name): name for name in self._list_names()}
        self.sent_bytes: Counter[str] = Counter()
        self.results: list[tuple[Intent, TxResult, int]] = []
        operators = {address_of(name) for name in self._list_operators()}
        ctx = self.chain.ctx()
        purses = {address: self.chain.balance(name) for address, name in self.names.items() if address not in operators}
        supply = self.chain.app.bank.supply(ctx)
        self.coins = Coins(self.answers, purses, supply - sum(purses.values()), supply,
                           self.chain.app.inference.params(ctx).request_price_ugrad)
        self._create_models(dice)

    def dice(self, topic: str) -> random.Random:
        """A generator of its own for each topic at each height."""
        return random.Random(f"{self.seed}/{self._height}/{topic}")

    def _list_names(self) -> list[str]:
        return [CREATOR, OWNER, *USERS, *self.behaviours]

    def _list_operators(self) -> list[str]:
        """One host operates a validator, which judges none of its answers."""
        return ["host0", *(f"operator{index}" for index in range(1, len(AUDITORS)))]

    def _new_app_state(self, kept_blocks: int) -> dict[str, Any]:
        validators = [{"consensus_address_hex": signer.address.hex(), "operator": address_of(name)}
                      for signer, name in zip(self.signers, self._list_operators())]
        accounts = {address_of(name): FUNDS_UGRAD for name in self._list_names()} | {address_of(POOR): POOR_UGRAD}
        state = new_genesis(CHAIN_ID, validators, dict(sorted(accounts.items())))
        state["models"] = {"params": export_record(ModelParams(audit_price_ugrad_per_gma=AUDIT_PRICE))}
        state["audits"] = {"params": export_record(AuditParams(missed_max=8, missed_excluded_blocks=50,
                                                               wrong_excluded_blocks=50))}
        state["inference"] = {"params": export_record(InferenceParams(
            kept_blocks=kept_blocks, missed_max=3, request_price_ugrad=100, return_blocks=5))}
        state["sessions"] = {"params": export_record(SessionParams(
            close_blocks=6, show_blocks=6, session_blocks_max=1_000, kept_blocks=kept_blocks))}
        return state

    def _create_models(self, dice: random.Random) -> None:
        for index, hidden in enumerate(SHAPES):
            spec = self._new_spec(dice, index, hidden)
            escrow = compute_round_cost(spec)
            self.coins.give(address_of(CREATOR), -escrow)
            self.step([Intent(CREATOR, MsgCreateModel(creator=address_of(CREATOR), spec=spec,
                                                      escrow=coin_pb(base_coin(escrow))), succeeds=True)])

    def _new_spec(self, dice: random.Random, index: int, hidden: tuple[int, ...]) -> ModelSpec:
        table = new_rows(f"{self.seed}/{index}", 32, 8, FEATURES, CLASSES)
        spec = default_spec(f"model {index}", table.terms, dice.randbytes(32), hidden=hidden,
                            round_reward_ugrad=10**6, audit_price_ugrad_per_gma=AUDIT_PRICE)
        spec.inference.CopyFrom(draw_policy(dice, address_of(OWNER)))
        spec.inference.replicas_max = max(3, spec.inference.replicas_max)
        spec.audit.challenge_bond_ugrad = 5_000
        check_spec(spec)
        return spec

    def close(self) -> None:
        """Close the chain's database."""
        self.chain.database.close()

    def step(self, intents: list[Intent]) -> list[Event]:
        """One block of what somebody wants, and of what the proposer has from auditors; its events. Coins are checked,
        and the invariants."""
        self._height = self.chain.height
        before, commit = self.chain.ctx(self._height + 1), self.chain.last_commit(self.validators.list_absent())
        injected = self.chain.propose(self._list_votes(), self.validators.list_answers(), commit)
        if self.dice("proposer").random() < 0.1:
            injected = []
        intents = self._censor(intents)
        sent: Counter[str] = Counter()
        txs = []
        for intent in intents:
            txs.append(self.chain.sign(intent.name, intent.message, gas_limit=GAS_LIMIT, ahead=sent[intent.name]))
            sent[intent.name] += 1
        numbers = {name: self._read_number(name) for name in sent}
        results = self.chain.block(injected + txs, last_commit=commit)
        self.sent_bytes["injected"] += sum(map(len, injected))
        self.results = list(zip(intents, results[len(injected):], map(len, txs)))
        for name in sent:
            self.coins.give(address_of(name), FEE_UGRAD * (numbers[name] - self._read_number(name)))
            self.coins.house += FEE_UGRAD * (self._read_number(name) - numbers[name])
        for intent, result, _ in self.results:
            _check_result(intent, result)
        events = [event for result in results for event in result.events] + list(self.chain.events)
        self.coins.book(before, self.chain.ctx(), events)
        self.coins.check(self.chain.ctx())
        if self.chain.height % self.invariants_every == 0:
            broken = self.chain.check_invariants()
            assert broken == [], broken
        for event in events:
            if event.type == "audits.audit_closed":
                self.answers.forget_audit(bytes.fromhex(dict(event.attributes)["subject"]))
        return events

    def _list_votes(self) -> LastVotes:
        """What auditors have signed; at night hardly any, so that some answers stay undecided."""
        height, round_number, votes = self.validators.sign()
        is_night = self._height % DAY_BLOCKS >= DAY_BLOCKS - NIGHT_BLOCKS
        return height, round_number, votes[:AWAKE_AT_NIGHT] if is_night else votes

    def _read_number(self, name: str) -> int:
        account = self.chain.app.auth.find_account(self.chain.ctx(), new_test_key(name).address)
        return account.sequence if account else 0

    def _censor(self, intents: list[Intent]) -> list[Intent]:
        """Some proposers leave somebody out; never two in a row, because every phase spans more than one proposer."""
        dice = self.dice("censor")
        if self._height < len(SHAPES) or self._height % 2 or dice.random() > 0.3 or not intents:
            return intents
        name = dice.choice(intents).name
        return [intent for intent in intents if intent.name != name]

    def measure_state(self) -> Counter[str]:
        """Bytes of keys and values, by room."""
        sizes: Counter[str] = Counter()
        for room, key, value in self.chain.state():
            sizes[room] += len(key) + len(value)
        return sizes


def _check_result(intent: Intent, result: TxResult) -> None:
    said = f"{intent.name}, {intent.message.DESCRIPTOR.name}: {result.codespace}/{result.code} {result.log}"
    assert result.codespace != "internal", said
    assert intent.succeeds is None or (result.code == 0) == intent.succeeds, said
    assert intent.refusal in (None, (result.codespace, result.code)), f"{said}, not {intent.refusal}"
