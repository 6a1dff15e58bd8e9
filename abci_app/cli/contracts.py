"""Model contracts from datasets: the message that creates one, with terms that a creator need not know by heart."""

import base64
import secrets
from pathlib import Path
from typing import Any

from google.protobuf.json_format import ParseDict, ParseError

from abci_app.cli.errors import CommandError
from abci_app.cli.exit_status import ExitStatus
from abci_app.data.manifest import Manifest
from abci_app.wire.coin import base_coin, coin_pb
from abci_app.wire.pb.gradus.models.v1.models_pb2 import Dataset, ModelSpec
from abci_app.wire.pb.gradus.models.v1.tx_pb2 import MsgCreateModel
from abci_app.x.models.types import CODEC, check_create_model, default_spec

SEED_BYTES = 32


def new_spec(manifest: Manifest, rounds: int, trainers_min: int, round_reward_ugrad: int,
             hidden: tuple[int, ...], name: str = "", codec: str = CODEC,
             aggregation: str = "") -> ModelSpec:
    """Good terms for a dataset, with a fresh seed for the initial weights."""
    dataset = Dataset(rows_root=manifest.rows_root, train_rows=manifest.train_rows, test_rows=manifest.test_rows,
                      features=manifest.feature_count, classes=len(manifest.classes))
    return default_spec(name or manifest.name, dataset, secrets.token_bytes(SEED_BYTES), rounds, trainers_min,
                        round_reward_ugrad, hidden, codec=codec, aggregation=aggregation)


def new_contract(creator: str, spec: ModelSpec, escrow_ugrad: int) -> MsgCreateModel:
    """The message that deploys `spec` with coins for its rewards. Raises the room's own errors when a term is off."""
    message = MsgCreateModel(creator=creator, spec=spec, escrow=coin_pb(base_coin(escrow_ugrad)))
    check_create_model(message)
    return message


def merge_terms(spec: ModelSpec, path: Path, fields: object) -> ModelSpec:
    """The terms of a JSON file over those of `spec`; CommandError naming what the file says wrongly."""
    try:
        return ParseDict(_encode_bytes(ModelSpec.DESCRIPTOR, fields), ModelSpec.FromString(spec.SerializeToString()))
    except (ParseError, ValueError) as error:
        raise CommandError(f"{path}: {error}", "the fields are those that `gradus tx models create --dry-run --output "
                           "json` prints", ExitStatus.USAGE) from None


def _encode_bytes(kind: Any, fields: object) -> dict[str, Any]:
    """Fields with bytes in hex, as commands print them, in protobuf's own JSON form, which has them in base64.

    kind: the descriptor of their message.
    """
    if not isinstance(fields, dict):
        raise ValueError("terms are a JSON object")
    encoded: dict[str, Any] = {}
    for name, value in fields.items():
        field = kind.fields_by_name.get(name)
        if field is not None and field.type == field.TYPE_BYTES:
            value = base64.b64encode(_read_hex(name, value)).decode()
        elif field is not None and isinstance(value, dict) and field.message_type is not None:
            value = _encode_bytes(field.message_type, value)
        encoded[name] = value
    return encoded


def _read_hex(name: str, value: object) -> bytes:
    try:
        return bytes.fromhex(str(value))
    except ValueError:
        raise ValueError(f"{name} is not hex: {value!r}") from None
