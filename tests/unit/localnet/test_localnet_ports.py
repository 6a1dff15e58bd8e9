"""Ports: node 0 has the standard ones; one busy port moves the whole block."""

import socket

import pytest

from localnet.errors import PortInUse
from localnet.ports import STANDARD_BASE, block_ports, choose_base, find_busy, p2p_port, rpc_port


def listener(port: int) -> socket.socket:
    server = socket.socket()
    server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    server.bind(("127.0.0.1", port))
    server.listen()
    return server


def test_node_0_has_the_standard_ports_and_nodes_are_ten_apart() -> None:
    assert (rpc_port(STANDARD_BASE, 0), p2p_port(STANDARD_BASE, 0)) == (26657, 26656)
    assert block_ports(STANDARD_BASE, 3) == [26656, 26657, 26666, 26667, 26676, 26677]


@pytest.mark.parametrize("taken", [0, 1, 6, 7])
def test_any_busy_port_moves_the_whole_block_and_is_named(taken: int) -> None:
    base, moved = choose_base(4, 0)
    assert moved is None
    port = block_ports(base, 4)[taken]
    with listener(port):
        new_base, busy = choose_base(4, base)
    assert busy == port
    assert set(block_ports(new_base, 4)).isdisjoint(block_ports(base, 4))


def test_free_block_stays_where_it_is_wanted() -> None:
    base, _ = choose_base(4, 0)
    assert choose_base(4, base) == (base, None)


def test_port_of_a_listener_is_busy_until_it_closes() -> None:
    base, _ = choose_base(1, 0)
    with listener(base):
        assert find_busy([base - 1, base]) == base
    assert find_busy([base - 1, base]) is None


def test_block_that_does_not_fit_below_the_last_port_is_refused_or_moved() -> None:
    base, busy = choose_base(32, 65530)
    assert busy == 65539 or busy is not None
    assert max(block_ports(base, 32)) < 65536


def test_no_free_block_is_an_error_with_a_hint(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("localnet.ports.is_free", lambda _port: False)
    with pytest.raises(PortInUse) as caught:
        choose_base(4)
    assert "26656" in caught.value.text
    assert caught.value.hint
