"""Every coin of a town explained: what everybody should have, from events and the contracts, by arithmetic of its own.

Accounts of validators, who share fees and slashes, are one purse here; everybody else is known to the ugrad.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from abci_app.app import App
from abci_app.runtime.context import Ctx
from abci_app.runtime.events import Event
from abci_app.wire.address import decode_address, module_address
from abci_app.wire.audit import statement_subject
from abci_app.wire.pb.gradus.models.v1.models_pb2 import InferencePolicy
from tests.sim.inference.answers import Answers
from tests.sim.inference.users import PPM, compute_fee, compute_judging

Fields = dict[str, str]


@dataclass
class Coins:
    """What should be where, ugrad. purses: of everybody but validators, by address. house: of all validators together,
    and of what they have not been paid yet.

    bonds: by (model, host). escrows: by request. deposits, challenges: by session. pools: of auditors, by model.
    right: of decided audits, by subject, how many were right.
    """

    answers: Answers
    purses: dict[str, int]
    house: int
    supply: int
    request_price: int
    bonds: dict[tuple[int, str], int] = field(default_factory=dict)
    escrows: dict[int, int] = field(default_factory=dict)
    deposits: dict[int, int] = field(default_factory=dict)
    challenges: dict[int, int] = field(default_factory=dict)
    pools: Counter[int] = field(default_factory=Counter)
    right: Counter[str] = field(default_factory=Counter)
    burnt: int = 0

    @property
    def app(self) -> App:
        """The application."""
        return self.answers.app

    def give(self, address: str, amount: int) -> None:
        """To somebody, or from somebody."""
        if address in self.purses:
            self.purses[address] += amount
        else:
            self.house += amount

    def burn(self, amount: int) -> None:
        """There are so many less."""
        self.burnt += amount

    def book(self, before: Ctx, after: Ctx, events: list[Event]) -> None:
        """What a block has moved. Raises AssertionError for what should not have been."""
        fields = [(event.type, dict(event.attributes)) for event in events]
        for kind, one in fields:
            if kind == "audits.audit_decided":
                self.right[one["subject"]] = int(one["right"])
        fees = list[tuple[int, str, tuple[int, ...]]]()
        for kind, one in fields:
            book = self.BOOKS.get(kind)
            if book is not None:
                book(self, after, one)
            fees += self._list_fees(before, after, kind, one)
        self._check_fees(fees, [one for kind, one in fields if kind == "rewards.fee_shared"])

    def _list_fees(self, before: Ctx, after: Ctx, kind: str,
                   one: Fields) -> Iterable[tuple[int, str, tuple[int, ...]]]:
        """(model, host, parts) of what was paid for."""
        if kind == "inference.seat_settled" and one["status"] == "paid":
            request = self.app.inference.get_request(before, int(one["request_id"]))
            policy = self.app.models.get_spec(before, request.model_id, request.spec_version).inference
            ask = int(one["ask_ugrad"])
            yield request.model_id, one["host"], split(policy, compute_fee(policy, ask), ask)
        elif kind == "sessions.session_settled" and int(one["paid_ugrad"]):
            session = self.app.sessions.get_session(after, int(one["session_id"]))
            policy = self.app.models.get_spec(after, session.model_id, session.spec_version).inference
            paid = int(one["paid_ugrad"])
            yield session.model_id, one["host"], split(policy, paid, paid * policy.hosts_ppm // PPM)

    def _check_fees(self, fees: list[tuple[int, str, tuple[int, ...]]], shared: list[Fields]) -> None:
        names = ("host_ugrad", "trainers_ugrad", "creator_ugrad", "owner_ugrad", "auditors_ugrad", "burnt_ugrad")
        told = [(int(one["model_id"]), one["host"], tuple(int(one[name]) for name in names)) for one in shared]
        assert sorted(fees) == sorted(told), f"fees were shared as {told}, not as {fees}"

    def _book_fee(self, after: Ctx, one: Fields) -> None:
        model = self.app.models.get_model(after, int(one["model_id"]))
        policy = model.spec.inference
        self.give(one["host"], int(one["host_ugrad"]))
        self.give(model.admin, int(one["creator_ugrad"]))
        if int(one["owner_ugrad"]):
            self.give(policy.data_owner, int(one["owner_ugrad"]))
        self.pools[model.id] += int(one["auditors_ugrad"])
        self.burn(int(one["burnt_ugrad"]))

    def _book_request(self, after: Ctx, one: Fields) -> None:
        policy = self.app.models.get_model(after, int(one["model_id"])).spec.inference
        judging = compute_judging(self.answers, after, int(one["work"]))
        burnt = self.request_price + -(-judging * policy.audit_ppm // PPM)
        self.escrows[int(one["request_id"])] = int(one["escrow_ugrad"])
        self.give(one["user"], -int(one["escrow_ugrad"]) - burnt)
        self.burn(burnt)

    def _book_end(self, after: Ctx, one: Fields) -> None:
        escrow, refund = self.escrows.pop(int(one["request_id"])), int(one["refund_ugrad"])
        assert escrow == refund + int(one.get("fee_ugrad", 0)), f"{escrow} were in escrow: {one}"
        self.give(one["user"], refund)

    def _book_bond(self, after: Ctx, one: Fields) -> None:
        place, bond = (int(one["model_id"]), one["host"]), int(one["bond_ugrad"])
        self.give(one["host"], self.bonds.get(place, 0) - bond)
        self.bonds[place] = bond

    def _book_left(self, after: Ctx, one: Fields) -> None:
        bond = self.bonds.pop((int(one["model_id"]), one["host"]))
        assert bond == int(one["returned_ugrad"]), f"{bond} was the bond: {one}"
        self.give(one["host"], bond)

    def _book_slash(self, after: Ctx, one: Fields) -> None:
        place, amount, burnt = (int(one["model_id"]), one["host"]), int(one["amount_ugrad"]), int(one["burnt_ugrad"])
        self.bonds[place] -= amount
        assert self.bonds[place] >= 0 and 0 <= burnt <= amount, one
        self.house += amount - burnt
        self.burn(burnt)

    def _book_auditor(self, after: Ctx, one: Fields) -> None:
        self.pools[int(one["model_id"])] -= int(one["amount_ugrad"])
        assert self.pools[int(one["model_id"])] >= 0, f"more than the pool was paid: {one}"
        self.house += int(one["amount_ugrad"])

    def _book_session(self, after: Ctx, one: Fields) -> None:
        self.deposits[int(one["session_id"])] = int(one["deposit_ugrad"])
        self.give(one["user"], -int(one["deposit_ugrad"]) - int(one["burnt_ugrad"]))
        self.burn(int(one["burnt_ugrad"]))

    def _book_top_up(self, after: Ctx, one: Fields) -> None:
        self.deposits[int(one["session_id"])] += int(one["added_ugrad"])
        self.give(one["user"], -int(one["added_ugrad"]) - int(one["burnt_ugrad"]))
        self.burn(int(one["burnt_ugrad"]))

    def _book_settled(self, after: Ctx, one: Fields) -> None:
        deposit, refund = self.deposits.pop(int(one["session_id"])), int(one["refund_ugrad"])
        assert deposit == refund + int(one["paid_ugrad"]), f"{deposit} was the deposit: {one}"
        self.give(one["user"], refund)

    def _book_challenge(self, after: Ctx, one: Fields) -> None:
        self.challenges[int(one["session_id"])] = int(one["bond_ugrad"])
        self.give(one["user"], -int(one["bond_ugrad"]))

    def _book_verdict(self, after: Ctx, one: Fields) -> None:
        """A challenge's bond goes back, or to the auditors who called the answer right."""
        bond = self.challenges.pop(int(one["session_id"]), 0)
        if one["verdict"] != "right":
            self.give(one["user"], bond)
            return
        session = self.app.sessions.get_session(after, int(one["session_id"]))
        subject = statement_subject(session.model_id, session.id, int(one["number"])).hex()
        count = self.right[subject]
        shared = bond // count * count if count else 0
        self.house += shared
        self.burn(bond - shared)

    def check(self, ctx: Ctx) -> None:
        """Raises AssertionError where anything is not where it should be."""
        balance = self.app.bank.balance
        for address in self.purses:
            held = balance(ctx, decode_address(address))
            assert held == self.purses[address], f"{address} has {held}, should have {self.purses[address]}"
        modules = {"inference": sum(self.bonds.values()) + sum(self.escrows.values()),
                   "sessions": sum(self.deposits.values()) + sum(self.challenges.values()),
                   "rewards": sum(self.pools.values())}
        for name in modules:
            held = balance(ctx, module_address(name))
            assert held == modules[name], f"the account of {name} has {held}, should have {modules[name]}"
        known = {decode_address(address) for address in self.purses} | {module_address(name) for name in modules} | {
            module_address("models")}
        house = sum(coin.amount for address, coin in self.app.bank.iter_balances(ctx) if address not in known)
        assert house == self.house, f"validators have {house} together, should have {self.house}"
        supply = self.app.bank.supply(ctx)
        assert supply == self.supply - self.burnt, f"there are {supply}, should be {self.supply} - {self.burnt}"

    BOOKS = {
        "rewards.fee_shared": _book_fee, "inference.request_opened": _book_request,
        "inference.request_answered": _book_end, "inference.request_failed": _book_end,
        "inference.host_registered": _book_bond, "inference.host_updated": _book_bond,
        "inference.host_left": _book_left, "inference.host_slashed": _book_slash,
        "rewards.answer_auditor_paid": _book_auditor, "sessions.session_opened": _book_session,
        "sessions.session_topped_up": _book_top_up, "sessions.session_settled": _book_settled,
        "sessions.answer_challenged": _book_challenge, "sessions.entry_audited": _book_verdict,
    }


def split(policy: InferencePolicy, fee: int, ask: int) -> tuple[int, ...]:
    """Parts of a fee of a model that nobody has trained yet: its trainers' part is the creator's."""
    trainers, creator, owner, auditors = (fee * ppm // PPM for ppm in (
        policy.trainers_ppm, policy.creator_ppm, policy.owner_ppm, policy.auditors_ppm))
    return ask, 0, creator + trainers, owner, auditors, fee - ask - trainers - creator - owner - auditors
