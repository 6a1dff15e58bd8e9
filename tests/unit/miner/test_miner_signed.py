"""A miner that believes signed headers alone: a node that lies about a round gets no commitment out of it."""

from collections.abc import Callable
from pathlib import Path

import pytest

from abci_app.cli.signed_rounds import SignedRounds, open_signed
from abci_app.client.errors import ClientError, NodeRefused, NodeUnreachable, ProofInvalid
from abci_app.client.light.errors import Diverged, HeightMissing, LightError
from abci_app.client.rpc import Answer
from abci_app.miner.miner import Miner
from abci_app.sdk.proofs import Terms
from abci_app.units.source import UnitSource
from abci_app.wire.pb.gradus.models.v1.models_pb2 import ModelSpec
from abci_app.wire.pb.gradus.work.v1 import query_pb2
from abci_app.wire.pb.gradus.work.v1.work_pb2 import Round, Unit
from tests.unit.miner.conftest import NAMES, Rig


class Signed:
    """The chain's own records, or none yet: what a light client proves."""

    def __init__(self, rig: Rig) -> None:
        self.rig, self.knows = rig, True

    def find_round(self, model_id: int, number: int) -> Round | None:
        return self.rig.chain.app.work.find_round(self.rig.chain.ctx(), model_id, number) if self.knows else None

    def find_unit(self, model_id: int, number: int, index: int) -> Unit | None:
        return self.rig.chain.app.work.find_unit(self.rig.chain.ctx(), model_id, number, index) if self.knows else None

    def get_spec(self, model_id: int, version: int) -> ModelSpec:
        return self.rig.chain.app.models.get_spec(self.rig.chain.ctx(), model_id, version)


class Liar:
    """A node that changes the round it tells of."""

    url = "liar"

    def __init__(self, rig: Rig, change: Callable[[Round], None]) -> None:
        self.rig, self.change = rig, change

    def abci_query(self, path: str, data: bytes = b"", height: int = 0, prove: bool = False) -> Answer:
        answer = self.rig.node.abci_query(path, data, height, prove)
        if not path.endswith("/Assignments"):
            return answer
        told = query_pb2.QueryAssignmentsResponse.FromString(answer.value)
        if told.HasField("round"):
            self.change(told.round)
        raw = told.SerializeToString()
        return Answer(answer.code, answer.codespace, answer.log, answer.key, raw, answer.height, ())

    def __getattr__(self, name: str) -> object:
        return getattr(self.rig.node, name)


def turn(rig: Rig, miners: list[Miner], count: int) -> list[str]:
    """Blocks in which everybody has a turn; what did not verify."""
    problems = []
    for _ in range(count):
        for miner in miners:
            try:
                miner.step()
            except ProofInvalid as error:
                problems.append(error.text)
        rig.node.block()
    return problems


@pytest.mark.parametrize("change", (lambda told: setattr(told, "seed", bytes(32)),
                                    lambda told: setattr(told, "learning_rate_q16", told.learning_rate_q16 + 1)))
def test_round_that_nobody_signed_is_not_committed_to(rig: Rig, change: Callable[[Round], None]) -> None:
    believing = rig.miner("ann", node=Liar(rig, change))  # type: ignore[arg-type]
    others = [rig.miner(name) for name in NAMES[2:]]
    proving = rig.miner("ben", node=Liar(rig, change), signed=Signed(rig))  # type: ignore[arg-type]
    problems = turn(rig, [believing, proving, *others], 8)
    assert rig.told("ann", "committed") != [] and rig.told("ben", "committed") == []
    assert problems and all("than the one that the validators signed" in problem for problem in problems)


def test_miner_that_proves_works_like_any_other_and_waits_for_the_signed_header(rig: Rig) -> None:
    signed = Signed(rig)
    miners = [rig.miner("ann", signed=signed), *(rig.miner(name) for name in NAMES[1:])]
    signed.knows = False
    turn(rig, miners, 4)
    assert rig.told("ann", "computed") != [] and rig.told("ann", "committed") == []
    signed.knows = True
    turn(rig, miners, 8)
    assert rig.told("ann", "committed") != [] and rig.told("ann", "revealed") != []
    assert list(rig.client.iter_slashes(1)) == []


def test_claim_that_nobody_signed_is_refused(rig: Rig) -> None:
    miners = [rig.miner(name) for name in NAMES]
    while rig.model().rounds_closed < 1:
        turn(rig, miners, 1)
    dealing = rig.client.find_round(1, 1)
    assert dealing is not None and dealing.round is not None
    source, unit = UnitSource(rig.client, rig.store, Signed(rig)), dealing.units[0]
    assert source.is_signed(dealing.round) and source.is_claim_signed(unit)
    unit.payload_root = bytes(32)
    with pytest.raises(ProofInvalid, match="another claim of unit 0"):
        source.is_claim_signed(unit)
    dealing.round.weights_root = bytes(32)
    with pytest.raises(ProofInvalid, match="another round 1"):
        source.is_signed(dealing.round)


class Asked(Signed):
    """A node that is asked for a proof. problem: what it answers every question with."""

    terms = Terms(Path("home"), "http://127.0.0.1:1")

    def __init__(self, rig: Rig, problem: ClientError | None = None) -> None:
        super().__init__(rig)
        self.problem, self.count = problem, 0

    def find_round(self, model_id: int, number: int) -> Round | None:
        self.count += 1
        if self.problem is not None:
            raise self.problem
        return super().find_round(model_id, number)


@pytest.mark.parametrize("problem", (NodeUnreachable("away"), NodeRefused("no"), HeightMissing("behind"),
                                     ProofInvalid("false")), ids=lambda problem: problem.text)
def test_next_node_is_asked_for_a_proof_when_one_gives_none_and_first_from_then_on(
        rig: Rig, problem: ClientError) -> None:
    bad, good = Asked(rig, problem), Asked(rig)
    signed = SignedRounds([bad, good])  # type: ignore[list-item]
    assert signed.find_round(1, 1) is None and signed.find_round(1, 1) is None
    assert (bad.count, good.count) == (1, 2)
    with pytest.raises(type(problem)):
        SignedRounds([bad]).find_round(1, 1)  # type: ignore[list-item]


def test_where_no_node_can_prove_it_a_lie_is_told_before_silence(rig: Rig) -> None:
    nodes = [Asked(rig, ProofInvalid("false")), Asked(rig, NodeUnreachable("away"))]
    with pytest.raises(ProofInvalid, match="false"):
        SignedRounds(nodes).find_round(1, 1)  # type: ignore[arg-type]


def test_divergence_ends_the_question_and_no_other_node_is_asked(rig: Rig) -> None:
    other = Asked(rig)
    with pytest.raises(Diverged):
        SignedRounds([Asked(rig, Diverged("two chains", "", {})), other]).find_round(1, 1)  # type: ignore[list-item]
    assert other.count == 0


def new_trust(**options: object) -> dict[str, object]:
    return {"prove": True, "trust_height": None, "trust_hash": "", "witnesses": (), "chain_id": None} | options


def test_chain_that_only_a_node_has_chosen_is_not_believed_where_the_home_trusts_another(rig: Rig) -> None:
    nodes = ["http://127.0.0.1:1", "http://127.0.0.1:2"]
    assert open_signed(rig.folder, nodes, "test", new_trust()) is not None
    (rig.folder / "light").mkdir()
    (rig.folder / "light" / "trusted-1.json").write_text("{}")
    with pytest.raises(LightError, match="it is of chain 'test', of which nothing is trusted here") as ended:
        open_signed(rig.folder, nodes, "test", new_trust())
    assert "--chain-id test" in ended.value.hint
    for chosen in ({"chain_id": "test"}, {"trust_hash": "ab" * 32}, {"prove": False}):
        open_signed(rig.folder, nodes, "test", new_trust(**chosen))
    open_signed(rig.folder, nodes, "trusted-1", new_trust())
