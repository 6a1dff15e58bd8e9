"""The light client on chains of tests' own keys: skipping, bisection, expiry, clocks, witnesses, bounds."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from abci_app.client.light.blocks import COMMIT, NS, POWER_MAX, LightBlock
from abci_app.client.light.client import BACKWARD_MAX, Budget, LightClient, Trust
from abci_app.client.light.errors import (
    Diverged, Expired, HeightMissing, HeightTooHigh, LightError, Malformed, NotSigned, NotTrusted,
)
from abci_app.client.light.verify import Rules, check_light_block, verify_backward, verify_forward
from tests.light_chain import (
    CHAIN_ID, START_NS, FakeSource, new_blocks, new_header, new_set, now_after, sign,
)

FOUR = {1: 10, 2: 10, 3: 10, 4: 10}
STEADY = new_blocks([FOUR] * 40)
PERIOD_NS = Rules().trusting_period_ns


def moving(count: int, step: int) -> list[dict[int, int]]:
    """Sets of four in which the oldest validator makes room for a new one every `step` blocks."""
    return [{seed: 10 for seed in range(height // step, height // step + 4)} for height in range(count)]


def new_client(blocks: list[LightBlock], *witnesses: FakeSource, primary: FakeSource | None = None,
               **fields: Any) -> tuple[LightClient, FakeSource]:
    source = primary or FakeSource(blocks)
    return LightClient(CHAIN_ID, source, witnesses, clock=fields.pop("clock", now_after(blocks)),
                       sleep=lambda seconds: None, **fields), source


def trust_of(block: LightBlock) -> Trust:
    return Trust(block, True, block)


def test_steady_validators_are_skipped_over_in_one_step() -> None:
    client, source = new_client(STEADY)
    block, trust = client.verify(client.begin(1, STEADY[0].hash), 40)
    assert block == STEADY[39] and source.asked == [1, 40]
    assert trust == Trust(STEADY[0], True, STEADY[39])


def test_block_that_is_trusted_already_is_not_fetched_again() -> None:
    client, source = new_client(STEADY)
    assert client.verify(Trust(STEADY[0], True, STEADY[20]), 21)[0] == STEADY[20]
    assert client.verify(Trust(STEADY[0], True, STEADY[20]), 1)[0] == STEADY[0]
    assert source.asked == []


def test_changing_validators_are_bisected_and_few_blocks_are_fetched() -> None:
    blocks = new_blocks(moving(129, 16))
    client, source = new_client(blocks)
    assert client.verify(trust_of(blocks[0]), 129)[0] == blocks[128]
    assert source.asked[0] == 129 and len(source.asked) <= 8
    assert len(source.asked) == len(dict.fromkeys(source.asked)) == client.fetched


def test_set_that_is_replaced_at_once_is_crossed_by_the_two_blocks_beside_the_change() -> None:
    blocks = new_blocks([FOUR] * 20 + [{5: 7, 6: 7}] * 20)
    client, source = new_client(blocks)
    assert client.verify(trust_of(blocks[0]), 40)[0] == blocks[39]
    assert {20, 21} <= {*source.asked} and len(source.asked) <= 8


@settings(max_examples=25)
@given(st.integers(1, 6), st.integers(2, 60), st.data())
def test_every_block_is_reached_from_every_other_whatever_changes(step: int, count: int, data: st.DataObject) -> None:
    blocks = new_blocks(moving(count, step))
    start = data.draw(st.integers(1, count))
    wanted = data.draw(st.integers(1, count))
    client, source = new_client(blocks)
    assert client.verify(trust_of(blocks[start - 1]), wanted)[0] == blocks[wanted - 1]
    assert len(source.asked) <= count


def test_earlier_block_is_reached_by_the_chain_of_hashes_even_when_trust_has_expired() -> None:
    client, source = new_client(STEADY, clock=lambda: START_NS + 2 * PERIOD_NS)
    block, trust = client.verify(trust_of(STEADY[30]), 25)
    assert block == STEADY[24] and trust.latest == STEADY[30]
    assert source.asked == [30, 29, 28, 27, 26, 25]


def test_block_far_before_the_newest_is_verified_from_the_root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("abci_app.client.light.client.BACKWARD_MAX", 5)
    client, source = new_client(STEADY)
    assert client.verify(Trust(STEADY[0], True, STEADY[39]), 10)[0] == STEADY[9]
    assert source.asked == [10]
    with pytest.raises(LightError, match="before the trusted"):
        client.verify(trust_of(STEADY[39]), 10)
    assert BACKWARD_MAX == 1_000


def test_earlier_block_that_is_not_the_predecessor_is_refused() -> None:
    fork = new_blocks([FOUR] * 10, STEADY[19], app_hash=b"\xbb" * 32)
    client, _ = new_client(STEADY, primary=FakeSource([*STEADY[:20], *fork]))
    with pytest.raises(LightError, match="predecessor"):
        client.verify(trust_of(STEADY[30]), 25)


def test_predecessor_that_is_not_earlier_is_refused_though_its_hash_is_named() -> None:
    for later_ns, is_earlier in ((-1, True), (0, False), (1, False)):
        first = resigned(time_ns=STEADY[11].header.time_ns + later_ns)
        second = sign(replace(STEADY[11].header, last_block_id=first.commit.block_id), new_set(FOUR), FOUR)
        if is_earlier:
            verify_backward(second, first)
            continue
        with pytest.raises(LightError, match="not earlier"):
            verify_backward(second, first)


def test_trusted_hash_must_be_that_of_the_block() -> None:
    client, _ = new_client(STEADY)
    with pytest.raises(LightError, match="has the hash"):
        client.begin(1, bytes(32))


def test_first_use_takes_the_nodes_block_and_says_so() -> None:
    client, _ = new_client(STEADY)
    assert client.begin(5, None) == Trust(STEADY[4], False, STEADY[4])


@pytest.mark.parametrize("is_given", [False, True])
def test_root_must_be_signed_by_its_own_validators_and_of_the_chain(is_given: bool) -> None:
    lonely = sign(STEADY[0].header, new_set(FOUR), FOUR, absent=[1, 2])
    stranger = sign(replace(STEADY[0].header, chain_id="other"), new_set(FOUR), FOUR)
    for block, kind in ((lonely, NotSigned), (stranger, Malformed)):
        client, _ = new_client([block])
        with pytest.raises(kind):
            client.begin(1, block.hash if is_given else None)


@pytest.mark.parametrize("late_ns", [0, 1])
def test_trust_expires_to_the_nanosecond_and_the_error_names_the_way_out(late_ns: int) -> None:
    at_ns = STEADY[0].header.time_ns + PERIOD_NS
    client, _ = new_client(STEADY, clock=lambda: at_ns + late_ns)
    for call in (lambda: client.begin(1, STEADY[0].hash), lambda: client.verify(trust_of(STEADY[0]), 40)):
        with pytest.raises(Expired) as caught:
            call()
        assert "--trust-hash" in caught.value.hint and "168 hours" in caught.value.text
    client.clock = lambda: at_ns - 1
    client.verify(trust_of(STEADY[0]), 40)


def test_block_from_the_future_is_refused_beyond_the_drift() -> None:
    ahead_ns = STEADY[39].header.time_ns - 10 * NS
    client, _ = new_client(STEADY, clock=lambda: ahead_ns)
    with pytest.raises(LightError, match="still to come"):
        client.verify(trust_of(STEADY[0]), 40)
    client.clock = lambda: ahead_ns + 1
    assert client.verify(trust_of(STEADY[0]), 40)[0] == STEADY[39]


def test_new_root_from_the_future_is_refused() -> None:
    client, _ = new_client(STEADY, clock=lambda: START_NS - 60 * NS)
    with pytest.raises(LightError, match="still to come"):
        client.begin(1, None)


def altered(change: Callable[[LightBlock], LightBlock]) -> LightBlock:
    return change(STEADY[10])


def resigned(**fields: Any) -> LightBlock:
    """Block 11 with other header fields, properly signed by its validators."""
    return sign(replace(STEADY[10].header, **fields), new_set(FOUR), FOUR)


@pytest.mark.parametrize("block, said", [
    (resigned(time_ns=STEADY[9].header.time_ns), "not later"),
    (resigned(height=10), "does not come after"),
    (resigned(validators_hash=new_set({9: 1}).hash), "other validators|not those"),
], ids=["time", "height", "validators"])
def test_block_signed_by_all_that_breaks_a_rule_is_refused(block: LightBlock, said: str) -> None:
    with pytest.raises(LightError, match=said):
        verify_forward(STEADY[9], block, Rules(), block.header.time_ns)
        check_light_block(block, CHAIN_ID)


def test_next_block_must_have_the_validators_that_were_named_however_many_sign() -> None:
    more = {**FOUR, 5: 10}
    header = new_header(11, STEADY[10].header.time_ns, STEADY[9].commit.block_id, new_set(more), new_set(more))
    block = sign(header, new_set(more), more)
    with pytest.raises(LightError, match="other validators"):
        verify_forward(STEADY[9], block, Rules(), header.time_ns)
    verify_forward(STEADY[8], block, Rules(), header.time_ns)


def parts(block: LightBlock, **commit: Any) -> LightBlock:
    return replace(block, commit=replace(block.commit, **commit))


@pytest.mark.parametrize("change, said", [
    (lambda block: parts(block, height=12), "commit is for height 12"),
    (lambda block: parts(block, block_id=replace(block.commit.block_id, hash=bytes(32))), "another header"),
    (lambda block: parts(block, block_id=replace(block.commit.block_id, parts_total=2)), "signature 0 .* wrong"),
    (lambda block: parts(block, round=1), "signature 0 .* wrong"),
    (lambda block: parts(block, signatures=block.commit.signatures[:3]), "not one signature for each"),
    (lambda block: parts(block, signatures=block.commit.signatures[::-1]), "whose turn"),
    (lambda block: replace(block, validators=new_set({**FOUR, 4: 11})), "not those"),
    (lambda block: replace(block, header=replace(block.header, chain_id="other")), "of chain 'other'"),
])
def test_parts_that_do_not_fit_each_other_are_refused(change: Callable[[LightBlock], LightBlock], said: str) -> None:
    with pytest.raises((Malformed, NotSigned), match=said):
        check_light_block(altered(change), CHAIN_ID, 11)


def test_block_of_another_height_than_was_asked_is_refused() -> None:
    with pytest.raises(Malformed, match="of height 11, not 12"):
        check_light_block(STEADY[10], CHAIN_ID, 12)


@pytest.mark.parametrize("powers, away, is_enough", [
    ({1: 1, 2: 1, 3: 1}, [1], False), ({1: 34, 2: 33, 3: 33}, [2], True), ({1: 34, 2: 33, 3: 33}, [1], False),
    ({1: 2, 2: 1}, [2], False), ({1: POWER_MAX // 3 * 2 + 2, 2: POWER_MAX // 3 - 2}, [2], True)])
@pytest.mark.parametrize("how", ["nil", "absent"])
def test_more_than_two_thirds_must_sign_for_the_block(powers: dict[int, int], away: list[int], is_enough: bool,
                                                      how: str) -> None:
    block = new_blocks([powers], **{how: away})[0]  # type: ignore[arg-type]
    if is_enough:
        check_light_block(block, CHAIN_ID, 1)
        return
    with pytest.raises(NotSigned, match="two thirds"):
        check_light_block(block, CHAIN_ID, 1)


@pytest.mark.parametrize("old, new, is_vouched", [
    ({1: 1, 2: 2}, {1: 1, 3: 9}, False), ({1: 2, 2: 3}, {1: 2, 3: 9}, True), ({1: 1, 2: 1, 3: 1}, {3: 1, 4: 3}, False)])
def test_more_than_a_third_of_the_trusted_power_must_vouch(old: dict[int, int], new: dict[int, int],
                                                           is_vouched: bool) -> None:
    blocks = new_blocks([old, old, new])
    if is_vouched:
        verify_forward(blocks[0], blocks[2], Rules(), blocks[2].header.time_ns)
        return
    with pytest.raises(NotTrusted):
        verify_forward(blocks[0], blocks[2], Rules(), blocks[2].header.time_ns)


def test_trusted_validator_who_voted_for_no_block_does_not_vouch_for_it() -> None:
    old, new = {1: 1, 2: 2}, {2: 2, 4: 9}
    verify_forward(new_blocks([old])[0], new_blocks([old, old, new])[2], Rules(), START_NS + 3 * NS)
    with pytest.raises(NotTrusted, match="0 of the 3 power"):
        verify_forward(new_blocks([old])[0], new_blocks([old, old, new], nil=[2])[2], Rules(), START_NS + 3 * NS)


@pytest.mark.parametrize("step", [1, 2])
def test_later_block_that_a_third_vouches_for_must_have_two_thirds_of_its_own_set(step: int) -> None:
    """Else the third of the trusted set that may be faulty could make up a block alone."""
    blocks = new_blocks([{1: 1, 2: 1}] * 3)
    lonely = sign(blocks[step].header, new_set({1: 1, 2: 1}), {1: 1, 2: 1}, absent=[2])
    with pytest.raises(NotSigned, match="1 of 2 power"):
        verify_forward(blocks[0], lonely, Rules(), START_NS + 3 * NS)
    client, _ = new_client([*blocks[:step], lonely])
    with pytest.raises(NotSigned):
        client.verify(trust_of(blocks[0]), step + 1)


def test_trust_level_is_a_fraction_from_a_third_to_the_whole() -> None:
    for numerator, denominator in ((1, 4), (4, 3), (1, 0), (0, 1), (-1, -3)):
        with pytest.raises(ValueError, match="trust level"):
            Rules(trust_numerator=numerator, trust_denominator=denominator)
    with pytest.raises(ValueError, match="period"):
        Rules(trusting_period_ns=0)


def test_one_vote_does_not_count_twice() -> None:
    powers = {1: 1, 2: 1, 3: 1, 4: 1}
    blocks = new_blocks([powers] * 3)
    votes = blocks[2].commit.signatures
    double = parts(blocks[2], signatures=(votes[0], votes[0], votes[0], votes[0]))
    with pytest.raises(NotSigned, match="twice"):
        verify_forward(blocks[0], double, Rules(), double.header.time_ns)


def test_vote_for_no_block_is_checked_and_does_not_count() -> None:
    block = new_blocks([FOUR], nil=[4])[0]
    check_light_block(block, CHAIN_ID, 1)
    as_commit = tuple(replace(vote, flag=COMMIT) for vote in block.commit.signatures)
    with pytest.raises(NotSigned, match="is wrong"):
        check_light_block(parts(block, signatures=as_commit), CHAIN_ID, 1)


def branch(at: int, seeds: dict[int, int] = FOUR) -> list[LightBlock]:
    """The chain with other blocks after a height, signed by these validators."""
    return [*STEADY[:at], *new_blocks([seeds] * (40 - at), STEADY[at - 1], app_hash=b"\xbb" * 32)]


def test_witnesses_that_agree_are_named() -> None:
    others = [FakeSource(STEADY, "fake:w1"), FakeSource(STEADY, "fake:w2")]
    client, _ = new_client(STEADY, *others)
    client.verify(client.begin(1, None), 40)
    assert client.agreed == ["fake:w1", "fake:w2"] and client.notes == []
    assert [other.asked for other in others] == [[1, 40]] * 2


def test_two_signed_chains_are_an_attack_with_both_nodes_the_height_and_the_evidence() -> None:
    client, _ = new_client(STEADY, FakeSource(branch(20), "fake:w1"))
    with pytest.raises(Diverged) as caught:
        client.verify(trust_of(STEADY[0]), 40)
    error = caught.value
    assert "fake:primary" in error.text and "fake:w1" in error.text and "height 40" in error.text
    assert "attack" in error.text and error.exit_status == 4
    assert error.evidence["both_verify"] and error.evidence["height"] == 40
    assert error.evidence["primary"]["hash"] == STEADY[39].hash.hex().upper()
    assert error.evidence["common"]["signed_header"]["header"]["height"] == "1"


def test_parting_is_told_at_the_first_block_of_the_way_that_differs() -> None:
    blocks = new_blocks(moving(65, 8))
    fork = [*blocks[:30], *new_blocks([moving(65, 8)[30]] * 35, blocks[29], app_hash=b"\xbb" * 32)]
    client, _ = new_client(blocks, FakeSource(fork, "fake:w1"))
    with pytest.raises(Diverged) as caught:
        client.verify(trust_of(blocks[0]), 65)
    common = int(caught.value.evidence["common"]["signed_header"]["header"]["height"])
    assert common <= 30 < caught.value.evidence["height"] <= 65


def test_witness_whose_chain_does_not_follow_is_told_as_such() -> None:
    client, _ = new_client(STEADY, FakeSource(new_blocks([{8: 1}] * 40), "fake:w1"))
    with pytest.raises(Diverged, match="does not follow") as caught:
        client.verify(trust_of(STEADY[0]), 40)
    assert not caught.value.evidence["both_verify"] and caught.value.evidence["common"] is None


def test_first_block_is_compared_with_the_witnesses_too() -> None:
    client, _ = new_client(STEADY, FakeSource(new_blocks([{8: 1}] * 40), "fake:w1"))
    with pytest.raises(Diverged):
        client.begin(1, None)


def test_witness_that_lags_is_waited_for() -> None:
    witness = FakeSource(STEADY, "fake:w1", lag=3)
    client, _ = new_client(STEADY, witness)
    client.verify(trust_of(STEADY[0]), 40)
    assert client.agreed == ["fake:w1"] and witness.asked == [40] * 4


def test_witness_that_stays_behind_confirms_nothing() -> None:
    client, _ = new_client(STEADY, FakeSource(STEADY[:30], "fake:w1"))
    with pytest.raises(LightError, match="no other node confirms block 40: fake:w1") as caught:
        client.verify(trust_of(STEADY[0]), 40)
    assert "--witness" in caught.value.hint


def test_one_confirming_witness_is_enough_and_the_silent_one_is_told() -> None:
    client, _ = new_client(STEADY, FakeSource(STEADY, "fake:w1", is_down=True), FakeSource(STEADY, "fake:w2"))
    client.verify(trust_of(STEADY[0]), 40)
    assert client.agreed == ["fake:w2"] and "fake:w1 did not confirm it" in client.notes[0]


def test_primary_that_is_ahead_in_height_and_behind_in_time_is_an_attack() -> None:
    """Blocks made up in advance, which no one else will ever have: a witness that is behind is no excuse for them."""
    client, _ = new_client(STEADY, FakeSource(STEADY[:30], "fake:w1"))
    fast = [replace(block, header=replace(block.header, time_ns=START_NS + block.height)) for block in STEADY]
    signed = [sign(block.header, new_set(FOUR), FOUR) for block in fast]
    client.primary = FakeSource(signed)
    with pytest.raises(Diverged, match="has come to block 30 only"):
        client.verify(trust_of(signed[0]), 40)


def test_block_that_a_node_does_not_have_yet_is_waited_for_and_then_given_up() -> None:
    client, source = new_client(STEADY)
    with pytest.raises(HeightTooHigh) as caught:
        client.verify(trust_of(STEADY[0]), 41)
    assert "gradus light reset" in caught.value.hint and len(source.asked) == 81


def test_block_that_a_node_has_pruned_is_told() -> None:
    client, _ = new_client(STEADY, primary=FakeSource(STEADY, lowest=20))
    with pytest.raises(HeightMissing):
        client.begin(1, None)


def test_work_is_bounded_in_blocks_and_in_signatures() -> None:
    blocks = new_blocks(moving(40, 1))
    client, source = new_client(blocks)
    with pytest.raises(LightError, match="too many blocks"):
        client.reach(source, blocks[0], blocks[39], Budget(blocks=10))
    with pytest.raises(LightError, match="too many blocks"):
        client.reach(source, blocks[0], blocks[39], Budget(signatures=40))
    assert client.reach(source, blocks[0], blocks[39], Budget(blocks=120, signatures=480))[-1] == blocks[39]


def test_middle_block_that_does_not_verify_ends_the_search() -> None:
    blocks = new_blocks(moving(65, 8))
    bad = [parts(block, round=1) if 1 < block.height < 65 else block for block in blocks]
    client, _ = new_client(blocks, primary=FakeSource(bad))
    with pytest.raises(NotSigned):
        client.verify(trust_of(blocks[0]), 65)
