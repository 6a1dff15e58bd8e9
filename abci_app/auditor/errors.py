"""Why an auditor ends."""


class AuditorStopped(Exception):
    """The auditor cannot go on, and says what would change that."""

    def __init__(self, text: str, hint: str = "") -> None:
        self.text, self.hint = text, hint
        super().__init__(text)
