"""Results in the engine's words: composed of bytes, they are what field by field would be."""

from hypothesis import given
from hypothesis import strategies as st

from abci_app.abci.results import CACHED_CHARS, events_pb, fill_result
from abci_app.runtime.deliver import TxResult
from abci_app.runtime.events import Event
from abci_app.wire.pb.tendermint.abci import types_pb2 as abci

TEXTS = st.one_of(st.text(max_size=8), st.sampled_from(["amount", "sender", "x" * CACHED_CHARS, "é" * CACHED_CHARS]))
EVENTS = st.lists(st.builds(Event, TEXTS, st.lists(st.tuples(TEXTS, TEXTS), max_size=4).map(tuple)), max_size=6)


@given(st.builds(TxResult, code=st.integers(0, 2**32 - 1), codespace=TEXTS, data=st.binary(max_size=200), log=TEXTS,
                 gas_wanted=st.integers(0, 2**63 - 1), gas_used=st.integers(0, 2**63 - 1), events=EVENTS.map(tuple)))
def test_result_is_what_it_is_field_by_field(result: TxResult) -> None:
    expected = abci.ExecTxResult(code=result.code, codespace=result.codespace, data=result.data, log=result.log,
                                 gas_wanted=result.gas_wanted, gas_used=result.gas_used)
    for event in result.events:
        expected.events.append(abci.Event(type=event.type, attributes=[
            abci.EventAttribute(key=key, value=value, index=key not in ("amount", "fee", "msg_index"))
            for key, value in event.attributes]))
    filled = abci.ExecTxResult()
    fill_result(filled, result)
    assert filled.SerializeToString() == expected.SerializeToString()
    assert events_pb(result.events) == list(expected.events)
