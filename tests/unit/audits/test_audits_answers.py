"""Audits of answers: everybody is asked of no more than can be computed in time, and says it before anything else."""

from dataclasses import replace
from pathlib import Path

import pytest

from abci_app.abci import votes
from abci_app.abci.answers import Answers
from abci_app.wire.answer_file import encode_answer_file, file_name
from abci_app.wire.audit import (
    ANSWER, DIGESTS_MAX, STATEMENT, decode_extension, request_subject, statement_subject, unit_subject,
)
from abci_app.wire.errors import InvariantBroken
from abci_app.x.audits.types import ASKED_WORK_PER_BLOCK, AUDIT_FIXED_WORK, PATIENCE_BLOCKS, compute_ready_height
from tests.chain import SIGNERS
from tests.court import ANSWER as SAID
from tests.court import NOBODY, SEED, Court

LARGEST = 1 << 34  # multiply-adds of a question


def test_a_flood_of_small_answers_is_asked_at_eight_a_block_of_each_kind(court: Court) -> None:
    """So that the digests of a block, of both kinds together, always fit into one vote."""
    ctx, asked = court.chain.ctx(), {ANSWER: 0, STATEMENT: 0}
    for kind, new_subject in ((ANSWER, request_subject), (STATEMENT, lambda *ids: statement_subject(*ids, 1))):
        while court.keeper.has_room(ctx, kind):
            asked[kind] += 1
            assert court.keeper.ask_of_answer(ctx, (new_subject(1, asked[kind]), NOBODY, SEED), 1) in (
                ctx.height + 1, ctx.height + 2)
    assert asked == {ANSWER: 8, STATEMENT: 8}
    with pytest.raises(InvariantBroken, match="have no time"):
        court.keeper.ask_of_answer(ctx, (request_subject(1, 99), NOBODY, SEED), 1)


def test_who_asks_much_waits_itself_and_the_time_of_all_counts_from_the_end_of_what_was_asked_before(
        court: Court) -> None:
    ctx = court.chain.ctx()
    height = ctx.height
    first = court.keeper.ask_of_answer(ctx, (request_subject(1, 1), NOBODY, SEED), LARGEST)
    blocks = -(-(LARGEST + AUDIT_FIXED_WORK) // ASKED_WORK_PER_BLOCK)
    assert first == height + -(-blocks // 2) and not court.keeper.has_room(ctx, ANSWER)
    assert court.keeper.ask_of_answer(ctx, (statement_subject(1, 1, 1), NOBODY, SEED), 1) >= first
    later = replace(ctx, height=height + blocks - 2)
    assert not court.keeper.has_room(later, ANSWER) and court.keeper.has_room(later, STATEMENT)
    assert court.keeper.has_room(replace(ctx, height=height + blocks), ANSWER)


def test_a_prompt_majority_does_not_make_those_look_idle_who_still_compute_what_was_asked_before(court: Court) -> None:
    ctx, subject = court.chain.ctx(), request_subject(1, 1)
    busy_height = court.keeper.ask_of_answer(ctx, (subject, NOBODY, SEED), LARGEST)
    audit = court.keeper.get_audit(ctx, subject)
    for member in audit.members[:3]:
        member.digest = SAID[:32]
    assert compute_ready_height(audit, audit.opened_height + PATIENCE_BLOCKS) == busy_height + PATIENCE_BLOCKS


def test_digests_of_answers_are_said_before_those_of_training_that_was_asked_earlier(
        court: Court, tmp_path: Path) -> None:
    ctx, validator = court.chain.ctx(), SIGNERS[0].address
    units = [unit_subject(1, 1, 0, index) for index in range(2 * DIGESTS_MAX)]
    court.keeper.open_audits(ctx, 4, [(unit, NOBODY, SEED) for unit in units])
    answer = request_subject(9, 1)
    court.keeper.ask_of_answer(replace(ctx, height=ctx.height + 1), (answer, NOBODY, SEED), 1)
    for subject in (*units, answer):
        (tmp_path / file_name(subject)).write_bytes(encode_answer_file(subject, SAID, SEED))
    said = decode_extension(votes.extend(court.chain.app, ctx, validator, Answers(tmp_path))).digests
    assert len(said) == DIGESTS_MAX and answer in dict(said)
