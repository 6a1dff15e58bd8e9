"""Run one transaction: admission on one layer, messages on another, keep or drop; always exactly one result."""

from dataclasses import dataclass

from abci_app.runtime.ante import Admitted, Ante
from abci_app.runtime.context import Ctx
from abci_app.runtime.events import Event, new_event
from abci_app.runtime.gas import GasMeter, unlimited
from abci_app.runtime.router import Router
from abci_app.store.errors import InvalidEntry, StoreError
from abci_app.wire.errors import ChainError, InvariantBroken, Unauthorized
from abci_app.wire.pb.cosmos.base.abci.v1beta1.abci_pb2 import TxMsgData
from abci_app.wire.tx import SIMULATION_GAS_MAX, decode_injected, is_injected, pack

HALTING = (InvariantBroken, StoreError, OSError, MemoryError, RecursionError, ImportError, SystemError)


@dataclass(frozen=True, slots=True)
class TxResult:
    """What one transaction did. `code`, `data`, `gas_wanted` and `gas_used` are hashed into the next header."""

    code: int = 0
    codespace: str = ""
    data: bytes = b""
    log: str = ""
    gas_wanted: int = 0
    gas_used: int = 0
    events: tuple[Event, ...] = ()


def is_halting(error: Exception) -> bool:
    """Whether an exception tells of this machine or of a broken state, so that the node must stop.

    Other nodes would not have it, and a result with a code would part them. A wrong entry is the writer's bug and the
    same everywhere.
    """
    return isinstance(error, HALTING) and not isinstance(error, InvalidEntry)


def check_tx(ante: Ante, ctx: Ctx, raw: bytes) -> TxResult:
    """Admission only, for the mempool: `ctx` is a copy of the last state that earlier admissions wrote to.

    Source: CometBFT ABCI 2.0, requirement 13: what is refused here would be refused in a block too.
    """
    if is_injected(raw):
        return _failure(Unauthorized("injected transactions come from proposers only"), GasMeter(0), 0)
    return _admitted(ante, ctx, raw)[1]


def run_tx(ante: Ante, ctx: Ctx, raw: bytes) -> TxResult:
    """Deliver the bytes of one transaction, whatever they are. Writes to ctx.state only what is to stay."""
    if is_injected(raw):
        return run_injected(ante.router, ctx, raw)
    admitted, result = _admitted(ante, ctx, raw)
    if admitted is None:
        return result
    meter = GasMeter(admitted.tx.auth_info.fee.gas_limit, result.gas_used)
    return _run_messages(ctx.branch(meter), admitted, result)


def simulate_tx(ante: Ante, ctx: Ctx, raw: bytes) -> TxResult:
    """What `raw` would do now, unsigned: for gas estimates. The writes go to ctx, which the caller drops."""
    meter = GasMeter(SIMULATION_GAS_MAX)
    trial = ctx.branch(meter)
    try:
        admitted = ante.decode(raw)
        ante.admit(trial, admitted, simulate=True)
    except ChainError as error:
        return _failure(error, meter, 0)
    except Exception as error:  # det: a bug in admission refuses the transaction and never stops the node
        return _internal(error, meter, 0)
    return _run_messages(trial, admitted, TxResult())


def run_injected(router: Router, ctx: Ctx, raw: bytes) -> TxResult:
    """Deliver an injected transaction; the proposer pays nothing and the block's limits bound it."""
    meter = unlimited()
    try:
        route, message = router.decode_injected(decode_injected(raw))
        layer = ctx.branch(meter)
        route.check(layer, message)
        response = route.run(layer, message)
    except ChainError as error:
        return _failure(error, meter, 0)
    except Exception as error:  # det: a handler's bug drops its transaction and never stops the chain
        return _internal(error, meter, 0)
    layer.state.write()
    data = TxMsgData(msg_responses=[pack(response)]).SerializeToString(deterministic=True)
    return TxResult(data=data, gas_used=meter.used, events=tuple(layer.events))


def _admitted(ante: Ante, ctx: Ctx, raw: bytes) -> tuple[Admitted | None, TxResult]:
    """Decode and admit on a layer of ctx that is kept when all checks pass."""
    meter = GasMeter(0)
    try:
        admitted = ante.decode(raw)
        meter = GasMeter(admitted.tx.auth_info.fee.gas_limit)
        layer = ctx.branch(meter)
        ante.admit(layer, admitted)
    except ChainError as error:
        return None, _failure(error, meter, meter.limit)
    except Exception as error:  # det: a bug in admission refuses the transaction and never stops the chain
        return None, _internal(error, meter, meter.limit)
    layer.state.write()
    return admitted, TxResult(gas_wanted=meter.limit, gas_used=meter.used, events=tuple(layer.events))


def _run_messages(ctx: Ctx, admitted: Admitted, admission: TxResult) -> TxResult:
    """All messages or none, on ctx's own layer."""
    wanted, kept = admission.gas_wanted, admission.events
    responses = []
    try:
        for index, (route, message) in enumerate(admitted.messages):
            first = len(ctx.events)
            signer = getattr(message, route.signer)
            room = route.type_url.removeprefix("/").split(".")[1]
            ctx.emit(new_event("message", action=route.type_url, sender=signer, module=room))
            responses.append(pack(route.run(ctx, message)))
            for at in range(first, len(ctx.events)):
                event = ctx.events[at]
                ctx.events[at] = Event(event.type, event.attributes + (("msg_index", str(index)),))
    except ChainError as error:
        return _failure(error, ctx.gas, wanted, kept)
    except Exception as error:  # det: a handler's bug drops its transaction and never stops the chain
        return _internal(error, ctx.gas, wanted, kept)
    ctx.state.write()
    data = TxMsgData(msg_responses=responses).SerializeToString(deterministic=True)
    return TxResult(data=data, gas_wanted=wanted, gas_used=ctx.gas.used, events=kept + tuple(ctx.events))


def _failure(error: ChainError, meter: GasMeter, wanted: int, events: tuple[Event, ...] = ()) -> TxResult:
    return TxResult(code=error.code, codespace=error.codespace, log=str(error), gas_wanted=wanted,
                    gas_used=meter.used, events=events)


def _internal(error: Exception, meter: GasMeter, wanted: int, events: tuple[Event, ...] = ()) -> TxResult:
    """The result of a bug, which every node has; raises `error` again when it must stop the node."""
    if is_halting(error):
        raise error
    return TxResult(code=1, codespace="internal", log=f"internal error: {type(error).__name__}",
                    gas_wanted=wanted, gas_used=meter.used, events=events)
