"""The one exception that is meant for the user's eyes, and the one that no handler of errors may
keep.
"""

import errno
import os
from collections.abc import Iterator

DISK = {
    errno.ENOSPC: "the disk is full",
    errno.EDQUOT: "the disk quota is used up",
    errno.EFBIG: "the file grows too large for this disk",
    errno.EROFS: "the disk is read-only",
    errno.EEXIST: "a file, or a link to nothing, stands where a folder is wanted",
    errno.EACCES: "no permission",
    errno.EPERM: "no permission",
}
WAY_OUT = (
    "make room or change the permissions, or choose another place: paths.outputs=DIR (of predict.py"
    " output=DIR, of other commands --output), paths.store=DIR; the same command goes on where this"
    " one stopped"
)


class InputError(ValueError):
    """What the user gave cannot be used.

    The message says what was expected, what was found, where, and the way out (config key or
    command); the command line shows it alone, without a traceback.
    """


def cause(error: BaseException) -> str:
    """What went wrong, for a message that names the file itself: an error of the system would name
    it again.
    """
    return (error.strerror if isinstance(error, OSError) else None) or str(error)


def full_cause(error: BaseException) -> str:
    """The same with the kind of the error, which libraries' texts want."""
    return f"{type(error).__name__}: {cause(error)}"


class Stopped(BaseException):
    """A signal asks this process to end: passes by whatever goes on after an error.

    Args:
        number: of the signal.
    """

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


def chain(error: BaseException | None) -> Iterator[BaseException]:
    """An error and those behind it, each once: one that is raised from what it caused stands behind
    itself.
    """
    visited: set[int] = set()
    while error is not None and id(error) not in visited:
        visited.add(id(error))
        yield error
        error = error.__cause__ or error.__context__


def stopped_by(error: BaseException | None) -> Stopped | None:
    """The signal behind an error: a library that was stopped in the middle of its work may raise
    one of its own.
    """
    return next((one for one in chain(error) if isinstance(one, Stopped)), None)


def disk_words(error: BaseException | None) -> str | None:
    """What the disk refused, where, and the way out; None where the error, and what is behind it,
    is of another kind.
    """
    for link in chain(error):
        number = link.errno if isinstance(link, OSError) else None
        text = str(link)
        for code, advice in DISK.items():  # HDF5 and others put the number into words
            if (
                number == code
                or f"errno = {code}," in text
                or (code != errno.EPERM and os.strerror(code) in text)
            ):
                where = getattr(link, "filename", None)
                return f"{where or ' '.join(text.split())[:200]}: {advice}; {WAY_OUT}"
    return None
