"""Networks for the comparison: Gradus, the stock Go kvstore, a stock Go Cosmos SDK chain.

All have homes, ports, peers and config.toml of `localnet`; parts run bare, without supervisors, so that their time on
the processors can be read. Reads /proc.
"""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from abci_app.cli.connect import connect
from abci_app.client.load import Load
from abci_app.client.load_txs import (
    Account, Offer, Signed, derive_load_key, estimate_offer, new_memo, new_run, read_accounts, sign_load,
)
from abci_app.client.txs import compute_fee_ugrad
from abci_app.genesis import GAS_PRICE_PPM
from abci_app.wire.coin import BASE_DENOM
from localnet import checks
from localnet.engine import Engine
from localnet.genesis import new_composer
from localnet.homes import Home, socket_path
from localnet.network import Localnet, no_app_state
from localnet.parent import die_with_parent
from localnet.releases import engine_environment
from tests.chain import new_test_key

PAYER = new_test_key("bench")
UGRAD = 10**12
GOSDK_GAS = 120_000
GOSDK_FLAGS = ("--minimum-gas-prices", f"0{BASE_DENOM}", "--grpc.enable=false", "--grpc-web.enable=false",
               "--api.enable=false", "--log_level", "error")
SOCKET_S = 60.0
TICKS_PER_S = os.sysconf("SC_CLK_TCK")


@dataclass
class Running:
    """A network that runs. processes: (part, process), where the part is engine, app, or both in one."""

    net: Localnet
    processes: list[tuple[str, subprocess.Popen[bytes]]] = field(default_factory=list)

    @property
    def urls(self) -> list[str]:
        """RPC addresses of its nodes."""
        return [rpc.url for rpc in self.net.rpcs]

    def cpu_s(self) -> dict[str, float]:
        """Seconds on the processors so far, by part."""
        found: dict[str, float] = {}
        for part, process in self.processes:
            found[part] = found.get(part, 0.0) + read_cpu_s(process.pid)
        return found

    def start(self, part: str, argv: Sequence[str], home: Home, environment: dict[str, str] | None = None) -> None:
        """Start a part that dies with this process, its output to a log in its home."""
        with open(home.log(part), "wb") as log:
            self.processes.append((part, subprocess.Popen(
                list(argv), stdin=subprocess.DEVNULL, stdout=log, stderr=log, preexec_fn=die_with_parent(),
                env=environment)))

    def stop(self) -> None:
        """End every part, engines first."""
        for wanted in ("engine", "both", "app"):
            for part, process in self.processes:
                if part == wanted:
                    end(process)


def read_cpu_s(pid: int) -> float:
    """User and system time of a process with all its threads; 0.0 when it is gone."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / TICKS_PER_S


def end(process: subprocess.Popen[bytes]) -> None:
    """End one process, by force when it takes long."""
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(20)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


class Gradus:
    """Our chain: signed transfers, state tree, proofs."""

    name = "gradus"

    @contextmanager
    def running(self, folder: Path, validators: int, engine: Engine, accounts: int) -> Iterator[Running]:
        """A network whose accounts have coins from genesis on."""
        funded = {derive_load_key(PAYER, index).bech32: UGRAD for index in range(accounts)} | {PAYER.bech32: UGRAD}
        net = Localnet.new(folder, validators, base_port=0, compose=new_composer(funded), engine=engine)
        with run_parts(net, engine, lambda home, socket: [
                sys.executable, "-m", "abci_app.abci", "--home", str(home.path),
                "--socket", str(socket)]) as running:
            yield running

    def sign(self, running: Running, accounts: int, count: int, rate: float | None) -> Signed:
        """Transfers of each account in turn."""
        chain = connect(running.urls[0])
        return sign_load(read_all(running, accounts), estimate_offer(chain, PAYER), count, rate)


class Kvstore:
    """`abci-cli kvstore`, in memory: no signatures, no state tree, no proofs. Transactions of the size of ours."""

    name = "kvstore"

    def __init__(self, program: Path, tx_bytes: int) -> None:
        """program: of programs.find_kvstore."""
        self.program, self.tx_bytes = program, tx_bytes

    @contextmanager
    def running(self, folder: Path, validators: int, engine: Engine, accounts: int) -> Iterator[Running]:
        """A network of it."""
        net = Localnet.new(folder, validators, base_port=0, compose=no_app_state, engine=engine)
        with run_parts(net, engine, lambda home, socket: [
                str(self.program), "kvstore", "--address", f"unix://{socket}", "--log_level", "error"]) as running:
            yield running

    def sign(self, running: Running, accounts: int, count: int, rate: float | None) -> Signed:
        """key=value, every key another one."""
        run, begin_s, txs, due_s = new_run(), time.time() + 2.0, [], []
        for index in range(count):
            due_s += [] if rate is None else [begin_s + index / rate]
            memo = new_memo(run, due_s[-1] if due_s else time.time())
            txs.append(f"{run}{index:08x}={memo}".ljust(self.tx_bytes, "x").encode())
        return Signed(Load(txs, [index % accounts for index in range(count)], due_s), run, 0.0)


class GoSdk:
    """wasmd, one validator, the application inside the engine's process: signed transfers over IAVL trees."""

    name = "go-sdk"

    def __init__(self, program: Path) -> None:
        """program: of programs.find_gosdk."""
        self.program = program

    @contextmanager
    def running(self, folder: Path, validators: int, engine: Engine, accounts: int) -> Iterator[Running]:
        """A chain of one validator whose accounts have coins from genesis on."""
        if validators != 1:
            raise ValueError("one validator")
        net = Localnet.new(folder, 1, base_port=0, engine=engine)
        home = net.manifest.nodes[0].paths
        self.compose(home, net.manifest.chain_id, accounts)
        running = Running(net)
        try:
            running.start("both", [str(self.program), "start", "--home", str(home.path), *GOSDK_FLAGS], home)
            checks.wait_height(net.rpcs, 3)
            net.claim.release()
            yield running
        finally:
            running.stop()

    def compose(self, home: Home, chain_id: str, accounts: int) -> None:
        """The genesis of one staked validator and of the accounts, around the keys and config.toml that are there."""
        config, params = home.config.read_text(), json.loads(home.genesis.read_text())["consensus_params"]
        self.call(home, "init", "node0", "--chain-id", chain_id, "--default-denom", BASE_DENOM, "--overwrite")
        self.call(home, "keys", "add", "validator", "--keyring-backend", "test")
        self.call(home, "genesis", "add-genesis-account", "validator", f"{UGRAD}{BASE_DENOM}",
                  "--keyring-backend", "test")
        put_accounts(home, [derive_load_key(PAYER, index).bech32 for index in range(accounts)])
        self.call(home, "genesis", "gentx", "validator", f"{UGRAD // 10}{BASE_DENOM}", "--chain-id", chain_id,
                  "--keyring-backend", "test")
        self.call(home, "genesis", "collect-gentxs")
        document = json.loads(home.genesis.read_text())
        document["consensus"]["params"]["block"] = params["block"]
        home.genesis.write_text(json.dumps(document))
        home.config.write_text(config)

    def call(self, home: Home, *arguments: str) -> None:
        """Run one of its commands."""
        done = subprocess.run([str(self.program), *arguments, "--home", str(home.path)], capture_output=True, text=True,
                              stdin=subprocess.DEVNULL, check=False)
        if done.returncode:
            raise RuntimeError(f"wasmd {' '.join(arguments)}: {done.stderr[-2000:]}")

    def sign(self, running: Running, accounts: int, count: int, rate: float | None) -> Signed:
        """The same transfers as ours."""
        fee_ugrad = compute_fee_ugrad(GOSDK_GAS, GAS_PRICE_PPM)
        offer = Offer(running.net.manifest.chain_id, GOSDK_GAS, fee_ugrad)
        return sign_load(read_all(running, accounts), offer, count, rate)


def put_accounts(home: Home, addresses: Sequence[str]) -> None:
    """Give accounts coins in a Cosmos SDK genesis."""
    document = json.loads(home.genesis.read_text())
    state = document["app_state"]
    for address in addresses:
        state["auth"]["accounts"].append({"@type": "/cosmos.auth.v1beta1.BaseAccount", "address": address,
                                          "pub_key": None, "account_number": "0", "sequence": "0"})
        state["bank"]["balances"].append({"address": address,
                                          "coins": [{"denom": BASE_DENOM, "amount": str(UGRAD)}]})
    total = sum(int(coin["amount"]) for balance in state["bank"]["balances"] for coin in balance["coins"])
    state["bank"]["supply"] = [{"denom": BASE_DENOM, "amount": str(total)}]
    home.genesis.write_text(json.dumps(document))


def read_all(running: Running, accounts: int) -> list[Account]:
    """The accounts as the first node has them."""
    return read_accounts(connect(running.urls[0]), [derive_load_key(PAYER, index) for index in range(accounts)])


@contextmanager
def run_parts(net: Localnet, engine: Engine, app_argv: Callable[[Home, Path], list[str]]) -> Iterator[Running]:
    """Every node's app, then its engine; ready when all have the third block."""
    running = Running(net)
    try:
        for node in net.manifest.nodes:
            home, socket = node.paths, socket_path(node.paths)
            running.start("app", app_argv(home, socket), home)
            checks.wait_until(socket.is_socket, SOCKET_S, f"a socket at {socket}")
            running.start("engine", [str(engine.path), "start", "--home", str(home.path)], home, engine_environment())
        checks.wait_height(net.rpcs, 3)
        net.claim.release()
        yield running
    finally:
        running.stop()
