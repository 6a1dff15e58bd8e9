"""`python -m kernels.bench generate`: tokens a second of decoders, reading a prompt and writing one at a time.

Refuses to time a model until the cpu back end gives the reference's bytes for it. Writes nothing.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

from kernels import decoder, dispatch, generate
from kernels.decoder import Decoder
from kernels.samples import SEED, sample_labels

WIDTHS = (64, 128, 256, 512)
PROMPT, WRITTEN = 512, 128
CHECKED = 20
REPEATS = 5


def main() -> int:
    """Print the table; returns 1 if the back ends differ."""
    print(f"vocab 1024, 4 layers, hidden 4 * width, heads of 64; prompt of {PROMPT} tokens, {WRITTEN} written; "
          "best of runs, one thread unless products are large")
    heads = ("width", "params", "load ms", "read tok/s", "write tok/s", "write GB/s", "ref read", "ref write")
    print("".join(f"{head:>13}" for head in heads))
    for width in WIDTHS:
        model = Decoder(1024, 1024, width, max(1, width // 64), 4 * width, 4, "rotary", True)
        weights = decoder.init_weights(model, SEED)
        prompt = sample_labels("bench", PROMPT, model.vocab)
        if not _is_equal(model, weights, prompt):
            print(f"not timed: cpu differs from ref at width {width}", file=sys.stderr)
            return 1
        print("".join(f"{column:>13}" for column in _measure(model, weights, prompt)))
    return 0


def _is_equal(model: Decoder, weights: bytes, prompt: bytes) -> bool:
    found = []
    for backend in ("ref", "cpu"):
        with dispatch.forced(backend):
            session = generate.Session(model, weights)
            scores = session.score(prompt[:2 * CHECKED])
            found.append((scores, session.generate(prompt[:2 * CHECKED], 4, SEED)))
    return found[0] == found[1]


def _measure(model: Decoder, weights: bytes, prompt: bytes) -> list[str]:
    with dispatch.forced("cpu"):
        load = _time(lambda: generate.Session(model, weights), REPEATS)
        read, write = _time_session(generate.Session(model, weights), prompt, WRITTEN, REPEATS)
    with dispatch.forced("ref"):
        slow = _time_session(generate.Session(model, weights), prompt[:2 * CHECKED], CHECKED, 1)
    count = decoder.param_count(model)
    return [
        str(model.width), str(count), f"{load * 1000:.1f}", f"{PROMPT / read:.0f}", f"{WRITTEN / write:.0f}",
        f"{count * WRITTEN / write / 1e9:.1f}", f"{CHECKED / slow[0]:.0f}", f"{CHECKED / slow[1]:.0f}",
    ]


def _time_session(session: generate.Session, prompt: bytes, written: int, repeats: int) -> tuple[float, float]:
    """Seconds to read the prompt, and to read the same tokens again one by one after it."""
    def read() -> None:
        session.rewind(0)
        session.feed(prompt)

    def write() -> None:
        session.rewind(len(prompt) // 2)
        for place in range(written):
            session.feed(prompt[2 * place:2 * place + 2])

    return _time(read, repeats), _time(write, repeats)


def _time(call: Callable[[], object], repeats: int) -> float:
    best = float("inf")
    for _ in range(repeats):
        start = time.perf_counter()
        call()
        best = min(best, time.perf_counter() - start)
    return best
