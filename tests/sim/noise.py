"""What should never do anything: malformed bytes, replays, refused messages, votes that were not cast."""

import random
from collections.abc import Iterator

from google.protobuf.message import Message

from abci_app.wire.coin import base_coin, coin_pb
from abci_app.wire.pb.gradus.audits.v1.tx_pb2 import AuditOpening, AuditVotes
from abci_app.wire.pb.gradus.work.v1.tx_pb2 import MsgCommitWork, MsgEnroll, MsgLeave, MsgRevealPart, MsgRevealWork
from abci_app.wire.tx import INJECTED_MARK, decode_injected, encode_injected, type_url
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
                      trace_root=dice.randbytes(32), salt=dice.randbytes(32), payload_root=dice.randbytes(32)),
        MsgRevealPart(trainer=address, model_id=model_id, round=number, unit=unit, part=1, data=dice.randbytes(9)),
    )
    if dice.random() < 0.5:
        yield dice.choice(kinds)


def spoil_injected(dice: random.Random, raw: bytes) -> bytes:
    """What a proposer brought of an audit, with one thing changed."""
    packed = decode_injected(raw)
    if packed.type_url == type_url(AuditOpening):
        opening = AuditOpening.FromString(packed.value)
        spoilt = bytearray(opening.answer)
        spoilt[dice.randrange(len(spoilt))] ^= 1 << dice.randrange(8)
        opening.answer = bytes(spoilt)
        return encode_injected(opening)
    votes = AuditVotes.FromString(packed.value)
    vote = dice.choice(votes.votes)
    how = dice.randrange(5)
    if how == 0:
        vote.extension = bytes([*vote.extension[:-1], vote.extension[-1] ^ 1])  # another digest than the signed one
    elif how == 1:
        vote.signature = bytes([vote.signature[0] ^ 1]) + vote.signature[1:]
    elif how == 2:
        votes.height -= 1
    elif how == 3:
        votes.votes.append(vote)
    else:
        vote.validator = dice.randbytes(20)
    return encode_injected(votes)
