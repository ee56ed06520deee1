"""What a misspelt word of a Hydra command line was meant to be, and the options that its help
lists.
"""

import re
import textwrap
from collections.abc import Iterator
from contextlib import suppress
from difflib import get_close_matches
from itertools import pairwise
from pathlib import Path

from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.errors import HydraException, MissingConfigException, OverrideParseException
from omegaconf import OmegaConf

from hespotex.common.provenance import flat

FLAGS = [
    "--help",
    "--cfg",
    "--resolve",
    "--package",
    "--multirun",
    "--shell-completion",
    "--config-dir",
    "--info",
]
UNKNOWN_KEY = re.compile(r"Could not (?:override|delete from config\.) '([^']+)'")
UNKNOWN_FLAG = 2  # exit code of argparse
BASE = "base"  # a file that other options build on, and no option itself
# of the list of options in a help text
WIDTH = 110
INDENT = 11
CUTOFF = 0.6  # of difflib: above, two words are alike


def near(word: str, choices: list[str]) -> str | None:
    """ "WORD: did you mean THAT?", if there is a word like it."""
    matches = [] if word in choices else get_close_matches(word, choices, n=1, cutoff=CUTOFF)
    return f"{word}: did you mean {matches[0]}?" if matches else None


def near_misses(
    stop: SystemExit, conf: Path, config_name: str, arguments: list[str]
) -> Iterator[str]:
    """Lines to say when Hydra has given up on these words of the command line; none if it was for
    another reason.

    Args:
        stop: as Hydra raised it, in the handler of what it could not use.
        conf: folder of `config_name`.yaml.
    """
    refused = stop.__context__
    if refused is None and stop.code == UNKNOWN_FLAG:
        yield from filter(
            None, (near(word.split("=")[0], FLAGS) for word in arguments if word.startswith("--"))
        )
    elif isinstance(refused, MissingConfigException):
        group, _, option = str(refused.missing_cfg_file).rpartition("/")
        if matches := get_close_matches(option, refused.options or [], n=1, cutoff=CUTOFF):
            yield f"{group}={option}: did you mean {group}={matches[0]}?"
    elif isinstance(refused, OverrideParseException):
        yield (
            f"{refused.override}: expected KEY=VALUE; put what has spaces, brackets or commas in"
            " quotes: 'KEY=[A,B]'"
        )
    elif isinstance(refused, HydraException) and (key := UNKNOWN_KEY.search(str(refused))):
        with suppress(HydraException):  # another word is wrong too
            if meant := _meant(key[1], known_keys(conf, config_name, arguments)):
                yield f"{key[1]}: did you mean {' or '.join(meant)}?"


def _meant(word: str, keys: list[str]) -> list[str]:
    """The key that is most alike, or those with the same last part, such as `lr`."""
    same_end = [
        key for key in keys if key.rpartition(".")[2] == word and not key.startswith("hydra.")
    ]
    return get_close_matches(word, keys, n=1, cutoff=CUTOFF) or same_end[:3]


def known_keys(conf: Path, config_name: str, arguments: list[str]) -> list[str]:
    """Groups, and the dotted keys of the config that the sound choices of options among these words
    make.
    """
    paths = [after for word, after in pairwise(arguments) if word == "--config-dir"]
    paths += [word.partition("=")[2] for word in arguments if word.startswith("--config-dir=")]
    folders = [Path(folder).absolute() for folder in paths]
    choices = [word for word in arguments if _is_choice(word, [conf, *folders])]
    places = f"hydra.searchpath=[{','.join(f'file://{folder}' for folder in folders)}]"
    with initialize_config_dir(str(conf), version_base="1.3"):
        leaves = flat(
            OmegaConf.to_container(
                compose(config_name, [places, *choices], return_hydra_config=True)
            )
        )
    parents = (key.rsplit(".", n)[0] for key in leaves for n in range(1, key.count(".") + 1))
    groups = (
        path.relative_to(folder).as_posix()
        for folder in (conf, *folders)
        for path in folder.rglob("*")
        if path.is_dir()
    )
    return list(dict.fromkeys([*groups, *leaves, *parents]))


def _is_choice(word: str, folders: list[Path]) -> bool:
    group, _, option = word.partition("=")
    return any((folder / group / f"{option}.yaml").is_file() for folder in folders)


def register_help() -> None:
    """Let a help text list the options of a group: `${options:model}`."""
    OmegaConf.register_new_resolver("options", options, replace=True)


def options(group: str) -> str:
    """All options of a group, the user's own among them, as lines of a help text."""
    names = ", ".join(
        name
        for name in GlobalHydra.instance().config_loader().get_group_options(group)
        if name != BASE
    )
    return textwrap.fill(
        names, WIDTH, initial_indent=" " * INDENT, subsequent_indent=" " * INDENT
    ).lstrip()
