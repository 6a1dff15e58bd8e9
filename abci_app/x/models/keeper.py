"""Models, their weights and their escrow: the only reader and writer of this room's state.

State: store `models` (see keys.py). Weights and momentum are blobs; the Weights records, which are
in the state, commit to them by BLAKE3 tree roots, and every load in a block is checked against its root.
Every record written costs WRITE_GAS.
Invariant: the escrows of all models add up to the balance of the module account `models`.
Source: README.md beside this file.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from abci_app.runtime.context import Ctx
from abci_app.runtime.contract import compute_first_weights, compute_param_count
from abci_app.runtime.gas import WRITE_GAS
from abci_app.wire.address import decode_address, encode_address
from abci_app.wire.coin import base_coin
from abci_app.wire.errors import InvariantBroken
from abci_app.wire.ints import U32_MAX, U64_MAX, u64_bytes
from abci_app.wire.pb.gradus.models.v1.models_pb2 import (
    MODEL_STATUS_OPEN, MODEL_STATUS_RETIRED, MODEL_STATUS_SERVING, MODEL_STATUS_TRAINING,
    MODEL_STATUS_UNSPECIFIED, Hold, Model, ModelSpec, Params, PendingSpec, SpecVersion, Weights,
)
from abci_app.x.models import events, keys
from abci_app.x.models.errors import (
    EscrowTooLarge, HoldsExhausted, InferencePolicyInvalid, ModelNotFound, VersionNotFound, WeightsNotFound,
)
from abci_app.x.models.needs import Bank
from abci_app.x.models.types import STORE
from abci_app.x.models.types.changes import find_phase, set_phase
from abci_app.x.models.types.terms import HELD_BYTE_GAS, HELD_ROUNDS_MAX, new_weights
from kernels import chunks, mlp, outer


@dataclass(frozen=True, kw_only=True)
class Keeper:
    """Reads and writes models. Records given by callers name a model; what the state holds of it is what counts."""

    bank: Bank

    def find_model(self, ctx: Ctx, model_id: int) -> Model | None:
        """The model, None when there is none of this id."""
        raw = ctx.state.store(STORE).get(keys.model(model_id)) if 0 < model_id <= U64_MAX else None
        return None if raw is None else Model.FromString(raw)

    def get_model(self, ctx: Ctx, model_id: int) -> Model:
        """The model. Raises ModelNotFound (models/2)."""
        model = self.find_model(ctx, model_id)
        if model is None:
            raise ModelNotFound(f"model {model_id}")
        return model

    def put_model(self, ctx: Ctx, model: Model) -> None:
        """Write the record."""
        self._put(ctx, keys.model(model.id), model.SerializeToString(deterministic=True))

    def iter_models(self, ctx: Ctx) -> Iterator[Model]:
        """All models, ids rising."""
        for _, raw in ctx.state.store(STORE).iter(keys.MODELS):
            yield Model.FromString(raw)

    def next_id(self, ctx: Ctx) -> int:
        """The id that the next model gets; the first is 1."""
        return int.from_bytes(ctx.state.store(STORE).get(keys.NEXT_ID) or u64_bytes(1), "big")

    def put_next_id(self, ctx: Ctx, model_id: int) -> None:
        """Write the id that the next model gets."""
        self._put(ctx, keys.NEXT_ID, u64_bytes(model_id))

    def params(self, ctx: Ctx) -> Params:
        """What auditors must be paid; genesis has written it."""
        return Params.FromString(ctx.state.store(STORE).get(keys.PARAMS) or b"")

    def put_params(self, ctx: Ctx, params: Params) -> None:
        """Write the parameters; where all are 0 there is no record."""
        if params != Params():
            self._put(ctx, keys.PARAMS, params.SerializeToString(deterministic=True))
        else:
            ctx.state.store(STORE).delete(keys.PARAMS)

    def create_model(self, ctx: Ctx, admin: str, spec: ModelSpec) -> Model:
        """Write a new open model without escrow, with the initial weights of its seed. `spec` has been checked."""
        model_id = self.next_id(ctx)
        self.put_next_id(ctx, model_id + 1)
        data = compute_first_weights(spec)
        record = new_weights(model_id, 0, data, b"", ctx.height)
        self.put_weights(ctx, record, data)
        model = Model(id=model_id, admin=admin, spec=spec, status=MODEL_STATUS_OPEN, weights_root=record.root,
                      created_height=ctx.height, spec_version=1, spec_height=ctx.height)
        self.put_model(ctx, model)
        return model

    def check_data_owner(self, spec: ModelSpec) -> None:
        """Raises InferencePolicyInvalid (models/39) where a module account would earn by answers: it holds others'.
        """
        owner = spec.inference.data_owner
        module = self.bank.find_module_name(decode_address(owner)) if owner else None
        if module is not None:
            raise InferencePolicyInvalid(f"data_owner is the module account {module}, which takes no transfers")

    def get_spec(self, ctx: Ctx, model_id: int, version: int) -> ModelSpec:
        """The terms of a version, in force or replaced. Raises ModelNotFound, VersionNotFound (models/2, models/37)."""
        model = self.get_model(ctx, model_id)
        if version == model.spec_version:
            return model.spec
        found = self.find_version(ctx, model_id, version)
        if found is None:
            raise VersionNotFound(f"model {model_id}, version {version}")
        return found.spec

    def find_version(self, ctx: Ctx, model_id: int, version: int) -> SpecVersion | None:
        """Terms that were replaced, None where there are none of this version."""
        if not 0 < version <= U32_MAX:
            return None
        raw = ctx.state.store(STORE).get(keys.version(model_id, version))
        return None if raw is None else SpecVersion.FromString(raw)

    def put_version(self, ctx: Ctx, version: SpecVersion) -> None:
        """Write terms that were replaced."""
        self._put(ctx, keys.version(version.model_id, version.version), version.SerializeToString(deterministic=True))

    def iter_versions(self, ctx: Ctx, model_id: int) -> Iterator[SpecVersion]:
        """A model's replaced terms, versions rising."""
        for _, raw in ctx.state.store(STORE).iter(keys.versions_of(model_id)):
            yield SpecVersion.FromString(raw)

    def find_pending(self, ctx: Ctx, model_id: int) -> ModelSpec | None:
        """The terms that wait for a round to end, None where there are none."""
        raw = ctx.state.store(STORE).get(keys.pending(model_id))
        return None if raw is None else PendingSpec.FromString(raw).spec

    def put_pending(self, ctx: Ctx, model_id: int, spec: ModelSpec) -> None:
        """Write the terms that wait for a round to end."""
        pending = PendingSpec(model_id=model_id, spec=spec)
        self._put(ctx, keys.pending(model_id), pending.SerializeToString(deterministic=True))

    def drop_pending(self, ctx: Ctx, model_id: int) -> None:
        """No terms wait any more."""
        ctx.gas.use(WRITE_GAS, "removal of a model's record")
        ctx.state.store(STORE).delete(keys.pending(model_id))

    def apply_pending(self, ctx: Ctx, model_id: int) -> Model:
        """Put the terms that wait, if any, in force; returns the model. To be called before a round is dealt.

        Raises ModelNotFound (models/2). Emits models.terms_changed.
        """
        model, spec = self.get_model(ctx, model_id), self.find_pending(ctx, model_id)
        if spec is None:
            return model
        self.drop_pending(ctx, model_id)
        return self.change_spec(ctx, model, spec)

    def change_spec(self, ctx: Ctx, model: Model, spec: ModelSpec) -> Model:
        """Put checked terms in force; returns the new record. A model that served trains again if rounds are left.

        Emits models.terms_changed and then, for such a model, models.training_extended.
        """
        model = self.get_model(ctx, model.id)
        self.put_version(ctx, SpecVersion(model_id=model.id, version=model.spec_version, spec=model.spec,
                                          height=model.spec_height))
        model.spec.CopyFrom(spec)
        model.spec_version += 1
        model.spec_height = ctx.height
        rounds = spec.training.rounds
        is_extended = find_phase(model) == MODEL_STATUS_SERVING and model.rounds_closed < (rounds or U32_MAX)
        if is_extended:
            set_phase(model, MODEL_STATUS_TRAINING)
        self.put_model(ctx, model)
        ctx.emit(events.terms_changed(model))
        if is_extended:
            ctx.emit(events.training_extended(model))
        return model

    def is_invited(self, model: Model, address: bytes) -> bool:
        """Whether the account (20 bytes) may train the model: everybody may where enrolment is open."""
        invited = model.spec.invited_trainers
        return not invited or encode_address(address) in invited

    def start_training(self, ctx: Ctx, model: Model) -> Model:
        """Move an open model to TRAINING. Emits models.training_started."""
        model = self.get_model(ctx, model.id)
        if model.status != MODEL_STATUS_OPEN:
            raise InvariantBroken(f"model {model.id} starts to train with status {model.status}")
        model.status = MODEL_STATUS_TRAINING
        self.put_model(ctx, model)
        ctx.emit(events.training_started(model))
        return model

    def close_round(self, ctx: Ctx, model: Model, weights: bytes, momentum: bytes) -> Model:
        """Make `weights` (int32 [P]) and `momentum` (int64 [P]) those after one more round; returns the new record.

        Drops no weights: only who runs the rounds knows which of them may still be disputed. After the last round, of
        the terms that wait where some do, the model serves. One that was paused stays so. Emits models.round_closed and
        then, at the end, models.training_finished.
        """
        model = self.get_model(ctx, model.id)
        if find_phase(model) != MODEL_STATUS_TRAINING:
            raise InvariantBroken(f"model {model.id} closes a round with status {model.status}")
        count = compute_param_count(model.spec)
        if len(weights) != mlp.WEIGHT_BYTES * count or len(momentum) != outer.MOMENTUM_BYTES * count:
            raise InvariantBroken(f"model {model.id} of {count} parameters closes a round with {len(weights)} bytes "
                                  f"of weights and {len(momentum)} of momentum")
        model.rounds_closed += 1
        record = new_weights(model.id, model.rounds_closed, weights, chunks.chunk_root(momentum), ctx.height)
        self.put_weights(ctx, record, weights)
        self.put_momentum(ctx, model.id, momentum)
        model.weights_root = record.root
        rounds = (self.find_pending(ctx, model.id) or model.spec).training.rounds
        is_last = model.rounds_closed >= (rounds or U32_MAX)
        if is_last:
            set_phase(model, MODEL_STATUS_SERVING)
        self.put_model(ctx, model)
        ctx.emit(events.round_closed(model))
        if is_last:
            ctx.emit(events.training_finished(model))
        return model

    def find_weights(self, ctx: Ctx, model_id: int, round_number: int) -> Weights | None:
        """The record of the weights after `round_number` rounds, None when it is not kept."""
        if not 0 < model_id <= U64_MAX or not 0 <= round_number <= U32_MAX:
            return None
        raw = ctx.state.store(STORE).get(keys.weights(model_id, round_number))
        return None if raw is None else Weights.FromString(raw)

    def get_weights(self, ctx: Ctx, model_id: int, round_number: int) -> Weights:
        """The record of the weights after `round_number` rounds. Raises WeightsNotFound (models/3)."""
        record = self.find_weights(ctx, model_id, round_number)
        if record is None:
            raise WeightsNotFound(f"model {model_id}, round {round_number}")
        return record

    def iter_weights(self, ctx: Ctx, model_id: int) -> Iterator[Weights]:
        """The kept records of a model, rounds rising."""
        for _, raw in ctx.state.store(STORE).iter(keys.weights_of(model_id)):
            yield Weights.FromString(raw)

    def load_weights(self, ctx: Ctx, model_id: int, round_number: int) -> bytes:
        """The weights after `round_number` rounds: int32 little-endian [P].

        Raises WeightsNotFound (models/3) when they are not kept, InvariantBroken when the blobs contradict the record.
        """
        record = self.get_weights(ctx, model_id, round_number)
        data = self.find_weights_bytes(ctx, record)
        if data is None:
            raise InvariantBroken(f"the weights of model {model_id} after round {round_number} are not in the blobs")
        return data

    def find_weights_bytes(self, ctx: Ctx, record: Weights) -> bytes | None:
        """The bytes that `record` commits to; None when the blobs do not hold exactly them."""
        parts = []
        for index in range(record.chunk_count):
            part = ctx.state.blobs.get(keys.chunk_blob(record.model_id, record.round, index))
            if part is None:
                return None
            parts.append(part)
        data = b"".join(parts)
        return data if chunks.chunk_root(data, record.chunk_bytes) == record.root else None

    def load_momentum(self, ctx: Ctx, model_id: int) -> bytes:
        """The outer momentum after the last closed round: int64 little-endian [P]; zeros before the first.

        Raises ModelNotFound (models/2), InvariantBroken when the blob contradicts the last Weights record.
        """
        model = self.get_model(ctx, model_id)
        record = self.get_weights(ctx, model_id, model.rounds_closed)
        if not record.momentum_root:
            return bytes(outer.MOMENTUM_BYTES * compute_param_count(model.spec))
        data = ctx.state.blobs.get(keys.momentum_blob(model_id))
        if data is None or chunks.chunk_root(data) != record.momentum_root:
            raise InvariantBroken(f"the momentum of model {model_id} is not in the blobs")
        return data

    def put_weights(self, ctx: Ctx, record: Weights, data: bytes) -> None:
        """Write a record and the chunks of the weights that it commits to."""
        for index, part in enumerate(chunks.split(data, record.chunk_bytes)):
            ctx.state.blobs.set(keys.chunk_blob(record.model_id, record.round, index), part)
        self._put(ctx, keys.weights(record.model_id, record.round), record.SerializeToString(deterministic=True))

    def put_momentum(self, ctx: Ctx, model_id: int, momentum: bytes) -> None:
        """Write the outer momentum, to which the last Weights record commits."""
        ctx.state.blobs.set(keys.momentum_blob(model_id), momentum)

    def drop_weights(self, ctx: Ctx, model_id: int, round_number: int) -> None:
        """Take away a round's weights and their record, if they are kept; while they are held, as soon as nobody does.
        """
        hold = self.find_hold(ctx, model_id, round_number)
        if hold is not None:
            hold.is_expired = True
            self.put_hold(ctx, hold)
            return
        self._drop_weights(ctx, model_id, round_number)

    def find_hold(self, ctx: Ctx, model_id: int, round_number: int) -> Hold | None:
        """How often the weights after `round_number` rounds are held, None where they are not."""
        if not 0 < model_id <= U64_MAX or not 0 <= round_number <= U32_MAX:
            return None
        raw = ctx.state.store(STORE).get(keys.hold(model_id, round_number))
        return None if raw is None else Hold.FromString(raw)

    def put_hold(self, ctx: Ctx, hold: Hold) -> None:
        """Write the record."""
        self._put(ctx, keys.hold(hold.model_id, hold.round), hold.SerializeToString(deterministic=True))

    def iter_holds(self, ctx: Ctx) -> Iterator[Hold]:
        """All holds by model and round, rising."""
        for _, raw in ctx.state.store(STORE).iter(keys.HOLDS):
            yield Hold.FromString(raw)

    def hold_weights(self, ctx: Ctx, model_id: int, round_number: int) -> None:
        """Keep a round's weights until they are released as often as they were held.

        The newest can always be held. Raises WeightsNotFound (models/3) where they are not kept, or only until they are
        released; HoldsExhausted (models/40) for earlier ones that nobody holds, where those of HELD_ROUNDS_MAX earlier
        rounds of the model are held. Gas: a write, and HELD_BYTE_GAS for each byte that nobody has held and a round may
        take away.
        """
        self.get_weights(ctx, model_id, round_number)
        hold = self.find_hold(ctx, model_id, round_number)
        if hold is None:
            self._book_hold(ctx, self.get_model(ctx, model_id), round_number)
            hold = Hold(model_id=model_id, round=round_number)
        if hold.is_expired:
            raise WeightsNotFound(f"model {model_id}, round {round_number}: they go with what is open already")
        hold.count += 1
        self.put_hold(ctx, hold)

    def release_weights(self, ctx: Ctx, model_id: int, round_number: int) -> None:
        """Undo one hold; the last takes away weights that the rounds have dropped meanwhile.

        Raises InvariantBroken for weights that are not held. Gas: a write.
        """
        hold = self.find_hold(ctx, model_id, round_number)
        if hold is None:
            raise InvariantBroken(f"the weights of model {model_id} after round {round_number} are held by nobody")
        hold.count -= 1
        if hold.count:
            self.put_hold(ctx, hold)
            return
        ctx.gas.use(WRITE_GAS, "removal of a model's record")
        ctx.state.store(STORE).delete(keys.hold(model_id, round_number))
        if hold.is_expired:
            self._drop_weights(ctx, model_id, round_number)

    def credit_escrow(self, ctx: Ctx, model_id: int, sender: bytes, amount_ugrad: int) -> Model:
        """Move coins from `sender` into the model's escrow; returns the new record.

        Raises ModelNotFound (models/2), EscrowTooLarge (models/21), InsufficientFunds (sdk/5).
        """
        model = self.get_model(ctx, model_id)
        if model.escrow_ugrad + model.paid_ugrad + amount_ugrad > U64_MAX:
            raise EscrowTooLarge(f"{model.escrow_ugrad} held, {model.paid_ugrad} paid, {amount_ugrad} offered")
        if amount_ugrad:
            self.bank.send_to_module(ctx, sender, STORE, (base_coin(amount_ugrad),))
        model.escrow_ugrad += amount_ugrad
        self.put_model(ctx, model)
        return model

    def draw_escrow(self, ctx: Ctx, model_id: int, recipient: bytes, amount_ugrad: int) -> Model:
        """Pay a reward (0..escrow) from the escrow to `recipient`; returns the new record.

        Raises ModelNotFound (models/2), InvariantBroken when the escrow does not hold the amount: callers ask first.
        """
        model = self.get_model(ctx, model_id)
        if not 0 <= amount_ugrad <= model.escrow_ugrad:
            raise InvariantBroken(f"{amount_ugrad} drawn from {model.escrow_ugrad} in escrow of model {model_id}")
        if amount_ugrad:
            self.bank.send_from_module(ctx, STORE, recipient, (base_coin(amount_ugrad),))
        model.escrow_ugrad -= amount_ugrad
        model.paid_ugrad += amount_ugrad
        self.put_model(ctx, model)
        return model

    def return_escrow(self, ctx: Ctx, model_id: int, sender: bytes, amount_ugrad: int) -> Model:
        """Take a reward (0..paid_ugrad) that was drawn and not deserved back from `sender`; returns the new record.

        Raises ModelNotFound (models/2), InvariantBroken for more than was drawn, InsufficientFunds (sdk/5).
        """
        model = self.get_model(ctx, model_id)
        if not 0 <= amount_ugrad <= model.paid_ugrad:
            raise InvariantBroken(f"{amount_ugrad} returned to model {model_id}, whose escrow paid {model.paid_ugrad}")
        if amount_ugrad:
            self.bank.send_to_module(ctx, sender, STORE, (base_coin(amount_ugrad),))
        model.escrow_ugrad += amount_ugrad
        model.paid_ugrad -= amount_ugrad
        self.put_model(ctx, model)
        return model

    def retire_model(self, ctx: Ctx, model: Model) -> Model:
        """End a model and pay what its escrow holds back to its admin; returns the new record.

        The caller has made sure that no round runs. Weights and terms stay, for whoever wants them; what was to change
        changes no more.
        """
        model = self.get_model(ctx, model.id)
        if self.find_pending(ctx, model.id) is not None:
            self.drop_pending(ctx, model.id)
        if model.escrow_ugrad:
            self.bank.send_from_module(ctx, STORE, decode_address(model.admin), (base_coin(model.escrow_ugrad),))
        model.escrow_ugrad = 0
        model.status, model.resumed_status = MODEL_STATUS_RETIRED, MODEL_STATUS_UNSPECIFIED
        model.paused_by = model.offered_admin = ""
        self.put_model(ctx, model)
        return model

    def _book_hold(self, ctx: Ctx, model: Model, round_number: int) -> None:
        """What the first hold of a round takes. Raises HoldsExhausted (models/40)."""
        is_newest = round_number == model.rounds_closed
        held = [key for key, _ in ctx.state.store(STORE).iter(keys.holds_of(model.id), limit=HELD_ROUNDS_MAX)]
        if not is_newest and len(held) == HELD_ROUNDS_MAX and held[-1] < keys.hold(model.id, model.rounds_closed):
            raise HoldsExhausted(f"{len(held)} earlier rounds of model {model.id}, whose newest is "
                                 f"{model.rounds_closed}")
        if not is_newest or find_phase(model) != MODEL_STATUS_SERVING:
            size = mlp.WEIGHT_BYTES * compute_param_count(model.spec)
            ctx.gas.use(HELD_BYTE_GAS * size, "weights that are kept longer")

    def _drop_weights(self, ctx: Ctx, model_id: int, round_number: int) -> None:
        record = self.find_weights(ctx, model_id, round_number)
        if record is None:
            return
        for index in range(record.chunk_count):
            ctx.state.blobs.delete(keys.chunk_blob(model_id, round_number, index))
        ctx.state.store(STORE).delete(keys.weights(model_id, round_number))

    def _put(self, ctx: Ctx, key: bytes, value: bytes) -> None:
        ctx.gas.use(WRITE_GAS, "write of a model's record")
        ctx.state.store(STORE).set(key, value)
