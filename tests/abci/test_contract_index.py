"""Every invariant of the contract has a statement and a test."""

import pytest

from tests.abci.invariants import iter_citations, main, read_statements

NUMBERS = list(range(1, 51))


def test_list_states_every_invariant_once_and_in_order() -> None:
    assert list(read_statements()) == NUMBERS


def test_every_invariant_has_a_test_and_every_cited_number_is_one() -> None:
    cited = {number for number, _ in iter_citations()}
    assert sorted(cited ^ set(NUMBERS)) == []


def test_table_names_the_tests_of_a_number(capsys: pytest.CaptureFixture[str]) -> None:
    main(["I41"])
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "I41: A transaction runs once"
    assert "    tests/abci/test_mempool.py::test_i41_transaction_runs_once" in lines[1:]
