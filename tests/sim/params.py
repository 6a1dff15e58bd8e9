"""What a seed decides of a chain before its first block: validators, their powers and operators, genesis, bounds."""

import random
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any
from unittest.mock import patch

from abci_app.genesis import new_genesis
from abci_app.runtime.records import export_record
from abci_app.wire.pb.gradus.audits.v1.audits_pb2 import Params as AuditParams
from abci_app.wire.pb.gradus.inference.v1.inference_pb2 import Params as InferenceParams
from abci_app.wire.pb.gradus.models.v1.models_pb2 import Params as ModelParams
from abci_app.wire.pb.gradus.rewards.v1.rewards_pb2 import Params as RewardParams
from abci_app.wire.pb.gradus.sessions.v1.sessions_pb2 import Params as SessionParams
from abci_app.x.work import block
from abci_app.x.work import types as work_types
from tests.chain import CHAIN_ID, address_of
from tests.votes import Signer

SIGNERS = tuple(Signer(f"validator{index}") for index in range(10))
PPM = 1_000_000
BOUNDS = ("UNITS_PER_BLOCK", "IDLE_MODELS_PER_BLOCK", "OPENED_UNITS_PER_BLOCK", "CLOSE_COST_PER_BLOCK",
          "SETTLED_UNITS_PER_BLOCK", "DRAWN_UNITS_PER_BLOCK", "AUDIT_COST_PER_BLOCK")


@dataclass(frozen=True)
class ChainParams:
    """The beginning of a chain. powers: by key of `signers`. bounds: of what a block bears, where not the chain's own.

    operators: the account's name for each of `signers`.
    """

    signers: tuple[Signer, ...]
    powers: dict[bytes, int]
    operators: tuple[str, ...]
    app_state: dict[str, Any]
    bounds: dict[str, int]

    def apply_bounds(self) -> ExitStack:
        """Blocks bear so much until the stack is closed. Payloads are revealed region by region, so that some have
        several parts."""
        stack = ExitStack()
        stack.enter_context(patch.object(work_types, "PART_BYTES", 1))
        for name in sorted(self.bounds):
            stack.enter_context(patch.object(block, name, self.bounds[name]))
        return stack


def new_params(dice: random.Random, accounts: dict[str, int], trainers: list[str]) -> ChainParams:
    """Random parameters. accounts: ugrad by name. trainers: names of whom some operate a validator themselves."""
    signers = SIGNERS[:dice.choice((3, 4, 4, 4, 5, 7, 10))]
    is_even = dice.random() < 0.5
    powers = {signer.pub_key: 10 if is_even else dice.randint(1, 40) for signer in signers}
    operators = [f"operator{index}" for index in range(len(signers))]
    if dice.random() < 0.5:
        operators[dice.randrange(len(signers))] = dice.choice(trainers)
    if dice.random() < 0.3:
        operators[dice.randrange(len(signers))] = operators[dice.randrange(len(signers))]
    listed = [{"consensus_address_hex": signer.address.hex(), "operator": address_of(name)}
              for signer, name in zip(signers, operators)]
    app_state = new_genesis(CHAIN_ID, listed, {address_of(name): accounts[name] for name in sorted(accounts)})
    app_state["auth"]["gas_price_ppm"] = str(dice.choice((0, 7, 500, 1_000)))
    app_state["models"] = {"params": export_record(ModelParams(audit_price_ugrad_per_gma=dice.choice((0, 1, 100))))}
    app_state["rewards"]["params"] = export_record(_draw_rewards(dice))
    app_state["audits"] = {"params": export_record(AuditParams(
        missed_max=dice.randint(1, 9), missed_excluded_blocks=dice.randint(1, 300),
        wrong_excluded_blocks=dice.randint(1, 600)))}
    app_state["inference"] = {"params": export_record(InferenceParams(
        kept_blocks=dice.choice((1, 20, 1_000)), missed_max=dice.randint(1, 4),
        request_price_ugrad=dice.choice((0, 100)), return_blocks=dice.choice((0, 5, 60))))}
    app_state["sessions"] = {"params": export_record(SessionParams(
        close_blocks=dice.randint(5, 12), show_blocks=dice.randint(5, 12), session_blocks_max=100,
        kept_blocks=dice.choice((1, 20, 1_000))))}
    is_tight = dice.random() < 0.25
    bounds = {name: dice.choice((1, 2, 7)) for name in BOUNDS if dice.random() < 0.7} if is_tight else {}
    return ChainParams(signers, powers, tuple(operators), app_state, bounds)


def _draw_rewards(dice: random.Random) -> RewardParams:
    cuts = sorted(dice.randint(0, PPM) for _ in range(3))
    parts = [high - low for low, high in zip([0, *cuts], [*cuts, PPM])]
    return RewardParams(
        initial_block_reward_ugrad=dice.choice((0, 0, 1_000, 70_001)),
        halving_blocks=dice.choice((37, 400, 10_000_000)),
        stakers_ppm=parts[0], work_ppm=parts[1], hosts_ppm=parts[2], community_ppm=parts[3],
        unback_blocks=dice.randint(1, 60), mint_price_ugrad_per_gma=dice.choice((0, 1_000_000, 40_000_000, 2**64 - 1)))
