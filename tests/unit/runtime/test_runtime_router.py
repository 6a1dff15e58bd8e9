"""Routes: each type and path is served exactly once."""

import pytest

from abci_app.app import new_app
from abci_app.runtime.router import new_router
from abci_app.wire.errors import UnknownRequest
from abci_app.wire.tx import pack
from abci_app.wire.pb.cosmos.bank.v1beta1.tx_pb2 import MsgMultiSend, MsgSend


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
