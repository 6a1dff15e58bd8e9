"""Whatever happens, every coin is accounted for: what is minted, burnt, backed, vesting, released and revoked."""

from hypothesis import given, settings
from hypothesis import strategies as st

from abci_app.wire.errors import InsufficientFunds
from abci_app.x.rewards import errors
from tests.unit.models.rooms import ALICE, ALICE_TEXT, BOB, BOB_TEXT, CAROL
from tests.unit.rewards.emitting import REWARDS, back, end_block, generous_spec, new_rooms, pay, unback

STEPS = st.lists(st.one_of(
    st.tuples(st.just("block"), st.integers(1, 4), st.just(0)),
    st.tuples(st.just("back"), st.integers(0, 5), st.integers(1, 2**41)),
    st.tuples(st.just("unback"), st.integers(0, 5), st.integers(1, 2**40)),
    st.tuples(st.just("open"), st.integers(0, 2), st.just(0)),
    st.tuples(st.just("pay"), st.integers(0, 2), st.integers(0, 4)),
    st.tuples(st.just("fee"), st.integers(0, 2), st.integers(0, 10**7)),
    st.tuples(st.just("revoke"), st.integers(0, 9), st.integers(0, 3)),
    st.tuples(st.just("release"), st.integers(0, 9), st.just(0)),
    st.tuples(st.just("close"), st.integers(0, 2), st.just(0))), max_size=40)


class Books:
    """Rooms, and what must come of them: every coin that is minted or burnt is known from outside."""

    def __init__(self, reward: int, halving: int) -> None:
        self.rooms = new_rooms(initial_block_reward_ugrad=reward, halving_blocks=halving)
        self.models = [self.rooms.create(generous_spec(round_reward_ugrad=10**5)) for _ in range(3)]
        self.supply = self.rooms.bank.supply(self.rooms.ctx)
        self.rounds = [0, 0, 0]
        self.vesting: list[tuple[int, int, list[int]]] = []
        self.scheduled = self.minted = 0

    def run(self, kind: str, which: int, amount: int) -> None:
        """One step; what the rooms refuse changes nothing."""
        getattr(self, f"_{kind}")(which, amount)
        self.check()

    def check(self) -> None:
        """No coin is lost or made up, and no more is minted than scheduled."""
        rooms = self.rooms
        assert rooms.broken() == []
        burnt = rooms.rewards.emission(rooms.ctx).revoked_ugrad + sum(
            ledger.forfeited_ugrad for ledger in rooms.rewards.iter_ledgers(rooms.ctx))
        emission = rooms.rewards.emission(rooms.ctx)
        minted = emission.stakers_ugrad + emission.work_ugrad + emission.community_ugrad
        assert minted <= self.scheduled == emission.scheduled_ugrad
        assert rooms.bank.supply(rooms.ctx) == self.supply + minted - burnt

    def _block(self, count: int, _: int) -> None:
        params = self.rooms.rewards.params(self.rooms.ctx)
        for _ in range(count):
            self.scheduled += params.initial_block_reward_ugrad >> self.rooms.ctx.height // params.halving_blocks
            end_block(self.rooms)

    def _back(self, which: int, amount: int) -> None:
        try:
            back(self.rooms, (ALICE_TEXT, BOB_TEXT)[which % 2], amount, self.models[which // 2].id)
        except (InsufficientFunds, errors.ModelRetired):
            pass

    def _unback(self, which: int, amount: int) -> None:
        try:
            unback(self.rooms, (ALICE_TEXT, BOB_TEXT)[which % 2], amount, self.models[which // 2].id)
        except errors.BackingTooSmall:
            pass

    def _open(self, which: int, _: int) -> None:
        self.rooms.rewards.open_round(self.rooms.ctx, self.models[which].id)

    def _pay(self, which: int, accepted: int) -> None:
        self.rounds[which] += 1
        trainers = [(ALICE, BOB, CAROL, bytes([7] * 20))[index] for index in range(accepted)]
        pay(self.rooms, self.models[which], self.rounds[which], trainers, dealt=4)
        if accepted:
            self.vesting.append((self.models[which].id, self.rounds[which], list(range(accepted))))

    def _fee(self, which: int, amount: int) -> None:
        self.rooms.rewards.pay_auditors(self.rooms.ctx, self.models[which].id, amount, [CAROL, BOB, CAROL])

    def _revoke(self, which: int, unit: int) -> None:
        if which < len(self.vesting) and unit in self.vesting[which][2]:
            model_id, number, units = self.vesting[which]
            self.rooms.rewards.revoke(self.rooms.ctx, model_id, number, unit)
            units.remove(unit)

    def _release(self, which: int, _: int) -> None:
        if which < len(self.vesting):
            model_id, number, units = self.vesting[which]
            self.rooms.rewards.release_round(self.rooms.ctx, model_id, number)
            units.clear()

    def _close(self, which: int, _: int) -> None:
        model = self.rooms.models.get_model(self.rooms.ctx, self.models[which].id)
        self.rooms.models.retire_model(self.rooms.ctx, model)


@settings(max_examples=60, deadline=None)
@given(reward=st.integers(0, 10**9), halving=st.integers(1, 40), steps=STEPS)
def test_money_is_conserved_whatever_happens(reward: int, halving: int, steps: list[tuple[str, int, int]]) -> None:
    books = Books(reward, halving)
    for step in steps:
        books.run(*step)
    for place in range(len(books.vesting)):
        books.run("release", place, 0)
    books.run("block", 4, 0)
    books.run("block", 4, 0)
    held = books.rooms.bank.balance(books.rooms.ctx, REWARDS)
    backed = books.rooms.rewards.emission(books.rooms.ctx).backing_ugrad
    assert held == backed, "all that vested is paid and all that was unbacked is back"
