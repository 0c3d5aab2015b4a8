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


def shown(value: object) -> str:
    """``value`` as a message shows it, whatever it is.

    >>> shown("a"), shown(None)
    ('"a"', 'None')
    """
    try:
        return f'"{value}"' if isinstance(value, str) else repr(value)
    except Exception:  # such as a number of more than 4300 digits, which Python does not write out
        return f"a strange {type(value).__name__}"
