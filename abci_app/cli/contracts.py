"""Model contracts: the message that creates one, with terms that a creator need not know by heart; terms from text."""

import json
import re
import secrets
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

from abci_app.cli.errors import CommandError
from abci_app.cli.exit_status import ExitStatus
from abci_app.data.manifest import Manifest
from abci_app.data.store import DatasetStore
from abci_app.runtime.contract import compute_round_cost
from abci_app.wire.coin import base_coin, coin_pb
from abci_app.wire.ints import U32_MAX, U64_MAX
from abci_app.wire.pb.gradus.models.v1.models_pb2 import Dataset, Decoder, Model, ModelSpec
from abci_app.wire.pb.gradus.models.v1.tx_pb2 import MsgCreateModel
from abci_app.wire.row import CLASSES, TOKENS, VALUES
from abci_app.x.models.types import CHALLENGE_BLOCKS, CODEC, check_create_model, default_spec
from abci_app.x.models.types.defaults import DECODER
from abci_app.x.models.types.limits import CHOICES, DATA_OWNER, NUMBER_FIELDS
from abci_app.x.models.types.terms import PARAMS_DEFAULT

SEED_BYTES = 32
ARCHITECTURES = {CLASSES: "mlp_classifier", VALUES: "mlp_regressor", TOKENS: "decoder"}
SHOWN_CHARS = 60
INT_MAX = {FieldDescriptor.TYPE_UINT32: U32_MAX, FieldDescriptor.TYPE_UINT64: U64_MAX}
NUMBER = re.compile("[0-9]{1,20}")
TERMS_HINT = "the fields are those that `gradus tx models create --dry-run --output json` prints"


class TermInvalid(Exception):
    """A term that cannot be read. field: its path, such as training.local_steps, or nothing for the whole."""

    def __init__(self, field: str, problem: str) -> None:
        self.field, self.problem = field, problem
        super().__init__(f"{field} {problem}" if field else problem)


def new_dataset(manifest: Manifest) -> Dataset:
    """A dataset as contracts name it."""
    return Dataset(rows_root=manifest.rows_root, train_rows=manifest.train_rows, test_rows=manifest.test_rows,
                   features=manifest.feature_count, classes=manifest.class_count)


def new_spec(manifest: Manifest, rounds: int | None, trainers_min: int, round_reward_ugrad: int,
             hidden: tuple[int, ...], name: str = "", codec: str = CODEC,
             aggregation: str = "", challenge_blocks: int = CHALLENGE_BLOCKS,
             audit_price_ugrad_per_gma: int = PARAMS_DEFAULT.audit_price_ugrad_per_gma,
             decoder: Decoder = DECODER) -> ModelSpec:
    """Good terms for a dataset, by what its rows are for, with a fresh seed for the initial weights.

    rounds: None for as many as the network's recipe has. decoder: the shape of a text's; of others `hidden` counts.
    """
    return default_spec(name or manifest.name, new_dataset(manifest), secrets.token_bytes(SEED_BYTES), rounds,
                        trainers_min, round_reward_ugrad, hidden, codec=codec, aggregation=aggregation,
                        challenge_blocks=challenge_blocks, audit_price_ugrad_per_gma=audit_price_ugrad_per_gma,
                        architecture=ARCHITECTURES[manifest.form.kind], decoder=decoder)


def new_contract(creator: str, spec: ModelSpec, escrow_ugrad: int) -> MsgCreateModel:
    """The message that deploys `spec` with coins for its rewards. Raises the room's own errors when a term is off."""
    message = MsgCreateModel(creator=creator, spec=spec, escrow=coin_pb(base_coin(escrow_ugrad)))
    check_create_model(message)
    return message


def compute_escrow(spec: ModelSpec) -> int:
    """The ugrad that all rounds of a contract take, or one of those of a contract that trains without end."""
    return max(spec.training.rounds, 1) * compute_round_cost(spec)


def compute_lacking(model: Model, spec: ModelSpec) -> int:
    """The ugrad that an escrow lacks for the rounds that are left under `spec`, or for one of a model without end."""
    left = max(spec.training.rounds - model.rounds_closed, 0) if spec.training.rounds else 1
    return max(left * compute_round_cost(spec) - model.escrow_ugrad, 0)


def find_manifest(home: Path, name: str) -> Manifest:
    """The one dataset of this home that has this name, or a root that begins with it."""
    manifests = DatasetStore(home.expanduser() / "datasets").read_manifests()
    found = [one for one in manifests if one.name == name or one.rows_root.hex().startswith(name.lower())]
    if len(found) != 1:
        raise CommandError(f"{len(found) or 'no'} datasets of this home have the name {name} or a root that begins so",
                           "`gradus data list` shows them; `gradus data add` makes one", ExitStatus.USAGE)
    return found[0]


def read_terms(spec: ModelSpec, path: Path) -> ModelSpec:
    """`spec` with the terms of a JSON file over it. CommandError naming field, value and what is allowed."""
    try:
        fields = json.loads(path.read_text())
    except ValueError as error:
        raise CommandError(f"{path} is not JSON: {error}", TERMS_HINT, ExitStatus.USAGE) from None
    merged = ModelSpec.FromString(spec.SerializeToString())
    try:
        read_fields(merged, fields)
    except TermInvalid as error:
        raise CommandError(f"{path}: {error}", TERMS_HINT, ExitStatus.USAGE, field=error.field) from None
    return merged


def set_terms(spec: ModelSpec, settings: tuple[str, ...]) -> ModelSpec:
    """`spec` with each FIELD=VALUE of its policies, such as training.local_steps=16. CommandError as read_terms."""
    merged = ModelSpec.FromString(spec.SerializeToString())
    for setting in settings:
        path, equals, value = setting.partition("=")
        fields: Any = value
        if not equals or path not in (*NUMBER_FIELDS, *CHOICES, DATA_OWNER):
            raise CommandError(_unknown_field(path, setting), "write FIELD=VALUE, such as training.local_steps=16",
                               ExitStatus.USAGE, field=path)
        for name in reversed(path.split(".")):
            fields = {name: fields}
        try:
            read_fields(merged, fields)
        except TermInvalid as error:
            raise CommandError(str(error), "write FIELD=VALUE, such as training.local_steps=16", ExitStatus.USAGE,
                               field=error.field) from None
    return merged


def add_limits(spec: ModelSpec, limits: tuple[str, ...]) -> None:
    """Let the admin change policies: each FIELD=MIN..MAX or FIELD=VALUE,VALUE, over those that `spec` has."""
    ranges = {one.field: (one.min, one.max) for one in spec.limits.ranges}
    choices = {one.field: list(one.values) for one in spec.limits.choices}
    for limit in limits:
        path, _, allowed = limit.partition("=")
        low, dots, high = allowed.partition("..")
        if path in CHOICES and allowed:
            choices[path] = sorted(set(allowed.split(",")))
        elif path in NUMBER_FIELDS and dots and NUMBER.fullmatch(low) and NUMBER.fullmatch(high) \
                and max(int(low), int(high)) <= U64_MAX:
            ranges[path] = (int(low), int(high))
        else:
            problem = _unknown_field(path, limit) if path not in (*NUMBER_FIELDS, *CHOICES) else \
                f"{limit!r} is no limit of {path}"
            raise CommandError(problem, "write FIELD=MIN..MAX, such as training.local_steps=8..64, or "
                               "FIELD=VALUE,VALUE for training.codec and training.aggregation", ExitStatus.USAGE,
                               field=path)
    if not limits:
        return
    del spec.limits.ranges[:], spec.limits.choices[:]
    for path in sorted(ranges):
        spec.limits.ranges.add(field=path, min=ranges[path][0], max=ranges[path][1])
    for path in sorted(choices):
        spec.limits.choices.add(field=path, values=choices[path])


def read_fields(message: Message, fields: object, path: str = "") -> None:
    """Set what a JSON object names, with the names and forms in which commands print: bytes stand in hex.

    Raises TermInvalid, which names the field, its value and what it may be.
    """
    if not isinstance(fields, dict):
        raise TermInvalid(path, f"{_shown(fields)} is not an object in {{ }}" if not path
                          else f"is {_shown(fields)}, not an object in {{ }}")
    known = message.DESCRIPTOR.fields_by_name
    for name, value in fields.items():
        inner = f"{path}.{name}" if path else str(name)
        if name not in known:
            close = get_close_matches(str(name), list(known), 1)
            raise TermInvalid(inner, "is no field of a contract; " + (f"did you mean {close[0]}?" if close
                              else f"known here are {', '.join(known)}"))
        field = known[name]
        if field.is_repeated:
            _read_list(message, field, inner, value)
        elif field.message_type is not None:
            getattr(message, name).SetInParent()
            read_fields(getattr(message, name), value, inner)
        else:
            setattr(message, name, _read_value(field, inner, value))


def _read_list(message: Message, field: Any, path: str, values: object) -> None:
    if not isinstance(values, list):
        raise TermInvalid(path, f"is {_shown(values)}, not a list in [ ]")
    message.ClearField(field.name)
    held = getattr(message, field.name)
    for index, value in enumerate(values):
        if field.message_type is not None:
            read_fields(held.add(), value, f"{path}[{index}]")
        else:
            held.append(_read_value(field, f"{path}[{index}]", value))


def _read_value(field: Any, path: str, value: object) -> int | str | bytes:
    """One number, text or bytes. A number may stand in quotes, as wide ones do in protobuf's own JSON."""
    if field.type in INT_MAX:
        most = INT_MAX[field.type]
        number = int(value) if isinstance(value, str) and NUMBER.fullmatch(value) else value
        if not isinstance(number, int) or isinstance(number, bool) or not 0 <= number <= most:
            raise TermInvalid(path, f"is {_shown(value)}, allowed are whole numbers from 0 to {most}")
        return number
    if not isinstance(value, str) or any("\ud800" <= char <= "\udfff" for char in value):
        raise TermInvalid(path, f"is {_shown(value)}, allowed is text in quotes")
    if field.type != FieldDescriptor.TYPE_BYTES:
        return value
    try:
        return bytes.fromhex(value)
    except ValueError:
        raise TermInvalid(path, f"is {_shown(value)}, allowed are hex digits, two for each byte") from None


def _unknown_field(path: str, given: str) -> str:
    close = get_close_matches(path, [*NUMBER_FIELDS, *CHOICES], 1)
    return f"{given!r} names no field of the policies; " + (f"did you mean {close[0]}?" if close else "they are "
                                                            + ", ".join([*NUMBER_FIELDS, *CHOICES]))


def _shown(value: object) -> str:
    """A value of a JSON file, cut where it is long."""
    text = json.dumps(value)
    return text if len(text) <= SHOWN_CHARS else text[:SHOWN_CHARS] + "…"
