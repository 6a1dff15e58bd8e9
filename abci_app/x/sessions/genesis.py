"""Genesis of the sessions room.

{"params": {"close_blocks", "show_blocks", "session_blocks_max", "kept_blocks"}, "next_id": "1", "sessions": [Session]}
Records stand as runtime/records.py writes them. Any may be left out. The indices are made anew from the records.
"""

from typing import Any

from abci_app.runtime.context import Ctx
from abci_app.runtime.genesis import GenesisInvalid, Section
from abci_app.runtime.records import export_record, read_record
from abci_app.wire.errors import ChainError
from abci_app.wire.merkle import HASH_BYTES
from abci_app.wire.pb.gradus.sessions.v1.sessions_pb2 import Params, Session
from abci_app.x.sessions.keeper import Keeper
from abci_app.x.sessions.types import BLOCKS_MIN, KEY_BYTES, PARAM_BLOCKS_MAX, default_params, find_contradiction

PATH = "app_state.sessions"


def init_genesis(ctx: Ctx, keeper: Keeper, state: dict[str, Any]) -> None:
    """Write the genesis state. Raises GenesisInvalid."""
    section = Section(PATH, state).only("params", "next_id", "sessions")
    keeper.put_params(ctx, _read_params(section))
    next_id = section.uint("next_id") if "next_id" in section.value else 1
    if next_id == 0:
        raise GenesisInvalid(f"{PATH}.next_id", "0", "the first session has the id 1")
    keeper.put_next_id(ctx, next_id)
    for item in section.sections("sessions"):
        _init_session(ctx, keeper, item)


def export_genesis(ctx: Ctx, keeper: Keeper) -> dict[str, Any]:
    """The genesis state that gives this state again."""
    return {"params": export_record(keeper.params(ctx)), "next_id": str(keeper.next_id(ctx)),
            "sessions": [export_record(session) for session in keeper.iter_sessions(ctx)]}


def _read_params(section: Section) -> Params:
    if "params" not in section.value:
        return default_params()
    item = Section(f"{section.path}.params", section.value["params"])
    params = read_record(item, Params)
    for name, least in (("close_blocks", 1), ("show_blocks", 1), ("session_blocks_max", BLOCKS_MIN),
                        ("kept_blocks", 1)):
        if not least <= getattr(params, name) <= PARAM_BLOCKS_MAX:
            raise GenesisInvalid(f"{item.path}.{name}", str(getattr(params, name)), f"{least} to {PARAM_BLOCKS_MAX}")
    return params


def _init_session(ctx: Ctx, keeper: Keeper, item: Section) -> None:
    """What it means together with others is for the invariants."""
    session = read_record(item, Session)
    if keeper.find_session(ctx, session.id) is not None or not 0 < session.id < keeper.next_id(ctx):
        raise GenesisInvalid(f"{item.path}.id", str(session.id), "list each once, below next_id")
    sizes = len(session.receipt_key), len(session.statement_key), len(session.weights_root), len(session.seed)
    if sizes != (KEY_BYTES, KEY_BYTES, HASH_BYTES, HASH_BYTES):
        raise GenesisInvalid(item.path, f"keys, root and seed of {sizes} bytes", "export it again")
    if session.HasField("receipt") and len(session.receipt.root) != HASH_BYTES:
        raise GenesisInvalid(f"{item.path}.receipt.root", f"{len(session.receipt.root)} bytes", "export it again")
    try:
        spec = keeper.get_spec(ctx, session)
    except ChainError as error:
        raise GenesisInvalid(item.path, str(error), "list its model under models") from None
    problem = find_contradiction(session, spec.inference)
    if problem is not None:
        raise GenesisInvalid(item.path, problem, "export it again")
    keeper.put_session(ctx, session)
