"""Runs vectors: one block on a fresh chain, from JSON that people can read. The format is in README.md beside this.

    python -m tests.vectors.runner        writes the gas that new vectors do not have yet; refuses wrong ones
"""

import json
import sys
import tempfile
from pathlib import Path
from typing import Any

from google.protobuf import json_format
from google.protobuf.message import Message

from abci_app.client.txs import TxTerms, build_auth_info, build_body, compute_fee_ugrad
from abci_app.genesis import GAS_PRICE_PPM
from abci_app.runtime.deliver import TxResult
from abci_app.runtime.validators import Misbehaviour
from abci_app.wire.errors import ChainError
from abci_app.wire.pb.cosmos.tx.v1beta1.tx_pb2 import AuthInfo, TxBody, TxRaw
from abci_app.wire.tx import sign_bytes
from tests.chain import (
    BLOCK_NS, CHAIN_ID, GAS_LIMIT, GENESIS_TIME_NS, PROPOSERS, VALIDATOR_KEYS, VALIDATOR_POWER, Chain, address_of,
    new_test_key,
)

Json = dict[str, Any]
FOLDER = Path(__file__).parent


def vector_paths() -> list[Path]:
    """Every vector."""
    return sorted(FOLDER.glob("*/*.json"))


def run_vector(vector: Json) -> list[str]:
    """What differs from the vector's expectations; empty when it holds. Gas that is not given is filled in."""
    vector_pre = named(vector["pre"])
    accounts = {name: int(ugrad) for name, ugrad in vector_pre.get("accounts", {}).items()}
    with tempfile.TemporaryDirectory() as folder, Chain(Path(folder), accounts, vector_pre.get("app_state")) as chain:
        for _ in range(int(vector_pre.get("height", 1)) - 1):
            chain.block()
        before = chain.state()
        results = chain.block([new_tx(chain, named(tx)) for tx in vector["txs"]],
                              misbehaviour=tuple(new_misbehaviour(one) for one in vector.get("misbehaviour", ())))
        found = []
        for index, (tx, result) in enumerate(zip(vector["txs"], results, strict=True)):
            found += compare_result(index, tx["expect"], result)
        powers = [chain.engine.powers.get(key, 0) for key in VALIDATOR_KEYS]
        if vector.get("post", {}).get("powers", powers) != powers:
            found.append(f"the validators have {powers}")
        if vector.get("unchanged") and chain.state() != before:
            found.append("the state has changed")
        return found + compare_post(chain, named(vector.get("post", {})))


def named(value: Any) -> Any:
    """`value` with every string "@name" replaced by the name's address."""
    if isinstance(value, str):
        return address_of(value[1:]) if value.startswith("@") else value
    if isinstance(value, list):
        return [named(item) for item in value]
    if isinstance(value, dict):
        return {key: item if key == "@type" else named(item) for key, item in value.items()}
    return value


def new_tx(chain: Chain, tx: Json) -> bytes:
    """The bytes of a vector's transaction: given in hex, or built, edited and signed."""
    if "raw" in tx:
        return bytes.fromhex(tx["raw"])
    key = new_test_key(tx["signer"])
    account = chain.app.auth.find_account(chain.ctx(), key.address)
    gas_limit = int(tx.get("gas_limit", GAS_LIMIT))
    terms = TxTerms(
        chain_id=tx.get("chain_id", CHAIN_ID),
        account_number=int(tx.get("account_number", account.account_number if account else 0)),
        sequence=int(tx.get("sequence", account.sequence if account else 0)),
        gas_limit=gas_limit, fee_ugrad=int(tx.get("fee_ugrad", compute_fee_ugrad(gas_limit, GAS_PRICE_PPM))),
        timeout_height=int(tx.get("timeout_height", 0)), memo=tx.get("memo", ""),
    )
    messages = [new_message(chain, message) for message in tx["messages"]]
    body = TxBody.FromString(build_body(messages, terms))
    auth_info = AuthInfo.FromString(build_auth_info(key.public, terms))
    edit(body, tx.get("edit_body", {}))
    edit(auth_info, tx.get("edit_auth_info", {}))
    body_bytes, auth_bytes = body.SerializeToString() + hexed(tx, "append_body"), auth_info.SerializeToString()
    signature = key.sign(sign_bytes(body_bytes, auth_bytes, terms.chain_id, terms.account_number))
    signatures = [bytes.fromhex(one) for one in tx["signatures"]] if "signatures" in tx else [signature]
    raw = TxRaw(body_bytes=body_bytes, auth_info_bytes=auth_bytes, signatures=signatures).SerializeToString()
    return raw + hexed(tx, "append")


def new_misbehaviour(entry: Json) -> Misbehaviour:
    """What a vector's evidence proves of one of the four validators."""
    height = int(entry["height"])
    return Misbehaviour(int(entry["kind"]), PROPOSERS[entry["validator"]], height, GENESIS_TIME_NS + BLOCK_NS * height,
                        VALIDATOR_POWER, VALIDATOR_POWER * len(PROPOSERS))


def hexed(tx: Json, name: str) -> bytes:
    """Bytes that a vector may give in hex."""
    return bytes.fromhex(tx.get(name, ""))


def edit(message: Message, changes: Json) -> None:
    """Replace the top-level fields that `changes` names."""
    for name in changes:
        message.ClearField(name)
    json_format.ParseDict(changes, message)


def new_message(chain: Chain, record: Json) -> Message:
    """A message from its JSON form; its "@type" is the type URL."""
    fields = {name: value for name, value in record.items() if name != "@type"}
    return json_format.ParseDict(fields, chain.app.router.msgs[record["@type"]].request())


def compare_result(index: int, expect: Json, result: TxResult) -> list[str]:
    """What differs in one transaction's result."""
    error = expect.get("error", {"codespace": "", "code": 0})
    found = []
    if (result.codespace, result.code) != (error["codespace"], error["code"]):
        found.append(f"tx {index}: {result.codespace}/{result.code} {result.log}, not {error}")
    if error.get("log", "") not in result.log:
        found.append(f"tx {index}: log {result.log!r} does not have {error['log']!r}")
    if expect.setdefault("gas", str(result.gas_used)) != str(result.gas_used):
        found.append(f"tx {index}: {result.gas_used} gas, not {expect['gas']}")
    return found


def compare_post(chain: Chain, post: Json) -> list[str]:
    """What differs in the state after the block."""
    found = []
    for name, ugrad in post.get("balances", {}).items():
        if chain.balance(name) != int(ugrad):
            found.append(f"{name} has {chain.balance(name)}, not {ugrad}")
    for name, sequence in post.get("sequences", {}).items():
        account = chain.app.auth.find_account(chain.ctx(), new_test_key(name).address)
        if (account.sequence if account else None) != (None if sequence is None else int(sequence)):
            found.append(f"the sequence of {name} is {account and account.sequence}, not {sequence}")
    for query in post.get("queries", []):
        found += compare_query(chain, query)
    return found


def compare_query(chain: Chain, query: Json) -> list[str]:
    """What differs in one answer."""
    request = json_format.ParseDict(query["request"], chain.app.router.queries[query["path"]].request())
    try:
        answer: Any = json_format.MessageToDict(chain.query(query["path"], request), preserving_proto_field_name=True)
        error: Json = {}
    except ChainError as refused:
        answer, error = None, {"codespace": refused.codespace, "code": refused.code, "log": str(refused)}
    expected = query.get("error", {})
    if expected and (error.get("codespace"), error.get("code")) == (expected["codespace"], expected["code"]):
        return [] if expected.get("log", "") in error["log"] else [f"{query['path']}: log {error['log']!r}"]
    return [] if answer == query.get("response") else [f"{query['path']}: {error or answer}"]


def main() -> None:
    """Fill in missing gas."""
    failed = False
    for path in vector_paths():
        vector = json.loads(path.read_text())
        found = run_vector(vector)
        failed = failed or bool(found)
        for line in found:
            print(f"{path.relative_to(FOLDER)}: {line}")
        text = json.dumps(vector, indent=2) + "\n"
        if not found and text != path.read_text():
            path.write_text(text)
            print(f"{path.relative_to(FOLDER)}: written")
    sys.exit(failed)


if __name__ == "__main__":
    main()
