"""Disk use over many blocks: the real application in one process, with transfers, audited rounds and snapshots.

    python -m tests.bench.disk [--blocks 10000] [--sends 8] [--hidden 256] [--keep-versions 1000] [--interval 1000]

The state does not grow: transfers go between accounts that exist, weights and payloads are replaced round by round.
So whatever grows is what pruning, compaction or the collection of blobs left behind. Ten times on the way it prints,
in MB: `live`, the state as a snapshot holds it; `written`, what all blocks have written as blobs; then what lies on the
disk: tables, blob files, write-ahead log, the rest of the database, snapshots. It also asks heights of the kept window
for balances and hashes, which must be what they were.
"""

import json
import random
import shutil
import tempfile
import time
from dataclasses import dataclass, fields
from pathlib import Path

import click
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from abci_app.abci.application import Application
from abci_app.abci.snapshots import Snapshots
from abci_app.app import STORE_NAMES, new_app
from abci_app.store.branch import Branch
from abci_app.store.disk import Database
from abci_app.store.snapshot import iter_stream
from abci_app.wire.audit import decode_subject
from abci_app.wire.coin import base_coin, coin_pb
from abci_app.wire.pb.gradus.audits.v1.audits_pb2 import Audit
from abci_app.wire.pb.gradus.models.v1.tx_pb2 import MsgCreateModel
from abci_app.wire.pb.gradus.work.v1.tx_pb2 import MsgEnroll
from abci_app.wire.pb.gradus.work.v1.work_pb2 import ROUND_PHASE_COMMIT, ROUND_PHASE_REVEAL
from abci_app.wire.pb.tendermint.abci import types_pb2 as abci
from tests.abci.engine import block_hash
from tests.auditors import Auditors
from tests.chain import (
    BLOCK_NS, GENESIS_TIME_NS, PROPOSERS, SIGNERS, VALIDATOR_KEYS, VALIDATOR_POWER, Chain, address_of, new_test_key,
)
from tests.interruptible import Command
from tests.sim.claims import Claim, compute_answer, compute_claim, new_commit, new_reveal
from tests.unit.work.market import BOND_UGRAD, FUNDS_UGRAD, TRAINERS, new_table, small_spec
from tests.validator_set import EngineSet

USERS = 100
GAS_LIMIT = 20_000_000
SEND_GAS = 200_000
PROBES = 5
ANSWERS_KEPT = 64


@dataclass(frozen=True)
class Usage:
    """Bytes at one height."""

    height: int
    live: int
    written: int
    tables: int
    blobs: int
    log: int
    rest: int
    snapshots: int

    @property
    def database(self) -> int:
        """Bytes of the database's folder."""
        return self.tables + self.blobs + self.log + self.rest


class DiskRun(Chain):
    """The application of one node, called as the engine calls it; the words of Chain read and sign on its state."""

    def __init__(self, folder: Path, keep_versions: int, interval: int, hidden: int) -> None:
        self.app, self.chain_id, self.checks, self._genesis = new_app(), "gradus-disk-1", False, None
        self.signers = SIGNERS
        self.folder, self.table = folder, new_table()
        self.dice = random.Random(1)
        self.database = Database.open(folder / "state", STORE_NAMES, keep_versions, fsync=False)
        self.snapshots = Snapshots(folder / "snapshots", interval, 2)
        self.application = Application(self.app, self.database, snapshots=self.snapshots)
        self.written = 0
        self.hashes: dict[int, bytes] = {}
        self.balances: dict[int, int] = {}
        self._claims: dict[str, Claim] = {}
        self._answers: dict[bytes, bytes] = {}
        self.auditors = Auditors(self, self.find_answer)
        self.verdicts = 0
        self.engine = EngineSet(dict.fromkeys(VALIDATOR_KEYS, VALIDATOR_POWER))
        self._begin(hidden)

    def close(self) -> None:
        """End what runs and close the state."""
        self.snapshots.close()
        self.database.close()

    def _begin(self, hidden: int) -> None:
        names = ("boss", *TRAINERS, *(f"user{number}" for number in range(USERS)))
        state = self.new_app_state({name: FUNDS_UGRAD for name in names})
        request = abci.RequestInitChain(time=self._time(0), chain_id=self.chain_id, initial_height=1,
                                        app_state_bytes=json.dumps(state).encode())
        request.consensus_params.block.max_bytes, request.consensus_params.block.max_gas = 32 << 20, 10**9
        request.consensus_params.evidence.max_age_num_blocks = 100
        request.consensus_params.abci.vote_extensions_enable_height = 1
        request.consensus_params.validator.pub_key_types.append("ed25519")
        for key in VALIDATOR_KEYS:
            request.validators.add(power=VALIDATOR_POWER).pub_key.ed25519 = key
        self.application.init_chain(request)
        self.run_block([])
        escrow = coin_pb(base_coin(FUNDS_UGRAD // 2))
        spec = small_spec()
        spec.mlp_classifier.widths[1:-1] = [hidden, hidden]
        self.run_block([self._signed("boss", MsgCreateModel(creator=address_of("boss"), spec=spec, escrow=escrow))])
        bond = coin_pb(base_coin(BOND_UGRAD))
        self.run_block([self._signed(name, MsgEnroll(trainer=address_of(name), model_id=1, bond=bond))
                        for name in TRAINERS])

    def run_block(self, txs: list[bytes]) -> None:
        """One block as the engine has it run; every transaction must succeed."""
        height = self.database.height + 1
        fields_of_block = {"height": height, "time": self._time(height), "proposer_address": PROPOSERS[height % 4]}
        request = abci.RequestFinalizeBlock(txs=txs, hash=block_hash(height), **fields_of_block)
        for vote in self.last_commit().votes:
            request.decided_last_commit.votes.add(block_id_flag=vote.flag).validator.CopyFrom(
                abci.Validator(address=vote.address, power=vote.power))
        answer = self.application.finalize_block(request)
        failed = [result.log for result in answer.tx_results if result.code]
        if failed:
            raise AssertionError(f"height {height}: {failed[0]}")
        decided = self.application._decided
        assert decided is not None
        self.written += sum(len(value or b"") for _, value in decided.staged.blobs)
        self.application.commit(abci.RequestCommit())
        events = [event for part in (*answer.tx_results, answer) for event in part.events]
        self.verdicts += sum(event.type == "audits.audit_decided" for event in events)
        self.app_hash = self.hashes[height] = answer.app_hash
        self.balances[height] = self.app.bank.balance(self.ctx(), self._user(0))

    def step(self, sends: int) -> None:
        """One block: what the validators answered, transfers, and what the trainers owe."""
        txs = self.auditors.propose()
        pairs = [(f"user{number}", f"user{self.dice.randrange(USERS)}")
                 for number in self.dice.sample(range(USERS), sends)]
        txs += [self.sign(sender, self.send_msg(sender, recipient, self.dice.randint(1, 999)), gas_limit=SEND_GAS)
                for sender, recipient in pairs]
        self.run_block(txs + [self._signed(name, message) for name, message in self._owed()])

    def _owed(self) -> list[tuple[str, Message]]:
        """Commitments or reveals of the running round."""
        ctx = self.ctx()
        model = self.app.models.get_model(ctx, 1)
        running = self.app.work.find_round(ctx, 1, model.rounds_closed + 1)
        if running is None:
            return []
        names = {address_of(name): name for name in TRAINERS}
        units = [(names[unit.trainer], unit) for unit in self.app.work.list_units(ctx, 1, running.number)]
        if running.phase == ROUND_PHASE_COMMIT:
            weights = self.app.models.load_weights(ctx, 1, running.number - 1)
            self._claims = {name: compute_claim(model.spec, running, unit.index, weights, self.table.rows)
                            for name, unit in units}
            return [(name, new_commit(unit, self._claims[name], running.attempt)) for name, unit in units]
        if running.phase == ROUND_PHASE_REVEAL:
            return [(name, new_reveal(unit, self._claims[name], running.attempt)) for name, unit in units]
        return []

    def find_answer(self, audit: Audit) -> bytes:
        """The right answer to an audit, computed once."""
        if audit.subject not in self._answers:
            subject, ctx = decode_subject(audit.subject), self.ctx()
            audited = self.app.work.get_round(ctx, subject.model_id, subject.number)
            weights = self.app.models.load_weights(ctx, subject.model_id, subject.number - 1)
            if len(self._answers) >= ANSWERS_KEPT:
                self._answers.clear()
            self._answers[audit.subject] = compute_answer(
                self.app.work.spec_of(ctx, audited), audited, subject.index, weights, self.table.rows, audit)
        return self._answers[audit.subject]

    def probe(self) -> None:
        """Heights of the kept window answer what they answered when they were the latest."""
        for height in {self.database.oldest, *(self.dice.randint(self.database.oldest, self.database.height)
                                               for _ in range(PROBES))}:
            version = self.database.version(height)
            assert version.app_hash == self.hashes[height], height
            balance = self.app.bank.balance(self._ctx(Branch(version), height, b""), self._user(0))
            assert balance == self.balances[height], height

    def measure(self) -> Usage:
        """What lies on the disk now."""
        sizes = {"tables": 0, "blobs": 0, "log": 0, "rest": 0}
        kinds = {".sst": "tables", ".blob": "blobs", ".log": "log"}
        for path in (self.folder / "state").iterdir():
            sizes[kinds.get(path.suffix, "rest")] += size_of(path)
        held = sum(size_of(path) for path in (self.folder / "snapshots").rglob("*"))
        live = sum(map(len, iter_stream(self.database.latest())))
        return Usage(self.database.height, live, self.written, **sizes, snapshots=held)

    def _signed(self, name: str, message: Message) -> bytes:
        return self.sign(name, message, gas_limit=GAS_LIMIT)

    def _user(self, number: int) -> bytes:
        return new_test_key(f"user{number}").address

    @staticmethod
    def _time(height: int) -> Timestamp:
        return Timestamp(seconds=(GENESIS_TIME_NS + height * BLOCK_NS) // 10**9)


def size_of(path: Path) -> int:
    """Bytes that a file takes of the disk; 0 when it has just gone."""
    try:
        return path.stat().st_size if path.is_file() else 0
    except OSError:
        return 0


def shown(usage: Usage) -> str:
    """One line of the table."""
    numbers = [getattr(usage, field.name) for field in fields(usage)[1:]]
    return f"{usage.height:>8}" + "".join(f"{number / 1e6:>11.1f}" for number in numbers)


@click.command(cls=Command)
@click.option("--blocks", default=10_000, show_default=True)
@click.option("--sends", default=8, show_default=True, help="Transfers in a block.")
@click.option("--hidden", default=256, show_default=True, help="Width of the model's two hidden layers.")
@click.option("--keep-versions", default=1000, show_default=True)
@click.option("--interval", default=1000, show_default=True, help="Heights between two snapshots.")
@click.option("--folder", type=click.Path(path_type=Path), help="Where; a temporary folder when left out.")
def main(blocks: int, sends: int, hidden: int, keep_versions: int, interval: int, folder: Path | None) -> None:
    """Print the table."""
    place = Path(tempfile.mkdtemp(prefix="gradus-disk-", dir=folder))
    started_s, cpu_s = time.monotonic(), time.process_time()
    print("  height" + "".join(f"{field.name:>11}" for field in fields(Usage)[1:]), flush=True)
    run = DiskRun(place, keep_versions, interval, hidden)
    try:
        while run.database.height < blocks:
            run.step(sends)
            if run.database.height % max(1, blocks // 10) == 0:
                run.snapshots.wait()
                run.probe()
                print(shown(run.measure()), flush=True)
    finally:
        run.close()
        shutil.rmtree(place)
    print(f"{run.verdicts} audits decided; {time.monotonic() - started_s:.0f} s, "
          f"of processor {time.process_time() - cpu_s:.0f} s")


if __name__ == "__main__":
    main()
