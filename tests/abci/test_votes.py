"""Vote extensions at the socket: what a node says, what it accepts, and how what was said gets into a block."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from abci_app.abci import votes
from abci_app.abci.errors import ConfigProblem
from abci_app.abci.node import read_validator
from abci_app.wire.answer_file import file_name
from abci_app.wire.audit import Extension, ExtensionInvalid, decode_extension, encode_extension
from abci_app.wire.pb.gradus.audits.v1 import query_pb2
from abci_app.wire.pb.gradus.audits.v1.audits_pb2 import AUDIT_STATUS_TAKEN, Audit
from abci_app.wire.pb.gradus.audits.v1.tx_pb2 import AuditOpening, AuditVotes
from abci_app.wire.tx import decode_injected, encode_injected
from tests.abci.jurors import MANY_HEIGHT, SUBJECTS, Juror, digests_of, say
from tests.chain import SIGNERS
from tests.court import ANSWER, OTHER

FIRST, SECOND = SUBJECTS[:2]


@pytest.fixture
def juror(tmp_path: Path) -> Iterator[Juror]:
    """Validator 0, two blocks into its chain: the first audit is open."""
    with Juror(tmp_path / "state") as one:
        begin(one, 2)
        yield one


def begin(node: Juror, blocks: int) -> None:
    """InitChain and empty blocks."""
    node.init_chain()
    for _ in range(blocks):
        node.run()


def find_audit(node: Juror, subject: bytes) -> Audit:
    """The audit of a subject, in the committed state."""
    request = query_pb2.QueryAuditRequest(subject=subject).SerializeToString()
    answer = node.query("/gradus.audits.v1.Query/Audit", request)
    assert answer.code == 0, answer.log
    return query_pb2.QueryAuditResponse.FromString(answer.value).audit


def kinds(txs: list[bytes]) -> list[str]:
    """The messages of injected transactions."""
    return [decode_injected(tx).type_url.rpartition(".")[2] for tx in txs]


def test_i34_answer_to_an_audit_of_another_seed_is_not_said(juror: Juror) -> None:
    """A subject may be asked again: who said what it computed for the audit before would be wrong."""
    juror.answer(FIRST, seed=b"before".ljust(32))
    assert juror.extend() == b""
    juror.answer(FIRST)
    assert juror.extend() != b""


def test_i34_node_without_answers_or_without_a_validator_says_nothing(juror: Juror) -> None:
    assert juror.extend() == b""
    juror.application._validator = None
    juror.answer(FIRST)
    assert juror.extend() == b""


def test_i34_node_says_its_digest_of_a_finished_answer_until_it_is_recorded(juror: Juror) -> None:
    juror.answer(FIRST)
    said = say(0, FIRST)
    assert juror.extend() == juror.extend() == said
    juror.run()
    assert juror.extend() == said  # nobody has brought it yet
    juror.run(juror.propose({0: said}))
    assert juror.extend() == b""


def test_digest_is_of_audits_that_the_very_block_opens_where_the_node_has_run_it(juror: Juror) -> None:
    juror.answer(SECOND)
    assert juror.extend() == b""
    assert juror.process([])
    assert juror.extend() == say(0, SECOND)


def test_digest_that_the_very_block_brings_is_not_said_again(juror: Juror) -> None:
    juror.answer(FIRST)
    block = juror.propose({0: say(0, FIRST)})
    assert kinds(block) == ["AuditVotes"] and juror.is_kept(block)
    assert juror.extend(block) == b"" and juror.extend() == say(0, FIRST)


def test_node_says_nothing_of_audits_that_do_not_ask_it(juror: Juror) -> None:
    juror.answer(SUBJECTS[40])  # not opened yet
    assert juror.extend() == b""
    juror.application._validator = bytes(20)
    juror.answer(FIRST)
    assert juror.extend() == b""


def test_extension_has_at_most_35_digests_the_earliest_opened_first(tmp_path: Path) -> None:
    with Juror(tmp_path / "state") as node:
        begin(node, MANY_HEIGHT)
        node.answer(*SUBJECTS[1:])
        extension = node.extend()
        assert decode_extension(extension) == Extension(tuple(digests_of(0, *SUBJECTS[1:36])))
        assert len(extension) == 1_997 and node.verify(extension)
        node.run(node.propose({0: extension}))
        assert [subject for subject, _ in decode_extension(node.extend()).digests] == SUBJECTS[36:]
        node.answer(SUBJECTS[0])  # the first to have been opened, the last to be answered
        assert decode_extension(node.extend()).digests[0][0] == SUBJECTS[0]


def test_answers_whose_digests_are_in_are_told_and_leave_room_for_digests(tmp_path: Path) -> None:
    with Juror(tmp_path / "state") as node:
        begin(node, MANY_HEIGHT)
        subjects = SUBJECTS[:7]
        node.run(node.propose({index: say(index, *subjects) for index in range(4)}))
        node.answer(*SUBJECTS)
        node.answer(subjects[1], answer=OTHER)  # an answer that is not the quorum's is not told
        told = (subjects[0], *subjects[2:5])
        said = decode_extension(node.extend())
        assert said.openings == tuple((subject, ANSWER) for subject in told)
        assert [subject for subject, _ in said.digests] == SUBJECTS[7:34]
        assert node.verify(node.extend()) and len(node.extend()) == 2_025


def test_answers_that_became_ready_in_another_order_than_their_subjects_are_told(juror: Juror) -> None:
    juror.run()
    juror.run(juror.propose({index: say(index, SECOND) for index in range(4)}))
    juror.run(juror.propose({index: say(index, FIRST) for index in range(4)}))
    juror.answer(FIRST, SECOND)
    assert decode_extension(juror.extend()) == Extension((), ((FIRST, ANSWER), (SECOND, ANSWER)))


@pytest.mark.parametrize("damage", ["short", "long", "bit", "another", "empty", "folder", "strange names", "gone"])
def test_damaged_answer_is_none_and_costs_nothing_else(juror: Juror, damage: str) -> None:
    juror.answer(FIRST, SECOND)
    path = juror.answers / file_name(FIRST)
    data = path.read_bytes()
    if damage == "folder":
        path.unlink()
        path.mkdir()
    elif damage == "gone":
        path.unlink()
    elif damage == "strange names":
        path.rename(path.with_name(path.name.upper()))
        for name in ("x", ".answer", "00.answer", "zz" * 25 + ".answer", path.name + "x"):
            (juror.answers / name).write_bytes(data)
    else:
        path.write_bytes({"short": data[:-1], "long": data + b"x", "empty": b"", "bit": b"\x80" + data[1:],
                          "another": (juror.answers / file_name(SECOND)).read_bytes()}[damage])
    assert juror.process([]) and juror.extend() == say(0, SECOND)
    assert juror.propose({}) == []


def test_folder_that_cannot_be_read_or_a_bug_leaves_the_vote_without_words(juror: Juror,
                                                                           monkeypatch: pytest.MonkeyPatch) -> None:
    juror.answers.write_bytes(b"no folder")
    assert juror.extend() == b""
    juror.answers.unlink()
    juror.answer(FIRST)

    def fail(*_arguments: object) -> bytes:
        raise ZeroDivisionError

    monkeypatch.setattr(votes, "compute_digest", fail)
    assert juror.extend() == b""
    monkeypatch.undo()
    assert juror.extend() == say(0, FIRST)


def test_i35_empty_and_honest_extensions_are_accepted_whatever_the_state(tmp_path: Path) -> None:
    """I35, I37: a node that knows of no audit takes what others say of theirs."""
    with Juror(tmp_path / "state") as node:
        node.init_chain()
        for extension in (b"", say(1, FIRST), say(0, *SUBJECTS[:35]), encode_extension((), [(FIRST, ANSWER)])):
            assert node.verify(extension) and node.verify(extension)


@pytest.mark.parametrize("extension", [b"x", b"\x00", b"\x01\x00", say(0, FIRST)[:-1], say(0, FIRST) + b"\x00",
                                       b"\x01\x02" + 2 * say(0, FIRST)[2:], bytes(2_049), b"\x01" * 100_000])
def test_i35_malformed_extensions_are_refused(juror: Juror, extension: bytes) -> None:
    assert not juror.verify(extension)


@given(st.binary(max_size=200))
def test_i35_acceptance_is_a_function_of_the_bytes(extension: bytes) -> None:
    try:
        decode_extension(extension)
        is_canonical = True
    except ExtensionInvalid:
        is_canonical = False
    assert votes.is_acceptable(extension) == is_canonical


def test_i14_votes_and_their_answer_decide_an_audit_on_every_node_alike(tmp_path: Path) -> None:
    """I14, I22, I25: proposer, acceptors, one that never saw the proposal, and one that replays: one app hash each."""
    with Juror(tmp_path / "a", 0) as one, Juror(tmp_path / "b", 1) as two, Juror(tmp_path / "c", 2) as late, \
            Juror(tmp_path / "d", 3) as replayed:
        nodes, blocks, hashes = (one, two, late), [], []
        for node in nodes:
            begin(node, 2)
            node.answer(FIRST)
        for _ in range(3):
            said = {index: node.extend() for index, node in enumerate(nodes)} | {3: b"" if blocks else say(3, FIRST)}
            block = one.propose(said, [one.send_tx("alice", "bob", 5)])
            assert two.process(block) and two.is_kept(block) and one.is_kept(block) and not late.is_kept(block)
            answers = [node.run(block) for node in nodes]
            assert answers[0] == answers[1] == answers[2]
            assert all(result.code == 0 for result in answers[0].tx_results)
            blocks.append(block)
            hashes.append(answers[0].app_hash)
        assert kinds(blocks[0][:2]) == ["AuditVotes", "AuditOpening"] and len(blocks[1]) == len(blocks[2]) == 1
        assert find_audit(late, FIRST).status == AUDIT_STATUS_TAKEN
        begin(replayed, 2)
        assert [replayed.run(block).app_hash for block in blocks] == hashes


def test_proposer_without_the_answer_takes_it_from_what_votes_tell(juror: Juror) -> None:
    juror.run(juror.propose({index: say(index, FIRST) for index in range(4)}))
    told = encode_extension((), [(FIRST, ANSWER)])
    lie = encode_extension((), [(FIRST, OTHER), (SECOND, ANSWER)])
    block = juror.propose({0: lie, 1: told, 2: told})
    assert [AuditOpening.FromString(decode_injected(tx).value).answer for tx in block] == [ANSWER]
    assert juror.process(block)
    juror.run(block)
    assert find_audit(juror, FIRST).answer == ANSWER


def test_own_answer_that_is_wrong_does_not_hide_what_votes_tell(juror: Juror) -> None:
    juror.run(juror.propose({index: say(index, FIRST) for index in range(4)}))
    juror.answer(FIRST, answer=OTHER)
    assert kinds(juror.propose({1: encode_extension((), [(FIRST, ANSWER)])})) == ["AuditOpening"]
    assert juror.propose({1: encode_extension((), [(FIRST, OTHER)])}) == []


@pytest.mark.parametrize("extension", [b"\xff" * 1000, b"x", say(0, FIRST)[:-1], b"\x01\x00"])
def test_i36_malformed_extensions_of_a_last_commit_change_no_proposal(juror: Juror, extension: bytes) -> None:
    plain = juror.propose({1: say(1, FIRST)})
    assert juror.propose({0: extension, 1: say(1, FIRST)}) == plain and kinds(plain) == ["AuditVotes"]


def test_i36_extension_with_a_wrong_signature_is_left_out_and_refused(juror: Juror) -> None:
    honest = juror.propose({0: say(0, FIRST), 1: say(1, FIRST)})
    message = AuditVotes.FromString(decode_injected(honest[0]).value)
    message.votes[0].signature = bytes(64)
    assert not juror.process([encode_injected(message)]) and juror.process(honest)
    request = votes.abci.RequestPrepareProposal(max_tx_bytes=1 << 20, **juror.block_fields(),
                                                local_last_commit=juror.extended_commit({0: say(0, FIRST)}))
    next(vote for vote in request.local_last_commit.votes if vote.vote_extension).extension_signature = bytes(64)
    assert not juror.engine.ask("prepare_proposal", request).txs


def test_votes_of_who_is_absent_in_the_last_commit_are_refused(juror: Juror) -> None:
    """I17: and executed with a code where such a block is decided all the same."""
    block = juror.propose({0: say(0, FIRST)})
    assert juror.process(block) and not juror.process(block, absent=[0]) and not juror.process(block, round_number=1)
    result, = juror.decide(block, absent=[0]).tx_results
    assert (result.codespace, result.code) == ("audits", 7)
    result, = juror.decide(block).tx_results
    assert result.code == 0


def test_candidate_is_of_its_last_commit_too(juror: Juror) -> None:
    """I25: the same transactions under another last commit are another block."""
    block = juror.propose({0: say(0, FIRST)})
    assert juror.is_kept(block) and not juror.is_kept(block, absent=[0]) and not juror.is_kept(block, absent=[1])
    with_all, without_one = juror.decide(block).app_hash, juror.decide(block, absent=[1]).app_hash
    assert with_all == without_one  # who signed besides the voter is no input of the state
    assert juror.decide(block, absent=[0]).app_hash != with_all


def test_proposals_and_votes_leave_no_trace_in_the_state(tmp_path: Path) -> None:
    """I19: a node that proposed, processed and voted has the state of one that only executed."""
    hashes = []
    for busy in (True, False):
        with Juror(tmp_path / str(busy)) as node:
            begin(node, 2)
            node.answer(FIRST, SECOND)
            if busy:
                for said in ({0: say(0, FIRST)}, {1: say(1, FIRST)}, {}):
                    block = node.propose(said)
                    node.process(block)
                    node.extend(block)
                    node.verify(say(1, FIRST))
            hashes.append(node.run().app_hash)
    assert hashes[0] == hashes[1]


def test_votes_stand_before_users_transactions_and_once(juror: Juror) -> None:
    block = juror.propose({0: say(0, FIRST)}, [juror.send_tx("alice", "bob", 5)])
    other = juror.propose({1: say(1, FIRST)})
    assert len(block) == 2 and kinds(block[:1]) == ["AuditVotes"]
    assert not juror.process([block[1], block[0]]) and not juror.process([block[0], block[0], block[1]])
    assert not juror.process([block[0], *other]) and juror.process(block)


def test_chain_that_begins_above_height_1_has_extensions_from_its_first_block(tmp_path: Path) -> None:
    """I10: the first block's commit is the second's last one."""
    with Juror(tmp_path / "state", initial_height=1_000) as node:
        begin(node, 2)
        node.answer(FIRST)
        node.run(node.propose({0: node.extend(), 1: say(1, FIRST)}))
        audit = find_audit(node, FIRST)
        assert audit.opened_height == 1_001 and sum(1 for member in audit.members if member.digest) == 2


def test_restart_keeps_what_was_said(tmp_path: Path) -> None:
    """I11: answers and audits are on the disk; nothing of them is in memory alone."""
    with Juror(tmp_path / "state") as node:
        begin(node, 2)
        node.answer(FIRST)
        node.run(node.propose({1: say(1, FIRST)}))
    with Juror(tmp_path / "state") as again:
        assert again.extend() == say(0, FIRST)
        again.run(again.propose({0: again.extend(), 2: say(2, FIRST), 3: say(3, FIRST)}))
        assert find_audit(again, FIRST).status == AUDIT_STATUS_TAKEN
        shutil.rmtree(again.answers)
        assert again.extend() == b""


def test_validator_of_a_node_is_the_address_in_its_key_file(tmp_path: Path) -> None:
    path = tmp_path / "priv_validator_key.json"
    assert read_validator(path) is None
    path.write_text('{"address": "%s"}' % SIGNERS[2].address.hex().upper())
    assert read_validator(path) == SIGNERS[2].address
    for text in ("", "{", "[]", "{}", '{"address": 5}', '{"address": "xy"}', '{"address": "00"}'):
        path.write_text(text)
        with pytest.raises(ConfigProblem, match="address"):
            read_validator(path)
