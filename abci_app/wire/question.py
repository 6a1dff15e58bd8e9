"""Questions to a model and their answers on the wire: canonical hashes, commitments, receipts. Pure.

An answer is bytes. Of a classifier: labels u16 little-endian [rows] ‖ logits int32 little-endian [rows, classes] at
exponent 16. Of a regressor: outputs int32 little-endian [rows, outputs] at exponent 16. Of a decoder: tokens u16
little-endian ‖ the 32 bytes of the root over what they were drawn from (kernels/generate/README.md, section 2).
Source: abci_app/x/inference/README.md, abci_app/x/sessions/README.md.
"""

from abci_app.wire.ints import u32_bytes, u64_bytes
from abci_app.wire.pb.gradus.inference.v1.inference_pb2 import Question
from abci_app.wire.pb.gradus.sessions.v1.sessions_pb2 import Entry, Receipt
from abci_app.wire.seed import hash_fields, iter_u64

ANSWER_INLINE_BYTES_MAX = 4_096  # of an answer that stands on the chain; of a longer one only its hash does
SALT_BYTES = 32
NO_STOP = b""


def question_hash(question: Question) -> bytes:
    """What names a question: SHA-256 over its fields, each behind its length."""
    stop = u32_bytes(question.stop) if question.has_stop else NO_STOP
    return hash_fields("gradus/question", u32_bytes(question.rows), question.features, question.prompt,
                       u32_bytes(question.tokens), u32_bytes(question.temperature_q16), u32_bytes(question.top_k), stop)


def answer_hash(answer: bytes) -> bytes:
    """What hosts claim and auditors compare."""
    return hash_fields("gradus/answer", answer)


def answer_commitment(address: bytes, request_id: int, hash_of_answer: bytes, salt: bytes) -> bytes:
    """What a host commits to. Bound to its account (20 bytes): a copied commitment cannot be revealed."""
    return hash_fields("gradus/answer-claim", address, u64_bytes(request_id), hash_of_answer, salt)


def request_seed(chain_id: str, request_id: int, last_app_hash: bytes, last_block_hash: bytes) -> bytes:
    """Seed of a request, taken when it is dealt: who answers it, and what a decoder samples."""
    return hash_fields("gradus/request", chain_id.encode(), u64_bytes(request_id), last_app_hash, last_block_hash)


def session_seed(chain_id: str, session_id: int, last_app_hash: bytes, last_block_hash: bytes) -> bytes:
    """Seed of a session, taken when it is opened."""
    return hash_fields("gradus/session", chain_id.encode(), u64_bytes(session_id), last_app_hash, last_block_hash)


def entry_seed(seed: bytes, number: int) -> bytes:
    """Seed by which answer `number` (from 1) of a session is sampled, from the session's seed."""
    return hash_fields("gradus/session-sampling", seed, u64_bytes(number))


def draw_seed(seed: bytes, last_app_hash: bytes, last_block_hash: bytes) -> bytes:
    """Seed by which a later block draws whether a request or a session is audited, and of its witness."""
    return hash_fields("gradus/answer-draw", seed, last_app_hash, last_block_hash)


def entry_leaf(entry: Entry) -> bytes:
    """An entry of a session as the leaf of its receipt's tree."""
    return hash_fields("gradus/session-entry", u64_bytes(entry.number), entry.question_hash, entry.answer_hash,
                       u64_bytes(entry.fee_ugrad), u64_bytes(entry.total_ugrad))


def has_coin(entry: Entry, coin_ugrad: int) -> bool:
    """Whether one of the coins of a session's total, which are counted from 1 in the order of entries, is of this fee.

    Where every total is that before it and the fee, each coin is of one entry, and an entry has as many as its fee.
    """
    return entry.total_ugrad - entry.fee_ugrad < coin_ugrad <= entry.total_ugrad


def receipt_digest(chain_id: str, receipt: Receipt) -> bytes:
    """The 32 bytes that a user signs with the session's receipt key (wire/signature.py)."""
    return _state_digest("gradus/receipt", chain_id, receipt)


def statement_digest(chain_id: str, state: Receipt) -> bytes:
    """The 32 bytes that a host signs with its statement key for every answer that it gives: the state after it.

    The same fields that the user's receipt has; nobody can be held to a state that only the other side has signed.
    """
    return _state_digest("gradus/statement", chain_id, state)


def draw_witness_token(seed: bytes, count: int) -> int:
    """Which of an answer's tokens (from 0, of 1 or more) an auditor must have drawn, from its audit's seed.

    The bias of the remainder is below 2^-48: an answer has fewer than 2^16 tokens.
    """
    return next(iter_u64(hash_fields("gradus/answer-witness-token", seed))) % count


def compute_answer_witness(seed: bytes, state: bytes) -> bytes:
    """What shows that an auditor has computed an answer, from its audit's seed and a state on the way to it."""
    return hash_fields("gradus/answer-witness", seed, state)


def request_hash(record: bytes) -> bytes:
    """What stays of a request that is kept no longer, from the bytes of its record: a leaf of the archive."""
    return hash_fields("gradus/request-record", record)


def _state_digest(domain: str, chain_id: str, state: Receipt) -> bytes:
    return hash_fields(domain, chain_id.encode(), u64_bytes(state.session_id), u64_bytes(state.count),
                       u64_bytes(state.total_ugrad), state.root)
