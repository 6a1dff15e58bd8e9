"""The whole chain in one process, without an engine: one seed decides everything that happens.

Every draw comes from a generator of its own, named by seed, height and topic, so that a new kind of event does not
shift the others.
"""

import random
from pathlib import Path

from abci_app.runtime.validators import Misbehaviour
from abci_app.wire.coin import base_coin, coin_pb
from abci_app.wire.pb.gradus.models.v1.models_pb2 import MODEL_STATUS_OPEN, MODEL_STATUS_TRAINING
from abci_app.wire.pb.gradus.models.v1.tx_pb2 import MsgCreateModel, MsgFundModel
from tests.chain import BLOCK_NS, GENESIS_TIME_NS, PROPOSERS, VALIDATOR_POWER, Chain, address_of
from tests.sim.checks import Checks
from tests.sim.market import Intent, Markets
from tests.sim.noise import iter_garbage, iter_refused, spoil_evidence
from tests.sim.people import BEHAVIOURS, TRUSTWORTHY, Person
from tests.sim.terms import new_terms

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
        self.chain = Chain(folder, accounts=accounts)
        app = self.chain.app
        self.markets = Markets(app.models, app.work)
        trustworthy = frozenset(one.address for one in self.people if one.behaviour in TRUSTWORTHY)
        self.checks = Checks(self.markets, app.bank, app.rewards, trustworthy, app.bank.supply(self.chain.ctx()))
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
        views = self.checks.look(self.chain.ctx())
        injected = self._propose()
        intents = self._censor(self._intents())
        txs = self._sign(intents)
        noise = list(iter_garbage(self._dice("garbage"), txs)) + self._last_txs
        results = self.chain.block(injected + txs + noise, misbehaviour=self._misbehaviour())
        for intent, result in zip(intents, results[len(injected):]):
            if intent.succeeds is not None:
                assert (result.code == 0) == intent.succeeds, f"{intent}: {result.codespace}/{result.code} {result.log}"
        assert all(result.code != 0 for result in results[len(injected) + len(txs):]), "noise was taken"
        assert all(result.codespace != "internal" for result in results), [result.log for result in results]
        self._last_txs = txs[:2]
        events = [event for result in results for event in result.events] + list(self.chain.events)
        self.checks.check_block(views, self.chain.ctx(), events)

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
        return intents

    def _creations(self) -> list[Intent]:
        """New models, and coins for models that have run dry."""
        dice, ctx = self._dice("models"), self.chain.ctx()
        models = self.markets.models(ctx)
        intents = []
        live = [model for model in models if model.status in (MODEL_STATUS_OPEN, MODEL_STATUS_TRAINING)]
        if len(live) < MODELS_MAX and dice.random() < (0.5 if not live else 0.1):
            spec, table = new_terms(dice, f"model {len(models) + 1}", [one.address for one in self.people])
            self.markets.rows.add(table)
            escrow = spec.economy.round_reward_ugrad * dice.randint(1, 6)
            intents.append(Intent("creator", MsgCreateModel(creator=address_of("creator"), spec=spec,
                                                            escrow=coin_pb(base_coin(escrow))), succeeds=True))
        for model in live:
            reward = model.spec.economy.round_reward_ugrad
            if model.escrow_ugrad < reward and dice.random() < 0.2:
                amount = coin_pb(base_coin(reward * dice.randint(1, 5)))
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

    def _propose(self) -> list[bytes]:
        """The head of the block: all evidence, some, none, or some that is spoilt and must do nothing."""
        dice, evidence = self._dice("proposer"), self.chain.propose(self.markets.rows)
        assert self.chain.accepts(evidence), "honest evidence is refused"
        way = dice.random()
        if way < 0.25:
            evidence = []
        elif way < 0.5:
            evidence = evidence[:dice.randint(0, len(evidence))]
        if evidence and dice.random() < 0.2:
            spoilt = spoil_evidence(dice, dice.choice(evidence))
            assert not self.chain.accepts([spoilt]), "spoilt evidence is accepted"
            evidence.insert(dice.randint(0, len(evidence)), spoilt)
        if evidence and dice.random() < 0.1:
            evidence.append(evidence[0])
        return evidence

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
