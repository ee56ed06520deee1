"""The one exception that is meant for the user's eyes, and the one that no handler of errors may keep."""


class InputError(ValueError):
    """What the user gave cannot be used.

    The message says what was expected, what was found, where, and the way out (config key or command);
    the command line shows it alone, without a traceback.
    """


class Stopped(BaseException):
    """A signal asks this process to end: passes by whatever goes on after an error.

    Args:
        number: of the signal.
    """

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


def stopped_by(error: BaseException | None) -> Stopped | None:
    """The signal behind an error: a library that was stopped in the middle of its work may raise one of its own."""
    while error is not None and not isinstance(error, Stopped):
        error = error.__cause__ or error.__context__
    return error
