"""The model to use after a cross-validation, fitted on all sections: `python -m hespotex.finalize
SWEEP_DIR`.
"""

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hespotex.cli.entry import VerbParser, plain_errors

if TYPE_CHECKING:
    from hespotex.prediction.choice import Chosen
    from hespotex.records.record import Runs

log = logging.getLogger("hespotex.finalize")
ABOUT = """Fit the model of a cross-validation once more, with its settings, on all sections and one
gene panel. The folds say how well it does; this is the model to use: predict.py and
bundle take it by default. Beside it lie genes.csv, with what each gene has earned in
cross-validation, and final.json, with what it was fitted on and what the estimate does not
cover."""
EXAMPLES = {
    "outputs/mine": "into outputs/mine/final/MODEL",
    "outputs/demo --model strict": "a sweep of several models",
}
MACHINE = ("trainer", "logger", "callbacks", "store", "paths", "compile")

Config = dict[str, Any]


def finalize(
    sweep: Path,
    model: str | None = None,
    machine: Mapping[str, Any] | None = None,
    restart: bool = False,
) -> Path:
    """Fit the final model into `SWEEP/final/MODEL`, an ordinary run folder, and keep the folds'
    scores with it.

    Args:
        sweep: folder of a cross-validation.
        model: which one, where the sweep has several.
        machine: an unresolved config of `train.py`, whose trainer, loggers, store and paths are
          used; by default a fresh one, with the sweep's store.
        restart: fit again what is there.

    Returns:
        The folder.

    Raises:
        InputError: no such model, runs that differ in more than fold and seed, settings that may
          not be built.
    """
    from hespotex.common.provenance import KEY
    from hespotex.prediction.choice import choose, final_folder, settings_of
    from hespotex.records.checkpoint import read_checkpoint
    from hespotex.records.layout import BEST
    from hespotex.results.tables.final import cross_validated_genes, final_facts, write_final
    from hespotex.training.run import train_fold

    chosen = choose(sweep, model)
    folder = final_folder(sweep, chosen.name)
    settings = settings_of(chosen)
    config = _config(settings, chosen, folder, machine, restart)
    train_fold(config, leaks=leak_labels(chosen.runs))
    about = read_checkpoint(folder / BEST)[KEY]
    genes = cross_validated_genes(chosen.runs, about["genes"])
    facts = final_facts(sweep, chosen.name, chosen.runs, chosen.every_run, about)
    write_final(folder, genes, facts | {"epochs": settings["model"]["max_epochs"]})
    fitted = f"{chosen.name} on all {len(about['section_facts'])} sections"
    n_scored = int(genes["scored"].sum())
    log.info("%s: %s, %d genes, %d with a score", folder, fitted, len(genes), n_scored)
    for gap in facts["does_not_cover"]:
        log.info("the cross-validation does not cover: %s", gap)
    return folder


def leak_labels(runs: "Runs") -> list[str]:
    """What the folds' scores have seen, as labels of the model that quotes them."""
    return list(dict.fromkeys(f"cross-validation: {leak}" for run in runs for leak in run.leaks))


def _config(
    settings: Config,
    chosen: "Chosen",
    folder: Path,
    machine: Mapping[str, Any] | None,
    restart: bool,
) -> Config:
    """The whole config of the final run: the sweep's settings on this machine."""
    from omegaconf import OmegaConf

    from hespotex.cli.compose import composed
    from hespotex.prediction.choice import TAKEN
    from hespotex.training.run import on_this_machine

    fresh: Any = OmegaConf.to_container(composed("train", ["fold=final"]))
    config: Config = dict(fresh)
    if machine:
        config |= {name: machine[name] for name in MACHINE if name in machine}
    else:
        config["paths"]["store"] = config["store"]["root"] = settings["store"]
    config |= {name: settings[name] for name in (*TAKEN, "seed")}
    config["paths"]["run"] = str(folder)
    config |= {"name": f"{chosen.name}_final", "finalize": False, "restart": restart}
    return on_this_machine(OmegaConf.create(config))


@plain_errors
def main() -> None:
    """Command line."""
    parser = VerbParser("finalize", ABOUT, EXAMPLES)
    parser.add_argument(
        "sweep",
        type=Path,
        metavar="SWEEP_DIR",
        help="folder of a cross-validation, such as outputs/mine",
    )
    parser.add_argument("--model", help="which one, where the sweep has several, such as strict")
    parser.add_argument("--restart", action="store_true", help="fit again what is there already")
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    finalize(arguments.sweep, arguments.model, restart=arguments.restart)


if __name__ == "__main__":
    main()
