"""The one exception that is meant for the user's eyes."""


class InputError(ValueError):
    """What the user gave cannot be used.

    The message says what was expected, what was found, where, and the way out (config key or command);
    the command line shows it alone, without a traceback.
    """
