"""config.toml: what is written can be read, and what cannot be used is named."""

import tomllib
from pathlib import Path

import pytest

from localnet.config import Settings, compute_config, get_wiring, replace_value
from localnet.errors import HomeError

SETTINGS = Settings("node0", 26657, 26656, "unix:///tmp/a b/app.sock", ("aa@127.0.0.1:26666",))


def written(folder: Path, text: str) -> Path:
    path = folder / "config.toml"
    path.write_text(text)
    return path


def test_config_is_toml_that_listens_on_loopback_alone() -> None:
    values = tomllib.loads(compute_config(SETTINGS))
    assert values["rpc"]["laddr"] == "tcp://127.0.0.1:26657"
    assert values["p2p"]["laddr"] == "tcp://127.0.0.1:26656"
    assert values["rpc"]["cors_allowed_origins"] == []
    assert values["rpc"]["pprof_laddr"] == ""
    assert values["instrumentation"]["prometheus"] is False
    assert "0.0.0.0" not in compute_config(SETTINGS)


def test_config_lets_loopback_peers_find_each_other() -> None:
    p2p = tomllib.loads(compute_config(SETTINGS))["p2p"]
    assert (p2p["addr_book_strict"], p2p["allow_duplicate_ip"], p2p["pex"]) == (False, True, False)
    assert p2p["persistent_peers"] == "aa@127.0.0.1:26666"


def test_wiring_is_what_was_written(tmp_path: Path) -> None:
    wiring = get_wiring(written(tmp_path, compute_config(SETTINGS)))
    assert (wiring.moniker, wiring.rpc_port, wiring.p2p_port) == ("node0", 26657, 26656)
    assert wiring.socket == Path("/tmp/a b/app.sock")


def test_app_inside_the_engine_has_no_socket(tmp_path: Path) -> None:
    text = replace_value(compute_config(SETTINGS), "", "proxy_app", "kvstore")
    assert get_wiring(written(tmp_path, text)).socket is None


@pytest.mark.parametrize(("section", "key", "value", "named"), [
    ("", "proxy_app", "tcp://127.0.0.1:26658", "proxy_app"),
    ("", "proxy_app", "", "proxy_app"),
    ("", "moniker", 7, "moniker"),
    ("rpc", "laddr", "tcp://0.0.0.0:26657", "rpc.laddr"),
    ("rpc", "laddr", "tcp://127.0.0.1:0", "rpc.laddr"),
    ("p2p", "laddr", "tcp://127.0.0.1:65536", "p2p.laddr"),
    ("p2p", "laddr", ["tcp://127.0.0.1:1"], "p2p.laddr"),
])
def test_unusable_setting_is_named_with_its_file_and_a_hint(
        tmp_path: Path, section: str, key: str, value: object, named: str) -> None:
    path = written(tmp_path, replace_value(compute_config(SETTINGS), section, key, value))
    with pytest.raises(HomeError) as caught:
        get_wiring(path)
    assert str(path) in caught.value.text
    assert named in caught.value.text
    assert caught.value.hint


@pytest.mark.parametrize(("section", "line", "named"), [
    ("rpc", 'grpc_laddr = "tcp://0.0.0.0:9090"', "rpc.grpc_laddr"),
    ("rpc", 'grpc_laddr = "tcp://:9090"', "rpc.grpc_laddr"),
    ("rpc", 'GRPC_laddr = "tcp://10.0.0.1:9090"', "rpc.grpc_laddr"),
    ("rpc", "grpc_laddr = 9090", "rpc.grpc_laddr"),
    ("rpc", 'pprof_laddr = ":6060"', "rpc.pprof_laddr"),
    ("rpc", 'pprof_laddr = "localhost.example:6060"', "rpc.pprof_laddr"),
    ("", 'priv_validator_laddr = "tcp://0.0.0.0:26659"', "priv_validator_laddr"),
    ("instrumentation", 'prometheus = true\nprometheus_listen_addr = "0.0.0.0:26660"', "prometheus_listen_addr"),
    ("instrumentation", "prometheus = true", "prometheus_listen_addr"),
])
def test_listener_that_others_could_reach_is_refused(tmp_path: Path, section: str, line: str, named: str) -> None:
    path = written(tmp_path, with_line(section, line))
    with pytest.raises(HomeError) as caught:
        get_wiring(path)
    assert str(path) in caught.value.text and named in caught.value.text
    assert caught.value.hint


@pytest.mark.parametrize(("section", "line"), [
    ("rpc", 'grpc_laddr = ""'),
    ("rpc", 'grpc_laddr = "tcp://127.0.0.1:9090"'),
    ("rpc", 'grpc_laddr = "unix:///tmp/grpc.sock"'),
    ("rpc", 'pprof_laddr = "localhost:6060"'),
    ("", 'priv_validator_laddr = "unix:///tmp/signer.sock"'),
    ("instrumentation", 'prometheus = true\nprometheus_listen_addr = "127.0.0.1:26660"'),
    ("instrumentation", 'prometheus = false\nprometheus_listen_addr = ":26660"'),
])
def test_listener_of_this_machine_alone_or_none_is_taken(tmp_path: Path, section: str, line: str) -> None:
    assert get_wiring(written(tmp_path, with_line(section, line))).rpc_port == 26657


def with_line(section: str, lines: str) -> str:
    """A configuration with more lines in a section, in place of those that set the same keys."""
    keys = [line.partition(" =")[0].lower() for line in lines.splitlines()]
    kept = [line for line in compute_config(SETTINGS).splitlines() if line.partition(" =")[0] not in keys]
    place = kept.index(f"[{section}]") + 1 if section else 0
    return "\n".join([*kept[:place], lines, *kept[place:], ""])


@pytest.mark.parametrize("text", ["moniker = \n", "[rpc\n", "\x00"])
def test_malformed_toml_is_named_with_its_line(tmp_path: Path, text: str) -> None:
    with pytest.raises(HomeError, match="line 1"):
        get_wiring(written(tmp_path, text))


def test_missing_config_says_how_to_get_one(tmp_path: Path) -> None:
    with pytest.raises(HomeError, match="gradus localnet up"):
        get_wiring(tmp_path / "config.toml")


def test_replacing_a_value_leaves_every_other_line() -> None:
    before = "# mine\n[rpc]\nladdr = \"a\" # here\n[p2p]\n  laddr = \"b\"\n"
    assert replace_value(before, "p2p", "laddr", "c") == "# mine\n[rpc]\nladdr = \"a\" # here\n[p2p]\nladdr = \"c\"\n"


def test_replacing_an_absent_value_is_refused() -> None:
    with pytest.raises(HomeError, match="p2p.seeds"):
        replace_value("[rpc]\nseeds = 1\n[p2p]\n", "p2p", "seeds", 2)


@pytest.mark.parametrize("text", ["200", "1h", "fast", "-1s", "1 s", ""])
def test_duration_that_the_engine_would_refuse_is_refused_here(text: str) -> None:
    with pytest.raises(HomeError, match="duration"):
        compute_config(Settings("n", 1, 2, "kvstore", timeout_commit=text))
