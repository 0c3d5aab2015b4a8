"""The one error that users see."""

LONGEST = 600
"""Characters of a message: what the user gave may be of any length."""


class ConvvizError(ValueError):
    """What was asked for cannot be drawn.

    The message is one line that names the parameter, its value and what would work. The command line prints it
    and exits with status 2.
    """

    def __init__(self, message: str) -> None:
        line = " ".join(message.split())
        super().__init__(line if len(line) <= LONGEST else f"{line[: LONGEST // 2]} ... {line[-LONGEST // 2 :]}")
