"""What a user tells the chain of a session: that it ends, or that an answer of it is wrong. From the journal alone."""

from collections.abc import Sequence

from abci_app.client.errors import ClientError
from abci_app.sdk.journal import Kept
from abci_app.wire.merkle import MerkleTree
from abci_app.wire.pb.gradus.sessions.v1.tx_pb2 import MsgChallengeAnswer, MsgCloseSession
from abci_app.wire.question import entry_leaf


class AnswerUnknown(ClientError):
    """The journal has no answer under a number."""

    exit_status = 2


def new_close(user: str, session_id: int, last: Kept | None) -> MsgCloseSession:
    """Begins a session's end by the user. last: the last answer, whose receipt and the host's statement are shown."""
    message = MsgCloseSession(sender=user, session_id=session_id)
    if last is not None:
        message.receipt.CopyFrom(last.receipt)
        message.statement = last.statement
    return message


def new_challenge(user: str, session_id: int, answers: Sequence[Kept], number: int) -> MsgChallengeAnswer:
    """Says that answer `number` is wrong: its entry stands under the state that the host has stated with it.

    answers: all of the session, numbers rising from 1. Raises AnswerUnknown.
    """
    if not 1 <= number <= len(answers):
        raise AnswerUnknown(f"the journal of session {session_id} has no answer {number}, but 1 to {len(answers)}"
                            if answers else f"the journal of session {session_id} has no answer")
    kept = answers[number - 1]
    tree = MerkleTree(entry_leaf(one.entry) for one in answers[:number])
    return MsgChallengeAnswer(user=user, session_id=session_id, entry=kept.entry, receipt=kept.receipt,
                              proof=tree.prove([number - 1]), statement=kept.statement, question=kept.question)
