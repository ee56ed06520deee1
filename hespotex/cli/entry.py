"""What the entry points share: where `conf/` is, errors in words, near matches of typos, and exit
codes.
"""

import argparse
import gc
import logging
import re
import sys
import warnings
from collections.abc import Callable, Sequence
from functools import partial, wraps
from pathlib import Path
from typing import Any, NoReturn

import hespotex
from hespotex.cli.bare_words import gathered
from hespotex.cli.endings import Sweep, ended, refuse, report, stoppable
from hespotex.cli.names import check_names
from hespotex.common.errors import InputError
from hespotex.common.typed_paths import typed_options, typed_words

NAMES = ("name", "output", "data.name", "model.name")  # values are names, whatever they look like
PACKAGE = Path(hespotex.__file__).resolve().parent
Main = Callable[..., Any]
# New objects after which Python looks for circular references: after 700, as it does by itself,
# they take a tenth of a short command.
GARBAGE = 10_000


def config_folder() -> Path:
    """`conf/`: inside an installed package, beside it in a checkout."""
    places = (PACKAGE / "conf", PACKAGE.parent / "conf")
    return next(folder for folder in places if folder.is_dir())


def command(config_name: str, bare: str | None = None) -> Callable[[Main], Callable[[], None]]:
    """Make a function of the composed config a command line: `conf/`, errors in words, near matches
    of typos.

    Args:
        config_name: of the primary config.
        bare: key whose values may be given as words of their own, such as slides.
    """

    def decorate(task: Main) -> Callable[[], None]:
        @wraps(task)
        def main() -> None:
            with stoppable():
                _start(task, config_name, bare)

        return main

    return decorate


def as_typed(word: str) -> str:
    """A word of the command line whose value is a name of digits, put into quotes.

    Hydra reads `name=2026_05_01` as the number 20260501, and `output=1_0` as 10.
    """
    key, equals, value = word.partition("=")
    if equals and key in NAMES and re.fullmatch(r"[+-]?\d+(_\d+)+|\d+e\d+|\d+\.\d*0", value):
        return f"{key}='{value}'"
    return word


def _start(task: Main, config_name: str, bare: str | None) -> None:
    """Hand the task to Hydra."""
    import hydra
    from hydra._internal import utils

    from hespotex.cli.typos import near_misses, register_help

    # of helpers whose parent was stopped
    sys.warnoptions.append("ignore:resource_tracker:UserWarning")
    register_help()
    sys.argv[1:] = _checked_arguments(sys.argv[1:], bare)
    hydras = utils.run_and_report
    utils.run_and_report = partial(report, otherwise=hydras)
    try:
        hydra.main(version_base="1.3", config_path=str(config_folder()), config_name=config_name)(
            _in_hydra(task)
        )()
        Sweep.end()
    except SystemExit as stop:
        for line in near_misses(stop, config_folder(), config_name, sys.argv[1:]):
            sys.stderr.write(f"{line}\n")
        raise
    except ValueError as error:  # of Hydra's options; those of a task have been shown
        sys.exit(f"{Path(sys.argv[0]).name}: {error}")
    finally:
        utils.run_and_report = hydras


def _checked_arguments(arguments: Sequence[str], bare: str | None) -> list[str]:
    """The words as Hydra understands them. It makes the folder of a run before its task is asked:
    names are looked at here.
    """
    try:
        check_names(arguments)
        joined = gathered(arguments, bare)
    except InputError as error:
        refuse(error)
    return typed_words([as_typed(word) for word in joined])


def _in_hydra(task: Main) -> Main:
    """A task, or a job of a sweep, that ends in words."""

    @wraps(task)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        settle()
        with stoppable():  # of a job in a process of its own; else its caller has seen to it
            try:
                return task(*args, **kwargs)
            except (Exception, SystemExit) as error:
                ended(error)

    return wrapper


def plain_errors(main: Main) -> Main:
    """Make a function a command line that ends in words: see `ended`."""

    @wraps(main)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        settle()
        with stoppable():
            try:
                return main(*args, **kwargs)
            except Exception as error:
                ended(error)

    return wrapper


class VerbParser(argparse.ArgumentParser):
    """Parser of `python -m hespotex.VERB`: examples under the options, and near matches of what is
    misspelt.

    Args:
        verb: its name.
        about: what it does, laid out as it is shown.
        examples: words that follow the command, and what they do.
    """

    def __init__(self, verb: str, about: str, examples: dict[str, str]) -> None:
        program = f"python -m hespotex.{verb}"
        width = max(map(len, examples)) + 2
        listing = "\n".join(
            f"  {program} {arguments:{width}} {does}".rstrip()
            for arguments, does in examples.items()
        )
        layout = argparse.RawDescriptionHelpFormatter
        super().__init__(
            program, description=about, epilog=f"examples:\n{listing}", formatter_class=layout
        )

    def parse_args(self, args: Any = None, namespace: Any = None) -> Any:
        """As the parent, `~` at the beginning of a path replaced by the home folder."""
        return super().parse_args(typed_options(sys.argv[1:] if args is None else args), namespace)

    def error(self, message: str) -> NoReturn:
        """The message, what was perhaps meant, and where help is."""
        from hespotex.cli.typos import near

        choices = [
            name
            for action in self._actions
            for name in (*action.option_strings, *(action.choices or ()))
        ]
        meant = [near(word, choices) for word in re.findall(r"--[\w-]+|(?<=choice: ')\w+", message)]
        self.exit(
            2,
            "\n".join(
                [
                    f"{self.prog}: {message}",
                    *filter(None, meant),
                    f"{self.prog} --help tells more\n",
                ]
            ),
        )


def settle() -> None:
    """Before a process loads the libraries: their advice stays out of the way of our own messages,
    and Python looks for circular references less often.
    """
    gc.set_threshold(GARBAGE)
    logging.raiseExceptions = False  # a log on a full disk would show a traceback for each line
    for name in ("pytorch_lightning", "pytorch_lightning.utilities.rank_zero"):
        logging.getLogger(name).setLevel(logging.WARNING)
    for noise in (
        ".*torch.jit.script.*",
        ".*ariable names are not unique.*",  # their counts are summed, and the log says so
        ".*LeafSpec.*",
        ".*does not have many workers.*",
        ".*sync_dist=True.*",
        ".*returned `None`, this fit.*",
    ):
        warnings.filterwarnings("ignore", message=noise)
