"""Copy the third-party .proto files we speak into proto/, stripped of language options.

Usage: python proto/vendor.py COMETBFT_PROTO_DIR COSMOS_SDK_PROTO_DIR
The two folders are `proto/` of the Go modules named in proto/README.md. What is removed: comments, services,
imports of annotation files (gogoproto, amino, cosmos_proto, google/api) and the options they define. Field names,
numbers and types stay as they are, so the wire format is the same to the byte.
"""

import re
import sys
from pathlib import Path

COMETBFT = (
    "tendermint/abci/types.proto",
    "tendermint/crypto/keys.proto",
    "tendermint/crypto/proof.proto",
    "tendermint/types/params.proto",
    "tendermint/types/types.proto",
    "tendermint/types/validator.proto",
    "tendermint/version/types.proto",
)
COSMOS = (
    "cosmos/auth/v1beta1/auth.proto",
    "cosmos/auth/v1beta1/query.proto",
    "cosmos/bank/v1beta1/bank.proto",
    "cosmos/bank/v1beta1/query.proto",
    "cosmos/bank/v1beta1/tx.proto",
    "cosmos/base/abci/v1beta1/abci.proto",
    "cosmos/base/query/v1beta1/pagination.proto",
    "cosmos/base/v1beta1/coin.proto",
    "cosmos/crypto/multisig/v1beta1/multisig.proto",
    "cosmos/crypto/secp256k1/keys.proto",
    "cosmos/tx/signing/v1beta1/signing.proto",
    "cosmos/tx/v1beta1/service.proto",
    "cosmos/tx/v1beta1/tx.proto",
)
ANNOTATIONS = ("gogoproto/", "amino/", "cosmos_proto/", "google/api/", "cosmos/msg/", "cosmos/query/")
MESSAGES_ONLY = {
    "cosmos/tx/v1beta1/service.proto": ("SimulateRequest", "SimulateResponse", "GetTxRequest", "GetTxResponse"),
}
IMPORTS_DROPPED = {
    "cosmos/tx/v1beta1/service.proto": ("tendermint/types/block.proto", "tendermint/types/types.proto",
                                        "cosmos/base/query/v1beta1/pagination.proto"),
    "cosmos/base/abci/v1beta1/abci.proto": ("tendermint/types/block.proto",),
}
MESSAGES_DROPPED = {"cosmos/base/abci/v1beta1/abci.proto": ("SearchBlocksResult",)}


def blocks(text: str, keyword: str) -> list[tuple[int, int, str]]:
    """Spans (start, end, name) of every top-level `keyword Name { ... }`."""
    found = []
    for match in re.finditer(rf"^{keyword}\s+(\w+)\s*\{{", text, re.M):
        depth, end = 1, match.end()
        while depth:
            depth += {"{": 1, "}": -1}.get(text[end], 0)
            end += 1
        found.append((match.start(), end, match.group(1)))
    return found


def strip(text: str, name: str) -> str:
    """The file `name` without comments, services, annotation imports and options."""
    text = re.sub(r"/\*.*?\*/", "", text, flags=re.S)
    text = re.sub(r"//[^\n]*", "", text)
    for start, end, _ in reversed(blocks(text, "service")):
        text = text[:start] + text[end:]
    text = re.sub(r"\[[^\[\]]*?\([^\]]*?\]", "", text, flags=re.S)
    text = re.sub(r"\[\s*(deprecated|json_name)[^\]]*\]", "", text)
    text = re.sub(r"^\s*option\s[^;]*;", "", text, flags=re.M)
    text = re.sub(r"^\s*reserved\s+\"[^;]*;", "", text, flags=re.M)
    dropped = ANNOTATIONS + IMPORTS_DROPPED.get(name, ())
    text = re.sub(r"^import\s+\"([^\"]+)\";", lambda m: "" if m.group(1).startswith(dropped) else m.group(0), text,
                  flags=re.M)
    wanted, unwanted = MESSAGES_ONLY.get(name), MESSAGES_DROPPED.get(name, ())
    for keyword in ("message", "enum"):
        for start, end, found in reversed(blocks(text, keyword)):
            if found in unwanted or (wanted is not None and found not in wanted):
                text = text[:start] + text[end:]
    text = re.sub(r"\s+;", ";", text)
    text = re.sub(r"[ \t]+\n", "\n", text)
    return re.sub(r"\n{2,}", "\n\n", text).strip() + "\n"


def main() -> None:
    here = Path(__file__).parent
    for source, names in zip(map(Path, sys.argv[1:3]), (COMETBFT, COSMOS), strict=True):
        for name in names:
            target = here / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(strip((source / name).read_text(), name))


if __name__ == "__main__":
    main()
