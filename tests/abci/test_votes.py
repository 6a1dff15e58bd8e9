"""Vote extensions: this version has none, and says so in the protocol's words."""

from abci_app.wire.pb.tendermint.abci import types_pb2 as abci
from tests.abci.engine import Node


def test_i34_vote_extension_is_empty(node: Node) -> None:
    assert node.engine.ask("extend_vote", abci.RequestExtendVote(height=1)).vote_extension == b""


def test_i35_only_the_empty_extension_is_accepted_and_honest_ones_always_are(node: Node) -> None:
    def verify(extension: bytes) -> int:
        request = abci.RequestVerifyVoteExtension(height=1, hash=bytes(32), vote_extension=extension)
        return int(node.engine.ask("verify_vote_extension", request).status)

    honest = node.engine.ask("extend_vote", abci.RequestExtendVote(height=1)).vote_extension
    assert verify(honest) == abci.ResponseVerifyVoteExtension.ACCEPT
    assert verify(b"x") == abci.ResponseVerifyVoteExtension.REJECT
