"""What a question asks of a contract's model, by shapes alone: whether it has an answer, how long it is, what it costs.

The rooms that take questions, who hosts, audits and asks apply the same rules; so they stand below all of them.
Reads/Writes: nothing. Specs are checked ones.
"""

from abci_app.runtime.contract import GMA, new_network
from abci_app.wire.ints import mul_div_ceil
from abci_app.wire.pb.gradus.inference.v1.inference_pb2 import Question
from abci_app.wire.pb.gradus.models.v1.models_pb2 import ModelSpec
from kernels import generate, mlp
from kernels.decoder.types import Decoder
from kernels.generate.rules import TEMPERATURE_MAX

ROWS_MAX = 256
FEATURE_BYTES_MAX = 65_536
ANSWER_BYTES_MAX = 1 << 20
TOP_K_MAX = 65_536
WORK_MAX = 1 << 34  # multiply-adds: as much as a unit, since auditors compute it again
LABEL_BYTES, VALUE_BYTES, TOKEN_BYTES, ROOT_BYTES = 2, 4, 2, 32
NEVER = b"\x80"  # -128 is no feature


class QuestionInvalid(ValueError):
    """A question that the contract's model has no answer to; the text says what to change."""


def check_question(spec: ModelSpec, question: Question) -> None:
    """Raises QuestionInvalid for what is not a question to this model, in its one form, or is too large."""
    network = new_network(spec)
    if isinstance(network, Decoder):
        _check_prompt(network, question)
    else:
        _check_rows(spec, question)
    size, work = compute_answer_bytes_max(spec, question), compute_work(spec, question)
    if size > ANSWER_BYTES_MAX:
        raise QuestionInvalid(f"the answer may have {size} bytes, the most is {ANSWER_BYTES_MAX}: ask for less at once")
    if work > WORK_MAX:
        raise QuestionInvalid(f"the answer takes {work} multiply-adds, the most is {WORK_MAX}: ask for less at once")


def compute_work(spec: ModelSpec, question: Question) -> int:
    """Multiply-adds of an answer at most, from shapes alone: the unit by which hosts are paid."""
    network = new_network(spec)
    if isinstance(network, Decoder):
        return generate.generate_cost(network, len(question.prompt) // TOKEN_BYTES, question.tokens)
    return mlp.logits_cost(network.widths, question.rows)


def compute_answer_bytes_max(spec: ModelSpec, question: Question) -> int:
    """Bytes of an answer at most; of a classifier or regressor exactly."""
    if spec.HasField("decoder"):
        return TOKEN_BYTES * question.tokens + ROOT_BYTES
    label_bytes = LABEL_BYTES if spec.HasField("mlp_classifier") else 0
    return question.rows * (label_bytes + VALUE_BYTES * spec.dataset.classes)


def compute_ask(work: int, price_ugrad_per_gma: int) -> int:
    """ugrad that a host earns for so many multiply-adds at its price: rounded up, at least 1."""
    return max(mul_div_ceil(work, price_ugrad_per_gma, GMA), 1)


def _check_rows(spec: ModelSpec, question: Question) -> None:
    features = spec.dataset.features
    if (question.prompt or question.tokens or question.temperature_q16 or question.top_k or question.has_stop
            or question.stop):
        raise QuestionInvalid("this model takes rows: leave prompt, tokens, temperature, top_k and stop out")
    if not 1 <= question.rows <= ROWS_MAX:
        raise QuestionInvalid(f"{question.rows} rows are asked, allowed are 1 to {ROWS_MAX}")
    if len(question.features) != question.rows * features:
        raise QuestionInvalid(f"{question.rows} rows of {features} features have {question.rows * features} bytes, not "
                              f"{len(question.features)}")
    if len(question.features) > FEATURE_BYTES_MAX:
        raise QuestionInvalid(f"{len(question.features)} bytes of features, the most is {FEATURE_BYTES_MAX}: ask fewer "
                              "rows at once")
    if NEVER in question.features:
        raise QuestionInvalid("a feature is -128, allowed are -127 to 127")


def _check_prompt(network: Decoder, question: Question) -> None:
    if question.rows or question.features:
        raise QuestionInvalid("this model continues text: give a prompt, no rows")
    count, rest = divmod(len(question.prompt), TOKEN_BYTES)
    if rest or not 1 <= count <= network.context:
        raise QuestionInvalid(f"a prompt has 1 to {network.context} tokens of {TOKEN_BYTES} bytes, not "
                              f"{len(question.prompt)} bytes")
    if not 1 <= question.tokens <= network.context + 1 - count:
        raise QuestionInvalid(f"{question.tokens} tokens are asked after a prompt of {count}, allowed are 1 to "
                              f"{network.context + 1 - count}")
    tokens = [int.from_bytes(question.prompt[at:at + TOKEN_BYTES], "little")
              for at in range(0, len(question.prompt), TOKEN_BYTES)]
    if max(tokens) >= network.vocab:
        raise QuestionInvalid(f"the prompt has the token {max(tokens)}, the vocabulary those below {network.vocab}")
    if question.temperature_q16 > TEMPERATURE_MAX:
        raise QuestionInvalid(f"temperature_q16 is {question.temperature_q16}, the most is {TEMPERATURE_MAX}")
    if question.top_k > TOP_K_MAX:
        raise QuestionInvalid(f"top_k is {question.top_k}, the most is {TOP_K_MAX}")
    if question.stop >= network.vocab or (question.stop and not question.has_stop):
        raise QuestionInvalid(f"stop is {question.stop}: with has_stop a token below {network.vocab}, else 0")
