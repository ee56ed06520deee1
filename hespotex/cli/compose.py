"""The config of a command without its command line."""

from collections.abc import Sequence

from omegaconf import DictConfig

from hespotex.cli.entry import config_folder
from hespotex.common.errors import InputError


def composed(command: str, overrides: Sequence[str] = ()) -> DictConfig:
    """What Hydra makes of these words, whatever Hydra itself is doing at the time.

    Args:
        command: `train` or `predict`, as in `conf/`.
        overrides: such as `model=ridge`.

    Raises:
        InputError: words that Hydra refuses.
    """
    from hydra import compose, initialize_config_dir
    from hydra.core.global_hydra import GlobalHydra
    from hydra.core.singleton import Singleton
    from hydra.errors import HydraException

    around = Singleton.get_state()  # of a sweep at whose end this may be
    GlobalHydra.instance().clear()
    try:
        with initialize_config_dir(str(config_folder()), version_base="1.3"):
            return compose(command, list(overrides))
    except HydraException as error:
        raise InputError(f"{command}.py would refuse {' '.join(overrides)}: {error}") from error
    finally:
        Singleton.set_state(around)
