"""The application: the only place that knows all rooms. Builds them in order and hands each what it needs.

A room can be handed only rooms above it, so that no cycle can be built.
"""

from dataclasses import dataclass
from typing import Any

from abci_app.runtime.ante import Ante
from abci_app.runtime.context import Ctx
from abci_app.runtime.genesis import GenesisInvalid
from abci_app.runtime.module import Module
from abci_app.runtime.router import Router, new_router
from abci_app.x.auth.keeper import Keeper as AuthKeeper
from abci_app.x.auth.module import new_module as new_auth
from abci_app.x.bank.keeper import FEE_COLLECTOR
from abci_app.x.bank.keeper import Keeper as BankKeeper
from abci_app.x.bank.module import new_module as new_bank

STORE_NAMES = ("auth", "bank", "models", "rewards", "work")
MODULE_ACCOUNTS: dict[str, tuple[str, ...]] = {FEE_COLLECTOR: (), "models": (), "work": ("burner",)}


@dataclass(frozen=True)
class App:
    """Rooms in the order of their block ends, the routes to them, admission, and their keepers."""

    modules: tuple[Module, ...]
    router: Router
    ante: Ante
    auth: AuthKeeper
    bank: BankKeeper

    def init_chain(self, ctx: Ctx, app_state: dict[str, Any]) -> None:
        """Write the genesis state of every room. Raises GenesisInvalid."""
        names = [module.name for module in self.modules]
        if not isinstance(app_state, dict) or sorted(app_state) != sorted(names):
            raise GenesisInvalid("app_state", "not an object with one field a room", f"its fields are {names}")
        for module in self.modules:
            module.init_genesis(ctx, app_state[module.name])

    def export_genesis(self, ctx: Ctx) -> dict[str, Any]:
        """The genesis state that gives this state again."""
        return {module.name: module.export_genesis(ctx) for module in self.modules}

    def check_invariants(self, ctx: Ctx) -> list[str]:
        """What is broken in the state, one line each; empty when all invariants hold."""
        broken = []
        for module in self.modules:
            for invariant in module.invariants:
                problem = invariant.check(ctx)
                if problem is not None:
                    broken.append(f"{invariant.name}: {problem}")
        return broken


def new_app() -> App:
    """All rooms, built in order."""
    auth = AuthKeeper(module_accounts=MODULE_ACCOUNTS)
    bank = BankKeeper(accounts=auth)
    modules = (new_auth(auth), new_bank(bank))
    router = new_router(modules)
    return App(modules, router, Ante(router, auth, bank), auth, bank)
