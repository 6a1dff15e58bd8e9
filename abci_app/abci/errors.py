"""What can go wrong between the engine and the application. None of these is a user's fault."""


class AbciError(Exception):
    """Base; `hint` says what to do."""

    def __init__(self, text: str, hint: str = "") -> None:
        self.hint = hint
        super().__init__(text)


class ConfigProblem(AbciError):
    """The node cannot run as it is configured: starting it again would be the same. The process exits with 3."""


class FrameInvalid(AbciError):
    """Bytes on a connection that are no frame, or a frame that is no request known here. That connection ends."""


class CallOutOfPlace(AbciError):
    """A call that the protocol does not allow now: another height, Commit without FinalizeBlock. Nothing changed."""
