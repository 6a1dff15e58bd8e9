"""Routes: each type and path is served exactly once."""

import pytest

from abci_app.app import new_app
from abci_app.runtime.router import new_router
from abci_app.wire.errors import TxDecodeError, UnknownRequest
from abci_app.wire.tx import pack
from abci_app.wire.pb.cosmos.bank.v1beta1.tx_pb2 import MsgMultiSend, MsgSend
from abci_app.wire.pb.gradus.audits.v1.tx_pb2 import AuditVotes


def test_type_served_twice_is_a_programming_error() -> None:
    bank = next(module for module in new_app().modules if module.name == "bank")
    with pytest.raises(ValueError, match="served by two"):
        new_router([bank, bank])


def test_every_type_of_message_is_for_users_or_injected_and_never_both() -> None:
    router = new_app().router
    assert sorted(router.msgs.keys() & router.injected.keys()) == []
    assert all(url.split(".")[-1].startswith("Msg") for url in router.msgs)
    assert not any(url.split(".")[-1].startswith("Msg") for url in router.injected)


def test_signer_of_every_message_is_a_field_of_it() -> None:
    for route in new_app().router.msgs.values():
        assert route.signer in route.request.DESCRIPTOR.fields_by_name, route.type_url
        assert route.response.DESCRIPTOR.full_name == route.request.DESCRIPTOR.full_name + "Response"


def test_message_without_a_route_is_refused() -> None:
    router = new_app().router
    with pytest.raises(UnknownRequest):
        router.decode_msg(pack(MsgMultiSend()))
    with pytest.raises(UnknownRequest):
        router.decode_injected(pack(MsgSend()))


@pytest.mark.parametrize("more", [b"\x08\x02", b"\x08\x00", b"\x10\x01", b"\x08\x82\x00"])
def test_injected_transaction_has_one_form_of_bytes_inside_too(more: bytes) -> None:
    router, packed = new_app().router, pack(AuditVotes(height=2, round=1))
    assert router.decode_injected(packed)[1] == AuditVotes(height=2, round=1)
    packed.value += more
    with pytest.raises(TxDecodeError, match="canonical"):
        router.decode_injected(packed)


def test_error_shows_only_the_beginning_of_a_long_type() -> None:
    packed = pack(MsgSend())
    packed.type_url = "/" + "x" * 100_000
    router = new_app().router
    for decode in (router.decode_msg, router.decode_injected):
        with pytest.raises(UnknownRequest) as refused:
            decode(packed)
        assert len(str(refused.value)) < 300
