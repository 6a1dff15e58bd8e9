"""The application: the only place that knows all rooms. Builds them in order and hands each what it needs.

A room can be handed only rooms above it, so that no cycle can be built; routes are made when all keepers are there.
"""

from dataclasses import dataclass
from typing import Any

from abci_app.runtime.ante import Ante
from abci_app.runtime.context import Ctx
from abci_app.runtime.genesis import GenesisInvalid, Section
from abci_app.runtime.module import Module
from abci_app.runtime.router import Router, new_router
from abci_app.runtime.validators import Founding
from abci_app.wire.address import FEE_COLLECTOR
from abci_app.x.audits.keeper import Keeper as AuditsKeeper
from abci_app.x.audits.module import new_module as new_audits
from abci_app.x.auth.keeper import Keeper as AuthKeeper
from abci_app.x.auth.module import new_module as new_auth
from abci_app.x.bank.keeper import Keeper as BankKeeper
from abci_app.x.bank.module import new_module as new_bank
from abci_app.x.disputes.keeper import Keeper as DisputesKeeper
from abci_app.x.disputes.module import new_module as new_disputes
from abci_app.x.inference.keeper import Keeper as InferenceKeeper
from abci_app.x.inference.module import new_module as new_inference
from abci_app.x.models.keeper import Keeper as ModelsKeeper
from abci_app.x.models.module import new_module as new_models
from abci_app.x.models.types import compute_learning_rate_q16
from abci_app.x.rewards.keeper import Keeper as RewardsKeeper
from abci_app.x.rewards.module import new_module as new_rewards
from abci_app.x.sessions.keeper import Keeper as SessionsKeeper
from abci_app.x.sessions.module import new_module as new_sessions
from abci_app.x.validators.keeper import Keeper as ValidatorsKeeper
from abci_app.x.validators.module import new_module as new_validators
from abci_app.x.work.keeper import Keeper as WorkKeeper
from abci_app.x.work.module import new_module as new_work

CONSENSUS_STORE = "consensus"  # no room's: what the engine fixes, written where its calls arrive
STORE_NAMES = ("audits", "auth", "bank", CONSENSUS_STORE, "disputes", "inference", "models", "rewards", "sessions",
               "validators", "work")
MODULE_ACCOUNTS: dict[str, tuple[str, ...]] = {
    FEE_COLLECTOR: (), "community": (), "disputes": ("burner",), "inference": ("burner",), "models": (),
    "rewards": ("minter", "burner"), "sessions": ("burner",), "work": ("burner",)}


@dataclass(frozen=True)
class App:
    """Rooms in the order of their block ends, the routes to them, admission, and their keepers."""

    modules: tuple[Module, ...]
    router: Router
    ante: Ante
    audits: AuditsKeeper
    auth: AuthKeeper
    bank: BankKeeper
    models: ModelsKeeper
    rewards: RewardsKeeper
    validators: ValidatorsKeeper
    work: WorkKeeper
    disputes: DisputesKeeper
    inference: InferenceKeeper
    sessions: SessionsKeeper

    def init_chain(self, ctx: Ctx, app_state: dict[str, Any], founding: Founding = Founding()) -> None:
        """Write the genesis state of every room; one that is left out starts empty.

        founding: the engine's part of the genesis; the default is for a chain without an engine.
        Raises GenesisInvalid, also for a state in which an invariant does not hold: the chain would stop on it later.
        """
        Section("app_state", app_state).only(*(module.name for module in self.modules))
        for module in self.modules:
            module.init_genesis(ctx, app_state.get(module.name, {}))
        for module in self.modules:
            if module.init_validators is not None:
                module.init_validators(ctx, founding)
        broken = self.check_invariants(ctx)
        if broken:
            raise GenesisInvalid("app_state", "; ".join(broken), "the parts contradict each other; export it again")

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
    models = ModelsKeeper(bank=bank)
    rewards = RewardsKeeper(bank=bank, models=models)
    validators = ValidatorsKeeper()
    audits = AuditsKeeper(validators=validators, operators=rewards)
    work = WorkKeeper(bank=bank, models=models, rewards=rewards, audits=audits,
                      compute_learning_rate_q16=compute_learning_rate_q16)
    disputes = DisputesKeeper(bank=bank, work=work)
    inference = InferenceKeeper(bank=bank, models=models, rewards=rewards, audits=audits)
    sessions = SessionsKeeper(bank=bank, models=models, rewards=rewards, audits=audits, hosts=inference)
    modules = (new_auth(auth), new_bank(bank), new_models(models, rounds=work), new_rewards(rewards, auditors=audits),
               new_validators(validators), new_audits(audits), new_work(work), new_disputes(disputes),
               new_inference(inference), new_sessions(sessions))
    router = new_router(modules)
    return App(modules, router, Ante(router, auth, bank), audits, auth, bank, models, rewards, validators, work,
               disputes, inference, sessions)
