"""Text from a decoder: forward only, with an integer cache of keys and values, sampled by a seed.

Tokens are uint16 little-endian, logits int32 little-endian at exponent 16. Each token is quantised by itself, so an
answer does not depend on how tokens were grouped on the way.  Source: README.md beside this file.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from kernels import checks, decoder, dispatch, gin1, merkle
from kernels.errors import KernelInputError
from kernels.generate import rules

if TYPE_CHECKING:
    from kernels.decoder import Decoder

WEIGHT_BYTES = 4
TOKEN_BYTES = 2
LOGITS_MAX = 2**26
ROWS_MAX = 2**20
SCORE_BLOCK = 128


class Answer(NamedTuple):
    """tokens: those generated, uint16; digests: one of 32 bytes for each; root: the tree over the digests."""

    tokens: bytes
    digests: tuple[bytes, ...]
    root: bytes


def logits(model: Decoder, weights: bytes, tokens: bytes) -> tuple[bytes, int]:
    """(int32 [tokens, vocab], 16): after each of 1..context tokens, the logits of the one that follows.

    Raises: KernelInputError; also for more than 2**26 logits in all: use a Session and fewer tokens at a time.
    """
    return Session(model, weights).score(tokens), gin1.LOGIT_EXPONENT


def generate(
    model: Decoder, weights: bytes, prompt: bytes, count: int, seed: bytes,
    temperature_q16: int = 65536, top_k: int = 0, stop: int | None = None,
) -> Answer:
    """Continue a prompt of 1..context tokens by up to `count` tokens; prompt and answer have at most context + 1.

    seed: 32 bytes. temperature_q16: 0 (the largest logit, of equals the lowest token) to 2**20; 65536 is 1.
    top_k: 0 (all) to 65536; more than the vocabulary is all. stop: the token after which the answer ends.
    """
    return Session(model, weights).generate(prompt, count, seed, temperature_q16, top_k, stop)


def losses(model: Decoder, weights: bytes, tokens: bytes, rows: int) -> bytes:
    """int64 [rows]: for each row of tokens [rows, length] the sum over its length - 1 last tokens of their loss.

    A token's loss is -ln of its probability after those before it, in nats at exponent 16. length: 2..context + 1.
    """
    checks.check_int("rows", rows, 1, ROWS_MAX)
    session = Session(model, weights)
    length = checks.check_int("tokens in a row", _count_tokens(tokens) // rows, 2, model.context + 1)
    checks.check_bytes("tokens", tokens, TOKEN_BYTES * rows * length)
    size = TOKEN_BYTES * length
    found = [session.measure(tokens[row * size:(row + 1) * size]) for row in range(rows)]
    return b"".join(loss.to_bytes(8, "little") for loss in found)


def compute_root(digests: Sequence[bytes]) -> bytes:
    """The root over the digests of an answer's tokens, of which there is at least one."""
    return merkle.compute_root(merkle.sha256, [merkle.compute_leaf(merkle.sha256, digest) for digest in digests])


def sample(scores: bytes, seed: bytes, position: int, temperature_q16: int = 65536, top_k: int = 0) -> int:
    """The token at `position` (0..2**32 - 1) of a text, drawn from logits int32 [1..65536] at exponent 16."""
    checks.check_bytes("logits", scores)
    count = checks.check_int("number of logits", len(scores) // 4, 1, 65536)
    checks.check_bytes("logits", scores, 4 * count)
    checks.check_int("position", position, 0, 2**32 - 1)
    _check_sampling(seed, temperature_q16, top_k)
    return _draw(checks.read_array(scores, "<i4"), seed, position, temperature_q16, top_k)


def logits_cost(model: Decoder, tokens: int) -> int:
    """What `logits` of that many tokens costs, in multiply-adds."""
    decoder.check_model(model)
    checks.check_int("tokens", tokens, 1, model.context)
    return rules.compute_load_cost(model) + rules.compute_read_cost(model, 0, tokens, tokens)


def losses_cost(model: Decoder, rows: int, length: int) -> int:
    """What `losses` of rows of that length costs, in multiply-adds."""
    decoder.check_model(model)
    checks.check_int("rows", rows, 1, ROWS_MAX)
    checks.check_int("length", length, 2, model.context + 1)
    row = rules.compute_read_cost(model, 0, length - 1, length - 1) + (length - 1) * rules.compute_token_cost(model)
    return rules.compute_load_cost(model) + rows * row


def generate_cost(model: Decoder, prompt: int, count: int) -> int:
    """What `generate` costs at most, in multiply-adds: prompt and count are numbers of tokens."""
    decoder.check_model(model)
    checks.check_int("prompt", prompt, 1, model.context)
    checks.check_int("count", count, 1, model.context + 1 - prompt)
    cost = rules.compute_load_cost(model) + rules.compute_read_cost(model, 0, prompt, 1)
    later = sum(rules.compute_read_cost(model, place, 1, 1) for place in range(prompt, prompt + count - 1))
    return cost + later + count * rules.compute_token_cost(model)


class Session:
    """A decoder ready to answer, and the tokens it has read. For hosts: off the chain, one thread at a time.

    Holds int8 views of the weights (made once), int32 embeddings, and the cache: 4 bytes for each layer, position and
    column of the positions in use. The back end is the one in use when the session is made.
    """

    def __init__(self, model: Decoder, weights: bytes) -> None:
        decoder.check_model(model)
        checks.check_bytes("weights", weights, WEIGHT_BYTES * decoder.param_count(model))
        self.model = model
        self._backend = dispatch.implementation("generate")
        self._views: Any = self._backend.Views(model, checks.read_array(weights, "<i4"))
        self._cache: Any = self._backend.Cache(model)
        self._tokens = b""
        self._last: bytes | None = None

    @property
    def tokens(self) -> bytes:
        """The tokens read so far."""
        return self._tokens

    def fork(self) -> Session:
        """A session over the same views that has read nothing: another thread may use it at the same time."""
        other = copy.copy(self)
        other._cache, other._tokens, other._last = self._backend.Cache(self.model), b"", None
        return other

    def rewind(self, length: int) -> None:
        """Forget all tokens but the first `length`."""
        checks.check_int("length", length, 0, len(self._tokens) // TOKEN_BYTES)
        if TOKEN_BYTES * length < len(self._tokens):
            self._tokens, self._last = self._tokens[:TOKEN_BYTES * length], None
            self._cache.length = length

    def feed(self, tokens: bytes) -> bytes:
        """Read 1 or more tokens; the logits [vocab] of the one that follows."""
        self._last = checks.write_array(self._feed(tokens, 1))
        return self._last

    def score(self, tokens: bytes) -> bytes:
        """Read 1 or more tokens; the logits [tokens, vocab] after each."""
        count = _count_tokens(tokens)
        if count * self.model.vocab > LOGITS_MAX:
            raise KernelInputError(f"{count} tokens have more than {LOGITS_MAX} logits: score fewer at a time")
        found = checks.write_array(self._feed(tokens, count))
        self._last = found[-4 * self.model.vocab:]
        return found

    def generate(
        self, prompt: bytes, count: int, seed: bytes,
        temperature_q16: int = 65536, top_k: int = 0, stop: int | None = None,
    ) -> Answer:
        """As `generate` of this module; what the prompt shares with the tokens read so far is not read again."""
        steps = list(self.stream(prompt, count, seed, temperature_q16, top_k, stop))
        digests = tuple(digest for _, digest in steps)
        return Answer(b"".join(token for token, _ in steps), digests, compute_root(digests))

    def stream(
        self, prompt: bytes, count: int, seed: bytes,
        temperature_q16: int = 65536, top_k: int = 0, stop: int | None = None,
    ) -> Iterator[tuple[bytes, bytes]]:
        """Each (token, digest) of `generate`, as soon as it is drawn. Between two of them nothing else may be read."""
        length = checks.check_int("prompt's number of tokens", _count_tokens(prompt), 1, self.model.context)
        checks.check_int("count", count, 1, self.model.context + 1 - length)
        _check_sampling(seed, temperature_q16, top_k)
        if stop is not None:
            checks.check_int("stop", stop, 0, self.model.vocab - 1)
        scores = self._read_prompt(prompt)
        for position in range(length, length + count):
            token = _draw(checks.read_array(scores, "<i4"), seed, position, temperature_q16, top_k)
            written = token.to_bytes(TOKEN_BYTES, "little")
            yield written, rules.hash_step(position, token, scores)
            if token == stop or position == length + count - 1:
                return
            scores = self.feed(written)

    def measure(self, tokens: bytes) -> int:
        """Forget all, then read 2..context + 1 tokens but the last; the sum of the losses of all but the first."""
        count = checks.check_int("number of tokens", _count_tokens(tokens), 2, self.model.context + 1)
        targets = self._check_tokens(tokens, count)[1:]
        self.rewind(0)
        total = 0
        step = max(1, min(SCORE_BLOCK, LOGITS_MAX // self.model.vocab))
        for start in range(0, count - 1, step):
            block = targets[start:start + step]
            found = self._feed(tokens[TOKEN_BYTES * start:TOKEN_BYTES * (start + len(block))], len(block))
            total += int(self._backend.measure(found, block).sum())
        return total

    def _read_prompt(self, prompt: bytes) -> bytes:
        """The logits after the prompt."""
        self._check_tokens(prompt, _count_tokens(prompt))
        if self._last is not None and self._tokens == prompt:
            return self._last
        self.rewind(min(_count_shared(prompt, self._tokens), _count_tokens(prompt) - 1))
        return self.feed(prompt[len(self._tokens):])

    def _feed(self, tokens: bytes, scored: int) -> Any:
        room = self.model.context - len(self._tokens) // TOKEN_BYTES
        count = checks.check_int("number of tokens", _count_tokens(tokens), 1, room)
        values = self._check_tokens(tokens, count)
        self._last = None
        self._cache.length = len(self._tokens) // TOKEN_BYTES  # a call that was stopped may have read some
        found = self._backend.feed(self._views, self._cache, values, scored)
        self._tokens += tokens
        return found

    def _check_tokens(self, tokens: bytes, count: int) -> Any:
        checks.check_bytes("tokens", tokens, TOKEN_BYTES * count)
        values = checks.read_array(tokens, "<u2")
        if count and int(values.max()) >= self.model.vocab:
            raise KernelInputError(f"tokens holds one that is not below {self.model.vocab}, the vocabulary")
        return values


def _draw(scores: Any, seed: bytes, position: int, temperature_q16: int, top_k: int) -> int:
    if temperature_q16 == 0:
        return int(scores.argmax())
    weights = dispatch.implementation("generate").weigh(scores, temperature_q16, top_k)
    sums = weights.cumsum(dtype=weights.dtype)
    threshold = rules.find_threshold(rules.draw_word(seed, position), int(sums[-1]))
    return int(sums.searchsorted(weights.dtype.type(threshold), side="right"))


def _check_sampling(seed: object, temperature_q16: object, top_k: object) -> None:
    checks.check_seed("seed", seed)
    checks.check_int("temperature_q16", temperature_q16, 0, rules.TEMPERATURE_MAX)
    checks.check_int("top_k", top_k, 0, 65536)


def _count_tokens(tokens: object) -> int:
    return len(checks.check_bytes("tokens", tokens)) // TOKEN_BYTES


def _count_shared(one: bytes, other: bytes) -> int:
    """How many tokens both begin with."""
    length = min(_count_tokens(one), _count_tokens(other))
    for index in range(length):
        place = slice(TOKEN_BYTES * index, TOKEN_BYTES * (index + 1))
        if one[place] != other[place]:
            return index
    return length
