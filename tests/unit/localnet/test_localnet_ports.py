"""Ports: node 0 has the standard ones; one busy port moves the whole block."""

import socket
import subprocess
import sys
from pathlib import Path

import pytest

from localnet.claims import PortClaim, claims_folder
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
    base, moved = choose_base(4, 0, PortClaim())
    assert moved is None
    port = block_ports(base, 4)[taken]
    with listener(port):
        new_base, busy = choose_base(4, base, PortClaim())
    assert busy == port
    assert set(block_ports(new_base, 4)).isdisjoint(block_ports(base, 4))


def test_free_block_stays_where_it_is_wanted() -> None:
    base, _ = choose_base(4, 0, PortClaim())
    assert choose_base(4, base, PortClaim()) == (base, None)


def test_port_of_a_listener_is_busy_until_it_closes() -> None:
    base, _ = choose_base(1, 0, PortClaim())
    with listener(base):
        assert find_busy([base - 1, base]) == base
    assert find_busy([base - 1, base]) is None


def test_block_that_does_not_fit_below_the_last_port_is_refused_or_moved() -> None:
    base, busy = choose_base(32, 65530, PortClaim())
    assert busy == 65539 or busy is not None
    assert max(block_ports(base, 32)) < 65536


def test_no_free_block_is_an_error_with_a_hint(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("localnet.ports.is_free", lambda _port: False)
    with pytest.raises(PortInUse) as caught:
        choose_base(4, STANDARD_BASE, PortClaim())
    assert "26656" in caught.value.text
    assert caught.value.hint


def test_claimed_block_is_busy_for_others_until_it_is_released() -> None:
    claim = PortClaim()
    base, _ = choose_base(4, 0, claim)
    other_base, busy = choose_base(4, base, PortClaim())
    assert busy == base - 1 and set(block_ports(other_base, 4)).isdisjoint(block_ports(base, 4))
    overlapping, busy = choose_base(4, base - 20, PortClaim())
    assert busy == base - 1 and set(block_ports(overlapping, 4)).isdisjoint(block_ports(base, 4))
    assert choose_base(4, base, claim) == (base, None)
    claim.release()
    assert choose_base(4, base, PortClaim()) == (base, None)


def test_claim_of_several_ports_takes_all_or_none_and_leaves_no_file() -> None:
    held, wanted = PortClaim(), PortClaim()
    base, _ = choose_base(2, 0, held)
    assert wanted.take([base - 2, base - 1, base + 20]) == base - 1
    assert wanted.locks == {} and not (claims_folder() / f"port-{base - 2}").exists()
    held.release()
    assert wanted.take([base - 2, base - 1]) is None
    assert wanted.take([base - 1, base]) is None
    assert PortClaim().take([base - 2]) is None
    del wanted
    assert [port for port in range(base - 2, base + 1) if (claims_folder() / f"port-{port}").exists()] == []


def test_processes_that_choose_at_the_same_moment_get_different_blocks() -> None:
    base, _ = choose_base(4, 0, PortClaim())
    script = ("import sys; from localnet.claims import PortClaim; from localnet.ports import choose_base\n"
              f"claim = PortClaim(); print('ready', flush=True); sys.stdin.readline()\n"
              f"print(choose_base(4, {base}, claim)[0], flush=True); sys.stdin.readline()")
    choosers = [subprocess.Popen([sys.executable, "-c", script], cwd=Path(__file__).parents[3], text=True,
                                 stdin=subprocess.PIPE, stdout=subprocess.PIPE) for _ in range(4)]
    ends = [(one.stdin, one.stdout) for one in choosers if one.stdin and one.stdout]
    assert [out.readline() for _, out in ends] == ["ready\n"] * 4
    for into, _ in ends:
        into.write("\n")
        into.flush()
    bases = [int(out.readline()) for _, out in ends]
    for one in choosers:
        one.communicate("\n", timeout=30)
    assert len({port for chosen in bases for port in block_ports(chosen, 4)}) == 4 * 8
    assert base in bases


def test_ports_to_be_avoided_are_not_chosen_though_they_are_free() -> None:
    base, _ = choose_base(2, 0, PortClaim())
    chosen, busy = choose_base(2, base, PortClaim(), avoid=block_ports(base, 2))
    assert busy == base - 1 and set(block_ports(chosen, 2)).isdisjoint(block_ports(base, 2))
