"""AuditVotes: what a proposer may bring of the last commit's extensions, and what of it counts."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from abci_app.wire.audit import compute_digest, encode_extension
from abci_app.wire.pb.gradus.audits.v1.audits_pb2 import AuditVote
from abci_app.wire.pb.gradus.audits.v1.tx_pb2 import AuditOpening, AuditVotes
from abci_app.wire.tx import INJECTED_MARK, decode_injected, encode_injected
from abci_app.x.audits import msgs
from tests.chain import PROPOSERS, SIGNERS, codes
from tests.court import ANSWER, OTHER, Court, subject_of
from tests.votes import Signer

ONE, TWO, THREE = (subject_of(number) for number in (1, 2, 3))


def votes_of(court: Court, said: dict[int, bytes], *subjects: bytes, round_number: int = 0) -> AuditVotes:
    """What an honest proposer brings, whatever it is worth."""
    height, number, votes = court.chain.sign_votes(court.extend(said, *subjects), round_number)
    return AuditVotes(height=height, round=number, votes=[
        AuditVote(validator=validator, extension=extension, signature=signature)
        for validator, extension, signature in sorted(votes)])


def refusal(court: Court, message: AuditVotes, **block: object) -> tuple[str, int]:
    """The code of a block's only transaction, which must change nothing."""
    before = court.chain.app.export_genesis(court.chain.ctx())
    code = codes(court.chain.block([encode_injected(message)], **block))[0]  # type: ignore[arg-type]
    assert court.chain.app.export_genesis(court.chain.ctx())["audits"] == before["audits"]
    return code


def test_digests_are_recorded_once_with_their_height(court: Court) -> None:
    court.open(ONE)
    assert codes(court.say({0: ANSWER, 2: OTHER}, ONE)) == [("", 0)]
    digests = {member.consensus_address: (member.digest, member.digest_height) for member in court.audit(ONE).members}
    assert digests[PROPOSERS[0]] == (compute_digest(PROPOSERS[0], ONE, ANSWER), 2)
    assert digests[PROPOSERS[2]] == (compute_digest(PROPOSERS[2], ONE, OTHER), 2)
    assert digests[PROPOSERS[1]] == digests[PROPOSERS[3]] == (b"", 0)
    assert court.say({0: OTHER, 2: ANSWER}, ONE) == []  # a second word of theirs is not even proposed
    assert court.audit(ONE).members[0].digest_height in (0, 2)


def test_what_no_open_audit_waits_for_is_passed_over_beside_what_one_does(court: Court) -> None:
    court.open(ONE)
    message = votes_of(court, {0: ANSWER}, ONE, TWO, THREE)
    result, = court.chain.block([encode_injected(message)])
    assert result.code == 0 and [event.type for event in result.events] == ["audits.digest_recorded"]
    assert court.keeper.find_audit(court.chain.ctx(), TWO) is None


def test_openings_in_an_extension_record_nothing(court: Court) -> None:
    court.open(ONE)
    extension = encode_extension((), [(ONE, ANSWER)])
    signature = SIGNERS[0].sign(court.chain.chain_id, 1, 0, extension)
    vote = AuditVote(validator=PROPOSERS[0], extension=extension, signature=signature)
    assert refusal(court, AuditVotes(height=1, votes=[vote])) == ("audits", 10)


@pytest.mark.parametrize("height, round_number", [(0, 0), (2, 0), (1, 1), (-1, 0), (2**63 - 1, 2**32 - 1)])
def test_votes_of_another_height_or_round_are_refused(court: Court, height: int, round_number: int) -> None:
    court.open(ONE)
    message = votes_of(court, {0: ANSWER}, ONE)
    message.height, message.round = height, round_number
    assert refusal(court, message) == ("audits", 3)


def test_votes_of_a_later_round_are_taken_with_a_commit_of_that_round(court: Court) -> None:
    court.open(ONE)
    message = votes_of(court, {0: ANSWER}, ONE, round_number=3)
    assert refusal(court, message) == ("audits", 3)
    message = votes_of(court, {0: ANSWER}, ONE, round_number=3)
    commit = court.chain.last_commit(round_number=3)
    assert codes(court.chain.block([encode_injected(message)], last_commit=commit)) == [("", 0)]


def test_second_transaction_with_votes_is_refused_in_a_block_and_taken_in_the_next(court: Court) -> None:
    court.open(ONE)
    first, second = votes_of(court, {0: ANSWER}, ONE), votes_of(court, {1: ANSWER}, ONE)
    both = [encode_injected(message) for message in (first, second)]
    assert codes(court.chain.block(both)) == [("", 0), ("audits", 4)]
    assert codes(court.say({1: ANSWER}, ONE)) == [("", 0)]


def test_no_votes_and_too_many_are_refused(court: Court) -> None:
    court.open(ONE)
    assert refusal(court, AuditVotes(height=1)) == ("audits", 5)
    message = votes_of(court, {0: ANSWER}, ONE)
    message.votes.extend([message.votes[0]] * 256)
    assert refusal(court, message) == ("audits", 5)


def test_votes_out_of_order_or_twice_are_refused(court: Court) -> None:
    court.open(ONE)
    message = votes_of(court, {0: ANSWER, 1: ANSWER}, ONE)
    falling = AuditVotes(height=1, votes=list(reversed(message.votes)))
    assert refusal(court, falling) == ("audits", 6)
    message = votes_of(court, {0: ANSWER}, ONE)
    message.votes.extend(list(message.votes))
    assert refusal(court, message) == ("audits", 6)


def test_vote_of_who_did_not_sign_the_last_block_is_refused(court: Court) -> None:
    court.open(ONE)
    message = votes_of(court, {0: ANSWER, 1: ANSWER}, ONE)
    commit = court.chain.last_commit(absent=[PROPOSERS[1]])
    assert refusal(court, message, last_commit=commit) == ("audits", 7)


def test_vote_of_a_stranger_is_refused(court: Court) -> None:
    court.open(ONE)
    stranger = Signer("stranger")
    extension = encode_extension([(ONE, compute_digest(stranger.address, ONE, ANSWER))])
    signature = stranger.sign(court.chain.chain_id, 1, 0, extension)
    vote = AuditVote(validator=stranger.address, extension=extension, signature=signature)
    assert refusal(court, AuditVotes(height=1, votes=[vote])) == ("audits", 7)


@pytest.mark.parametrize("extension", [b"", b"\x00", b"\x01\x00", b"\x01\x01" + bytes(56), b"\x01\x24" + bytes(2052)])
def test_extension_that_says_nothing_or_is_malformed_is_refused_though_signed(court: Court, extension: bytes) -> None:
    court.open(ONE)
    signature = SIGNERS[0].sign(court.chain.chain_id, 1, 0, extension)
    vote = AuditVote(validator=PROPOSERS[0], extension=extension, signature=signature)
    expected = ("audits", 8) if extension else ("audits", 10)
    assert refusal(court, AuditVotes(height=1, votes=[vote])) == expected


@pytest.mark.parametrize("chain_id, height, round_number, by", [
    ("another", 1, 0, 0), ("gradus-test-1", 2, 0, 0), ("gradus-test-1", 1, 1, 0), ("gradus-test-1", 1, 0, 1)])
def test_extension_signed_for_another_chain_height_round_or_by_another_is_refused(
        court: Court, chain_id: str, height: int, round_number: int, by: int) -> None:
    court.open(ONE)
    extension = court.extend({0: ANSWER}, ONE)[PROPOSERS[0]]
    signature = SIGNERS[by].sign(chain_id, height, round_number, extension)
    vote = AuditVote(validator=PROPOSERS[0], extension=extension, signature=signature)
    assert refusal(court, AuditVotes(height=1, votes=[vote])) == ("audits", 9)


def test_one_wrong_vote_refuses_all_and_a_proposer_leaves_it_out(court: Court) -> None:
    court.open(ONE)
    message = votes_of(court, {0: ANSWER, 1: ANSWER, 2: ANSWER}, ONE)
    place = [vote.validator for vote in message.votes].index(PROPOSERS[1])
    message.votes[place].signature = bytes(64)
    assert refusal(court, message) == ("audits", 9)
    height, number, votes = court.chain.sign_votes(court.extend({0: ANSWER, 1: ANSWER, 2: ANSWER}, ONE))
    votes = tuple((one[0], one[1], bytes(64)) if one[0] == PROPOSERS[1] else one for one in votes)
    proposed, = court.chain.propose(votes=(height, number, votes))
    brought = AuditVotes.FromString(decode_injected(proposed).value)
    assert [vote.validator for vote in brought.votes] == sorted([PROPOSERS[0], PROPOSERS[2]])
    assert codes(court.chain.block([proposed])) == [("", 0)]


def test_vote_that_brings_nothing_new_is_refused(court: Court) -> None:
    court.open(ONE)
    court.say({0: ANSWER}, ONE)
    assert refusal(court, votes_of(court, {0: ANSWER}, ONE)) == ("audits", 10)
    assert refusal(court, votes_of(court, {1: ANSWER}, TWO)) == ("audits", 10)


def test_digest_of_who_is_not_in_the_committee_is_refused(court: Court) -> None:
    court.open(ONE, committee_max=2)
    stranger = next(index for index in range(4) if index not in court.members(ONE))
    assert refusal(court, votes_of(court, {stranger: ANSWER}, ONE)) == ("audits", 10)


def test_votes_for_a_decided_audit_are_refused(court: Court) -> None:
    court.open(ONE)
    court.wait(8)
    court.decide(dict.fromkeys(range(3), ANSWER), ONE)
    assert court.audit(ONE).decided_height == 10
    assert refusal(court, votes_of(court, {3: ANSWER}, ONE)) == ("audits", 10)


def test_proposer_brings_nothing_of_another_height_or_round(court: Court) -> None:
    court.open(ONE)
    extensions = court.extend({0: ANSWER}, ONE)
    assert court.chain.propose(votes=court.chain.sign_votes(extensions, round_number=1)) == []
    votes = court.chain.sign_votes(extensions)
    court.chain.block()
    assert court.chain.propose(votes=votes) == []
    assert court.chain.propose() == []


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_whatever_votes_say_gives_a_code_and_halts_nothing(court: Court, data: st.DataObject) -> None:
    """Fields of an honest message replaced by others; what is not exactly honest has a code of ours and no effect."""
    if court.chain.height == 0:
        court.open(ONE, TWO)
    honest = votes_of(court, {0: ANSWER, 1: ANSWER}, ONE)
    message = AuditVotes.FromString(honest.SerializeToString())
    numbers = st.sampled_from([0, 1, 2, 255, 2**31, 2**32 - 1])
    pieces = st.one_of(st.binary(max_size=80), st.sampled_from([b"", bytes(20), bytes(64), *PROPOSERS]))
    for vote in message.votes:
        for name in data.draw(st.lists(st.sampled_from(["validator", "extension", "signature"]), max_size=3)):
            setattr(vote, name, data.draw(pieces))
    if data.draw(st.booleans()):
        message.round = data.draw(numbers)
    if message == honest:
        return
    result, = court.chain.block([encode_injected(message)])
    assert (result.codespace, result.code) in [("audits", code) for code in range(3, 11)]


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from([AuditVotes, AuditOpening]), st.binary(max_size=200))
def test_any_bytes_of_an_injected_audit_give_a_code(court: Court, kind: type, body: bytes) -> None:
    packed = decode_injected(encode_injected(kind()))
    packed.value = body
    result, = court.chain.block([INJECTED_MARK + packed.SerializeToString(deterministic=True)])
    assert result.code >= 2 and result.codespace in ("sdk", "audits")


def test_votes_of_the_first_block_have_no_commit_to_stand_on(court: Court) -> None:
    assert court.chain.last_commit().votes == ()
    message = AuditVotes(height=0, votes=[AuditVote(validator=PROPOSERS[0], extension=b"\x01", signature=bytes(64))])
    assert refusal(court, message) == ("audits", 7)


def test_more_voters_than_a_block_takes_come_in_turn(court: Court, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who comes first changes with the height, so that nobody's digests wait for ever."""
    monkeypatch.setattr(msgs, "VOTES_PER_BLOCK", 1)
    court.open(ONE, TWO, THREE)
    firsts = []
    for subject in (ONE, TWO, THREE):
        votes = court.chain.sign_votes(court.extend(dict.fromkeys(range(4), ANSWER), subject))
        proposed = court.chain.propose(votes=votes)
        brought = AuditVotes.FromString(decode_injected(proposed[0]).value)
        firsts.append(brought.votes[0].validator)
        court.chain.block(proposed)
    assert len(set(firsts)) == 3
