"""Random policies of inference, and questions to the models of the simulation."""

import random

from abci_app.wire.pb.gradus.inference.v1.inference_pb2 import Question
from abci_app.wire.pb.gradus.models.v1.models_pb2 import InferencePolicy, ModelSpec

PPM = 1_000_000


def draw_policy(dice: random.Random, data_owner: str) -> InferencePolicy:
    """Any policy that a contract may have, with audits often enough that they are seen."""
    cuts = sorted(dice.randint(0, 600_000) for _ in range(4))
    parts = [high - low for low, high in zip([0, *cuts], [*cuts, 600_000])]
    owner_ppm = parts[2] if dice.random() < 0.5 else 0
    return InferencePolicy(
        hosts_ppm=PPM - sum(parts) + parts[2] - owner_ppm, trainers_ppm=parts[0], creator_ppm=parts[1],
        owner_ppm=owner_ppm, auditors_ppm=parts[3], burn_ppm=parts[4], data_owner=data_owner if owner_ppm else "",
        audit_ppm=dice.choice((50_000, 100_000, 300_000, PPM)), host_bond_ugrad=dice.choice((1, 100_000, 10_000_000)),
        wrong_slash_ppm=dice.choice((0, 100_000, PPM)), withhold_slash_ppm=dice.choice((0, 500_000, PPM)),
        burn_slash_ppm=dice.choice((100_000, 500_000, PPM)), replicas_max=dice.choice((1, 3, 3, 5)),
        audit_blocks=dice.choice((12, 12, 20)))


def draw_question(dice: random.Random, spec: ModelSpec, rows_max: int = 3) -> Question:
    """A question that has an answer."""
    rows, features = dice.randint(1, rows_max), spec.dataset.features
    return Question(rows=rows, features=bytes(dice.randint(0, 255) or 1 for _ in range(rows * features))
                    .replace(b"\x80", b"\x81"))


def draw_nonsense(dice: random.Random, spec: ModelSpec) -> Question:
    """A question that has none."""
    question = draw_question(dice, spec)
    kind = dice.randrange(6)
    if kind == 0:
        question.features = question.features[:-1] + b"\x80"
    elif kind == 1:
        question.rows += 1
    elif kind == 2:
        question.rows, question.features = 0, b""
    elif kind == 3:
        question.prompt = b"\x01\x00"
    elif kind == 4:
        question.temperature_q16 = 1
    else:
        question.rows, question.features = 257, bytes(257 * spec.dataset.features)
    return question
