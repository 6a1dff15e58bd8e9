"""Finding the engine: a named binary is checked, the cache is used, a failed build says what to do."""

import hashlib
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from localnet import engine as engines
from localnet import releases
from localnet.engine import cached_path, find_engine, find_go, go_environment, sum_path
from localnet.errors import EngineError
from localnet.releases import (RELEASES, VERSION, Release, engine_environment, find_module_version, find_said_version,
                               get_release, identify)

USUAL = get_release(VERSION)


def program(path: Path, body: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o755)
    return path


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GRADUS_COMETBFT", raising=False)
    monkeypatch.delenv("GRADUS_COMETBFT_VERSION", raising=False)
    monkeypatch.setenv("GRADUS_CACHE", str(tmp_path / "cache"))


def test_named_binary_of_the_pinned_version_is_taken(tmp_path: Path) -> None:
    path = program(tmp_path / "cometbft", f"echo {VERSION}+abcdef")
    assert find_engine(path).path == path.resolve()


def test_environment_names_a_binary_and_the_option_wins_over_it(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    good = program(tmp_path / "good", f"echo {VERSION}")
    monkeypatch.setenv("GRADUS_COMETBFT", str(good))
    assert find_engine().path == good.resolve()
    with pytest.raises(EngineError, match="other"):
        find_engine(program(tmp_path / "other", "echo 0.38.24"))


@pytest.mark.parametrize("body", ["echo 0.38.24", "echo 0.39.3", "echo 1.0.1"])
def test_named_binary_of_another_version_is_refused_with_both_versions(tmp_path: Path, body: str) -> None:
    path = program(tmp_path / "cometbft", body)
    with pytest.raises(EngineError) as caught:
        find_engine(path)
    assert body.split()[1] in caught.value.text and VERSION in caught.value.text
    assert caught.value.hint


@pytest.mark.parametrize("body", [f"echo {VERSION}; exit 1", "echo hello", "exit 0", "kill -9 $$"])
def test_program_that_is_no_engine_is_refused(tmp_path: Path, body: str) -> None:
    with pytest.raises(EngineError, match="does not run as CometBFT"):
        find_engine(program(tmp_path / "cometbft", body))


def test_missing_binary_is_refused_not_built(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match="no CometBFT binary"):
        find_engine(tmp_path / "nowhere")
    assert not (tmp_path / "cache").exists()


def test_file_that_cannot_be_run_has_no_version(tmp_path: Path) -> None:
    (tmp_path / "plain").write_text("x")
    assert find_said_version(tmp_path / "plain") is None


def cached(body: str, path: Path | None = None) -> Path:
    """A binary in the cache as a build leaves it, with its sum."""
    path = program(path or cached_path(USUAL), body)
    sum_path(path).write_text(f"{hashlib.sha256(path.read_bytes()).hexdigest()}\n")
    return path


def test_cached_binary_is_used_without_a_build(monkeypatch: pytest.MonkeyPatch) -> None:
    cached(f"echo {VERSION}")
    monkeypatch.setattr(engines, "build", lambda *_: pytest.fail("it built again"))
    assert find_engine().path == cached_path(USUAL)


@pytest.mark.parametrize("damage", [
    lambda path: program(path, f"echo {VERSION}; echo other"),
    lambda path: sum_path(path).unlink(),
    lambda path: sum_path(path).write_text(""),
])
def test_cached_binary_that_is_not_what_was_built_is_never_run_and_built_again(
        monkeypatch: pytest.MonkeyPatch, damage: Callable[[Path], object]) -> None:
    damage(cached(f"echo {VERSION}"))
    monkeypatch.setattr(releases, "find_said_version", lambda _path: pytest.fail("it was run"))
    monkeypatch.setattr(engines, "build", lambda _release, _target, _report: cached(f"echo {VERSION}; echo new"))
    assert "new" in find_engine().path.read_text()


@pytest.mark.parametrize("mode", [0o775, 0o757])
def test_cached_binary_that_others_can_write_is_refused_with_what_to_do(mode: int) -> None:
    path = cached(f"echo {VERSION}")
    path.chmod(mode)
    with pytest.raises(EngineError, match="can be written by others") as caught:
        find_engine()
    assert str(path) in caught.value.text and "chmod" in caught.value.hint


def test_cache_folder_that_others_can_write_is_refused_with_what_to_do() -> None:
    path = cached(f"echo {VERSION}")
    path.parent.chmod(0o777)
    with pytest.raises(EngineError, match="can be written by others") as caught:
        find_engine()
    assert str(path.parent) in caught.value.text and "chmod" in caught.value.hint


def test_build_under_a_lenient_umask_leaves_a_binary_that_is_used(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program(tmp_path / "bin" / "go", f"""
        if [ "$1" = env ]; then echo go1.26.0; exit; fi
        while [ "$1" != -o ]; do shift; done
        printf '#!/bin/sh\\necho {VERSION}\\n' > "$2"; chmod 777 "$2" """)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}{os.pathsep}/usr/bin{os.pathsep}/bin")
    before = os.umask(0)
    try:
        built = find_engine().path
        monkeypatch.setattr(engines, "build", lambda *_: pytest.fail("it built again"))
        assert find_engine().path == built
    finally:
        os.umask(before)


def test_other_pins_are_another_binary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = cached_path(USUAL)
    shutil.copytree(USUAL.sources, tmp_path / USUAL.sources.name)
    with open(tmp_path / USUAL.sources.name / "go.sum", "a") as file:
        file.write("\n")
    monkeypatch.setattr(releases, "FOLDER", tmp_path)
    assert cached_path(USUAL) != before
    assert VERSION in cached_path(USUAL).name


@pytest.mark.parametrize("release", RELEASES.values(), ids=list(RELEASES))
def test_pinned_sources_are_of_the_version_that_is_checked(release: Release) -> None:
    text = (release.sources / "go.mod").read_text()
    assert f"github.com/cometbft/cometbft v{release.version} " in text
    assert f"tool {engines.PACKAGE}\n" in text
    assert f"github.com/cometbft/cometbft v{release.version} h1:" in (release.sources / "go.sum").read_text()
    assert tuple(map(int, text.split("\ngo ")[1].split()[0].split(".")[:2])) == release.go_floor


def test_each_release_has_a_place_of_its_own_in_the_cache() -> None:
    assert len({cached_path(release) for release in RELEASES.values()}) == len(RELEASES)


def test_release_is_chosen_by_argument_then_by_environment_then_by_the_network(
        monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engines, "build", lambda release, target, _report: cached(f"echo {release.says}", target))
    assert find_engine().version == "0.38.25"
    assert find_engine(usual="0.39.4").version == "0.39.4"
    monkeypatch.setenv("GRADUS_COMETBFT_VERSION", "v0.40.0")
    found = find_engine(usual="0.39.4")
    assert (found.version, found.path) == ("0.40.0", cached_path(get_release("0.40.0")))
    assert find_engine(version="0.39.4").version == "0.39.4"


@pytest.mark.parametrize("version", ["0.39.0", "1.0.1", "newest"])
def test_release_that_is_none_of_ours_is_refused_with_those_that_are(version: str) -> None:
    with pytest.raises(EngineError, match="does not run with") as caught:
        find_engine(version=version)
    assert "0.38.25, 0.39.4, 0.40.0" in caught.value.hint


def test_named_binary_that_is_not_the_chosen_release_is_refused(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = program(tmp_path / "cometbft", "echo 0.39.4")
    assert find_engine(path).version == find_engine(path, version="0.39.4").version == "0.39.4"
    monkeypatch.setenv("GRADUS_COMETBFT_VERSION", "0.38.25")
    with pytest.raises(EngineError, match="is CometBFT 0.39.4, and 0.38.25 is asked for"):
        find_engine(path)


def go_binary(path: Path, says: str, *modules: str) -> Path:
    """A program that says a version, with the lines of Go's build information in it."""
    program(path, f"echo {says}; exit")
    with open(path, "a") as file:
        file.write("\n".join(["path\tcommand-line", *modules, "build\t-compiler=gc", ""]))
    return path


@pytest.mark.parametrize("line", [
    "dep\tgithub.com/cometbft/cometbft\tv0.40.0\th1:abc=",
    "mod\tgithub.com/cometbft/cometbft\tv0.40.0\th1:abc=",
    "mod\tgithub.com/cometbft/cometbft\tv0.40.0+dirty\t",
])
def test_binary_that_says_0_39_0_and_was_built_of_0_40_0_is_0_40_0(tmp_path: Path, line: str) -> None:
    path = go_binary(tmp_path / "cometbft", "0.39.0", "dep\tgithub.com/cometbft/cometbft-db\tv0.14.1\th1:a=", line)
    assert identify(path) == get_release("0.40.0")


@pytest.mark.parametrize("lines", [
    [],
    ["mod\tgithub.com/cometbft/cometbft\t(devel)\t"],
    ["dep\tgithub.com/cometbft/cometbft\tv0.40.0", "=>\texample.com/fork\tv0.40.0\th1:abc="],
])
def test_binary_that_says_0_39_0_and_not_what_it_was_built_of_is_refused(tmp_path: Path, lines: list[str]) -> None:
    path = go_binary(tmp_path / "cometbft", "0.39.0", *lines)
    assert find_module_version(path) is None
    with pytest.raises(EngineError, match="not of which module") as caught:
        identify(path)
    assert caught.value.hint


def test_binary_built_of_a_release_that_is_none_of_ours_is_refused(tmp_path: Path) -> None:
    path = go_binary(tmp_path / "cometbft", "0.39.0", "mod\tgithub.com/cometbft/cometbft\tv0.39.0\th1:abc=")
    with pytest.raises(EngineError, match=r"is CometBFT 0\.39\.0, Gradus runs with"):
        identify(path)


def test_variables_that_would_override_a_home_do_not_reach_the_engine(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("CMTHOME", "TMHOME", "CMT_RPC_LADDR", "CMTRPC_LADDR"):
        monkeypatch.setenv(name, "0.39.4")
    monkeypatch.setenv("FAIL_TEST_INDEX", "3")
    monkeypatch.setenv("TMPDIR", "/tmp")
    kept = engine_environment()
    assert not [name for name in kept if name.startswith("CMT")] and "TMHOME" not in kept
    assert (kept["FAIL_TEST_INDEX"], kept["TMPDIR"]) == ("3", "/tmp")
    assert identify(program(tmp_path / "cometbft", f"echo ${{CMTHOME:-{VERSION}}}")) == USUAL


def test_go_that_is_too_old_or_absent_is_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    environment = go_environment(tmp_path)
    assert find_go(environment, (1, 24)) is None
    program(tmp_path / "go", "echo go1.23.9")
    assert find_go(environment, (1, 24)) is None
    program(tmp_path / "go", "echo go1.24.0")
    assert find_go(environment, (1, 24)) == tmp_path / "go"
    assert find_go(environment, (1, 25)) is None


def test_failed_build_leaves_nothing_and_tells_what_go_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program(tmp_path / "bin" / "go",
            'case "$1" in env) echo go1.26.0;; *) echo "dial tcp: no such host" >&2; exit 1;; esac')
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}{os.pathsep}/usr/bin{os.pathsep}/bin")
    with pytest.raises(EngineError) as caught:
        find_engine()
    assert "dial tcp: no such host" in caught.value.text
    assert "GOPROXY" in caught.value.hint
    assert [p.name for p in cached_path(USUAL).parent.iterdir()] == [".lock"]


def test_module_that_differs_from_its_checksum_is_named_as_such(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program(tmp_path / "bin" / "go",
            'case "$1" in env) echo go1.26.0;; *) echo "verifying m: checksum mismatch" >&2; exit 1;; esac')
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}{os.pathsep}/usr/bin{os.pathsep}/bin")
    with pytest.raises(EngineError) as caught:
        find_engine()
    assert "checksum" in caught.value.hint


def test_two_processes_that_need_the_engine_at_once_build_it_once(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a Go that takes its time, counts its runs, and writes a program that says the right version."""
    program(tmp_path / "bin" / "go", f"""
        if [ "$1" = env ]; then echo go1.26.0; exit; fi
        echo run >> {tmp_path}/runs; sleep 0.5
        while [ "$1" != -o ]; do shift; done
        printf '#!/bin/sh\\necho {VERSION}\\n' > "$2"; chmod +x "$2" """)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}{os.pathsep}/usr/bin{os.pathsep}/bin")
    script = "from localnet.engine import find_engine; print(find_engine().path)"
    both = [subprocess.Popen([sys.executable, "-c", script], cwd=Path(__file__).parents[3], text=True,
                             stdout=subprocess.PIPE) for _ in range(2)]
    found = [process.communicate(timeout=60)[0].strip() for process in both]
    assert found == [str(cached_path(USUAL))] * 2
    assert (tmp_path / "runs").read_text() == "run\n"
    kept = [".lock", cached_path(USUAL).name, sum_path(cached_path(USUAL)).name]
    assert sorted(p.name for p in cached_path(USUAL).parent.iterdir()) == kept


def test_remains_of_a_killed_build_are_swept_by_the_next(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program(tmp_path / "bin" / "go", 'case "$1" in env) echo go1.26.0;; *) exit 1;; esac')
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}{os.pathsep}/usr/bin{os.pathsep}/bin")
    folder = cached_path(USUAL).parent
    program(folder / "unfinished.1", "exit 0")
    (folder / "toolchain.1" / "go").mkdir(parents=True)
    with pytest.raises(EngineError):
        find_engine()
    assert [p.name for p in folder.iterdir()] == [".lock"]


SLOW_GO = """
    case "$1" in env) echo go1.26.0; exit;; esac
    echo temporary > "$GOTMPDIR/go-build1"; echo temporary > "$TMPDIR/other"
    sleep 600 & echo $! > "$PIDS"; wait"""


def wait_for(path: Path) -> str:
    deadline_s = time.monotonic() + 30
    while not (path.exists() and path.read_text().strip()):
        assert time.monotonic() < deadline_s, f"{path} did not appear"
        time.sleep(0.05)
    return path.read_text().strip()


def is_alive(pid: int) -> bool:
    """Whether a process runs; one that ended and was not waited for does not."""
    try:
        return ") Z " not in Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return False


def find_in_another_process(**variables: str) -> "subprocess.Popen[str]":
    script = ("import signal; signal.signal(signal.SIGINT, signal.default_int_handler)\n"
              "from localnet.engine import find_engine; print(find_engine().path)")
    return subprocess.Popen([sys.executable, "-c", script], cwd=Path(__file__).parents[3], text=True,
                            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env={**os.environ, **variables})


def test_interrupted_build_leaves_neither_files_nor_compilers(tmp_path: Path) -> None:
    program(tmp_path / "bin" / "go", SLOW_GO)
    for name in ("tmp", "home"):
        (tmp_path / name).mkdir()
    finder = find_in_another_process(PATH=f"{tmp_path / 'bin'}{os.pathsep}/usr/bin{os.pathsep}/bin",
                                     PIDS=str(tmp_path / "pid"), TMPDIR=str(tmp_path / "tmp"),
                                     HOME=str(tmp_path / "home"))
    compiler = int(wait_for(tmp_path / "pid"))
    finder.send_signal(signal.SIGINT)
    finder.communicate(timeout=30)
    assert finder.returncode != 0
    assert not is_alive(compiler)
    assert [path.name for path in cached_path(USUAL).parent.iterdir()] == [".lock"]
    assert list((tmp_path / "tmp").iterdir()) == list((tmp_path / "home").iterdir()) == []


def test_toolchain_that_was_fetched_is_kept_by_an_interrupted_build_and_dropped_by_a_good_one(tmp_path: Path) -> None:
    """With a pip that unpacks a Go which first takes too long and then builds."""
    program(tmp_path / "first", SLOW_GO.replace("sleep 600", 'mkdir -p "$GOMODCACHE"; sleep 600'))
    program(tmp_path / "then", f"""
        [ -d "$GOMODCACHE" ] || exit 1
        while [ "$1" != -o ]; do shift; done
        printf '#!/bin/sh\\necho {VERSION}\\n' > "$2"; chmod +x "$2" """)
    shutil.copy(tmp_path / "first", tmp_path / "go")
    (tmp_path / "lib" / "pip").mkdir(parents=True)
    (tmp_path / "lib" / "pip" / "__init__.py").touch()
    (tmp_path / "lib" / "pip" / "__main__.py").write_text(
        "import os, pathlib, sys\n"
        f"open({str(tmp_path / 'fetches')!r}, 'a').write('fetch\\n')\n"
        "go = pathlib.Path(sys.argv[sys.argv.index('--target') + 1]) / 'go' / 'bin' / 'go'\n"
        "go.parent.mkdir(parents=True)\n"
        f"go.symlink_to({str(tmp_path / 'go')!r})\n")
    variables = {"PATH": "/usr/bin:/bin", "PYTHONPATH": str(tmp_path / "lib"), "PIDS": str(tmp_path / "pid")}
    finder = find_in_another_process(**variables)
    wait_for(tmp_path / "pid")
    finder.send_signal(signal.SIGINT)
    finder.communicate(timeout=30)
    assert not [path for path in cached_path(USUAL).parent.iterdir() if path.name.startswith("unfinished")]
    shutil.copy(tmp_path / "then", tmp_path / "go")
    again = find_in_another_process(**variables)
    assert again.communicate(timeout=30)[0].strip() == str(cached_path(USUAL))
    assert (tmp_path / "fetches").read_text() == "fetch\n"
    kept = [".lock", cached_path(USUAL).name, sum_path(cached_path(USUAL)).name]
    assert sorted(path.name for path in cached_path(USUAL).parent.iterdir()) == kept


def test_go_leaves_the_configuration_of_its_user_alone_but_reads_it(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    go = shutil.which("go")
    if go is None:
        pytest.skip("no Go on PATH")
    monkeypatch.delenv("GOENV", raising=False)
    monkeypatch.delenv("GOPROXY", raising=False)
    (tmp_path / "user" / "go").mkdir(parents=True)
    (tmp_path / "user" / "go" / "env").write_text("GOPROXY=https://proxy.example\n")
    (tmp_path / "scratch").mkdir()
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "user"))
    said = subprocess.run([go, "env", "GOPROXY"], env=go_environment(tmp_path / "scratch"), text=True,
                          capture_output=True, check=True)
    assert said.stdout.strip() == "https://proxy.example"
    assert sorted(path.name for path in (tmp_path / "user").rglob("*")) == ["env", "go"]
