"""The miner's loop: enrol, take units, compute, commit, reveal, earn.

A step asks the chain where things stand and does the one thing that is due; nothing else is remembered but the journal,
so a miner that was killed between any two steps goes on where it was. All figures that it reports are the chain's.

Three rules keep an honest miner's bond whole. A claim is in the journal before its commitment is sent, and its salt is
derived from the key, so that what was committed can always be revealed. And a commitment names the attempt of the round
that it was computed for, so that the chain refuses it when the round was dealt again, for which it would be wrong.
And what is committed is revealed: until the chain's record says that it is, or that its deadline has passed, no answer
of a node, no refusal and no fault here ends the miner or makes it give the unit up.
"""

import hmac
import time
from collections.abc import Callable
from contextlib import suppress

from google.protobuf.message import Message

from abci_app.client.chain import ChainClient, Dealing, compute_earned
from abci_app.client.errors import ClientError, FeeTooHigh, ProofInvalid, TxRefused
from abci_app.client.keys import Key
from abci_app.client.send import GAS_PRICE_PPM_MAX, Sender, Sleep, is_error
from abci_app.client.words import enum_word
from abci_app.data.errors import DataError
from abci_app.data.store import DatasetStore
from abci_app.miner.behaviour import Behaviour, make_claim
from abci_app.miner.commitment import compute_commitment, new_reveal, split_payload
from abci_app.miner.errors import MinerStopped
from abci_app.miner.journal import Entry, Journal
from abci_app.miner.preflight import (
    FEES_UGRAD, check_behaviour, check_dataset, check_fees, check_funds, check_model, is_live,
)
from abci_app.miner.reasons import describe_absence, describe_slash, describe_wait
from abci_app.runtime.contract import LIVE_STATUSES
from abci_app.units.events import Event, Report
from abci_app.units.source import SignedRecords, UnitSource, open_dataset
from abci_app.watch.kept import KeptRounds
from abci_app.watch.player import Player
from abci_app.watch.source import ReplaySource
from abci_app.wire.coin import base_coin, coin_pb
from abci_app.wire.errors import InsufficientFunds, TxTimeoutHeight, UnknownAddress
from abci_app.wire.ints import u32_bytes
from abci_app.wire.pb.gradus.models.v1.models_pb2 import Model
from abci_app.wire.pb.gradus.work.v1.tx_pb2 import MsgCommitWork, MsgEnroll
from abci_app.wire.pb.gradus.work.v1.work_pb2 import (
    ROUND_PHASE_COMMIT, ROUND_PHASE_REVEAL, ROUND_PHASE_WAITING, TRAINER_STATUS_ACTIVE, TRAINER_STATUS_SLASHED,
    UNIT_STATUS_ASSIGNED, UNIT_STATUS_COMMITTED, Round, RoundPhase, Trainer, Unit, UnitStatus,
)
from abci_app.wire.seed import hash_fields
from abci_app.x.work import errors as work_errors
from kernels.errors import KernelInputError

POLL_S = 0.2
POLL_S_MAX = 1.0
BACKOFF_S = 0.5
BACKOFF_S_MAX = 8.0
BOUND_PAUSE_S_MAX = 0.5
DATASET_RETRY_S = 5.0
JOURNAL_ROUNDS = 8
LATE = (work_errors.RoundNotFound, work_errors.AttemptOver, work_errors.PhaseNotCommit, work_errors.PhaseNotReveal,
        work_errors.UnitNotFound, work_errors.UnitNotAssigned, work_errors.UnitNotCommitted, TxTimeoutHeight)
DONE = (work_errors.UnitCommitted, work_errors.UnitRevealed, work_errors.TrainerActive)


class Miner:
    """One key at work for one model."""

    def __init__(self, chain: ChainClient, key: Key, model_id: int, store: DatasetStore, journal: Journal, *,
                 behaviour: Behaviour = Behaviour.HONEST, tops_up: bool = False, report: Report = lambda event: None,
                 sleep: Sleep = time.sleep, gas_price_ppm_max: int = GAS_PRICE_PPM_MAX,
                 signed: SignedRecords | None = None) -> None:
        """tops_up: whether to put up again what a slash has taken from the bond. gas_price_ppm_max: the most to pay.
        signed: what rounds are believed by before anything is committed; None: the nodes' word."""
        self.chain, self.key, self.model_id, self.store, self.journal = chain, key, model_id, store, journal
        self.behaviour, self.tops_up, self.report, self.sleep = behaviour, tops_up, report, sleep
        self.sender = Sender(chain, key, sleep=sleep, gas_price_ppm_max=gas_price_ppm_max)
        self.is_draining = False
        self._model: Model | None = None
        self._terms_version = 0
        self._source = UnitSource(chain, store, signed)
        self._replays = ReplaySource(chain, self._source, KeptRounds(journal.folder / "weights"))
        is_honest = behaviour is Behaviour.HONEST
        self._player = Player(chain, self.sender, self._replays, report, model_id) if is_honest else None
        self._sent: dict[tuple[bytes, int], int] = {}
        self._told: tuple[object, ...] = ()
        self._problems: dict[tuple[bytes, int], tuple[str, str]] = {}
        self._remade: dict[tuple[bytes, int], Entry] = {}
        self._is_idle = False
        self._is_bound = False
        self._due_height = 0
        self._data_retry_at = 0.0

    def check(self) -> None:
        """Everything that must be there before the first step. Raises MinerStopped."""
        check_behaviour(self.behaviour, self.chain.chain_id())
        self._model = check_model(self.chain, self.model_id)
        check_dataset(self.store, self._model)
        trainer = self.chain.find_trainer(self.model_id, self.key.bech32)
        if trainer is None or trainer.status != TRAINER_STATUS_ACTIVE:
            self._compute_bond(trainer)

    def run(self) -> None:
        """Work until the model is trained and no unit can be challenged any more, or drain() was called and nothing is
        left to reveal or to answer. Raises MinerStopped, but not while a unit is committed or disputed: what stops the
        miner may pass before the deadline."""
        pause, backoff = POLL_S, BACKOFF_S
        while True:
            try:
                is_moving = self.step()
                pause, backoff = POLL_S if is_moving else min(1.5 * pause, POLL_S_MAX), BACKOFF_S
                if self._is_over():
                    return
                self.sleep(min(pause, BOUND_PAUSE_S_MAX) if self._is_bound else pause)
                continue
            except ClientError as error:
                what = "refused" if isinstance(error, (ProofInvalid, FeeTooHigh)) else "waiting"
                stake = self._describe_stake() if isinstance(error, FeeTooHigh) else ""
                self.report(Event(what, {"problem": error.text + stake}))
                self._move_on()
            except MinerStopped as error:
                if not self._is_bound:
                    raise
                self.report(Event("waiting", {"problem": error.text}))
            self.sleep(min(backoff, BOUND_PAUSE_S_MAX) if self._is_bound else backoff)
            backoff = min(2 * backoff, BACKOFF_S_MAX)

    def _describe_stake(self) -> str:
        """What is lost when nothing can be sent because a node asks more than this miner pays, and what to do."""
        stakes = [f"what is committed must be REVEALED BY BLOCK {self._due_height}, or a part of the bond is lost"] \
            if self._due_height else []
        if self._player is not None and self._player.is_bound:
            stakes.append("a dispute of a unit is open, and WHOEVER DOES NOT MOVE LOSES it")
        return "".join(f"; {stake}" for stake in stakes) + "; to pay it, start again with a larger --gas-price-max-ppm"

    def _move_on(self) -> None:
        """Ask another node from now on, where there is one."""
        getattr(self.chain.node, "move_on", lambda: None)()

    def drain(self) -> None:
        """Commit to nothing new; run() returns when what is committed is revealed or lost, and no dispute is open."""
        self.is_draining = True

    def step(self) -> bool:
        """Do what is due now. True when something was done or has changed since the last step."""
        dealing = self.chain.assignments(self.model_id, self.key.bech32)
        trainer, running = dealing.trainer, dealing.round
        self._is_idle = running is None
        is_slashed = trainer is not None and trainer.status == TRAINER_STATUS_SLASHED
        self._is_bound = not is_slashed and self.behaviour.reveals and any(
            unit.status == UNIT_STATUS_COMMITTED for unit in dealing.units)
        self._due_height = running.deadline_height if running is not None and self._is_bound else 0
        if trainer is not None and is_slashed:
            raise MinerStopped(f"a claim of {self.key.bech32} was proved wrong: {self._describe_slash()}; "
                               f"{trainer.bond_ugrad} ugrad are left of the bond",
                               f"gradus tx work leave {self.model_id} --from KEY gives them back; a new bond is needed "
                               "to return")
        is_active = trainer is not None and trainer.status == TRAINER_STATUS_ACTIVE
        if not is_active and not self._is_bound:
            tasks = [lambda: self._tell(dealing) if self.is_draining else self._enroll(dealing)]
        else:
            tasks = [lambda: self._tell(dealing), lambda: self._raise_bond(dealing),
                     *(self._task(running, unit) for unit in dealing.units)]
        return self._do_all([*tasks, self._answer_challenges])

    def _answer_challenges(self) -> bool:
        """Make the moves that are due in disputes about this key's units. A cheat has nothing to answer."""
        if self._player is None:
            return False
        try:
            return self._player.step()
        finally:
            self._is_bound = self._is_bound or self._player.is_bound

    def _task(self, running: Round | None, unit: Unit) -> Callable[[], bool]:
        return lambda: running is not None and self._work(running, unit)

    def _do_all(self, tasks: list[Callable[[], bool]]) -> bool:
        """Do all of it, whatever becomes of any: a unit must not miss its deadline over another. Then raises the first
        problem."""
        did, problems = False, list[Exception]()
        for task in tasks:
            try:
                did = task() or did
            except (ClientError, MinerStopped) as error:
                problems.append(error)
        if problems:
            raise problems[0]
        return did

    def _work(self, running: Round, unit: Unit) -> bool:
        """Commit or reveal one unit, if that is due and has not been done. A dataset that is not here is waited for."""
        if self._is_done(running, unit):
            return False
        try:
            if running.phase == ROUND_PHASE_COMMIT and unit.status == UNIT_STATUS_ASSIGNED and not self.is_draining:
                return time.monotonic() >= self._data_retry_at and self._commit(running, unit)
            if running.phase == ROUND_PHASE_REVEAL and unit.status == UNIT_STATUS_COMMITTED and self.behaviour.reveals:
                return self._reveal(running, unit)
        except DataError as error:
            self._data_retry_at = time.monotonic() + DATASET_RETRY_S
            return self._tell_once("waiting", running, unit, f"{error}; {error.hint}")
        return False

    def _is_done(self, running: Round, unit: Unit) -> bool:
        """Whether what is due in this phase was done, whatever a node that is behind may say."""
        return self._sent.get((running.seed, unit.index), -1) >= running.phase

    def _commit(self, running: Round, unit: Unit) -> bool:
        try:
            entry = self.journal.find_or_put(running, unit.index, lambda: self._compute_entry(running, unit))
        except OSError as error:
            raise MinerStopped(f"the journal cannot be written: {error}",
                               f"make room on the disk of {self.journal.folder}, or give it back its rights") from None
        if not self._source.is_signed(running):
            return False
        now = self.chain.assignments(self.model_id, self.key.bech32)
        if now.round is None or (now.round.seed, now.round.phase) != (running.seed, running.phase):
            self.report(Event("missed", {"round": running.number, "unit": unit.index, "problem": "computed too late"}))
            return True
        reveals = 1 + sum(one.status == UNIT_STATUS_COMMITTED for one in now.units)
        check_fees(self.chain, self.key.bech32, self.sender.get_gas_price_ppm(), len(entry.claim.payload), reveals)
        message = MsgCommitWork(trainer=self.key.bech32, model_id=self.model_id, round=running.number,
                                attempt=running.attempt, unit=unit.index,
                                commitment=self._commitment(running, unit, entry))
        self._keep_weights(running)
        return self._send_commitment(message, running, unit)

    def _keep_weights(self, running: Round) -> None:
        """Have what a challenge of this round must be answered with, for longer than nodes have it."""
        if self._player is None:
            return
        with suppress(ClientError):  # nodes serve them for as long as nothing in the round is disputed
            self._replays.keep(running)
            self._replays.forget_settled()

    def _reveal(self, running: Round, unit: Unit) -> bool:
        entry = self._find_committed(running, unit)
        if entry is None:
            return self._tell_once("missed", running, unit, "what was committed is in no journal here")
        parts = split_payload(entry.claim.payload, self._source.get_spec(running).training.codec)
        for part in range(unit.parts, len(parts)):
            if not self._send_part(running, unit, entry, parts, part):
                return False
            if self._is_done(running, unit):
                break
        return True

    def _find_committed(self, running: Round, unit: Unit) -> Entry | None:
        """What the unit's commitment was made of: from the journal, else computed again, which needs no disk."""
        found: Entry | None = None
        with suppress(OSError):  # an unreadable journal is as good as none
            found = self.journal.find(running, unit.index)
        if found is None or self._commitment(running, unit, found) != unit.commitment:
            place = running.seed, unit.index
            if place not in self._remade:
                self._remade = {key: entry for key, entry in self._remade.items() if key[0] == running.seed}
                self._remade[place] = self._compute_entry(running, unit)
            found = self._remade[place]
        return found if self._commitment(running, unit, found) == unit.commitment else None

    def _compute_entry(self, running: Round, unit: Unit) -> Entry:
        began, began_cpu = time.monotonic(), time.process_time()
        model = self._get_model(running)
        rows = open_dataset(self.store, model.spec)
        try:
            computed = make_claim(self.behaviour, self.chain, self.key.bech32, model, running, unit.index,
                                  lambda: self._source.load_weights(running), rows)
        except (KernelInputError, IndexError, OSError) as error:
            raise MinerStopped(f"unit {unit.index} of round {running.number} cannot be computed: {error}",
                               "contract, dataset and weights do not fit together: ask a node that you trust, "
                               "and check the dataset with gradus data list") from None
        if self._player is not None:
            self._replays.keep_trace(running, computed.trace)
        context = hash_fields("gradus/salt", running.seed, u32_bytes(unit.index), computed.claim.payload_root)
        salt = hmac.digest(self.key.private, context, "sha256")
        self.report(Event("computed", {"round": running.number, "unit": unit.index,
                                       "milliseconds": int(1000 * (time.monotonic() - began)),
                                       "cpu_milliseconds": int(1000 * (time.process_time() - began_cpu))}))
        return Entry(computed.claim, salt)

    def _commitment(self, running: Round, unit: Unit, entry: Entry) -> bytes:
        return compute_commitment(self.key.address, running, unit.index, entry.claim, entry.salt)

    def _get_model(self, running: Round) -> Model:
        """The model with the terms of a round, which the contract's newest need not be."""
        if self._model is None or self._terms_version != running.spec_version:
            self._model = self.chain.get_model(self.model_id)
            self._model.spec.CopyFrom(self._source.get_spec(running))
            self._terms_version = running.spec_version
        return self._model

    def _compute_bond(self, trainer: Trainer | None) -> int:
        """What to add to the bond. Raises MinerStopped when the key has not enough, or a slash must be made good."""
        held = 0 if trainer is None else trainer.bond_ugrad
        missing = max(0, self.chain.get_model(self.model_id).spec.economy.bond_ugrad - held)
        if missing and trainer is not None and not self.tops_up:
            raise MinerStopped(f"part of the bond was taken by a slash: {self._describe_slash()}; {held} ugrad are "
                               f"left, {missing} are missing", "start with --top-up to put them up again")
        check_funds(self.chain, self.key.bech32, missing)
        return missing

    def _describe_slash(self) -> str:
        return describe_slash(self.chain, self.model_id, self.key.bech32)

    def _enroll(self, dealing: Dealing) -> bool:
        """Enrol, or come back. While the model is paused that is waited for; when it trains no longer, nobody can."""
        trainer = dealing.trainer
        if self.chain.get_model(self.model_id).status not in LIVE_STATUSES:
            return self._tell(dealing)
        bond_ugrad = self._compute_bond(trainer)
        if trainer is not None and trainer.return_height > self.chain.height() + 1:
            return self._tell_cooling(trainer)
        message = MsgEnroll(trainer=self.key.bech32, model_id=self.model_id, bond=coin_pb(base_coin(bond_ugrad)))
        try:
            sent = self.sender.send([message])
        except TxRefused as error:
            if is_error(error, *DONE):
                return True
            raise self._stop("the chain refused the enrolment", error) from None
        held_ugrad = 0 if trainer is None else trainer.bond_ugrad
        self.report(Event("enrolled", {"bond_ugrad": held_ugrad + bond_ugrad, "height": sent.height}))
        return True

    def _raise_bond(self, dealing: Dealing) -> bool:
        """Add what newer terms ask for, without which nothing is dealt; only with tops_up, else it is told."""
        trainer = dealing.trainer
        if trainer is None or dealing.units or not self.tops_up or self.is_draining:
            return False
        model = self.chain.get_model(self.model_id)
        missing_ugrad = model.spec.economy.bond_ugrad - trainer.bond_ugrad
        if missing_ugrad <= 0 or model.status not in LIVE_STATUSES \
                or self.chain.balance(self.key.bech32) < missing_ugrad + FEES_UGRAD:
            return False
        return self._enroll(dealing)

    def _tell_cooling(self, trainer: Trainer) -> bool:
        """Report once that the trainer may not come back yet."""
        told = ("cooling", trainer.return_height)
        is_new, self._told = self._told != told, told
        if is_new:
            self.report(Event("waiting", {"problem": "a withheld reveal keeps this key out until block "
                                          f"{trainer.return_height}"}))
        return is_new

    def _send_commitment(self, message: Message, running: Round, unit: Unit) -> bool:
        """Commit before the phase's deadline. A unit that is not committed costs nothing, so a refusal is final."""
        height, was_bound = 0, self._is_bound
        self._is_bound = self.behaviour.reveals
        try:
            height = self.sender.send([message], timeout_height=running.deadline_height).height
        except TxRefused as error:
            self._is_bound = was_bound or is_error(error, *DONE)
            if is_error(error, *LATE):
                self._remember(running, unit)
                return self._tell_once("missed", running, unit, error.text)
            if not is_error(error, *DONE):
                raise self._stop("the chain refused what is due", error) from None
        self._remember(running, unit)
        self.report(Event("committed", {"round": running.number, "unit": unit.index, "height": height}))
        return True

    def _send_part(self, running: Round, unit: Unit, entry: Entry, parts: list[bytes], part: int) -> bool:
        """Reveal a part of a payload before the phase's deadline. A unit that is not revealed costs a part of the bond,
        so a refusal is never final: it may be that of a node that is behind, and the next step's record says what is
        still due."""
        height, is_last = 0, part == len(parts) - 1
        try:
            message = new_reveal(self.key.bech32, running, unit.index, entry, parts, part)
            sent = self.sender.send([message], timeout_height=running.deadline_height,
                                    is_usual=part == 0 or not is_last)  # the last one pays to have the others read
            height = sent.height
        except TxRefused as error:
            is_last = is_error(error, work_errors.UnitRevealed)
            if not is_last:
                self._tell_once("waiting", running, unit, error.text)
                self._move_on()
                return False
        if not is_last:
            self.report(Event("part", {"round": running.number, "unit": unit.index, "part": part + 1,
                                       "parts": len(parts), "height": height}))
            return True
        self._remember(running, unit)
        with suppress(OSError):  # what stays costs nothing but room
            self.journal.drop_before(running.number - JOURNAL_ROUNDS)
        self.report(Event("revealed", {"round": running.number, "unit": unit.index, "height": height}))
        return True

    def _stop(self, what: str, error: TxRefused) -> MinerStopped:
        if is_error(error, InsufficientFunds, UnknownAddress):
            return MinerStopped(f"the key cannot pay: {error.text}",
                                f"gradus tx bank send {self.key.bech32} AMOUNT --from KEY")
        return MinerStopped(f"{what}: {error.text}")

    def _tell_once(self, what: str, running: Round, unit: Unit, problem: str) -> bool:
        """Report a unit's problem, if it is not the one that was last reported of it. True when it was."""
        place = running.seed, unit.index
        if self._problems.get(place) == (what, problem):
            return False
        self._problems = {key: told for key, told in self._problems.items() if key[0] == running.seed}
        self._problems[place] = what, problem
        self.report(Event(what, {"round": running.number, "unit": unit.index, "problem": problem}))
        return True

    def _remember(self, running: Round, unit: Unit) -> None:
        """That what is due in this phase is done."""
        self._sent = {key: phase for key, phase in self._sent.items() if key[0] == running.seed}
        self._sent[running.seed, unit.index] = running.phase

    def _tell(self, dealing: Dealing) -> bool:
        """Report where things stand, if that has changed. All figures are the chain's."""
        running, trainer = dealing.round, dealing.trainer
        units = tuple((unit.index, unit.status) for unit in dealing.units)
        is_waiting = running is None or running.phase == ROUND_PHASE_WAITING
        is_left_out = trainer is not None and trainer.status == TRAINER_STATUS_ACTIVE and not units
        lacking = describe_absence(self.chain, trainer) if trainer is not None and is_left_out else ""
        lacking = lacking or (describe_wait(self.chain, self.model_id) if is_waiting else "")
        lacking = "" if self.is_draining else lacking
        told = (running.number, running.attempt, running.phase) if running is not None else (), units, lacking
        if told == self._told:
            return False
        booked = self.chain.find_contribution(self.model_id, self.key.bech32)
        fields: dict[str, int | str] = {
            "round": running.number if running is not None else 0,
            "phase": enum_word(RoundPhase.DESCRIPTOR, running.phase) if running is not None else "none",
            **({"waiting_for": lacking} if lacking else {}),
            "units": " ".join(f"{index}:{enum_word(UnitStatus.DESCRIPTOR, status)}" for index, status in units),
            "accepted": booked.units if booked else 0, "earned_ugrad": compute_earned(booked),
            "balance_ugrad": self.chain.balance(self.key.bech32),
            "bond_ugrad": trainer.bond_ugrad if trainer is not None else 0,
        }
        self._told = told
        self.report(Event("standing", fields))
        return True

    def _is_over(self) -> bool:
        """Whether there is nothing left to wait for."""
        if self._player is not None and self._player.is_bound:
            return False
        dealing = self.chain.assignments(self.model_id, self.key.bech32)
        if self.is_draining:
            due = [unit for unit in dealing.units if unit.status == UNIT_STATUS_COMMITTED]
            return dealing.round is None or not due or not self.behaviour.reveals
        is_settled = dealing.trainer is None or not dealing.trainer.open_units or self._player is None
        return self._is_idle and is_settled and not is_live(self.chain.get_model(self.model_id))
