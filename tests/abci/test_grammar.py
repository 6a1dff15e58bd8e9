"""The checker of call orders takes what the protocol allows and names the first call that it does not."""

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from abci_app.abci.trace import LETTERS
from tests.abci.engine import Node
from tests.abci.grammar import COMMITTED, EMPTY, NAMES, UNKNOWN, GrammarBroken, check_life, check_trace, main

GOOD = [
    "", "i", "iI", "iIprfC", "iIfCfCfC",                      # a beginning, cut anywhere
    "iIprfCrfCprrprfC", "iIrrrprfC",                           # rounds of proposers and others, several a height
    "iIppfC", "iIfC",                                          # a proposer that does not process; Process skipped
    "iIprxvvfCvrvxvfC",                                        # precommits say something
    "iIprfC\niprfC", "iIprf\niIfC",              # lives that end between FinalizeBlock and Commit
    "i\ni\niI\niI\niIf\niIfC\nifCfC",                          # InitChain as often as nothing was committed
    "iIfC\niIfC",                                              # died in its first Commit
    "qicIcqprclsfqqCcccccprfC", "iiqIifiC",                    # calls that may come at any time
    "o", "oaaa", "oooaaaoaaaifCfC", "loaaqaqifC", "ooaaii",    # a snapshot, after others that were refused
    "oaaa\noaaaifCprfC\nifC", "oa\niIfC", "oaai\nifC",         # died while restoring
]
BAD = [
    ("I", "life 1, call 1: init_chain"),
    ("fC", "life 1, call 1: finalize_block"),
    ("iIprf\nifC", "life 2, call 2: finalize_block"),
    ("ifC", "life 1, call 2: finalize_block"),                 # a new home without InitChain
    ("iprfC", "life 1, call 2: prepare_proposal"),
    ("iII", "life 1, call 3: init_chain"),
    ("iIC", "life 1, call 3: commit"),
    ("iIprCf", "life 1, call 5: commit"),
    ("iIffC", "life 1, call 4: finalize_block"),
    ("iIfpC", "life 1, call 4: prepare_proposal"),
    ("iIfCC", "life 1, call 5: commit"),
    ("iIfCI", "life 1, call 5: init_chain"),
    ("iIqfqcCqpcCq", "life 1, call 11: commit"),
    ("iIfCfC\niI", "life 2, call 2: init_chain"),              # after a Commit that was done
    ("iIfCfC\nfC", "life 2, call 1: finalize_block"),          # no handshake
    ("iIfCfC\noai", "life 2, call 1: offer_snapshot"),
    ("a", "life 1, call 1: apply_snapshot_chunk"),
    ("oafC", "life 1, call 3: finalize_block"),
    ("oaiI", "life 1, call 4: init_chain"), ("oaifCo", "life 1, call 6: offer_snapshot"),
    ("oifC", "life 1, call 3: finalize_block"), ("iIo", "life 1, call 3: offer_snapshot"),
    ("ixI", "life 1, call 2: extend_vote"), ("iIfvC", "life 1, call 4: verify_vote_extension"),
    ("iIzfC", "life 1: no call ('z')"),
]


@pytest.mark.parametrize("trace", GOOD)
def test_orders_of_the_protocol_are_taken(trace: str) -> None:
    assert check_trace(trace) == len(trace.replace("\n", ""))


@pytest.mark.parametrize(("trace", "said"), BAD)
def test_other_orders_are_refused_at_their_first_wrong_call(trace: str, said: str) -> None:
    with pytest.raises(GrammarBroken, match=re.escape(said)):
        check_trace(trace)


@pytest.mark.parametrize("trace", GOOD)
def test_every_beginning_of_a_good_life_is_good(trace: str) -> None:
    for end in range(len(trace)):
        check_trace(trace[:end])


@given(st.text(alphabet=sorted(LETTERS.values()), max_size=60), st.sampled_from([EMPTY, COMMITTED, UNKNOWN]))
def test_what_is_refused_stays_refused_whatever_follows(line: str, phase: "re.Pattern[str]") -> None:
    """The language holds all beginnings of its words: the reported call is the first wrong one."""
    refused = False
    for end in range(len(line) + 1):
        try:
            check_life(line[:end], phase)
        except GrammarBroken:
            refused = True
        else:
            assert not refused


def test_every_call_of_the_protocol_has_a_letter_of_its_own() -> None:
    assert len(NAMES) == len(LETTERS) == 14


def test_command_names_the_broken_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "good").write_text("\niIprfC\nifC")
    (tmp_path / "bad").write_text("\niIC")
    assert main([str(tmp_path / "good")]) == 0
    assert main([str(tmp_path / "good"), str(tmp_path / "bad")]) == 1
    said = capsys.readouterr()
    assert "good: 9 calls in 2 lives, in order" in said.out
    assert "bad: life 1, call 3: commit" in said.err


def test_calls_of_a_node_are_recorded_in_their_order(fresh: Node) -> None:
    fresh.info()
    fresh.init_chain()
    tx = fresh.send_tx("alice", "bob", 5)
    fresh.check(tx)
    assert fresh.accepts(fresh.prepare([tx]))
    fresh.block([tx])
    fresh.query("/app/version")
    assert fresh.calls() == "iIcprfCq"
    assert check_trace(fresh.calls()) == 8
