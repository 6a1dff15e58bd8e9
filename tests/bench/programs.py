"""The Go programs of the comparison, built once from pinned sources: the stock kvstore and a stock Cosmos SDK chain.

Needs Go on PATH, and for the SDK chain a C compiler. Sources: localnet/engine/v*/go.mod (`abci-cli kvstore`, of the
module that the engine itself is built of), gosdk/go.mod (wasmd, with engine 0.38.25 in it and our address prefix).
Writes: `<cache>/bench/`.
"""

import hashlib
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from abci_app.wire.address import ACCOUNT_PREFIX
from localnet.engine import Engine, cache_dir
from localnet.releases import get_release

GOSDK_SOURCES = Path(__file__).parent / "gosdk"
KVSTORE_PACKAGE = "github.com/cometbft/cometbft/abci/cmd/abci-cli"
GOSDK_PACKAGE = "github.com/CosmWasm/wasmd/cmd/wasmd"


class ProgramMissing(Exception):
    """A program of the comparison cannot be built here."""


def find_kvstore(engine: Engine) -> Path:
    """`abci-cli` of the engine's own module. Raises ProgramMissing."""
    return find_program("abci-cli", get_release(engine.version).sources, KVSTORE_PACKAGE, {"CGO_ENABLED": "0"}, "-s -w")


def find_gosdk() -> Path:
    """`wasmd` with our address prefix. Raises ProgramMissing."""
    if shutil.which(os.environ.get("CC", "gcc")) is None:
        raise ProgramMissing("wasmd is linked with a C library: install a C compiler, or leave it out")
    return find_program("wasmd", GOSDK_SOURCES, GOSDK_PACKAGE, {"CGO_ENABLED": "1"},
                        f"-s -w -X github.com/CosmWasm/wasmd/app.Bech32Prefix={ACCOUNT_PREFIX}")


def find_program(name: str, sources: Path, package: str, settings: dict[str, str], flags: str) -> Path:
    """A cached program, built when it is not there. Raises ProgramMissing with what Go said."""
    pins = b"".join((sources / file).read_bytes() for file in ("go.mod", "go.sum"))
    target = cache_dir() / "bench" / f"{name}-{hashlib.sha256(pins + flags.encode()).hexdigest()[:16]}"
    if target.is_file():
        return target
    go = shutil.which("go")
    if go is None:
        raise ProgramMissing(f"{name} is built with Go, which is not on PATH")
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent) as folder:
        built = Path(folder) / name
        done = subprocess.run(
            [go, "build", "-trimpath", "-buildvcs=false", f"-ldflags={flags}", "-o", str(built), package], cwd=sources,
            env={**os.environ, "GOFLAGS": "-mod=readonly", "GOWORK": "off", **settings}, text=True,
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, check=False)
        if done.returncode:
            raise ProgramMissing(f"{name} does not build:\n" + "\n".join(done.stderr.splitlines()[-8:]))
        os.replace(built, target)
    return target


def describe_go() -> str:
    """The version of Go on PATH."""
    done = subprocess.run(["go", "env", "GOVERSION"], capture_output=True, text=True, check=False)
    return done.stdout.strip()
