"""The rounds of a model as blocks tell them: dealt by which seed, what was revealed and accepted, with which root.

Pure: reads blocks that were fetched already. Blocks hold all that records forget when a round is no longer kept.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import TypeVar

from google.protobuf.message import Message

from abci_app.client.errors import ProofInvalid
from abci_app.client.light.blocks import Header
from abci_app.client.light.errors import ELSEWHERE
from abci_app.replay.blocks import Block, Happening
from abci_app.replay.draw import Draw
from abci_app.wire.errors import ChainError
from abci_app.wire.pb.gradus.disputes.v1.tx_pb2 import MsgProveOperation
from abci_app.wire.pb.gradus.work.v1.tx_pb2 import MsgRevealPart, MsgRevealWork
from abci_app.wire.seed import reveal_hash, round_seed
from abci_app.wire.tx import decode_tx, is_injected, parse_strict, type_url
from kernels.aggregate.types import PAYLOADS_MAX

REVEALS: tuple[type[MsgRevealWork | MsgRevealPart], ...] = (MsgRevealWork, MsgRevealPart)
_Message = TypeVar("_Message", bound=Message)
OPENED, CLOSED = "work.round_opened", "work.round_closed"
ACCEPTED = "work.unit_accepted"
PHASE, WITHHELD = "work.phase_entered", "work.unit_withheld"
DRAWN = ("work.unit_drawn", "work.unit_audited")  # the latter alone where nobody could judge
TOLD = (OPENED, CLOSED, ACCEPTED, PHASE, WITHHELD, *DRAWN)


@dataclass(frozen=True, slots=True)
class Reveal:
    """A unit's claim and its bytes, as its trainer revealed them: in parts, of which the last may be missing."""

    trainer: str
    payload_root: bytes
    trace_root: bytes
    parts: list[bytes]
    salt: bytes = b""

    @property
    def payload(self) -> bytes:
        """The bytes that were revealed."""
        return b"".join(self.parts)


@dataclass(slots=True)
class PastRound:
    """A dealing of a round. number: from 1. weights_root: after it, as a block says; empty until it is closed.

    opened_height: of the block that dealt it. header: of the block that closed it, whose hash vouches for that block
    and all before. is_committed: the last block ended its commits, so that the next one has its reveal_hash.
    """

    number: int
    attempt: int
    unit_count: int
    seed: bytes
    spec_version: int
    opened_height: int
    reveals: dict[int, Reveal] = field(default_factory=dict)
    accepted: list[int] = field(default_factory=list)
    weights_root: bytes = b""
    header: Header | None = None
    is_committed: bool = False
    reveal_hash: bytes = b""
    withheld: list[int] = field(default_factory=list)
    drawn: list[int] = field(default_factory=list)

    @property
    def draw(self) -> Draw:
        """What the audits were drawn from, and which were."""
        salts = [(unit, self.reveals[unit].salt) for unit in sorted(self.reveals) if unit not in self.withheld]
        return Draw(self.number, self.attempt, self.reveal_hash, salts, len(self.withheld), sorted(self.drawn))


def iter_rounds(blocks: Iterable[Block], model_id: int) -> Iterator[PastRound]:
    """The closed rounds of a model, from blocks in the order of their heights, from its creation on.

    Raises ProofInvalid when what blocks say contradicts itself.
    """
    dealt: PastRound | None = None
    for block in blocks:
        if dealt is not None:
            _take_hash(block, dealt)
            _take_reveals(block, model_id, dealt)
        for happening in _iter_of_model(block, model_id):
            if happening.type == OPENED:
                dealt = _read_dealing(block, happening, model_id)
            elif dealt is None:
                raise ProofInvalid(f"block {block.header.height} speaks of a round of model {model_id} that no block "
                                   "has opened", ELSEWHERE)
            elif happening.type == ACCEPTED:
                dealt.accepted.append(_number(block, happening, "unit"))
            elif happening.type != CLOSED:
                _take_audit(block, happening, dealt)
            else:
                dealt.weights_root = _root(block, happening)
                dealt.header = block.header
                yield dealt


def has_proved_operation(block: Block, model_id: int, number: int, unit: int) -> bool:
    """Whether an operation of a unit was executed in a block, which ends the dispute about it."""
    messages = (message for raw, code in zip(block.txs, block.codes, strict=True) if not code and not is_injected(raw)
                for message in _iter_messages(block, raw, (MsgProveOperation,)))
    return any((message.model_id, message.round, message.unit) == (model_id, number, unit) for message in messages)


def _iter_of_model(block: Block, model_id: int) -> Iterator[Happening]:
    for happening in block.happenings:
        if happening.type in TOLD and happening.fields.get("model_id") == str(model_id):
            yield happening


def _read_dealing(block: Block, happening: Happening, model_id: int) -> PastRound:
    """The dealing of a block, with the seed that its header gives."""
    header = block.header
    number, attempt, count = (_number(block, happening, name) for name in ("round", "attempt", "unit_count"))
    version = _number(block, happening, "spec_version")
    seed = round_seed(header.chain_id, model_id, number, attempt, header.app_hash, header.last_block_id.hash)
    return PastRound(number, attempt, min(count, PAYLOADS_MAX), seed, version, header.height)


def _take_hash(block: Block, dealt: PastRound) -> None:
    """What the end of the commits gives to the draw, which the header of the next block has."""
    if dealt.is_committed:
        dealt.is_committed = False
        dealt.reveal_hash = reveal_hash(block.header.app_hash, block.header.last_block_id.hash)


def _take_audit(block: Block, happening: Happening, dealt: PastRound) -> None:
    """What an event says of the draw; of an earlier round, whose late verdicts come besides, nothing."""
    if _number(block, happening, "round") != dealt.number:
        return
    if happening.type == PHASE:
        dealt.is_committed = happening.fields.get("phase") == "reveal"
        return
    found = dealt.withheld if happening.type == WITHHELD else dealt.drawn
    unit = _number(block, happening, "unit")
    if unit not in found:
        found.append(unit)


def _take_reveals(block: Block, model_id: int, dealt: PastRound) -> None:
    """The reveals of a dealing in a block's transactions that did what they asked for."""
    for raw, code in zip(block.txs, block.codes, strict=True):
        if code or is_injected(raw):
            continue
        for message in _iter_messages(block, raw, REVEALS):
            if (message.model_id, message.round, message.attempt) == (model_id, dealt.number, dealt.attempt):
                _take_reveal(block, dealt, message)


def _take_reveal(block: Block, dealt: PastRound, message: MsgRevealWork | MsgRevealPart) -> None:
    """The first part begins anew what was begun before; another is the next one of what was begun."""
    if isinstance(message, MsgRevealWork):
        dealt.reveals[message.unit] = Reveal(message.trainer, message.payload_root, message.trace_root,
                                             [message.payload], message.salt)
        return
    begun = dealt.reveals.get(message.unit)
    if begun is None or len(begun.parts) != message.part:
        raise ProofInvalid(f"block {block.header.height} is said to have taken part {message.part} of unit "
                           f"{message.unit} out of turn", ELSEWHERE)
    begun.parts.append(message.data)


def _iter_messages(block: Block, raw: bytes, kinds: tuple[type[_Message], ...]) -> Iterator[_Message]:
    """The messages of some kinds of a transaction."""
    try:
        for packed in decode_tx(raw).body.messages:
            for kind in kinds:
                if packed.type_url == type_url(kind):
                    yield parse_strict(kind, packed.value, kind.DESCRIPTOR.name)
    except ChainError as error:
        raise ProofInvalid(f"a transaction of block {block.header.height} is said to have succeeded and is malformed: "
                           f"{error}", ELSEWHERE) from None


def _number(block: Block, happening: Happening, name: str) -> int:
    text = happening.fields.get(name, "")
    if not text.isascii() or not text.isdigit() or len(text) > 10:
        raise ProofInvalid(f"{happening.type} of block {block.header.height} has no number {name!r}", ELSEWHERE)
    return int(text)


def _root(block: Block, happening: Happening) -> bytes:
    try:
        return bytes.fromhex(happening.fields.get("weights_root", ""))
    except ValueError:
        raise ProofInvalid(f"{happening.type} of block {block.header.height} names no root", ELSEWHERE) from None
