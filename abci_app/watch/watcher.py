"""The watcher's loop: replay what others claim, challenge what is wrong, and play every dispute of its key to the end.

A step replays one unit at most, the one whose window closes first, and then makes the moves that are due, so that no
replay costs a dispute. What a restart needs is in the journal and on the chain.
"""

import time
from collections.abc import Callable, Iterator, Sequence

from abci_app.client.chain import ChainClient
from abci_app.client.errors import ClientError, FeeTooHigh, NodeRefused, ProofInvalid, TimedOut, TxRefused
from abci_app.client.send import Sender
from abci_app.data.errors import DataError
from abci_app.runtime.contract import is_disputable
from abci_app.units.events import Event, Report
from abci_app.watch.bond import find_bond_ugrad
from abci_app.watch.game import is_claimed
from abci_app.watch.journal import Journal
from abci_app.watch.player import Player
from abci_app.watch.source import ReplaySource
from abci_app.wire.coin import base_coin, coin_pb
from abci_app.wire.pb.gradus.disputes.v1.tx_pb2 import MsgChallenge
from abci_app.wire.pb.gradus.models.v1.models_pb2 import Model
from abci_app.wire.pb.gradus.work.v1.work_pb2 import UNIT_STATUS_ACCEPTED, Round, Unit
from kernels.errors import KernelInputError

POLL_S = 0.2
POLL_S_MAX = 1.0
BACKOFF_S = 0.5
BACKOFF_S_MAX = 8.0
DATASET_RETRY_S = 5.0


class Watcher:
    """One watcher of some models or of all; with a sender it has a key, and plays."""

    def __init__(self, chain: ChainClient, source: ReplaySource, journal: Journal, *, models: Sequence[int] = (),
                 sender: Sender | None = None, challenges: bool = False, report: Report = lambda event: None,
                 sleep: Callable[[float], None] = time.sleep) -> None:
        """models: ids; empty: all whose dataset is here. challenges: whether to open disputes, which needs a sender."""
        self.chain, self.source, self.journal, self.report, self.sleep = chain, source, journal, report, sleep
        self.models, self.sender, self.challenges = tuple(models), sender, challenges and sender is not None
        self.player = None if sender is None else Player(chain, sender, source, report)
        self.is_stopping = False
        self._told: dict[tuple[int, ...], str] = {}
        self._lacking: dict[int, float] = {}
        self._done: dict[int, int] = {}
        self._over: dict[tuple[int, int], None] = {}

    def run(self) -> None:
        """Work until stop() is called, and behind it until no dispute of the key is open: who leaves one loses it."""
        pause, backoff = POLL_S, BACKOFF_S
        while not self.is_stopping or (self.player is not None and self.player.is_bound):
            try:
                pause = POLL_S if self.step() else min(1.5 * pause, POLL_S_MAX)
                backoff = BACKOFF_S
                self.sleep(pause)
                continue
            except ClientError as error:
                what = "refused" if isinstance(error, (ProofInvalid, FeeTooHigh)) else "waiting"
                self.report(Event(what, {"problem": error.text + self._describe_stake(error)}))
                getattr(self.chain.node, "move_on", lambda: None)()
            except OSError as error:
                self.report(Event("waiting", {"problem": str(error)}))
            self.sleep(backoff)
            backoff = min(2 * backoff, BACKOFF_S_MAX)

    def _describe_stake(self, error: ClientError) -> str:
        """What is lost where nothing can be sent because a node asks more than is paid, and what to do."""
        if not isinstance(error, FeeTooHigh):
            return ""
        is_bound = self.player is not None and self.player.is_bound
        stake = "; a dispute is open, and WHOEVER DOES NOT MOVE LOSES it" if is_bound else ""
        return f"{stake}; to pay it, start again with a larger --gas-price-max-ppm"

    def stop(self) -> None:
        """Replay and challenge nothing more; run() returns when no dispute of the key is open."""
        self.is_stopping = True

    def step(self) -> bool:
        """Replay one unit, challenge what is wrong, move where a move is due. True when anything was done."""
        did = False if self.is_stopping else self._watch()
        return (self.player is not None and self.player.step()) or did

    def _watch(self) -> bool:
        """Challenge one wrong unit, or else replay the next one. True when either was done."""
        units = sorted(self._iter_units(), key=lambda pair: (pair[0].settle_height, pair[0].model_id, pair[1].index))
        wrong = [(owner, unit) for owner, unit in units if self.journal.find(owner, unit) is False]
        if self.challenges and any([self._challenge(owner, unit) for owner, unit in wrong if not unit.disputed]):
            return True
        return any(self._replay(owner, unit) for owner, unit in units if self.journal.find(owner, unit) is None)

    def _iter_units(self) -> Iterator[tuple[Round, Unit]]:
        """Units of others that can still be challenged and are not known to be right."""
        for model in self._iter_models():
            for number in self._list_open(model):
                dealing = self.chain.find_round(model.id, number)
                owner = None if dealing is None else dealing.round
                if owner is None and number > model.rounds_closed - model.spec.training.kept_rounds:
                    continue  # a node that is behind
                units: list[tuple[Round, Unit]] = []
                if owner is not None and dealing is not None and not owner.settled_height:
                    units = [(owner, unit) for unit in dealing.units if self._is_watched(owner, unit)]
                if not units:
                    self._end_round(model, number)
                yield from units

    def _list_open(self, model: Model) -> list[int]:
        """Closed rounds in which there may be something to watch, the latest first.

        Rounds are not settled in their order: a dispute, even one of a cheat with itself, holds up an early one.
        """
        if model.id not in self._done:
            self._done[model.id] = self._find_first(model) - 1
        numbers = range(model.rounds_closed, self._done[model.id], -1)
        return [number for number in numbers if (model.id, number) not in self._over]

    def _find_first(self, model: Model) -> int:
        """The earliest round that may not be settled: of those that the contract keeps, or held open by disputes."""
        kept = max(0, model.rounds_closed - model.spec.training.kept_rounds) + 1
        disputed = [dispute.round for dispute in self.chain.iter_disputes(model.id)]
        return min([kept, *disputed, *(ended.round for ended in self.chain.iter_ended_disputes(model.id))])

    def _iter_models(self) -> Iterator[Model]:
        """Those of which units can be challenged."""
        models = map(self.chain.get_model, self.models) if self.models else self.chain.iter_models()
        for model in models:
            if is_disputable(model.spec):
                yield model
            else:
                self._skip((model.id,), f"model {model.id} is a decoder, whose units audits alone judge")

    def _is_watched(self, owner: Round, unit: Unit) -> bool:
        is_own = self.sender is not None and unit.trainer == self.sender.key.bech32
        return unit.status == UNIT_STATUS_ACCEPTED and not is_own and not self.journal.find(owner, unit)

    def _end_round(self, model: Model, number: int) -> None:
        """A closed round is settled, or all its claims are known to be right: there is nothing to watch any more."""
        done = before = self._done[model.id]
        self._over[model.id, number] = None
        while (model.id, done + 1) in self._over:
            done += 1
            del self._over[model.id, done]
        self._done[model.id] = done
        if done > before:  # what is still kept may be asked for again by the next process
            self.journal.drop_before(model.id, min(done, model.rounds_closed - model.spec.training.kept_rounds) + 1)
            self.source.forget_settled()

    def _replay(self, owner: Round, unit: Unit) -> bool:
        """Compute one unit and note whether its claim is right. False when that cannot be done here."""
        place, began = (owner.model_id, owner.number, unit.index), time.monotonic()
        if began < self._lacking.get(owner.model_id, began):
            return False
        try:
            is_right = is_claimed(self.source.open_unit(owner, unit))
        except DataError as error:
            self._lacking[owner.model_id] = began + DATASET_RETRY_S
            return self._skip((owner.model_id,), f"model {owner.model_id}: {error}; {error.hint}")
        except (KernelInputError, NodeRefused, ProofInvalid) as error:
            return self._skip(place, f"unit {unit.index} of round {owner.number} of model {owner.model_id} cannot be "
                                     f"replayed: {error}")
        self.report(Event("replayed", {**_fields(owner, unit), "found": "right" if is_right else "wrong",
                                       "milliseconds": int(1000 * (time.monotonic() - began))}))
        self.journal.put(owner, unit, is_right)
        if not is_right and self.challenges:
            self.source.keep(owner)
        return True

    def _challenge(self, owner: Round, unit: Unit) -> bool:
        """Open a dispute with the contract's bond. False when the chain refuses."""
        if self.sender is None or not self.source.is_claim_signed(unit):
            return False
        spec = self.source.get_spec(owner)
        bond_ugrad = find_bond_ugrad(self.chain, spec, owner.model_id, owner.number, unit.index)
        message = MsgChallenge(challenger=self.sender.key.bech32, model_id=owner.model_id, round=owner.number,
                               unit=unit.index, bond=coin_pb(base_coin(bond_ugrad)))
        try:
            sent = self.sender.send([message], timeout_height=owner.settle_height)
        except (TxRefused, TimedOut) as error:
            return self._skip((owner.model_id, owner.number, unit.index), error.text)
        self.report(Event("challenged", {**_fields(owner, unit), "bond_ugrad": bond_ugrad, "height": sent.height}))
        return True

    def _skip(self, key: tuple[int, ...], problem: str) -> bool:
        """Tell once why something is left out. False, for nothing was done."""
        if self._told.get(key) != problem:
            self._told[key] = problem
            self.report(Event("skipped", {"problem": problem}))
        return False


def _fields(owner: Round, unit: Unit) -> dict[str, int | str]:
    return {"model_id": owner.model_id, "round": owner.number, "unit": unit.index, "claimant": unit.trainer}
