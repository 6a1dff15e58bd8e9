"""The auditor's loop: which audits wait for this validator, what they ask computed, the answers handed to the node.

A step asks the chain where things stand and does what is missing. Nothing that a restart needs is remembered: an answer
that is in the folder is not computed again, one that is not is. It signs nothing and holds no key: the node beside it
takes the answers up, and its engine signs.
"""

import time
from collections.abc import Callable, Iterable

from abci_app.auditor.answers import AnswerFolder
from abci_app.auditor.behaviour import Behaviour, check_behaviour, make_answer
from abci_app.auditor.errors import AuditorStopped
from abci_app.auditor.tasks import Tasks
from abci_app.client.chain import ChainClient
from abci_app.client.errors import ClientError, ProofInvalid, WeightsGone
from abci_app.data.errors import DataError
from abci_app.units.events import Event, Report
from abci_app.units.source import UnitSource
from abci_app.wire.audit import ANSWER, STATEMENT, decode_subject
from abci_app.wire.pb.gradus.audits.v1.audits_pb2 import AUDIT_STATUS_OPEN, Audit
from kernels import dispatch
from kernels.errors import KernelInputError

POLL_S = 0.2
POLL_S_MAX = 1.0
BACKOFF_S = 0.5
BACKOFF_S_MAX = 8.0
LACKING_RETRY_S = 5.0  # for a dataset, for weights, or for a unit that could not be computed
STEP_S = 2.0  # of computing, after which it is asked anew what waits


def order_fairly(audits: Iterable[Audit]) -> list[Audit]:
    """Answers first, in the order in which they were asked: the chain asks no more than half a core can compute, and
    counts on that order. Of training the oldest of each model, then the second of each, and so on: no model's many or
    costly audits keep those of others waiting until they are over."""
    asked: dict[int, int] = {}
    ranked = []
    for audit in sorted(audits, key=lambda one: (one.opened_height, one.subject)):
        subject, rank = decode_subject(audit.subject), 0
        if subject.kind not in (ANSWER, STATEMENT):
            rank = asked[subject.model_id] = asked.get(subject.model_id, 0) + 1
        ranked.append((rank, audit.busy_height or audit.opened_height, audit.subject, audit))
    return [audit for *_, audit in sorted(ranked, key=lambda one: one[:3])]


class Auditor:
    """One validator's auditor."""

    def __init__(self, chain: ChainClient, validator: bytes, source: UnitSource, answers: AnswerFolder, *,
                 behaviour: Behaviour = Behaviour.HONEST, report: Report = lambda event: None,
                 sleep: Callable[[float], None] = time.sleep) -> None:
        """validator: consensus address, 20 bytes. answers: open."""
        self.chain, self.validator, self.source, self.answers = chain, validator, source, answers
        self.behaviour, self.report, self.sleep = behaviour, report, sleep
        self.is_stopping = False
        self._is_checked = False
        self._tasks = Tasks(chain, source)
        self._told: dict[bytes, str] = {}
        self._lacking: dict[bytes, float] = {}

    def run(self) -> None:
        """Work until stop() is called: what a node does not answer, or a disk does not take, is tried again.

        The back end is chosen and compiled first, so that the first audit does not wait for that. Raises AuditorStopped
        for one that there is not, and for a behaviour that this chain does not allow.
        """
        try:
            dispatch.warm()
        except KernelInputError as error:
            raise AuditorStopped(str(error), f"set or unset {dispatch.BACKEND_VARIABLE}") from None
        pause, backoff = POLL_S, BACKOFF_S
        while not self.is_stopping:
            try:
                pause = POLL_S if self.step() else min(1.5 * pause, POLL_S_MAX)
                backoff = BACKOFF_S
                self.sleep(pause)
                continue
            except ClientError as error:
                self.report(Event("refused" if isinstance(error, ProofInvalid) else "waiting", {"problem": error.text}))
                getattr(self.chain.node, "move_on", lambda: None)()
            except OSError as error:
                self.report(Event("waiting", {"problem": f"{error.filename or self.answers.folder}: {error.strerror}"}))
            self.sleep(backoff)
            backoff = min(2 * backoff, BACKOFF_S_MAX)

    def stop(self) -> None:
        """Have run() return behind the unit that is being computed."""
        self.is_stopping = True

    def step(self) -> bool:
        """Answer what waits for this validator, models in turn, and forget what is over.

        True when anything was written or dropped. Whatever becomes of one audit, the others are looked at, now or in
        the next step; then raises the first problem. Raises AuditorStopped as run().
        """
        if not self._is_checked:
            check_behaviour(self.behaviour, self.chain.chain_id())
            self._is_checked = True
        waiting, began = order_fairly(self.chain.iter_open_audits(self.validator)), time.monotonic()
        did, problems = self._drop_closed({audit.subject: None for audit in waiting}), list[ClientError]()
        self._tasks.forget_rounds()
        for audit in waiting:
            if self.is_stopping or time.monotonic() - began > STEP_S:
                break
            try:
                did = self._answer(audit) or did
            except ClientError as error:
                problems.append(error)
        if problems:
            raise problems[0]
        return did

    def _drop_closed(self, waiting: dict[bytes, None]) -> bool:
        """Forget answers of audits that are decided or gone. An undecided one may yet ask for them in the clear."""
        did = False
        for subject in self.answers.list_subjects():
            if subject not in waiting:
                audit = self.chain.find_audit(subject)
                if audit is None or audit.status != AUDIT_STATUS_OPEN:
                    self.answers.drop(subject)
                    did = True
        self._told = {key: text for key, text in self._told.items() if key in waiting or key in self._lacking}
        return did

    def _answer(self, audit: Audit) -> bool:
        """Write the answer to an audit, if it is not there. True when it was written."""
        if self.answers.find(audit.subject, audit.seed) is not None:
            return False
        subject = decode_subject(audit.subject)
        if not self._tasks.knows(subject):
            return self._skip(audit.subject, f"audits of kind {subject.kind} are not known here: use a newer version")
        task, now = self._tasks.find(subject, audit), time.monotonic()
        if task is None:  # dealt again, or over, since the audit was listed
            return False
        if any(now < self._lacking.get(key, now) for key in (task.rows_root, task.weights_root, audit.subject)):
            return False
        try:
            if self.behaviour.computes:
                task.prepare()
                self._forget_lack(task.rows_root)
            began, began_cpu = time.monotonic(), time.process_time()
            answer = make_answer(self.behaviour, task.claimed, task.compute)
        except DataError as error:
            self._lacking[task.rows_root] = now + LACKING_RETRY_S
            return self._skip(task.rows_root, f"{task.name}: {error}; {error.hint}")
        except WeightsGone as error:  # of an audit that stays open after its round: no reason to wait for the node
            self._lacking[task.weights_root] = now + LACKING_RETRY_S
            return self._skip(task.weights_root, error.text)
        except ClientError:
            raise
        except Exception as error:  # whatever a contract makes of this machine must not keep it from other contracts
            self._lacking[audit.subject] = time.monotonic() + LACKING_RETRY_S
            return self._skip(audit.subject, f"{task.name} cannot be computed: {str(error) or type(error).__name__}")
        if answer is None:
            return False
        self.answers.put(audit.subject, answer, audit.seed)
        self.report(Event("answered", {
            **task.fields, "milliseconds": int(1000 * (time.monotonic() - began)),
            "cpu_milliseconds": int(1000 * (time.process_time() - began_cpu))}))
        return True

    def _forget_lack(self, key: bytes) -> None:
        """What was missing is there."""
        self._lacking.pop(key, None)
        self._told.pop(key, None)

    def _skip(self, key: bytes, problem: str) -> bool:
        """Tell once why something is left out. False, for nothing was done."""
        if self._told.get(key) != problem:
            self._told[key] = problem
            self.report(Event("skipped", {"problem": problem}))
        return False
