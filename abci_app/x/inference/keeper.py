"""Hosts and requests: the only reader and writer of this room's state.

State: store `inference` (see keys.py). Every record written or taken away costs WRITE_GAS.
Invariant: the bonds of all hosts and the escrows of all open requests add up to the balance of the module account
`inference`.
Source: README.md beside this file.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from google.protobuf.message import Message

from abci_app.runtime.context import Ctx
from abci_app.runtime.fee import compute_judging_cost
from abci_app.runtime.gas import WRITE_GAS
from abci_app.wire.address import decode_address
from abci_app.wire.archive import append_leaf
from abci_app.wire.coin import base_coin
from abci_app.wire.errors import InvariantBroken
from abci_app.wire.ints import U64_MAX, u32_bytes, u64_bytes
from abci_app.wire.pb.gradus.inference.v1.inference_pb2 import (
    HOST_STATUS_ACTIVE, HOST_STATUS_SLASHED, HOST_STATUS_STOOD_DOWN, Archive, Host, Params, Question, Request,
    RequestStatus,
)
from abci_app.wire.pb.gradus.models.v1.models_pb2 import InferencePolicy, ModelSpec
from abci_app.wire.question import request_hash
from abci_app.x.inference import events, keys
from abci_app.x.inference.errors import (
    BondStaked, CapacityExhausted, HostNotActive, HostNotFound, RequestNotFound,
)
from abci_app.x.inference.needs import Audits, Bank, Models, Rewards
from abci_app.x.inference.types import (
    OPEN_STATUSES, STORE, Offer, compute_shares, compute_wrong_slash, default_params, is_open,
    new_offer, sort_offers,
)

MARK = b"\x01"


@dataclass(frozen=True, kw_only=True)
class Keeper:
    """Reads and writes this room's state, over what it needs of others."""

    bank: Bank
    models: Models
    rewards: Rewards
    audits: Audits

    def params(self, ctx: Ctx) -> Params:
        """How long requests are kept, how many misses stand a host down, what a request costs."""
        raw = ctx.state.store(STORE).get(keys.PARAMS)
        return default_params() if raw is None else Params.FromString(raw)

    def put_params(self, ctx: Ctx, params: Params) -> None:
        """Write parameters that have been checked."""
        self._put(ctx, keys.PARAMS, params)

    def audit_price(self, ctx: Ctx) -> int:
        """What auditors are paid for 10^9 multiply-adds, ugrad."""
        return self.models.params(ctx).audit_price_ugrad_per_gma

    def find_host(self, ctx: Ctx, model_id: int, address: bytes) -> Host | None:
        """A model's host, None when the account is none."""
        if not 0 < model_id <= U64_MAX:
            return None
        raw = ctx.state.store(STORE).get(keys.host(model_id, address))
        return None if raw is None else Host.FromString(raw)

    def get_host(self, ctx: Ctx, model_id: int, address: bytes) -> Host:
        """A model's host (account of 20 bytes). Raises HostNotFound (inference/10)."""
        host = self.find_host(ctx, model_id, address)
        if host is None:
            raise HostNotFound(f"model {model_id}")
        return host

    def put_host(self, ctx: Ctx, host: Host) -> None:
        """Write the record and keep the index of active hosts by price in step with it."""
        address = decode_address(host.address)
        before = self.find_host(ctx, host.model_id, address)
        self._put(ctx, keys.host(host.model_id, address), host)
        self._index(ctx, address, before, host)

    def drop_host(self, ctx: Ctx, host: Host) -> None:
        """Take away a record and its mark."""
        address = decode_address(host.address)
        before = self.find_host(ctx, host.model_id, address)
        self._drop(ctx, keys.host(host.model_id, address))
        self._index(ctx, address, before, None)

    def iter_hosts(self, ctx: Ctx) -> Iterator[Host]:
        """Every host of every model, in the order of models and addresses."""
        for _, raw in ctx.state.store(STORE).iter(keys.HOSTS):
            yield Host.FromString(raw)

    def iter_active(self, ctx: Ctx, model_id: int) -> Iterator[Host]:
        """A model's active hosts, the cheapest first; equal prices by address. At most HOSTS_MAX."""
        for key, _ in ctx.state.store(STORE).iter(keys.active_of(model_id)):
            yield self.get_host(ctx, model_id, keys.read_active(key))

    def find_dearest(self, ctx: Ctx, model_id: int) -> Host | None:
        """The active host of a model that asks most, None where there is none."""
        marks = ctx.state.store(STORE).iter(keys.active_of(model_id), reverse=True, limit=1)
        return next((self.get_host(ctx, model_id, keys.read_active(key)) for key, _ in marks), None)

    def count_active(self, ctx: Ctx, model_id: int) -> int:
        """How many active hosts a model has."""
        return int.from_bytes(ctx.state.store(STORE).get(keys.active_count(model_id)) or b"", "big")

    def _index(self, ctx: Ctx, address: bytes, before: Host | None, after: Host | None) -> None:
        old, new = _active_key(address, before), _active_key(address, after)
        if old == new:
            return
        if old:
            self._drop(ctx, old)
        if new:
            self._put(ctx, new, MARK)
        if bool(old) != bool(new):
            model_id = keys.read_active_model(old or new)
            count = self.count_active(ctx, model_id) + (1 if new else -1)
            self._put(ctx, keys.active_count(model_id), u32_bytes(count))

    def list_offers(self, ctx: Ctx, model_id: int, policy: InferencePolicy, work: int, user: str, count: int,
                    opened_height: int, needs_room: bool = True, seed: bytes = b"",
                    hosts: list[Host] | None = None) -> tuple[list[Offer], int]:
        """The cheapest `count` offers of an answer, and how many hosts were looked at for them.

        Of hosts other than the user's own, whose terms stood when the request was opened, at opened_height, whose bond
        is the contract's and covers the stake: what is free of it, and with room for one more, if needs_room. Nobody
        can pay a fee of 2^64 ugrad. hosts: the active ones, the cheapest first, where they have been read already.
        """
        offers, looked, judging_ugrad = list[Offer](), 0, compute_judging_cost(work, self.audit_price(ctx))
        for host in self.iter_active(ctx, model_id) if hosts is None else hosts:
            if len(offers) >= count and host.price_ugrad_per_gma > offers[count - 1].host.price_ugrad_per_gma:
                break
            looked += 1
            offer = new_offer(policy, work, host, judging_ugrad)
            staked_ugrad = host.staked_ugrad if needs_room else 0
            is_fit = (host.address != user and host.ready_height <= opened_height and offer.fee_ugrad <= U64_MAX
                      and host.bond_ugrad >= max(policy.host_bond_ugrad, staked_ugrad + offer.stake_ugrad))
            if is_fit and not (needs_room and host.open_count >= host.capacity):
                offers.append(offer)
        return sort_offers(offers, seed, count), looked

    def open_stake(self, ctx: Ctx, model_id: int, address: bytes, stake_ugrad: int) -> Host:
        """Bind part of an active host's bond to one request or session more; returns its record.

        Raises HostNotFound (inference/10), HostNotActive (inference/13), CapacityExhausted (inference/16), BondStaked
        (inference/17).
        """
        host = self.get_host(ctx, model_id, address)
        if host.status != HOST_STATUS_ACTIVE:
            raise HostNotActive(host.address)
        if host.open_count >= host.capacity:
            raise CapacityExhausted(f"{host.open_count} open")
        host.open_count += 1
        return self._stake(ctx, host, stake_ugrad)

    def add_stake(self, ctx: Ctx, model_id: int, address: bytes, stake_ugrad: int) -> Host:
        """Bind more of a host's bond to what it has open; returns its record.

        Raises HostNotFound (inference/10), BondStaked (inference/17).
        """
        return self._stake(ctx, self.get_host(ctx, model_id, address), stake_ugrad)

    def _stake(self, ctx: Ctx, host: Host, stake_ugrad: int) -> Host:
        if host.bond_ugrad - host.staked_ugrad < stake_ugrad:
            raise BondStaked(f"{host.bond_ugrad - host.staked_ugrad} ugrad are free, {stake_ugrad} are needed")
        host.staked_ugrad += stake_ugrad
        self.put_host(ctx, host)
        return host

    def free_stake(self, ctx: Ctx, model_id: int, address: bytes, stake_ugrad: int, earned_ugrad: int) -> None:
        """A request or session binds a host's bond no longer. earned_ugrad: by it; 0 where it was not paid."""
        host = self.get_host(ctx, model_id, address)
        host.staked_ugrad -= stake_ugrad
        host.open_count -= 1
        if earned_ugrad:
            host.answered += 1
            host.missed_in_a_row = 0
            if host.status == HOST_STATUS_ACTIVE:
                host.return_height = 0  # of misses: who withheld is not active
            host.earned_ugrad = min(host.earned_ugrad + earned_ugrad, U64_MAX)
        self.put_host(ctx, host)

    def slash_stake(self, ctx: Ctx, model_id: int, address: bytes, stake_ugrad: int, policy: InferencePolicy,
                    accounts: list[bytes]) -> int:
        """An answer of a host was proved wrong: take what it staked, or more of its bond (README), and end its part.

        accounts: of 20 bytes, one for each right digest; they share what need not be burnt. Returns the ugrad taken.
        Emits inference.host_slashed.
        """
        host = self.get_host(ctx, model_id, address)
        amount_ugrad = compute_wrong_slash(policy, host, stake_ugrad)
        host.staked_ugrad -= stake_ugrad
        host.open_count -= 1
        host.wrong += 1
        host.status = HOST_STATUS_SLASHED
        self.take_bond(ctx, host, "wrong", amount_ugrad, compute_shares(policy, amount_ugrad, accounts), accounts)
        return amount_ugrad

    def take_bond(self, ctx: Ctx, host: Host, reason: str, amount_ugrad: int, share_ugrad: int = 0,
                  accounts: list[bytes] | None = None) -> None:
        """Take part of a bond and write `host` with the rest: so much for each account, what is left is burnt.

        Emits inference.host_slashed.
        """
        host.bond_ugrad -= amount_ugrad
        self.put_host(ctx, host)
        burnt_ugrad = amount_ugrad
        for account in (accounts or []) if share_ugrad else ():
            self.bank.send_from_module(ctx, STORE, account, (base_coin(share_ugrad),))
            burnt_ugrad -= share_ugrad
        if burnt_ugrad:
            self.bank.burn(ctx, STORE, (base_coin(burnt_ugrad),))
        ctx.emit(events.host_slashed(host, reason, amount_ugrad, burnt_ugrad))

    def stand_down(self, ctx: Ctx, host: Host, reason: str, return_height: int = 0) -> None:
        """Deal an active host nothing new until it updates its terms, from return_height on, or from where it had to
        wait for already. Another one waits too.

        Emits inference.host_stood_down for an active one.
        """
        host.return_height = max(host.return_height, return_height)
        if host.status == HOST_STATUS_ACTIVE:
            host.status = HOST_STATUS_STOOD_DOWN
            ctx.emit(events.host_stood_down(host, reason))
        self.put_host(ctx, host)

    def next_id(self, ctx: Ctx) -> int:
        """The id that the next request gets; the first is 1."""
        return int.from_bytes(ctx.state.store(STORE).get(keys.NEXT_ID) or u64_bytes(1), "big")

    def put_next_id(self, ctx: Ctx, request_id: int) -> None:
        """Write the id that the next request gets."""
        self._put(ctx, keys.NEXT_ID, u64_bytes(request_id))

    def find_request(self, ctx: Ctx, request_id: int) -> Request | None:
        """A request without its question, None where it was never made or is kept no longer."""
        raw = ctx.state.store(STORE).get(keys.request(request_id)) if 0 < request_id <= U64_MAX else None
        return None if raw is None else Request.FromString(raw)

    def get_request(self, ctx: Ctx, request_id: int) -> Request:
        """A request without its question. Raises RequestNotFound (inference/23)."""
        request = self.find_request(ctx, request_id)
        if request is None:
            raise RequestNotFound(f"request {request_id}")
        return request

    def get_question(self, ctx: Ctx, request: Request) -> Question:
        """What a kept request asks. InvariantBroken where it is not there."""
        raw = ctx.state.store(STORE).get(keys.question(request.id))
        if raw is None:
            raise InvariantBroken(f"request {request.id} is kept without its question")
        return Question.FromString(raw)

    def has_question(self, ctx: Ctx, request_id: int) -> bool:
        """Whether it is kept what a request asks."""
        return ctx.state.store(STORE).has(keys.question(request_id))

    def add_request(self, ctx: Ctx, request: Request, question: Question) -> None:
        """Write a request that this room does not hold yet, with what marks its user, its hosts, and when it is due."""
        self._put(ctx, keys.question(request.id), question)
        self._put(ctx, keys.user_mark(decode_address(request.user), request.id), MARK)
        for seat in request.seats:
            if request.status in OPEN_STATUSES and is_open(seat):
                self.mark_host(ctx, request, seat.host)
        self._put(ctx, keys.due(request.status, request.due_height, request.id), MARK)
        self.put_request(ctx, request)

    def put_request(self, ctx: Ctx, request: Request) -> None:
        """Write the record."""
        self._put(ctx, keys.request(request.id), request)

    def enter(self, ctx: Ctx, request: Request, status: RequestStatus, due_height: int) -> None:
        """Write a kept request in its next status, due with the block of due_height."""
        self._drop(ctx, keys.due(request.status, request.due_height, request.id))
        request.status, request.due_height = status, due_height
        self._put(ctx, keys.due(status, due_height, request.id), MARK)
        self.put_request(ctx, request)

    def end_phase_now(self, ctx: Ctx, request: Request) -> None:
        """Have the phase end with this block, when it does not anyway. Nobody pays for it: whoever acts last in a
        phase pays what the others pay. The caller writes `request`."""
        if ctx.height < request.due_height:
            self.enter(ctx.unmetered(), request, request.status, ctx.height)

    def list_due(self, ctx: Ctx, status: RequestStatus, count: int) -> list[Request]:
        """At most `count` requests in a status that are due with this block or before, the earliest first."""
        found = []
        for key, _ in ctx.state.store(STORE).iter(keys.due_in(status), limit=count):
            height, request_id = keys.read_due(key)
            if height > ctx.height:
                break
            found.append(self.get_request(ctx, request_id))
        return found

    def iter_requests(self, ctx: Ctx) -> Iterator[Request]:
        """Every kept request without its question, ids rising."""
        for _, raw in ctx.state.store(STORE).iter(keys.REQUESTS):
            yield Request.FromString(raw)

    def mark_host(self, ctx: Ctx, request: Request, host: str) -> None:
        """A host (bech32) has an open seat in a request."""
        self._put(ctx, keys.host_mark(decode_address(host), request.id), MARK)

    def unmark_host(self, ctx: Ctx, request: Request, host: str) -> None:
        """A host's (bech32) seat in a request is settled."""
        self._drop(ctx, keys.host_mark(decode_address(host), request.id))

    def spec_of(self, ctx: Ctx, request: Request) -> ModelSpec:
        """The terms of a request, which later ones of its contract do not change."""
        return self.models.get_spec(ctx, request.model_id, request.spec_version)

    def find_answer(self, ctx: Ctx, request_id: int, answer_hash: bytes) -> bytes | None:
        """An answer that a host has shown for an open request, None where nobody has."""
        return ctx.state.store(STORE).get(keys.answer(request_id, answer_hash))

    def put_answer(self, ctx: Ctx, request_id: int, answer_hash: bytes, answer: bytes) -> None:
        """Keep an answer that a host has shown."""
        self._put(ctx, keys.answer(request_id, answer_hash), answer)

    def iter_answers(self, ctx: Ctx, request_id: int) -> Iterator[tuple[bytes, bytes]]:
        """(hash, answer) of what hosts have shown for an open request, hashes rising."""
        prefix = keys.answers_of(request_id)
        for key, answer in ctx.state.store(STORE).iter(prefix):
            yield key[len(prefix):], answer

    def drop_answers(self, ctx: Ctx, request_id: int) -> None:
        """Forget what hosts have shown: what stays stands in the request."""
        for answer_hash, _ in self.iter_answers(ctx, request_id):
            self._drop(ctx, keys.answer(request_id, answer_hash))

    def archive(self, ctx: Ctx) -> Archive:
        """The peaks over all requests that are kept no longer."""
        return Archive.FromString(ctx.state.store(STORE).get(keys.ARCHIVE) or b"")

    def put_archive(self, ctx: Ctx, archive: Archive) -> None:
        """Write the record."""
        self._put(ctx, keys.ARCHIVE, archive)

    def archive_request(self, ctx: Ctx, request: Request) -> None:
        """Forget a request that has ended, but for its hash. Emits inference.request_archived."""
        archive, leaf = self.archive(ctx), request_hash(_pack(request))
        append_leaf(archive, leaf)
        self.put_archive(ctx, archive)
        self._drop(ctx, keys.due(request.status, request.due_height, request.id))
        self._drop(ctx, keys.user_mark(decode_address(request.user), request.id))
        self._drop(ctx, keys.question(request.id))
        self._drop(ctx, keys.request(request.id))
        ctx.emit(events.request_archived(request, archive.count - 1, leaf))

    def _put(self, ctx: Ctx, key: bytes, record: Message | bytes) -> None:
        ctx.gas.use(WRITE_GAS, "write of a record of inference")
        ctx.state.store(STORE).set(key, record if isinstance(record, bytes) else _pack(record))

    def _drop(self, ctx: Ctx, key: bytes) -> None:
        ctx.gas.use(WRITE_GAS, "removal of a record of inference")
        ctx.state.store(STORE).delete(key)


def _pack(record: Message) -> bytes:
    return record.SerializeToString(deterministic=True)


def _active_key(address: bytes, host: Host | None) -> bytes:
    """The key of an active host's mark; b"" for no host, or one that is not active."""
    if host is None or host.status != HOST_STATUS_ACTIVE:
        return b""
    return keys.active(host.model_id, host.price_ugrad_per_gma, address)
