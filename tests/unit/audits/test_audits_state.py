"""Queries, genesis and invariants of audits."""

import copy
from pathlib import Path
from typing import Any

import pytest

from abci_app.runtime.genesis import GenesisInvalid
from abci_app.wire.audit import Subject
from abci_app.wire.errors import InvalidRequest, NotFound
from abci_app.wire.pb.cosmos.base.query.v1beta1.pagination_pb2 import PageRequest
from abci_app.wire.pb.gradus.audits.v1 import query_pb2
from abci_app.wire.pb.gradus.audits.v1.audits_pb2 import AUDIT_STATUS_DECIDED
from abci_app.x.audits import keys
from tests.chain import PROPOSERS, Chain
from tests.court import ANSWER, KIND, OTHER, Court, subject_of

QUERY = "/gradus.audits.v1.Query/"
ONE, TWO, THREE = (subject_of(number) for number in (1, 2, 3))


def held(court: Court) -> Court:
    """A court with an audit of each status, a wrong auditor and a missing one."""
    court.open(ONE, TWO, THREE)
    court.wait(8)
    court.decide({0: ANSWER, 1: ANSWER, 2: ANSWER, 3: OTHER}, ONE)
    court.opener.takes = False
    court.decide({0: ANSWER, 1: ANSWER, 2: ANSWER}, TWO)
    court.say({0: ANSWER, 1: ANSWER, 2: ANSWER}, THREE)
    return court


def test_audit_is_found_by_its_subject(court: Court) -> None:
    court.open(ONE)
    answer = court.chain.query(QUERY + "Audit", query_pb2.QueryAuditRequest(subject=ONE))
    assert answer.audit == court.audit(ONE)
    for subject in (TWO, b"", bytes(300)):
        with pytest.raises(NotFound):
            court.chain.query(QUERY + "Audit", query_pb2.QueryAuditRequest(subject=subject))


def test_open_audits_of_a_validator_are_those_that_wait_for_its_digest(court: Court) -> None:
    court.open(ONE, TWO)
    court.open(THREE, committee_max=1)
    court.say({0: ANSWER}, ONE)
    court.decide(dict.fromkeys(range(4), ANSWER), TWO)

    def waiting(validator: bytes) -> list[bytes]:
        request = query_pb2.QueryOpenAuditsRequest(validator=validator)
        return [audit.subject for audit in court.chain.query(QUERY + "OpenAudits", request).audits]

    single = court.members(THREE)[0]
    for index, proposer in enumerate(PROPOSERS):
        expected = ([ONE] if index else []) + ([THREE] if index == single else [])
        assert waiting(proposer) == expected
    assert waiting(b"") == [ONE, THREE]
    assert waiting(bytes(20)) == []
    with pytest.raises(InvalidRequest):
        waiting(bytes(19))


def test_open_audits_come_by_pages(court: Court) -> None:
    subjects = [subject_of(number) for number in range(5)]
    court.open(*subjects)
    for validator in (b"", PROPOSERS[1]):
        found, key = [], b""
        while True:
            request = query_pb2.QueryOpenAuditsRequest(validator=validator, pagination=PageRequest(key=key, limit=2))
            answer = court.chain.query(QUERY + "OpenAudits", request)
            found += [audit.subject for audit in answer.audits]
            key = answer.pagination.next_key
            if not key:
                break
        assert found == subjects


def test_auditors_are_told_when_they_were_judged(court: Court) -> None:
    request = query_pb2.QueryAuditorRequest(consensus_address=PROPOSERS[3])
    with pytest.raises(NotFound):
        court.chain.query(QUERY + "Auditor", request)
    held(court)
    assert court.chain.query(QUERY + "Auditor", request).auditor == court.auditor(3)
    listed = court.chain.query(QUERY + "Auditors", query_pb2.QueryAuditorsRequest()).auditors
    assert [one.consensus_address for one in listed] == sorted(PROPOSERS)
    assert court.chain.query(QUERY + "Params", query_pb2.QueryParamsRequest()).params.missed_max == 8


def test_exported_audits_start_a_chain_that_goes_on(court: Court, tmp_path: Path) -> None:
    exported = held(court).opener.app.export_genesis(court.chain.ctx())
    with Chain(tmp_path / "second", app_state=copy.deepcopy(exported)) as second:
        assert second.app.export_genesis(second.ctx()) == exported
        other = Court(second)
        assert other.keeper.list_decided(second.ctx(), KIND) == [(TWO, ANSWER)]
        other.wait(11)  # heights go on from those of the exported chain
        other.decide({}, THREE)
        assert other.audit(THREE).answer == ANSWER


def test_parameters_of_the_genesis_hold(tmp_path: Path, court: Court) -> None:
    state = court.chain.new_app_state({"alice": 10**9})
    state["audits"] = {"params": {"missed_max": "1", "missed_excluded_blocks": "5", "wrong_excluded_blocks": "6"}}
    with Chain(tmp_path / "second", app_state=state) as second:
        strict = Court(second)
        strict.open(ONE)
        strict.wait(8)
        strict.decide({0: ANSWER, 1: ANSWER, 2: ANSWER}, ONE)
        assert strict.auditor(3).excluded_until_height == second.height + 5


def without(name: str) -> Any:
    return lambda audits: audits["audits"][0].pop(name)


def put(kind: str, name: str, value: Any) -> Any:
    return lambda audits: audits[kind][0].__setitem__(name, value)


@pytest.mark.parametrize("change, said", [
    (lambda audits: audits.update(more=1), "unknown field"),
    (lambda audits: audits["params"].update(missed_max="0"), "missed_max"),
    (lambda audits: audits["params"].update(wrong_excluded_blocks="10000001"), "wrong_excluded_blocks"),
    (lambda audits: audits["audits"].append(audits["audits"][0]), "twice"),
    (lambda audits: audits["auditors"].append(audits["auditors"][0]), "twice"),
    (put("auditors", "consensus_address", "00"), "1 bytes"),
    (put("auditors", "consensus_address", "00" * 20), "no validator"),
    (put("auditors", "arrears", "64"), "arrears"),
    (put("audits", "subject", "00"), "subject"), (without("status"), "status"), (without("claimant"), "claimant"),
    (without("answer"), "answer"), (put("audits", "answer", "00" * 96), "no quorum"), (put("audits", "members", []),
                                                                                       "members"),
    (lambda audits: audits["audits"][0]["members"].reverse(), "do not rise"),
    (lambda audits: audits["audits"][0]["members"][0].pop("power"), "no power"),
    (lambda audits: audits["audits"][0]["members"][0].update(digest="00"), "a digest of 32"),
    (lambda audits: audits["audits"][0]["members"][0].update(consensus_address="00" * 20), "no validator"),
    (lambda audits: audits["audits"][0]["members"][0].pop("digest_height"), "a digest has a height"),
    (lambda audits: audits["audits"][0]["members"][0].pop("verdict"), "not judged by its answer"),
    (lambda audits: audits["audits"][0].update(claimant=audits["audits"][0]["members"][1]["operator"]),
     "judges itself"),
    (without("ready_height"), "contradict"),
    (lambda audits: audits["audits"][2].update(decided_height="3"), "it is open, but judged"),
])
def test_genesis_that_contradicts_itself_is_refused(court: Court, tmp_path: Path, change: Any, said: str) -> None:
    state = held(court).opener.app.export_genesis(court.chain.ctx())
    change(state["audits"])
    with pytest.raises(GenesisInvalid, match=said):
        Chain(tmp_path / "second", app_state=state)


@pytest.mark.parametrize("key", [keys.waiting(PROPOSERS[0], ONE), keys.ready(10, ONE), keys.decided(ONE)])
def test_mark_that_no_record_explains_breaks_the_invariant(court: Court, key: bytes) -> None:
    held(court)
    ctx = court.chain.ctx()
    ctx.state.store("audits").set(key, keys.MARK)
    assert [line.split(":")[0] for line in court.chain.app.check_invariants(ctx)] == ["audits/marks"]


@pytest.mark.parametrize("key", [keys.waiting(PROPOSERS[3], THREE), keys.ready(12, THREE), keys.decided(TWO)])
def test_mark_that_is_missing_breaks_the_invariant(court: Court, key: bytes) -> None:
    held(court)
    ctx = court.chain.ctx()
    ctx.state.store("audits").delete(key)
    assert [line.split(":")[0] for line in court.chain.app.check_invariants(ctx)] == ["audits/marks"]


def of_kind(kind: int, number: int) -> bytes:
    return Subject(kind, 1, number, 0, 0).encode()


def test_decided_audits_are_handed_out_by_kind_and_other_kinds_are_left_alone(court: Court) -> None:
    court.opener.takes = False
    subjects = [of_kind(7, 1), of_kind(7, 2), of_kind(8, 1), of_kind(9, 1)]
    court.open(*subjects)
    court.decide(dict.fromkeys(range(4), ANSWER), *subjects)
    keeper, ctx = court.keeper, court.chain.ctx()
    assert [subject for subject, _ in keeper.list_decided(ctx, 7)] == subjects[:2]
    assert [subject for subject, _ in keeper.list_decided(ctx, 9, 8)] == [subjects[3], subjects[2]]
    assert keeper.list_decided(ctx) == keeper.list_decided(ctx, 0, 10, 255) == []
    keeper.take(ctx, subjects[0])
    assert [subject for subject, _ in keeper.list_decided(ctx, 7, 8, 9)] == subjects[1:]


def test_decided_audits_of_several_kinds_are_handed_out_up_to_the_bound_of_all(
        court: Court, monkeypatch: pytest.MonkeyPatch) -> None:
    court.opener.takes = False
    subjects = [of_kind(7, 1), of_kind(7, 2), of_kind(8, 1), of_kind(8, 2)]
    court.open(*subjects)
    court.decide(dict.fromkeys(range(4), ANSWER), *subjects)
    for bound in range(1, 6):
        monkeypatch.setattr("abci_app.x.audits.keeper.DECIDED_PER_BLOCK", bound)
        assert [subject for subject, _ in court.keeper.list_decided(court.chain.ctx(), 7, 8)] == subjects[:bound]


@pytest.mark.parametrize("kind", [0, 5, 7, 255])
def test_rounds_leave_decided_audits_of_other_kinds_than_units_alone(court: Court, kind: int) -> None:
    """Their subjects may look like units that there are not: taking one up would stop the chain."""
    court.opener.takes = False
    court.open(of_kind(kind, 99))
    court.decide(dict.fromkeys(range(4), ANSWER), of_kind(kind, 99))
    court.wait(2)
    assert court.audit(of_kind(kind, 99)).status == AUDIT_STATUS_DECIDED
    assert court.chain.check_invariants() == []
