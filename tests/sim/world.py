"""The whole chain in one process, without an engine: one seed decides everything that happens.

Every draw comes from a generator of its own, named by seed, height and topic, so that a new kind of event does not
shift the others.
"""

import random
from pathlib import Path

from abci_app.runtime.contract import compute_round_cost
from abci_app.runtime.validators import FLAG_COMMIT, LastCommit, Misbehaviour
from abci_app.wire.coin import base_coin, coin_pb
from abci_app.wire.pb.gradus.audits.v1.audits_pb2 import Audit
from abci_app.wire.pb.gradus.models.v1.models_pb2 import MODEL_STATUS_OPEN, MODEL_STATUS_TRAINING
from abci_app.wire.pb.gradus.models.v1.tx_pb2 import MsgCreateModel, MsgFundModel
from abci_app.wire.pb.gradus.rewards.v1.tx_pb2 import MsgBack, MsgUnback
from tests.auditors import Auditors
from tests.chain import BLOCK_NS, GENESIS_TIME_NS, PROPOSERS, VALIDATOR_POWER, Chain, address_of
from tests.sim.checks import Checks
from tests.sim.market import Intent, Markets
from tests.sim.noise import iter_garbage, iter_refused, spoil_injected
from tests.sim.people import BEHAVIOURS, TRUSTWORTHY, Person
from tests.sim.terms import new_terms
from tests.sim.validators import Validators, new_behaviours

FUNDS_UGRAD = 10**12
MODELS_MAX = 4


class SimulationFailed(Exception):
    """Something that must always be true was not. Says where, and how to get there again."""

    def __init__(self, seed: int, height: int, cause: BaseException) -> None:
        super().__init__(f"seed {seed}, height {height}: {type(cause).__name__}: {cause}\n"
                         f"again: python -m tests.sim --seed {seed} --blocks {height}")


class World:
    """A chain and the people on it."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.seed = seed
        dice = self._dice("people")
        count = dice.randint(5, 9)
        self.people = [Person(f"trainer{index}", dice.choice(BEHAVIOURS)) for index in range(count)]
        self.people += [Person("trainer-a", "honest"), Person("trainer-b", "honest")]
        accounts = {name: FUNDS_UGRAD for name in ("creator", "mallory", "user", *(one.name for one in self.people))}
        self.chain = Chain(folder, accounts=accounts, block_reward_ugrad=dice.choice((0, 0, 1_000, 70_001)))
        app = self.chain.app
        self.markets = Markets(app.models, app.work)
        self.validators = Validators(new_behaviours(dice), self._dice)
        self.auditors = Auditors(self.chain, self._find_answer, self.validators.choose)
        trustworthy = frozenset(one.address for one in self.people if one.behaviour in TRUSTWORTHY)
        honest = frozenset(address.hex().upper() for address in PROPOSERS
                           if self.validators.behaviours[address] == "honest")
        self.checks = Checks(self.markets, app.bank, app.rewards, trustworthy, honest,
                             app.bank.supply(self.chain.ctx()))
        self._last_txs: list[bytes] = []
        self._censored_last = False

    def close(self) -> None:
        """Close the chain's database."""
        self.chain.database.close()

    def run(self, blocks: int) -> list[bytes]:
        """Run so many blocks; the app hash after each. Raises SimulationFailed."""
        hashes = []
        for _ in range(blocks):
            height = self.chain.height + 1
            try:
                self.step()
            except Exception as error:
                raise SimulationFailed(self.seed, height, error) from error
            hashes.append(self.chain.app_hash)
        return hashes

    def step(self) -> None:
        """One block: what everybody wants, what the proposer makes of it, and what must be true afterwards."""
        before, commit = self.checks.look(self.chain.ctx()), self.chain.last_commit(self.validators.list_absent())
        injected = self._propose(commit)
        intents = self._censor(self._intents())
        txs = self._sign(intents)
        noise = list(iter_garbage(self._dice("garbage"), txs)) + self._last_txs
        results = self.chain.block(injected + txs + noise, misbehaviour=self._misbehaviour(), last_commit=commit)
        for intent, result in zip(intents, results[len(injected):]):
            if intent.succeeds is not None:
                assert (result.code == 0) == intent.succeeds, f"{intent}: {result.codespace}/{result.code} {result.log}"
        assert all(result.code != 0 for result in results[len(injected) + len(txs):]), "noise was taken"
        assert all(result.codespace != "internal" for result in results), [result.log for result in results]
        self._last_txs = txs[:2]
        events = [event for result in results for event in result.events] + list(self.chain.events)
        self.checks.check_block(before, self.chain.ctx(), events)

    def _find_answer(self, audit: Audit) -> bytes:
        return self.markets.find_answer(self.chain.ctx(), audit)

    def _dice(self, topic: str) -> random.Random:
        height = self.chain.height if hasattr(self, "chain") else 0
        return random.Random(f"{self.seed}/{height}/{topic}")

    def _intents(self) -> list[Intent]:
        """What everybody sends."""
        ctx, intents = self.chain.ctx(), self._creations()
        for person in self.people:
            intents += list(person.act(ctx, self.markets, self._dice(person.name)))
        intents += [Intent("mallory", message, succeeds=False)
                    for message in iter_refused(self._dice("refused"), "mallory")]
        dice = self._dice("transfers")
        if dice.random() < 0.3:
            recipient = dice.choice(self.people).name
            intents.append(Intent("user", self.chain.send_msg("user", recipient, dice.randint(1, 999)), succeeds=True))
        return intents + self._backings()

    def _backings(self) -> list[Intent]:
        """Coins behind models, by which they earn of what the chain emits; and some of them taken back."""
        dice, models = self._dice("backings"), self.markets.models(self.chain.ctx())
        if not models or dice.random() > 0.1:
            return []
        kind = MsgBack if dice.random() < 0.7 else MsgUnback
        return [Intent("user", kind(owner=address_of("user"), model_id=dice.choice(models).id,
                                    amount=coin_pb(base_coin(dice.randint(1, 10**6)))))]

    def _creations(self) -> list[Intent]:
        """New models, and coins for models that have run dry."""
        dice, ctx = self._dice("models"), self.chain.ctx()
        models = self.markets.models(ctx)
        intents = []
        live = [model for model in models if model.status in (MODEL_STATUS_OPEN, MODEL_STATUS_TRAINING)]
        if len(live) < MODELS_MAX and dice.random() < (0.5 if not live else 0.1):
            spec, table = new_terms(dice, f"model {len(models) + 1}", [one.address for one in self.people])
            self.markets.add(table)
            escrow = compute_round_cost(spec) * dice.randint(1, 6)
            intents.append(Intent("creator", MsgCreateModel(creator=address_of("creator"), spec=spec,
                                                            escrow=coin_pb(base_coin(escrow))), succeeds=True))
        for model in live:
            cost = compute_round_cost(model.spec)
            if model.escrow_ugrad < cost and dice.random() < 0.2:
                amount = coin_pb(base_coin(cost * dice.randint(1, 5)))
                intents.append(Intent("creator", MsgFundModel(sender=address_of("creator"), model_id=model.id,
                                                              amount=amount), succeeds=True))
        return intents

    def _censor(self, intents: list[Intent]) -> list[Intent]:
        """Some proposers leave somebody out; never two in a row, because every phase spans more than one proposer."""
        dice = self._dice("censor")
        self._censored_last = not self._censored_last and dice.random() < 0.2
        if not self._censored_last or not intents:
            return intents
        name = dice.choice(intents).name
        return [intent for intent in intents if intent.name != name]

    def _sign(self, intents: list[Intent]) -> list[bytes]:
        sent: dict[str, int] = {}
        txs = []
        for intent in intents:
            txs.append(self.chain.sign(intent.name, intent.message, ahead=sent.get(intent.name, 0)))
            sent[intent.name] = sent.get(intent.name, 0) + 1
        return txs

    def _propose(self, commit: LastCommit) -> list[bytes]:
        """The head of the block: all votes and answers, some, none, or some that are spoilt and must do nothing."""
        dice, injected = self._dice("proposer"), self._collect(commit)
        assert self.chain.accepts(injected, commit), "honest votes are refused"
        way = dice.random()
        if way < 0.15:
            injected = []
        elif way < 0.3:
            injected = injected[:1]
        if injected and dice.random() < 0.2:
            spoilt = spoil_injected(dice, dice.choice(injected))
            assert not self.chain.accepts([spoilt], commit), "spoilt votes are accepted"
            injected.insert(dice.randint(0, len(injected)), spoilt)
        if injected and dice.random() < 0.1:
            injected.append(injected[0])
        return injected

    def _collect(self, commit: LastCommit) -> list[bytes]:
        """What a proposer has of the validators that signed, and the answers, which somebody always knows."""
        height, round_number, votes = self.auditors.sign()
        signed = [vote.address for vote in commit.votes if vote.flag == FLAG_COMMIT]
        kept = tuple(vote for vote in votes if vote[0] in signed)
        return self.chain.propose((height, round_number, kept), self.auditors.answers(), commit)

    def _misbehaviour(self) -> tuple[Misbehaviour, ...]:
        """What the block's evidence proves, in some blocks: of some validators, again, of strangers, too old."""
        dice, height = self._dice("misbehaviour"), self.chain.height + 1
        if dice.random() > 0.04:
            return ()
        entries = []
        for _ in range(dice.randint(1, 4)):
            proved_height = max(0, height - dice.choice((0, 1, 1, 7, 60)))
            address = dice.choice((*PROPOSERS, bytes(20)))
            entries.append(Misbehaviour(dice.randint(0, 2), address, proved_height,
                                        GENESIS_TIME_NS + BLOCK_NS * proved_height, VALIDATOR_POWER,
                                        len(PROPOSERS) * VALIDATOR_POWER))
        return tuple(entries + entries[:dice.randint(0, 1)])

    def events_seen(self) -> dict[str, int]:
        """How often each event, verdict and reason for a slash has been seen."""
        return dict(sorted(self.checks.seen.items()))
