"""Vote extensions. None in this version: a node extends with nothing and accepts nothing else."""

from abci_app.wire.pb.tendermint.abci import types_pb2 as abci


def extend(_request: abci.RequestExtendVote) -> abci.ResponseExtendVote:
    """An empty extension."""
    return abci.ResponseExtendVote()


def verify(request: abci.RequestVerifyVoteExtension) -> abci.ResponseVerifyVoteExtension:
    """Accept the empty extension only; a function of the request."""
    status = abci.ResponseVerifyVoteExtension.REJECT if request.vote_extension else \
        abci.ResponseVerifyVoteExtension.ACCEPT
    return abci.ResponseVerifyVoteExtension(status=status)
