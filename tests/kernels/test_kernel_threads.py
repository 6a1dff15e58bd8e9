"""Work cut over threads: every span once, the first exception, no deadlock."""

from __future__ import annotations

import os
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_kernel_backends import POISON

from kernels import threads
from kernels.gemm import engine

BIG = 2**40


@POISON
@given(total=st.integers(0, 300), step=st.integers(1, 40), cost=st.sampled_from((0, 2**20, 2**21, 2**22, BIG)),
       count=st.sampled_from(("1", "2", "3", "7")))
def test_spans_are_the_whole_range_once_in_whole_steps(
    monkeypatch: pytest.MonkeyPatch, total: int, step: int, cost: int, count: str
) -> None:
    monkeypatch.setenv(engine.THREADS_VARIABLE, count)
    spans: list[tuple[int, int]] = []
    threads.run_spans(total, step, cost, lambda begin, end: spans.append((begin, end)))
    spans.sort()
    assert [index for begin, end in spans for index in range(begin, end)] == list(range(total))
    assert all((end - begin) % step == 0 for begin, end in spans[:-1])
    assert len(spans) <= max(1, min(int(count), cost // threads.SPAN_COST_MIN))


def test_large_work_runs_on_several_threads_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(engine.THREADS_VARIABLE, "3")
    meeting = threading.Barrier(3, timeout=60)
    threads.run_spans(3, 1, BIG, lambda begin, end: meeting.wait())


@pytest.mark.parametrize("bad", [0, 1, 2])
def test_exception_of_any_span_is_raised_when_no_span_runs_any_more(monkeypatch: pytest.MonkeyPatch, bad: int) -> None:
    monkeypatch.setenv(engine.THREADS_VARIABLE, "3")
    running = []

    def work(begin: int, end: int) -> None:
        running.append(begin)
        try:
            if begin == bad:
                raise ValueError(f"span {begin}")
            threading.Event().wait(0.02)
        finally:
            running.remove(begin)

    with pytest.raises(ValueError, match=f"span {bad}"):
        threads.run_spans(3, 1, BIG, work)
    assert not running


def test_work_that_cuts_its_own_work_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(engine.THREADS_VARIABLE, "2")
    done: list[tuple[int, int]] = []

    def work(begin: int, end: int) -> None:
        threads.run_spans(end - begin, 1, BIG, lambda first, last: done.append((begin + first, begin + last)))

    threads.run_spans(8, 1, BIG, work)
    assert sorted(index for begin, end in done for index in range(begin, end)) == list(range(8))


def test_busy_pool_delays_no_caller(monkeypatch: pytest.MonkeyPatch) -> None:
    """A span that no thread has begun is done by the thread that asked for it."""
    monkeypatch.setenv(engine.THREADS_VARIABLE, "2")
    release, begun = threading.Event(), threading.Event()

    def hold(begin: int, end: int) -> None:
        if begin:
            begun.set()
            assert release.wait(60)

    holder = threading.Thread(target=threads.run_spans, args=(2, 1, BIG, hold))
    holder.start()
    try:
        assert begun.wait(60)
        done: list[int] = []
        threads.run_spans(2, 1, BIG, lambda begin, end: done.append(begin))
        assert sorted(done) == [0, 1]
    finally:
        release.set()
        holder.join()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
def test_forked_process_has_threads_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(engine.THREADS_VARIABLE, "2")
    threads.run_spans(2, 1, BIG, lambda begin, end: None)
    process = os.fork()
    if not process:
        meeting = threading.Barrier(2, timeout=60)
        try:
            threads.run_spans(2, 1, BIG, lambda begin, end: meeting.wait())
            os._exit(0)
        finally:
            os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]) == 0
