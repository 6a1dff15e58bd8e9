"""What a home trusts: for each chain the root and the newest verified block, in `<home>/light/<chain id>.json`.

A file is replaced whole or not at all. What is read back is checked as strictly as what a node says, signatures too,
so a damaged file is told and not believed; who may write to the folder decides what this user believes.
"""

import json
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote, unquote

from abci_app.client.light.blocks import LightBlock
from abci_app.client.light.blocks_json import Json, read_light_block, write_light_block
from abci_app.client.light.client import Trust
from abci_app.client.light.errors import LightError, TrustDamaged
from abci_app.client.light.verify import check_light_block
from abci_app.client.private import put_names

FOLDER = "light"
SUFFIX = ".json"
FORMAT = 1
FILE_BYTES_MAX = 64 << 20
RESET = "forget it: gradus light reset CHAIN_ID; then trust a block anew"


class TrustStore:
    """The trusted blocks of a home."""

    def __init__(self, home: Path) -> None:
        self.folder = home.expanduser() / FOLDER

    def path(self, chain_id: str) -> Path:
        """The file of a chain; whatever its name is, the file is in this folder."""
        return self.folder / (quote(chain_id, safe="") + SUFFIX)

    def find(self, chain_id: str) -> Trust | None:
        """What is trusted of a chain, None when nothing is. Raises TrustDamaged, OSError."""
        path = self.path(chain_id)
        try:
            with open(path, "rb") as file:
                data = file.read(FILE_BYTES_MAX + 1)
        except FileNotFoundError:
            return None
        try:
            return _read_trust(json.loads(data), chain_id)
        except (LightError, ValueError, RecursionError) as error:
            problem = error.text if isinstance(error, LightError) else "it is no JSON of this kind"
            raise TrustDamaged(f"{path} does not hold trusted blocks: {problem}", RESET) from None

    def put(self, chain_id: str, trust: Trust) -> None:
        """Keep what is trusted of a chain; on the disk when this returns. Raises OSError."""
        fields = {"format": FORMAT, "chain_id": chain_id, "root_is_given": trust.is_given,
                  "root": write_light_block(trust.root),
                  "latest": None if trust.latest is trust.root else write_light_block(trust.latest)}
        self._replace(self.path(chain_id), fields)

    def drop(self, chain_id: str) -> bool:
        """Forget a chain; False when nothing was known of it."""
        try:
            self.path(chain_id).unlink()
        except FileNotFoundError:
            return False
        return True

    def iter_chains(self) -> Iterator[str]:
        """The chains of which something is trusted, by name."""
        names = sorted(self.folder.glob("*" + SUFFIX)) if self.folder.is_dir() else []
        return (unquote(path.name.removesuffix(SUFFIX)) for path in names)

    def put_evidence(self, evidence: Json) -> Path:
        """Keep what proves a divergence in a file of its own; returns it."""
        digest = f"{evidence['primary']['hash'][:8]}-{evidence['witness']['hash'][:8]}"
        name = f"{quote(evidence['chain_id'], safe='')}-{evidence['height']}-{digest}"
        path = self.folder / "evidence" / (name + SUFFIX)
        self._replace(path, evidence)
        return path

    def _replace(self, path: Path, fields: Json) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, unfinished = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                json.dump(fields, file, indent=1)
                file.flush()
                os.fsync(file.fileno())
            os.replace(unfinished, path)
        except BaseException:
            Path(unfinished).unlink(missing_ok=True)
            raise
        put_names(path.parent)


def _read_trust(fields: object, chain_id: str) -> Trust:
    """What `put` wrote. Raises LightError."""
    if not isinstance(fields, dict) or fields.get("format") != FORMAT or fields.get("chain_id") != chain_id:
        raise LightError("it is of another format or chain")
    root = _read_block(fields.get("root"), chain_id)
    latest = root if fields.get("latest") is None else _read_block(fields["latest"], chain_id)
    return Trust(root, fields.get("root_is_given") is True, latest)


def _read_block(fields: object, chain_id: str) -> LightBlock:
    block = read_light_block(fields)
    check_light_block(block, chain_id)
    return block
