"""Logs: bounded whatever is written, readable at the end, followed across their turning over."""

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from localnet.logs import BoundedLog, Follower, previous, tail
from localnet.restart import RestartRule


@given(st.lists(st.binary(max_size=300), max_size=40))
def test_log_never_passes_its_bound_and_keeps_the_newest_bytes(tmp_path_factory: object, chunks: list[bytes]) -> None:
    path = tmp_path_factory.mktemp("logs") / "a.log"  # type: ignore[attr-defined]
    log = BoundedLog(path, bytes_max=256)
    for chunk in chunks:
        log.write(chunk)
        assert path.stat().st_size <= 256
        assert not previous(path).exists() or previous(path).stat().st_size <= 256
    log.close()
    kept = (previous(path).read_bytes() if previous(path).exists() else b"") + path.read_bytes()
    if all(len(chunk) <= 256 for chunk in chunks):
        assert b"".join(chunks).endswith(kept)


def test_reopened_log_goes_on_where_it_was(tmp_path: Path) -> None:
    for text in (b"one\n", b"two\n"):
        log = BoundedLog(tmp_path / "a.log")
        log.write(text)
        log.close()
    assert tail(tmp_path / "a.log", 5) == ["one", "two"]


def test_log_on_a_full_disk_counts_what_it_drops(tmp_path: Path) -> None:
    (tmp_path / "a.log").symlink_to("/dev/full")
    log = BoundedLog(tmp_path / "a.log")
    log.write(b"lost\n")
    assert log.dropped_bytes == 5
    log.write(b"too\n")
    assert log.dropped_bytes == 9
    log.close()


def test_log_that_cannot_be_turned_over_counts_what_it_drops_and_goes_on_later(tmp_path: Path) -> None:
    log = BoundedLog(tmp_path / "a.log", bytes_max=8)
    log.write(b"12345678")
    (tmp_path / "a.log.1").mkdir()
    log.write(b"lost")
    assert log.dropped_bytes == 4
    (tmp_path / "a.log.1").rmdir()
    log.write(b"kept")
    assert previous(tmp_path / "a.log").read_bytes() == b"12345678"
    assert ((tmp_path / "a.log").read_bytes(), log.dropped_bytes) == (b"kept", 4)
    log.close()


def test_tail_of_nothing_is_empty(tmp_path: Path) -> None:
    assert tail(tmp_path / "none.log", 5) == []


def test_tail_is_the_last_lines(tmp_path: Path) -> None:
    (tmp_path / "a.log").write_text("".join(f"line {i}\n" for i in range(1000)))
    assert tail(tmp_path / "a.log", 3) == ["line 997", "line 998", "line 999"]
    assert tail(tmp_path / "a.log", 0) == []


def test_follower_gives_whole_lines_once_across_turning_over(tmp_path: Path) -> None:
    log = BoundedLog(tmp_path / "a.log", bytes_max=16)
    log.write(b"old\n")
    follower = Follower(tmp_path / "a.log")
    assert follower.read_lines() == []
    log.write(b"ha")
    assert follower.read_lines() == []
    log.write(b"lf\nnext\n")
    assert follower.read_lines() == ["half", "next"]
    log.write(b"after turning\n")
    assert follower.read_lines() == ["after turning"]
    follower.close()
    log.close()


def test_follower_waits_for_a_log_that_does_not_exist_yet(tmp_path: Path) -> None:
    follower = Follower(tmp_path / "a.log")
    assert follower.read_lines() == []
    (tmp_path / "a.log").write_text("first\n")
    assert follower.read_lines() == ["first"]
    follower.close()


def test_restarts_wait_twice_as_long_each_time_then_give_up() -> None:
    rule = RestartRule(tries_max=4, window_s=100, first_delay_s=1, delay_max_s=3)
    assert [rule.next_delay_s(float(now)) for now in (0, 1, 2, 3, 4)] == [1, 2, 3, 3, None]


def test_node_that_stayed_up_for_the_window_starts_afresh() -> None:
    rule = RestartRule(tries_max=1, window_s=100, first_delay_s=1)
    assert rule.next_delay_s(0.0) == 1
    assert rule.next_delay_s(99.9) is None
    assert rule.next_delay_s(100.0) == 1


@given(st.lists(st.floats(0, 50), max_size=60), st.integers(0, 6))
def test_no_window_ever_sees_more_restarts_than_allowed(gaps: list[float], tries_max: int) -> None:
    rule, now, granted = RestartRule(tries_max=tries_max, window_s=60), 0.0, []
    for gap in gaps:
        now += gap
        if rule.next_delay_s(now) is not None:
            granted.append(now)
    for start in granted:
        assert sum(start <= other < start + 60 for other in granted) <= tries_max
