"""Targets in a run: what was seen, and that predicting a slide ends at the values of the run."""

import json
from collections.abc import Callable
from pathlib import Path

import anndata as ad
import numpy as np
import pandas as pd
import pytest
import torch
from conftest import Run, compose_config
from omegaconf import OmegaConf

from hespotex.batches.fold import Fold
from hespotex.common.errors import InputError
from hespotex.records.about import About
from hespotex.records.build import build_fold
from hespotex.records.checkpoint import restored_target

Make = Callable[..., Fold]


@pytest.fixture
def make(small: list[str], tmp_path: Path) -> Make:
    """A fold that is ready for a model."""

    def build(*overrides: str) -> Fold:
        config = compose_config(
            "train", [*small, "model.select_on=validation", *overrides], tmp_path
        )
        return build_fold(OmegaConf.to_container(config, resolve=True))  # type: ignore[arg-type]

    return build


def test_residuals_are_fitted_on_training_sections(make: Make) -> None:
    found = make("data/expression=pearson_residuals")
    assert found.expression.fitted_on == sorted(found.split.train)
    assert found.leaks() == []
    found.expression.fitted_on = found.split.test
    assert found.leaks() == ["the target saw the test section"]
    values = torch.cat([found.graph(i).whole().target.dense() for i in found.split.train])
    assert abs(float(values.mean())) < 0.1
    assert float(values.min()) < -0.5


def test_human_and_mouse_do_not_mix(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    from hespotex.sections.readers.hest.folder import HestReader

    read = HestReader.read

    def with_mouse(self: HestReader, section_id: str) -> object:
        section = read(self, section_id)
        section.adata.var_names = [
            f"ENS{'MUS' if section_id == 'DEMO3' else ''}G{i:011d}.1"
            for i in range(section.adata.n_vars)
        ]
        return section

    monkeypatch.setattr(HestReader, "read", with_mouse)
    with pytest.raises(
        InputError, match=r"human in DEMO1, .*mouse in DEMO3; set data.reader.sections"
    ):
        make()


@pytest.mark.parametrize(
    ("target", "model"),
    [
        ("log_normalised", ["model=strict", "encoder=histology", "model.max_epochs=3"]),
        ("pearson_residuals", ["model=ridge"]),
        ("log_raw", ["model=ridge"]),
    ],
    ids=lambda word: word if isinstance(word, str) else "",
)
def test_a_test_image_at_its_measured_spots_gets_the_values_of_the_run(
    train: Run, small_demo: Path, tmp_path: Path, target: str, model: list[str]
) -> None:
    """Its counts are not read, its embeddings are made anew: the same numbers through predict.py as
    in the run.
    """
    from hespotex.prediction.inference import predict

    folder = train(*model, f"data/expression={target}")
    expected = ad.read_h5ad(folder / "predictions" / "DEMO1_predicted.h5ad")
    facts = json.loads((folder / "metrics.json").read_text())
    assert bool(facts["expression_fitted_on"]) == (target == "pearson_residuals")
    assert "DEMO1" not in facts["expression_fitted_on"]
    positions = pd.DataFrame(expected.obsm["spatial"], columns=["x", "y"]).assign(
        barcode=list(expected.obs_names)
    )
    positions.to_csv(tmp_path / "spots.csv", index=False)
    words = [
        f"checkpoint={folder}/checkpoints/best.ckpt",
        f"slides={small_demo}/wsis/DEMO1.tif",
        f"output={tmp_path / 'out'}",
        "context=positions",  # as sections are scored
    ]
    predict(
        compose_config(
            "predict",
            [*words, f"positions={tmp_path}/spots.csv", f"paths.store={tmp_path}/store"],
            tmp_path,
        )
    )
    found = ad.read_h5ad(tmp_path / "out" / "DEMO1.h5ad")
    assert found.uns["hespotex"]["unit"] == facts["unit"]
    assert list(found.obs_names) == list(expected.obs_names)
    np.testing.assert_allclose(found[:, expected.var_names].X, expected.X, atol=1e-5)


def test_what_a_target_was_fitted_to_comes_back(make: Make) -> None:
    found = make("data/expression=pearson_residuals")
    settings = {"_target_": "hespotex.genes.expression.PearsonResiduals"}
    fitted = found.expression
    about: About = {
        "config": {"data": {"expression": settings}},
        "expression_fitted_on": fitted.fitted_on,
    }
    again = restored_target(about | {"expression_state": fitted.state()})
    assert again.fitted_on == fitted.fitted_on and again.state() == fitted.state() != {}
    with pytest.raises(
        InputError,
        match="of an older version, does not hold what its target was fitted to; train it again",
    ):
        restored_target(about)
    with pytest.raises(InputError, match="not part of HESpotEx"):
        restored_target(
            about
            | {
                "config": {"data": {"expression": {"_target_": "os.getcwd"}}},
                "expression_state": {"a": 1},
            }
        )
