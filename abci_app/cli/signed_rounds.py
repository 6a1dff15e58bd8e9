"""Rounds for miners and watchers that believe no node: proved by the light client, from the first node that can."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

from abci_app.cli import proofs
from abci_app.cli.proved_records import ProvedRecords
from abci_app.cli.trust import read_terms
from abci_app.client.errors import ClientError, NodeRefused, NodeUnreachable
from abci_app.wire.pb.gradus.models.v1.models_pb2 import ModelSpec
from abci_app.wire.pb.gradus.work.v1.work_pb2 import Round, Unit

Record = TypeVar("Record")


class SignedRounds:
    """units.source.SignedRecords over several nodes; one that is silent is passed over, one that lies ends the call."""

    def __init__(self, records: Sequence[ProvedRecords]) -> None:
        """One for each node, at least one."""
        self._records = tuple(records)

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
        problem: ClientError | None = None
        for records in self._records:
            try:
                return ask(records)
            except (NodeUnreachable, NodeRefused) as error:
                problem = error
        raise problem or NodeRefused("no node is named")


def open_signed(home: Path, nodes: Sequence[str], chain_id: str, trust: dict[str, Any]) -> SignedRounds | None:
    """What to believe rounds by, as the options of `cli.trust.proving` say; None for the nodes' word.

    A --trust-hash asks for proofs by itself. Raises CommandError for options that contradict each other.
    """
    chosen = {**trust, "chain_id": chain_id}
    records = [ProvedRecords(read_terms(home, node, chosen)) for node in nodes]
    return SignedRounds(records) if trust["prove"] or trust["trust_hash"] else None
