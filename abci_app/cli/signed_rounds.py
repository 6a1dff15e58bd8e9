"""Rounds for miners and watchers that believe no node: proved by the light client, from the first node that can."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from abci_app.cli.trust import read_terms
from abci_app.client.errors import ClientError, ProofInvalid
from abci_app.client.light.errors import Diverged
from abci_app.client.light.trust import TrustStore
from abci_app.sdk import proofs
from abci_app.sdk.proved_records import ProvedRecords
from abci_app.wire.pb.gradus.models.v1.models_pb2 import ModelSpec
from abci_app.wire.pb.gradus.work.v1.work_pb2 import Round, Unit

Record = TypeVar("Record")
_log = logging.getLogger("gradus.client")


class SignedRounds:
    """units.source.SignedRecords over several nodes, of which the one that proved something last is asked first.

    A node that is silent, has fallen behind or tells what does not verify is passed over, so that none of them alone
    keeps a miner from its rounds; what another one says is proved as strictly. A divergence ends the call: two chains
    were signed, and which of them is right nobody here can say.
    """

    def __init__(self, records: Sequence[ProvedRecords]) -> None:
        """One for each node, at least one."""
        if not records:
            raise ValueError("at least one node")
        self._records = list(records)

    def check(self) -> None:
        """Verify a newest block, so that a command ends at once where nothing can be proved. Raises ClientError."""
        self._first(lambda records: proofs.follow(records.terms))

    def find_round(self, model_id: int, number: int) -> Round | None:
        """A round, while it is kept."""
        return self._first(lambda records: records.find_round(model_id, number))

    def find_unit(self, model_id: int, number: int, index: int) -> Unit | None:
        """A unit, while its round is kept."""
        return self._first(lambda records: records.find_unit(model_id, number, index))

    def get_spec(self, model_id: int, version: int) -> ModelSpec:
        """A version of a contract's terms. Raises ProofInvalid where there is none."""
        return self._first(lambda records: records.get_spec(model_id, version))

    def _first(self, ask: Callable[[ProvedRecords], Record]) -> Record:
        problems: list[ClientError] = []
        for left in reversed(range(len(self._records))):
            try:
                return ask(self._records[0])
            except Diverged:
                raise
            except ClientError as error:
                problems.append(error)
            self._records.append(self._records.pop(0))
            if left:
                _log.warning("%s; trying %s", problems[-1].text, self._records[0].terms.node)
        raise next((problem for problem in problems if isinstance(problem, ProofInvalid)), problems[-1])


def open_signed(home: Path, nodes: Sequence[str], chain_id: str, trust: dict[str, Any]) -> SignedRounds | None:
    """What to believe rounds by, as the options of `cli.trust.proving` say; None for the nodes' word.

    chain_id: the nodes' chain. Raises CommandError for options that contradict each other, LightError for a chain that
    only the nodes have chosen while the home trusts others.
    """
    if not trust["prove"]:
        return None
    terms = [read_terms(home, node, trust) for node in nodes]
    proofs.check_chosen(terms[0], TrustStore(home), chain_id)
    return SignedRounds([ProvedRecords(replace(one, chain_id=chain_id)) for one in terms])
