"""Answers proved here: header by the validators' signatures, value or absence by Merkle proof, no node's word taken."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from abci_app.client.light.blocks import CHAIN_ID_BYTES_MAX
from abci_app.client.light.blocks_json import write_time
from abci_app.client.light.client import LightClient, Trust
from abci_app.client.light.errors import Diverged, Expired, HeightMissing, LightError, Malformed
from abci_app.client.light.records import Record, read_record
from abci_app.client.light.source import RpcSource
from abci_app.client.light.trust import TrustStore
from abci_app.client.light.verify import check_fresh
from abci_app.client.rpc import Rpc
from abci_app.wire.address import decode_address
from abci_app.wire.coin import BASE_DENOM
from abci_app.x.audits import keys as audits_keys
from abci_app.x.auth.keys import account_key
from abci_app.x.bank.keys import balance_key
from abci_app.x.disputes import keys as disputes_keys
from abci_app.x.inference import keys as inference_keys
from abci_app.x.models import keys as models_keys
from abci_app.x.rewards import keys as rewards_keys
from abci_app.x.sessions import keys as sessions_keys
from abci_app.x.work import keys as work_keys

VERIFIER = "gradus light client"
FIRST_HEIGHT = 1


@dataclass(frozen=True)
class Place:
    """Where a record stands in the state: a store and a key."""

    store: str
    key: bytes

    @property
    def path(self) -> str:
        """The query path under which proofs are for the stock light client."""
        return f"/store/{self.store}/key"


@dataclass(frozen=True)
class Terms:
    """What a proof is asked for with.

    home: where trusted blocks are kept. chain_id: None takes the node's word for which chain it is of, as long as the
    home trusts that one or none. trust_hash: of the block at trust_height that the user believes; empty: what the home
    trusts, else the first node's word. witnesses: other nodes that must have the same block.
    """

    home: Path
    node: str
    witnesses: Sequence[str] = ()
    chain_id: str | None = None
    trust_height: int = FIRST_HEIGHT
    trust_hash: str = ""


@dataclass(frozen=True)
class Proved:
    """A record as it was proved, on which trust, and what else the user should know."""

    record: Record
    trust: Trust
    agreed: Sequence[str]
    notes: Sequence[str]


def balance_place(address: str, denom: str = BASE_DENOM) -> Place:
    """Where a balance stands."""
    return Place("bank", balance_key(decode_address(address), denom))


def account_place(address: str) -> Place:
    """Where an account stands."""
    return Place("auth", account_key(decode_address(address)))


def model_place(model_id: int) -> Place:
    """Where a model contract stands."""
    return Place("models", models_keys.model(model_id))


def models_params_place() -> Place:
    """Where the parameters of all model contracts stand."""
    return Place("models", models_keys.PARAMS)


def weights_place(model_id: int, number: int) -> Place:
    """Where the root of the weights after a round stands."""
    return Place("models", models_keys.weights(model_id, number))


def version_place(model_id: int, version: int) -> Place:
    """Where a contract's terms stand once others have replaced them."""
    return Place("models", models_keys.version(model_id, version))


def slash_place(model_id: int, ordinal: int) -> Place:
    """Where a model's slash stands, by its ordinal from 0."""
    return Place("work", work_keys.slash(model_id, ordinal))


def slash_count_place(model_id: int) -> Place:
    """Where the number of a model's slashes stands, u64; nothing stands there before the first."""
    return Place("work", work_keys.slash_count(model_id))


def trainer_place(model_id: int, address: str) -> Place:
    """Where a trainer stands."""
    return Place("work", work_keys.trainer(model_id, decode_address(address)))


def round_place(model_id: int, number: int) -> Place:
    """Where a round stands."""
    return Place("work", work_keys.round_(model_id, number))


def unit_place(model_id: int, number: int, index: int) -> Place:
    """Where a unit of a round, with its claim, stands."""
    return Place("work", work_keys.unit(model_id, number, index))


def audit_place(subject: bytes) -> Place:
    """Where the audit of a subject (25 bytes) stands."""
    return Place("audits", audits_keys.audit(subject))


def auditor_place(validator: bytes) -> Place:
    """Where it stands how a validator (consensus address, 20 bytes) has done as an auditor."""
    return Place("audits", audits_keys.auditor(validator))


def audits_params_place() -> Place:
    """Where the parameters of audits stand."""
    return Place("audits", audits_keys.PARAMS)


def dispute_place(model_id: int, number: int, unit: int) -> Place:
    """Where the open dispute of a unit stands."""
    return Place("disputes", disputes_keys.dispute(model_id, number, unit))


def contribution_place(model_id: int, address: str) -> Place:
    """Where a contribution stands."""
    return Place("rewards", rewards_keys.contribution(model_id, decode_address(address)))


def backing_place(model_id: int, address: str) -> Place:
    """Where the backing of a model stands."""
    return Place("rewards", rewards_keys.backing(model_id, decode_address(address)))


def ledger_place(model_id: int) -> Place:
    """Where what is booked of a model stands."""
    return Place("rewards", rewards_keys.ledger(model_id))


def royalties_place(model_id: int) -> Place:
    """Where what a model's answers have brought stands."""
    return Place("rewards", rewards_keys.royalties(model_id))


def rewards_params_place() -> Place:
    """Where the parameters of the emission stand."""
    return Place("rewards", rewards_keys.PARAMS)


def host_place(model_id: int, address: str) -> Place:
    """Where a host of a model stands."""
    return Place("inference", inference_keys.host(model_id, decode_address(address)))


def request_place(request_id: int) -> Place:
    """Where a request stands, without its question's own bytes."""
    return Place("inference", inference_keys.request(request_id))


def archive_place() -> Place:
    """Where the peaks over the requests that are kept no longer stand."""
    return Place("inference", inference_keys.ARCHIVE)


def inference_params_place() -> Place:
    """Where the parameters of inference stand."""
    return Place("inference", inference_keys.PARAMS)


def session_place(session_id: int) -> Place:
    """Where a session stands."""
    return Place("sessions", sessions_keys.session(session_id))


def sessions_params_place() -> Place:
    """Where the parameters of sessions stand."""
    return Place("sessions", sessions_keys.PARAMS)


def prove(terms: Terms, place: Place) -> Proved:
    """The newest provable record at a place; what was verified is kept in the home.

    Raises ClientError: its status is 4 when anything does not verify, 3 when a node does not answer.
    """
    with _following(terms) as (client, rpc, store):
        known = store.find(client.chain_id)
        trust = choose_trust(client, known, terms)
        record, reached = read_record(client, trust, rpc, place.store, place.key)
        _keep(store, client, known, reached)
        return Proved(record, reached, tuple(client.agreed), _notes(client, terms, reached))


def follow(terms: Terms, height: int = 0) -> Proved:
    """The block at a height, verified and kept in the home; 0: the node's newest. Its record is empty."""
    with _following(terms) as (client, _, store):
        known = store.find(client.chain_id)
        trust = choose_trust(client, known, terms)
        chosen = height or max(trust.latest.height, client.primary.latest_height())
        block, reached = client.verify(trust, chosen)
        if not height:
            check_fresh(block, client.rules, client.clock())
        _keep(store, client, known, reached)
        empty = Record("", b"", None, block.height - 1, block)
        return Proved(empty, reached, tuple(client.agreed), _notes(client, terms, reached))


@contextmanager
def _following(terms: Terms) -> Iterator[tuple[LightClient, Rpc, TrustStore]]:
    """A light client by the terms; what proves a divergence is kept in the home."""
    store = TrustStore(terms.home)
    with ExitStack() as stack:
        rpc = stack.enter_context(Rpc(terms.node))
        chain_id = check_chain_id(terms.chain_id or rpc.status().chain_id)
        check_chosen(terms, store, chain_id)
        others = [url for url in dict.fromkeys(terms.witnesses) if url.rstrip("/") != terms.node.rstrip("/")]
        witnesses = [RpcSource(stack.enter_context(Rpc(url)), chain_id) for url in others]
        try:
            yield LightClient(chain_id, RpcSource(rpc, chain_id), witnesses), rpc, store
        except Diverged as error:
            raise _keep_evidence(store, error) from None


def check_chain_id(chain_id: str) -> str:
    """The name of a chain. Raises Malformed for one that no chain can have, or that should not reach a terminal."""
    if not 0 < len(chain_id.encode(errors="replace")) <= CHAIN_ID_BYTES_MAX or not chain_id.isprintable():
        raise Malformed(f"{chain_id[:CHAIN_ID_BYTES_MAX]!r} is no name of a chain")
    return chain_id


def check_chosen(terms: Terms, store: TrustStore, chain_id: str) -> None:
    """Raises LightError when a chain is only the node's choice: the home trusts others, and nothing of this one.

    Else a node could leave the trusted chain for one that it made up, and be believed as on a first use.
    """
    known = [] if terms.chain_id or terms.trust_hash else list(store.iter_chains())
    if known and chain_id not in known:
        raise LightError(f"the node says that it is of chain {chain_id!r}, of which nothing is trusted here, unlike of "
                         + ", ".join(map(repr, known)),
                         f"if you mean that chain: --chain-id {chain_id}; else ask another node (--node URL)")


def choose_trust(client: LightClient, known: Trust | None, terms: Terms) -> Trust:
    """What the user gives, else what the home knows, else the node's word for its first block (or, where that is gone
    or too old, its newest). Raises ClientError."""
    if terms.trust_hash:
        block_hash = bytes.fromhex(terms.trust_hash)
        if known is not None and known.is_given and known.root.hash == block_hash:
            return known
        return client.begin(terms.trust_height, block_hash)
    if known is not None:
        return known
    try:
        return client.begin(FIRST_HEIGHT, None)
    except (Expired, HeightMissing):
        return client.begin(client.primary.latest_height(), None)


def _keep_evidence(store: TrustStore, error: Diverged) -> Diverged:
    """The error with where its evidence is; a divergence is told also where nothing can be written."""
    try:
        kept = f"both are kept in {store.put_evidence(error.evidence)}"
    except OSError as problem:
        kept = f"they could not be kept ({problem.strerror} at {store.folder})"
    return Diverged(f"{error.text}; {kept}", error.hint, error.evidence)


def _keep(store: TrustStore, client: LightClient, known: Trust | None, reached: Trust) -> None:
    """Keep what was reached; a home that cannot be written to is no reason to hold an answer back."""
    if known == reached:
        return
    try:
        store.put(client.chain_id, reached)
    except OSError as error:
        client.notes.append(f"the trusted block could not be kept ({error.strerror} at {store.folder})")


def _notes(client: LightClient, terms: Terms, trust: Trust) -> tuple[str, ...]:
    """What the user should know of how far the proof goes."""
    notes = list(client.notes)
    if not client.witnesses:
        notes.append("no other node was asked: name one with --witness URL")
    if not trust.is_given:
        notes.append(f"block {trust.root.height} is trusted since the first use, on a node's word: compare its hash "
                     "with a source that you trust, or give it with --trust-hash")
    return tuple(notes)


def proved_fields(proved: Proved) -> dict[str, Any]:
    """What is shown of a proof, under the name `proved`."""
    return {"exists": proved.record.value is not None, "height": proved.record.height, **trust_fields(proved)}


def trust_fields(proved: Proved) -> dict[str, Any]:
    """What is shown of the header and of what it is trusted by."""
    block, root = proved.record.header, proved.trust.root
    return {"chain_id": block.header.chain_id, "header_height": block.height, "header_hash": block.hash.hex().upper(),
            "header_time": write_time(block.header.time_ns), "trusted_height": root.height,
            "trusted_hash": root.hash.hex().upper(),
            "trusted_by": "hash given" if proved.trust.is_given else "first use",
            "witnesses": list(proved.agreed), "verifier": VERIFIER, "note": "; ".join(proved.notes)}
