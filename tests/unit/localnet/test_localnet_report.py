"""The demo's verdict: a run that shows everything has no problem, and each thing that is missing is one."""

from dataclasses import replace

import pytest

from abci_app.client.evaluate import percent_text
from localnet.report import Participant, ProvedBalance, Report, Slashed, Standing, TextFigures, find_problems
from localnet.served import HostOutcome, Served, SessionOutcome
from localnet.words import count_of, grad

HONEST = Participant("miner0", "gradus1honest", "honest")
CHEAT = Participant("miner1", "gradus1cheat", "garbage")
SLASH = Slashed(CHEAT.address, "garbage", 2, 1, "mismatch", 1_500_000, 750_000)

GOOD_HOST = HostOutcome("host0", "gradus1host0", "honest", "paid", 7, 0)
LIAR = HostOutcome("host1", "gradus1host1", "lie", "wrong", 0, 9)
SESSION = SessionOutcome(1, "host0", 20, 200, 200, 800, 1_000, "settled", "paid", 3.0)
SERVED = Served(1, "a class", "3", "3", "ab" * 32, 30, 20, 25, True, [GOOD_HOST, LIAR], {"exists": True}, SESSION)


def good_report() -> Report:
    return Report(
        chain_id="gradus-local-1", model_id=1, dataset={}, rpc="http://127.0.0.1:26657", initial_accuracy_ppm=100_000,
        accuracy_ppm_per_round=[800_000, 960_000], baseline_ppm=200_000, seconds=1.0, seconds_to_first_block=1.0,
        seconds_per_round=1.0, earned_ugrad={HONEST.address: 2_000_000, CHEAT.address: 0}, slashed=[SLASH],
        auditors=[Standing("node0", 3, 0, 0, 7, False), Standing("node1", 0, 0, 2, 0, True)],
        nodes=[{"name": "node0", "height": 9, "compared_height": 9, "app_hash": "aa"},
               {"name": "node1", "height": 10, "compared_height": 9, "app_hash": "aa"}],
        proved_balance=ProvedBalance(HONEST.address, 5, 8, "cometbft light"), versions={}, served=SERVED)


def problems(report: Report, accuracy_min_ppm: int = 950_000, balance_ugrad: int = 5) -> list[str]:
    return find_problems(report, [HONEST, CHEAT], 2, accuracy_min_ppm, balance_ugrad)


def test_run_that_shows_everything_has_no_problem() -> None:
    assert problems(good_report()) == []


@pytest.mark.parametrize(("changes", "words"), [
    ({"accuracy_ppm_per_round": [960_000]}, "1 of 2 rounds"),
    ({"accuracy_ppm_per_round": [960_000, 949_999]}, "accuracy is 94.99 %"),
    ({"accuracy_ppm_per_round": []}, "0 of 2 rounds"),
    ({"slashed": []}, "miner1 cheated (garbage) and was not slashed"),
    ({"slashed": [SLASH, replace(SLASH, address=HONEST.address)]}, "miner0 was honest and was slashed"),
    ({"earned_ugrad": {HONEST.address: 0}}, "miner0 was honest and earned nothing"),
    ({"nodes": [{"app_hash": "aa"}, {"app_hash": "bb"}]}, "do not agree"),
    ({"nodes": [{"app_hash": "aa"}, {"name": "node1", "height": 5, "compared_height": 9, "app_hash": ""}]},
     "node1 is at height 5 and has not caught up with 9"),
    ({"slashed": [replace(SLASH, reason="withheld")]}, "miner1 cheated (garbage) and was not slashed for it"),
    ({"auditors": [Standing("node0", 0, 0, 9, 0, False)]}, "no auditor has answered rightly"),
    ({"auditors": []}, "no auditor has answered rightly"),
    ({"auditors": [Standing("node0", 5, 1, 0, 0, True)]}, "auditor of node0 was honest and has answered wrongly"),
    ({"served": replace(SERVED, hosts=[replace(GOOD_HOST, earned_ugrad=0)])}, "host0 answered honestly and earned no"),
    ({"served": replace(SERVED, hosts=[replace(GOOD_HOST, slashed_ugrad=1)])}, "host0 answered honestly and was sl"),
    ({"served": replace(SERVED, hosts=[replace(LIAR, slashed_ugrad=0)])}, "host1 lied and was not slashed"),
    ({"served": replace(SERVED, hosts=[replace(LIAR, earned_ugrad=1)])}, "host1 lied and was not slashed"),
    ({"served": replace(SERVED, proved={})}, "request 1 was not proved"),
    ({"served": replace(SERVED, cost_ugrad=31)}, "cost 31 ugrad and was quoted at 30"),
    ({"served": replace(SERVED, session=replace(SESSION, paid_ugrad=199, refund_ugrad=801))}, "its receipts say 200"),
    ({"served": replace(SERVED, session=replace(SESSION, outcome="wrong"))}, "ended as 'wrong'"),
    ({"served": replace(SERVED, session=replace(SESSION, refund_ugrad=799))}, "other than its deposit"),
    ({"proved_balance": ProvedBalance(HONEST.address, 6, 8, "cometbft light")}, "the proved balance is 6"),
])
def test_what_is_not_as_it_should_be_is_named(changes: dict, words: str) -> None:
    found = problems(replace(good_report(), **changes))
    assert any(words in problem for problem in found), found


def test_text_must_be_known_better_than_by_a_trigram_model_and_all_rounds_trained() -> None:
    ngrams = [3_200_000, 2_500_000, 1_800_000, 1_400_000]
    figures = TextFigures(4_700_000, [2_000_000, 1_799_999], ngrams, "The ", "end")
    text = replace(good_report(), accuracy_ppm_per_round=[], text=figures)
    assert problems(text) == []
    lazy = problems(replace(text, text=replace(figures, micronats_per_round=[2_000_000, 1_800_000])))
    assert lazy == ["a character costs 1.8000 nats, a trigram model's 1.8000"]
    assert problems(replace(text, text=replace(figures, micronats_per_round=[1])))[0] == "1 of 2 rounds were trained"


def test_accuracy_must_beat_the_commonest_class_whatever_was_asked_for() -> None:
    lazy = replace(good_report(), accuracy_ppm_per_round=[200_000, 200_000])
    assert problems(lazy, accuracy_min_ppm=0) != []


def test_figures_are_shown_without_rounding_up() -> None:
    assert percent_text(999_999) == "99.99 %" and grad(1_500_000) == "1.5 grad" and grad(1) == "0.000001 grad"
    assert grad(0) == "0 grad" and grad(2_000_000) == "2 grad"
    assert (count_of(1, "node"), count_of(4, "node")) == ("1 node", "4 nodes")
