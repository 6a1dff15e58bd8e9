"""The main job on this machine: a network, a model contract, miners of which some cheat, training, a report.

Everything runs as it would elsewhere: nodes and miners are processes of their own, and this one talks to the chain
like any other client. What it starts, it ends; nothing of it depends on which dataset it is.
"""

from __future__ import annotations

import fcntl
import secrets
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from abci_app.cli.contracts import compute_escrow, new_contract, new_spec
from abci_app.cli.data import read_source
from abci_app.client.chain import ChainClient
from abci_app.client.evaluate import accuracy_ppm, baseline_ppm, percent_text
from abci_app.client.keys import Key, Keyring, new_key
from abci_app.client.node import connect
from abci_app.client.send import Sender
from abci_app.client.words import enum_word
from abci_app.data.dataset import Dataset, Options, new_dataset
from abci_app.data.store import DatasetStore, StoredDataset
from abci_app.sdk.proofs import balance_place
from abci_app.wire.pb.gradus.models.v1.models_pb2 import MODEL_STATUS_SERVING, Model
from abci_app.wire.pb.gradus.models.v1.tx_pb2 import MsgCreateModelResponse
from abci_app.wire.pb.gradus.work.v1.work_pb2 import RoundPhase
from localnet import state
from localnet.engine import Engine
from localnet.errors import HomeError, LocalnetError, TimedOut
from localnet.genesis import FAUCET, new_composer
from localnet.homes import Home
from localnet.network import DATASETS, Localnet
from localnet.parent import die_with_parent
from localnet.ports import STANDARD_BASE
from localnet.progress import find_engine_visibly, wait_first_block_visibly, warm_visibly
from localnet.report import (
    Participant, Report, find_problems, print_report, prove_balance, read_auditors, read_earned, read_nodes,
    read_slashes, read_versions, read_weights,
)
from localnet.served import Served
from localnet.serving import Serving, Wanted
from localnet.words import PPM, bar, count_of

ROUND_REWARD_UGRAD = 1_000_000
HIDDEN = (128, 64)
MINER_UGRAD = 1_000_000_000
HONEST = "honest"
POLL_S = 0.25
ROUND_SECONDS_MAX = 180.0  # a round takes two; a machine that does much else may take many more
STOP_SECONDS = 10.0
MARK = ".gradus-demo"
ROUNDS_TO_CATCH = 24  # at 40 % audits a cheat escapes this many rounds once in 200,000 runs; shorter ones audit all
REPORT = "report.json"
ASKED_OFTEN = 20


@dataclass(frozen=True)
class DemoOptions:
    """What to run. source: a CSV file or the name of a known table. behaviours: one for each cheat."""

    folder: Path
    source: str
    label: str | None
    validators: int
    miners: int
    behaviours: tuple[str, ...]
    rounds: int
    accuracy_min_ppm: int
    keep: bool
    base_port: int = STANDARD_BASE
    engine: Path | None = None
    engine_version: str | None = None


@dataclass
class Demo:
    """A run in progress."""

    options: DemoOptions
    console: Console
    started_s: float = field(default_factory=time.monotonic)
    miners: list[Participant] = field(default_factory=list)
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)
    serving: Serving = field(init=False)

    def run(self) -> Report:
        """The whole job; raises LocalnetError and cleans up when a step fails."""
        made = self.new_dataset()
        began_s = time.monotonic()
        choice = warm_visibly()
        tell_done(self.console, f"kernels compiled and tested, back end {choice.backend}", began_s)
        engine = find_engine_visibly(self.options.engine, self.options.engine_version)
        clear_folder(self.options.folder)
        self.started_s = time.monotonic()
        self.serving = Serving(self.options.folder, self.console, self.options.keep)
        net, creator = self.new_network(engine)
        net.auditors = (HONEST,) * self.options.validators
        dataset = self.share_dataset(made)
        try:
            net.start(attached=not self.options.keep)
            for notice in net.notices:
                self.console.print(notice)
            wait_first_block_visibly(net)
            first_block_s = time.monotonic() - self.started_s
            client = ChainClient(connect([net.manifest.nodes[0].rpc], net.manifest.chain_id))
            model_id = self.create_model(client, creator, dataset)
            self.prepare(client, model_id, dataset)
            self.start_miners(net, model_id)
            training_s = time.monotonic()
            accuracy = self.watch(net, client, model_id, dataset)
            training_s = time.monotonic() - training_s
            served = self.serve(net, client, model_id, dataset)
            report = self.read_report(net, client, model_id, dataset, accuracy, (first_block_s, training_s), served)
            report.write(self.options.folder / REPORT)
            return report
        except KeyboardInterrupt:
            self.console.print("interrupted: stopping the miners and the network")
            raise
        finally:
            is_kept = self.options.keep and sys.exc_info()[0] is None
            try:
                if not is_kept:
                    self.serving.stop()
                    self.stop_miners()
            finally:
                if not is_kept:
                    net.stop()

    def new_dataset(self) -> Dataset:
        """Rows and root of the table that the options name."""
        with step(self.console, f"dataset {self.options.source}"):
            table, label, name = read_source(self.options.source, self.options.label)
            dataset = new_dataset(table, Options(label=label, name=name))
        manifest = dataset.manifest
        if not manifest.test_rows:
            raise LocalnetError(f"{self.options.source} is too small: no row is left to measure the accuracy on",
                                "give a table of at least five rows")
        self.console.print(f"  {manifest.train_rows} rows to train on, {manifest.test_rows} held out, "
                           f"{manifest.feature_count} features, {len(manifest.classes)} classes")
        self.console.print(f"  root {manifest.rows_root.hex()}", highlight=False)
        return dataset

    def new_network(self, engine: Engine) -> tuple[Localnet, Key]:
        """Homes of the nodes, and keys with coins for the miners; the key of the faucet, which creates the model."""
        folder, count = self.options.folder, self.options.miners
        keys = [new_key() for _ in range(count)]
        accounts = {key.bech32: MINER_UGRAD for key in keys} | self.serving.accounts()
        net = Localnet.new(folder, self.options.validators, f"gradus-local-{secrets.token_hex(3)}",
                           base_port=self.options.base_port, compose=new_composer(accounts), engine=engine)
        (folder / MARK).write_text("made by gradus localnet demo\n")
        behaviours = [*[HONEST] * (count - len(self.options.behaviours)), *self.options.behaviours]
        for index, (key, behaviour) in enumerate(zip(keys, behaviours, strict=True)):
            miner = Participant(f"miner{index}", key.bech32, behaviour)
            Keyring(self.miner_home(miner) / "keys").put(miner.name, key, None)
            self.miners.append(miner)
        self.serving.put_keys()
        return net, Keyring(folder / "keys").get(FAUCET)

    def share_dataset(self, made: Dataset) -> StoredDataset:
        """The dataset in the network's folder, which every node and miner of this machine reads."""
        store = DatasetStore(self.options.folder / DATASETS)
        store.add(made)
        for miner in self.miners:
            (self.miner_home(miner) / DATASETS).symlink_to(Path("..") / ".." / DATASETS)
        (self.serving.user_home / DATASETS).symlink_to(Path("..") / DATASETS)
        return store.open(made.manifest.rows_root)

    def miner_home(self, miner: Participant) -> Path:
        """Where a miner keeps its key, its journal and its log."""
        return self.options.folder / "miners" / miner.name

    def create_model(self, client: ChainClient, creator: Key, dataset: StoredDataset) -> int:
        """Deploy and fund the contract."""
        with step(self.console, "model contract created and funded"):
            rounds, count = self.options.rounds, self.options.miners
            spec = new_spec(dataset.manifest, rounds, count, ROUND_REWARD_UGRAD, HIDDEN)
            spec.training.trim = min(spec.training.trim, (count - len(self.options.behaviours) - 1) // 2)
            if rounds < ROUNDS_TO_CATCH:
                spec.audit.rate_ppm = PPM
            message = new_contract(creator.bech32, spec, compute_escrow(spec))
            sent = Sender(client, creator).send([message])
            return MsgCreateModelResponse.FromString(sent.responses[0].value).model_id

    def start_miners(self, net: Localnet, model_id: int) -> None:
        """One process a miner, each with its own home and its own node to talk to."""
        nodes = net.manifest.nodes
        for index, miner in enumerate(self.miners):
            home = self.miner_home(miner)
            urls = [nodes[(index + turn) % len(nodes)].rpc for turn in range(len(nodes))]
            log = (home / "miner.log").open("wb")
            self.processes.append(subprocess.Popen(
                [sys.executable, "-m", "abci_app.cli", "miner", "start", str(model_id), "--key", miner.name,
                 "--home", str(home), "--behaviour", miner.behaviour,
                 *(part for url in urls for part in ("--node", url))],
                stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT,
                preexec_fn=None if self.options.keep else die_with_parent()))
            log.close()
        self.console.print(f"{count_of(len(self.miners), 'miner')} started: "
                           + ", ".join(miner.behaviour for miner in self.miners))

    def watch(self, net: Localnet, client: ChainClient, model_id: int, dataset: StoredDataset) -> list[int]:
        """Follow the training to its end; accuracy by round, the untrained weights first, from the chain's weights."""
        accuracy: list[int] = []
        progress = Progress(TextColumn("{task.description}"), BarColumn(), TextColumn("{task.completed}/{task.total}"),
                            TimeElapsedColumn(), console=self.console, transient=True)
        with progress:
            task = progress.add_task("enrolling", total=self.options.rounds)
            moved_s = time.monotonic()
            while True:
                model = client.get_model(model_id)
                while len(accuracy) <= model.rounds_closed:
                    number = len(accuracy)
                    weights = read_weights(client, model_id, number)
                    accuracy.append(self.measure(model, weights, dataset))
                    progress.console.print(f"round {number:>3}  {self.describe(accuracy[-1])}", highlight=False)
                    moved_s = time.monotonic()
                progress.update(task, completed=model.rounds_closed, description=describe_phase(client, model_id))
                if model.status == MODEL_STATUS_SERVING:
                    return accuracy
                self.check_processes(net)
                if time.monotonic() - moved_s > ROUND_SECONDS_MAX:
                    raise TimedOut(f"no round closed in {ROUND_SECONDS_MAX:.0f} s, {model.rounds_closed} are done",
                                   "the machine may be too busy: try again; else "
                                   f"read {self.options.folder}/node*/logs/app.log")
                time.sleep(POLL_S)

    def measure(self, model: Model, weights: bytes, dataset: StoredDataset) -> int:
        """How well weights do on the held-out rows: accuracy in ppm."""
        return accuracy_ppm(model.spec.mlp_classifier.widths, weights, dataset)

    def describe(self, measured: int) -> str:
        """What was measured, in words."""
        return f"{percent_text(measured):>8}  {bar(measured)}"

    def describe_training(self, measured: list[int], dataset: StoredDataset, client: ChainClient,
                          model_id: int) -> dict[str, Any]:
        """What the report says of the training; measured: the untrained weights first."""
        return {"initial_accuracy_ppm": measured[0], "accuracy_ppm_per_round": measured[1:],
                "baseline_ppm": baseline_ppm(dataset.manifest.form, dataset)}

    def prepare(self, client: ChainClient, model_id: int, dataset: StoredDataset) -> None:
        """What is to be done before the miners start: nothing."""

    def check_processes(self, net: Localnet) -> None:
        """LocalnetError when a node has given up, or no miner is left."""
        for index in range(len(net.manifest.nodes)):
            net.check_alive(index)
        if all(process.poll() is not None for process in self.processes):
            raise LocalnetError("every miner has ended", f"read {self.options.folder}/miners/*/miner.log")

    def serve(self, net: Localnet, client: ChainClient, model_id: int, dataset: StoredDataset) -> Served:
        """Hosts for the trained model, and a user who buys answers."""
        self.serving.start(net, client, model_id)
        wanted = self.ask(dataset)
        with step(self.console, f"an answer of {len(self.serving.hosts)} hosts, {wanted.repeats} more in a session"):
            return self.serving.buy(net, model_id, wanted)

    def ask(self, dataset: StoredDataset) -> Wanted:
        """What the user wants to know."""
        return ask_held_out(dataset)

    def read_report(self, net: Localnet, client: ChainClient, model_id: int, dataset: StoredDataset,
                    accuracy: list[int], seconds: tuple[float, float], served: Served) -> Report:
        """Every figure from the chain; then what is not as it should be."""
        with step(self.console, "figures read from the chain, balance proved by the stock light client"):
            address = self.miners[0].address
            proved = prove_balance(net, address, balance_place(address))
            manifest = dataset.manifest
            report = Report(
                chain_id=net.manifest.chain_id, model_id=model_id,
                dataset={"name": manifest.name, "rows_root": manifest.rows_root.hex(), "source": manifest.source,
                         "train_rows": manifest.train_rows, "test_rows": manifest.test_rows},
                rpc=net.manifest.nodes[0].rpc, **self.describe_training(accuracy, dataset, client, model_id),
                seconds=0.0, seconds_to_first_block=round(seconds[0], 2),
                seconds_per_round=round(seconds[1] / max(len(accuracy) - 1, 1), 3),
                earned_ugrad=read_earned(client, model_id, self.miners),
                slashed=read_slashes(client, model_id, self.miners), auditors=read_auditors(client, net),
                nodes=read_nodes(net), proved_balance=proved, served=served,
                versions=read_versions(net, client.get_model(model_id).spec.numerics))
            balance = client.balance(address, height=proved.height)
        report.seconds = round(time.monotonic() - self.started_s, 2)
        report.problems = find_problems(report, self.miners, self.options.rounds, self.options.accuracy_min_ppm,
                                        balance)
        print_report(report, self.miners, self.console)
        self.console.print(f"all of it: {self.options.folder / REPORT}", soft_wrap=True)
        if self.options.keep:
            folder = shlex.quote(str(self.options.folder))
            self.console.print(f"the network runs on: gradus localnet status --dir {folder}\n"
                               f"end it with:         gradus localnet down --dir {folder}", soft_wrap=True)
        return report

    def stop_miners(self) -> None:
        """End every miner that still runs."""
        for process in self.processes:
            process.terminate()
        for process in self.processes:
            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def run_demo(options: DemoOptions, demo: type[Demo] | None = None) -> Report:
    """Check the options, clear the folder of an earlier run, and run. demo: None for that of a table. Raises
    LocalnetError."""
    options = replace(options, folder=options.folder.expanduser().absolute())
    if len(options.behaviours) >= options.miners:
        raise LocalnetError(f"{len(options.behaviours)} of {options.miners} miners would cheat",
                            "leave at least one honest miner: raise --miners")
    with only_user(options.folder):
        check_folder(options.folder)
        return (demo or Demo)(options, Console(stderr=True)).run()


def ask_held_out(dataset: StoredDataset) -> Wanted:
    """A question about the first row that was held out, and its label."""
    manifest = dataset.manifest
    features, label = dataset.read_columns([manifest.train_rows], manifest.form)
    return Wanted("the class of the first held-out row", {"features": features},
                  manifest.classes[int.from_bytes(label, "little")],
                  lambda found: ", ".join(found.names or map(str, found.labels)), ASKED_OFTEN)


@contextmanager
def only_user(folder: Path) -> Iterator[None]:
    """One demo at a time in a folder. The lock stands beside it, because the folder itself is replaced."""
    lock = folder.with_name(f".{folder.name}.lock")
    try:
        lock.parent.mkdir(parents=True, exist_ok=True)
        with lock.open("a") as held:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
            yield
    except BlockingIOError:
        raise HomeError(f"another demo is running in {folder}", "choose another --dir") from None
    except (FileNotFoundError, NotADirectoryError, PermissionError) as error:
        if error.filename != str(lock) and error.filename != str(lock.parent):
            raise
        raise HomeError(f"{folder} cannot be used: {error.strerror}", "choose another --dir") from None


def check_folder(folder: Path) -> None:
    """LocalnetError for a folder that holds anything but an earlier run, or a run that is still going on."""
    try:
        is_empty = not folder.exists() or not any(folder.iterdir())
    except OSError as error:
        raise HomeError(f"{folder} cannot be used: {error.strerror}", "choose another --dir") from None
    if not is_empty and not (folder / MARK).is_file():
        raise HomeError(f"{folder} holds something that is no earlier run", "choose another --dir")
    if any(state.is_supervised(Home(path)) for path in folder.glob("node*")):
        raise HomeError(f"a network is running in {folder}",
                        f"choose another --dir, or end it: gradus localnet down --dir {shlex.quote(str(folder))}")


def clear_folder(folder: Path) -> None:
    """Remove an earlier run, and only that."""
    check_folder(folder)
    if folder.exists():
        shutil.rmtree(folder)


@contextmanager
def step(console: Console, what: str) -> Iterator[None]:
    """Say what is going on, then that it is done and how long it took."""
    began_s = time.monotonic()
    if not console.is_terminal:
        console.print(f"… {what}", highlight=False, soft_wrap=True)
    with console.status(what):
        yield
    tell_done(console, what, began_s)


def tell_done(console: Console, what: str, began_s: float) -> None:
    """Say that something is done, and how long it took."""
    console.print(f"[green]✓[/] {what} ({time.monotonic() - began_s:.1f} s)")


def describe_phase(client: ChainClient, model_id: int) -> str:
    """`round 7: reveal`, for a person who waits."""
    dealing = client.find_round(model_id)
    if dealing is None or dealing.round is None:
        return "enrolling"
    return f"round {dealing.round.number}: {enum_word(RoundPhase.DESCRIPTOR, dealing.round.phase)}"
