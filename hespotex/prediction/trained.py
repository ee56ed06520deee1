"""A trained model as Python users hold it."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import anndata as ad
import numpy as np
import pandas as pd

from hespotex.common.errors import InputError
from hespotex.embeddings.embed import embed_section
from hespotex.modules.base import ExpressionModule
from hespotex.prediction.image_side import POSITIONS
from hespotex.prediction.predictor import Predictor
from hespotex.prediction.slide import SlideWriter
from hespotex.prediction.slide_list import SlideFile
from hespotex.records.build import Config
from hespotex.results.predictions import spot_table
from hespotex.sections.section import Section


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
        earned on sections that were left out: `test_pcc`, `low`, `high`, `test_r2`, `test_ceiling`,
        `test_sections`, `q`, `found`, `scored`; no columns where no scores lie with the model.
        """
        return pd.DataFrame(index=self._predictor.genes).join(self._predictor.evidence)

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
        slide: str | Path | Section,
        mpp: float | None = None,
        positions: str | Path | None = None,
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
        arguments = {"mpp": mpp, "positions": positions, "genes": genes}
        changes = {**options, **{k: v for k, v in arguments.items() if v is not None}}
        if isinstance(slide, Section):
            config = self._changed({"context": POSITIONS, **changes})
            return SlideWriter(config, self._predictor).of_section(slide)
        writer = SlideWriter(self._changed(changes), self._predictor)
        return writer.of_slide(SlideFile(Path(slide))).table

    def embed(self, section: Section) -> ad.AnnData:
        """Embeddings `X` (n_spots, d_image) of the patches of a section, at its spots."""
        predictor = self._predictor
        rows = embed_section(section, predictor.encoder, predictor.store)
        values = np.concatenate(list(rows.chunks()))
        names = [f"{predictor.about['encoder']}_{i}" for i in range(rows.shape[1])]
        return spot_table(section, names, values, self.facts)

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
        config = self._config | merged
        self._predictor.check_genes(config)
        return config

    def __repr__(self) -> str:
        about = self._predictor.about
        return (
            f"TrainedModel({about['model']} on {about['data']}, encoder {about['encoder']},"
            f" {len(self._predictor.genes)} genes in {self.unit})"
        )
