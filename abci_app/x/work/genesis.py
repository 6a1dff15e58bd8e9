"""Genesis of the work room.

{"trainers": [Trainer], "rounds": [Round], "units": [Unit], "slashes": [Slash], "idle": [{"model_id"}], "cursor": "0",
 "payloads": [{"model_id", "round", "unit", "parts": [hex]}]}
Records stand as runtime/records.py writes them. All may be left out for a chain without trainers. The indices are made
anew from the records; "idle" names the models that wait for a round to open, "cursor" the last one that was asked.
Whoever is active in a genesis has been so before its first block.
"""

from typing import Any

from abci_app.runtime.context import Ctx
from abci_app.runtime.genesis import GenesisInvalid, Section, read_hex
from abci_app.runtime.records import export_record, read_record
from abci_app.wire.address import decode_address
from abci_app.wire.errors import ChainError
from abci_app.wire.ints import U32_MAX
from abci_app.wire.pb.gradus.work.v1.work_pb2 import (
    ROUND_PHASE_AUDIT, ROUND_PHASE_REVEAL, ROUND_PHASE_UNSPECIFIED, TRAINER_STATUS_UNSPECIFIED, UNIT_STATUS_COMMITTED,
    UNIT_STATUS_UNSPECIFIED, Round, Slash, Trainer, Unit,
)
from abci_app.x.work.keeper import Keeper

PATH = "app_state.work"


def init_genesis(ctx: Ctx, keeper: Keeper, state: dict[str, Any]) -> None:
    """Write the genesis state. Raises GenesisInvalid."""
    section = Section(PATH, state).only("trainers", "rounds", "units", "slashes", "idle", "cursor", "payloads")
    for item in section.sections("trainers"):
        _init_trainer(ctx, keeper, item)
    for item in section.sections("rounds"):
        _init_round(ctx, keeper, item)
    for item in section.sections("units"):
        _init_unit(ctx, keeper, item)
    for item in section.sections("payloads"):
        _init_payload(ctx, keeper, item.only("model_id", "round", "unit", "parts"))
    for item in section.sections("slashes"):
        _init_slash(ctx, keeper, item)
    for item in section.sections("idle"):
        item.only("model_id")
        keeper.mark_idle(ctx, _known_model(ctx, keeper, item, item.uint("model_id")))
    cursor = section.uint("cursor") if "cursor" in section.value else 0
    if cursor:
        keeper.put_cursor(ctx, cursor)


def export_genesis(ctx: Ctx, keeper: Keeper) -> dict[str, Any]:
    """The genesis state that gives this state again."""
    units = list(keeper.iter_units(ctx))
    payloads = []
    for unit in units:
        parts = [part.hex() for part in keeper.iter_parts(ctx, unit)]
        if parts:
            payloads.append({"model_id": str(unit.model_id), "round": str(unit.round), "unit": str(unit.index),
                             "parts": parts})
    return {
        "trainers": [export_record(trainer) for trainer in keeper.iter_trainers(ctx)],
        "rounds": [export_record(found) for found in keeper.iter_rounds(ctx)],
        "units": [export_record(unit) for unit in units],
        "payloads": payloads,
        "slashes": [export_record(slash) for slash in keeper.iter_slashes(ctx)],
        "idle": [{"model_id": str(model_id)} for model_id in keeper.iter_idle(ctx)],
        "cursor": str(keeper.cursor(ctx)),
    }


def _init_trainer(ctx: Ctx, keeper: Keeper, item: Section) -> None:
    trainer = read_record(item, Trainer)
    _known_model(ctx, keeper, item, trainer.model_id)
    address = _known_address(item, "address", trainer.address)
    if keeper.find_trainer(ctx, trainer.model_id, address) is not None:
        raise GenesisInvalid(item.path, "this trainer stands in the list twice", "take one of them out")
    if trainer.status == TRAINER_STATUS_UNSPECIFIED:
        raise GenesisInvalid(f"{item.path}.status", "missing", "for example TRAINER_STATUS_ACTIVE")
    keeper.put_trainer(ctx, trainer)


def _init_round(ctx: Ctx, keeper: Keeper, item: Section) -> None:
    found = read_record(item, Round)
    _known_model(ctx, keeper, item, found.model_id)
    if found.number == 0 or keeper.find_round(ctx, found.model_id, found.number) is not None:
        raise GenesisInvalid(f"{item.path}.number", f"{found.number} is 0 or stands there twice",
                             "rounds are numbered from 1")
    if found.phase == ROUND_PHASE_UNSPECIFIED:
        raise GenesisInvalid(f"{item.path}.phase", "missing", "for example ROUND_PHASE_CLOSED")
    keeper.move_due(ctx, found, found.due_height)
    keeper.put_round(ctx, found)
    if found.phase == ROUND_PHASE_AUDIT and not found.audit_seed:
        keeper.mark_undrawn(ctx, found)
    if found.phase == ROUND_PHASE_REVEAL and not found.reveal_hash:
        keeper.mark_committed(ctx, found)
    if found.settle_height and not found.settled_height and not found.disputed_count:
        keeper.mark_settling(ctx, found)


def _init_unit(ctx: Ctx, keeper: Keeper, item: Section) -> None:
    unit = read_record(item, Unit)
    found = keeper.find_round(ctx, unit.model_id, unit.round)
    if found is None or unit.index >= found.unit_count:
        raise GenesisInvalid(item.path, "of no listed round, or beyond its unit_count", "list the round's own units")
    if keeper.find_unit(ctx, unit.model_id, unit.round, unit.index) is not None:
        raise GenesisInvalid(item.path, "this unit stands in the list twice", "take one of them out")
    _known_address(item, "trainer", unit.trainer)
    if unit.status == UNIT_STATUS_UNSPECIFIED:
        raise GenesisInvalid(f"{item.path}.status", "missing", "for example UNIT_STATUS_ACCEPTED")
    keeper.put_unit(ctx, unit)


def _init_payload(ctx: Ctx, keeper: Keeper, item: Section) -> None:
    """The parts of a unit's payload: all that its record counts, and of a revealed unit what it commits to."""
    index = item.uint("unit", U32_MAX)
    unit = keeper.find_unit(ctx, item.uint("model_id"), item.uint("round", U32_MAX), index)
    parts = [read_hex(f"{item.path}.parts[{place}]", text) for place, text in enumerate(item.value.get("parts", []))]
    if unit is None or len(parts) != unit.parts:
        raise GenesisInvalid(item.path, "not the payload of a listed unit, or not all parts of it", "export it again")
    if unit.status != UNIT_STATUS_COMMITTED and not keeper.is_payload(ctx, unit, b"".join(parts)):
        raise GenesisInvalid(item.path, "not the payload that the unit commits to", "export it again")
    unit.parts = 0
    for part in parts:
        keeper.put_part(ctx, unit, part)


def _init_slash(ctx: Ctx, keeper: Keeper, item: Section) -> None:
    slash = read_record(item, Slash)
    _known_model(ctx, keeper, item, slash.model_id)
    _known_address(item, "trainer", slash.trainer)
    keeper.add_slash(ctx, slash)


def _known_model(ctx: Ctx, keeper: Keeper, item: Section, model_id: int) -> int:
    if keeper.models.find_model(ctx, model_id) is None:
        raise GenesisInvalid(f"{item.path}.model_id", f"there is no model {model_id}", "list it under models")
    return model_id


def _known_address(item: Section, name: str, text: str) -> bytes:
    try:
        return decode_address(text)
    except ChainError as error:
        raise GenesisInvalid(f"{item.path}.{name}", str(error), "an address begins with gradus1") from None
