"""Cases of inference: texts, losses, draws; both kinds of positions and heads, ends of every range."""

from __future__ import annotations

from kernels import generate
from kernels.decoder import Decoder
from kernels.decoder.cases import Weights, filled_weights, initial_weights, signed_weights, wild_weights
from kernels.samples import SEED, Case, pack, sample_ints, sample_labels

LEARNED = Decoder(vocab=37, context=24, width=32, heads=2, hidden=40, layers=2)
ROTARY = Decoder(vocab=261, context=40, width=24, heads=3, hidden=7, layers=2, positions="rotary", tied=True)
WIDE = Decoder(vocab=3, context=12, width=256, heads=1, hidden=300, layers=1, positions="rotary")
DEEP = Decoder(vocab=5, context=9, width=8, heads=1, hidden=1, layers=5, tied=True)
ONE = 65536


def _logits_case(label: str, model: Decoder, weights: Weights) -> Case:
    """All logits of a full context, at once and in uneven groups."""
    def run() -> bytes:
        tokens, flat = sample_labels(label, model.context, model.vocab), weights(model)
        session = generate.Session(model, flat)
        grouped = session.score(tokens[:2]) + session.score(tokens[2:8]) + session.score(tokens[8:])
        return generate.logits(model, flat, tokens)[0] + grouped
    return run


def _text_case(
    label: str, model: Decoder, temperature_q16: int, top_k: int, weights: Weights = initial_weights
) -> Case:
    def run() -> bytes:
        prompt = sample_labels(label, 3, model.vocab)
        count = model.context - 2
        answer = generate.generate(model, weights(model), prompt, count, SEED, temperature_q16, top_k, 1)
        return answer.tokens + b"".join(answer.digests) + answer.root
    return run


def _losses_case(label: str, model: Decoder, weights: Weights) -> Case:
    tokens = sample_labels(label, 2 * (model.context + 1), model.vocab)
    return lambda: generate.losses(model, weights(model), tokens, 2)


def _draw_case(logits: bytes, temperature_q16: int, top_k: int) -> Case:
    def run() -> bytes:
        drawn = [generate.sample(logits, SEED, position, temperature_q16, top_k) for position in range(40)]
        return b"".join(token.to_bytes(2, "little") for token in drawn)
    return run


ENDS = pack([2**31 - 1, -2**31 + 1, -2**31, 2**31 - 1, 0, 2**31 - 2], 4)

CASES: dict[str, Case] = {
    "generate/learned": _logits_case("learned", LEARNED, initial_weights),
    "generate/rotary": _logits_case("rotary", ROTARY, initial_weights),
    "generate/wide_head": _logits_case("wide", WIDE, wild_weights("wide w", 26)),
    "generate/deep": _logits_case("deep", DEEP, wild_weights("deep w", 31)),
    "generate/largest": _logits_case("largest", LEARNED, filled_weights(2**31 - 1)),
    "generate/lowest": _logits_case("lowest", ROTARY, filled_weights(-2**31)),
    "generate/signs": _logits_case("signs", WIDE, signed_weights("generate")),
    "generate/zero": _logits_case("zero", LEARNED, filled_weights(0)),
    "generate/tiny": _logits_case("tiny", ROTARY, wild_weights("tiny w", 3)),
    "generate/greedy": _text_case("greedy", ROTARY, 0, 0, wild_weights("greedy w", 28)),
    "generate/text": _text_case("text", LEARNED, ONE, 0),
    "generate/top_k": _text_case("top", ROTARY, 40000, 5, wild_weights("top w", 27)),
    "generate/losses": _losses_case("losses", ROTARY, wild_weights("losses w", 26)),
    "generate/losses_signs": _losses_case("losses signs", LEARNED, signed_weights("generate")),
    "generate/losses_zero": _losses_case("losses zero", DEEP, filled_weights(0)),
    "generate/draw_ends_cold": _draw_case(ENDS, 1, 0),
    "generate/draw_ends_hot": _draw_case(ENDS, 2**20, 65536),
    "generate/draw_ties": _draw_case(pack([5, 9, 9, 9, 5, 9], 4), ONE, 3),
    "generate/draw_many": _draw_case(sample_ints("many", 3000, 4, 21), 2 * ONE, 700),
}
