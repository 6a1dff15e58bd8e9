"""Stateless checks of messages and parameters, and the pure rules of money: schedule, accrual, shares, bounds.

Reads/Writes: nothing. All divisions round down: what is left over is not minted, or stays where it is.
"""

from dataclasses import replace

from abci_app.runtime.contract import GMA, compute_burnt, compute_unit_work
from abci_app.runtime.fee import FeeParts
from abci_app.wire.address import decode_address
from abci_app.wire.coin import parse_base_amount
from abci_app.wire.ints import PPM, U64_MAX, mul_div_floor
from abci_app.wire.pb.gradus.models.v1.models_pb2 import ModelSpec
from abci_app.wire.pb.gradus.rewards.v1.rewards_pb2 import Contribution, Emission, Ledger, Params, Royalties
from abci_app.wire.pb.gradus.rewards.v1.tx_pb2 import MsgBack, MsgCollectRoyalties, MsgUnback
from abci_app.x.rewards.errors import ParamsInvalid

STORE = "rewards"
BONDS = "work"
COMMUNITY = "community"
HALVINGS_MAX = 64  # after so many the reward of any block is 0
UNBACK_BLOCKS_MAX = 10_000_000
UNBACKINGS_PER_BLOCK = 256
UNITS_MAX = 64  # of a round
MINT_PRICE_UGRAD_PER_GMA = 40_000_000
Q64_BITS = 64
Q64_BYTES = 16


def check_back(msg: MsgBack) -> None:
    """Stateless validity of MsgBack. Raises InvalidAddress (sdk/7), InvalidCoins (sdk/10)."""
    decode_address(msg.owner)
    parse_base_amount(msg.amount)


def check_unback(msg: MsgUnback) -> None:
    """Stateless validity of MsgUnback. Raises InvalidAddress (sdk/7), InvalidCoins (sdk/10)."""
    decode_address(msg.owner)
    parse_base_amount(msg.amount)


def check_collect_royalties(msg: MsgCollectRoyalties) -> None:
    """Stateless validity of MsgCollectRoyalties. Raises InvalidAddress (sdk/7)."""
    decode_address(msg.trainer)


def default_params(initial_block_reward_ugrad: int = 0) -> Params:
    """Parameters to start from; the schedule is empty unless a block reward is named.

    Halved every 10,000,000 blocks; 30 % to stakers, 50 % to work, 10 % each to hosts and the community; at most 40 grad
    are minted for 10^9 multiply-adds.
    """
    return Params(initial_block_reward_ugrad=initial_block_reward_ugrad, halving_blocks=10_000_000,
                  stakers_ppm=300_000, work_ppm=500_000, hosts_ppm=100_000, community_ppm=100_000, unback_blocks=1_000,
                  mint_price_ugrad_per_gma=MINT_PRICE_UGRAD_PER_GMA)


def check_params(params: Params) -> None:
    """Raises ParamsInvalid (rewards/2)."""
    parts_ppm = params.stakers_ppm + params.work_ppm + params.hosts_ppm + params.community_ppm
    if parts_ppm != PPM:
        raise ParamsInvalid(f"stakers_ppm, work_ppm, hosts_ppm and community_ppm add up to {parts_ppm}, not {PPM}")
    if not 1 <= params.unback_blocks <= UNBACK_BLOCKS_MAX:
        raise ParamsInvalid(f"unback_blocks is {params.unback_blocks}, allowed are 1 to {UNBACK_BLOCKS_MAX}")
    if params.halving_blocks < 1:
        raise ParamsInvalid("halving_blocks is 0, the least is 1")
    total_ugrad = compute_total(params)
    if total_ugrad > U64_MAX:
        raise ParamsInvalid(f"all blocks together are to be rewarded with {total_ugrad} ugrad, the most is {U64_MAX}; "
                            "lower initial_block_reward_ugrad or halving_blocks")


def compute_block_reward(params: Params, height: int) -> int:
    """ugrad of the block at `height` (0 or more)."""
    return params.initial_block_reward_ugrad >> (height // params.halving_blocks)


def compute_schedule(params: Params, height: int) -> int:
    """ugrad of the blocks 1 to `height` (0 or more) together."""
    blocks = params.halving_blocks
    total_ugrad = -params.initial_block_reward_ugrad  # the block 0, which is none, counts in the first term below
    for halving in range(min(height // blocks, HALVINGS_MAX) + 1):
        last = min(height, (halving + 1) * blocks - 1)
        total_ugrad += (params.initial_block_reward_ugrad >> halving) * (last - halving * blocks + 1)
    return total_ugrad


def compute_total(params: Params) -> int:
    """ugrad of all blocks that will ever be, together."""
    return compute_schedule(params, HALVINGS_MAX * params.halving_blocks)


def compute_left(params: Params, height: int) -> int:
    """ugrad of all blocks behind `height` (0 or more) that will ever be, together."""
    return compute_total(params) - compute_schedule(params, height)


def compute_accrued_q64(accrued_q64: bytes, work_ugrad: int, backing_ugrad: int) -> bytes:
    """What one backed ugrad has accrued, times 2^64, after a block whose work part is work_ugrad.

    backing_ugrad: behind all models, 1 or more. Stays below 2^128: no more than 2^64 ugrad are ever scheduled.
    """
    accrued = int.from_bytes(accrued_q64, "big") + mul_div_floor(work_ugrad, 1 << Q64_BITS, backing_ugrad)
    return accrued.to_bytes(Q64_BYTES, "big")


def compute_accrued(ledger: Ledger, emission: Emission) -> int:
    """ugrad of the emission that a model has accrued for its running round."""
    grown = int.from_bytes(emission.accrued_q64, "big") - int.from_bytes(ledger.settled_q64, "big")
    return ledger.accrued_ugrad + mul_div_floor(ledger.backing_ugrad, grown, 1 << Q64_BITS)


def compute_share(round_reward_ugrad: int, escrow_ugrad: int, accepted: int) -> int:
    """ugrad for each of `accepted` (at least 1) units: equal parts of the reward, or of what the escrow still holds.

    Rounded down; the remainder stays in the escrow.
    """
    return min(round_reward_ugrad, escrow_ugrad) // accepted


def compute_parts(amount_ugrad: int, accounts: list[bytes]) -> list[tuple[bytes, int]]:
    """(account, ugrad) by rising account: every entry of `accounts` has the same part, rounded down; none for 0.
    """
    share_ugrad = amount_ugrad // len(accounts) if accounts else 0
    counts: dict[bytes, int] = {}
    for account in accounts:
        counts[account] = counts.get(account, 0) + 1
    return [(account, share_ugrad * counts[account]) for account in sorted(counts)] if share_ugrad else []


def compute_minted_share(accrued_ugrad: int, dealt: int, spec: ModelSpec, params: Params) -> int:
    """ugrad that each accepted unit has minted of what its model accrued, when `dealt` (at least 1) were dealt."""
    return min(accrued_ugrad // dealt, compute_minted_max(spec, params))


def compute_minted_max(spec: ModelSpec, params: Params) -> int:
    """The most that may be minted for a unit of a contract, in ugrad: by its bond, and by its work."""
    return min(compute_bond_max(spec), compute_work_max(spec, params))


def compute_bond_max(spec: ModelSpec) -> int:
    """The most that may be minted for a unit, in ugrad, so that a wrong claim still does not pay.

    What is burnt of a bond for a wrong claim, and for a withheld reveal, must be at least reward * (1 - p) / p, at an
    audit rate of p; so a unit may earn up to burnt * p / (1 - p), of which the contract's round reward comes first.
    Contracts that want more of the emission ask for larger bonds.
    """
    audit, economy = spec.audit, spec.economy
    if audit.rate_ppm >= PPM:
        return U64_MAX
    burnt_ugrad = min(compute_burnt(economy, audit))
    deterred_ugrad = mul_div_floor(burnt_ugrad, audit.rate_ppm, PPM - audit.rate_ppm)
    return min(max(deterred_ugrad - economy.round_reward_ugrad, 0), U64_MAX)


def compute_work_max(spec: ModelSpec, params: Params) -> int:
    """The most that may be minted for a unit, in ugrad, by what its shapes ask for: multiply-adds at the chain's price.

    Nothing that a trainer says enters. A checked contract's unit has at most 2^34 multiply-adds; the price is any u64.
    """
    return min(mul_div_floor(compute_unit_work(spec), params.mint_price_ugrad_per_gma, GMA), U64_MAX)


def limit_parts(parts: FeeParts, royalties: Royalties, units: int) -> FeeParts:
    """The parts of a fee as they can be booked for a model with so many accepted units; they add up to the same.

    Without units the trainers' part is the creator's. Once all fees of a model together pass 2^64 ugrad, what would be
    owed to trainers and auditors is burnt instead: so no record of them ever overflows.
    """
    fee_ugrad = compute_fee_sum(parts)
    if not units:
        parts = replace(parts, trainers_ugrad=0, creator_ugrad=parts.creator_ugrad + parts.trainers_ugrad)
    if royalties.fees_ugrad + fee_ugrad > U64_MAX:
        burnt_ugrad = parts.burnt_ugrad + parts.trainers_ugrad + parts.auditors_ugrad
        parts = replace(parts, trainers_ugrad=0, auditors_ugrad=0, burnt_ugrad=burnt_ugrad)
    return parts


def compute_fee_sum(parts: FeeParts) -> int:
    """ugrad of the whole fee."""
    return (parts.host_ugrad + parts.trainers_ugrad + parts.creator_ugrad + parts.owner_ugrad + parts.auditors_ugrad
            + parts.burnt_ugrad)


def compute_per_unit_q64(per_unit_q64: bytes, trainers_ugrad: int, units: int) -> bytes:
    """What one accepted unit has earned by answers, times 2^64, after a fee whose trainers' part is so much.

    units: of all trainers, 1 or more. Stays below 2^128: the parts of a model's fees stay below 2^64 together.
    """
    per_unit = int.from_bytes(per_unit_q64, "big") + mul_div_floor(trainers_ugrad, 1 << Q64_BITS, units)
    return per_unit.to_bytes(Q64_BYTES, "big")


def compute_collectable(contribution: Contribution, per_unit_q64: bytes) -> int:
    """ugrad that a trainer can collect: what was settled, and what its units have earned since."""
    grown = int.from_bytes(per_unit_q64, "big") - int.from_bytes(contribution.settled_q64, "big")
    return contribution.royalties_ugrad + mul_div_floor(contribution.units, grown, 1 << Q64_BITS)
