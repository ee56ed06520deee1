"""Runs that were made before modules moved are read as before."""

import json
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import torch

from hespotex.auditing.audit import audit_run
from hespotex.auditing.dataset import DataSets
from hespotex.common.errors import InputError
from hespotex.common.provenance import KEY
from hespotex.records.build import build
from hespotex.records.checkpoint import load_module, read_checkpoint
from hespotex.records.layout import BEST, CONFIG, METRICS
from hespotex.records.manifest import MANIFEST
from hespotex.records.moved import MOVED, current
from hespotex.records.plain import read_config
from hespotex.results.findings import FAIL

RIDGE = ("model=ridge", "data.panel.n_top=40")
NAMED = [  # in configs from 22 to 29 November 2026, as Git's history has them
    "hespotex.data.assemble.ImageInputs",
    "hespotex.data.bundle_split.BundleSplit",
    "hespotex.data.expression.LogNormalised",
    "hespotex.data.expression.LogRaw",
    "hespotex.data.expression.PearsonResiduals",
    "hespotex.data.folds.AllSections",
    "hespotex.data.folds.GroupKFold",
    "hespotex.data.folds.LeaveOneGroupOut",
    "hespotex.data.folds.LeaveOneSectionOut",
    "hespotex.data.gene_list.GeneList",
    "hespotex.data.gene_names.GeneNames",
    "hespotex.data.gene_ranks.HighestMeanGenes",
    "hespotex.data.gene_ranks.PearsonVariableGenes",
    "hespotex.data.gene_ranks.SpatialGenes",
    "hespotex.data.genes.HighlyVariableGenes",
    "hespotex.data.genes.PublishedGenes",
    "hespotex.data.loader.Batching",
    "hespotex.data.nuclei.NucleiPerSpot",
    "hespotex.data.nuclei.cellpose.CellposeNuclei",
    "hespotex.data.nuclei.cellvit.CellvitNuclei",
    "hespotex.data.nuclei.centroids.CentroidNuclei",
    "hespotex.data.nuclei.geojson.QupathNuclei",
    "hespotex.data.nuclei.haematoxylin.HaematoxylinNuclei",
    "hespotex.data.nuclei.masks.LabelMaskNuclei",
    "hespotex.data.nuclei.published.PublishedMaskCounter",
    "hespotex.data.readers.demo.DemoReader",
    "hespotex.data.readers.h5ad.H5adReader",
    "hespotex.data.readers.her2st.Her2stReader",
    "hespotex.data.readers.hest.HestReader",
    "hespotex.data.readers.hest_benchmark.HestBenchmarkReader",
    "hespotex.data.readers.visium.VisiumReader",
    "hespotex.data.readers.visium_hd.VisiumHDReader",
    "hespotex.data.split_file.FileSplit",
    "hespotex.data.store.EmbeddingStore",
    "hespotex.encoders.histology.HistologyEncoder",
    "hespotex.modules.closed_form.GeneMeanModule",
    "hespotex.modules.strict.StrictModule",
    "hespotex.replicates.ReplicateCeiling",
]
OLD = {new: old for old, new in MOVED.items()}


def before(value: Any) -> Any:
    """A config with the names of the classes as they were."""
    if isinstance(value, dict):
        return {key: before(child) for key, child in value.items()}
    if isinstance(value, list):
        return [before(child) for child in value]
    module, dot, name = str(value).rpartition(".")
    return f"{OLD[module]}{dot}{name}" if module in OLD else value


@pytest.mark.parametrize("name", NAMED)
def test_what_an_older_config_names_is_there(name: str) -> None:
    module, _, own = current(name).rpartition(".")
    assert isinstance(getattr(import_module(module), own), type)


def test_every_room_that_moved_is_known_by_a_class() -> None:
    named = {name.rpartition(".")[0] for name in NAMED if current(name) != name}
    assert set(MOVED) == named


def test_a_users_config_is_told_the_new_place() -> None:
    with pytest.raises(InputError, match=r"hespotex\.data\.genes is hespotex\.genes\.panel now"):
        build({"_target_": "hespotex.data.genes.HighlyVariableGenes"})


def test_an_older_run_is_loaded_audited_and_known_again(train: Callable[..., Path]) -> None:
    folder = train(*RIDGE)
    found = load_module(read_checkpoint(folder / BEST))
    as_before(folder)
    names = json.loads((folder / CONFIG).read_text())["data"]
    assert names["panel"]["_target_"] == "hespotex.data.genes.HighlyVariableGenes"
    again = load_module(read_checkpoint(folder / BEST))
    for name, value in found.state_dict().items():
        assert torch.equal(value, again.state_dict()[name])
    findings = audit_run(folder, DataSets())
    assert not [finding.reason for finding in findings if finding.verdict == FAIL]
    assert read_config(folder)["data"]["panel"]["_target_"].startswith("hespotex.genes.panel.")
    scores = (folder / METRICS).read_bytes()
    assert train(*RIDGE) == folder and (folder / METRICS).read_bytes() == scores


def as_before(folder: Path) -> None:
    """The run as it would have been written before modules moved."""
    (folder / MANIFEST).unlink()
    config = json.loads((folder / CONFIG).read_text())
    (folder / CONFIG).write_text(json.dumps(before(config)))
    content = torch.load(folder / BEST, weights_only=True)
    content[KEY]["config"] = before(content[KEY]["config"])
    torch.save(content, folder / BEST)
