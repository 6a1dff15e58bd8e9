"""The releases of CometBFT that Gradus runs with: what pins each, and which one a binary is.

0.40.0 says of itself that it is 0.39.0. So a binary is told by the module that Go wrote into it when it was built, and
by what it says only where there is no such word.

Reads: GRADUS_COMETBFT_VERSION, binaries. Source: Go debug/buildinfo; CometBFT v0.40.0 version/version.go,
cmd/cometbft/commands/root.go, libs/cli/setup.go.
"""

from __future__ import annotations

import mmap
import os
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

from localnet.errors import EngineError

VERSION = "0.38.25"  # what is used when nobody chooses
VARIABLE = "GRADUS_COMETBFT_VERSION"
FOLDER = Path(__file__).parent / "engine"
MODULE = re.compile(rb"\n(?:mod|dep)\tgithub\.com/cometbft/cometbft\tv(\d+\.\d+\.\d+[^\t\n+]*)[^\n]*\n(=>)?")


@dataclass(frozen=True)
class Release:
    """A release. version: of the module. says: what `cometbft version` prints. go_floor: the Go that builds it."""

    version: str
    says: str
    go_floor: tuple[int, int]

    @property
    def sources(self) -> Path:
        """The folder of its go.mod and go.sum."""
        return FOLDER / f"v{self.version}"


RELEASES = {release.version: release for release in (
    Release("0.38.25", "0.38.25", (1, 24)),  # 1.24 is the first Go that knows the `tool` directive of our go.mod
    Release("0.39.4", "0.39.4", (1, 25)),
    Release("0.40.0", "0.39.0", (1, 25)),
)}
KNOWN = ", ".join(RELEASES)
MISLEADING = {release.says for release in RELEASES.values() if release.says != release.version}


def get_release(version: str) -> Release:
    """The release of a version such as 0.39.4; EngineError when Gradus does not run with it."""
    release = RELEASES.get(version.removeprefix("v"))
    if release is None:
        raise EngineError(f"Gradus does not run with CometBFT {version!r}", f"choose one of {KNOWN}")
    return release


def find_chosen(version: str | None = None) -> Release | None:
    """The release that a version, or GRADUS_COMETBFT_VERSION when None, names; None when neither does."""
    chosen = version or os.environ.get(VARIABLE)
    return get_release(chosen) if chosen else None


def engine_environment() -> dict[str, str]:
    """The environment of an engine: this process's, without what would replace its home or lines of its config.toml.

    It takes `CMTHOME` and `TMHOME` before --home, and `CMT_RPC_LADDR` or `CMTRPC_LADDR` before rpc.laddr, as it does
    with every key.
    """
    return {name: value for name, value in os.environ.items() if not name.startswith("CMT") and name != "TMHOME"}


def find_said_version(path: Path) -> str | None:
    """What `cometbft version` prints, without a commit suffix; None when it does not run."""
    try:
        done = subprocess.run([path, "version", "--home", os.devnull], capture_output=True, text=True, timeout=60,
                              env=engine_environment(), check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    word = done.stdout.strip().split("+")[0]
    return word if done.returncode == 0 and re.fullmatch(r"\d+\.\d+\.\d+\S*", word) else None


def find_module_version(path: Path) -> str | None:
    """The version of the CometBFT module in a Go binary; None when it names none, or a replaced one."""
    with open(path, "rb") as file:
        if os.fstat(file.fileno()).st_size == 0:
            return None
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            seen = MODULE.search(data)
            return seen[1].decode() if seen and not seen[2] else None


def identify(path: Path) -> Release:
    """The release that a binary is; EngineError when it does not run, or is none of those that Gradus runs with."""
    said = find_said_version(path)
    if said is None:
        raise EngineError(f"{path} does not run as CometBFT", "`PATH version` must print a version")
    module = find_module_version(path)
    if module is None and said in MISLEADING:
        raise EngineError(f"{path} says that it is CometBFT {said}, as other releases do, and not of which module it "
                          "was built", "name a binary that `go install` built, or leave it to Gradus to build one")
    version = module or said
    if version not in RELEASES:
        raise EngineError(f"{path} is CometBFT {version}, Gradus runs with {KNOWN}",
                          "name another binary, or unset GRADUS_COMETBFT to have the right one built")
    return RELEASES[version]
