"""Stateless checks of messages, and the pure rules of requests: offers, draws, slashes.

Reads/Writes: nothing. Every bound has its reason in README.md beside this file, section "Bounds".
"""

from dataclasses import dataclass

from abci_app.runtime.fee import (
    compute_fee, compute_judging_chance, compute_judging_cost, compute_request_stake,
)
from abci_app.runtime.question import ROOT_BYTES, TOKEN_BYTES, compute_answer_bytes_max, compute_ask
from abci_app.wire.address import decode_address
from abci_app.wire.coin import BASE_DENOM, parse_amount, parse_base_amount
from abci_app.wire.errors import InvalidCoins
from abci_app.wire.ints import PPM, U64_MAX, ppm_floor
from abci_app.wire.merkle import HASH_BYTES
from abci_app.wire.pb.cosmos.base.v1beta1.coin_pb2 import Coin
from abci_app.wire.pb.gradus.inference.v1.inference_pb2 import (
    REQUEST_STATUS_ASK, REQUEST_STATUS_AUDIT, REQUEST_STATUS_COMMIT, REQUEST_STATUS_DRAW, REQUEST_STATUS_PENDING,
    REQUEST_STATUS_REVEAL,
    SEAT_STATUS_ASSIGNED, SEAT_STATUS_COMMITTED, SEAT_STATUS_REVEALED, Host, Params, Question, Request, Seat,
)
from abci_app.wire.pb.gradus.inference.v1.tx_pb2 import (
    MsgCommitAnswer, MsgDrainHost, MsgLeaveHost, MsgRegisterHost, MsgRequestInference, MsgRevealAnswer, MsgUpdateHost,
)
from abci_app.wire.pb.gradus.models.v1.models_pb2 import InferencePolicy, ModelSpec
from abci_app.wire.question import ANSWER_INLINE_BYTES_MAX, SALT_BYTES
from abci_app.wire.seed import hash_fields, iter_u64
from abci_app.x.inference.errors import (
    BondTooLarge, CapacityInvalid, CommitmentMalformed, DeadlineInvalid, EndpointInvalid, PriceInvalid,
    ReplicasInvalid, RevealMalformed, StatementKeyInvalid,
)

STORE = "inference"
PRICE_MAX = 1 << 50
CAPACITY_MAX = 1_024
ENDPOINT_CHARS_MAX = 128
KEY_BYTES = 33
HOSTS_MAX = 256  # active ones of a model
DEADLINE_BLOCKS_MAX = 10_000
REVEAL_BLOCKS = 4  # before the deadline, of which the commits have none
COMMIT_BLOCKS_MIN = 4  # from the dealing on, for who computes nothing long
COMMIT_WORK_PER_BLOCK = 1 << 28  # multiply-adds, for which the commits have one block more
WAIT_PARTS = 8  # a request that waits is asked again after this part of the time that it has waited
TRIED_PER_BLOCK = 256  # requests that wait to be dealt
LOOKED_PER_BLOCK = 8_192  # hosts that a block looks at for them
DRAWN_PER_BLOCK = 256
ASKED_PER_BLOCK = 64  # the audits room has time for fewer
ENDED_PER_BLOCK = 256  # phases
PRUNED_PER_BLOCK = 256
BLOCKS_MAX = 10_000_000  # of a parameter
MISSED_MAX = 1_000
OFFERS_MAX = 64  # that a quote tells
HOST_LOOK_GAS = 200  # of a host that a message looks at
WRITES_LATER = 16  # of a request, by blocks; its user pays for them beforehand
WRITES_LATER_PER_SEAT = 24

OPEN_STATUSES = (REQUEST_STATUS_PENDING, REQUEST_STATUS_COMMIT, REQUEST_STATUS_REVEAL, REQUEST_STATUS_DRAW,
                 REQUEST_STATUS_ASK, REQUEST_STATUS_AUDIT)
OPEN_SEATS = (SEAT_STATUS_ASSIGNED, SEAT_STATUS_COMMITTED, SEAT_STATUS_REVEALED)


@dataclass(frozen=True, slots=True)
class Offer:
    """What a host would answer for."""

    host: Host
    ask_ugrad: int
    fee_ugrad: int
    stake_ugrad: int


def default_params() -> Params:
    """The parameters of a chain whose genesis names none."""
    return Params(kept_blocks=1_000, missed_max=3, request_price_ugrad=100, return_blocks=100)


def check_register_host(msg: MsgRegisterHost) -> None:
    """Stateless validity of MsgRegisterHost. Raises InvalidAddress (sdk/7), PriceInvalid, CapacityInvalid,
    EndpointInvalid, StatementKeyInvalid (inference/2 to 5), InvalidCoins (sdk/10), BondTooLarge (inference/6)."""
    _check_terms(msg)


def check_update_host(msg: MsgUpdateHost) -> None:
    """Stateless validity of MsgUpdateHost. Raises as check_register_host."""
    _check_terms(msg)


def _check_terms(msg: MsgRegisterHost | MsgUpdateHost) -> None:
    decode_address(msg.host)
    if not 1 <= msg.price_ugrad_per_gma <= PRICE_MAX:
        raise PriceInvalid(f"{msg.price_ugrad_per_gma} given")
    if not 1 <= msg.capacity <= CAPACITY_MAX:
        raise CapacityInvalid(f"{msg.capacity} given")
    if msg.endpoint and not is_endpoint(msg.endpoint):
        raise EndpointInvalid(f"{len(msg.endpoint)} characters given")
    is_key = len(msg.statement_key) == KEY_BYTES and msg.statement_key[0] in (2, 3)
    if not (is_key if msg.endpoint else not msg.statement_key):
        raise StatementKeyInvalid(f"{len(msg.statement_key)} bytes given")
    parse_bond(msg.bond)


def is_endpoint(text: str) -> bool:
    """Whether a host's endpoint is one: http:// or https:// with something behind it, printable ASCII, not too long."""
    scheme, _, rest = text.partition("://")
    is_printable = all("!" <= char <= "~" for char in text)
    return scheme in ("http", "https") and bool(rest) and is_printable and len(text) <= ENDPOINT_CHARS_MAX


def check_drain_host(msg: MsgDrainHost) -> None:
    """Stateless validity of MsgDrainHost. Raises InvalidAddress (sdk/7)."""
    decode_address(msg.host)


def check_leave_host(msg: MsgLeaveHost) -> None:
    """Stateless validity of MsgLeaveHost. Raises InvalidAddress (sdk/7)."""
    decode_address(msg.host)


def check_request_inference(msg: MsgRequestInference) -> None:
    """Stateless validity of MsgRequestInference; the question is checked in the handler, which knows the contract.

    Raises: InvalidAddress (sdk/7), InvalidCoins (sdk/10), ReplicasInvalid (inference/19), DeadlineInvalid
    (inference/18).
    """
    decode_address(msg.user)
    parse_base_amount(msg.max_fee)
    if msg.replicas == 0:
        raise ReplicasInvalid("0 given")
    if not compute_least_deadline(1) <= msg.deadline_blocks <= DEADLINE_BLOCKS_MAX:
        raise DeadlineInvalid(f"{msg.deadline_blocks} given, the least is {compute_least_deadline(1)}")


def check_commit_answer(msg: MsgCommitAnswer) -> None:
    """Stateless validity of MsgCommitAnswer. Raises InvalidAddress (sdk/7), CommitmentMalformed (inference/27)."""
    decode_address(msg.host)
    if len(msg.commitment) != HASH_BYTES:
        raise CommitmentMalformed(f"{len(msg.commitment)} bytes given")


def check_reveal_answer(msg: MsgRevealAnswer) -> None:
    """Stateless validity of MsgRevealAnswer. Raises InvalidAddress (sdk/7), RevealMalformed (inference/31)."""
    decode_address(msg.host)
    if (len(msg.answer_hash) != HASH_BYTES or len(msg.salt) != SALT_BYTES
            or len(msg.answer) > ANSWER_INLINE_BYTES_MAX):
        raise RevealMalformed(f"{len(msg.answer_hash)}, {len(msg.salt)} and {len(msg.answer)} bytes given")


def parse_bond(bond: Coin) -> int:
    """The ugrad (0..2^64-1) to add to a bond. Raises InvalidCoins (sdk/10), BondTooLarge (inference/6)."""
    if bond.denom != BASE_DENOM:
        raise InvalidCoins(f"a bond is given in {BASE_DENOM}; write 0{BASE_DENOM} to add nothing")
    amount_ugrad = parse_amount(bond.amount)
    if amount_ugrad > U64_MAX:
        raise BondTooLarge(f"{amount_ugrad} ugrad offered")
    return amount_ugrad


def new_offer(policy: InferencePolicy, work: int, host: Host, judging_ugrad: int) -> Offer:
    """What a host asks, and must stake, for an answer of so many multiply-adds whose audit is worth judging_ugrad."""
    ask_ugrad = compute_ask(work, host.price_ugrad_per_gma)
    stake_ugrad = max(compute_request_stake(policy, ask_ugrad), judging_ugrad)
    return Offer(host, ask_ugrad, compute_fee(policy, ask_ugrad), stake_ugrad)


def compute_burnt(params: Params, policy: InferencePolicy, work: int, price_ugrad_per_gma: int) -> int:
    """ugrad that a request burns: its price, and what the audit costs that may be drawn, by its chance, rounded up."""
    judging_ugrad = compute_judging_cost(work, price_ugrad_per_gma)
    return params.request_price_ugrad + compute_judging_chance(policy, judging_ugrad)


def sort_offers(offers: list[Offer], seed: bytes, count: int) -> list[Offer]:
    """The cheapest `count` offers; equal prices in the order of a hash of the request's seed and the account."""
    return sorted(offers, key=lambda offer: (offer.host.price_ugrad_per_gma, hash_fields(
        "gradus/seat", seed, decode_address(offer.host.address))))[:count]


def compute_commit_blocks(work: int) -> int:
    """Blocks that hosts have at least, from the dealing on, to compute so many multiply-adds and to commit."""
    return COMMIT_BLOCKS_MIN + -(-work // COMMIT_WORK_PER_BLOCK)  # rounded up


def compute_least_deadline(work: int) -> int:
    """The least deadline_blocks of a request of so many multiply-adds: one to be dealt in, then both phases."""
    return 1 + compute_commit_blocks(work) + REVEAL_BLOCKS


def compute_last_dealing(request: Request) -> int:
    """The last height whose block may deal a request: later nobody could compute, commit and reveal any more."""
    return request.deadline_height - REVEAL_BLOCKS - compute_commit_blocks(request.work)


def compute_next_try(request: Request, height: int) -> int:
    """When a request that waits is asked again: the longer it has waited, the later; at the end it fails in time."""
    wait_blocks = max((height - request.opened_height) // WAIT_PARTS, 1)  # rounded down
    return min(height + wait_blocks, compute_last_dealing(request) + 1)


def is_drawn(seed: bytes, audit_ppm: int) -> bool:
    """Whether an answer on which all agree is audited, by its draw seed. The bias of the remainder is below 2^-44."""
    return next(iter_u64(seed)) % PPM < audit_ppm


def is_answer_size(spec: ModelSpec, question: Question, size: int) -> bool:
    """Whether an answer to a question may have so many bytes: of rows exactly one size, of a decoder any number of
    tokens from one to those asked for."""
    size_max = compute_answer_bytes_max(spec, question)
    if not spec.HasField("decoder"):
        return size == size_max
    return ROOT_BYTES < size <= size_max and (size - ROOT_BYTES) % TOKEN_BYTES == 0


def find_majority(request: Request) -> bytes:
    """The answer hash that more than half of the revealed seats have; b"" where there is none."""
    hashes = [seat.answer_hash for seat in request.seats if seat.status == SEAT_STATUS_REVEALED]
    return next((one for one in hashes if 2 * hashes.count(one) > len(hashes)), b"")


def is_of_one_mind(request: Request) -> bool:
    """Whether all revealed seats have the same answer hash."""
    hashes = [seat.answer_hash for seat in request.seats if seat.status == SEAT_STATUS_REVEALED]
    return all(one == hashes[0] for one in hashes)


def count_seats(request: Request, status: int) -> int:
    """How many seats of a request have a status."""
    return sum(1 for seat in request.seats if seat.status == status)


def is_open(seat: Seat) -> bool:
    """Whether a seat of an open request binds its host's bond."""
    return seat.status in OPEN_SEATS


def compute_wrong_slash(policy: InferencePolicy, host: Host, stake_ugrad: int) -> int:
    """ugrad of its bond that a wrong answer costs a host: what it staked, or the contract's part of the bond where that
    is more and not staked elsewhere."""
    free_ugrad = host.bond_ugrad - (host.staked_ugrad - stake_ugrad)
    return min(max(stake_ugrad, ppm_floor(host.bond_ugrad, policy.wrong_slash_ppm)), free_ugrad)


def compute_shares(policy: InferencePolicy, slashed_ugrad: int, accounts: list[bytes]) -> int:
    """ugrad that each account (one entry for each right digest) gets of a slash, rounded down; the rest is burnt."""
    return ppm_floor(slashed_ugrad, PPM - policy.burn_slash_ppm) // len(accounts) if accounts else 0
