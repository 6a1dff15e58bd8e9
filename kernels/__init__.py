"""Integer kernels: the same bytes on every machine.

Calls take bytes and ints and return bytes and ints; numpy and numba are loaded by the first call.
The specification is README.md beside this file. Nothing else of the project is imported here.
"""

from __future__ import annotations

from typing import NamedTuple


class Op(NamedTuple):
    """One line of the table of ops: its package, its calls, what goes in and out, and the source."""

    name: str
    calls: tuple[str, ...]
    shapes: str
    source: str


OPS = (
    Op("mlp", ("param_count", "init_weights", "predict", "logits"),
       "weights int32 [P]; features int8 [rows, inputs] -> uint16 [rows], int32 [rows, classes]",
       "README sections 5 and 6"),
    Op("decoder", ("param_count", "init_weights", "list_parameters", "stages"),
       "weights int32 [P]; tokens or stream h int32 [N, d], slope dh int32 [N, d] -> h, dh, gradients int64 [P]",
       "decoder/README.md sections 14 to 21"),
    Op("unit", ("check_policy", "unit_cost", "unit_work", "run_unit"),
       "weights int32 [P]; features int8 [H*B, inputs]; labels uint16 [H*B]; seed -> payload, trace",
       "README section 7"),
    Op("payload", ("payload_bytes", "region_bytes", "encode", "encode_with_feedback", "check", "decode"),
       "delta int64 [P] <-> regions of 65536: exponents uint8, values of 8, 4 or 2 bits or the largest entries",
       "README section 8"),
    Op("aggregate", ("aggregate", "payloads_needed", "cost"), "1..64 payloads -> one delta int64 [P]",
       "README section 9"),
    Op("outer", ("outer_step",), "weights int32 [P], momentum int64 [P], mean delta int64 [P]",
       "README section 10"),
    Op("chunks", ("chunk_count", "split", "chunk_root", "chunk_proof", "verify_chunk"),
       "bytes -> 32-byte BLAKE3 tree root, proofs", "README section 11"),
    Op("freivalds", ("check",), "A, B int8 or int16, C int32 or int64 -> whether C = A @ B", "freivalds/README.md"),
    Op("generate", ("logits", "losses", "generate", "sample", "logits_cost", "losses_cost", "generate_cost"),
       "weights int32 [P], tokens uint16 -> logits int32 [tokens, vocab], losses int64 [rows], tokens, digests",
       "generate/README.md"),
    Op("tokenizer", ("encode", "decode", "digest"), "tokenizer file, text <-> tokens uint16", "tokenizer/README.md"),
)
