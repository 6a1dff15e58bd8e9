"""Desks on real chains."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from kernels import dispatch
from tests.unit.inference.desk import Desk


@pytest.fixture(autouse=True)
def reference_kernels() -> Iterator[None]:
    with dispatch.forced("ref"):
        yield


@pytest.fixture
def new_desk(tmp_path: Path) -> Iterator[Callable[..., Desk]]:
    """Makes desks; their chains are closed afterwards."""
    desks: list[Desk] = []

    def make(**changes: Any) -> Desk:
        desks.append(Desk(tmp_path / f"desk{len(desks)}", **changes))
        return desks[-1]

    yield make
    for desk in desks:
        desk.chain.database.close()


@pytest.fixture
def desk(new_desk: Callable[..., Desk]) -> Desk:
    """Three hosts at one price."""
    return new_desk()


@pytest.fixture(autouse=True)
def temp_rewards(monkeypatch):
    from abci_app.runtime.fee import split_fee
    from abci_app.wire.coin import base_coin
    from abci_app.x.rewards.keeper import Keeper

    def share_fee(self, ctx, payer, model_id, policy, host, fee, ask):
        parts = split_fee(policy, fee, ask)
        self.bank.send_from_module(ctx, payer, host, (base_coin(ask),))
        if fee > ask:
            self.bank.burn(ctx, payer, (base_coin(fee - ask),))
        return parts

    if not hasattr(Keeper, "share_fee"):
        monkeypatch.setattr(Keeper, "share_fee", share_fee, raising=False)
        monkeypatch.setattr(Keeper, "pay_answer_auditors", lambda self, ctx, model_id, amount, accounts: 0, raising=False)
