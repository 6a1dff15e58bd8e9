"""Records what real engines signed and proved: `python -m tests.clients.light.record` writes the files beside this one.

`changing.json`: one validator under the engine's own kvstore, which takes validator updates: sets of one to four
validators of changing power, most of whom never vote. `gradus.json`: four validators with the real application, and
its answers about records that are there and that are not. Tests read the files; nothing runs this but a person.
"""

import base64
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from abci_app.client.rpc import Rpc
from abci_app.wire.address import decode_address
from abci_app.x.bank.keys import balance_key
from localnet.claims import PortClaim
from localnet.engine import find_engine
from localnet.genesis import new_composer
from localnet.network import Localnet
from localnet.ports import choose_random

FOLDER = Path(__file__).parent
BLOCKS = 16
CHANGES = ((0, 1), (1, 1), (2, 1), (3, 1), (0, 0), (1, 2), (2, 0), (0, "01"))  # a third of the power would halt it


def record_blocks(rpc: Rpc, heights: range) -> list[dict[str, Any]]:
    """Each height's commit and validators, as the node words them."""
    return [{"height": height, "commit": rpc.commit(height), "validators": rpc.validators(height)}
            for height in heights]


def wait_height(rpc: Rpc, height: int) -> None:
    """Until the node has it."""
    while rpc.status().height < height:
        time.sleep(0.1)


def record_changing() -> dict[str, Any]:
    """A chain of the engine's kvstore whose validators change with almost every block."""
    engine = find_engine()
    with tempfile.TemporaryDirectory() as home:
        words = [str(engine.path), "--home", home]
        subprocess.run([*words, "init", "--log_level", "error"], check=True, stdout=subprocess.DEVNULL)
        claim = PortClaim()
        port = choose_random(2, claim)
        node = subprocess.Popen([*words, "start", "--proxy_app", "kvstore", "--log_level", "error",
                                 "--rpc.laddr", f"tcp://127.0.0.1:{port}", "--p2p.laddr",
                                 f"tcp://127.0.0.1:{port + 1}"], stdout=subprocess.DEVNULL)
        try:
            with Rpc(f"http://127.0.0.1:{port}") as rpc:
                time.sleep(5)
                wait_height(rpc, 2)
                for index, power in CHANGES:
                    secret = Ed25519PrivateKey.from_private_bytes(bytes([index + 1]) * 32)
                    key = base64.b64encode(secret.public_key().public_bytes_raw()).decode()
                    taken = rpc.broadcast_tx(f"val=ed25519!{key}!{power}".encode())
                    if taken.code:
                        raise SystemExit(f"the engine refuses a validator update: {taken}")
                    wait_height(rpc, rpc.status().height + 1)
                wait_height(rpc, BLOCKS)
                return {"engine": rpc.status().version, "chain_id": rpc.status().chain_id,
                        "blocks": record_blocks(rpc, range(1, BLOCKS + 1))}
        finally:
            node.terminate()
            node.wait()
            claim.release()


def record_gradus() -> dict[str, Any]:
    """Four validators with the application; keys of its stores with the answers to both paths."""
    with tempfile.TemporaryDirectory() as folder, \
            Localnet.new(Path(folder) / "net", 4, base_port=0, compose=new_composer(), engine=find_engine()) as net:
        net.wait_height(8)
        rpc = net.rpcs[0]
        present = [balance_key(decode_address(node.operator), "ugrad") for node in net.manifest.nodes]
        absent = [b"\x02\x14" + bytes([value]) * 20 + b"ugrad" for value in (0, 17, 255)] + [b"\x00\x00", b"\xff" * 30]
        answers = [{"path": path, "key": key.hex(), "answer": rpc.call("abci_query", path=path, data=key.hex(),
                                                                       height="6", prove=True)}
                   for path in ("store/bank/key", "/store/bank/key") for key in (*present, *absent)
                   if key in present or not path.startswith("/")]
        return {"engine": rpc.status().version, "chain_id": net.manifest.chain_id,
                "blocks": record_blocks(rpc, range(1, 9)), "answers": answers}


def main() -> None:
    """Write the files that are named, both by default."""
    records = {"changing": record_changing, "gradus": record_gradus}
    for name, record in [(name, records[name]) for name in sys.argv[1:] or sorted(records)]:
        (FOLDER / f"{name}.json").write_text(json.dumps(record(), indent=1) + "\n")


if __name__ == "__main__":
    main()
