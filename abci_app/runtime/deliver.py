"""Run one transaction: admission on one layer, messages on another, keep or drop; always exactly one result."""

from dataclasses import dataclass

from abci_app.runtime.ante import Ante
from abci_app.runtime.context import Ctx
from abci_app.runtime.events import Event, new_event
from abci_app.runtime.gas import GasMeter, unlimited
from abci_app.runtime.mempool import Mempool
from abci_app.runtime.router import Router
from abci_app.runtime.usertx import UserTx
from abci_app.store.errors import InvalidEntry, StoreError
from abci_app.wire.errors import ChainError, InvariantBroken, Unauthorized
from abci_app.wire.ints import I64_MAX
from abci_app.wire.pb.cosmos.base.abci.v1beta1.abci_pb2 import TxMsgData
from abci_app.wire.tx import SIMULATION_GAS_MAX, decode_injected, is_injected, pack

HALTING = (InvariantBroken, StoreError, OSError, MemoryError, RecursionError, ImportError, SystemError)


@dataclass(frozen=True, slots=True)
class TxResult:
    """What one transaction did. `code`, `data`, `gas_wanted` and `gas_used` are hashed into the next header.

    is_admitted: whether a block may carry it: a user's passed admission, an injected one did all that it is for.
    """

    code: int = 0
    codespace: str = ""
    data: bytes = b""
    log: str = ""
    gas_wanted: int = 0
    gas_used: int = 0
    events: tuple[Event, ...] = ()
    is_admitted: bool = False


def is_halting(error: Exception) -> bool:
    """Whether an exception tells of this machine or of a broken state, so that the node must stop.

    Other nodes would not have it, and a result with a code would part them. A wrong entry is the writer's bug and the
    same everywhere.
    """
    return isinstance(error, HALTING) and not isinstance(error, InvalidEntry)


def check_tx(ante: Ante, mempool: Mempool, raw: bytes, gas_max: int = I64_MAX, is_known: bool = False) -> TxResult:
    """Admission only, to a mempool: see `Ante.reserve`. No events.

    gas_max: what a block takes. is_known: it was admitted here before a block was committed, so that only the state is
    asked again. Source: CometBFT ABCI 2.0, requirement 13: what is refused here would be refused in a block too.
    """
    meter = GasMeter(0)
    if is_injected(raw):
        return _failure(Unauthorized("injected transactions come from proposers only"), meter, 0)
    try:
        tx = ante.decode(raw)
        meter = GasMeter(tx.gas_limit)
        ante.reserve(mempool, meter, tx, gas_max, is_known)
    except ChainError as error:
        return _failure(error, meter, meter.limit)
    except Exception as error:  # det: as in run_tx
        return _internal(error, meter, meter.limit)
    return TxResult(gas_wanted=meter.limit, gas_used=meter.used, is_admitted=True)


def run_tx(ante: Ante, ctx: Ctx, raw: bytes) -> TxResult:
    """Deliver the bytes of one transaction, whatever they are. Writes to ctx.state only what is to stay."""
    if is_injected(raw):
        return run_injected(ante.router, ctx, raw)
    meter = GasMeter(0)
    try:
        tx = ante.decode(raw)
        meter = GasMeter(tx.gas_limit)
        layer = ctx.branch(meter)
        ante.admit(layer, tx)
    except ChainError as error:
        return _failure(error, meter, meter.limit)
    except Exception as error:  # det: a bug in admission refuses the transaction and never stops the chain
        return _internal(error, meter, meter.limit)
    layer.state.write()
    return _run_messages(layer, tx, meter.limit)


def simulate_tx(ante: Ante, ctx: Ctx, raw: bytes) -> TxResult:
    """What `raw` would do now, unsigned: for gas estimates. The writes go to ctx, which the caller drops."""
    meter = GasMeter(SIMULATION_GAS_MAX)
    trial = ctx.branch(meter)
    try:
        tx = ante.decode(raw)
        ante.admit(trial, tx, simulate=True)
    except ChainError as error:
        return _failure(error, meter, 0)
    except Exception as error:  # det: a bug in admission refuses the transaction and never stops the node
        return _internal(error, meter, 0)
    return _run_messages(trial, tx, 0)


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
    return TxResult(data=data, gas_used=meter.used, events=tuple(layer.events), is_admitted=True)


def _run_messages(ctx: Ctx, tx: UserTx, wanted: int) -> TxResult:
    """All messages of an admitted transaction or none, on ctx's own layer; the events of its admission stay."""
    kept = len(ctx.events)
    responses = []
    try:
        for index, (route, message) in enumerate(tx.iter_messages()):
            first = len(ctx.events)
            ctx.emit(new_event("message", action=route.type_url, sender=tx.senders[index], module=route.room))
            responses.append(pack(route.run(ctx, message)))
            for at in range(first, len(ctx.events)):
                event = ctx.events[at]
                ctx.events[at] = Event(event.type, event.attributes + (("msg_index", str(index)),))
    except ChainError as error:
        return _failure(error, ctx.gas, wanted, tuple(ctx.events[:kept]), is_admitted=True)
    except Exception as error:  # det: a handler's bug drops its transaction and never stops the chain
        return _internal(error, ctx.gas, wanted, tuple(ctx.events[:kept]), is_admitted=True)
    ctx.state.write()
    data = TxMsgData(msg_responses=responses).SerializeToString(deterministic=True)
    return TxResult(data=data, gas_wanted=wanted, gas_used=ctx.gas.used, events=tuple(ctx.events), is_admitted=True)


def _failure(error: ChainError, meter: GasMeter, wanted: int, events: tuple[Event, ...] = (),
             is_admitted: bool = False) -> TxResult:
    return TxResult(code=error.code, codespace=error.codespace, log=str(error), gas_wanted=wanted,
                    gas_used=meter.used, events=events, is_admitted=is_admitted)


def _internal(error: Exception, meter: GasMeter, wanted: int, events: tuple[Event, ...] = (),
              is_admitted: bool = False) -> TxResult:
    """The result of a bug, which every node has; raises `error` again when it must stop the node."""
    if is_halting(error):
        raise error
    return TxResult(code=1, codespace="internal", log=f"internal error: {type(error).__name__}",
                    gas_wanted=wanted, gas_used=meter.used, events=events, is_admitted=is_admitted)
