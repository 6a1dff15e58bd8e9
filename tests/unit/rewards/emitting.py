"""Rooms in which every block is rewarded, and short words for what people and the work room do with coins."""

from dataclasses import replace
from typing import Any

from abci_app.wire.address import module_address
from abci_app.wire.coin import base_coin, coin_pb
from abci_app.wire.pb.gradus.models.v1.models_pb2 import Model, ModelSpec
from abci_app.wire.pb.gradus.rewards.v1.rewards_pb2 import Params
from abci_app.wire.pb.gradus.rewards.v1.tx_pb2 import MsgBack, MsgUnback
from abci_app.x.rewards import block
from abci_app.x.rewards.types import check_params
from tests.unit.models.rooms import Rooms, small_spec

REWARDS, COMMUNITY = module_address("rewards"), module_address("community")
REWARD = 1_000


def generous_spec(**changes: Any) -> ModelSpec:
    """A contract whose bond deters so much that no round of these tests is bounded by it."""
    spec = small_spec(**changes)
    spec.economy.bond_ugrad = 10**15
    return spec


def new_rooms(**params: int) -> Rooms:
    """Rooms in which every block is rewarded with 1000 ugrad: 300 for stakers, 500 for work, 100 for the community.

    At a price by which no unit of these tests is bounded."""
    rooms = Rooms()
    chosen = {"initial_block_reward_ugrad": REWARD, "halving_blocks": 1_000, "stakers_ppm": 300_000,
              "work_ppm": 500_000, "hosts_ppm": 100_000, "community_ppm": 100_000, "unback_blocks": 5,
              "mint_price_ugrad_per_gma": 10**15} | params
    written = Params(**chosen)
    check_params(written)
    rooms.rewards.put_params(rooms.ctx, written)
    rooms.audit_for_nothing()
    return rooms


def end_block(rooms: Rooms, blocks: int = 1) -> None:
    """End the block, and so many altogether; the context is then the next one's."""
    for _ in range(blocks):
        block.end_block(rooms.ctx, rooms.rewards, rooms.auditors)
        rooms.ctx = replace(rooms.ctx, height=rooms.ctx.height + 1)


def back(rooms: Rooms, owner: str, amount_ugrad: int, model_id: int = 1) -> Any:
    return rooms.deliver(MsgBack(owner=owner, model_id=model_id, amount=coin_pb(base_coin(amount_ugrad))))


def unback(rooms: Rooms, owner: str, amount_ugrad: int, model_id: int = 1) -> Any:
    return rooms.deliver(MsgUnback(owner=owner, model_id=model_id, amount=coin_pb(base_coin(amount_ugrad))))


def pay(rooms: Rooms, model: Model, number: int, trainers: list[bytes], dealt: int) -> int:
    return rooms.rewards.pay_round(rooms.ctx, model.id, model.spec, number, list(enumerate(trainers)), dealt)
