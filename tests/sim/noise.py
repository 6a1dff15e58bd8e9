"""What should never do anything: malformed bytes, replays, refused messages, evidence that is not evidence."""

import random
from collections.abc import Iterator

from google.protobuf.message import Message

from abci_app.wire.coin import base_coin, coin_pb
from abci_app.wire.pb.gradus.work.v1.tx_pb2 import AuditEvidence, MsgCommitWork, MsgEnroll, MsgLeave, MsgRevealWork
from abci_app.wire.tx import INJECTED_MARK, decode_injected, encode_injected
from tests.chain import address_of

NUMBERS = (0, 1, 2, 3, 2**31, 2**32 - 1)


def iter_garbage(dice: random.Random, txs: list[bytes]) -> Iterator[bytes]:
    """Bytes that no chain may take: noise, cut, flipped and repeated transactions. `txs` are valid ones."""
    if dice.random() < 0.3:
        yield dice.randbytes(dice.randint(0, 200))
    if dice.random() < 0.3:
        yield INJECTED_MARK + dice.randbytes(dice.randint(0, 60))
    if txs and dice.random() < 0.3:
        yield dice.choice(txs)[:-1]
    if txs and dice.random() < 0.3:
        flipped = bytearray(dice.choice(txs))
        flipped[dice.randrange(len(flipped))] ^= 1 << dice.randrange(8)
        yield bytes(flipped)


def iter_refused(dice: random.Random, name: str) -> Iterator[Message]:
    """Messages of an account that is nobody's trainer: signed, paid for and refused."""
    address, model_id, number, unit = address_of(name), dice.choice(NUMBERS), dice.choice(NUMBERS), dice.choice(NUMBERS)
    kinds: tuple[Message, ...] = (
        MsgEnroll(trainer=address, model_id=2**64 - 1, bond=coin_pb(base_coin(dice.choice(NUMBERS)))),
        MsgLeave(trainer=address, model_id=model_id),
        MsgCommitWork(trainer=address, model_id=model_id, round=number, unit=unit, commitment=dice.randbytes(32)),
        MsgRevealWork(trainer=address, model_id=model_id, round=number, unit=unit, payload=dice.randbytes(9),
                      trace_root=dice.randbytes(32), salt=dice.randbytes(32)),
    )
    if dice.random() < 0.5:
        yield dice.choice(kinds)


def spoil_evidence(dice: random.Random, raw: bytes) -> bytes:
    """Evidence with one thing changed."""
    evidence = AuditEvidence.FromString(decode_injected(raw).value)
    how = dice.randrange(4)
    if how == 0:
        spoilt = bytearray(evidence.rows)
        spoilt[dice.randrange(len(spoilt))] ^= 1 << dice.randrange(8)
        evidence.rows = bytes(spoilt)
    elif how == 1:
        evidence.rows += b"\0"
    elif how == 2:
        evidence.proof.append(bytes(32))
    else:
        evidence.unit += 1_000
    return encode_injected(evidence)
