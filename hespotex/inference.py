"""Predict on slides: a checkpoint brings its genes, encoder, graph and scaling along."""

import logging
from copy import deepcopy
from glob import glob
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf
from torch_geometric.data import Batch

from hespotex.build import Config, build, check_trusted
from hespotex.data.assemble import ImageInputs
from hespotex.data.encoder import Encoder, NucleiCounter
from hespotex.data.genes import check_markers
from hespotex.data.readers.slide import read_slide
from hespotex.ensemble import Ensemble, find_checkpoints
from hespotex.errors import InputError
from hespotex.provenance import git_commit, versions
from hespotex.results.about import brief
from hespotex.results.maps import draw_pair
from hespotex.results.predictions import spot_table, write_h5ad

log = logging.getLogger(__name__)


def predict(cfg: DictConfig) -> None:
    """Predict every slide; a slide that fails is named at the end while the others finish.

    Raises:
        InputError: nothing to predict, a checkpoint that does not fit, or slides that failed.
    """
    if cfg.get("data"):
        raise InputError("data=... names sections with counts: add evaluate=true to score the checkpoint on them")
    config: Config = OmegaConf.to_container(cfg, resolve=True, throw_on_missing=True)  # type: ignore[assignment]
    if not config["slides"]:
        raise InputError("nothing to predict: set slides=PATH, or data=... evaluate=true to score on another data set")
    predictor = Predictor(config)
    failed = {}
    for path in find_slides(config["slides"]):
        try:
            predictor(path)
        except InputError as error:
            log.error("%s: %s", path, error)
            failed[path.name] = str(error)
    if failed:
        raise InputError(f"{len(failed)} slides failed: {', '.join(failed)}; the reasons stand above")


class Predictor:
    """A trained model with the preprocessing it was trained with."""

    def __init__(self, config: Config) -> None:
        self.config = config
        self.ensemble = Ensemble(find_checkpoints(config["checkpoint"]))
        self.about, self.genes = self.ensemble.about, self.ensemble.genes
        check_markers(config["map_genes"], self.genes, "map_genes")
        self.encoder, self.nuclei = _encoder(self.about, config["weights"]), _nuclei(self.about, config["nuclei_folder"])
        self.inputs = ImageInputs(**self.about["image_inputs"])
        self.store = build(config["store"])
        self.provenance = brief(self.about) | {
            "checkpoint": " ".join(self.ensemble.fingerprints.values()),
            "versions": versions(),
            "git_commit": str(git_commit()),
        }

    def __call__(self, path: Path) -> None:
        """Write `{slide}.h5ad` and the maps of one slide; what is there already is kept."""
        config, output = self.config, Path(self.config["output"])
        target = output / f"{path.stem}.h5ad"
        if target.is_file() and not config["restart"]:
            log.info("%s is there already (restart=true makes it anew)", target)
            return
        positions = Path(config["positions"]) if config["positions"] else None
        facts = {key: self.about[key] for key in ("pitch_um", "spot_diameter_um")}
        section = read_slide(path, **facts, mpp=config["mpp"], positions=positions, min_tissue=config["min_tissue"])
        batch = Batch.from_data_list([self.inputs.assemble(section, self.encoder, self.nuclei, self.store)])
        expression = self.ensemble(batch)[section.section_id]
        table = spot_table(section, self.genes, expression.numpy(), self.provenance)
        for gene in config["map_genes"]:
            draw_pair(None, table, gene, path.name, output / "maps" / f"{path.stem}_{gene}.png")
        write_h5ad(table, target)
        log.info(
            "%s: %d genes at %d spots (%.3f um/px, %s)", target, len(self.genes), len(table), section.mpp, section.mpp_source
        )


def find_slides(pattern: str | list[str]) -> list[Path]:
    """Files that a path, a glob, or a list of these name.

    Raises:
        InputError: there is none.
    """
    patterns = [pattern] if isinstance(pattern, str) else pattern
    found = sorted({Path(match) for entry in patterns for match in glob(entry)})  # noqa: PTH207, Path.glob refuses absolute patterns
    if not found:
        raise InputError(f"no slide matches {', '.join(patterns)}; set slides=PATH, slides='FOLDER/*.svs' or slides=[A,B]")
    return found


def _encoder(about: dict[str, Any], weights: str | dict[str, str] | None) -> Encoder:
    """The encoder of the training run, and only that one."""
    settings = _as_trained(about["config"]["encoder"], about["encoder_identity"], weights)
    check_trusted(settings)
    encoder: Encoder = build(settings)
    if encoder.identity() != about["encoder_identity"]:
        raise InputError(
            f"the checkpoint was trained on embeddings of {about['encoder_identity']}, here they are of {encoder.identity()}; "
            "use the same weights (weights=FILE) and the same version of HESpotEx, or train anew"
        )
    return encoder


def _as_trained(settings: dict[str, Any], identity: dict[str, Any], weights: str | dict[str, str] | None) -> dict[str, Any]:
    """The settings with the precision of training, whatever device this is, and with the user's weights (by part of a pair)."""
    if "parts" in settings:
        if not isinstance(weights, dict | None) or not set(weights or ()) <= set(settings["parts"]):
            raise InputError(
                f"expected weights by part, such as weights={{{next(iter(settings['parts']))}:FILE}}, got {weights}"
            )
        by_part = {part: (weights or {}).get(part) for part in identity["parts"]}
        parts = {part: _as_trained(settings["parts"][part], identity["parts"][part], file) for part, file in by_part.items()}
        return settings | {"parts": parts}
    if weights and "weights" not in settings:
        raise InputError(f"weights={weights}, but encoder {settings['name']} has no weights file; leave weights out")
    changes = {"precision": identity.get("precision"), "weights": weights}
    return settings | {key: value for key, value in changes.items() if value}


def _nuclei(about: dict[str, Any], folder: str | None) -> NucleiCounter | None:
    """The counter of the training run; where it reads files, those of the slides may lie in another folder."""
    settings = deepcopy(about["config"]["nuclei"]["counter"])
    check_trusted(settings)
    if folder:
        owner = settings and settings.get("source", settings)
        if not owner or "folder" not in owner:
            raise InputError(f"nuclei_folder={folder}: the checkpoint's nuclei do not come from files; leave it null")
        owner["folder"] = folder
    counter: NucleiCounter | None = build(settings)
    return counter
