"""Proofs as others verify them, told step by step: `python -m tests.clients.transcripts`.

A real network of two validators; the stock `cometbft light` proxy, `@confio/ics23` under Node.js and the client of this
project are asked about the same records. The status is 0 only when all agree.
"""

import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from abci_app.client.rpc import Rpc
from abci_app.sdk.proofs import Place, Terms, balance_place, follow, prove
from abci_app.wire.ics23 import decode_commitment
from abci_app.wire.proof import Existence
from localnet.engine import VERSION, find_engine
from localnet.genesis import new_composer
from localnet.light import LightProxy, NotProved, trust_root
from localnet.network import Localnet
from tests.clients.node import find_node, install_client

PACKAGE = Path(__file__).parent / "ics23"
NOBODY = Place("bank", b"\x02\x14" + bytes(20) + b"ugrad")


def say(text: str = "") -> None:
    """A line."""
    print(text, flush=True)


def tell_stock(net: Localnet, places: dict[str, Place]) -> dict[str, bytes | None]:
    """What the stock proxy verifies."""
    found: dict[str, bytes | None] = {}
    root = trust_root(net.rpcs[0])
    say(f"cometbft light {VERSION}: chain {net.manifest.chain_id}, trusted block {root.height} {root.hash}")
    with LightProxy(find_engine(), net.manifest.chain_id, net.rpcs[0].url, [net.rpcs[1].url], root) as proxy:
        for name in places:
            place = places[name]
            say(f"  abci_query path={place.path} data={place.key.hex()} prove=true")
            try:
                verified = proxy.abci_query(place.path, place.key)
                found[name] = verified.value
                header = proxy.rpc.commit(verified.height + 1)["signed_header"]
                say(f"    -> {name}: {verified.value.decode()} after height {verified.height}, under app hash "
                    f"{header['header']['app_hash']} of header {verified.height + 1}")
            except NotProved as error:
                found[name] = None
                say(f"    -> {name}: {error.text[:150]}")
    return found


def tell_ics23(rpc: Rpc, places: dict[str, Place]) -> dict[str, bytes | None]:
    """What the stock JavaScript verifier of ICS-23 says."""
    cases, found = [], dict[str, bytes | None]()
    height = rpc.status().height - 2
    app_hash = rpc.header(height + 1).app_hash
    say(f"@confio/ics23, TendermintSpec twice: app hash {app_hash.hex().upper()} of header {height + 1}")
    for name in places:
        place = places[name]
        answer = rpc.abci_query(f"store/{place.store}/key", place.key, height, prove=True)
        found[name] = answer.value or None
        cases.append(new_case(place, app_hash, found[name], [op.data for op in answer.proof_ops]))
        say(f"  store/{place.store}/key {place.key.hex()}: {(found[name] or b'absent').decode()}, "
            f"{sum(len(op.data) for op in answer.proof_ops)} bytes of proof")
    node = find_node()
    with tempfile.TemporaryDirectory() as folder:
        shutil.copy(PACKAGE / "verify.js", folder)
        (Path(folder) / "node_modules").symlink_to(install_client(node, PACKAGE))
        done = subprocess.run([str(node.binary), "verify.js"], cwd=folder, input=json.dumps(cases), text=True,
                              capture_output=True, timeout=120, check=False)
    say(f"    -> {done.stdout.strip()} {done.stderr.strip()}".rstrip())
    if done.returncode:
        raise SystemExit("the stock ICS-23 verifier does not agree")
    return found


def new_case(place: Place, app_hash: bytes, value: bytes | None, proofs: list[bytes]) -> dict[str, Any]:
    """A case as verify.js reads it; the store's root is the value of the upper proof."""
    store = decode_commitment(proofs[1])
    if not isinstance(store, Existence):
        raise SystemExit("the upper proof shows no store")
    return {"key": place.key.hex(), "value": None if value is None else value.hex(), "store_name": place.store,
            "store_root": store.value.hex(), "app_hash": app_hash.hex(), "proofs": [data.hex() for data in proofs]}


def tell_own(net: Localnet, home: Path, places: dict[str, Place]) -> dict[str, bytes | None]:
    """What this project's client verifies."""
    root = net.rpcs[1].header(1).block_hash.hex()
    terms = Terms(home, net.rpcs[0].url, [net.rpcs[1].url], None, 1, root)
    block = follow(terms).record.header
    say(f"gradus light client: trusted block 1 {root.upper()}, newest block {block.height} "
        f"{block.hash.hex().upper()} confirmed by {net.rpcs[1].url}")
    found: dict[str, bytes | None] = {}
    for name in places:
        proved = prove(terms, places[name])
        found[name] = proved.record.value
        say(f"    -> {name}: {(found[name] or b'proved absent').decode()} after height {proved.record.height}, under "
            f"header {proved.record.header.hash.hex().upper()}")
    return found


def main() -> int:
    """Tell all three; 0 when they agree."""
    with tempfile.TemporaryDirectory() as folder, \
            Localnet.new(Path(folder) / "net", 2, base_port=0, compose=new_composer(), engine=find_engine()) as net:
        net.wait_height(6)
        places = {f"balance of operator {index}": balance_place(node.operator)
                  for index, node in enumerate(net.manifest.nodes)} | {"balance of nobody": NOBODY}
        stock = tell_stock(net, places)
        ics23 = tell_ics23(net.rpcs[0], places)
        own = tell_own(net, Path(folder) / "home", places)
    agree = stock == ics23 == own
    say("all three agree; only the stock proxy cannot prove absence" if agree else "they do not agree")
    return 0 if agree else 1


if __name__ == "__main__":
    sys.exit(main())
