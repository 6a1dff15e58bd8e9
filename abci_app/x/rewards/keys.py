"""Every key of the room. Numbers are big-endian and of fixed width, so key order is number order.

Store `rewards`: 01 model trainer -> Contribution; 02 consensus address -> Payout; 03 -> Params; 04 -> Emission;
05 model -> Ledger; 06 model owner -> Backing; 07 due height, owner, model -> Unbacking; 08 owner, due height, model ->
mark; 09 model round -> Vesting; 0a model -> Royalties.
"""

from abci_app.wire.ints import u32_bytes, u64_bytes

CONTRIBUTIONS = b"\x01"
PAYOUTS = b"\x02"
PARAMS = b"\x03"
EMISSION = b"\x04"
LEDGERS = b"\x05"
BACKINGS = b"\x06"
UNBACKINGS = b"\x07"
UNBACKING_MARKS = b"\x08"
VESTINGS = b"\x09"
ROYALTIES = b"\x0a"


def contribution(model_id: int, trainer: bytes) -> bytes:
    """Key of a trainer's Contribution to a model."""
    return contributions_of(model_id) + trainer


def contributions_of(model_id: int) -> bytes:
    """Prefix of a model's Contributions."""
    return CONTRIBUTIONS + u64_bytes(model_id)


def payout(consensus_address: bytes) -> bytes:
    """Key of a proposer's Payout."""
    return PAYOUTS + consensus_address


def ledger(model_id: int) -> bytes:
    """Key of a model's Ledger."""
    return LEDGERS + u64_bytes(model_id)


def backing(model_id: int, owner: bytes) -> bytes:
    """Key of an account's Backing of a model."""
    return backings_of(model_id) + owner


def backings_of(model_id: int) -> bytes:
    """Prefix of a model's Backings."""
    return BACKINGS + u64_bytes(model_id)


def unbacking(due_height: int, owner: bytes, model_id: int) -> bytes:
    """Key of an Unbacking; the earliest due comes first."""
    return UNBACKINGS + u64_bytes(due_height) + owner + u64_bytes(model_id)


def unbacking_mark(owner: bytes, due_height: int, model_id: int) -> bytes:
    """Key of the mark by which an account's Unbacking is found."""
    return unbacking_marks_of(owner) + u64_bytes(due_height) + u64_bytes(model_id)


def unbacking_marks_of(owner: bytes) -> bytes:
    """Prefix of the marks of an account's Unbackings."""
    return UNBACKING_MARKS + owner


def read_unbacking_mark(key: bytes) -> tuple[int, bytes, int]:
    """(due height, owner, model) of an unbacking's mark."""
    owner, numbers = key[1:-16], key[-16:]
    return int.from_bytes(numbers[:8], "big"), owner, int.from_bytes(numbers[8:], "big")


def vesting(model_id: int, round_number: int) -> bytes:
    """Key of a round's Vesting."""
    return vestings_of(model_id) + u32_bytes(round_number)


def vestings_of(model_id: int) -> bytes:
    """Prefix of a model's Vestings."""
    return VESTINGS + u64_bytes(model_id)


def royalties(model_id: int) -> bytes:
    """Key of a model's Royalties."""
    return ROYALTIES + u64_bytes(model_id)
