"""HESpotEx from Python, a notebook for instance: the same code that the commands run."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import anndata as ad
import numpy as np
import pandas as pd
from omegaconf import DictConfig

from hespotex.auditing.record import RunRecord, read_record
from hespotex.cli.compose import composed
from hespotex.cli.names import check_config_names
from hespotex.common.errors import InputError
from hespotex.embeddings.embed import embed_section
from hespotex.finalize import finalize as finalize_sweep
from hespotex.modules.base import ExpressionModule
from hespotex.prediction.image_side import POSITIONS
from hespotex.prediction.predictor import Predictor
from hespotex.prediction.slide import SlideWriter
from hespotex.prediction.slide_list import SlideFile
from hespotex.records.build import Config, build_sections, resolved
from hespotex.results.predictions import spot_table
from hespotex.results.tables.sweep import Tables
from hespotex.sections.layouts import layout_of
from hespotex.sections.section import Section
from hespotex.sections.sections import Sections
from hespotex.splits.strategies import ALL
from hespotex.summary import summarise
from hespotex.training.run import every_fold, on_this_machine, train_fold

Place = str | Path


class TrainedModel:
    """A trained model, or the mean of several, ready for slides.

    Args:
        config: of `predict.py`, resolved.

    Raises:
        InputError: see `Predictor`.
    """

    def __init__(self, config: Config) -> None:
        self._config = config
        self._predictor = Predictor(config)

    @property
    def genes(self) -> pd.DataFrame:
        """A row for each gene that is predicted, in the order of every table, with what it has
        earned on sections that were left out: `test_pcc`, `low`, `high`, `test_sections`, `q`,
        `found`, `scored`; no columns where no scores lie with the model.
        """
        return pd.DataFrame(index=self._predictor.genes).join(self._writer().evidence)

    @property
    def unit(self) -> str:
        """Of the predicted values, such as log1p of counts per 10,000."""
        return str(self._predictor.about["unit"])

    @property
    def facts(self) -> dict[str, Any]:
        """Model, data, encoder, seed, leaks, unit and versions, as every output has them."""
        return dict(self._predictor.provenance)

    @property
    def modules(self) -> list[ExpressionModule]:
        """The LightningModules whose predictions are averaged."""
        return list(self._predictor.ensemble.modules)

    @property
    def module(self) -> ExpressionModule:
        """The LightningModule.

        Raises:
            InputError: there are several, the folds of a run.
        """
        if len(self.modules) != 1:
            raise InputError(f"{len(self.modules)} models are averaged here: take one of .modules")
        return self.modules[0]

    def predict(
        self,
        slide: Place | Section,
        mpp: float | None = None,
        positions: Place | None = None,
        genes: Sequence[str] | None = None,
        **options: Any,
    ) -> ad.AnnData:
        """Expression at every spot of a slide; nothing is written but embeddings, into the store.

        Args:
            slide: image file, or a section, which is predicted at its spots as in training and
              scoring (`context="positions"`).
            mpp: um per px; by default what the file says.
            positions: file of spot centres; by default a grid over the tissue.
            genes: by default all.
            options: further keys of `conf/predict.yaml`, such as `grid="hexagonal"`,
              `pitch_um=50.0`, `min_tissue=0.2` or `measured="spots.h5ad"`.

        Returns:
            `X` (n_spots, n_genes) in `unit`; spots, layers, genes with their scores and facts as in
            `SLIDE.h5ad` of `predict.py`.

        Raises:
            InputError: the slide cannot be predicted, or a key that does not exist.
        """
        given = {"mpp": mpp, "positions": positions, "genes": genes}
        asked = {**options, **{k: v for k, v in given.items() if v is not None}}
        if isinstance(slide, Section):
            own = self._changed({"context": POSITIONS, **asked})
            return SlideWriter(own, self._predictor).of_section(slide)
        writer = SlideWriter(self._changed(asked), self._predictor)
        return writer.of_slide(SlideFile(Path(slide))).table

    def embed(self, section: Section) -> ad.AnnData:
        """Embeddings `X` (n_spots, d_image) of the patches of a section, at its spots."""
        own = self._predictor
        rows = embed_section(section, own.encoder, own.store)
        values = np.concatenate(list(rows.chunks()))
        names = [f"{own.about['encoder']}_{i}" for i in range(rows.shape[1])]
        return spot_table(section, names, values, self.facts)

    def _writer(self) -> SlideWriter:
        return SlideWriter(self._config, self._predictor)

    def _changed(self, options: dict[str, Any]) -> Config:
        """The config with other values."""
        if unknown := sorted(set(options) - set(self._config)):
            raise InputError(
                f"predict: there is no {', '.join(unknown)}; expected keys of conf/predict.yaml:"
                f" {', '.join(sorted(self._config))}"
            )
        merged = {
            key: self._config[key] | value if isinstance(value, Mapping) else value
            for key, value in options.items()
        }
        return self._config | merged

    def __repr__(self) -> str:
        about = self._predictor.about
        return (
            f"TrainedModel({about['model']} on {about['data']}, encoder {about['encoder']},"
            f" {len(self._predictor.genes)} genes in {self.unit})"
        )


def load(place: Place, **options: Any) -> TrainedModel:
    """A trained model.

    Args:
        place: folder of a sweep, a run or a bundle, or a checkpoint. Of a sweep and a bundle it is
          the model on all sections where there is one, else the mean of the folds.
        options: keys of `conf/predict.yaml`, such as `folds=True`, `weights=FILE`,
          `nuclei_folder=DIR` or `store=DIR`.

    Raises:
        InputError: no checkpoint there, or an encoder that is not here as it was in training.
    """
    cfg = composed("predict")
    cfg.checkpoint = str(place)
    if store := options.pop("store", None):
        cfg.paths.store = str(store)
    if unknown := sorted(set(options) - set(cfg)):
        raise InputError(f"load: there is no {', '.join(unknown)} in conf/predict.yaml")
    for name, value in options.items():
        cfg[name] = value
    return TrainedModel(resolved(_in_folder(cfg, Path(cfg.output))))


def read_sections(place: Place, data: str | None = None, overrides: Sequence[str] = ()) -> Sections:
    """The sections of a data set, by id, each read when it is asked for.

    Args:
        place: folder, or an h5ad file.
        data: one of `conf/data`, such as `her2st`; by default told by the files that are there.
        overrides: further words of `train.py`, such as `data.reader.mpp=0.5`.

    Raises:
        InputError: files of no known layout, or settings that do not fit.
    """
    path = Path(place).expanduser()
    words = [f"data={data or layout_of(path)}", *overrides]
    cfg = composed("train", words)
    cfg.data.reader.root = str(path)
    return build_sections(resolved(_in_folder(cfg, Path())))


def read(
    place: Place,
    section_id: str | None = None,
    data: str | None = None,
    overrides: Sequence[str] = (),
) -> Section:
    """One section: counts and positions as `section.adata`, pixel size, image.

    Args:
        place, data, overrides: see `read_sections`.
        section_id: which one, where there are several.

    Raises:
        InputError: no such section, or several and none named.
    """
    sections = read_sections(place, data, overrides)
    ids = list(sections.keys)
    if section_id is None and len(ids) > 1:
        shown = ", ".join(ids[:8])
        raise InputError(f"{place} holds {len(ids)} sections: name one, such as {shown}")
    wanted = ids[0] if section_id is None else section_id
    if wanted not in ids:
        raise InputError(f"{place}: no section {wanted}; there are {', '.join(ids[:20])}")
    return sections[wanted]


def train(overrides: Sequence[str] = ()) -> RunRecord:
    """Train and score one fold, as `python train.py OVERRIDES` does.

    Args:
        overrides: such as `["data=her2st", "model=ridge", "name=mine"]`.

    Returns:
        What the run has left in its folder: config, split, scores, checkpoint.

    Raises:
        InputError: words that `train.py` would refuse, or every fold asked for.
    """
    cfg = composed("train", overrides)
    if cfg.fold.index == ALL:
        raise InputError("train takes one fold: for every fold call cross_validate")
    place = f"fold{cfg.fold.index}_seed{cfg.seed}"
    cfg = _in_folder(cfg, Path(cfg.paths.outputs) / cfg.name / place)
    train_fold(on_this_machine(cfg))
    return read_record(Path(cfg.paths.run))


def cross_validate(overrides: Sequence[str] = (), finalize: bool = True) -> Tables:
    """Train and score every fold, one after the other, then fit the model on all sections.

    Args:
        overrides: see `train`.
        finalize: fit the model on all sections, which `load` then takes.

    Returns:
        See `read_results`; report, tables and models are in `outputs/NAME`.

    Raises:
        InputError: words that `train.py` would refuse, or folds that failed.
    """
    cfg = composed("train", [*overrides, f"fold.index={ALL}"])
    folder = Path(cfg.paths.outputs) / cfg.name
    cfg = _in_folder(cfg, folder)
    every_fold(cfg)
    summarise(folder)
    if finalize:
        finalize_sweep(folder)
    return read_results(folder)


def read_results(folder: Place) -> Tables:
    """Scores of all finished runs below a folder as tidy tables: `models`, `sections`, `genes`, and
    `scores` of each gene in each section.

    Raises:
        InputError: no folder, or no finished run in it.
    """
    return Tables.read(Path(folder).expanduser())


def _in_folder(cfg: DictConfig, folder: Path) -> DictConfig:
    """The config of a run in this folder, its names looked at."""
    check_config_names(cfg)
    cfg.paths.run = str(folder)
    return cfg
