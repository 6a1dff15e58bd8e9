"""The whole chain in one process, without an engine: one seed decides everything that happens.

Every draw comes from a generator of its own, named by seed, height and topic, so that a new kind of event does not
shift the others.
"""

import random
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from abci_app.runtime.validators import FLAG_COMMIT, LastCommit, Misbehaviour
from abci_app.wire.coin import base_coin, coin_pb
from abci_app.wire.pb.gradus.rewards.v1.tx_pb2 import MsgBack, MsgUnback
from abci_app.wire.pb.gradus.work.v1.tx_pb2 import MsgEnroll
from tests.chain import BLOCK_NS, GENESIS_TIME_NS, VALIDATOR_POWER, Chain, address_of
from tests.sim.admins import CREATOR, HEIR, Admins
from tests.sim.checks import Checks
from tests.sim.duels import GRIEFER, WATCHER, Duels
from tests.sim.inference.answers import Answers
from tests.sim.inference.trade import Looked, list_names, new_trade
from tests.sim.market import Intent, Markets
from tests.sim.noise import iter_garbage, iter_refused, spoil_injected
from tests.sim.params import ChainParams, new_params
from tests.sim.people import BEHAVIOURS, TRUSTWORTHY, Person
from tests.sim.validators import Validators, new_behaviours

FUNDS_UGRAD = 10**13
GAS_LIMIT = 3_000_000  # or GAS_PER_BYTE, where a message is so large that it needs more
GAS_PER_BYTE = 12


class SimulationFailed(Exception):
    """Something that must always be true was not. Says where, and how to get there again."""

    def __init__(self, seed: int, height: int, cause: BaseException) -> None:
        super().__init__(f"seed {seed}, height {height}: {type(cause).__name__}: {cause}\n"
                         f"again: python -m tests.sim --seed {seed} --blocks {height}")


class World:
    """A chain and the people on it."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.seed, self._height = seed, 0
        dice = self._dice("people")
        self.people = [Person(f"trainer{index}", dice.choice(BEHAVIOURS)) for index in range(dice.randint(5, 9))]
        self.people += [Person("trainer-a", "honest"), Person("trainer-b", "honest")]
        self.params = self._new_params()
        self._bounds = self.params.apply_bounds()
        self.chain = Chain(folder, app_state=self.params.app_state, powers=self.params.powers,
                           signers=self.params.signers)
        app = self.chain.app
        self.markets = Markets(app, Answers(app))
        trainers = [one.address for one in self.people]
        trustworthy = frozenset(one.address for one in self.people if one.behaviour in TRUSTWORTHY)
        names = {address_of(name): name for name in self._list_names()}
        behaviours = new_behaviours(self._dice("validators"), self.params.signers)
        self.validators = Validators(
            self.chain, self.markets, behaviours,
            frozenset(one.address for one in self.people if one.behaviour == "collude"), self._dice)
        self.admins = Admins(self.markets, trainers)
        self.duels = Duels(self.markets, names, trustworthy, self._dice)
        self.checks = Checks(
            self.markets, self.validators, self.duels, {one.address: one.behaviour for one in self.people},
            trustworthy, app.bank.supply(self.chain.ctx()))
        self.trade = new_trade(self.markets.inference, seed, self._dice, [one.name for one in self.people])
        self._last_txs: list[bytes] = []
        self._censored_last = False

    def _list_names(self) -> list[str]:
        people = [one.name for one in self.people]
        return [CREATOR, HEIR, WATCHER, GRIEFER, "mallory", "user", *people, *list_names()]

    def _new_params(self) -> ChainParams:
        return new_params(self._dice("params"), dict.fromkeys(self._list_names(), FUNDS_UGRAD),
                          [*(one.name for one in self.people), "host0"])

    def close(self) -> None:
        """Close the chain's database, and let blocks bear what they bear again."""
        self._bounds.close()
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
        self._height = self.chain.height
        before, commit = self.checks.look(self.chain.ctx()), self.chain.last_commit(self.validators.list_absent())
        looked = self.trade.look(self.chain.ctx(), self.chain.ctx(self.chain.height + 1))
        injected = self._propose(commit)
        intents = self._censor(self._list_intents(looked))
        txs = self._sign(intents)
        noise = list(iter_garbage(self._dice("garbage"), txs)) + self._last_txs
        results = self.chain.block(injected + txs + noise, misbehaviour=self._misbehaviour(), last_commit=commit)
        for intent, result in zip(intents, results[len(injected):]):
            said = f"{intent}: {result.codespace}/{result.code} {result.log}"
            assert intent.succeeds is None or (result.code == 0) == intent.succeeds, said
            assert intent.refusal in (None, (result.codespace, result.code)), said
        assert all(result.code != 0 for result in results[len(injected) + len(txs):]), "noise was taken"
        assert all(result.codespace != "internal" for result in results), [result.log for result in results]
        self._last_txs = txs[:2]
        events = [event for result in results for event in result.events] + list(self.chain.events)
        self.checks.supply -= self.trade.count_burnt(looked, self.chain.ctx(), events)
        self.checks.check_block(before, self.chain.ctx(), events)
        self.trade.check_block(looked, self.chain.ctx(), events)

    def _dice(self, topic: str) -> random.Random:
        return random.Random(f"{self.seed}/{self._height}/{topic}")

    def _list_intents(self, looked: Looked) -> list[Intent]:
        """What everybody sends, who asks models first.

        Who enrols with a contract that its admin changes in the same block may be refused.
        What may be refused comes last: where that is before the account's number is used up, what follows has the
        wrong one.
        """
        acts = list(self.admins.iter_intents(self.chain.ctx(), self._dice("models")))
        changed = [getattr(intent.message, "model_id", 0) for intent in acts]
        intents = [*self.trade.iter_asks(self.chain.ctx(), looked), *acts,
                   *self.trade.iter_answers(self.chain.ctx(), looked, changed)]
        for intent in self._iter_others():
            is_open = isinstance(intent.message, MsgEnroll) and intent.message.model_id in changed
            intents.append(replace(intent, succeeds=None) if is_open and intent.name != "mallory" else intent)
        return sorted(intents, key=_may_spare_its_number)  # the order of the others stays

    def _iter_others(self) -> Iterator[Intent]:
        """What all but the admins send."""
        ctx = self.chain.ctx()
        for person in self.people:
            yield from person.act(ctx, self.markets, self._dice(person.name))
        yield from self.duels.iter_intents(self.chain.ctx(self.chain.height + 1))
        for message in iter_refused(self._dice("refused"), "mallory"):
            yield Intent("mallory", message, succeeds=False)
        dice = self._dice("transfers")
        if dice.random() < 0.3:
            recipient = dice.choice(self.people).name
            yield Intent("user", self.chain.send_msg("user", recipient, dice.randint(1, 999)), succeeds=True)
        yield from self._iter_backings()

    def _iter_backings(self) -> Iterator[Intent]:
        """Coins behind models, by which they earn of what the chain emits; and some of them taken back."""
        dice, models = self._dice("backings"), self.markets.models(self.chain.ctx())
        if models and dice.random() < 0.3:
            kind = MsgBack if dice.random() < 0.7 else MsgUnback
            yield Intent("user", kind(owner=address_of("user"), model_id=dice.choice(models).id,
                                      amount=coin_pb(base_coin(dice.randint(1, 10**6)))))

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
            gas_limit = max(GAS_LIMIT, GAS_PER_BYTE * intent.message.ByteSize())
            txs.append(self.chain.sign(intent.name, intent.message, gas_limit=gas_limit,
                                       ahead=sent.get(intent.name, 0)))
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
        height, round_number, votes = self.validators.sign()
        signed = [vote.address for vote in commit.votes if vote.flag == FLAG_COMMIT]
        kept = tuple(vote for vote in votes if vote[0] in signed)
        return self.chain.propose((height, round_number, kept), self.validators.list_answers(), commit)

    def _misbehaviour(self) -> tuple[Misbehaviour, ...]:
        """What the block's evidence proves, in some blocks: of some validators, again, of strangers, too old."""
        dice, height = self._dice("misbehaviour"), self.chain.height + 1
        if dice.random() > 0.01:
            return ()
        entries = []
        addresses = [signer.address for signer in self.params.signers]
        for _ in range(dice.randint(1, 4)):
            proved_height = max(0, height - dice.choice((0, 1, 1, 7, 60)))
            entries.append(Misbehaviour(dice.randint(0, 2), dice.choice((*addresses, bytes(20))), proved_height,
                                        GENESIS_TIME_NS + BLOCK_NS * proved_height, VALIDATOR_POWER,
                                        len(addresses) * VALIDATOR_POWER))
        return tuple(entries + entries[:dice.randint(0, 1)])

    def events_seen(self) -> dict[str, int]:
        """How often each event, verdict and reason for a slash has been seen."""
        return dict(sorted((self.checks.seen + self.trade.seen).items()))


def _may_spare_its_number(intent: Intent) -> bool:
    """Whether it may be refused before its account's number is used up."""
    return intent.succeeds is None or not intent.succeeds and intent.name in (CREATOR, HEIR)
