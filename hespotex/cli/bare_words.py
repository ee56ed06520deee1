"""Files as they are typed or as the shell lists them: `predict a.svs b.svs`."""

from collections.abc import Sequence

from hespotex.common.errors import InputError
from hespotex.common.typed_paths import matching_paths, quoted, typed_path

# endings of what may be missing, and is then missed under its name
FILES = (".svs", ".ndpi", ".mrxs", ".tif", ".tiff", ".jpg", ".jpeg", ".png", ".csv")
# options of Hydra whose next word is theirs
TAKES_A_WORD = (
    *("--cfg", "-c", "--package", "-p", "--config-path", "-cp", "--config-name", "-cn"),
    *("--config-dir", "-cd", "--info", "-i"),
)


def gathered(arguments: Sequence[str], key: str | None) -> list[str]:
    """The arguments, those of them that are files as one `KEY=[A,B]`.

    Args:
        arguments: of a Hydra command line.
        key: whose values may come without it; None where no words may.

    Raises:
        InputError: they come both ways.
    """
    before = ["", *arguments][: len(arguments)]
    bare = [word for word, last in zip(arguments, before, strict=True) if _is_bare(word, last)]
    if key is None or not bare:
        return list(arguments)
    if any(word.startswith(f"{key}=") for word in arguments):
        raise InputError(f"{bare[0]} and {key}=... both name {key}: give all in one way")
    others = [
        word for word, last in zip(arguments, before, strict=True) if not _is_bare(word, last)
    ]
    names = [quoted(str(typed_path(word))) for word in bare]
    return [*others, f"{key}={names[0]}" if len(names) == 1 else f"{key}=[{','.join(names)}]"]


def _is_bare(word: str, last: str) -> bool:
    """Whether a word is a file, a folder or a pattern, and neither an option nor its value."""
    if word.startswith("-") or "=" in word or last in TAKES_A_WORD:
        return False
    deletes = word.startswith("~") and not word.startswith("~/")
    return not deletes and (word.lower().endswith(FILES) or _is_there(word))


def _is_there(word: str) -> bool:
    try:
        return any(path.exists() for path in matching_paths(word))
    except (OSError, ValueError):  # too long, or no path at all
        return False
