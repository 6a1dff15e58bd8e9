"""Validators: misbehaviour is recorded once and costs all power for good; the engine can take every update."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from abci_app.genesis import EmptyState, check_genesis
from abci_app.runtime.context import Ctx
from abci_app.runtime.genesis import GenesisInvalid
from abci_app.runtime.validators import POWER_MAX, Founding, FoundingValidator, Misbehaviour, ValidatorUpdate
from abci_app.store.branch import Branch
from abci_app.wire.errors import NotFound
from abci_app.wire.pb.cosmos.base.query.v1beta1.pagination_pb2 import PageRequest
from abci_app.wire.pb.gradus.validators.v1 import query_pb2
from abci_app.wire.pb.gradus.validators.v1.validators_pb2 import (
    MISBEHAVIOUR_KIND_DUPLICATE_VOTE, MISBEHAVIOUR_KIND_LIGHT_CLIENT_ATTACK, Validator,
)
from abci_app.x.validators import keys
from abci_app.x.validators.keeper import Keeper
from abci_app.x.validators.module import new_module
from abci_app.x.validators.types import (
    FORGOTTEN_PER_BLOCK_MAX, RECORDS_PER_VALIDATOR_MAX, STORE, VALIDATORS_MAX, compute_address,
)
from tests.validator_set import EngineSet

PRICE: dict[str, Any] = {"auth": {"gas_price_ppm": "0"}}
PATH = "/gradus.validators.v1.Query/"
SECOND_NS = 1_000_000_000
KEYS = tuple(bytes([index]) * 32 for index in range(1, 6))
ADDRESSES = tuple(compute_address(key) for key in KEYS)


def founding(*powers: int, **changes: Any) -> Founding:
    """Validators 0.. with the powers; evidence counts for 10 blocks and 10 seconds."""
    named = tuple(FoundingValidator("ed25519", KEYS[index], power) for index, power in enumerate(powers))
    return replace(Founding(named, ("ed25519",), 10, 10 * SECOND_NS), **changes)


class Room:
    """The room alone over a state in memory; a block a second."""

    def __init__(self, start: Founding, app_state: dict[str, Any] | None = None) -> None:
        self.keeper = Keeper()
        self.module = new_module(self.keeper)
        self.routes = {route.path.removeprefix(PATH): route for route in self.module.queries}
        state = Branch(EmptyState())  # type: ignore[arg-type]
        self.ctx = Ctx("test-1", 0, 0, b"", bytes(32), b"", state)
        self.module.init_genesis(self.ctx, app_state or {})
        assert self.module.init_validators is not None
        self.module.init_validators(self.ctx, start)
        self.engine = EngineSet({one.pub_key: one.power for one in start.validators})

    def block(self, *entries: Misbehaviour, height: int = 0) -> tuple[ValidatorUpdate, ...]:
        """The next block, or a later one; its updates are given to the engine's set, which must take them."""
        height = height or self.ctx.height + 1
        self.ctx = replace(self.ctx, height=height, time_ns=height * SECOND_NS, misbehaviour=entries, events=[])
        assert self.module.begin_block is not None and self.module.validator_updates is not None
        self.module.begin_block(self.ctx)
        updates = self.module.validator_updates(self.ctx)
        self.engine.apply(updates)
        assert self.broken() == []
        assert {one.pub_key: one.power for one in self.keeper.iter_validators(self.ctx) if one.power} \
            == self.engine.powers
        return updates

    def broken(self) -> list[str]:
        """What the invariants say."""
        return [said for said in (one.check(self.ctx) for one in self.module.invariants) if said is not None]

    def events(self) -> list[str]:
        """The last block's events, with the reason of an ignored entry."""
        return [event.type.removeprefix("validators.") + "".join(
            f" {value}" for key, value in event.attributes if key == "reason") for event in self.ctx.events]

    def power(self, index: int) -> int:
        """Of a validator."""
        found = self.keeper.find_validator(self.ctx, ADDRESSES[index])
        assert found is not None
        return found.power

    def query(self, name: str, request: Any) -> Any:
        """The answer to a query."""
        return self.routes[name].run(self.ctx, request)


def entry(index: int, height: int = 1, kind: int = MISBEHAVIOUR_KIND_DUPLICATE_VOTE, **changes: Any) -> Misbehaviour:
    """A misbehaviour of validator `index` at a height."""
    return replace(Misbehaviour(kind, ADDRESSES[index], height, height * SECOND_NS, 10, 40), **changes)


def test_misbehaviour_is_recorded_and_takes_all_power_for_good() -> None:
    """I32: evidence is an input of the block; I29: its answer removes a member."""
    room = Room(founding(10, 10, 10))
    room.block()
    assert room.block(entry(1)) == (ValidatorUpdate(KEYS[1], 0),)
    assert room.events() == ["misbehaviour_recorded", "validator_removed"]
    assert room.keeper.find_validator(room.ctx, ADDRESSES[1]) == Validator(
        consensus_address=ADDRESSES[1], pub_key=KEYS[1], removed_height=2, misbehaviours=1)
    record = room.keeper.find_misbehaviour(room.ctx, 1, ADDRESSES[1], 1)
    assert record is not None
    assert (record.power, record.total_power, record.recorded_height, record.time_ns) == (10, 40, 2, SECOND_NS)
    assert room.block() == ()
    assert [room.power(index) for index in range(3)] == [10, 0, 10]


def test_same_misbehaviour_counts_once_within_a_block_and_across_blocks() -> None:
    """I32: the same misbehaviour only once."""
    room = Room(founding(10, 10, 10))
    assert room.block(entry(0), entry(0)) == (ValidatorUpdate(KEYS[0], 0),)
    assert room.events() == ["misbehaviour_recorded", "validator_removed", "misbehaviour_ignored recorded_before"]
    assert room.block(entry(0)) == ()
    assert room.events() == ["misbehaviour_ignored recorded_before"]


def test_one_evidence_with_several_entries_removes_each_once_in_the_order_of_addresses() -> None:
    """I32: an attack on light clients names several validators. I29: no duplicates."""
    room = Room(founding(10, 10, 10, 10))
    kind = MISBEHAVIOUR_KIND_LIGHT_CLIENT_ATTACK
    updates = room.block(entry(2, kind=kind), entry(0, kind=kind), entry(1, kind=kind), entry(1))
    assert updates == tuple(sorted((ValidatorUpdate(KEYS[index], 0) for index in (0, 1, 2)),
                                   key=lambda update: compute_address(update.pub_key)))


def test_validator_that_has_left_the_set_is_recorded_and_not_removed_again() -> None:
    """I32: the validator may have left the set. I29: removal only of members."""
    room = Room(founding(10, 10, 10))
    room.block(entry(0))
    assert room.block(entry(0, kind=MISBEHAVIOUR_KIND_LIGHT_CLIENT_ATTACK), entry(0, height=2)) == ()
    assert room.events() == ["misbehaviour_recorded", "misbehaviour_recorded"]
    found = room.keeper.find_validator(room.ctx, ADDRESSES[0])
    assert found is not None and (found.removed_height, found.misbehaviours) == (1, 3)


def test_last_validator_with_power_keeps_it() -> None:
    """I29: never an empty set."""
    room = Room(founding(10, 20, 30))
    assert len(room.block(entry(0), entry(1), entry(2))) == 2
    assert room.events()[-2:] == ["misbehaviour_recorded", "last_validator_kept"]
    assert [room.power(index) for index in range(3)] == [0, 0, 30]
    assert room.block(entry(2, height=2)) == ()
    assert room.engine.powers == {KEYS[2]: 30}


@pytest.mark.parametrize(("bad", "reason"), [
    (entry(0, address=bytes(20)), "unknown_validator"),
    (entry(0, address=b""), "malformed"),
    (entry(0, address=bytes(1000)), "malformed"),
    (entry(0, kind=0), "malformed"),
    (entry(0, kind=3), "malformed"),
    (entry(0, kind=-1), "malformed"),
    (entry(0, height=0), "malformed"),
    (entry(0, height=-5), "malformed"),
    (entry(0, height=2), "malformed"),
    (entry(0, time_ns=-1), "malformed"),
    (entry(0, power=-1), "malformed"),
    (entry(0, total_power=2**64), "malformed"),
])
def test_entry_that_means_nothing_is_ignored_with_a_reason(bad: Misbehaviour, reason: str) -> None:
    """I32: whatever stands in the entry, no node stops."""
    room = Room(founding(10, 10))
    before = room.ctx.state.changes()
    assert room.block(bad) == ()
    assert room.events() == [f"misbehaviour_ignored {reason}"]
    assert room.ctx.state.changes() == before


def test_record_is_kept_as_long_as_evidence_counts_in_blocks_or_in_time_and_then_forgotten() -> None:
    """I32: expiry needs both ages exceeded."""
    long_lived = Room(founding(10, 10, evidence_blocks=2, evidence_ns=10 * SECOND_NS))
    long_lived.block(entry(0))
    for height in range(2, 15):
        long_lived.block()
        kept = list(long_lived.keeper.iter_misbehaviours(long_lived.ctx))
        assert len(kept) == (1 if height - 1 <= 10 else 0)
    found = long_lived.keeper.find_validator(long_lived.ctx, ADDRESSES[0])
    assert found is not None and (found.power, found.misbehaviours) == (0, 0)


def test_evidence_of_the_last_block_that_takes_it_is_still_known() -> None:
    """I32: the engine checks the age at the block before; at most one block later the record is gone."""
    room = Room(founding(10, 10))
    room.block(entry(0))
    room.block(height=11)
    assert room.block(entry(0), height=12) == ()
    assert room.events() == ["misbehaviour_ignored recorded_before"]
    assert list(room.keeper.iter_misbehaviours(room.ctx)) == []


def test_records_of_one_validator_are_bounded() -> None:
    room = Room(founding(10, 10))
    room.block(height=50)
    room.block(*(entry(0, height) for height in range(50 - RECORDS_PER_VALIDATOR_MAX, 52)))
    assert len(list(room.keeper.iter_misbehaviours(room.ctx))) == 9  # the others were older than evidence counts
    assert room.events().count("misbehaviour_ignored too_many") == 2


def test_forgetting_is_bounded_in_a_block() -> None:
    heights, kinds = range(1, 8), (1, 2)
    room = Room(founding(*[10] * 5))
    room.block(*(entry(index, height, kind) for index in range(5) for height in heights for kind in kinds), height=8)
    records = 5 * len(heights) * len(kinds)
    assert FORGOTTEN_PER_BLOCK_MAX < records < 2 * FORGOTTEN_PER_BLOCK_MAX
    left = []
    for height in (100, 101):
        room.block(height=height)
        left.append([one.height for one in room.keeper.iter_misbehaviours(room.ctx)])
    assert left == [[7] * (records - FORGOTTEN_PER_BLOCK_MAX), []]


@settings(max_examples=150, deadline=None)
@given(powers=st.lists(st.integers(1, 100), min_size=1, max_size=5),
       blocks=st.lists(st.lists(st.tuples(st.integers(0, 4), st.integers(1, 3), st.integers(0, 14)), max_size=6),
                       max_size=20))
def test_engine_can_take_every_update_whatever_is_proved(powers: list[int],
                                                         blocks: list[list[tuple[int, int, int]]]) -> None:
    """I29: no duplicates, removals of members only, never an empty set; the state's set is the engine's."""
    room = Room(founding(*powers))
    for proved in blocks:
        entries = [entry(index, max(1, room.ctx.height + 1 - age), kind) for index, kind, age in proved]
        room.block(*entries)
    assert sum(room.engine.powers.values()) > 0


def test_queries_tell_validators_and_misbehaviour_by_pages() -> None:
    room = Room(founding(10, 10, 10))
    room.block(entry(0), entry(0, kind=2), entry(1))
    listed = room.query("Validators", query_pb2.QueryValidatorsRequest()).validators
    assert [one.consensus_address for one in listed] == sorted(ADDRESSES[:3])
    page = room.query("Misbehaviour", query_pb2.QueryMisbehaviourRequest(pagination=PageRequest(limit=2)))
    rest = room.query("Misbehaviour", query_pb2.QueryMisbehaviourRequest(
        pagination=PageRequest(key=page.pagination.next_key)))
    assert len(page.misbehaviours) == 2 and len(rest.misbehaviours) == 1
    one = room.query("Validator", query_pb2.QueryValidatorRequest(consensus_address=ADDRESSES[1]))
    assert one.validator.removed_height == 1


@pytest.mark.parametrize("address", [b"", bytes(20), bytes(2000)])
def test_stranger_is_not_found(address: bytes) -> None:
    with pytest.raises(NotFound):
        Room(founding(10)).query("Validator", query_pb2.QueryValidatorRequest(consensus_address=address))


@pytest.mark.parametrize(("start", "path", "words"), [
    (founding(10, validators=(FoundingValidator("secp256k1", bytes(33), 10),)), "validators[0].pub_key", "secp256k1"),
    (founding(10, validators=(FoundingValidator("ed25519", bytes(31), 10),)), "validators[0].pub_key", "31 bytes"),
    (founding(10, validators=(FoundingValidator("", b"", 10),)), "validators[0].pub_key", "0 bytes"),
    (founding(10, key_types=("secp256k1",)), "consensus_params.validator.pub_key_types", "not among"),
    (founding(10, key_types=()), "consensus_params.validator.pub_key_types", "not among"),
    (founding(10, 0), "validators[1].power", "0"),
    (founding(10, -1), "validators[1].power", "-1"),
    (founding(POWER_MAX, 1), "validators", str(POWER_MAX + 1)),
    (founding(10, validators=(FoundingValidator("ed25519", KEYS[0], 1),) * 2), "validators[1]", "twice"),
    (founding(10, validators=(FoundingValidator("ed25519", KEYS[0], 1),) * (VALIDATORS_MAX + 1)), "validators",
     "10001"),
    (founding(10, evidence_blocks=-1), "consensus_params.evidence", "below 0"),
])
def test_set_that_the_engine_cannot_keep_is_refused_at_genesis(start: Founding, path: str, words: str) -> None:
    """I29: powers, keys and duplicates of the genesis' own set."""
    with pytest.raises(GenesisInvalid) as caught:
        Room(start)
    assert caught.value.path == path and words in caught.value.problem and caught.value.hint


def test_largest_total_power_is_taken() -> None:
    """I29: MaxInt64 / 8 is the most."""
    assert Room(founding(POWER_MAX - 1, 1)).broken() == []


def test_exported_state_goes_on_with_the_removed_and_the_records() -> None:
    room = Room(founding(10, 20, 30))
    room.block(entry(0))
    room.block(entry(0, height=2))
    exported = room.module.export_genesis(room.ctx)
    check_genesis("test-1", {**PRICE, "validators": exported}, founding=founding(
        1, validators=tuple(FoundingValidator("ed25519", KEYS[index], 20) for index in (1, 2))))
    again = Room(founding(1, validators=tuple(FoundingValidator("ed25519", KEYS[index], 10 * index + 10)
                                              for index in (1, 2))), exported)
    assert again.module.export_genesis(again.ctx) == exported
    assert again.broken() == []
    assert again.ctx.state.changes() == room.ctx.state.changes()


def test_record_of_one_that_kept_its_power_is_counted_after_an_export() -> None:
    room = Room(founding(10))
    room.block(entry(0))
    exported = room.module.export_genesis(room.ctx)
    again = Room(founding(10), exported)
    assert again.broken() == []
    assert again.ctx.state.changes() == room.ctx.state.changes()


def test_removed_validator_may_not_come_back_by_a_new_genesis() -> None:
    room = Room(founding(10, 10))
    room.block(entry(0))
    with pytest.raises(GenesisInvalid, match=r"validators\[0\]: was removed for misbehaviour"):
        Room(founding(10, 10), room.module.export_genesis(room.ctx))


@pytest.mark.parametrize(("change", "path"), [
    (lambda state: state["removed"].append(state["removed"][0]), "app_state.validators.removed[1].consensus_address"),
    (lambda state: state["removed"][0].update(power="1"), "app_state.validators.removed[0]"),
    (lambda state: state["removed"][0].pop("removed_height"), "app_state.validators.removed[0]"),
    (lambda state: state["removed"][0].update(pub_key="00"), "app_state.validators.removed[0].consensus_address"),
    (lambda state: state["misbehaviours"].append(state["misbehaviours"][0]), "app_state.validators.misbehaviours[1]"),
    (lambda state: state["misbehaviours"][0].pop("kind"), "app_state.validators.misbehaviours[0]"),
    (lambda state: state["misbehaviours"][0].update(consensus_address="00"),
     "app_state.validators.misbehaviours[0]"),
    (lambda state: state.update(other=[]), "app_state.validators.other"),
    (lambda state: state["removed"][0].update(misbehaviours="7"), "app_state"),
    (lambda state: state.update(removed=[]), "app_state"),
])
def test_document_that_contradicts_itself_is_named(change: Any, path: str) -> None:
    room = Room(founding(10, 10))
    room.block(entry(0))
    state = room.module.export_genesis(room.ctx)
    change(state)
    rest = founding(1, validators=(FoundingValidator("ed25519", KEYS[1], 10),))
    with pytest.raises(GenesisInvalid) as caught:
        check_genesis("test-1", {**PRICE, "validators": state}, founding=rest)
    assert caught.value.path == path


@pytest.mark.parametrize("spoil", [
    lambda one: setattr(one, "power", 0), lambda one: setattr(one, "removed_height", 3),
    lambda one: setattr(one, "power", POWER_MAX + 1), lambda one: setattr(one, "pub_key", KEYS[4]),
    lambda one: setattr(one, "misbehaviours", 1)])
def test_broken_record_is_noticed_by_an_invariant(spoil: Any) -> None:
    room = Room(founding(10, 10))
    validator = next(room.keeper.iter_validators(room.ctx))
    spoil(validator)
    room.keeper.put_validator(room.ctx, validator)
    assert len(room.broken()) == 1


def test_set_without_power_is_noticed_by_an_invariant() -> None:
    room = Room(founding(10))
    validator = next(room.keeper.iter_validators(room.ctx))
    validator.power, validator.removed_height = 0, 1
    room.keeper.put_validator(room.ctx, validator)
    assert room.broken() == ["no validator has power"]


def test_record_of_a_stranger_is_noticed_by_an_invariant() -> None:
    room = Room(founding(10, 10))
    room.block(entry(0))
    room.ctx.state.store(STORE).delete(keys.validator(ADDRESSES[0]))
    assert "who are no validators" in room.broken()[0]
