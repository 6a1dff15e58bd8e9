"""The rooms auth, bank, models and rewards over a state in memory, and a way to deliver messages to them."""

from typing import Any

from google.protobuf.message import Message

from abci_app.app import MODULE_ACCOUNTS
from abci_app.genesis import EmptyState
from abci_app.runtime.context import Ctx
from abci_app.runtime.contract import compute_param_count
from abci_app.runtime.events import Event
from abci_app.runtime.gas import GasMeter
from abci_app.runtime.router import new_router
from abci_app.store.branch import Branch
from abci_app.wire.address import encode_address
from abci_app.wire.coin import base_coin, coin_pb
from abci_app.wire.pb.gradus.models.v1.models_pb2 import Dataset, Model, ModelSpec, Params
from abci_app.wire.pb.gradus.models.v1.tx_pb2 import MsgCreateModel
from abci_app.wire.tx import pack
from abci_app.x.auth.keeper import Keeper as AuthKeeper
from abci_app.x.auth.module import new_module as new_auth
from abci_app.x.bank.keeper import Keeper as BankKeeper
from abci_app.x.bank.module import new_module as new_bank
from abci_app.x.models.keeper import Keeper as ModelsKeeper
from abci_app.x.models.module import new_module as new_models
from abci_app.x.models.types import default_spec
from abci_app.x.rewards.keeper import Keeper as RewardsKeeper
from abci_app.x.rewards.module import new_module as new_rewards

ALICE, BOB, CAROL = bytes([1] * 20), bytes([2] * 20), bytes([3] * 20)
ALICE_TEXT, BOB_TEXT, CAROL_TEXT = encode_address(ALICE), encode_address(BOB), encode_address(CAROL)
PROPOSER = bytes([9] * 20)
FUNDS_UGRAD = 10**12
GAS_LIMIT = 10_000_000


def small_spec(**changes: Any) -> ModelSpec:
    """A contract for a table of 4 features and 3 classes."""
    dataset = Dataset(rows_root=bytes(32), train_rows=90, test_rows=10, features=4, classes=3)
    return default_spec("iris", dataset, bytes(range(32)), hidden=(5,), **changes)


def create_msg(spec: ModelSpec | None = None, escrow_ugrad: int = 5_000_000) -> MsgCreateModel:
    """A valid MsgCreateModel by Alice."""
    return MsgCreateModel(creator=ALICE_TEXT, spec=spec or small_spec(), escrow=coin_pb(base_coin(escrow_ugrad)))


class NamedRounds:
    """Who knows whether a model's round runs: here the test says it."""

    def __init__(self) -> None:
        self.running: list[int] = []
        self.idle: list[int] = []

    def has_running_round(self, ctx: Ctx, model_id: int) -> bool:
        """Whether the test said so."""
        return model_id in self.running

    def mark_idle(self, ctx: Ctx, model_id: int) -> None:
        """The model waits for a round, unless one runs."""
        if model_id not in self.running:
            self.idle.append(model_id)


class NamedAuditors:
    """Auditors of whom a test says which are excluded."""

    def __init__(self) -> None:
        self.excluded: list[bytes] = []

    def is_excluded(self, ctx: Ctx, validator: bytes) -> bool:
        """Whether the test said so."""
        return validator in self.excluded


class Rooms:
    """A chain's rooms with Alice and Bob funded; `ctx` is the block's layer."""

    def __init__(self, app_state: dict[str, Any] | None = None) -> None:
        auth = AuthKeeper(module_accounts=MODULE_ACCOUNTS)
        self.bank = BankKeeper(accounts=auth)
        self.models = ModelsKeeper(bank=self.bank)
        self.rewards = RewardsKeeper(bank=self.bank, models=self.models)
        self.rounds, self.auditors = NamedRounds(), NamedAuditors()
        self.modules = (new_auth(auth), new_bank(self.bank), new_models(self.models, self.rounds),
                        new_rewards(self.rewards, self.auditors))
        self.router = new_router(self.modules)
        self.ctx = Ctx("test-1", 7, 0, PROPOSER, bytes(32), bytes(32), Branch(EmptyState()))  # type: ignore[arg-type]
        state = app_state or {
            "auth": {"gas_price_ppm": "0"},
            "bank": {"balances": [{"address": text, "coins": [{"denom": "ugrad", "amount": str(FUNDS_UGRAD)}]}
                                  for text in (ALICE_TEXT, BOB_TEXT)]},
            "models": {},
            "rewards": {"payouts": [{"consensus_address": PROPOSER.hex(), "account": CAROL_TEXT}]},
        }
        for module in self.modules:
            module.init_genesis(self.ctx, state[module.name])

    def deliver(self, message: Message, gas_limit: int = GAS_LIMIT) -> Any:
        """Check and run one message on a layer of its own, which is kept unless an error is raised."""
        route, decoded = self.router.decode_msg(pack(message))
        route.check(decoded)
        layer = self.ctx.branch(GasMeter(gas_limit))
        response = route.run(layer, decoded)
        layer.state.write()
        self.ctx.events.extend(layer.events)
        return response

    def query(self, path: str, request: Message) -> Any:
        """The answer to a query."""
        return self.router.queries[path].run(self.ctx.branch(), request)

    def audit_for_nothing(self) -> None:
        """A chain on which nobody has to pay auditors: for contracts that pay nobody."""
        self.models.put_params(self.ctx, Params())

    def create(self, spec: ModelSpec | None = None, escrow_ugrad: int = 5_000_000) -> Model:
        """A new model by Alice."""
        return self.models.get_model(self.ctx, self.deliver(create_msg(spec, escrow_ugrad)).model_id)

    def close(self, model: Model, fill: int) -> Model:
        """Close a round with weights and momentum that are all `fill`."""
        count = compute_param_count(model.spec)
        weights, momentum = fill.to_bytes(4, "little") * count, fill.to_bytes(8, "little") * count
        return self.models.close_round(self.ctx, model, weights, momentum)

    def export(self) -> dict[str, Any]:
        """The genesis state of all rooms."""
        return {module.name: module.export_genesis(self.ctx) for module in self.modules}

    def broken(self) -> list[str]:
        """The invariants that do not hold."""
        return [invariant.name for module in self.modules for invariant in module.invariants
                if invariant.check(self.ctx) is not None]

    def state(self) -> Any:
        """Everything that is in the state and beside it."""
        return self.ctx.state.changes(), self.ctx.state.blob_changes()

    def events(self, kind: str) -> list[Event]:
        """The events of one type so far."""
        return [event for event in self.ctx.events if event.type == kind]
