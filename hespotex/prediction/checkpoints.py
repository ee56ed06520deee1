"""Which checkpoints a path, a folder, a bundle or the name of a supplied model means."""

import logging
from collections.abc import Iterable, Sequence
from pathlib import Path

from hespotex.common.errors import InputError
from hespotex.common.typed_paths import matching_paths, typed_path
from hespotex.prediction.hub import fetch, is_address
from hespotex.prediction.supplied import supplied_models
from hespotex.records.layout import (
    BEST,
    BUNDLE,
    CONFIG,
    FINAL,
    METRICS,
    home_of,
    homes,
    located,
    searches,
)
from hespotex.records.manifest import check_files
from hespotex.records.search import describe_choice

log = logging.getLogger(__name__)


def find_checkpoints(address: str | Sequence[str], folds: bool = False) -> list[Path]:
    """Files that a path, a glob, the folder of a run or a sweep, a bundle on the hub, the name of
    a model that comes with HESpotEx, or a list of these name.

    Of folders, the finished model on all sections (`hespotex.finalize`) where there is one, else
    all.

    Args:
        folds: the folds in any case.

    Raises:
        InputError: there is none, one is not as it was written, or a run of a folder has none: the
          mean would lack a fold.
    """
    patterns = [address] if isinstance(address, str) else list(address)
    places = [path for pattern in patterns for path in _places(pattern)]
    files = [
        path
        for place in places
        for path in (_in_folder(place, folds) if place.is_dir() else [place])
    ]
    finals = [path for path in files if is_final(path)]
    folders = all(place.is_dir() for place in places)
    if finals and folders and not folds:
        files = finals
    if not files:
        _check_folds_packed(places, folds)
        raise InputError(
            f"no {BEST} below {', '.join(patterns)}; set checkpoint=RUN_DIR/{BEST}, or the folder"
            f" of a sweep, or a model that comes along: {', '.join(supplied_models())}"
        )
    check_written(files)
    return list(dict.fromkeys(files))


def _places(pattern: str) -> list[Path]:
    """Files and folders that one word names; a bundle on the hub is fetched. What has the name of a
    supplied model is reached as `./NAME`.
    """
    if is_address(pattern):
        return [fetch(pattern)]
    if pattern in (supplied := supplied_models()):
        return [supplied[pattern]]
    return matching_paths(pattern) or [typed_path(pattern)]


def _check_folds_packed(places: Iterable[Path], folds: bool) -> None:
    """Tell a bundle without folds, of which only these were asked for."""
    for place in places:
        if folds and (place / BUNDLE).is_file():
            raise InputError(
                f"{place} is a bundle that holds no folds, only the model on all sections: leave"
                " folds=true out, or pack it again with --folds"
            )


def check_written(checkpoints: Iterable[Path]) -> None:
    """Refuse checkpoints of runs that are not as the run wrote them."""
    for path in checkpoints:
        file = Path(BEST).with_name(path.name)
        if located(path) == home_of(path) / file:
            check_files(home_of(path), file.as_posix())


def is_final(checkpoint: Path) -> bool:
    """Whether it lies where `hespotex.finalize` puts the model on all sections."""
    return home_of(checkpoint).parent.name == FINAL


def _in_folder(place: Path, folds: bool) -> list[Path]:
    """The model on all sections in a run's, a sweep's or a bundle's folder; or all checkpoints but
    that.
    """
    if (place / BUNDLE).is_file():
        check_files(place)
    if not folds and (finals := _finals(place)):
        return finals
    for search in searches(place):
        log.info("%s", describe_choice(search))
    if is_final(place / BEST):
        return [place / BEST] if (place / BEST).is_file() else []
    return [path for path in _folds_in(place) if not is_final(path)]


def _finals(place: Path) -> list[Path]:
    """The finished model on all sections of a sweep.

    Raises:
        InputError: there are several.
    """
    below = "*" if place.name == FINAL else f"{FINAL}/*"
    files = [
        path
        for path in sorted(place.glob(f"{below}/{BEST}"))
        if (home_of(path) / METRICS).is_file()
    ]
    if len(files) > 1:
        names = ", ".join(str(path.parent.parent) for path in files)
        raise InputError(
            f"{place} holds several models on all sections: {names}; give the folder of one of them"
        )
    return files


def _folds_in(place: Path) -> list[Path]:
    unfinished = [home for home in _homes(place) if not (home / METRICS).is_file()]
    without = [home for home in _homes(place) if not (home / BEST).is_file()]
    for unusable, why in ((without, f"without {BEST}"), (unfinished, "not finished")):
        if unusable:
            raise InputError(
                f"{place} holds runs {why}: {', '.join(map(str, unusable))}; finish them with the"
                " command that made them, move them away, or name the checkpoints that are to be"
                f" averaged: checkpoint=[RUN_DIR/{BEST},...]"
            )
    return [home / BEST for home in homes(place, BEST)]


def _homes(place: Path) -> list[Path]:
    """Folders of runs that were begun, less the model on all sections."""
    return [home for home in homes(place, CONFIG) if not is_final(home / BEST)]
