"""The one error that users see."""


class ConvvizError(ValueError):
    """What was asked for cannot be drawn.

    The message is one line that names the parameter, its value and what would work. The command line prints it
    and exits with status 2.
    """
